"""Land of sketches over the bundled model: their heights, windows, levels and grain, and sketches that are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lands import ALL_LAYERS, QUARTER, fault, metres
from numpy.typing import NDArray

from runtime.content.terrain.ground import mirrored
from runtime.content.terrain.measures import HIGHEST_M, LODS, LOWEST_M, PIXELS_PER_CELL
from runtime.errors import Code
from runtime.local import Local
from runtime.service import Service


@pytest.fixture(scope="module")
def runtime(bundled: Local) -> Local:
    return bundled


def hills(rows: int = 6, columns: int = 9, low: float = 1500.0, relief: float = 900.0) -> NDArray[np.float32]:
    """A sketch far above the sea."""
    rng = np.random.default_rng(rows * 100 + columns)
    return (low + relief * rng.random((rows, columns))).astype(np.float32)


def test_the_land_of_a_sketch_has_its_heights(runtime: Local) -> None:
    control = hills()
    made = runtime.call("terrain.sketch", seed=4, control=control)
    assert made["height"].shape == (6 * PIXELS_PER_CELL, 9 * PIXELS_PER_CELL)
    land = metres(made)
    means = land.reshape(6, 16, 9, 16).mean((1, 3))
    assert np.abs(means - control).max() < 0.05 * np.ptp(control)
    assert np.abs(means - control).max() < 0.3  # in fact much closer
    assert np.unique(land).size > 200


@pytest.mark.parametrize("lod", range(1, LODS))
def test_levels_of_a_sketch_are_block_means_of_the_finest(runtime: Local, lod: int) -> None:
    control = hills(4, 5)
    fine = metres(runtime.call("terrain.sketch", seed=4, control=control))
    coarse = metres(runtime.call("terrain.sketch", seed=4, control=control, lod=lod))
    block = 1 << lod
    means = fine.reshape(64 >> lod, block, 80 >> lod, block).mean((1, 3))
    assert coarse.shape == means.shape
    assert np.abs(means - coarse).max() < QUARTER


@pytest.mark.parametrize("lod", [0, 1, 4])
def test_a_window_of_a_sketch_is_cut_from_the_whole(runtime: Local, lod: int) -> None:
    control = hills(7, 8, low=-300)  # with a coast
    params = {"seed": 4, "control": control, "lod": lod, "layers": ALL_LAYERS}
    whole = runtime.call("terrain.sketch", **params)
    rows, columns = whole["height"].shape
    top, left, height, width = rows // 3, columns // 4, rows // 2, columns // 3
    part = runtime.call("terrain.sketch", **params, x=left << lod, y=top << lod, width=width, height=height)
    for name in ALL_LAYERS:
        assert part[name].tobytes() == whole[name][top : top + height, left : left + width].tobytes(), name
    rest = runtime.call("terrain.sketch", **params, x=left << lod, y=top << lod)
    assert np.array_equal(rest["height"], whole["height"][top:, left:])


def test_the_same_numbers_in_another_shape_are_another_land(runtime: Local) -> None:
    """Also for what is kept between requests."""
    control = hills(4, 6)
    runtime.call("terrain.sketch", seed=6, control=control, layers=["flow"])
    again = runtime.call("terrain.sketch", seed=6, control=control.reshape(6, 4), layers=["flow"])["flow"]
    fresh = Service(runtime.service.registry, runtime.service.engine)
    params = {"seed": 6, "control": control.reshape(6, 4), "layers": ["flow"]}
    assert np.array_equal(again, fresh.call_blocking("terrain.sketch", params)["flow"])


def test_a_sketch_has_a_sea_where_it_says(runtime: Local) -> None:
    control = np.full((4, 12), 600, np.float32)
    control[:, :6] = -500
    land = metres(runtime.call("terrain.sketch", seed=1, control=control))
    assert np.median(land[:, :32]) == pytest.approx(-500, abs=20)
    assert land[:, -48:].min() > 0


def test_a_sketch_may_be_of_any_number_and_what_it_means_is_the_same(runtime: Local) -> None:
    whole = np.arange(6, dtype=np.int16).reshape(2, 3) * 100 + 50
    flipped = np.ascontiguousarray(whole[::-1])[::-1]
    found = {
        runtime.call("terrain.sketch", seed=1, control=control)["height"].tobytes()
        for control in (whole, whole.astype("<f8"), whole.astype(">f4"), flipped)
    }
    assert len(found) == 1


def test_the_provenance_of_a_sketch_names_it_by_its_digest(runtime: Local) -> None:
    made = runtime.call("terrain.sketch", seed=1, control=hills(2, 2))["provenance"]
    other = runtime.call("terrain.sketch", seed=1, control=hills(2, 2) + 1)["provenance"]
    assert made["method"] == "terrain.sketch"
    assert len(made["params"]["control_sha256"]) == 64
    assert made["params"]["control_sha256"] != other["params"]["control_sha256"]
    assert "control" not in made["params"]


@pytest.mark.parametrize(
    ("control", "code", "words"),
    [
        ([[1.0, 2.0], [3.0, 4.0]], Code.INVALID_PARAMS, "control is list; it must be an array"),
        ("hills", Code.INVALID_PARAMS, "control is str"),
        (np.zeros(9, np.float32), Code.INVALID_PARAMS, "an array of shape (9,)"),
        (np.zeros((3, 3, 3), np.float32), Code.INVALID_PARAMS, "an array of shape (3, 3, 3)"),
        (np.zeros((3, 3), np.complex64), Code.INVALID_PARAMS, "an array of shape (3, 3), complex64"),
        (np.full((3, 3), "high"), Code.INVALID_PARAMS, "an array of shape (3, 3), <U4"),
        (np.zeros((1, 1), np.float32), Code.OUT_OF_RANGE, "control has 1x1 values; a side may have 2 to 1024"),
        (np.zeros((3, 1025), np.float32), Code.OUT_OF_RANGE, "control has 1025x3 values"),
        (np.zeros((0, 5), np.float32), Code.OUT_OF_RANGE, "control has 5x0 values"),
        (np.array([[1, 2], [3, np.nan]]), Code.INVALID_PARAMS, "that are no number, the first in row 1, column 1"),
        (np.array([[-np.inf, 2], [3, np.nan]], np.float32), Code.INVALID_PARAMS, "2 values that are no number"),
        (np.array([[1, 2], [3, 1e300]]), Code.INVALID_PARAMS, "no number"),
        (np.full((2, 2), HIGHEST_M + 1), Code.OUT_OF_RANGE, "-4096 to 12287.8 m can be sent"),
        (np.full((2, 2), LOWEST_M - 1), Code.OUT_OF_RANGE, "control goes from -4097 to -4097 m"),
    ],
)
def test_sketches_that_are_none_are_refused(runtime: Local, control: Any, code: Code, words: str) -> None:
    error = fault(runtime, "terrain.sketch", seed=1, control=control)
    assert error.code is code
    assert words in error.message
    assert error.details["parameter"] == "control"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"x": 1, "width": 48}, "the window of 48x32 pixels at x 1, y 0 reaches beyond the sketch, which has 48x32"),
        ({"y": 30, "height": 3}, "reaches beyond the sketch"),
        ({"x": -1}, "reaches beyond the sketch"),
        ({"x": -16, "width": 8}, "reaches beyond the sketch"),
        ({"lod": 2, "width": 13}, "at lod 2"),
        ({"x": 48}, "width 0 is out of range"),
        ({"y": 33}, "height -1 is out of range"),
        ({"width": 0}, "width 0 is out of range; terrain-detail takes 1 to 2049"),
        ({"height": 5000}, "height 5000 is out of range"),
        ({"lod": 5}, "lod 5 is out of range; terrain-detail takes 0 to 4"),
    ],
)
def test_windows_beyond_a_sketch_are_refused(runtime: Local, params: dict[str, Any], words: str) -> None:
    error = fault(runtime, "terrain.sketch", seed=1, control=hills(2, 3), **params)
    assert error.code is Code.OUT_OF_RANGE
    assert words in error.message


def test_a_sketch_needs_its_control(runtime: Local) -> None:
    error = fault(runtime, "terrain.sketch", seed=1)
    assert error.code is Code.INVALID_PARAMS
    assert "control" in error.message
    error = fault(runtime, "terrain.sketch", seed=1, control=hills(2, 2), style="alpine")
    assert "unknown parameter 'style'" in error.message


def test_a_sketch_is_mirrored_beyond_its_edges() -> None:
    assert mirrored(np.arange(-4, 8), 3).tolist() == [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]
    assert mirrored(np.arange(-2, 3), 1).tolist() == [0] * 5
    assert mirrored(np.array([-(2**40), 2**40]), 5).max() < 5


def test_a_grain_changes_what_is_fine_and_not_what_was_drawn(runtime: Local) -> None:
    control = hills(8, 8)
    lands = {
        grain: metres(runtime.call("terrain.sketch", seed=4, control=control, grain=grain)) for grain in (-1, 0.0, 1)
    }
    for land in lands.values():
        means = land.reshape(8, 16, 8, 16).mean((1, 3))
        assert np.abs(means - control).max() < 0.3
    bends = [np.abs(np.diff(lands[grain], 2, axis=0)).mean() for grain in (-1, 0.0, 1)]
    assert bends[0] < bends[1] < bends[2]
    drawn = metres(runtime.call("terrain.sketch", seed=4, control=control))
    assert all((drawn != land).any() for land in lands.values())


@pytest.mark.slow
def test_a_grain_is_part_of_what_is_kept_of_a_sketch(runtime: Local) -> None:
    """Lakes and rivers are kept by the ground they were found on; another grain is another ground."""
    control = hills(6, 6)
    flows = [runtime.call("terrain.sketch", seed=4, control=control, grain=g, layers=["flow"])["flow"] for g in (-1, 1)]
    assert (flows[0] != flows[1]).any()


@pytest.mark.parametrize("grain", [-1.01, 2, float("nan"), float("inf")])
def test_grains_that_are_none_are_refused(runtime: Local, grain: float) -> None:
    error = fault(runtime, "terrain.sketch", seed=1, control=hills(2, 2), grain=grain)
    assert error.code is Code.OUT_OF_RANGE
    assert f"grain {grain} is out of range; -1 to 1 would do" in error.message


def test_only_a_sketch_has_a_grain(runtime: Local) -> None:
    assert "unknown parameter 'grain'" in fault(runtime, "terrain.chunk", seed=1, grain=0).message
