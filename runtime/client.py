"""Clients of a runtime: `Client` blocks, `AsyncClient` is for asyncio. They need only numpy and msgpack.

>>> with Client("127.0.0.1", 7767) as client:  # doctest: +SKIP
...     chunk = client.call("terrain.chunk", seed=7, x=0, y=0)
...     metres = chunk["height"] * chunk["scale"] + chunk["offset"]

Arrays in a result are read-only numpy arrays; numpy arrays may be given as parameters. A call raises

- RpcError if the response is an error,
- NoRuntime if nothing listens, ConnectionLost if the connection has ended; both are ConnectionErrors,
- TimeoutError if the response takes too long; the request is cancelled, and the client can still be used,
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
_CANCEL_S = 1.0  # time to send a cancel notification


class Client:
    """A blocking client. Threads may share it; they then take turns, one call at a time.

    Args:
        host: the runtime's address.
        port: its TCP port.
        connect_timeout_s: seconds to connect.
        timeout_s: seconds for a whole call; None waits without end. It may be changed between calls.
        framing: how messages follow each other.
        unix: path of a Unix socket, instead of a host and port.
        tls: context for a TLS connection.
        token: the token, sent to the runtime at once.

    Raises:
        NoRuntime: nothing answers there, or not with TLS.
        RpcError: UNAUTHORIZED: the token is wrong.
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
            for message in self._ask(method, params):
                if isinstance(message, Response):
                    return replies.result(message)
        raise AssertionError  # `_ask` ends with a response or raises

    def call_reporting(self, method: str, report: Callable[[int, int], None], /, **params: Any) -> Any:
        """As `call`. Methods that report progress call `report`: how much is done, of how much.

        `timeout_s` is for each report.
        """
        with self._turn:
            for message in self._ask(method, params | {"stream": True}):
                if isinstance(message, Response):
                    return replies.result(message)
                if replies.is_progress(message):
                    report(*replies.progress(message))
        raise AssertionError  # `_ask` ends with a response or raises

    def stream(self, method: str, /, **params: Any) -> Iterator[dict[str, Any]]:
        """The items of a method that streams, as they arrive; `timeout_s` is for each. Errors as the module says.

        Closing the iterator early (or leaving a loop and dropping it) cancels the call. Other calls wait until it is
        done or closed.
        """
        with self._turn:
            for message in self._ask(method, params | {"stream": True}):
                if isinstance(message, Response):
                    replies.result(message)
                elif replies.is_item(message):
                    yield replies.item(message)

    def close(self) -> None:
        """Close the connection; the runtime cancels its calls."""
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
        except OSError as error:  # a timeout too: part of a message may have left, so no other can follow
            self._end(f"the connection to the runtime at {self._address} is lost: {error}")
            raise ConnectionLost(self._ended) from error

    def _ask(self, method: str, params: dict[str, Any]) -> Iterator[Response | Notification]:
        """The notifications of a call, then its response. Closing the generator before that cancels the call."""
        if self._ended is not None:
            raise ConnectionLost(self._ended)
        msgid = next(self._msgids) & MAX_MSGID
        request = self._wire.send_request(msgid, method, replies.to_params(params))
        deadline, done = self._deadline(), False
        self._send(request, deadline)
        try:
            while not done:
                for message in self._receive(msgid, deadline):
                    done = isinstance(message, Response)
                    yield message
                deadline = self._deadline()
        except TimeoutError:
            raise TimeoutError(replies.too_late(method, self._address, self.timeout_s)) from None
        finally:
            if not done and self._ended is None:
                self._send(replies.cancel(self._wire, msgid), time.monotonic() + _CANCEL_S)

    def _deadline(self) -> float | None:
        return None if self.timeout_s is None else time.monotonic() + self.timeout_s

    def _receive(self, msgid: int, deadline: float | None) -> list[Response | Notification]:
        """The next messages of the call `msgid`; TimeoutError past the deadline. Those of earlier calls are skipped."""
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
                    if not any(isinstance(message, Response) for message in found):
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
    """An asyncio client for any number of calls at once. Create it with `connect`, in its event loop.

    `timeout_s` is for a whole call; None waits without end. Cancelling the task of a call cancels the call.
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
        self._waiting: dict[
            int, asyncio.Queue[Response | Notification | Exception]
        ] = {}  # messages that arrived, by msgid
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
        """Connect to a runtime. Arguments and errors are those of `Client`."""
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
        async with aclosing(self._ask(method, params)) as messages:
            async for message in messages:
                if isinstance(message, Response):
                    return replies.result(message)
        raise AssertionError  # `_ask` ends with a response or raises

    async def call_reporting(self, method: str, report: Callable[[int, int], None], /, **params: Any) -> Any:
        """As `call`. Methods that report progress call `report`: how much is done, of how much.

        `timeout_s` is for each report.
        """
        async with aclosing(self._ask(method, params | {"stream": True})) as messages:
            async for message in messages:
                if isinstance(message, Response):
                    return replies.result(message)
                if replies.is_progress(message):
                    report(*replies.progress(message))
        raise AssertionError  # `_ask` ends with a response or raises

    async def stream(self, method: str, /, **params: Any) -> AsyncGenerator[dict[str, Any], None]:
        """The items of a method that streams, as they arrive; `timeout_s` is for each. Errors as the module says.

        Calling `aclose` early cancels the call.
        """
        async with aclosing(self._ask(method, params | {"stream": True})) as messages:
            async for message in messages:
                if isinstance(message, Response):
                    replies.result(message)
                elif replies.is_item(message):
                    yield replies.item(message)

    async def _ask(self, method: str, params: dict[str, Any]) -> AsyncGenerator[Response | Notification, None]:
        """The notifications of a call, then its response. Closing the generator before that cancels the call."""
        if self._ended is not None:
            raise ConnectionLost(self._ended)
        msgid = next(self._msgids) & MAX_MSGID
        request = self._wire.send_request(msgid, method, replies.to_params(params))
        arrived = self._waiting[msgid] = asyncio.Queue()
        message: Response | Notification | Exception | None = None
        try:
            while not isinstance(message, Response):
                async with asyncio.timeout(self.timeout_s):
                    if message is None:
                        self._writer.write(request)
                        with contextlib.suppress(OSError):  # then the receiver ends with the reason
                            await self._writer.drain()
                    message = await arrived.get()
                if isinstance(message, Exception):
                    raise message
                yield message
        except TimeoutError:
            raise TimeoutError(replies.too_late(method, self._address, self.timeout_s)) from None
        finally:
            del self._waiting[msgid]
            if not isinstance(message, Response) and self._ended is None:
                self._writer.write(replies.cancel(self._wire, msgid))

    async def close(self) -> None:
        """Close the connection; calls that still wait raise ConnectionLost."""
        self._end(ConnectionLost("this client is closed"))
        self._receiver.cancel()
        await asyncio.gather(self._receiver, return_exceptions=True)
        with contextlib.suppress(OSError):  # closed already
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
