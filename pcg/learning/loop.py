"""The folder of a training run: its options, its statistics, when to save, and a stop on signals."""

from __future__ import annotations

import json
import re
import signal
import sys
import time
import tomllib
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

RUNS = Path("runs")
SAVE_S, REPORT_S = 240.0, 10.0  # seconds between checkpoints, and between lines of statistics
C = TypeVar("C")


def to_toml(config: Any) -> str:
    """A flat dataclass as TOML. Numbers, strings, booleans and lists are written as in JSON, which is valid TOML."""
    plain = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(config).items() if v is not None}
    return "".join(f"{k} = {json.dumps(v)}\n" for k, v in plain.items())


def read_config(kind: type[C], folder: Path) -> C:
    """The options of a run, as a dataclass of type `kind`. Raises FileNotFoundError when the folder is no run."""
    path = folder / "config.toml"
    if not path.exists():
        raise FileNotFoundError(f"{folder} holds no config.toml; give the folder of a run that has started")
    return kind(**tomllib.loads(path.read_text()))


def describe_run(folder: Path, config: Any, data: dict[str, Any]) -> None:
    """Create the run's folder, and write its options to config.toml and the description of its data to data.json."""
    (folder / "samples").mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(to_toml(config))
    (folder / "data.json").write_text(json.dumps(data, indent=1))


def next_run(model: str, runs: Path = RUNS) -> Path:
    """The folder of a new run, such as runs/00003-terrain-detail, with the next free number."""
    numbers = [int(m[1]) for p in runs.glob("*") if (m := re.match(r"(\d{5})-", p.name))]
    return runs / f"{max(numbers, default=-1) + 1:05d}-{model}"


class Run:
    """Writes stats.jsonl and a line to stderr every REPORT_S seconds; says when to save and when to stop."""

    def __init__(self, folder: Path, steps: int, *, leads: bool) -> None:
        self.folder, self.steps, self.leads = folder, steps, leads
        self.stop_asked = False
        self._started = self._saved = self._reported = time.monotonic()
        self._first_step: int | None = None

    def __enter__(self) -> Run:
        self._old = {s: signal.signal(s, self._ask_stop) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _ask_stop(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.stop_asked = True
        print(f"{signal.Signals(number).name}: saving after this step", file=sys.stderr)

    def report(self, step: int, stats: dict[str, float]) -> None:
        """Write the statistics of a step, every REPORT_S seconds and at the last step."""
        if self._first_step is None:
            self._first_step, self._started = step, time.monotonic()
        now = time.monotonic()
        last = step + 1 >= self.steps
        if not self.leads or (now - self._reported < REPORT_S and not last):
            return
        self._reported = now
        done = step - self._first_step
        seconds = (now - self._started) / done if done else 0.0
        line = {"step": step, "s_per_step": round(seconds, 4), **{k: round(v, 5) for k, v in stats.items()}}
        with (self.folder / "stats.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        left = (self.steps - step) * seconds / 60
        shown = "  ".join(f"{k} {v:.3f}" for k, v in stats.items())
        print(f"step {step}/{self.steps}  {seconds:.3f} s/step  {left:.0f} min left  {shown}", file=sys.stderr)

    def time_to_save(self) -> bool:
        """True every SAVE_S seconds, and when a signal asked to stop."""
        due = self.stop_asked or time.monotonic() - self._saved >= SAVE_S
        if due:
            self._saved = time.monotonic()
        return due
