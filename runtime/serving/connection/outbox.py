"""The messages for one client: written to its link, or queued while the link is full.

`Budget` limits the unread bytes of all clients together: a hundred clients could each stay below their own limit, and
together fill the memory.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from typing import Protocol

from runtime.scheduling.jobs import Flow

_BATCH_BYTES = 1 << 16  # small messages are collected up to so many bytes, then written


class Link(Protocol):
    """Carries bytes to and from a peer: the part of asyncio.Transport that is used here."""

    def write(self, data: bytes) -> None: ...
    def get_write_buffer_size(self) -> int: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def can_write_eof(self) -> bool: ...
    def write_eof(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


class Budget:
    """The finished responses that clients have not read: `bytes` is their size, over all connections of a server.

    Over half of `max_bytes`, every connection whose link is full is congested: no more work is started for it. Over
    `max_bytes`, connections whose link is full are closed until it fits again: first the largest connection of the
    client that holds the most. `on_relief` is called each time that `bytes` falls to half again.
    """

    def __init__(self, max_bytes: int, on_relief: Callable[[], object] = lambda: None) -> None:
        self.bytes = 0
        self._max_bytes, self._on_relief = max_bytes, on_relief
        self._held: dict[Outbox, int] = {}

    @property
    def tight(self) -> bool:
        """Whether more than half is used, so that connections that do not read have to wait."""
        return self.bytes > self._max_bytes // 2

    def hold(self, outbox: Outbox, size: int) -> None:
        """Set the bytes of one connection."""
        was_tight = self.tight
        self.bytes += size - self._held.pop(outbox, 0)
        if size:
            self._held[outbox] = size
        while self.bytes > self._max_bytes and (largest := self._largest()) is not None:
            largest.cut()
        if self.tight is not was_tight:
            for each in list(self._held):
                each.weigh()
            if was_tight:
                self._on_relief()

    def _largest(self) -> Outbox | None:
        """The connection to close next, if there is one whose link is full."""
        full = {outbox: size for outbox, size in self._held.items() if not outbox.open}
        if not full:
            return None
        clients: Counter[str] = Counter()
        for outbox, size in full.items():
            clients[outbox.flow.client] += size
        [(most, _)] = clients.most_common(1)
        return max((outbox for outbox in full if outbox.flow.client == most), key=full.__getitem__)


class Outbox:
    """The queue of one connection: `len` is how many messages wait, `.bytes` their size.

    Args:
        link: what the messages are written to.
        flow: the connection, for the scheduler. It is congested while more than `max_bytes` wait.
        max_bytes: how many bytes may wait.
        budget: the bytes of all connections.
        on_cut: called with the size when the budget is exceeded; it must close the connection.
        joins: whether several messages may be one write.
    """

    def __init__(
        self, link: Link, flow: Flow, max_bytes: int, budget: Budget, on_cut: Callable[[int], object], *, joins: bool
    ) -> None:
        self.bytes = 0
        self.open = True  # the link takes more
        self.flow = flow
        self._link, self._max_bytes, self._joins = link, max_bytes, joins
        self._budget, self._on_cut = budget, on_cut
        self._waiting: deque[bytes] = deque()
        self._in_link = 0  # bytes that the link held when it became full
        self._ahead = 0  # bytes of results that are finished and not handed over yet
        self._batch: list[bytes] | None = None  # messages for one write
        self._batch_bytes = 0
        self._empty = asyncio.Event()  # set while nothing waits and the link takes more
        self._empty.set()
        flow.on_ahead = self.add_ahead

    def __len__(self) -> int:
        return len(self._waiting)

    def send(self, data: bytes) -> None:
        """Send one message, now or when there is room."""
        if not self.open:
            self._waiting.append(data)
            self.bytes += len(data)
            self.weigh()
        elif self._batch is None:
            self._link.write(data)
        else:
            self._batch.append(data)
            self._batch_bytes += len(data)
            if self._batch_bytes >= _BATCH_BYTES:
                self.end_batch()
                self.begin_batch()

    def begin_batch(self) -> None:
        """Collect the messages sent from now on: many small ones become one write, and one packet."""
        self._batch, self._batch_bytes = [] if self._joins else None, 0

    def end_batch(self) -> None:
        """Write what was collected."""
        batch, self._batch = self._batch, None
        if batch:
            self._link.write(batch[0] if len(batch) == 1 else b"".join(batch))

    def add_ahead(self, size: int) -> None:
        """Count `size` more bytes (or fewer, if negative) of results that are finished and not handed over yet."""
        self._ahead += size
        self.weigh()

    def pause(self) -> None:
        """The link is full: queue messages from now on."""
        self.open = False
        self._in_link = self._link.get_write_buffer_size()
        self._empty.clear()
        self.weigh()

    def resume(self) -> None:
        """The link has room again: write what waits."""
        self.open = True
        self._in_link = 0
        while self._waiting and self.open:  # writing may fill it again at once
            data = self._waiting.popleft()
            self.bytes -= len(data)
            self._link.write(data)
        if self.open:
            self._empty.set()
        self.weigh()

    def drop(self) -> None:
        """Discard the messages that wait."""
        self._waiting.clear()
        self.bytes = self._in_link = 0
        self._empty.set()
        self.weigh()

    def end(self) -> None:
        """The link is closed: discard what waits, and stop counting."""
        self.flow.on_ahead, self._on_cut = _ignore, _ignore
        self._ahead = 0
        self.drop()

    def cut(self) -> None:
        """Close the connection, since its messages take too much memory."""
        size, on_cut = self.bytes + self._in_link + self._ahead, self._on_cut
        self.end()
        on_cut(size)

    def weigh(self) -> None:
        """Update the budget, and the flow's congestion."""
        self._budget.hold(self, self.bytes + self._in_link + self._ahead)
        if self.bytes > self._max_bytes or (not self.open and self._budget.tight):
            self.flow.congested = True
        elif self.flow.congested:
            self.flow.clear()

    async def empty(self) -> None:
        """Wait until no message waits and the link has room, or is closed."""
        await self._empty.wait()


def _ignore(_: int) -> None:
    """Does nothing."""
