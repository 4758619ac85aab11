"""One connected client: its messages become calls, and their results become responses.

Theory of operation. A `Peer` receives bytes from a link, which is an asyncio transport or behaves like one, and hands
each request to the service. A result that is known at once (a cached one, an error) is written at once, without a task
or a queue. Otherwise the service gives a future, and the response is written when it is done. Requests of one
connection run at the same time, and responses are sent in the order in which they finish.

These limits protect the other clients:

- At most `max_in_flight` of its requests run or wait to be sent. The next one is held, later ones are not decoded, then
  not read, and TCP slows the client down (backpressure).
- After MESSAGES_PER_TURN messages, other connections are served first. So a flood of small messages delays only itself.
- Responses that it does not read wait in its outbox. If these are too many, no more work is started for this client; if
  all clients together leave too many, those that leave the most are disconnected.
- Bytes that can't be understood close this connection, and no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable
from typing import Any, cast

from runtime.calls import Caller, Service
from runtime.errors import Code, RpcError
from runtime.scheduling.jobs import Flow, client_of
from runtime.serving.access import Authentication, Tokens, WrongToken
from runtime.serving.connection.in_flight import InFlight
from runtime.serving.connection.outbox import Budget, Link, Outbox
from runtime.serving.connection.responses import Responses, one_map
from runtime.serving.connection.timers import Timers
from runtime.serving.counts import Counts
from runtime.serving.limits import Limits
from runtime.wire import arrays
from runtime.wire.protocol import Connection, Event, Fatal, Framing, Invalid, Notification, Packed, Request

logger = logging.getLogger(__name__)

_READ_BYTES = 1 << 16
HELLO_BYTES = 4096  # largest message from a client that has not given its token
CLOSE_S = 1.0  # how long a connection that is closing may take to send its last bytes
MESSAGES_PER_TURN = 100  # messages that are handled before other connections are served
DRAIN_LINGER_S = 3.0  # the same, for a client that was busy when the server shut down
QUIET_PERIOD_S = 0.1  # no bytes for so long: nothing more is on its way from the client


class Peer(asyncio.BufferedProtocol):
    """One client, from `attach` on.

    Args:
        service: what answers the requests.
        limits: limits of a client.
        on_made: called with this peer in `attach`.
        on_lost: called with this peer when the connection has ended.
        framing: the framing; None follows the client's first byte.
        tokens: the client must give one of them in `server.hello` before any other request; None: no token is needed.
        counts: counts requests and bytes.
        budget: the bytes of unread responses of all clients.
    """

    _link: Link
    _outbox: Outbox

    def __init__(
        self,
        service: Service,
        limits: Limits,
        on_made: Callable[[Peer], None] = lambda _: None,
        on_lost: Callable[[Peer], None] = lambda _: None,
        framing: Framing | None = None,
        tokens: Tokens | None = None,
        counts: Counts | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.name = "a client"
        self.flow = Flow()
        self._service, self._limits = service, limits
        self._on_made, self._on_lost = on_made, on_lost
        self._wire = Connection(
            framing,
            max_message_bytes=limits.max_message_bytes,
            max_sent_bytes=limits.max_result_bytes,
            max_depth=limits.max_depth,
            max_values=limits.max_values,
        )
        self._counts = counts or Counts()
        self._budget = budget or Budget(limits.max_unsent_total_bytes)
        self.responses = Responses(self._wire, self._counts)
        self.authentication = Authentication(tokens)
        if not self.authentication.complete:
            self._wire.max_message_bytes = min(HELLO_BYTES, limits.max_message_bytes)
        self._loop = asyncio.get_running_loop()
        self._inbox = memoryview(bytearray(_READ_BYTES))
        self._timers = Timers()
        self._heard = self._loop.time()
        self._in_flight = InFlight(limits)
        self._held: Event | None = None  # waits for room or for its turn; later messages are not decoded
        self._resting = False  # waits for other connections to be served
        self._paused = False  # the link was told to stop reading
        self._draining = False  # no more requests are accepted
        self._ended = False  # what still arrives or finishes is ignored
        self._quiet = asyncio.Event()  # set when no request waits or runs and nothing is unsent, or when it has ended

    # Called by the link

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.attach(cast(asyncio.Transport, transport), transport.get_extra_info("peername"))

    def attach(self, link: Link, address: object) -> None:
        """Start. `address` is the peer name of the link's socket."""
        self._link, self.flow.client = link, client_of(address)
        self.name = "{}:{}".format(*address[:2]) if isinstance(address, tuple) else "a local client"
        joins = self._wire.framing is not Framing.FRAMES
        most = self._limits.max_unsent_bytes
        self._outbox = Outbox(link, self.flow, most, self._budget, self._over_budget, joins=joins)
        self._timers.start("idle", self._limits.idle_timeout_s, self._check_idle)
        if not self.authentication.complete:
            self._timers.start("handshake", self._limits.handshake_timeout_s, self._handshake_timed_out)
        self._on_made(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return self._inbox

    def buffer_updated(self, nbytes: int) -> None:
        self.receive(self._inbox[:nbytes])

    def receive(self, *data: bytes | memoryview) -> None:
        """Handle bytes that have arrived; with Framing.FRAMES, each item is one frame."""
        if self._ended:
            return
        self._heard = self._loop.time()
        for part in data:
            self._counts.received_bytes += len(part)
            self._wire.feed(part)
        self._work()

    def eof_received(self) -> None:
        for event in self._wire.receive_eof():
            if isinstance(event, Fatal):
                logger.info("%s: %s", self.name, event.message)
        self._end()  # and the link closes, since this returns None

    def pause_writing(self) -> None:
        self._outbox.pause()
        self._timers.start("send", self._limits.send_timeout_s, self._send_timed_out)

    def resume_writing(self) -> None:
        self._timers.stop("send")
        self._outbox.resume()
        self._work()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            logger.info("%s: the connection was lost: %s", self.name, exc)
        self._end()
        self._timers.stop_all()
        self._outbox.end()
        self._on_lost(self)

    # Called by the server and the service

    async def notify(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification, after waiting until earlier messages have left. Numpy arrays become array maps.

        Raises:
            OSError: the client has disconnected.
        """
        message = self._wire.send_notification(method, [arrays.to_wire(params)])
        self.flow.on_ahead(len(message))
        try:
            await self._outbox.empty()
        finally:
            self.flow.on_ahead(-len(message))
        if self._ended:
            raise ConnectionResetError(f"{self.name} has gone")
        self._send(message)

    def refuse(self, code: Code, message: str, linger_s: float = CLOSE_S) -> None:
        """Send an error that says why, after what is in the link already, and disconnect the client.

        The client has `linger_s` seconds to close the connection itself; what it sends meanwhile is dropped.
        """
        if self._ended:
            return
        logger.info("%s: cut off: %s", self.name, message)
        self._outbox.end_batch()
        self._outbox.drop()
        self._link.write(self._wire.send_fatal(code, message))
        self._end()
        self._half_close(linger_s)

    def _half_close(self, linger_s: float) -> None:
        """Send no more, but read on for up to `linger_s` seconds.

        Closing a socket with unread bytes resets the connection, and the client may lose what was just sent.
        """
        if self._link.can_write_eof():
            with contextlib.suppress(OSError):  # closed already
                self._link.write_eof()
            self._read_on()
            self._timers.start("linger", linger_s, self.close)
        else:  # TLS can't receive after its end, so wait until nothing more is on its way
            self._read_on()
            self._timers.start("linger", min(QUIET_PERIOD_S, linger_s), self.close)

    async def drain(self, grace_s: float) -> None:
        """Drain: wait up to `grace_s` seconds for requests that run, cancel the rest, then close the connection.

        Requests that arrive meanwhile, until the client is quiet for QUIET_PERIOD_S, are refused.
        """
        busy, began = bool(self._in_flight or self._outbox or self._wire.buffered), self._loop.time()
        self._draining = True
        self._work()  # requests that wait for room are refused now
        await self._until_quiet(grace_s)
        self._in_flight.cancel_all()
        await self._until_quiet(CLOSE_S)
        sent = self._loop.time()  # the client may send its next request once it has read the last response
        latest = sent + CLOSE_S
        while not self._ended and (now := self._loop.time()) < min(max(self._heard, sent) + QUIET_PERIOD_S, latest):
            await asyncio.sleep(min(max(self._heard, sent) + QUIET_PERIOD_S, latest) - now)
        await self._until_quiet(CLOSE_S)
        if self._ended:  # it is closing already
            return
        if busy or self._heard > began:
            self.refuse(Code.SHUTTING_DOWN, "the server is shutting down", DRAIN_LINGER_S)
        else:
            self._end()
            self._half_close(QUIET_PERIOD_S)

    def close(self) -> None:
        """Close the connection when what was written has left, or after CLOSE_S."""
        self._end()
        self._timers.start("abort", CLOSE_S, self._link.abort)
        self._link.close()

    def _end(self) -> None:
        self._ended = True
        self._in_flight.cancel_all()
        self._note_quiet()

    async def _until_quiet(self, timeout_s: float) -> None:
        self._quiet.clear()
        self._note_quiet()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._quiet.wait()

    def _note_quiet(self) -> None:
        if self._ended or not (self._in_flight or self._outbox or self._resting):
            self._quiet.set()

    # Requests

    def _work(self) -> None:
        """Handle the messages that have arrived, while there is room."""
        self._outbox.begin_batch()
        taken = 0
        while not self._ended and (event := self._held or self._wire.next_event()) is not None:
            self._timers.stop("message")
            if taken == MESSAGES_PER_TURN:
                self._held = event
                self._rest()
                break
            needs_room = isinstance(event, Request | Invalid)
            self._held = event if needs_room and not self._has_room() else None
            if self._held is not None:
                break
            self._handle(event)
            taken += 1
        self._outbox.end_batch()
        self._note_quiet()
        if self._ended:
            return
        if self._held is None:
            self._read_on()
        elif not self._paused:
            self._paused = True
            self._link.pause_reading()
        if self._wire.buffered and not self._paused:
            self._timers.start("message", self._limits.message_timeout_s, self._receive_timed_out)
        else:
            self._timers.stop("message")

    def _rest(self) -> None:
        """Let other connections be served, and continue after that."""
        if not self._resting:
            self._resting = True
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._resting = False
        self._work()

    def _has_room(self) -> bool:
        return self._outbox.open and (self._draining or self._in_flight.has_room(len(self._outbox)))

    def _read_on(self) -> None:
        if self._paused:
            self._paused = False
            self._link.resume_reading()

    def _handle(self, event: Event) -> None:
        match event:
            case Request():
                self._start(event)
            case Notification("cancel", [{"msgid": int(msgid)}]) if msgid in self._in_flight.calls:
                self._in_flight.calls[msgid].cancel()
            case Invalid(msgid, message):
                self._send(self.responses.refusal(msgid, RpcError(Code.INVALID_REQUEST, message)))
            case Fatal(code, message):
                self.refuse(code, message)
            case _:  # also a cancel for a request that is done or was never made
                logger.debug("%s: ignored %r", self.name, event)

    def _start(self, request: Request) -> None:
        size = self._wire.message_bytes
        try:
            if self._draining:
                raise RpcError(Code.SHUTTING_DOWN, "the server is shutting down")
            if request.msgid in self._in_flight.calls:
                raise RpcError(Code.INVALID_REQUEST, f"msgid {request.msgid} is that of a request still running")
            params, caller = one_map(request.params), Caller(self, request.msgid)
            self._check_access(request.method, params)
            result = self._service.call(request.method, params, connection=caller)
        except WrongToken as error:
            logger.warning("%s: gave a wrong token, or none, and is cut off", self.name)
            self._send(self.responses.failure(request, error))
            self._outbox.end_batch()
            self.close()  # so that each guess costs a new connection
            return
        except Exception as error:
            self._send(self.responses.failure(request, error))
            return
        if isinstance(result, Packed) or not (asyncio.isfuture(result) or asyncio.iscoroutine(result)):
            self._send(self.responses.success(request, result))
            return
        call = asyncio.ensure_future(result)
        self._in_flight.add(request.msgid, call, size)
        call.add_done_callback(functools.partial(self._finish, request, size, self._loop.time()))

    def _check_access(self, method: str, params: dict[str, Any]) -> None:
        was_complete = self.authentication.complete
        self.authentication.check(method, params)
        if not was_complete:
            self._timers.stop("handshake")
            self._wire.max_message_bytes = self._limits.max_message_bytes

    def _finish(self, request: Request, size: int, began: float, call: asyncio.Future[Any]) -> None:
        self._in_flight.remove(request.msgid, size)  # before the response: after it the client may reuse the msgid
        error = self._cancelled() if call.cancelled() else call.exception()
        if self._ended:
            return
        seconds = self._loop.time() - began
        if error is None:
            self._send(self.responses.success(request, call.result(), seconds))
        else:
            self._send(self.responses.failure(request, error, seconds))
        self._work()

    def _cancelled(self) -> RpcError:
        if self._draining:
            return RpcError(Code.SHUTTING_DOWN, "the server shut down before this was done")
        return RpcError(Code.CANCELLED, "the client cancelled this")

    def _send(self, data: bytes) -> None:
        if not self._ended:
            self._counts.sent_bytes += len(data)
            self._outbox.send(data)

    # Time

    def _check_idle(self) -> None:
        limit = self._limits.idle_timeout_s
        assert limit is not None
        left = limit if self._in_flight or self._outbox else self._heard + limit - self._loop.time()
        if left > 0:
            self._timers.start("idle", left, self._check_idle)
        else:
            logger.info("%s: idle for %s s, closed", self.name, limit)
            self.close()

    def _handshake_timed_out(self) -> None:
        self.refuse(Code.UNAUTHORIZED, f"no token within {self._limits.handshake_timeout_s} s")

    def _receive_timed_out(self) -> None:
        self.refuse(Code.DEADLINE_EXCEEDED, f"a message took longer than {self._limits.message_timeout_s} s to arrive")

    def _send_timed_out(self) -> None:
        logger.info("%s: took no data for %s s, cut off", self.name, self._limits.send_timeout_s)
        self._link.abort()

    def _over_budget(self, size: int) -> None:
        most = self._limits.max_unsent_total_bytes
        what = "%s: has not taken %d bytes of responses, all clients together more than %d: cut off"
        logger.info(what, self.name, size, most)
        self._end()
        self._link.abort()
