"""A request that is over, until somebody wants to read its event; see ``observability.events.EndedRequest``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.observability.events import RequestEvent

if TYPE_CHECKING:
    from gateway.proxy.dispatch import Forward
    from gateway.proxy.messages import RequestHead, ResponseHead


class Ended:
    """What is known of a request when it ends; made only while somebody listens.

    Args:
        at: Seconds since the epoch at which its head was complete.
        forward: None where the gateway answered by itself.
        address: The client's.
        answer: None where no version answered.
    """

    __slots__ = (
        "_address",
        "_answer",
        "_at",
        "_event",
        "_forward",
        "_ray",
        "_request",
        "_request_bytes",
        "_response_bytes",
        "duration_us",
        "outcome",
        "status",
    )

    def __init__(
        self,
        at: float,
        ray: bytes,
        request: RequestHead,
        forward: Forward | None,
        status: int,
        outcome: str,
        duration_us: int,
        request_bytes: int,
        response_bytes: int,
        address: str = "",
        answer: ResponseHead | None = None,
    ) -> None:
        self._at = at
        self._ray = ray
        self._request = request
        self._forward = forward
        self.status = status
        self.outcome = outcome
        self.duration_us = duration_us
        self._request_bytes = request_bytes
        self._response_bytes = response_bytes
        self._address = address
        self._answer = answer
        self._event: RequestEvent | None = None

    @property
    def ray(self) -> str:
        """Its ray id."""
        return self._ray.decode("ascii")

    @property
    def worker(self) -> str:
        """The Worker it went to; empty where it went to none."""
        return self._forward.worker.name if self._forward else ""

    @property
    def version_id(self) -> str:
        """The version it went to; empty as above."""
        return self._forward.decision.version_id if self._forward else ""

    @property
    def method(self) -> str:
        """Its method."""
        return self._request.method

    def event(self) -> RequestEvent:
        """Return its event, made at the first call."""
        if self._event is None:
            self._event = self._made()
        return self._event

    def _made(self) -> RequestEvent:
        forward, request = self._forward, self._request
        decision = forward.decision if forward else None
        key = forward.object if forward else None
        return RequestEvent(
            at=self._at,
            ray=self.ray,
            worker=self.worker,
            version_id=self.version_id,
            reason=decision.reason if decision else "",
            method=request.method,
            host=request.host,
            target=request.target.decode("latin-1"),
            status=self.status,
            outcome=self.outcome,
            duration_us=self.duration_us,
            request_bytes=self._request_bytes,
            response_bytes=self._response_bytes,
            point=decision.point if decision else None,
            object=key.header_value if key else "",
            label=forward.live.pool.version.label if forward else "",
            ignored=decision.ignored if decision else (),
            header_lines=request.lines,
            content_type=_content_type(self._answer),
            address=_address(request, self._address),
            caller_ray=request.caller_ray.decode("latin-1"),
            fault=forward.fault if forward else "",
        )


def _content_type(answer: ResponseHead | None) -> str:
    for line in answer.lines if answer is not None else ():
        if line[:13].lower() == b"content-type:":
            return line[13:].strip(b" \t").decode("latin-1")
    return ""


def _address(request: RequestHead, peer: str) -> str:
    """Return the client's address; whoever stands before the gateway says for whom it asks."""
    forwarded_for = request.forwarded_for
    return peer if forwarded_for is None else f"{forwarded_for.decode('latin-1')}, {peer}"
