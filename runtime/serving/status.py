"""A port for machines that watch this one: `/metrics` for Prometheus, `/healthz` and `/readyz`. HTTP, GET only.

It is answered by the event loop that serves clients: while that hangs, so does `/healthz`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from http import HTTPStatus

from runtime.serving.listening import Listener, tcp_sockets

_HEAD_BYTES = 8192
_PATIENCE_S = 5.0
_MOST = 16  # connections at the same time
_TEXT, _METRICS = "text/plain; charset=utf-8", "text/plain; version=0.0.4; charset=utf-8"


async def listen(host: str, port: int, metrics: Callable[[], bytes], ready: Callable[[], bool]) -> Listener:
    """Serve the three pages. OSError if the address can't be had."""
    asking: set[asyncio.Task[None]] = set()

    def answer(method: str, path: str) -> tuple[HTTPStatus, str, bytes]:
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
            async with asyncio.timeout(_PATIENCE_S):  # TimeoutError is an OSError
                head = await reader.readuntil(b"\r\n\r\n")
                words = head.split(b"\r\n")[0].decode("latin-1").split(" ")
                if len(words) == 3:
                    writer.write(_response(*answer(words[0], words[1]), bodiless=words[0] == "HEAD"))
                    await writer.drain()
        writer.close()

    def take(accepted: socket.socket) -> None:
        if len(asking) >= _MOST:
            accepted.close()
            return
        asking.add(task := asyncio.create_task(serve(accepted)))
        task.add_done_callback(asking.discard)

    return Listener(await tcp_sockets(host, port), take)


def _response(status: HTTPStatus, kind: str, body: bytes, *, bodiless: bool) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + (b"" if bodiless else body)
