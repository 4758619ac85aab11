"""Linearity and leniency of levels with known values, and their picture."""

from __future__ import annotations

import numpy as np
import pytest

from pcg.levels.evaluation.expression import RANGES, corridors, far_from, measure_range
from pcg.levels.evaluation.hexbins import DARK, OURS, draw_range

FLAT = ["..........", "S........G", "##########"]
SLOPE = ["........##", "......####", "....######", "..########", "##########"]
PEAKS = [".#...#...#", ".#.#.#.#.#", "##########"]
GAP = ["..........", "Se.......G", "####...###"]


def test_platformers() -> None:
    about = RANGES["platformer"]
    assert about.linearity(FLAT) == pytest.approx(1)
    assert about.linearity(SLOPE) > 0.7
    assert about.linearity(SLOPE) > about.linearity(PEAKS)
    assert about.linearity(["#"]) == pytest.approx(about.linearity(["...", "###", "..."])) == 1
    assert about.leniency(FLAT) == 1
    assert about.leniency(GAP) == pytest.approx(0.6)  # three columns of gap, one with an enemy


def test_corridors_and_halls() -> None:
    assert corridors(["#####", "#   #", "#####"], "#") == 1
    assert corridors(["#####", "#   #", "#   #", "#   #", "#####"], "#") == pytest.approx(4 / 9)
    assert corridors(["###"], "#") == 0


def test_danger_is_felt_around_it() -> None:
    assert far_from([".....", "....."], "#", "M", 1) == 1
    assert far_from(["M....", "....."], "#", "M", 1) == pytest.approx(6 / 10)
    assert far_from([".......E"], "#", "E", 3) == pytest.approx(4 / 8)


def test_sokoban_is_lenient_where_boxes_can_be_saved() -> None:
    about = RANGES["sokoban"]
    assert about.leniency(["#######", "#@ $ .#", "#######"]) == pytest.approx(4 / 5)  # not from beside the wall
    assert about.leniency(["####", "#@ #", "####"]) == 0


def test_ladders_are_not_straight() -> None:
    about = RANGES["runner"]
    assert about.linearity(["M...", "bbbb"]) == 1
    assert about.linearity([".#..", ".#..", "M#..", "bbbb"]) == pytest.approx(3 / 6)


def test_measured_together() -> None:
    assert measure_range("platformer", [FLAT, GAP]).shape == (2, 2)
    assert measure_range("platformer", []).shape == (0, 2)


def test_the_picture_shows_both_where_they_are() -> None:
    corpus, ours = np.full((50, 2), 0.23), np.full((10, 2), 0.78)
    image = np.asarray(draw_range("a game", ("x", "y"), corpus, ours)).astype(int)
    blue, orange = (np.argwhere((image == colour).all(2)) for colour in (DARK, OURS))
    assert len(blue) > 50
    assert len(orange) > 50
    assert blue[:, 0].min() > orange[:, 0].max()  # low leniency is below
    assert blue[:, 1].max() < orange[:, 1].min()  # low linearity is left
