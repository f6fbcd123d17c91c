"""Code that runs on workerd, as a test names it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.model.worker_code import Binding
from gateway.settings import WorkerdSource


@dataclass(frozen=True, slots=True)
class Bundle:
    """An ES module and its bindings, run by workerd as it lies.

    A project with a wrangler file needs none of this: name the file instead.

    Args:
        main: The entry module, such as ``Path("dist/index.js")``.
        modules: Globs, relative to the folder of ``main``, for the modules beside it.
        durable_objects: Name in ``env`` -> class that ``main`` exports.
        vars: Name in ``env`` -> a text, or anything that JSON can say.
        services: Name in ``env`` -> Worker.
        version_metadata: Name in ``env`` of what tells the code its own version, or empty.
    """

    main: Path
    modules: Sequence[str] = ()
    durable_objects: Mapping[str, str] = field(default_factory=dict)
    vars: Mapping[str, Any] = field(default_factory=dict)
    services: Mapping[str, str] = field(default_factory=dict)
    version_metadata: str = ""
    compatibility_date: str = "2026-04-01"
    compatibility_flags: Sequence[str] = ()

    def source(self) -> WorkerdSource:
        """Return it as the configuration would say it."""
        return WorkerdSource(
            main=str(self.main.absolute()),
            modules=tuple(self.modules),
            bindings=self._bindings(),
            compatibility_date=self.compatibility_date,
            compatibility_flags=tuple(self.compatibility_flags),
        )

    def _bindings(self) -> tuple[Binding, ...]:
        metadata = [Binding(self.version_metadata, "version_metadata")] if self.version_metadata else []
        return (
            *(_variable(name, value) for name, value in self.vars.items()),
            *(
                Binding(name, "durable_object_namespace", {"class_name": class_name})
                for name, class_name in self.durable_objects.items()
            ),
            *(Binding(name, "service", {"service": worker}) for name, worker in self.services.items()),
            *metadata,
        )


def _variable(name: str, value: Any) -> Binding:
    if isinstance(value, str):
        return Binding(name, "plain_text", {"text": value})
    return Binding(name, "json", {"json": value})
