"""Fair queueing of calls of one priority: clients share the run time, then each client's connections share its part.

Theory of operation. A member of a group (a client among clients, a connection among those of its client) has a tag:
the seconds that it has used. The member with the smallest tag is next. The group has a virtual time, `now`: the seconds
that a member which always had work has been given. When a run ends, its member's tag grows by the seconds that it took,
and `now` grows by these seconds divided by the number of active members; `now` is never less than the smallest tag that
waits. A new member starts at `now`. The credit (tag less than `now`) or debt of an inactive member is remembered, but
shrinks by the virtual time that passes. So

- a member can't save up time while it has nothing to do; but a client that sends its next request after the last
  response does not lose its place;
- a client that leaves and comes back under another name gains nothing: `now` has grown as fast as the tags of those who
  stayed. (Tags alone do not achieve this: if new members started at the smallest tag that waits, they would always be
  next, and the smallest tag would never grow.);
- an inactive member is forgotten when its credit or debt has shrunk to nothing, or when no member is active.

A connection that does not read its responses (`Flow.congested`) takes no part until it has read them.

Source: the virtual time is the global pass of C. A. Waldspurger and W. E. Weihl, "Stride Scheduling: Deterministic
Proportional-Share Resource Management" (1995), with equal tickets. The hierarchy, and charging the time that was used
rather than one known before, follow P. Goyal, X. Guo and H. M. Vin, "A Hierarchical CPU Scheduler for Multimedia
Operating Systems" (OSDI 1996).

`jobs.client_of` says what a client is. Several games on one machine may share an address. Then they are one client
among the clients of other machines, and share that client's part fairly as its connections. A game that reconnects for
each request counts as one connection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from runtime.scheduling.jobs import Call, Flow

Member = TypeVar("Member")


class Shares(Generic[Member]):
    """The active members of one group with their tags, and the group's virtual time.

    Iteration gives the active members; `len` counts the inactive ones that are remembered, too.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._active: Counter[Member] = Counter()  # how many times each active member has entered and not left
        self._tags: dict[Member, float] = {}  # seconds used, by active member
        self._away: dict[Member, tuple[float, int]] = {}  # inactive: when its debt (1) or credit (-1) ends

    def __iter__(self) -> Iterator[Member]:
        return iter(self._active)

    def __len__(self) -> int:
        return len(self._tags) + len(self._away)

    def __contains__(self, member: Member) -> bool:
        return member in self._active

    def enter(self, member: Member) -> None:
        """The member has one more call: it becomes active, if it was not."""
        if member not in self._active:
            until, sign = self._away.pop(member, (self.now, 1))
            self._tags[member] = self.now + sign * max(0.0, until - self.now)
            self._away = {away: lag for away, lag in self._away.items() if lag[0] > self.now}
        self._active[member] += 1

    def level(self, member: Member) -> None:
        """The active member loses its credit."""
        self._tags[member] = max(self._tags[member], self.now)

    def leave(self, member: Member) -> None:
        """The member has one call less: without any, it becomes inactive."""
        self._active[member] -= 1
        if not self._active[member]:
            del self._active[member]
            lag = self._tags.pop(member) - self.now
            self._away[member] = self.now + abs(lag), 1 if lag > 0 else -1
        if not self._active:
            self._away.clear()
            self.now = 0.0

    def first(self, ready: Iterable[Member]) -> Member:
        """The next one of `ready`, which are all active."""
        due = min(ready, key=self._tags.__getitem__)
        self.now = max(self.now, self._tags[due])
        return due

    def charge(self, member: Member, seconds: float, sharers: int) -> None:
        """The active member has used `seconds` of time that `sharers` members shared."""
        self._tags[member] += seconds
        self.now += seconds / max(sharers, 1)


class FairQueue:
    """The calls that wait, congested connections' included, and the time that clients and connections have used.

    Each call is added, and then either removed, or begun and ended.
    """

    def __init__(self) -> None:
        self._clients: Shares[str] = Shares()
        self._flows: dict[str, Shares[Flow]] = {}  # by active client
        self._waiting: dict[Flow, dict[Call, None]] = {}  # in order of arrival

    def __contains__(self, call: Call) -> bool:
        return call in self._waiting.get(call.flow, ())

    def __iter__(self) -> Iterator[Call]:
        """The calls that can run: not those of congested connections."""
        for flow, calls in self._waiting.items():
            if not flow.congested:
                yield from calls

    def add(self, call: Call) -> None:
        """Add a call that waits."""
        client = call.flow.client
        self._clients.enter(client)
        self._flows.setdefault(client, Shares()).enter(call.flow)
        self._waiting.setdefault(call.flow, {})[call] = None

    def remove(self, call: Call) -> None:
        """Remove a call that waits and will not run."""
        self.begin(call)
        self._leave(call)

    def next(self) -> Call | None:
        """The call that is next, if any can run. It stays in the queue."""
        ready: dict[str, list[Flow]] = {}
        for flow in self._waiting:
            if not flow.congested:
                ready.setdefault(flow.client, []).append(flow)
        if not ready:
            return None
        client = self._clients.first(ready)
        return next(iter(self._waiting[self._flows[client].first(ready[client])]))

    def begin(self, call: Call) -> None:
        """Take a call that starts to run off the queue."""
        calls = self._waiting[call.flow]
        del calls[call]
        if not calls:
            del self._waiting[call.flow]

    def end(self, call: Call, seconds: float) -> None:
        """Charge the seconds that a call ran to its client and connection."""
        client = call.flow.client
        self._clients.charge(client, seconds, sum(map(_shares, self._flows.values())))
        self._flows[client].charge(call.flow, seconds, sum(not flow.congested for flow in self._flows[client]))
        self._leave(call)

    def wake(self, flow: Flow) -> None:
        """A connection is no longer congested. It loses its credit from before."""
        flows = self._flows.get(flow.client, ())
        if flow in flows:
            self._flows[flow.client].level(flow)
            if all(other.congested or other is flow for other in flows):
                self._clients.level(flow.client)

    def _leave(self, call: Call) -> None:
        client = call.flow.client
        self._flows[client].leave(call.flow)
        self._clients.leave(client)
        if client not in self._clients:
            del self._flows[client]


def _shares(flows: Iterable[Flow]) -> bool:
    return not all(flow.congested for flow in flows)
