"""How soon a large map ends after Ctrl-C, and what it keeps:  pytest tests/benchmarks/test_interruption_speed.py -s

A map of 4,096 pixels a side is interrupted at several moments after its first strip is on the disk; at last the same
command goes on with what was kept.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

SIDE, PAUSES_S = 4096, (0.0, 0.7, 1.9)


def test_a_large_map_ends_soon_after_ctrl_c_and_keeps_its_strips(tmp_path: Path) -> None:
    out, journal = tmp_path / "map.png", tmp_path / "map.png.part.json"
    command = [sys.executable, "-m", "pcg.cli", "terrain", str(out), "--size", str(SIDE), "--seed", "5"]
    kept = 0
    for pause in PAUSES_S:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while not (journal.exists() and json.loads(journal.read_bytes())["rows"] > kept):
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(pause)
        began = time.perf_counter()
        process.send_signal(signal.SIGINT)
        told = process.communicate()[1]
        seconds = time.perf_counter() - began
        rows = json.loads(journal.read_bytes())["rows"]
        print(f"\n{seconds:.2f} s from Ctrl-C to the end, {rows} of {SIDE} rows kept")
        assert process.returncode == 130, told
        assert rows > kept
        kept = rows
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"going on at row {kept} of {SIDE}" in done.stderr
