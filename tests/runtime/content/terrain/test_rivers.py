"""Rivers as lines: through valleys, as trees, joining from window to window."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import made_land
import numpy as np
import pytest
from made_land import Made
from numpy.typing import NDArray

from runtime.content.terrain import polylines, rivers, streams
from runtime.content.terrain.courses import courses
from runtime.content.terrain.polylines import BASIN, CONTEXT, FRACTION, LAKE, RIVER, SEA, WINDOW
from runtime.content.terrain.streams import CoarseStreams, Streams
from runtime.errors import Code, RpcError
from runtime.local import Local

EAST, SOUTH = 1, 2


@pytest.fixture(scope="module")
def runtime(bundled: Local) -> Local:
    return bundled


@pytest.fixture(scope="module")
def place(runtime: Local) -> dict[str, Any]:
    """Where there are rivers, whatever the model's land looks like."""
    for x in range(0, 16 * 4096, 4096):
        place = {"seed": 5, "x": x, "width": 256, "height": 256}
        if len(runtime.call("terrain.rivers", **place, minimum_km2=10)["ends"]) > 40:
            return place
    raise AssertionError("no rivers anywhere")


# --- courses ---------------------------------------------------------------------------------------------------------


def eastward(rows: int, columns: int) -> Streams:
    """Every cell drains to the east, the middle row much."""
    catchment = np.ones((rows, columns), np.int32)
    catchment[rows // 2] = np.arange(columns) * 10
    return Streams(np.full((rows, columns), EAST, np.int8), catchment)


def test_a_course_keeps_to_the_bottom_of_its_valley() -> None:
    side = 16
    y, x = np.mgrid[0 : 3 * side, 0 : 5 * side]
    bottom = (24 + 6 * np.sin(x / 9)).astype(int)
    ground = (np.abs(y - bottom) * 640 + 100 * 64 - x).astype(np.int32)
    to, cells = courses(ground, eastward(3, 5), 10, 0, 0)
    on = np.argwhere(to >= 0)
    assert len(on) >= 2 * side
    assert np.abs(on[:, 0] - bottom[on[:, 0], on[:, 1]]).max() <= 1
    assert set(np.unique(cells[to >= 0]).tolist()) == {10, 20, 30}  # from the exit of the first cell on


def test_courses_are_trees_that_never_cross() -> None:
    rng = np.random.default_rng(1)
    side, n = 8, 24
    ground = rng.integers(0, 300 * 64, (n * side, n * side)).astype(np.int32)
    found = streams.streams(ground[::side, ::side] * 1, 0, 0)
    to, cells = courses(ground, found, 2, -7, 9)
    begin = np.flatnonzero(to.ravel() >= 0)
    end = to.ravel()[begin]
    across = np.abs(end // ground.shape[1] - begin // ground.shape[1])
    along = np.abs(end % ground.shape[1] - begin % ground.shape[1])
    assert len(begin) > 1000
    assert (np.maximum(across, along) == 1).all()
    steps = {(int(a), int(b)) for a, b in zip(begin, end, strict=True)}
    for a, b in steps:
        if abs(b - a) not in (1, ground.shape[1]):  # a diagonal: the other two corners are not joined
            row, column = a // ground.shape[1], a % ground.shape[1]
            down, right = b // ground.shape[1] - row, b % ground.shape[1] - column
            corners = (row + down) * ground.shape[1] + column, row * ground.shape[1] + column + right
            assert corners not in steps
            assert corners[::-1] not in steps
    assert (cells.ravel()[begin] > 0).all()
    at = begin
    for _ in range(ground.size):  # every way ends
        at = to.ravel()[at]
        at = at[at >= 0]
        if not len(at):
            break
    assert not len(at)


# --- lines -----------------------------------------------------------------------------------------------------------


def way(places: list[tuple[int, int]], to: NDArray[np.int32]) -> None:
    """Water goes from each place (row, column) to the next."""
    for (row, column), (down, right) in pairwise(places):
        to[row, column] = down * to.shape[1] + right


def drawn() -> tuple[NDArray[np.int32], NDArray[np.bool_], NDArray[np.bool_]]:
    """Two brooks that join, flow through a lake and into the sea; the corner of their window is (20, 20)."""
    to = np.full((60, 60), -1, np.int32)
    lake, sea = np.zeros(to.shape, np.bool_), np.zeros(to.shape, np.bool_)
    way([(22, 22 + i) for i in range(5)] + [(22 + i, 26 + i) for i in range(1, 5)], to)  # to (26, 30)
    way([(30 - i, 30) for i in range(5)], to)
    way([(26, 30 + i) for i in range(13)], to)  # on to the east
    lake[26, 33:37] = True
    sea[26, 40:43] = True
    return to, lake, sea


def test_lines_go_from_joint_to_joint() -> None:
    found = polylines.lines(*drawn(), 20, 20, 30, 30)
    assert found.ends.tolist() == [RIVER, LAKE, RIVER, SEA, RIVER]
    assert found.kinds.tolist() == [RIVER, RIVER, LAKE, RIVER, RIVER]
    at = [found.pixels[a:b] for a, b in pairwise(found.starts)]
    assert [(p[0] // 60, p[0] % 60, p[-1] // 60, p[-1] % 60) for p in at] == [
        (22, 22, 26, 30),
        (26, 30, 26, 33),  # in the order of their first pixels
        (26, 33, 26, 36),
        (26, 36, 26, 40),
        (30, 30, 26, 30),
    ]
    points = found.points / FRACTION
    ends = np.concatenate([found.starts[:-1], found.starts[1:] - 1])
    np.testing.assert_array_equal(points[ends], np.stack([found.pixels % 60, found.pixels // 60], -1)[ends] + 0.5)
    bend = points[: found.starts[1]][4]  # the last pixel before the brook turns
    assert bend.tolist() == [26.5, 22.5 + (1 * 2 + 4 * 1) / 16]


def test_a_window_has_the_steps_that_begin_in_it() -> None:
    to, lake, sea = drawn()
    left = polylines.lines(to, lake, sea, 20, 20, 20, 8)
    right = polylines.lines(to, lake, sea, 20, 28, 20, 20)
    assert left.ends.tolist() == [WINDOW]
    assert left.points[-1].tolist() == right.points[0].tolist()
    assert left.pixels[-1] == right.pixels[0] == 24 * 60 + 28
    to[26, 31] = -1
    assert BASIN in polylines.lines(to, lake, sea, 20, 20, 30, 30).ends


def test_no_ways_are_no_lines() -> None:
    nothing = np.zeros((40, 40), np.bool_)
    found = polylines.lines(np.full((40, 40), -1, np.int32), nothing, nothing, CONTEXT, CONTEXT, 20, 20)
    assert (len(found.points), found.starts.tolist(), len(found.ends)) == (0, [0], 0)


# --- rivers ----------------------------------------------------------------------------------------------------------

Step = tuple[float, ...]


def steps(found: dict[str, Any], x: float, y: float) -> dict[tuple[Step, Step], int]:
    """All steps from point to point, in pixels of the world with all that is known of them, and their kind of line."""
    points = np.column_stack(
        [found["points"].astype(np.float64) + np.array([x, y]), found["height"], found["width"], found["catchment"]]
    )
    all_steps = {}
    for a, b, kind in zip(found["starts"], found["starts"][1:], found["kinds"], strict=False):
        line = [tuple(p) for p in points[a:b].tolist()]
        assert len(line) > 1
        for step in pairwise(line):
            assert step not in all_steps
            all_steps[step] = int(kind)
    return all_steps


@pytest.mark.parametrize("lod", [0, 2, 3, 4])
def test_rivers_of_adjoining_windows_are_those_of_one_around_them(lod: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("EXTENT", 15), ("REACH", 40), ("MARGIN", 40 + 2 * 15 + 3), ("REGION", 24)):
        monkeypatch.setattr(streams, name, value)
    row, column, size = -130, 7 * 60, 120
    whole = rivers.trace(Made(), CoarseStreams(), lod, row, column, 2 * size, 2 * size - 7, 3)
    everything = steps(whole, column << lod, row << lod)
    joined: dict[tuple[Step, Step], int] = {}
    for i in (0, size):
        for j in (0, size):
            part = rivers.trace(Made(), CoarseStreams(), lod, row + i, column + j, size, size - (7 if j else 0), 3)
            found = steps(part, (column + j) << lod, (row + i) << lod)
            assert not joined.keys() & found.keys()
            joined |= found
    assert len(everything) > 50
    assert joined == everything
    # And what goes on outside one of them begins in the next.
    leaving = [b - 1 for b, end in zip(whole["starts"][1:], whole["ends"], strict=True) if end == WINDOW]
    for x, y in whole["points"][leaving] / 2**lod:
        assert not (0 <= x < 2 * size - 7 and 0 <= y < 2 * size)


def test_rivers_lie_on_the_ground_that_chunks_have(runtime: Local, place: dict[str, Any]) -> None:
    found = runtime.call("terrain.rivers", **place, minimum_km2=5)
    chunk = runtime.call("terrain.chunk", seed=place["seed"], x=place["x"], layers=["height", "water"])
    assert found["points"].dtype == "<f4"
    assert found["provenance"]["method"] == "terrain.rivers"
    assert found["provenance"]["params"] == place | {
        "y": 0,
        "lod": 0,
        "minimum_km2": 5.0,
        "style": "varied",
        "control": "learned",
        "model": "terrain-detail",
    }
    ends = np.concatenate([found["starts"][:-1], found["starts"][1:] - 1])
    x, y = found["points"][ends].T
    inside = (x >= 0) & (y >= 0) & (x < 256) & (y < 256) & ((x % 1 == 0.5) & (y % 1 == 0.5))
    column, row = x[inside].astype(int), y[inside].astype(int)
    assert inside.sum() > 10
    np.testing.assert_array_equal(found["height"][ends][inside], chunk["height"][row, column])
    crossing = found["starts"][:-1][found["kinds"] == LAKE]
    for x, y in found["points"][crossing]:
        if x % 1 == y % 1 == 0.5 and 0 <= x < 256 and 0 <= y < 256:
            # At its shore a lake may be so shallow that its depth is rounded to nothing, level with the rest.
            near = tuple(slice(max(int(k) - 1, 0), int(k) + 2) for k in (y, x))
            level = chunk["height"].astype(int) + chunk["water"]
            assert ((chunk["water"][near] > 0) & (level[near] == level[int(y), int(x)])).any()
    last = found["starts"][1:] - 1
    drained = found["catchment"]
    assert drained.min() >= 5
    assert all((np.diff(drained[a:b]) >= 0).all() for a, b in zip(found["starts"], last, strict=False))


def test_a_river_is_as_wide_as_the_formula_says(runtime: Local, place: dict[str, Any]) -> None:
    found = runtime.call("terrain.rivers", **place, minimum_km2=10)
    expected = 2.70 * found["catchment"].astype(float) ** 0.352
    assert len(expected) > 20
    assert np.abs(found["width"] - expected).max() <= 0.0501
    assert rivers.WIDTH_EDGES[-1] > (2 * streams.REACH) ** 2 // 2  # no river is wider than the table


def test_the_minimum_leaves_out_and_changes_nothing(runtime: Local, place: dict[str, Any]) -> None:
    many, few = (runtime.call("terrain.rivers", **place, minimum_km2=least) for least in (5, 50))
    assert 0 < len(few["points"]) < len(many["points"])
    assert few["catchment"].min() >= 50


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ({"minimum_km2": 1}, Code.OUT_OF_RANGE, "minimum_km2 1 is out of range; 5 to 500 would do"),
        ({"minimum_km2": 501}, Code.OUT_OF_RANGE, "minimum_km2 501 is out of range"),
        ({"minimum_km2": float("nan")}, Code.OUT_OF_RANGE, "minimum_km2 nan is out of range"),
        ({"minimum_km2": "big"}, Code.INVALID_PARAMS, "minimum_km2"),
        ({"width": 2050}, Code.OUT_OF_RANGE, "width 2050 is out of range; terrain-detail takes 1 to 2049"),
        ({"height": 0}, Code.OUT_OF_RANGE, "height 0"),
        ({"lod": 5}, Code.OUT_OF_RANGE, "lod 5"),
        ({"x": 2**53 + 1}, Code.OUT_OF_RANGE, "x 9007199254740993"),
        ({"seed": -1}, Code.OUT_OF_RANGE, "seed -1"),
        ({"style": "alpne"}, Code.INVALID_PARAMS, "did you mean 'alpine'"),
        ({"layers": ["height"]}, Code.INVALID_PARAMS, "unknown parameter 'layers'"),
        ({"model": "level-sokoban"}, Code.INVALID_PARAMS, "makes level"),
    ],
)
def test_requests_for_no_rivers_are_refused(runtime: Local, params: dict[str, Any], code: Code, words: str) -> None:
    with pytest.raises(RpcError) as caught:
        runtime.call("terrain.rivers", **{"seed": 1, "width": 32} | params)
    assert caught.value.code is code
    assert words in caught.value.message


def test_far_away_and_small_windows_have_rivers_too(runtime: Local) -> None:
    far = runtime.call("terrain.rivers", seed=2**53 - 1, x=2**53, y=-(2**53), width=1, height=1, control="noise")
    assert far["starts"][0] == 0
    assert far["starts"].shape == (len(far["ends"]) + 1,)


def test_made_land_has_rivers_that_reach_the_sea() -> None:
    found = rivers.trace(Made(), CoarseStreams(), 2, 0, 0, 400, 400, 5)
    assert (found["ends"] == SEA).any()
    assert np.isfinite(found["points"]).all()
    assert made_land.heights(0, 0, 0, 1, 1).dtype == np.int32
