"""Admission control: how many connections are open, and which one is closed when there are too many.

A connection is admitted as soon as it is accepted. It is *unauthorised* until the TLS and WebSocket handshakes are done
and the client has given a token (where the server needs one). Unauthorised connections can't keep other clients out:

- When the server is full, a new connection takes the place of an unauthorised one. It is refused only if there is none.
- Every unauthorised connection may stay for GRACE_S. After that, at most `max_unauthorised` of them may stay, and at
  most `max_unauthorised_per_address` of one client address; the rest are closed. All users of this machine share one
  address, so the second limit does not apply to them.
- The connection to close is the oldest unauthorised one of the address that has most of them. So a client that opens
  more and more connections only pushes out its own.

A connection that is closed or refused gets an error first, which takes a moment. At most MAX_LEAVING connections are in
this state.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from runtime.errors import Code
from runtime.serving.limits import Limits

logger = logging.getLogger(__name__)

GRACE_S = 1.0  # every unauthorised connection may stay this long, unless the server is full
MAX_LEAVING = 32
_SPARE_DESCRIPTORS = 32  # for files, worker processes and the metrics port


class Arrival(Protocol):
    """An accepted connection."""

    address: str
    """The client's address without the port; empty if it has none."""
    local: bool
    """Whether it is an address of this machine."""
    since: float
    """The time at which it was accepted, by the event loop's clock."""

    @property
    def unauthorised(self) -> bool:
        """Whether a handshake is not done yet, or a token is missing."""

    def turn_away(self, code: Code, message: str) -> None:
        """Send an error that says why, then close the connection."""

    def abort(self) -> None:
        """Close the connection at once."""


class Admission:
    """The open connections of one server, and who may stay."""

    def __init__(self, limits: Limits) -> None:
        self.most = limits.max_connections
        """The largest number of connections that may be admitted."""
        self.admitted: dict[Arrival, None] = {}  # in order of arrival
        self.leaving: dict[Arrival, None] = {}  # turned away, and not closed yet
        self._limits = limits
        self._trimming: asyncio.TimerHandle | None = None

    def fit_to_descriptors(self) -> None:
        """Lower `most` if the process has too few file descriptors for it, and log a warning."""
        left = _descriptors_left()
        if left is not None and left - MAX_LEAVING - _SPARE_DESCRIPTORS < self.most:
            wanted, self.most = self.most, max(1, left - MAX_LEAVING - _SPARE_DESCRIPTORS)
            logger.warning(
                "max_connections is %d, but this process has file descriptors for %d connections only; "
                "allow it %d more ('ulimit -n', or LimitNOFILE in systemd)",
                wanted,
                self.most,
                wanted + MAX_LEAVING + _SPARE_DESCRIPTORS - left,
            )

    def admit(self, newcomer: Arrival) -> None:
        """Admit a new connection, or turn it away."""
        if len(self.admitted) >= self.most:
            if (victim := _first_to_go(self._unauthorised())) is None:
                self._turn_away(newcomer, f"the server has its {self.most} connections")
                return
            self._turn_away(victim, "another client needs the place, and no token was given yet")
        self.admitted[newcomer] = None
        self._trim()

    def forget(self, arrival: Arrival) -> None:
        """Forget a connection that is closed."""
        self.admitted.pop(arrival, None)
        self.leaving.pop(arrival, None)

    def close(self) -> None:
        """Stop the timer, when all connections are closed."""
        self._trim_no_more()

    def _turn_away(self, arrival: Arrival, why: str) -> None:
        self.admitted.pop(arrival, None)
        if len(self.leaving) >= MAX_LEAVING:
            oldest = next(iter(self.leaving))
            self.leaving.pop(oldest)
            oldest.abort()
        self.leaving[arrival] = None
        arrival.turn_away(Code.OVERLOADED, why)

    def _unauthorised(self) -> list[Arrival]:
        return [arrival for arrival in self.admitted if arrival.unauthorised]

    def _trim(self) -> None:
        """Turn away unauthorised connections that are over the limits and older than GRACE_S."""
        while (victim := self._too_many()) is not None:
            loop = asyncio.get_running_loop()
            if (due := victim.since + GRACE_S) > loop.time():
                self._trim_no_more()
                self._trimming = loop.call_at(due, self._trim)
                return
            self._turn_away(victim, "too many connections have given no token yet")

    def _trim_no_more(self) -> None:
        if self._trimming is not None:
            self._trimming.cancel()

    def _too_many(self) -> Arrival | None:
        """The unauthorised connection to close, if there are too many."""
        unauthorised, of_one = self._unauthorised(), self._limits.max_unauthorised_per_address
        if len(unauthorised) > self._limits.max_unauthorised:
            return _first_to_go(unauthorised)
        if of_one is None:
            return None
        counts = Counter(arrival.address for arrival in unauthorised)
        return _first_to_go(a for a in unauthorised if not a.local and counts[a.address] > of_one)


def _first_to_go(arrivals: Iterable[Arrival]) -> Arrival | None:
    """The oldest connection of the address that has most of them."""
    arrivals = list(arrivals)
    counts = Counter(arrival.address for arrival in arrivals)
    return max(arrivals, key=lambda arrival: counts[arrival.address], default=None)  # the first of equals


def _descriptors_left() -> int | None:
    """How many more file descriptors this process may open; None if the system does not say."""
    try:
        import resource  # not on Windows

        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        for folder in (Path("/proc/self/fd"), Path("/dev/fd")):
            if folder.is_dir():
                return None if limit == resource.RLIM_INFINITY else limit - sum(1 for _ in folder.iterdir())
    except (ImportError, OSError) as error:
        logger.debug("how many file descriptors are left can't be told: %s", error)
    return None
