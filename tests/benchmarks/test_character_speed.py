"""What characters cost, beside the compositor's way:  python -m pytest tests/benchmarks/test_character_speed.py -s

Needs models of characters: the bundled ones, or those of the folder in PCG_MODELS. With the character data's folder in
PCG_CHARACTERS a sheet is made in turn with one that is laid together from hand-drawn layers. Nothing is asserted of
times.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime.local import Local
from runtime.registry import Registry

THREADS, ROUNDS, MONSTERS = 2, 30, 100


@pytest.fixture(scope="module")
def runtime() -> Iterator[Local]:
    folder = Path(os.environ["PCG_MODELS"]) if "PCG_MODELS" in os.environ else None
    missing = {"character-front", "character-walk", "monster"} - Registry(folder).models.keys()
    if missing:
        pytest.skip(f"no model {', '.join(sorted(missing))}: give the folder of some in PCG_MODELS")
    with Local(folder, "cpu", THREADS) as runtime:
        for seed in range(3):
            made = runtime.call("characters.sheet", seed=seed)
            runtime.call("characters.sheet", front=np.ascontiguousarray(made["image"][128:192, :64]))
            runtime.call("characters.monster", seed=0, count=MONSTERS)
        yield runtime


def composer() -> Callable[[int], object] | None:
    """The data folder's own compositor, a random outfit a seed; None where there is no such folder."""
    if "PCG_CHARACTERS" not in os.environ:
        return None
    path = Path(os.environ["PCG_CHARACTERS"]) / "lpc" / "compose.py"
    spec = importlib.util.spec_from_file_location("compose", path)
    assert spec is not None
    assert spec.loader is not None
    compose: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(compose)
    layers = compose.LPC()
    return lambda seed: layers.sample(np.random.default_rng(seed))


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def test_sheets_and_monsters(runtime: Local, capsys: pytest.CaptureFixture[str]) -> None:
    """Every sheet another character, with request checks and provenance; what is compared takes turns."""
    front = np.ascontiguousarray(runtime.call("characters.sheet", seed=0)["image"][128:192, :64])
    work: dict[str, Callable[[int], object]] = {
        "characters.sheet of a seed": lambda seed: runtime.call("characters.sheet", seed=seed),
        "characters.sheet of a drawn front": lambda seed: runtime.call("characters.sheet", front=front, seed=seed),
        "characters.sheet with wishes": lambda seed: runtime.call(
            "characters.sheet", seed=seed, attributes={"body": "female"}
        ),
        f"characters.monster, {MONSTERS} of them": lambda seed: runtime.call(
            "characters.monster", seed=seed * MONSTERS, count=MONSTERS
        ),
    }
    if compose := composer():
        work["compose.py, a sheet"] = compose
    times: dict[str, list[float]] = {name: [] for name in work}
    for k in range(ROUNDS):
        for name, made in work.items():
            times[name].append(seconds(lambda made=made, seed=100 + k: made(seed)))
    loaded = runtime.service.engine.loaded
    names = {model.sha256: model.card.name for model in runtime.service.registry.models.values()}
    bits = ", ".join(f"{names[sha]} {model.precision} bits" for sha, model in loaded.items())
    lines = [f"{THREADS} threads, {bits}"]
    for name, taken in times.items():
        low, high = sorted(taken)[ROUNDS // 10], sorted(taken)[-1 - ROUNDS // 10]
        middle = f"{1e3 * low:.1f} to {1e3 * high:.1f} in the middle eight tenths"
        lines.append(f"{name}: {1e3 * statistics.median(taken):.1f} ms ({middle})")
    with capsys.disabled():
        print("\n" + "\n".join(lines))
