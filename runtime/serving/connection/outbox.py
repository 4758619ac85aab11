"""Messages on their way to one peer: handed to its link one at a time, kept while the link is full.

What all peers of a server have not taken is bounded together (`Budget`): a single one may keep little enough for its
own limit, and a hundred of them all the memory there is.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from typing import Protocol

from runtime.scheduling.jobs import Flow

_BATCH_BYTES = 1 << 16  # gathered before they are written


class Link(Protocol):
    """What carries bytes to and from a peer: the part of asyncio.Transport that is used."""

    def write(self, data: bytes) -> None: ...
    def get_write_buffer_size(self) -> int: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def can_write_eof(self) -> bool: ...
    def write_eof(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


class Budget:
    """`bytes` of responses that are made and that the clients have not taken, of all connections of a server.

    While there are more than half of `max_bytes`, every connection whose link is full is congested: nothing more is
    begun for it. When there are more than `max_bytes`, connections whose link is full are cut off until there are not:
    of the client that has the most, the connection that has the most. `on_relief` is called each time that there is no
    more than half again.
    """

    def __init__(self, max_bytes: int, on_relief: Callable[[], object] = lambda: None) -> None:
        self.bytes = 0
        self._max_bytes, self._on_relief = max_bytes, on_relief
        self._held: dict[Outbox, int] = {}

    @property
    def tight(self) -> bool:
        """Whether connections that do not read have to wait."""
        return self.bytes > self._max_bytes // 2

    def hold(self, outbox: Outbox, size: int) -> None:
        """A connection has so many bytes now."""
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
        """The connection that is to be cut off next, if one can be."""
        full = {outbox: size for outbox, size in self._held.items() if not outbox.open}
        if not full:
            return None
        clients: Counter[str] = Counter()
        for outbox, size in full.items():
            clients[outbox.flow.client] += size
        [(most, _)] = clients.most_common(1)
        return max((outbox for outbox in full if outbox.flow.client == most), key=full.__getitem__)


class Outbox:
    """`len` of it is how many messages wait, `.bytes` how much they have.

    When that is more than `max_bytes`, the flow is congested: the scheduler begins nothing more for it. `joins`:
    several messages may be one write. `on_cut` is called when the budget gives the connection up; it has to end it.
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
        self._in_link = 0  # bytes that the link has and could not send when it was full
        self._ahead = 0  # bytes of what is made and not handed over
        self._batch: list[bytes] | None = None  # for the link, in one write
        self._batch_bytes = 0
        self._empty = asyncio.Event()  # set while nothing waits and the link takes more
        self._empty.set()
        flow.on_ahead = self.add_ahead

    def __len__(self) -> int:
        return len(self._waiting)

    def send(self, data: bytes) -> None:
        """Hand over one message, now or when there is room."""
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
        """Gather what is sent from now on: many small messages are one write, and one packet."""
        self._batch, self._batch_bytes = [] if self._joins else None, 0

    def end_batch(self) -> None:
        """Hand over what was gathered."""
        batch, self._batch = self._batch, None
        if batch:
            self._link.write(batch[0] if len(batch) == 1 else b"".join(batch))

    def add_ahead(self, size: int) -> None:
        """So many bytes more (or, below 0, fewer) are made for the peer that are not handed over."""
        self._ahead += size
        self.weigh()

    def pause(self) -> None:
        """The link is full."""
        self.open = False
        self._in_link = self._link.get_write_buffer_size()
        self._empty.clear()
        self.weigh()

    def resume(self) -> None:
        """The link takes more."""
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
        """Forget what waits: the link is to carry no more of it."""
        self._waiting.clear()
        self.bytes = self._in_link = 0
        self._empty.set()
        self.weigh()

    def end(self) -> None:
        """The link has gone: forget what waits, and count nothing any more."""
        self.flow.on_ahead, self._on_cut = _ignore, _ignore
        self._ahead = 0
        self.drop()

    def cut(self) -> None:
        """End the connection, since its messages take too much memory."""
        size, on_cut = self.bytes + self._in_link + self._ahead, self._on_cut
        self.end()
        on_cut(size)

    def weigh(self) -> None:
        """Tell the budget how much there is, and the scheduler whether it may go on."""
        self._budget.hold(self, self.bytes + self._in_link + self._ahead)
        if self.bytes > self._max_bytes or (not self.open and self._budget.tight):
            self.flow.congested = True
        elif self.flow.congested:
            self.flow.clear()

    async def empty(self) -> None:
        """Until nothing waits and the link takes more, or has gone."""
        await self._empty.wait()


def _ignore(_: int) -> None:
    """For what counts no more."""
