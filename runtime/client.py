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
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self

from runtime import replies
from runtime.replies import ConnectionLost, NoRuntime
from runtime.wire.protocol import MAX_MSGID, Connection, Framing, Notification, Response

__all__ = ["AsyncClient", "Client", "ConnectionLost", "NoRuntime"]

_READ_BYTES = 1 << 18
_SHORT_S = 1.0  # for the few bytes of a cancel notification


class Client:
    """A blocking client. Safe to share between threads, which then take turns: one call at a time.

    `timeout_s` is for a whole call, and may be changed between calls; None waits without end. `unix` is the path of a
    socket instead of a host and port; `tls` makes the connection with TLS; `token` is given to the runtime at once.

    Raises:
        NoRuntime: nothing answers there, or not with TLS.
        RpcError: UNAUTHORIZED, the token is wrong.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 7767,
        *,
        connect_timeout_s: float = 5.0,
        timeout_s: float | None = 60.0,
        framing: Framing = Framing.STREAM,
        unix: str | Path | None = None,
        tls: SSLContext | None = None,
        token: str | None = None,
    ) -> None:
        self.timeout_s = timeout_s
        self._address = replies.address(host, port, unix)
        self._wire = Connection(framing)
        self._msgids = itertools.count()
        self._turn = threading.Lock()
        self._ended: str | None = None  # why no more calls can be made
        try:
            self._socket = _connect(host, port, unix, tls, connect_timeout_s)
        except OSError as error:
            raise NoRuntime(self._address, error) from error
        if token is not None:
            try:
                self.call("server.hello", token=token)
            except BaseException:
                self.close()
                raise

    def call(self, method: str, /, **params: Any) -> Any:
        """The result of `method`. Errors as the module says."""
        with self._turn:
            for answer in self._ask(method, params):
                if isinstance(answer, Response):
                    return replies.result(answer)
        raise AssertionError  # `_ask` ends with a response, or raises

    def call_reporting(self, method: str, report: Callable[[int, int], None], /, **params: Any) -> Any:
        """As `call`; `report` is told how much of how much is done, by methods that know.

        `timeout_s` is for each part.
        """
        with self._turn:
            for answer in self._ask(method, params | {"stream": True}):
                if isinstance(answer, Response):
                    return replies.result(answer)
                if replies.is_progress(answer):
                    report(*replies.progress(answer))
        raise AssertionError  # `_ask` ends with a response, or raises

    def stream(self, method: str, /, **params: Any) -> Iterator[dict[str, Any]]:
        """The items of a method that streams, as they come; `timeout_s` is for each. Errors as the module says.

        Close the iterator early (or leave a loop over it, and let go of it), and the call is cancelled. Until it is
        done or closed, other calls wait.
        """
        with self._turn:
            for answer in self._ask(method, params | {"stream": True}):
                if isinstance(answer, Response):
                    replies.result(answer)
                elif replies.is_item(answer):
                    yield replies.item(answer)

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
            self._socket.settimeout(replies.remaining(deadline))
            self._socket.sendall(data)
        except OSError as error:  # a timeout too: part of a message may have left, so nothing can follow it
            self._end(f"the connection to the runtime at {self._address} is lost: {error}")
            raise ConnectionLost(self._ended) from error

    def _ask(self, method: str, params: dict[str, Any]) -> Iterator[Response | Notification]:
        """The items of a call, and at last its response; the call is cancelled if that is not waited for."""
        if self._ended is not None:
            raise ConnectionLost(self._ended)
        msgid = next(self._msgids) & MAX_MSGID
        request = self._wire.send_request(msgid, method, replies.to_params(params))
        deadline, done = self._deadline(), False
        self._send(request, deadline)
        try:
            while not done:
                for answer in self._receive(msgid, deadline):
                    done = isinstance(answer, Response)
                    yield answer
                deadline = self._deadline()
        except TimeoutError:
            raise TimeoutError(replies.too_late(method, self._address, self.timeout_s)) from None
        finally:
            if not done and self._ended is None:
                self._send(replies.cancel(self._wire, msgid), time.monotonic() + _SHORT_S)

    def _deadline(self) -> float | None:
        return None if self.timeout_s is None else time.monotonic() + self.timeout_s

    def _receive(self, msgid: int, deadline: float | None) -> list[Response | Notification]:
        """What comes next about `msgid`; TimeoutError past the deadline. What is about earlier calls is skipped."""
        while True:
            try:
                self._socket.settimeout(replies.remaining(deadline))
                data = self._socket.recv(_READ_BYTES)
            except TimeoutError:
                raise
            except OSError as error:
                self._end(f"the connection to the runtime at {self._address} is lost: {error}")
                raise ConnectionLost(self._ended) from error
            found: list[Response | Notification] = []
            for event in self._wire.receive_data(data) if data else [None]:
                if replies.is_part(event):
                    found += [event] if replies.msgid_of(event) == msgid else []
                elif (farewell := replies.farewell(event, self._address)) is not None:
                    self._end(str(farewell))
                    if not any(isinstance(answer, Response) for answer in found):
                        raise farewell
            if found:
                return found

    def _end(self, why: str) -> None:
        self._ended = self._ended or why
        self._socket.close()


def _connect(host: str, port: int, unix: str | Path | None, tls: SSLContext | None, timeout_s: float) -> socket.socket:
    if unix is not None:
        link = socket.socket(socket.AF_UNIX)
        link.settimeout(timeout_s)
        link.connect(str(unix))
        return link
    link = socket.create_connection((host, port), timeout_s)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link if tls is None else tls.wrap_socket(link, server_hostname=host)


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
        self._waiting: dict[int, asyncio.Queue[Response | Notification | Exception]] = {}  # what came, by msgid
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
        unix: str | Path | None = None,
        tls: SSLContext | None = None,
        token: str | None = None,
    ) -> Self:
        """A client of the runtime at an address. Parameters and errors are those of `Client`."""
        address = replies.address(host, port, unix)
        try:
            async with asyncio.timeout(connect_timeout_s):
                if unix is not None:
                    reader, writer = await asyncio.open_unix_connection(unix)
                else:
                    reader, writer = await asyncio.open_connection(host, port, ssl=tls)
        except OSError as error:  # TimeoutError is one
            raise NoRuntime(address, str(error) or "timed out") from error
        client = cls(reader, writer, address, timeout_s=timeout_s, framing=framing)
        if token is not None:
            try:
                await client.call("server.hello", token=token)
            except BaseException:
                await client.close()
                raise
        return client

    async def call(self, method: str, /, **params: Any) -> Any:
        """The result of `method`. Errors as the module says."""
        async with aclosing(self._ask(method, params)) as answers:
            async for answer in answers:
                if isinstance(answer, Response):
                    return replies.result(answer)
        raise AssertionError  # `_ask` ends with a response, or raises

    async def call_reporting(self, method: str, report: Callable[[int, int], None], /, **params: Any) -> Any:
        """As `call`; `report` is told how much of how much is done, by methods that know.

        `timeout_s` is for each part.
        """
        async with aclosing(self._ask(method, params | {"stream": True})) as answers:
            async for answer in answers:
                if isinstance(answer, Response):
                    return replies.result(answer)
                if replies.is_progress(answer):
                    report(*replies.progress(answer))
        raise AssertionError  # `_ask` ends with a response, or raises

    async def stream(self, method: str, /, **params: Any) -> AsyncGenerator[dict[str, Any], None]:
        """The items of a method that streams, as they come; `timeout_s` is for each. Errors as the module says.

        `aclose` it early, and the call is cancelled.
        """
        async with aclosing(self._ask(method, params | {"stream": True})) as answers:
            async for answer in answers:
                if isinstance(answer, Response):
                    replies.result(answer)
                elif replies.is_item(answer):
                    yield replies.item(answer)

    async def _ask(self, method: str, params: dict[str, Any]) -> AsyncGenerator[Response | Notification, None]:
        """The items of a call, and at last its response; the call is cancelled if that is not waited for."""
        if self._ended is not None:
            raise ConnectionLost(self._ended)
        msgid = next(self._msgids) & MAX_MSGID
        request = self._wire.send_request(msgid, method, replies.to_params(params))
        arrived = self._waiting[msgid] = asyncio.Queue()
        answer: Response | Notification | Exception | None = None
        try:
            while not isinstance(answer, Response):
                async with asyncio.timeout(self.timeout_s):
                    if answer is None:
                        self._writer.write(request)
                        with contextlib.suppress(OSError):  # then the receiver ends, and says why
                            await self._writer.drain()
                    answer = await arrived.get()
                if isinstance(answer, Exception):
                    raise answer
                yield answer
        except TimeoutError:
            raise TimeoutError(replies.too_late(method, self._address, self.timeout_s)) from None
        finally:
            del self._waiting[msgid]
            if not isinstance(answer, Response) and self._ended is None:
                self._writer.write(replies.cancel(self._wire, msgid))

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
                if replies.is_part(event):
                    if (arrived := self._waiting.get(replies.msgid_of(event))) is not None:
                        arrived.put_nowait(event)
                elif (farewell := replies.farewell(event, self._address)) is not None:
                    self._end(farewell)

    def _end(self, error: Exception) -> None:
        self._ended = self._ended or str(error)
        for arrived in self._waiting.values():
            arrived.put_nowait(error)
        self._writer.close()
