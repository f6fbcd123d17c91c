"""Version skew in all that the edge of a test has seen: nothing is passed over, and nothing is waited for.

The watch of a running gateway looks at so many requests in a second and leaves out the rest. A test must be told
of each, and of the same ones each time: the detector is given the whole record, in its order, when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.model.skew_rules import SkewRules
from gateway.observability.events import DeploymentEvent
from gateway.skew.detector import Detector
from gateway.skew.incident import Incident
from gateway.skew.reading import deployment_seen, request_seen
from gateway.testing.record import Record


class SkewRecord:
    """The detector of one edge.

    Args:
        rules_of: What the test said of a Worker.
    """

    def __init__(self, record: Record, rules_of: Callable[[str], SkewRules]) -> None:
        self._record = record
        self._rules_of = rules_of
        self._detector = Detector(rules_of)

    def incidents(self) -> list[Incident]:
        """Return what was found in all requests that have ended, in the order in which it was seen first."""
        for event in self._record.not_looked_at():
            if isinstance(event, DeploymentEvent):
                self._detector.deployed(deployment_seen(event))
                continue
            rules = self._rules_of(event.worker)
            if rules.enabled:
                self._detector.saw(request_seen(event, rules))
        return self._detector.incidents()
