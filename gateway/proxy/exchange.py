"""One request and its answer: from the head to the last byte, between one client and one version.

The client connection owns the order of exchanges; an exchange only writes to the client between ``start`` and the
moment it reports itself done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from gateway.model.durable_object import ObjectKey, ObjectReset
from gateway.model.version import Version
from gateway.observability.events import WebSocketEvent
from gateway.proxy import pages
from gateway.proxy.dispatch import LOOP_TOKEN, Faulted, Forward, LastHop, Trace, Wait
from gateway.proxy.edge import Edge
from gateway.proxy.ended import Ended
from gateway.proxy.headers import one_hop_fewer, version_line
from gateway.proxy.messages import RequestHead, ResponseHead
from gateway.proxy.pages import Problem
from gateway.proxy.pool import Pool, VersionUnreachable
from gateway.proxy.tunnel import Tunnel
from gateway.proxy.upstream import UpstreamConnection

if TYPE_CHECKING:
    from gateway.proxy.downstream import ClientConnection

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "PROPFIND", "REPORT", "SEARCH"})
"""RFC 9110 9.2.2: what a client may repeat, we may."""

HELD_BODY_BYTES: Final = 65_536
"""How much of a body waits for a connection before the client is paused."""

_WORKERD_500: Final = b"Internal Server Error"

_NO_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
_PHRASES: Final = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}
"""A status without one, such as Cloudflare's 520, has no phrase (RFC 9112 section 4)."""


