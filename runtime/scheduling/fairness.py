"""Calls of one priority in the order in which they are due: clients share the time that is used, then a client's
connections share what is the client's.

Theory of operation. A member of a group (a client among clients, a connection among its client's) has a tag: the
seconds that it has used. The member with the least tag is due. The group has a virtual time, `now`: the seconds that a
member which always had work has been given. When a run ends, its member's tag grows by the seconds that it took, and
`now` by these seconds divided by the number of members that want time; `now` is never less than the least tag that
waits. A new member starts at `now`. What a member is owed (its tag is less than `now`) or owes is kept while it is
away, less the virtual time that has passed since. So

- time cannot be saved up while there is nothing to do; but a client that asks for the next thing when it has the last
  does not lose its place in between;
- whoever leaves and comes back as somebody else gains nothing: `now` has gone on as fast as the tags of those who
  stayed. (Tags alone do not do that. Newcomers that start at the least tag of those who wait are always due before the
  ones who stayed, and the least tag never grows.);
- a member that is gone is forgotten once as much virtual time has passed as it owed or was owed; all are when
  nobody wants time.

A connection that does not read its responses (`Flow.congested`) takes no part until it has read them.

Source: the virtual time is the global pass of C. A. Waldspurger and W. E. Weihl, "Stride Scheduling: Deterministic
Proportional-Share Resource Management" (1995), with equal tickets. The hierarchy, and charging the time that was used
rather than one known before, follow P. Goyal, X. Guo and H. M. Vin, "A Hierarchical CPU Scheduler for Multimedia
Operating Systems" (OSDI 1996).

Who is a client: `jobs.client_of`. On one machine several games may share an address. They are one client beside those
of other machines, and share fairly among each other as its connections: one that reconnects for each request counts
as one connection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from runtime.scheduling.jobs import Call, Flow

Member = TypeVar("Member")


class Shares(Generic[Member]):
    """The members of one group that want time, each with its tag, and the virtual time of the group.

    Iteration gives the members that want time; `len` is how many members are remembered.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._wants: Counter[Member] = Counter()  # how many times each has entered and not left
        self._tags: dict[Member, float] = {}  # seconds, of those that want time
        self._away: dict[Member, tuple[float, int]] = {}  # until when it counts what one owes (1) or is owed (-1)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._wants)

    def __len__(self) -> int:
        return len(self._tags) + len(self._away)

    def __contains__(self, member: Member) -> bool:
        return member in self._wants

    def enter(self, member: Member) -> None:
        """The member wants time, once more."""
        if member not in self._wants:
            until, sign = self._away.pop(member, (self.now, 1))
            self._tags[member] = self.now + sign * max(0.0, until - self.now)
            self._away = {away: lag for away, lag in self._away.items() if lag[0] > self.now}
        self._wants[member] += 1

    def level(self, member: Member) -> None:
        """The member, which wants time, gives up what it is owed."""
        self._tags[member] = max(self._tags[member], self.now)

    def leave(self, member: Member) -> None:
        """The member wants time once less."""
        self._wants[member] -= 1
        if not self._wants[member]:
            del self._wants[member]
            lag = self._tags.pop(member) - self.now
            self._away[member] = self.now + abs(lag), 1 if lag > 0 else -1
        if not self._wants:
            self._away.clear()
            self.now = 0.0

    def first(self, ready: Iterable[Member]) -> Member:
        """Of these, which all want time, the one that is due."""
        due = min(ready, key=self._tags.__getitem__)
        self.now = max(self.now, self._tags[due])
        return due

    def charge(self, member: Member, seconds: float, sharers: int) -> None:
        """The member, which wants time, has used some, while so many wanted it."""
        self._tags[member] += seconds
        self.now += seconds / max(sharers, 1)


class FairQueue:
    """Calls that wait, those of congested connections too, and the accounts of who has used how much.

    A call is added, and then either removed, or begun and ended.
    """

    def __init__(self) -> None:
        self._clients: Shares[str] = Shares()
        self._flows: dict[str, Shares[Flow]] = {}  # of the clients that want time
        self._waiting: dict[Flow, dict[Call, None]] = {}  # in the order they came

    def __contains__(self, call: Call) -> bool:
        return call in self._waiting.get(call.flow, ())

    def __iter__(self) -> Iterator[Call]:
        """The calls that can run."""
        for flow, calls in self._waiting.items():
            if not flow.congested:
                yield from calls

    def add(self, call: Call) -> None:
        """One more waits."""
        client = call.flow.client
        self._clients.enter(client)
        self._flows.setdefault(client, Shares()).enter(call.flow)
        self._waiting.setdefault(call.flow, {})[call] = None

    def remove(self, call: Call) -> None:
        """A call that waited will not run."""
        self.begin(call)
        self._leave(call)

    def next(self) -> Call | None:
        """The call that is due, if any can run. It still waits."""
        ready: dict[str, list[Flow]] = {}
        for flow in self._waiting:
            if not flow.congested:
                ready.setdefault(flow.client, []).append(flow)
        if not ready:
            return None
        client = self._clients.first(ready)
        return next(iter(self._waiting[self._flows[client].first(ready[client])]))

    def begin(self, call: Call) -> None:
        """A call that waited runs."""
        calls = self._waiting[call.flow]
        del calls[call]
        if not calls:
            del self._waiting[call.flow]

    def end(self, call: Call, seconds: float) -> None:
        """A call that ran has used so many seconds."""
        client = call.flow.client
        self._clients.charge(client, seconds, sum(map(_shares, self._flows.values())))
        self._flows[client].charge(call.flow, seconds, sum(not flow.congested for flow in self._flows[client]))
        self._leave(call)

    def wake(self, flow: Flow) -> None:
        """A connection is congested no more. What it was owed before is not kept."""
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
