"""Many clients at once, each on a connection of its own, who ask again as soon as they are answered."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgpack

from runtime.errors import Code

Asks = Iterator[tuple[str, dict[str, Any]]]


class Tally:
    """What clients got: by method, how many answers, how long each took, and how often they were told to come back."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}
        self.overloaded: Counter[str] = Counter()
        self.errors: Counter[tuple[str, str]] = Counter()

    @property
    def answers(self) -> int:
        return sum(map(len, self.seconds.values()))

    def quantile(self, method: str, share: float) -> float:
        """Seconds within which that share of a method's answers came."""
        ordered = sorted(self.seconds[method])
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Guest:
    """One client. It asks one thing at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._unpacker = msgpack.Unpacker(max_buffer_size=1 << 24)

    @classmethod
    async def connect(cls, port: int) -> Guest:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, method: str, params: dict[str, Any]) -> tuple[Any, Any]:
        """The error and the result."""
        self._writer.write(msgpack.packb([0, 1, method, [params]]))
        while (message := next(self._unpacker, None)) is None:
            data = await self._reader.read(1 << 18)
            if not data:
                raise ConnectionError("the runtime hung up")
            self._unpacker.feed(data)
        if message[0] != 1:
            raise ConnectionError(f"the runtime said {message[1:]}")
        return message[2], message[3]

    def close(self) -> None:
        self._writer.close()

    async def keep_asking(self, asks: Asks, until: float, tally: Tally, pause_s: float = 0.0) -> None:
        """Until a time of the monotonic clock; after OVERLOADED for as long as it says, or what is left."""
        for method, params in asks:
            began = time.monotonic()
            if began >= until:
                break
            error, _ = await self.ask(method, params)
            if error is None:
                tally.seconds.setdefault(method, []).append(time.monotonic() - began)
            elif error[0] == Code.OVERLOADED:
                tally.overloaded[method] += 1
                await asyncio.sleep(min(error[2]["retry_after_ms"] / 1000, max(0.0, until - time.monotonic())))
            else:
                tally.errors[method, f"{error[0]}: {error[1]}"] += 1
            await asyncio.sleep(pause_s)