class Exchange:
    """See the module's first line.

    Attributes:
        request_sent: Whether the whole request went to the version (or was read and dropped).
        done: Whether the answer is over, one way or the other.
        started_at: When the head was complete, on the edge's monotonic clock.
    """

    # Defaults stand on the class: one exchange is built for each request, and most requests need few of these.
    done = False
    _ray = b""
    _forward: Forward | None = None
    _pool: Pool | None = None
    _connection: UpstreamConnection | None = None
    _held: list[bytes] | None = None
    _held_bytes = 0
    _retried = False
    _head_out = False
    _answered: ResponseHead | None = None
    _chunked_out = False
    _status = 0
    _request_bytes = 0
    _response_bytes = 0
    _answer_due = 0.0
    _bytes_at_check = 0
    _progress_at = 0.0

    def __init__(self, client: ClientConnection, edge: Edge, request: RequestHead) -> None:
        self._client = client
        self._edge = edge
        self._out: list[bytes] = []
        self.request = request
        self.request_sent = not request.has_body
        self.keep_alive = request.keep_alive
        self.started_at = edge.monotonic()

    @property
    def answering(self) -> bool:
        """Whether the answer's head has gone out."""
        return self._head_out

    # The request.

    def start(self) -> None:
        """Decide, and send the request on its way or answer it here."""
        if self.done:
            return  # the client left while the request waited for its turn
        edge = self._edge
        self._ray = edge.new_ray()
        outcome = edge.dispatch(self.request, edge)
        if isinstance(outcome, Forward):
            self._forward = outcome
            self._pool = outcome.live.pool
            self._pool.exchanges += 1
            if outcome.object_key is not None and self._waits_for_reset(outcome.object_key, outcome.reset):
                return
            connection = self._pool.take()
            if connection is not None:
                self._send(connection)
            else:
                edge.spawn(self._connect())
        elif isinstance(outcome, Problem):
            self._answer(outcome)
        elif isinstance(outcome, LastHop):
            self._answer_with(200, "text/plain", b"", b"Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
            self._finish("ok")
        elif isinstance(outcome, Wait):
            edge.spawn(self._start_after_activation())
        elif isinstance(outcome, Faulted):
            self._forward = outcome.forward
            self._pool = outcome.forward.live.pool
            self._pool.exchanges += 1
            if outcome.forward.reset is not None:
                edge.tell_reset(outcome.forward.reset)  # whatever becomes of this request, the object has moved
            edge.spawn(outcome.suffer(self))
        else:
            self._answer_trace(outcome)

    async def _start_after_activation(self) -> None:
        await self._edge.objects.activation_over()
        self.start()

    def _waits_for_reset(self, key: ObjectKey, reset: ObjectReset | None) -> bool:
        """Let the version that lost the object be told before its successor hears of it (R46: one at a time)."""
        told = self._edge.reset_under_way(key) if reset is None else self._edge.tell_reset(reset)
        if told is not None:
            self._edge.spawn(self._connect_after(told))
        return told is not None

    async def _connect_after(self, told: asyncio.Event) -> None:
        await told.wait()
        await self._connect()

    async def _connect(self, make: Callable[[Pool], UpstreamConnection] = UpstreamConnection) -> None:
        pool = self._pool
        if pool is None:
            return  # the client left before this began
        try:
            connection = await pool.connect(make)
        except VersionUnreachable as error:
            if not self.done:
                self._fail(error.why, timed_out=error.timed_out)
            return
        if self.done:
            connection.close()
        else:
            self._send(connection)

    def _send(self, connection: UpstreamConnection) -> None:
        request = self.request
        self._connection = connection
        connection.begin(self, to_head_request=request.method == "HEAD")
        self._answer_due = self._edge.now + self._edge.settings.answer_seconds
        head = self._request_head()
        if self._held:
            connection.transport.writelines([head, *self._held])
            self._held = None
            self._client.resume_body()
        else:
            connection.transport.write(head)
        if self._client.is_slow:
            connection.pause_reading()
        if request.protocols:
            self._client.pause_body()  # what the client sends now belongs to the protocol to come

    def _request_head(self) -> bytes:
        request, forward = self.request, self._forward
        assert forward is not None  # noqa: S101 - set by start
        if forward.object_key is None:
            if request.outbound_ip != self._client.peer_ip:
                request.outbound = self._outbound(forward.target)
                request.outbound_ip = self._client.peer_ip
            return request.outbound + self._ray + self._version_lines(forward) + b"\r\n\r\n"
        owner = forward.object_key.header_value.encode("ascii")
        return self._outbound(forward.target) + self._ray + b"\r\nGateway-Object: " + owner + b"\r\n\r\n"

    def _version_lines(self, forward: Forward) -> bytes:
        """Return the fields that belong to the version or to this request alone."""
        live = forward.live
        if not live.tells_version and not forward.lines:
            return live.request_lines
        lines = live.request_lines + forward.lines
        if live.tells_version:
            lines += version_line(forward.decision, self.request)
        return lines

    def _outbound(self, target: bytes) -> bytes:
        """Return the head for a version up to its last field, the ray, which is another for each request."""
        request = self.request
        lines = [
            b"%b %b HTTP/1.1\r\nHost: %b" % (request.method.encode("ascii"), target, self._authority()),
            *request.lines,
        ]
        if request.chunked:
            lines.append(b"Transfer-Encoding: chunked")
        elif request.content_length is not None:
            lines.append(b"Content-Length: %d" % request.content_length)
        if request.expects_continue:
            lines.append(b"Expect: 100-continue")
        if request.protocols:
            lines.append(b"Connection: Upgrade\r\nUpgrade: " + b", ".join(request.protocols))
        elif request.te_trailers:
            lines.append(b"Connection: TE\r\nTE: trailers")
        if request.max_forwards is not None:
            lines.append(b"Max-Forwards: " + one_hop_fewer(request.method, request.max_forwards))
        lines += self._client.address_lines(request.forwarded_for)
        lines.append(self._edge.forwarded_lines)
        lines.append((b"Via: 1.0 " if request.is_http_10 else b"Via: 1.1 ") + LOOP_TOKEN)
        lines.append(b"CDN-Loop: " + (b"" if request.cdn_loop is None else request.cdn_loop + b", ") + LOOP_TOKEN)
        lines.append(b"CF-Ray: ")
        return b"\r\n".join(lines)

    def _authority(self) -> bytes:
        """Return what ``Host`` says; an HTTP/1.0 client may have said nothing."""
        return self.request.authority or self._client.local_authority

    def body(self, data: bytes) -> None:
        """Pass on a piece of the request's body."""
        self._request_bytes += len(data)
        if self.done:
            return
        piece = b"%x\r\n%b\r\n" % (len(data), data) if self.request.chunked else data
        if self._connection is not None:
            self._connection.transport.write(piece)
            return
        self._hold(piece)
        self._held_bytes += len(piece)
        if self._held_bytes > HELD_BODY_BYTES:
            self._client.pause_body()

    def body_end(self, trailers: list[bytes]) -> None:
        """The request is complete."""
        if self.request.chunked and not self.done:
            end = b"\r\n".join([b"0", *trailers, b"", b""])
            if self._connection is not None:
                self._connection.transport.write(end)
            else:
                self._hold(end)
        self.request_sent = True

    def _hold(self, piece: bytes) -> None:
        if self._held is None:
            self._held = []
        self._held.append(piece)

    def upstream_paused(self, *, paused: bool) -> None:
        """Stop reading the client while the version takes no more."""
        if paused:
            self._client.pause_body()
        elif not self.request.protocols:
            self._client.resume_body()

    # The answer.

    def on_interim(self, head: ResponseHead) -> None:
        """Pass a 1xx on, but never to HTTP/1.0 (RFC 9110 15.2)."""
        if not self.request.is_http_10:
            self._out.append(b"HTTP/1.1 %d %b\r\n" % (head.status, head.reason))
            self._out.extend(line + b"\r\n" for line in head.lines)
            self._out.append(b"\r\n")

    def on_response(self, head: ResponseHead) -> None:
        """Write the answer's head, framed for this client."""
        if head.status == HTTPStatus.INTERNAL_SERVER_ERROR and self._threw(head):
            return
        self._status = head.status
        self._answered = head
        self._head_out = True
        if not self.request_sent:
            self.keep_alive = False  # the client may never send the rest; RFC 9112 9.3
        start = head.outbound
        if not start or self.request.method == "HEAD":
            start = self._framed(head)
            if head.is_repeatable and self.request.method != "HEAD":
                head.outbound = start
        if not head.has_date:
            start += b"\r\n" + self._edge.date_line  # workerd dates none of its answers
        self._finish_head(start, self._forward)

    def _threw(self, head: ResponseHead) -> bool:
        """Put a page in the place of workerd's bare word for an exception (R119); tell whether it was that.

        Code cannot answer so: workerd itself closes the connection and gives no content type.
        """
        forward = self._forward
        assert forward is not None  # noqa: S101 - a version answers
        if not forward.live.on_workerd or head.keep_alive or head.content_length != len(_WORKERD_500):
            return False
        if any(line[:13].lower() == b"content-type:" for line in head.lines):
            return False
        self._drop_connection()
        self._answer(pages.worker_threw(self.request.host, forward.live.pool.version), outcome="worker_threw")
        return True

    def _framed(self, head: ResponseHead) -> bytes:
        """Return the answer's head up to its date, if it has none, and the gateway's own fields."""
        request = self.request
        lines = [b"HTTP/1.1 %d %b" % (head.status, head.reason), *head.lines]
        if head.status in _NO_BODY or request.method == "HEAD":
            if head.content_length is not None and head.status != HTTPStatus.NO_CONTENT:
                lines.append(b"Content-Length: %d" % head.content_length)
        elif head.content_length is not None:
            lines.append(b"Content-Length: %d" % head.content_length)
        elif request.is_http_10:
            self.keep_alive = False
        else:
            self._chunked_out = True
            lines.append(b"Transfer-Encoding: chunked")
        return b"\r\n".join(lines)

    def _finish_head(self, start: bytes, forward: Forward | None) -> None:
        """Queue the head, with the gateway's own fields at its end.

        Args:
            forward: The decision to tell, or ``None`` where no version answers.
        """
        edge = self._edge
        if forward is not None and edge.tells_decisions:
            decision = forward.decision
            told = forward.live.headers.lines(decision.reason, decision.point, decision.cohort, decision.ignored)
            start += b"\r\n" + told
        if edge.draining:
            self.keep_alive = False
        if not self.keep_alive:
            start += b"\r\nConnection: close"
        elif self.request.is_http_10:
            start += b"\r\nConnection: keep-alive"
        self._out.append(start + b"\r\nCF-Ray: " + self._ray + b"\r\n\r\n")

    def on_response_body(self, data: bytes) -> None:
        """Pass a piece of the answer's body on."""
        self._response_bytes += len(data)
        if self._chunked_out:
            self._out.append(b"%x\r\n" % len(data))
            self._out.append(data)
            self._out.append(b"\r\n")
        else:
            self._out.append(data)

    def answer_goes_on(self) -> None:
        """Write what was read so far."""
        out = self._out
        if out:
            self._client.write(out)
            self._out = []

    def answer_complete(self, trailers: list[bytes]) -> None:
        """Write the end of the answer; the exchange is over."""
        self._connection = None
        if self._chunked_out:
            self._out.append(b"\r\n".join([b"0", *trailers, b"", b""]))
        self.answer_goes_on()
        self._finish("ok")

    def answer_failed(self, why: str, *, malformed: bool) -> None:
        """The version's connection is gone before the answer was complete."""
        connection, self._connection = self._connection, None
        if self.done:
            return
        if self._head_out:
            self.answer_goes_on()
            self._cut("answer_cut")
            return
        may_retry = (
            connection is not None
            and connection.reused
            and not connection.answer_begun
            and not malformed
            and not self._retried
            and not self.request.has_body
            and self.request.method in IDEMPOTENT
        )
        if may_retry:
            self._retried = True
            self._edge.spawn(self._connect())
            return
        self._fail(f"sent no valid answer ({why})" if malformed else why)

    def switched(self, connection: UpstreamConnection, head: ResponseHead, rest: bytes) -> None:
        """Open the tunnel the version agreed to; or refuse what the client did not ask for."""
        self._connection = None
        offered = {protocol.lower() for protocol in self.request.protocols}
        if head.protocol.lower() not in offered:
            connection.close()
            self._fail(f"switched to a protocol that was not asked for ({head.protocol.decode('latin-1')!r})")
            return
        self._status = head.status
        lines = [b"HTTP/1.1 101 %b" % (head.reason or b"Switching Protocols"), *head.lines]
        lines.append(b"Connection: Upgrade\r\nUpgrade: " + head.protocol)
        self.keep_alive = True
        self._finish_head(b"\r\n".join(lines), self._forward)
        self.answer_goes_on()
        self._open_tunnel(connection, rest)

    def _open_tunnel(self, connection: UpstreamConnection, rest: bytes) -> None:
        edge, pool, forward = self._edge, self._pool, self._forward
        assert pool is not None  # noqa: S101 - a connection came from it
        assert forward is not None  # noqa: S101 - as above
        key = forward.object_key
        if key is not None:
            edge.objects.open_socket(key)
        pool.exchanges += 1

        def closed(tunnel: Tunnel) -> None:
            pool.exchanges -= 1
            edge.tunnels.pop(tunnel, None)
            if key is not None:
                edge.objects.close_socket(key)
            edge.events.publish(self._socket_event(forward))

        transport, held, ended = self._client.detach()
        tunnel = Tunnel(transport, connection.transport, forward.decision.version_id, edge.monotonic, closed)
        edge.tunnels[tunnel] = key
        self._account("ok")
        tunnel.open(held, rest, client_ended=ended)

    # The gateway's own answers.

    def _fail(self, why: str, *, timed_out: bool = False) -> None:
        forward = self._forward
        assert forward is not None  # noqa: S101 - only a version can fail
        upstream = forward.live.pool.upstream
        version = upstream.version
        problem = pages.version_failed(
            status=504 if timed_out else 502,
            worker=version.worker,
            version=version.id,
            tag=version.tag,
            why=why,
            lines=upstream.last_lines,
        )
        self._answer(problem, outcome="upstream_timed_out" if timed_out else "upstream_failed")

    def _answer(self, problem: Problem, outcome: str = "refused", forward: Forward | None = None) -> None:
        accept = self.request.header("accept") or ""
        page = pages.render(problem, accept=accept, ray=self._ray.decode("ascii"))
        error = b"Gateway-Error: " + page.error.encode("ascii")
        self._answer_with(page.status, page.content_type, page.body, error, forward)
        self._finish(outcome)

    def _answer_trace(self, trace: Trace) -> None:
        forward = trace.forward
        version = forward.live.pool.version if forward else None
        fields = {
            "fl": "gateway",
            "h": self.request.host,
            "ip": self._client.peer_ip,
            "ts": f"{self._edge.wall_clock():.3f}",
            "visit_scheme": "http",
            "uag": self.request.header("user-agent") or "",
            "colo": self._edge.settings.colo,
            "http": "http/1.0" if self.request.is_http_10 else "http/1.1",
            "loc": self._edge.settings.country,
            "worker": version.worker if version else "",
            "version": version.id if version else "",
        }
        body = "".join(f"{name}={value}\n" for name, value in fields.items()).encode("utf-8")
        self._answer_with(200, "text/plain; charset=utf-8", body, b"Cache-Control: no-store", forward)
        self._finish("ok")

    def _answer_with(
        self, status: int, content_type: str, body: bytes, extra: bytes, forward: Forward | None = None
    ) -> None:
        self._status = status
        self._head_out = True
        if not self.request_sent:
            self.keep_alive = False
        lines = [b"HTTP/1.1 %d %b" % (status, _PHRASES.get(status, b""))]
        has_body = status not in _NO_BODY
        if has_body:
            lines += [b"Content-Type: " + content_type.encode("ascii"), b"Content-Length: %d" % len(body)]
        lines += [b"X-Content-Type-Options: nosniff", extra, self._edge.date_line]
        self._finish_head(b"\r\n".join(lines), forward)
        if has_body and self.request.method != "HEAD":
            self._out.append(body)
            self._response_bytes += len(body)
        self.answer_goes_on()

    # Faults: a request that was decided waits for what its fault makes of it (``proxy.suffering``).

    @property
    def version(self) -> Version:
        """The version that was picked."""
        return self._decided.live.pool.version

    @property
    def object_key(self) -> ObjectKey | None:
        """The Durable Object that the request belongs to."""
        return self._decided.object

    @property
    def _decided(self) -> Forward:
        assert self._forward is not None  # noqa: S101 - a fault is met after the decision
        return self._forward

    async def go_on(self, make: Callable[[Pool], UpstreamConnection] = UpstreamConnection) -> None:
        """Send the request on its way, over a connection of its own.

        Args:
            make: What makes the connection's protocol.
        """
        key = self._decided.object_key
        told = self._edge.reset_under_way(key) if key is not None else None
        if told is not None:
            await told.wait()
        await self._connect(make)

    def answer_in_its_place(self, problem: Problem) -> None:
        """Answer as if the version had."""
        if not self.done:
            self._answer(problem, outcome="ok", forward=self._forward)

    def reset(self) -> None:
        """End the client's connection in the middle."""
        if not self.done:
            self._drop_connection()
            self.done = True
            self._account("answer_cut")
            self._client.cut_answer(framed=False)

    async def hang(self) -> None:
        """Do nothing until the version's time is up."""
        await asyncio.sleep(self._edge.settings.answer_seconds)
        if not self.done:
            self._time_out()

    # The end.

    def refuse(self, status: int, why: str) -> None:
        """The rest of the request cannot be read: answer so, if nothing was answered yet."""
        self._drop_connection()
        self.keep_alive = False
        self._ray = self._ray or self._edge.new_ray()
        if self._head_out:
            self._cut("answer_cut")
        else:
            self._answer(pages.malformed_request(status, why))

    def client_gone(self) -> None:
        """Nobody waits any more: do not keep the version busy (design 3.5)."""
        self._drop_connection()
        if not self.done:
            self.done = True
            self._account("client_gone")

    def check(self, now: float, *, client_ended_at: float | None) -> None:
        """End what takes too long; called a few times a second."""
        settings = self._edge.settings
        if self._connection is not None and not self._head_out:
            if not self.request_sent:
                self._answer_due = now + settings.answer_seconds  # the version waits for the client
            elif now > self._answer_due:
                self._time_out()
                return
        if client_ended_at is not None:
            if self._response_bytes != self._bytes_at_check:
                self._bytes_at_check, self._progress_at = self._response_bytes, now
            if now - max(client_ended_at, self._progress_at) > settings.half_closed_seconds:
                self._client.abort()

    def _time_out(self) -> None:
        self._drop_connection()
        seconds = self._edge.settings.answer_seconds
        self._fail(f"it did not begin to answer within {seconds:g} s", timed_out=True)

    def pause_answer(self) -> None:
        """The client takes no more for now: stop reading the version."""
        if self._connection is not None:
            self._connection.pause_reading()

    def resume_answer(self) -> None:
        """The client takes more again."""
        if self._connection is not None:
            self._connection.resume_reading()

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()

    def _cut(self, outcome: str) -> None:
        """End an answer that has begun so that it cannot look complete."""
        self.done = True
        self._account(outcome)
        self._client.cut_answer(framed=self._chunked_out or not self._until_close())

    def _until_close(self) -> bool:
        return self.request.is_http_10 and not self.keep_alive

    def _finish(self, outcome: str) -> None:
        self.done = True
        self._account(outcome)
        self._client.exchange_done(self)

    def _account(self, outcome: str) -> None:
        """Count the request, and tell those who listen (design 3.7)."""
        edge, forward = self._edge, self._forward
        duration_us = int((edge.monotonic() - self.started_at) * 1e6)
        if self._pool is not None:
            self._pool.exchanges -= 1
            self._pool = None
        if forward is None:
            edge.recorder.own.add(
                "", self._status, outcome, duration_us, self._request_bytes, self._response_bytes
            )
        else:
            forward.live.metrics.add(
                forward.decision.reason,
                self._status,
                outcome,
                duration_us,
                self._request_bytes,
                self._response_bytes,
            )
        if edge.events.request_readers and edge.events.wants_request():
            edge.events.publish_request(
                Ended(
                    self.started_at + edge.epoch,
                    self._ray,
                    self.request,
                    forward,
                    self._status,
                    outcome,
                    duration_us,
                    self._request_bytes,
                    self._response_bytes,
                    self._client.peer_ip,
                    self._answered,
                )
            )

    def _socket_event(self, forward: Forward) -> WebSocketEvent:
        key, version = forward.object, forward.live.pool.version
        return WebSocketEvent(
            at=self._edge.wall_clock(),
            ray=self._ray.decode("ascii"),
            worker=version.worker,
            version_id=version.id,
            label=version.label,
            host=self.request.host,
            target=self.request.target.decode("latin-1"),
            object=key.header_value if key else "",
            duration_us=int((self._edge.monotonic() - self.started_at) * 1e6),
        )
