"""How soon a long search ends after Ctrl-C:  pytest tests/benchmarks/test_interrupts.py -s

The aim is 2 s on a machine that is not busy otherwise; the processor's seconds are told as well.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

BEGIN = """
import json, sys
from runtime.local import Local

def report(done, of):
    print("begun", flush=True)

with Local(device="cpu", threads=1) as runtime:
    runtime.call_reporting(sys.argv[1], report, **json.loads(sys.argv[2]))
"""
BOXES, TARGETS = "#" + " $" * 12 + " " * 24 + "#", "#" + " " * 24 + " ." * 12 + "#"
HALL = ["#" * 50, "#@" + " " * 47 + "#", *[BOXES, TARGETS] * 4, *["#" + " " * 48 + "#"] * 39, "#" * 50]
ASKED: dict[str, dict[str, Any]] = {
    "levels.solve": {"game": "sokoban", "budget": 2_000_000, "rows": HALL},
    "levels.generate": {"seed": 1, "game": "platformer", "counts": {"enemies": 500}, "candidates": 4096},
}


@pytest.mark.parametrize("method", ASKED)
def test_interrupts(method: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN, method, json.dumps(ASKED[method])],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    before, began = os.times(), time.perf_counter()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    after = os.times()
    taken = time.perf_counter() - began
    whole = after.children_user + after.children_system - before.children_user - before.children_system
    print(f"\n{method}: ended {taken:.2f} s after the interrupt; {whole:.1f} s of processor in all")
    assert process.returncode not in (0, None)
