"""The runtime's server: listens, keeps the connections, ends them in order.

What happens on a connection is in `runtime.peer`.
"""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType
from typing import Self

from runtime.errors import Code
from runtime.limits import Limits
from runtime.peer import Peer, Service

logger = logging.getLogger(__name__)


class Server:
    """Serves `service` to TCP clients.

    `port` 0 takes a free one; `.port` says which. `async with Server(…) as server` starts and closes it.
    """

    def __init__(
        self, service: Service, host: str = "127.0.0.1", port: int = 7767, *, limits: Limits | None = None
    ) -> None:
        self._service = service
        self._host = host
        self._port = port
        self._limits = limits or Limits()
        self._listener: asyncio.Server | None = None
        self._peers: set[Peer] = set()
        self._all_gone = asyncio.Event()
        self._closing = False
        self._closed = asyncio.Event()

    async def start(self) -> None:
        """Listen. OSError if the address can't be had."""
        loop = asyncio.get_running_loop()
        # asyncio sets TCP_NODELAY: a response is one write, and waiting to join it with another only delays it.
        self._listener = await loop.create_server(self._new_peer, self._host, self._port)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def port(self) -> int:
        """The TCP port listened on."""
        if self._listener is None or not self._listener.sockets:
            return self._port
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    async def serve_forever(self) -> None:
        """Start if need be, and return when `close` is done."""
        if self._listener is None:
            await self.start()
        await self._closed.wait()

    async def close(self, grace_s: float = 5.0) -> None:
        """Stop accepting, give running requests up to `grace_s` seconds, then close every connection."""
        if self._closing:
            await self._closed.wait()
            return
        self._closing = True
        if self._listener is not None:
            self._listener.close()
            await asyncio.gather(*(peer.drain(grace_s) for peer in self._peers))
            while self._peers:  # closed, and cut off after CLOSE_S
                self._all_gone.clear()
                await self._all_gone.wait()
            await self._listener.wait_closed()
        self._closed.set()

    def _new_peer(self) -> Peer:
        return Peer(self._service, self._limits, self._made, self._lost)

    def _made(self, peer: Peer) -> None:
        if self._closing:  # accepted just before the listener closed
            peer.close()
        elif len(self._peers) >= self._limits.max_connections:
            peer.refuse(Code.OVERLOADED, f"the server has its {self._limits.max_connections} connections")
        else:
            self._peers.add(peer)

    def _lost(self, peer: Peer) -> None:
        self._peers.discard(peer)
        if not self._peers:
            self._all_gone.set()
