"""Streams of cells: the same in every window, and what a catchment promises."""

from __future__ import annotations

import numpy as np
import pytest
from made_land import Made
from numpy.typing import NDArray

from runtime.content.terrain import streams
from runtime.content.terrain.streams import ENDS, SIDES, CoarseStreams, Streams

FAR = 2**49


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Smaller bounds, so that small land has basins that are too wide, and edges of regions."""
    for name, value in (("EXTENT", 15), ("REACH", 40), ("MARGIN", 40 + 2 * 15 + 3), ("REGION", 48)):
        monkeypatch.setattr(streams, name, value)


def of(side: int, row: int = 0, column: int = 0) -> tuple[NDArray[np.int32], Streams]:
    heights = Made()(4, row, column, side, side)
    return heights, streams.streams(heights, row, column)


def receivers(found: Streams) -> NDArray[np.int64]:
    """Row-major indices; -1 where water ends."""
    step = np.array([down * found.direction.shape[1] + right for down, right in SIDES])
    index = np.arange(found.direction.size).reshape(found.direction.shape)
    return np.where(found.direction == ENDS, -1, index + step[found.direction]).ravel()


@pytest.mark.usefixtures("small")
def test_streams_are_the_same_whatever_window_they_are_found_in() -> None:
    _, whole = of(260, -70, 30)
    margin = streams.MARGIN
    for top, left, side in ((20, 60, 190), (70, 1, 189), (0, 0, 200)):
        _, part = of(side, -70 + top, 30 + left)
        inner = slice(margin, side - margin)
        for a, b in zip(part, whole, strict=True):
            rows, columns = (slice(first + margin, first + side - margin) for first in (top, left))
            known = np.s_[max(margin - top, 0) : 260 - margin - top, max(margin - left, 0) : 260 - margin - left]
            both = np.zeros(a.shape, np.bool_)
            both[known] = True
            both[:margin], both[side - margin :], both[:, :margin], both[:, side - margin :] = (False,) * 4
            assert both.sum() > 1000
            np.testing.assert_array_equal(a[inner, inner][both[inner, inner]], b[rows, columns][both[inner, inner]])


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("corner", [(-60, -20), (FAR, -FAR)])
def test_windows_are_cut_from_regions_of_any_size(corner: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = CoarseStreams().window(Made(), *corner, 100, 70)
    assert whole.direction.shape == whole.catchment.shape == (100, 70)
    forgetful = CoarseStreams(limit_bytes=1)
    part = forgetful.window(Made(), corner[0] + 13, corner[1] + 40, 60, 9)
    monkeypatch.setattr(streams, "REGION", 31)
    others = CoarseStreams().window(Made(), *corner, 100, 70)
    for a, b, c in zip(whole, part, others, strict=True):
        np.testing.assert_array_equal(a[13:73, 40:49], b)
        np.testing.assert_array_equal(a, c)


@pytest.mark.usefixtures("small")
def test_a_catchment_is_the_land_whose_water_comes_within_so_many_steps() -> None:
    heights, found = of(150)
    receiver = receivers(found)
    counted = np.zeros(receiver.size, np.int64)
    at = np.arange(receiver.size)
    for _ in range(streams.REACH + 1):
        np.add.at(counted, at[at >= 0], 1)
        at = np.where(at >= 0, receiver[at], -1)
    assert (at >= 0).any()  # some water goes further
    counted[heights.ravel() < 0] = 0
    np.testing.assert_array_equal(found.catchment.ravel(), counted)


@pytest.mark.usefixtures("small")
def test_a_river_ends_only_in_the_sea_or_where_a_wide_basin_is_lowest() -> None:
    """Also where it has more land upstream than is counted."""
    heights, found = of(330)
    receiver, catchment = receivers(found), found.catchment.ravel()
    for least in (3, streams.REACH // 2, streams.REACH):
        rivers = np.flatnonzero((catchment >= least) & (receiver >= 0))
        to = receiver[rivers]
        assert len(rivers) > 100
        assert ((catchment[to] >= least) | (heights.ravel()[to] < 0)).all()
    inner = np.s_[streams.MARGIN : -streams.MARGIN, streams.MARGIN : -streams.MARGIN]
    assert ((found.direction == ENDS) & (heights >= 0))[inner].any()
    assert (found.direction[heights < 0] == ENDS).all()
    assert catchment.max() > 4 * streams.REACH


def test_margins_are_wide_enough_for_what_they_decide() -> None:
    assert streams.MARGIN >= streams.REACH + 2 * streams.EXTENT + 2
