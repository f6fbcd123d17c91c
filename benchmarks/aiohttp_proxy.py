"""A proxy as an ordinary developer writes it: ``python -m benchmarks.aiohttp_proxy PORT JOB V1_PORT V2_PORT``.

One ``web.Application``, one ``ClientSession``, bodies streamed both ways, the loop that Python comes with. No
tricks, and no mistakes on purpose either: it is the yardstick for "ten times a plain aiohttp proxy".
"""

import random
import sys
import zlib
from collections.abc import AsyncIterator

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web
from multidict import CIMultiDict, CIMultiDictProxy

from benchmarks.jobs import AFFINITY_HEADER, OVERRIDES_HEADER, V1_PERCENTAGE, V2_ID, Job

_HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)


def _end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP)


def _goes_to_v1(job: Job, request: web.Request) -> bool:
    if job is Job.AFFINITY:
        return zlib.crc32(request.headers.get(AFFINITY_HEADER, "").encode()) % 100 < V1_PERCENTAGE
    if job is Job.OBJECT:
        return zlib.crc32(request.path.encode()) % 100 < V1_PERCENTAGE
    if job is Job.OVERRIDE and V2_ID in request.headers.get(OVERRIDES_HEADER, ""):
        return False
    return random.random() * 100 < V1_PERCENTAGE


def _application(job: Job, v1_port: int, v2_port: int) -> web.Application:
    sessions: list[ClientSession] = []

    async def client_session(_: web.Application) -> AsyncIterator[None]:
        timeout, connector = ClientTimeout(total=None), TCPConnector(limit=0)
        async with ClientSession(auto_decompress=False, timeout=timeout, connector=connector) as session:
            sessions.append(session)
            yield

    async def forward(request: web.Request) -> web.StreamResponse:
        port = v1_port if _goes_to_v1(job, request) else v2_port
        async with sessions[0].request(
            request.method,
            f"http://127.0.0.1:{port}{request.path_qs}",
            headers=_end_to_end(request.headers),
            data=request.content if request.can_read_body else None,
            allow_redirects=False,
        ) as upstream:
            response = web.StreamResponse(status=upstream.status, headers=_end_to_end(upstream.headers))
            await response.prepare(request)
            async for chunk in upstream.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response

    application = web.Application()
    application.cleanup_ctx.append(client_session)
    application.router.add_route("*", "/{path:.*}", forward)
    return application


if __name__ == "__main__":
    port, job, v1_port, v2_port = sys.argv[1:]
    web.run_app(
        _application(Job(job), int(v1_port), int(v2_port)),
        host="127.0.0.1",
        port=int(port),
        access_log=None,
        print=None,
    )
