"""The runtime's TCP server: moves bytes between sockets and `runtime.protocol`, and calls between it and a service.

Theory of operation. Each connection is a `Peer`: one task that reads, and one call and one answering task for each
request in flight. Requests of one connection run at the same time, and are answered as they finish. Three things
keep one peer from harming the rest:

- at most `max_in_flight` requests of a connection run; past that its bytes stay unread, and TCP slows it down;
- a response is encoded and written only when the one before it has left, so a peer that reads slowly holds up
  its own answers and at most one of them is buffered;
- whatever it sends that can't be understood ends its own connection, and only that.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from runtime import arrays
from runtime.errors import Code, RpcError
from runtime.protocol import (
    MAX_MESSAGE_BYTES,
    Connection,
    Fatal,
    Invalid,
    MessageTooLarge,
    Notification,
    Request,
    Response,
)
from runtime.scheduler import Flow

logger = logging.getLogger(__name__)

_READ_BYTES = 1 << 16
_CLOSE_S = 1.0  # how long a connection that ends may take over its last bytes
_MAX_ERROR_CHARS = 1000


@dataclass(frozen=True)
class Limits:
    """What a server grants each client. None for a time: without end."""

    max_message_bytes: int = MAX_MESSAGE_BYTES
    max_in_flight: int = 64  # requests of one connection that run at the same time
    max_connections: int = 128
    idle_timeout_s: float | None = 3600.0  # no request in flight and no byte received
    send_timeout_s: float | None = 60.0  # for one message to be taken by the peer


class Service(Protocol):
    """What a server serves."""

    async def call(self, method: str, params: dict[str, Any], *, connection: Peer) -> object:
        """The result of one request: what MessagePack holds, and numpy arrays. RpcError for an error to report.

        Any other exception is logged, and reported as INTERNAL_ERROR without its text. Cancelled when the client
        cancels or goes away. Array maps in `params` have become numpy arrays.
        """


class Peer:
    """One connected client: its state machine and its requests in flight."""

    def __init__(
        self, service: Service, limits: Limits, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        address = writer.get_extra_info("peername")  # None if it has gone already
        self.name = "{}:{}".format(*address[:2]) if address else "a client that has gone"
        self._service = service
        self._limits = limits
        self._reader = reader
        self._writer = writer
        self._wire = Connection(max_message_bytes=limits.max_message_bytes)
        self._slots = asyncio.Semaphore(limits.max_in_flight)
        self._writing = asyncio.Lock()
        self._calls: dict[int, asyncio.Task[object]] = {}  # by msgid, for as long as they run
        self._answers: set[asyncio.Task[None]] = set()  # each waits for a call and sends its response
        self.flow = Flow()
        self._draining = False

    async def serve(self) -> None:
        """Answer requests until the peer ends the connection or breaks it; then cancel what is still running."""
        try:
            await self._read_and_dispatch()
        except OSError as error:
            logger.info("%s: %s", self.name, error)
        finally:
            unfinished = [*self._calls.values(), *self._answers]
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)
            await self._close()

    async def notify(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification; numpy arrays become array maps. OSError if the peer has gone."""
        async with self._writing:
            await self._write(self._wire.send_notification(method, [arrays.to_wire(params)]))

    async def drain(self, grace_s: float) -> None:
        """Take no more requests, wait up to `grace_s` seconds for those that run, then end the rest with an error."""
        self._draining = True
        if self._answers:
            await asyncio.wait(self._answers, timeout=grace_s)
        for call in self._calls.values():
            call.cancel()
        if self._answers:
            await asyncio.wait(self._answers, timeout=_CLOSE_S)

    async def refuse(self, code: Code, message: str) -> None:
        """Tell the peer why it is cut off. The connection is of no use afterwards."""
        logger.info("%s: refused: %s", self.name, message)
        async with self._writing:
            await self._write(self._wire.send_fatal(code, message))

    async def _read_and_dispatch(self) -> None:
        while data := await self._read():
            for event in self._wire.receive_data(data):
                match event:
                    case Request():
                        await self._start(event)
                    case Notification("cancel", params):
                        self._cancel(params)
                    case Invalid(msgid, message):
                        await self._send_error(msgid, RpcError(Code.INVALID_REQUEST, message))
                    case Fatal(code, message):
                        await self.refuse(code, message)
                        await self._linger()
                        return
                    case Notification() | Response():
                        logger.debug("%s: ignored %r", self.name, event)
        for event in self._wire.receive_eof():
            logger.info("%s: %s", self.name, event)

    async def _read(self) -> bytes:
        while True:
            try:
                async with asyncio.timeout(self._limits.idle_timeout_s) as timeout:
                    return await self._reader.read(_READ_BYTES)
            except TimeoutError:
                if not timeout.expired():
                    raise  # the network's own: the connection is lost
                if not self._answers:
                    logger.info("%s: idle for %s s, closed", self.name, self._limits.idle_timeout_s)
                    return b""

    async def _start(self, request: Request) -> None:
        await self._slots.acquire()  # backpressure: nothing more is read from this peer until there is one
        try:
            if self._draining:
                raise RpcError(Code.SHUTTING_DOWN, "the server is shutting down")
            if request.msgid in self._calls:
                raise RpcError(Code.INVALID_REQUEST, f"msgid {request.msgid} is that of a request still running")
            params = _one_map(request.params)
        except RpcError as error:
            self._slots.release()
            await self._send_error(request.msgid, error)
            return
        call = asyncio.create_task(self._call(request.method, params))
        self._calls[request.msgid] = call
        answer = asyncio.create_task(self._answer(request.msgid, call))
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)

    async def _call(self, method: str, params: dict[str, Any]) -> object:
        try:
            return await self._service.call(method, params, connection=self)
        except RpcError:
            raise
        except Exception:
            logger.exception("%s: %r failed", self.name, method)
            raise RpcError(Code.INTERNAL_ERROR, f"{method} failed; the server's log says why") from None

    async def _answer(self, msgid: int, call: asyncio.Task[object]) -> None:
        # A task of its own, so that cancelling the call leaves this to report it; and cancelling this, when the
        # connection ends, reports nothing.
        try:
            await asyncio.wait([call])
            del self._calls[msgid]  # before the response leaves: the peer may use the msgid again at once
            async with self._writing:
                await self._write(self._response(msgid, call))
        except OSError as error:
            logger.info("%s: response %s not sent: %s", self.name, msgid, error)
        finally:
            self._slots.release()

    def _response(self, msgid: int, call: asyncio.Task[object]) -> bytes:
        if call.cancelled():
            if self._draining:
                return self._error(msgid, RpcError(Code.SHUTTING_DOWN, "the server shut down before this was done"))
            return self._error(msgid, RpcError(Code.CANCELLED, "cancelled"))
        try:
            return self._wire.send_response(msgid, result=arrays.to_wire(call.result()))
        except RpcError as error:
            return self._error(msgid, error)
        except MessageTooLarge as error:
            message = f"the result has {error.size} bytes; a message holds {error.limit}: ask for less at a time"
            return self._error(msgid, RpcError(Code.OUT_OF_RANGE, message))
        except Exception:
            logger.exception("%s: the result of request %s can't be sent", self.name, msgid)
            return self._error(
                msgid, RpcError(Code.INTERNAL_ERROR, "the result can't be sent; the server's log says why")
            )

    def _error(self, msgid: int, error: RpcError) -> bytes:
        try:
            return self._wire.send_response(msgid, error=arrays.to_wire(error.to_wire()))
        except (TypeError, ValueError, OverflowError):
            logger.exception("%s: the details of an error can't be sent", self.name)
            short = RpcError(error.code, error.message[:_MAX_ERROR_CHARS])
            return self._wire.send_response(msgid, error=short.to_wire())

    async def _send_error(self, msgid: int, error: RpcError) -> None:
        async with self._writing:
            await self._write(self._error(msgid, error))

    def _cancel(self, params: list[Any]) -> None:
        match params:
            case [{"msgid": int(msgid)}] if msgid in self._calls:
                self._calls[msgid].cancel()
            case _:  # done already, or never asked for: a notification has no answer
                logger.debug("%s: nothing to cancel for %r", self.name, params)

    async def _write(self, data: bytes) -> None:
        """Hand over one message, and wait until most of it has left. Only under `_writing`."""
        self._writer.write(data)
        try:
            async with asyncio.timeout(self._limits.send_timeout_s):
                await self._writer.drain()
        except TimeoutError:
            self._writer.transport.abort()
            raise ConnectionAbortedError(f"took no data for {self._limits.send_timeout_s} s, cut off") from None

    async def _linger(self) -> None:
        # Closing a socket that has unread bytes resets the connection, and the peer may lose the error just sent.
        with contextlib.suppress(OSError):  # TimeoutError is one
            async with asyncio.timeout(_CLOSE_S):
                self._writer.write_eof()
                while await self._reader.read(_READ_BYTES):
                    pass

    async def _close(self) -> None:
        self._writer.close()
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._writer.wait_closed()
        except OSError:  # TimeoutError is one
            self._writer.transport.abort()


