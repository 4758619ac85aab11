"""Requests for many things at once: made a few ahead, sent one by one as they are done and the client takes them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing

from runtime.errors import Code, RpcError
from runtime.parameters import Options
from runtime.scheduling.jobs import Flow
from runtime.scheduling.work import Search, Work
from runtime.wire.protocol import MAX_MESSAGE_BYTES, Packed, pack

AHEAD = 4  # works begun and not yet sent: what a client that reads slowly can make the runtime keep
_OVERHEAD = 64  # bytes of a message beside what it carries

Start = Callable[[Work | Search], Packed | asyncio.Future[Packed]]
Report = Callable[[int, int], None]
Notify = Callable[[str, dict[str, object]], Awaitable[None]]


async def answer(
    works: Sequence[Work | Search], name: str, options: Options, start: Start, notify: Notify, flow: Flow
) -> Packed:
    """The response of a request for several things: `count` of them, each sent before as an `item` with its `index`
    under `name`; or, unless the request says `stream`, a list of all.

    Raises:
        RpcError: as `Runner.start`; DEADLINE_EXCEEDED when not all were sent in time; OUT_OF_RANGE when all together
            are more than a message holds.
    """
    deadline_s = None if options.deadline_ms is None else options.deadline_ms / 1000
    try:
        async with asyncio.timeout(deadline_s) as timeout, aclosing(in_order(works, start, flow)) as results:
            if options.stream:
                await _send_each(results, name, notify)
                return pack({"count": len(works)})
            return pack({"count": len(works), f"{name}s": await _all(results)})
    except TimeoutError:
        if not timeout.expired():
            raise
        message = f"not done within the {options.deadline_ms} ms that the request allowed"
        raise RpcError(Code.DEADLINE_EXCEEDED, message) from None


async def reporting(make: Callable[[Report], Search], start: Start, notify: Notify) -> Packed:
    """The result of one work, which is told of as it goes on: a `progress` with `done` and `of` for each report.

    Raises:
        RpcError: as `Runner.start`.
    """
    loop, sent = asyncio.get_running_loop(), set[asyncio.Task[None]]()
    running = True

    async def tell(done: int, of: int) -> None:
        with contextlib.suppress(OSError):  # the peer has gone, which ends the work elsewhere
            await notify("progress", {"done": done, "of": of})

    def begin(done: int, of: int) -> None:
        if running:
            task = loop.create_task(tell(done, of))
            sent.add(task)
            task.add_done_callback(sent.discard)

    def report(done: int, of: int) -> None:  # in the engine's thread
        loop.call_soon_threadsafe(begin, done, of)

    try:
        return await _result(start(make(report)))
    finally:
        running = False
        for task in list(sent):  # nothing comes after the response
            task.cancel()


async def _send_each(results: AsyncIterator[Packed], name: str, notify: Notify) -> None:
    index = 0
    async for result in results:
        await notify("item", {"index": index, name: result})
        await asyncio.sleep(0)  # kept results come without waiting: let other connections have their turn
        index += 1


async def _all(results: AsyncIterator[Packed]) -> list[Packed]:
    kept: list[Packed] = []
    size = _OVERHEAD
    async for result in results:
        size += len(result.data)
        if size > MAX_MESSAGE_BYTES:
            what = f"{len(kept) + 1} of these results have {size} bytes; a message holds {MAX_MESSAGE_BYTES}"
            raise RpcError(Code.OUT_OF_RANGE, f"{what}: ask for fewer, or with stream: true")
        kept.append(result)
    return kept


async def in_order(works: Sequence[Work | Search], start: Start, flow: Flow) -> AsyncGenerator[Packed, None]:
    """The results, in order; at most AHEAD are begun and not taken, and `flow` is told of how many bytes are made and
    not taken. Where the queue is full, the first work raises OVERLOADED, and later ones wait. Close it early, and what
    was begun is cancelled.
    """
    begun: deque[_Begun] = deque()
    try:
        for index, work in enumerate(works):
            begun.append(_Begun(await _start(work, start, patient=index > 0), flow))
            if len(begun) == AHEAD:
                yield await begun.popleft().take()
        while begun:
            yield await begun.popleft().take()
    finally:
        for each in begun:
            each.give_up()


class _Begun:
    """A result that is made, or is being made. It counts to its flow until it is taken or given up."""

    def __init__(self, answer: Packed | asyncio.Future[Packed], flow: Flow) -> None:
        self._answer, self._flow = answer, flow
        self._counted = 0  # bytes
        if isinstance(answer, Packed):
            self._count(len(answer.data))
        else:
            answer.add_done_callback(self._made)

    async def take(self) -> Packed:
        try:
            return await _result(self._answer)
        finally:
            self.give_up()

    def give_up(self) -> None:
        if isinstance(self._answer, asyncio.Future):
            self._answer.remove_done_callback(self._made)
            self._answer.cancel()  # does nothing to one that is done
        self._count(-self._counted)

    def _made(self, answer: asyncio.Future[Packed]) -> None:
        if not answer.cancelled() and answer.exception() is None:
            self._count(len(answer.result().data))

    def _count(self, size: int) -> None:
        self._counted += size
        self._flow.on_ahead(size)


async def _start(work: Work | Search, start: Start, patient: bool) -> Packed | asyncio.Future[Packed]:
    while True:
        try:
            return start(work)
        except RpcError as error:
            if error.code is not Code.OVERLOADED or not patient:
                raise
            await asyncio.sleep(error.details["retry_after_ms"] / 1000)


async def _result(answer: Packed | asyncio.Future[Packed]) -> Packed:
    return answer if isinstance(answer, Packed) else await answer
