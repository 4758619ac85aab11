"""Actors of Ray that make assets: each keeps its models loaded. Ray places them, and starts a lost one anew.

Only this module imports ray, which the extra `ray` brings. Assets come back as bytes, since the machines of a cluster
need not share a disk, and are written here.
"""

from __future__ import annotations

import itertools
import logging
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pcg.batch.families.family import Written
from pcg.batch.plan import Order
from pcg.batch.workers.making import Failed, Finished, Rejected, attempt, move, write
from pcg.batch.workers.pool import PoolError
from runtime.errors import RpcError

AHEAD = 2  # orders of an actor, the one that it makes included


@dataclass(frozen=True)
class Sent:
    """An asset as it travels: its record, and its files with their roles and paths."""

    record: dict[str, Any]
    files: list[tuple[str, str, bytes]]


class Maker:
    """What an actor runs. Its runtime stays, with the models that it has loaded."""

    def __init__(self, models: Path | None, device: str, threads: int) -> None:
        from runtime.local import Local

        self._runtime = Local(models, device, threads)

    def ready(self) -> bool:
        """Answers once the actor is up."""
        return True

    def make(self, order: Order) -> Sent | Rejected | Failed:
        """The asset of an order."""
        try:
            made = attempt(self._runtime, order)
        except RpcError as error:
            return Failed(order.place, f"{order.id}: {error.message}")
        if isinstance(made, Rejected):
            return made
        folder = Path(tempfile.mkdtemp(prefix="pcg-batch-"))
        try:
            record, files = write(made, order, folder)
            return Sent(record, [(f.path.relative_to(folder).as_posix(), f.role, f.path.read_bytes()) for f in files])
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class Actors:
    """A pool of actors."""

    def __init__(
        self, address: str, jobs: int | None, out: Path, staging: Path, models: Path | None, device: str, threads: int
    ) -> None:
        """Connect to a cluster, or with the address `local` start one on this machine.

        Raises:
            ModuleNotFoundError: ray is missing; ConnectionError: there is no cluster; PoolError: it gives no actor.
        """
        import ray

        self._ray, self._out, self._staging, self._numbers = ray, out, staging, itertools.count()
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "include_dashboard": False}
        if address == "local":
            ray.init(num_cpus=jobs, **options)
        else:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        count = jobs or max(1, int(ray.cluster_resources().get("CPU", 1)))
        actor: Any = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=-1)(Maker)
        self._actors: list[Any] = [actor.remote(models, device, threads) for _ in range(count)]
        self._refs: dict[Any, tuple[Any, Order]] = {}
        ready, _ = ray.wait([one.ready.remote() for one in self._actors], timeout=120)
        if not ready:
            self.close()
            raise PoolError("Ray started none of its actors within two minutes")

    def room(self) -> bool:
        """Whether another order can be given."""
        return len(self._refs) < AHEAD * len(self._actors)

    def give(self, order: Order) -> None:
        """Give an order to the actor that has the fewest."""
        load = {id(actor): 0 for actor in self._actors}
        for actor, _ in self._refs.values():
            load[id(actor)] += 1
        actor = min(self._actors, key=lambda one: load[id(one)])
        self._refs[actor.make.remote(order)] = actor, order

    def reports(self, timeout_s: float) -> list[Finished | Rejected | Failed]:
        """What was done since the last call."""
        if not self._refs:
            return []
        ready, _ = self._ray.wait(list(self._refs), timeout=timeout_s)
        return [self._done(ref) for ref in ready]

    def _done(self, ref: Any) -> Finished | Rejected | Failed:
        _, order = self._refs.pop(ref)
        try:
            result = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            return Failed(order.place, f"{order.id}: {error}")
        if not isinstance(result, Sent):
            return result
        folder = self._staging / str(next(self._numbers))
        files = [Written(folder / path, role) for path, role, _ in result.files]
        for file, (_, _, data) in zip(files, result.files, strict=True):
            file.path.parent.mkdir(parents=True, exist_ok=True)
            file.path.write_bytes(data)
        move(files, folder, self._out)
        shutil.rmtree(folder, ignore_errors=True)
        return Finished(order.place, result.record)

    def notes(self) -> list[str]:
        """Ray tells of lost actors in its own logs."""
        return []

    def close(self) -> None:
        """Stop the actors at once."""
        self._ray.shutdown()
