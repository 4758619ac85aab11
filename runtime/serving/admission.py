"""Who has a place: how many connections are open, and which goes when there are too many.

A connection has a place from the moment it is accepted. It is a *stranger* until TLS and WebSocket are agreed on and,
where one is needed, a token was given. No stranger keeps others out:

- Where all places are taken, a newcomer gets that of a stranger. Only where there is none is the newcomer refused.
- Strangers who have had PATIENCE_S may fill `max_unauthorised` places together, and `max_unauthorised_per_address` of
  one client address; what is over goes. All users of this machine have one address, so only the first is for them.
- The one that goes is the oldest stranger of the address that has most of them. So whoever opens connections without
  end pushes out his own.

Those that go, and those that are refused, are told why, for which they need a while. At most MOST_LEAVING have it.
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

PATIENCE_S = 1.0  # that every stranger has, however many there are, while there are places
MOST_LEAVING = 32
_SPARE_DESCRIPTORS = 32  # for files, worker processes, and whoever reads the metrics


class Arrival(Protocol):
    """An accepted connection."""

    address: str
    """The client's, without its port; empty where it has none."""
    local: bool
    """Whether that is an address of this machine."""
    since: float
    """When it was accepted, by the event loop's clock."""

    @property
    def stranger(self) -> bool:
        """Whether anything is left to be agreed on, or a token to be given."""

    def turn_away(self, code: Code, message: str) -> None:
        """Tell it why it is cut off, and cut it off."""

    def abort(self) -> None:
        """End it at once."""


class Admission:
    """The places of one server."""

    def __init__(self, limits: Limits) -> None:
        self.most = limits.max_connections
        """How many connections may have a place."""
        self.inside: dict[Arrival, None] = {}  # in the order they came
        self.leaving: dict[Arrival, None] = {}  # without a place, and not closed yet
        self._limits = limits
        self._trimming: asyncio.TimerHandle | None = None

    def fit_to_descriptors(self) -> None:
        """Take only as many connections as there are file descriptors for; warn where that is fewer than allowed."""
        left = _descriptors_left()
        if left is not None and left - MOST_LEAVING - _SPARE_DESCRIPTORS < self.most:
            wanted, self.most = self.most, max(1, left - MOST_LEAVING - _SPARE_DESCRIPTORS)
            logger.warning(
                "max_connections is %d, but this process has file descriptors for %d connections only; "
                "allow it %d more ('ulimit -n', or LimitNOFILE in systemd)",
                wanted,
                self.most,
                wanted + MOST_LEAVING + _SPARE_DESCRIPTORS - left,
            )

    def admit(self, newcomer: Arrival) -> None:
        """Give it a place, or turn it away."""
        if len(self.inside) >= self.most:
            if (victim := _first_to_go(self._strangers())) is None:
                self._turn_away(newcomer, f"the server has its {self.most} connections")
                return
            self._turn_away(victim, "another client needs the place, and no token was given yet")
        self.inside[newcomer] = None
        self._trim()

    def forget(self, arrival: Arrival) -> None:
        """It is closed."""
        self.inside.pop(arrival, None)
        self.leaving.pop(arrival, None)

    def close(self) -> None:
        """All have gone."""
        self._trim_no_more()

    def _turn_away(self, arrival: Arrival, why: str) -> None:
        self.inside.pop(arrival, None)
        if len(self.leaving) >= MOST_LEAVING:
            oldest = next(iter(self.leaving))
            self.leaving.pop(oldest)
            oldest.abort()
        self.leaving[arrival] = None
        arrival.turn_away(Code.OVERLOADED, why)

    def _strangers(self) -> list[Arrival]:
        return [arrival for arrival in self.inside if arrival.stranger]

    def _trim(self) -> None:
        """Turn away the strangers that are too many, and have had their time."""
        while (victim := self._too_many()) is not None:
            loop = asyncio.get_running_loop()
            if (due := victim.since + PATIENCE_S) > loop.time():
                self._trim_no_more()
                self._trimming = loop.call_at(due, self._trim)
                return
            self._turn_away(victim, "too many connections have given no token yet")

    def _trim_no_more(self) -> None:
        if self._trimming is not None:
            self._trimming.cancel()

    def _too_many(self) -> Arrival | None:
        """The stranger to go, if there are too many."""
        strangers, of_one = self._strangers(), self._limits.max_unauthorised_per_address
        if len(strangers) > self._limits.max_unauthorised:
            return _first_to_go(strangers)
        if of_one is None:
            return None
        counts = Counter(arrival.address for arrival in strangers)
        return _first_to_go(a for a in strangers if not a.local and counts[a.address] > of_one)


def _first_to_go(strangers: Iterable[Arrival]) -> Arrival | None:
    """The oldest of the address that has most of them."""
    strangers = list(strangers)
    counts = Counter(arrival.address for arrival in strangers)
    return max(strangers, key=lambda arrival: counts[arrival.address], default=None)  # the first of equals


def _descriptors_left() -> int | None:
    """How many more this process may open; None where the system does not say."""
    try:
        import resource  # not on Windows

        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        for folder in (Path("/proc/self/fd"), Path("/dev/fd")):
            if folder.is_dir():
                return None if limit == resource.RLIM_INFINITY else limit - sum(1 for _ in folder.iterdir())
    except (ImportError, OSError) as error:
        logger.debug("how many file descriptors are left can't be told: %s", error)
    return None
