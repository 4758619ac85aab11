"""Runs a plan to its end: what is there is kept, what is missing is made, and the manifest says what there is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pcg.batch.cells import Progress
from pcg.batch.filters import first_fault
from pcg.batch.manifest import MANIFEST, REJECTED, SPEC, STATE, Journal, fault_of, known_records
from pcg.batch.plan import Order, Place, Plan
from pcg.batch.reporting import Reporter, amount
from pcg.batch.workers.making import Failed, Finished, Rejected
from pcg.batch.workers.pool import Pool
from pcg.writers.files import check_target, locked, replace_file

POLL_S = 0.2
STAGING = "staging"
ENDING_S = 5.0  # to wait for a batch that was just stopped
SPARE = 1.1  # of the estimated bytes, what must be free
SHOWN = 5  # names in a message


@dataclass
class Summary:
    """What came of a batch. `short`: entries that have fewer assets than wanted, in words; `failed`: orders, why."""

    made: int = 0
    kept: int = 0
    rejected: int = 0
    short: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    others: int = 0


def check_folder(plan: Plan, out: Path, *, force: bool) -> None:
    """Check, before any work, that a plan can be written into a folder.

    Raises:
        FileExistsError: a file is in the way that no batch has written.
        OSError: the folder can't be written to, or the disk has too little space.
    """
    check_target(out / MANIFEST)
    if not force and (found := list(_in_the_way(plan.orders(), Taken(out, plan)))):
        names = ", ".join(found[:SHOWN]) + (", ..." if len(found) > SHOWN else "")
        raise FileExistsError(
            f"{out} has files that this batch would replace and that no batch has made: {names}. "
            "Give another --out, or --force to replace them"
        )
    there = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    free, needed = shutil.disk_usage(there).free, plan.cost.size * SPARE
    if needed > free and not (out / MANIFEST).exists() and not (out / STATE).exists():
        raise OSError(f"the batch needs about {amount(needed)}, and {there} has {amount(free)} free")


class Taken:
    """The files of a folder that no batch has made, by the names of assets that they would stand in the way of."""

    def __init__(self, out: Path, plan: Plan) -> None:
        self._known: set[str] = set()
        self._files: dict[str, list[str]] = {}
        if not out.is_dir():
            return
        spec = out / SPEC
        if spec.exists() and spec.read_bytes() == plan.spec.text.encode():
            return  # it was begun here, so what has its names is its own
        for record in known_records(out):
            self._known |= {file["path"] for file in record.get("files", ())}
        for folder, _, files in os.walk(out):
            above = Path(folder).relative_to(out).as_posix()
            for file in files:
                path = file if above == "." else f"{above}/{file}"
                if path not in self._known and not path.startswith(STATE):
                    stem = file.partition(".")[0]
                    self._files.setdefault(f"{above}/{stem}" if above != "." else stem, []).append(path)

    def by(self, order: Order) -> str | None:
        """A file in the way of an order's asset."""
        folder, _, name = order.id.rpartition("/")
        stem = name.partition(".")[0]
        found = self._files.get(f"{folder}/{stem}" if folder else stem, ())
        return next((path for path in found if path.startswith(f"{order.id}.")), None)


def _in_the_way(orders: Iterable[Order], taken: Taken) -> Iterator[str]:
    return (path for order in orders if (path := taken.by(order)) is not None)


def run(plan: Plan, out: Path, pool: Callable[[Path], Pool], report: Reporter, *, force: bool = False) -> Summary:
    """Make what is missing of a plan.

    However it ends, the manifest then tells what there is, unless the process is killed: then the journal does.

    Args:
        plan: what is wanted.
        out: the folder of the assets.
        pool: opens who does the orders; called with a folder for files that are not complete yet, and only if there is
            something to do.
        report: is told what happens.
        force: replace files that no batch has made.

    Raises:
        OSError: a file can't be written; PoolError; KeyboardInterrupt.
    """
    with locked(out / MANIFEST, ENDING_S):
        batch = _Batch(plan, out, report, force=force)
        opened: Pool | None = None
        try:
            while True:
                for order in batch.orders():
                    opened = opened or pool(out / STATE / STAGING)
                    opened.give(order)
                    while not opened.room():
                        batch.hear(opened)
                if opened is None or not batch.waiting:
                    break
                batch.hear(opened)
            batch.complete = True
        finally:
            if opened is not None:
                opened.close()
            batch.finish()
        return batch.summary