def _one_map(params: list[Any]) -> dict[str, Any]:
    """The map that a request's params hold, its array maps as arrays. RpcError where they hold something else."""
    match params:
        case []:
            return {}
        case [dict(named)] if all(isinstance(key, str) for key in named):
            try:
                return {key: arrays.from_wire(value) for key, value in named.items()}
            except ValueError as error:
                raise RpcError(Code.INVALID_PARAMS, str(error)) from error
    raise RpcError(Code.INVALID_PARAMS, f"params are [] or one map, [{{name: value, …}}], not {params!r:.80}")


class Server:
    """Serves `service` to TCP clients.

    `port` 0 takes a free one; `.port` says which. `async with Server(…) as server` starts and closes it.
    """

    def __init__(
        self, service: Service, host: str = "127.0.0.1", port: int = 7767, *, limits: Limits | None = None
    ) -> None:
        self._service = service
        self._host = host
        self._port = port
        self._limits = limits or Limits()
        self._listener: asyncio.Server | None = None
        self._peers: dict[Peer, asyncio.Task[None]] = {}
        self._closing = False
        self._closed = asyncio.Event()

    async def start(self) -> None:
        """Listen. OSError if the address can't be had."""
        self._listener = await asyncio.start_server(self._accept, self._host, self._port)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def port(self) -> int:
        """The TCP port listened on."""
        if self._listener is None or not self._listener.sockets:
            return self._port
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    async def serve_forever(self) -> None:
        """Start if need be, and return when `close` is done."""
        if self._listener is None:
            await self.start()
        await self._closed.wait()

    async def close(self, grace_s: float = 5.0) -> None:
        """Stop accepting, give running requests up to `grace_s` seconds, then close every connection."""
        if self._closing:
            await self._closed.wait()
            return
        self._closing = True
        if self._listener is not None:
            self._listener.close()
            await asyncio.gather(*(peer.drain(grace_s) for peer in self._peers))
            tasks = list(self._peers.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._listener.wait_closed()
        self._closed.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # asyncio has set TCP_NODELAY: a response is one write, and waiting to join it with another only delays it.
        peer = Peer(self._service, self._limits, reader, writer)
        if self._closing:  # accepted just before the listener closed
            writer.close()
            return
        if len(self._peers) >= self._limits.max_connections:
            with contextlib.suppress(OSError):
                await peer.refuse(Code.OVERLOADED, f"the server has its {self._limits.max_connections} connections")
            writer.close()
            return
        task = asyncio.current_task()
        assert task is not None
        self._peers[peer] = task
        try:
            await peer.serve()
        finally:
            del self._peers[peer]
