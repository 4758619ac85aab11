"""Streamed responses: a few results are computed ahead, and each is sent when the client has read the one before."""

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

AHEAD = 4  # results begun and not yet sent: bounds the memory that a client that reads slowly can take
_OVERHEAD = 64  # bytes of a message besides the results in it

Start = Callable[[Work | Search], Packed | asyncio.Future[Packed]]
Report = Callable[[int, int], None]
Notify = Callable[[str, dict[str, object]], Awaitable[None]]


async def respond(
    works: Sequence[Work | Search], name: str, options: Options, start: Start, notify: Notify, flow: Flow
) -> Packed:
    """The response to a request for several results.

    With `options.stream`, each result is sent as an `item` notification, and the response has only their `count`.
    Otherwise the response has a list of all.

    Args:
        works: the work for each result, in order.
        name: the name of a result in an item; with an "s" added, of the list in the response.
        options: the request's options.
        start: starts one work, as `Dispatcher.start`.
        notify: sends a notification to the client.
        flow: the connection that the request came over.

    Raises:
        RpcError: as `Dispatcher.start`; DEADLINE_EXCEEDED if not all were sent in time; OUT_OF_RANGE if all together
            do not fit in a message.
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
    """The result of one search. Each of its reports becomes a `progress` notification with `done` and `of`.

    Raises:
        RpcError: as `Dispatcher.start`.
    """
    loop, sent = asyncio.get_running_loop(), set[asyncio.Task[None]]()
    running = True

    async def tell(done: int, of: int) -> None:
        with contextlib.suppress(OSError):  # the client has gone; the peer cancels the work
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
        for task in list(sent):  # no notification may follow the response
            task.cancel()


async def _send_each(results: AsyncIterator[Packed], name: str, notify: Notify) -> None:
    index = 0
    async for result in results:
        await notify("item", {"index": index, name: result})
        await asyncio.sleep(0)  # cached results come without waiting: let other connections run
        index += 1


async def _all(results: AsyncIterator[Packed]) -> list[Packed]:
    collected: list[Packed] = []
    size = _OVERHEAD
    async for result in results:
        size += len(result.data)
        if size > MAX_MESSAGE_BYTES:
            what = f"{len(collected) + 1} of these results have {size} bytes; a message holds {MAX_MESSAGE_BYTES}"
            raise RpcError(Code.OUT_OF_RANGE, f"{what}: ask for fewer, or with stream: true")
        collected.append(result)
    return collected


async def in_order(works: Sequence[Work | Search], start: Start, flow: Flow) -> AsyncGenerator[Packed, None]:
    """The results, in order. At most AHEAD are begun and not yet taken; `flow` counts their bytes.

    If the queue is full, the first work raises OVERLOADED, and later ones wait for room. Closing the generator early
    cancels what was begun.
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
            each.abandon()


class _Begun:
    """A result that is finished or on its way. Its bytes count for its flow until it is taken or abandoned."""

    def __init__(self, result: Packed | asyncio.Future[Packed], flow: Flow) -> None:
        self._result, self._flow = result, flow
        self._counted = 0  # bytes
        if isinstance(result, Packed):
            self._count(len(result.data))
        else:
            result.add_done_callback(self._finished)

    async def take(self) -> Packed:
        try:
            return await _result(self._result)
        finally:
            self.abandon()

    def abandon(self) -> None:
        if isinstance(self._result, asyncio.Future):
            self._result.remove_done_callback(self._finished)
            self._result.cancel()  # does nothing if it is done
        self._count(-self._counted)

    def _finished(self, result: asyncio.Future[Packed]) -> None:
        if not result.cancelled() and result.exception() is None:
            self._count(len(result.result().data))

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


async def _result(result: Packed | asyncio.Future[Packed]) -> Packed:
    return result if isinstance(result, Packed) else await result
