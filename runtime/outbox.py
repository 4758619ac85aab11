"""Messages on their way to one peer: handed to its link one at a time, kept while the link is full."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from runtime.jobs import Flow

_BATCH_BYTES = 1 << 16  # gathered before they are written


class Link(Protocol):
    """What carries bytes to and from a peer: the part of asyncio.Transport that is used."""

    def write(self, data: bytes) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def can_write_eof(self) -> bool: ...
    def write_eof(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


class Outbox:
    """`len` of it is how many messages wait, `.bytes` how much they have.

    When that is more than `max_bytes`, the flow is congested: the scheduler begins nothing more for it. `joins`:
    several messages may be one write.
    """

    def __init__(self, link: Link, flow: Flow, max_bytes: int, *, joins: bool) -> None:
        self.bytes = 0
        self.open = True  # the link takes more
        self._link, self._flow, self._max_bytes, self._joins = link, flow, max_bytes, joins
        self._waiting: deque[bytes] = deque()
        self._batch: list[bytes] | None = None  # for the link, in one write
        self._batch_bytes = 0
        self._empty = asyncio.Event()  # set while nothing waits and the link takes more
        self._empty.set()

    def __len__(self) -> int:
        return len(self._waiting)

    def send(self, data: bytes) -> None:
        """Hand over one message, now or when there is room."""
        if not self.open:
            self._waiting.append(data)
            self.bytes += len(data)
            if self.bytes > self._max_bytes:
                self._flow.congested = True
        elif self._batch is None:
            self._link.write(data)
        else:
            self._batch.append(data)
            self._batch_bytes += len(data)
            if self._batch_bytes >= _BATCH_BYTES:
                self.end_batch()
                self.begin_batch()

    def begin_batch(self) -> None:
        """Gather what is sent from now on: many small messages are one write, and one packet."""
        self._batch, self._batch_bytes = [] if self._joins else None, 0

    def end_batch(self) -> None:
        """Hand over what was gathered."""
        batch, self._batch = self._batch, None
        if batch:
            self._link.write(batch[0] if len(batch) == 1 else b"".join(batch))

    def pause(self) -> None:
        """The link is full."""
        self.open = False
        self._empty.clear()

    def resume(self) -> None:
        """The link takes more."""
        self.open = True
        while self._waiting and self.open:  # writing may fill it again at once
            data = self._waiting.popleft()
            self.bytes -= len(data)
            self._link.write(data)
        if self.open:
            self._empty.set()
        if self._flow.congested and self.bytes <= self._max_bytes:
            self._flow.clear()

    def drop(self) -> None:
        """Forget what waits: the link has gone, or is to carry no more of it."""
        self._waiting.clear()
        self.bytes = 0
        self._empty.set()

    async def empty(self) -> None:
        """Until nothing waits and the link takes more, or has gone."""
        await self._empty.wait()
