"""Clients of a runtime: `Client` blocks, `AsyncClient` awaits. Both need numpy and msgpack only.

>>> with Client("127.0.0.1", 7767) as client:  # doctest: +SKIP
...     chunk = client.call("terrain.chunk", seed=7, x=0, y=0)
...     metres = chunk["height"] * chunk["scale"] + chunk["offset"]

Arrays in a result are read-only numpy arrays; numpy arrays may be given as parameters. A call raises

- RpcError where the runtime answers with an error,
- NoRuntime where nothing listens, ConnectionLost where the connection has ended; both are ConnectionErrors,
- TimeoutError where the answer takes too long; the request is cancelled and the client stays usable,
- ValueError or TypeError, before anything is sent, for parameters that can't be sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import threading
import time
from types import TracebackType
from typing import Any, Self

from runtime import arrays
from runtime.errors import RpcError
from runtime.protocol import MAX_MSGID, Connection, Event, Fatal, Framing, Notification, Response

_READ_BYTES = 1 << 18
_SHORT_S = 1.0  # for the few bytes of a cancel notification


class NoRuntime(ConnectionError):
    """Nothing answers at the address."""

    def __init__(self, host: str, port: int, why: object) -> None:
        super().__init__(f"no runtime answers at {host}:{port} ({why}); start one with 'pcg serve'")


class ConnectionLost(ConnectionError):
    """The connection to the runtime has ended; make a new client."""


class Client:
    """A blocking client. Safe to share between threads, which then take turns: one call at a time.

    `timeout_s` is for a whole call, and may be changed between calls; None waits without end.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 7767,
        *,
        connect_timeout_s: float = 5.0,
        timeout_s: float | None = 60.0,
        framing: Framing = Framing.STREAM,
    ) -> None:
        self.timeout_s = timeout_s
        self._address = f"{host}:{port}"
        self._wire = Connection(framing)
        self._msgids = itertools.count()
        self._turn = threading.Lock()
        self._ended: str | None = None  # why no more calls can be made
        try:
            self._socket = socket.create_connection((host, port), connect_timeout_s)
        except OSError as error:
            raise NoRuntime(host, port, error) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, method: str, /, **params: Any) -> Any:
        """The result of `method`. Errors as the module says."""
        with self._turn:
            if self._ended is not None:
                raise ConnectionLost(self._ended)
            msgid = next(self._msgids) & MAX_MSGID
            request = self._wire.send_request(msgid, method, _to_params(params))
            deadline = None if self.timeout_s is None else time.monotonic() + self.timeout_s
            self._send(request, deadline)
            try:
                return _result(self._receive(msgid, deadline))
            except TimeoutError:
                self._send(_cancel(self._wire, msgid), time.monotonic() + _SHORT_S)
                raise TimeoutError(_too_late(method, self._address, self.timeout_s)) from None

    def close(self) -> None:
        """End the connection; the runtime stops what it still does for it."""
        self._end("this client is closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, data: bytes, deadline: float | None) -> None:
        try:
            self._socket.settimeout(_remaining(deadline))
            self._socket.sendall(data)
        except OSError as error:  # a timeout too: part of a message may have left, so nothing can follow it
            self._end(f"the connection to the runtime at {self._address} is lost: {error}")
            raise ConnectionLost(self._ended) from error

    def _receive(self, msgid: int, deadline: float | None) -> Response:
        """The response to `msgid`; TimeoutError past the deadline. What answers earlier, given up calls is skipped."""
        while True:
            try:
                self._socket.settimeout(_remaining(deadline))
                data = self._socket.recv(_READ_BYTES)
            except TimeoutError:
                raise
            except OSError as error:
                self._end(f"the connection to the runtime at {self._address} is lost: {error}")
                raise ConnectionLost(self._ended) from error
            answer = None
            for event in self._wire.receive_data(data) if data else [None]:
                if isinstance(event, Response):
                    answer = event if event.msgid == msgid else answer
                elif (farewell := _farewell(event, self._address)) is not None:
                    self._end(str(farewell))
                    if answer is None:
                        raise farewell
            if answer is not None:
                return answer

    def _end(self, why: str) -> None:
        self._ended = self._ended or why
        self._socket.close()


class AsyncClient:
    """An asyncio client: any number of calls at once, matched by msgid. Made by `connect`; used by one event loop.

    `timeout_s` is for a whole call; None waits without end. A call whose task is cancelled is cancelled at the
    runtime too.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        address: str,
        *,
        timeout_s: float | None = 60.0,
        framing: Framing = Framing.STREAM,
    ) -> None:
        self.timeout_s = timeout_s
        self._reader = reader
        self._writer = writer
        self._address = address
        self._wire = Connection(framing)
        self._msgids = itertools.count()
        self._waiting: dict[int, asyncio.Future[Response]] = {}
        self._ended: str | None = None  # why no more calls can be made
        self._receiver = asyncio.create_task(self._receive())

    @classmethod
    async def connect(
        cls,
        host: str = "127.0.0.1",
        port: int = 7767,
        *,
        connect_timeout_s: float = 5.0,
        timeout_s: float | None = 60.0,
        framing: Framing = Framing.STREAM,
    ) -> Self:
        """A client of the runtime at an address. NoRuntime if there is none."""
        try:
            async with asyncio.timeout(connect_timeout_s):
                reader, writer = await asyncio.open_connection(host, port)
        except OSError as error:  # TimeoutError is one
            raise NoRuntime(host, port, str(error) or "timed out") from error
        return cls(reader, writer, f"{host}:{port}", timeout_s=timeout_s, framing=framing)

    async def call(self, method: str, /, **params: Any) -> Any:
        """The result of `method`. Errors as the module says."""
        if self._ended is not None:
            raise ConnectionLost(self._ended)
        msgid = next(self._msgids) & MAX_MSGID
        request = self._wire.send_request(msgid, method, _to_params(params))
        answer = self._waiting[msgid] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self.timeout_s):
                self._writer.write(request)
                with contextlib.suppress(OSError):  # then the receiver ends, and tells `answer` why
                    await self._writer.drain()
                response = await answer
        except TimeoutError:
            raise TimeoutError(_too_late(method, self._address, self.timeout_s)) from None
        finally:
            del self._waiting[msgid]
            if (answer.cancelled() or not answer.done()) and self._ended is None:
                self._writer.write(_cancel(self._wire, msgid))
        return _result(response)

    async def close(self) -> None:
        """End the connection; calls that still wait raise ConnectionLost."""
        self._end(ConnectionLost("this client is closed"))
        self._receiver.cancel()
        await asyncio.gather(self._receiver, return_exceptions=True)
        with contextlib.suppress(OSError):  # lost already
            await self._writer.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _receive(self) -> None:
        while self._ended is None:
            try:
                data = await self._reader.read(_READ_BYTES)
            except OSError as error:
                self._end(ConnectionLost(f"the connection to the runtime at {self._address} is lost: {error}"))
                return
            for event in self._wire.receive_data(data) if data else [None]:
                if isinstance(event, Response):
                    answer = self._waiting.get(event.msgid)
                    if answer is not None and not answer.done():
                        answer.set_result(event)
                elif (farewell := _farewell(event, self._address)) is not None:
                    self._end(farewell)

    def _end(self, error: Exception) -> None:
        self._ended = self._ended or str(error)
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(error)
        self._writer.close()


def _to_params(params: dict[str, Any]) -> list[Any]:
    return [arrays.to_wire(params)] if params else []


def _cancel(wire: Connection, msgid: int) -> bytes:
    return wire.send_notification("cancel", [{"msgid": msgid}])


def _result(response: Response) -> Any:
    if response.error is not None:
        raise RpcError.from_wire(response.error)
    return arrays.from_wire(response.result)


def _farewell(event: Event | None, address: str) -> Exception | None:
    """Why the connection is over, if `event` says that it is; None stands for its end."""
    match event:
        case None:
            return ConnectionLost(f"the runtime at {address} closed the connection")
        case Fatal(_, message):
            return ConnectionLost(f"what answers at {address} is no runtime that this client understands: {message}")
        case Notification("error", [{"code": code, "message": message}]):
            return RpcError.from_wire([code, message])
    return None


def _remaining(deadline: float | None) -> float | None:
    """Seconds until a deadline. TimeoutError if it has passed: a socket takes 0 to mean "do not wait"."""
    if deadline is None:
        return None
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _too_late(method: str, address: str, timeout_s: float | None) -> str:
    return f"{method} had no answer from {address} within {timeout_s} s"