class _Batch:
    """The state of a run."""

    def __init__(self, plan: Plan, out: Path, report: Reporter, *, force: bool) -> None:
        self._plan, self._out, self._report = plan, out, report
        self._taken = None if force else Taken(out, plan)
        self._journal = Journal(out)
        replace_file(out / SPEC, plan.spec.text.encode())
        self._cells = [Progress(cell) for cell in plan.cells]
        self._by_place = {cell.cell.place: cell for cell in self._cells}
        self._assets: dict[Place, tuple[int, int]] = {}
        self._rejected: dict[Place, tuple[int, int]] = {}
        self._names: set[str] = set()  # of all orders
        self.summary = Summary()
        self.complete = False

    @property
    def waiting(self) -> int:
        """Orders that were given and are not done."""
        return sum(cell.waiting for cell in self._cells)

    def orders(self) -> Iterator[Order]:
        """The orders that can be given now, one after the other. What is there already is kept, and not given."""
        for cell in self._cells:
            while (order := cell.next()) is not None:
                if order.id in self._names:
                    raise ValueError(f"{order.id!r} is the name of another asset, too; give the entry another name")
                self._names.add(order.id)
                if not self._known(order, cell):
                    if self._taken is not None and (path := self._taken.by(order)) is not None:
                        raise FileExistsError(f"{path} is there, and no batch has made it; --force replaces it")
                    yield order

    def _known(self, order: Order, cell: Progress) -> bool:
        """Whether an earlier run has done an order."""
        record = self._journal.record(order.id)
        if record is None or record["key"] != order.key:
            return False
        if "measures" in record and first_fault(order.keep, record["measures"], record["tags"]) is not None:
            if "files" in record:
                return False  # it was kept by other conditions: judge it again
        elif "files" not in record:
            if "measures" in record:
                return False  # it was rejected by other conditions
        elif (fault := fault_of(record, self._out)) is not None:
            self._report.event("note", text=f"{order.id} is made again: {fault}")
            return False
        where = self._journal.begun[order.id]
        if "files" in record:
            self._assets[order.place] = where
            cell.keep(order.place[2])
            self.summary.kept += 1
            self._report.event("kept", id=order.id)
        else:
            self._rejected[order.place] = where
            cell.reject()
            self.summary.rejected += 1
        self._tell()
        return True

    def hear(self, pool: Pool) -> None:
        """Take what the pool has done; waits for something to be done."""
        for done in pool.reports(POLL_S):
            cell = self._by_place[done.place[:2]]
            if isinstance(done, Finished):
                self._assets[done.place] = self._journal.add(done.record)
                cell.keep(done.place[2])
                self.summary.made += 1
                self._report.event("made", id=done.record["id"], file=done.record["file"])
            elif isinstance(done, Rejected):
                self._rejected[done.place] = self._journal.add(done.record)
                cell.reject()
                self.summary.rejected += 1
                self._report.event("rejected", id=done.record["id"], why=done.record["why"])
            else:
                assert isinstance(done, Failed)
                cell.fail(done.place[2])
                self.summary.failed.append(done.why)
                self._report.event("failed", text=done.why)
        for note in pool.notes():
            self._report.event("note", text=note)
        self._tell()

    def _tell(self) -> None:
        self._report.progress(self.summary.made + self.summary.kept + len(self.summary.failed), self._plan.count)

    def finish(self) -> None:
        """Write the manifest; remove what is left of the run, and if the batch is complete, the state."""
        shutil.rmtree(self._out / STATE / STAGING, ignore_errors=True)
        assets = [self._assets[place] for place in sorted(self._assets)]
        rejected = [self._rejected[place] for place in sorted(self._rejected)]
        for name, where in self._journal.begun.items():  # of other specifications, or not looked at yet
            if name in self._names:
                continue
            record = self._journal.record(name) or {}
            if "files" in record and fault_of(record, self._out) is None:
                assets.append(where)
                self.summary.others += 1
            elif "files" not in record and not self.complete:
                rejected.append(where)
        self._journal.write(MANIFEST, assets)
        self._journal.write(REJECTED, rejected)
        self._journal.close()
        shutil.rmtree(self._out / STATE, ignore_errors=True)
        self.summary.short = [_shortage(cell) for cell in self._cells if self.complete and cell.missing]


def _shortage(cell: Progress) -> str:
    entry, values = cell.cell.entry, ", ".join(f"{k} {v}" for k, v in cell.cell.values.items())
    what = f"{entry.label} ({values})" if values else entry.label
    if cell.failed:
        return f"{what}: {cell.kept} of {entry.count}; {cell.failed} failed"
    return f"{what}: {cell.kept} of {entry.count}; {cell.rejected} seeds were rejected, {REJECTED} says why"
