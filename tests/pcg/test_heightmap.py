"""Heightmap files: what is written is read back, and light comes from the north-west."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pcg.writers.heightmap import describe, hillshade, metres, read_heightmap, write_heightmap
from pcg.writers.provenance import read_asset


def chunk(steps: np.ndarray) -> dict[str, Any]:
    made = {"version": "1", "statement": "generated", "model": "m", "licence": "MIT é", "params": {"seed": 2**53 - 1}}
    return {"height": steps, "scale": 0.25, "offset": -4096.0, "meters_per_pixel": 90.0, "provenance": made}


@pytest.mark.parametrize("form", ["png", "r16"])
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=hnp.arrays(np.uint16, st.tuples(st.integers(2, 9), st.integers(2, 9))))
def test_files_give_back_what_was_written(tmp_path: Path, form: Any, steps: np.ndarray) -> None:
    path = tmp_path / f"a.{form}"
    written = write_heightmap(chunk(steps), path, form, with_preview=True)
    assert sorted(p.name for p in written) == sorted(p.name for p in tmp_path.iterdir())
    asset = read_asset(path)
    assert asset == describe(chunk(steps), form)
    assert np.array_equal(read_heightmap(path, asset), steps)
    preview = tmp_path / "a.preview.png"
    assert read_heightmap(preview, read_asset(preview)).shape == steps.shape


def test_heights_are_in_metres() -> None:
    assert metres(chunk(np.array([[0, 16384, 65535]], np.uint16))).tolist() == [[-4096, 0, 12287.75]]


def test_light_comes_from_the_north_west() -> None:
    y, x = np.mgrid[0:8, 0:8].astype(np.float32)
    flat = hillshade(np.zeros((8, 8)), 90)
    assert np.unique(flat).tolist() == [int(0.70710677 * 255)]
    facing, averted = hillshade((x + y) * 60, 90), hillshade(-(x + y) * 60, 90)
    assert facing.min() > flat[0, 0] > averted.max()
    assert np.array_equal(hillshade((x - y) * 20, 90), hillshade((y - x) * 20, 90))


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_heightmap(chunk(np.ones((4, 4), np.uint16)), path, "png", with_preview=False)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="2x2"):
        write_heightmap(chunk(np.ones((1, 4), np.uint16)), path, "png", with_preview=True)
    assert path.read_bytes() == before
