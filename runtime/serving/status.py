"""The HTTP port for monitoring: `/metrics` for Prometheus, `/healthz` and `/readyz`. GET only.

The event loop that serves clients serves these pages too: if it hangs, so does `/healthz`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from http import HTTPStatus

from runtime.serving.listening import Listener, tcp_sockets

_HEAD_BYTES = 8192
_TIMEOUT_S = 5.0
_MAX_CONNECTIONS = 16  # at the same time
_TEXT, _METRICS = "text/plain; charset=utf-8", "text/plain; version=0.0.4; charset=utf-8"


async def listen(host: str, port: int, metrics: Callable[[], bytes], ready: Callable[[], bool]) -> Listener:
    """Serve the three pages.

    Args:
        host: the address to listen on.
        port: the TCP port; 0 takes a free one.
        metrics: gives the page for Prometheus.
        ready: whether requests that need a model are answered.

    Raises:
        OSError: the address is not available.
    """
    running: set[asyncio.Task[None]] = set()

    def respond(method: str, path: str) -> tuple[HTTPStatus, str, bytes]:
        if method not in ("GET", "HEAD"):
            return HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, b"GET only\n"
        match path.partition("?")[0]:
            case "/metrics":
                return HTTPStatus.OK, _METRICS, metrics()
            case "/healthz":
                return HTTPStatus.OK, _TEXT, b"alive\n"
            case "/readyz" if ready():
                return HTTPStatus.OK, _TEXT, b"ready\n"
            case "/readyz":
                return HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, b"not ready\n"
        return HTTPStatus.NOT_FOUND, _TEXT, b"there are: /metrics, /healthz, /readyz\n"

    async def serve(accepted: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=accepted, limit=_HEAD_BYTES)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_TIMEOUT_S):  # TimeoutError is an OSError
                head = await reader.readuntil(b"\r\n\r\n")
                words = head.split(b"\r\n")[0].decode("latin-1").split(" ")
                if len(words) == 3:
                    writer.write(_response(*respond(words[0], words[1]), bodiless=words[0] == "HEAD"))
                    await writer.drain()
        writer.close()

    def take(accepted: socket.socket) -> None:
        if len(running) >= _MAX_CONNECTIONS:
            accepted.close()
            return
        running.add(task := asyncio.create_task(serve(accepted)))
        task.add_done_callback(running.discard)

    return Listener(await tcp_sockets(host, port), take)


def _response(status: HTTPStatus, kind: str, body: bytes, *, bodiless: bool) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + (b"" if bodiless else body)
