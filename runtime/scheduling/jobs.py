"""The scheduler's records: calls that wait, the jobs that they wait for, and the connections that they came over."""

from __future__ import annotations

import contextlib
import ipaddress
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from enum import IntEnum
from typing import Any, Protocol

from runtime.errors import Code, RpcError
from runtime.scheduling.work import Search, Work


class Priority(IntEnum):
    """Which calls run first. It is strict: while a call of a higher priority waits, none of a lower one starts."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


HERE = "this process"  # the client of calls that come from this process
_SITE_BITS = 64  # of an IPv6 address: the smallest network that a provider gives to one customer


def client_of(address: object) -> str:
    """The client that a connection belongs to. Connections of one client share that client's part of the time.

    An IPv4 address is one client, and so is an IPv6 network of 64 bits, since one machine may use any address in it.
    All users of the Unix socket, which has no addresses, are one client. `address` is the peer name of a socket.

    >>> client_of(("192.168.1.2", 4000)), client_of(("2001:db8::1", 4000, 0, 0)), client_of("")
    ('192.168.1.2', '2001:db8::', 'local')
    """
    if not isinstance(address, tuple):
        return "local"
    host = str(address[0]).partition("%")[0]  # without the zone of a link-local address
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, _SITE_BITS), strict=False).network_address) if not ip.is_loopback else str(ip)


class Queues(Protocol):
    """A scheduler, as a flow sees it."""

    def wake(self, flow: Flow) -> None:
        """Look again for calls that can run: `flow` is no longer congested."""


class Flow:
    """The calls of one connection, or of one thread of this process.

    `client` is the client of the connection (`client_of`). Time is shared first among clients, then among each
    client's connections.
    """

    def __init__(self, client: str = HERE) -> None:
        self.client = client  # must not change once there are calls
        self.congested = False  # the client does not read; set by the connection, reset by `clear`
        self.schedulers: set[Queues] = set()  # those that had calls of this flow
        # Called with the change in bytes of results that are finished and not yet handed to the connection.
        self.on_ahead: Callable[[int], object] = lambda _: None

    def clear(self) -> None:
        """End the congestion: the client reads again."""
        self.congested = False
        for scheduler in list(self.schedulers):
            scheduler.wake(self)


class Job:
    """Work that one or more calls wait for."""

    def __init__(self, work: Work | Search) -> None:
        self.work = work
        self.calls: set[Call] = set()
        self.running = False
        self.abandoned = False  # no call waits for it any more: it may stop

    @property
    def priority(self) -> Priority:
        """The priority of the most urgent call that waits for it."""
        return min((call.priority for call in list(self.calls)), default=Priority.LOW)

    @property
    def client(self) -> str:
        """The client of one of the calls that wait for it."""
        return next((call.flow.client for call in list(self.calls)), HERE)


class Call:
    """A request that waits for its job. `future` gets the result or the error; cancel it to give up the call."""

    def __init__(self, job: Job, flow: Flow, priority: Priority, deadline_s: float | None) -> None:
        self.job, self.flow, self.priority = job, flow, priority
        self.deadline_s = deadline_s
        self.asked = time.monotonic()
        self.expires = None if deadline_s is None else self.asked + deadline_s
        self.future: Future[Any] = Future()

    def expire(self) -> None:
        """Fail with DEADLINE_EXCEEDED."""
        assert self.deadline_s is not None
        message = f"not done within the {1000 * self.deadline_s:.0f} ms that the request allowed"
        self.fail(RpcError(Code.DEADLINE_EXCEEDED, message))

    def fail(self, error: BaseException) -> None:
        """Set the error, unless the call is done already."""
        with contextlib.suppress(InvalidStateError):
            self.future.set_exception(error)

    def succeed(self, result: Any) -> None:
        """Set the result, unless the call is done already."""
        with contextlib.suppress(InvalidStateError):
            self.future.set_result(result)
