"""A worker process: it makes the assets of the orders that it gets, and writes one while it makes the next.

Threads make assets, each with a runtime of its own where the runtime is a client; one thread writes. When the parent
ends, by whatever cause, the pipe closes and the worker ends at once: what it was writing is in its staging folder only.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from pcg.assets.region import Runtime
from pcg.batch.families.family import Made
from pcg.batch.plan import Order, Place
from pcg.batch.workers.making import Failed, Finished, Rejected, attempt, clear, move, write
from runtime.address import Address
from runtime.errors import Code, RpcError

WAITING = 2  # assets that are made and wait to be written, at most
CALL_S = 600.0
LOST = (Code.SHUTTING_DOWN, Code.OVERLOADED, Code.CANCELLED)  # the runtime does not want the order now; another may


@dataclass(frozen=True)
class Here:
    """A runtime in the worker itself."""

    models: Path | None
    device: Literal["auto", "cpu", "cuda"]
    threads: int


Source = Here | Address


@dataclass(frozen=True)
class Lost:
    """The order was not done: the runtime is gone, or has no time. Another worker does it."""

    place: Place
    why: str


@dataclass(frozen=True)
class Broken:
    """The folder can't be written to, so that no order can be done."""

    why: str


Report = Finished | Rejected | Failed | Lost | Broken


def work(pipe: Connection, source: Source, makers: int, out: Path, staging: Path) -> None:
    """The main function of a worker process. Ends when the pipe closes, or with a None from it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    staging.mkdir(parents=True, exist_ok=True)
    worker = _Worker(pipe, source, out, staging)
    for _ in range(makers):
        threading.Thread(target=worker.make, daemon=True).start()
    threading.Thread(target=worker.write, daemon=True).start()
    while True:
        try:
            order = pipe.recv()
        except (EOFError, OSError):
            os._exit(1)
        if order is None:
            os._exit(0)
        worker.orders.put(order)


class _Worker:
    def __init__(self, pipe: Connection, source: Source, out: Path, staging: Path) -> None:
        self.orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._made: queue.Queue[tuple[Order, Made]] = queue.Queue(WAITING)
        self._pipe, self._source, self._out, self._staging = pipe, source, out, staging
        self._turn = threading.Lock()

    def _report(self, report: Report) -> None:
        try:
            with self._turn:
                self._pipe.send(report)
        except OSError:  # the parent has ended
            os._exit(1)

    def make(self) -> None:
        """Make assets, one after the other."""
        runtime: Any = None
        while True:
            order = self.orders.get()
            try:
                runtime = runtime or self._open()
                made = attempt(runtime, order)
            except (ConnectionError, TimeoutError) as error:
                runtime = None
                self._report(Lost(order.place, str(error)))
            except RpcError as error:
                kind = Lost if error.code in LOST else Failed
                self._report(kind(order.place, f"{order.id}: {error.message}"))
            except Exception as error:  # a fault of ours: the other orders may well be done
                self._report(Failed(order.place, f"{order.id}: {type(error).__name__}: {error}"))
            else:
                if isinstance(made, Rejected):
                    self._report(made)
                else:
                    self._made.put((order, made))

    def _open(self) -> Runtime:
        if isinstance(self._source, Address):
            return self._source.connect(timeout_s=CALL_S)
        from runtime.local import Local

        return Local(self._source.models, self._source.device, self._source.threads)

    def write(self) -> None:
        """Write assets, one after the other."""
        number = 0
        while True:
            order, made = self._made.get()
            folder, number = self._staging / str(number), number + 1
            try:
                record, files = write(made, order, folder)
                move(files, folder, self._out)
            except OSError as error:
                self._report(Broken(str(error)))
            except Exception as error:  # as above
                self._report(Failed(order.place, f"{order.id}: {type(error).__name__}: {error}"))
            else:
                self._report(Finished(order.place, record))
            finally:
                clear(folder)
