"""A server as a process of its own, whose work takes its time one piece after another.

`python busy_server.py GRACE_S [CERTIFICATE KEY]`. It prints its TCP and WebSocket ports, and closes when it is told to
terminate, or its stdin ends: the parent process holds that open.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import ssl
import sys
import threading
from typing import Any

from runtime.serving.server import Server

WORK_S = 0.05


class Busy:
    """`work` takes WORK_S, and waits for the work that was asked for before; `quick` is answered at once."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    def call(self, method: str, params: dict[str, Any], *, connection: Any) -> object:
        del connection
        return self._work(params) if method == "work" else params

    async def _work(self, params: dict[str, Any]) -> object:
        async with self._turn:
            await asyncio.sleep(WORK_S)
        return params


async def main(grace_s: float, *certificate: str) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if certificate else None
    if tls is not None:
        tls.load_cert_chain(*certificate)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)

    def stop_with_stdin() -> None:
        while os.read(0, 4096):
            pass
        if not loop.is_closed():
            loop.call_soon_threadsafe(stopped.set)

    threading.Thread(target=stop_with_stdin, daemon=True).start()
    async with Server(Busy(), port=0, websocket_port=0, tls=tls) as server:
        print(server.port, server.websocket_port, flush=True)
        await stopped.wait()
        await server.close(grace_s)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main(float(sys.argv[1]), *sys.argv[2:]))
