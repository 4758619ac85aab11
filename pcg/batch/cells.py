"""Which order of a cell comes next: a cell wants `count` assets, and some seeds give none that is kept.

Orders may be done in any order, and still the assets of the same seeds are kept: those of the first `count` seeds whose
asset is kept. An order is given only if fewer than `count` of those before it are kept or not done yet, so each asset
that is kept is one of the first `count`.
"""

from __future__ import annotations

from pcg.batch.plan import Cell, Order


class Progress:
    """How far a cell is."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.given = 0  # orders that were given, numbered from 0
        self.kept = 0
        self.rejected = 0
        self.waiting = 0  # given and not done
        self.failed = 0  # they hold their place: another try may give them
        self.last_kept = -1
        self._ended = False

    def next(self) -> Order | None:
        """The next order, or None if there is none now."""
        entry = self.cell.entry
        if self._ended:
            return None
        if entry.seeds is None and (
            self.kept + self.waiting + self.failed >= entry.count or self._run() >= entry.tries
        ):
            return None
        order = self.cell.order(self.given)
        if order is None:
            self._ended = True
            return None
        self.given += 1
        self.waiting += 1
        return order

    def _run(self) -> int:
        """The most seeds in a row, up to the last one given, that may turn out to be rejected."""
        return self.given - self.last_kept - 1

    def keep(self, number: int) -> None:
        """Order `number` gave an asset."""
        self.waiting -= 1
        self.kept += 1
        self.last_kept = max(self.last_kept, number)

    def reject(self) -> None:
        """An order gave no asset that is kept."""
        self.waiting -= 1
        self.rejected += 1

    def fail(self, number: int) -> None:
        """An order failed, and holds its place for another run."""
        self.waiting -= 1
        self.failed += 1
        self.last_kept = max(self.last_kept, number)

    @property
    def missing(self) -> int:
        """How many assets are wanted and not there; of a list of seeds, only those that failed."""
        return self.failed if self.cell.entry.seeds is not None else self.cell.entry.count - self.kept
