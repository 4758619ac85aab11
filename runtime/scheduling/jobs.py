"""What the scheduler keeps account of: calls that wait, the jobs that they wait for, and whose they are."""

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
    """What goes first. Strictly: while anything of a higher priority waits, nothing of a lower one starts."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


HERE = "this process"  # the client that calls in process are of
_SITE_BITS = 64  # of an IPv6 address, what a provider gives one customer at least


def client_of(address: object) -> str:
    """Whose connections share one client's part of the time, by the address that a socket gives for its other end.

    An IPv4 address is one client, and so is an IPv6 network of 64 bits, since one machine may take any address in it.
    All who use a Unix socket, where there is no address, are one.

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
    """Whose calls are together: those of one connection, or of one thread of this process.

    `client`: whose connection it is (`client_of`); clients share first, then a client's connections.
    """

    def __init__(self, client: str = HERE) -> None:
        self.client = client  # stays as it is once there are calls
        self.congested = False  # set by its connection, and ended by `clear`
        self.schedulers: set[Queues] = set()  # that have had calls of it
        # For who makes results ahead of what its connection takes: how many bytes more, or fewer, wait.
        self.on_ahead: Callable[[int], object] = lambda _: None

    def clear(self) -> None:
        """It is congested no more."""
        self.congested = False
        for scheduler in list(self.schedulers):
            scheduler.wake(self)


class Job:
    """Work that is waited for."""

    def __init__(self, work: Work | Search) -> None:
        self.work = work
        self.calls: set[Call] = set()
        self.running = False
        self.abandoned = False  # nobody waits for it any more: it may stop where it is

    @property
    def priority(self) -> Priority:
        """Of the most urgent call that waits for it."""
        return min((call.priority for call in list(self.calls)), default=Priority.LOW)

    @property
    def client(self) -> str:
        """Of one of the calls that wait for it."""
        return next((call.flow.client for call in list(self.calls)), HERE)


class Call:
    """A request that waits for its job. `future` gets the result, or the error; cancel it to leave."""

    def __init__(self, job: Job, flow: Flow, priority: Priority, deadline_s: float | None) -> None:
        self.job, self.flow, self.priority = job, flow, priority
        self.deadline_s = deadline_s
        self.asked = time.monotonic()
        self.expires = None if deadline_s is None else self.asked + deadline_s
        self.future: Future[Any] = Future()

    def expire(self) -> None:
        """Answer that it is too late."""
        assert self.deadline_s is not None
        message = f"not done within the {1000 * self.deadline_s:.0f} ms that the request allowed"
        self.fail(RpcError(Code.DEADLINE_EXCEEDED, message))

    def fail(self, error: BaseException) -> None:
        """Answer with an error, unless it is answered already."""
        with contextlib.suppress(InvalidStateError):
            self.future.set_exception(error)

    def succeed(self, result: Any) -> None:
        """Answer with a result, unless it is answered already."""
        with contextlib.suppress(InvalidStateError):
            self.future.set_result(result)
