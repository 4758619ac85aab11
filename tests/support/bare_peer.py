"""A TCP client that sends any bytes: bare enough to break the protocol."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from runtime.errors import Code
from runtime.wire.protocol import Connection, Event, Framing, Response


class BarePeer:
    """A TCP connection that sends any bytes, and reads events."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, framing: Framing) -> None:
        self.reader = reader
        self.writer = writer
        self.wire = Connection(framing)
        self._events: list[Event] = []

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def receive(self) -> Event | None:
        """The next event; None when the server has closed."""
        while not self._events:
            data = await self.reader.read(1 << 16)
            if not data:
                assert self.wire.receive_eof() == []
                self.writer.close()  # as clients do; the server waits a moment for it
                return None
            self._events += self.wire.receive_data(data)
        return self._events.pop(0)

    async def call(self, msgid: int, method: str, params: list[Any]) -> Event | None:
        await self.send(self.wire.send_request(msgid, method, params))
        return await self.receive()

    async def is_told_of_the_end(self) -> bool:
        """Whether the server's last words are that it shuts down, and the connection ends in order."""
        last = await self.receive()
        assert last.params[0]["code"] == Code.SHUTTING_DOWN
        return await self.receive() is None

    async def still_served(self) -> bool:
        """Whether a call is answered as it should be."""
        return await self.call(9, "echo", [{"alive": True}]) == Response(9, None, {"alive": True})

    def wait_request(self, msgid: int, **params: Any) -> bytes:
        """A request for `wait`, named by its msgid."""
        return self.wire.send_request(msgid, "wait", [{"name": msgid, **params}])

    def reset(self) -> None:
        """Close so that the other side sees a reset, not an end."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
