"""Views beside the relief: colours by their layers, and what is said of a pixel."""

from __future__ import annotations

import numpy as np
import pytest

from demos.world import themes
from runtime.content.terrain import rivers

SEA, LAKE, LOW, HIGH = range(4)  # the columns of `columns`


def columns(theme: str, **layers: list[float]) -> np.ndarray:
    """The colours of four columns of flat land, one of them sea."""
    heights = np.full((6, 6), 500, np.float32)
    heights[:, :2] = -100  # and so the column in the sea is the first
    given = {name: np.tile(np.array(values), (4, 1)) for name, values in layers.items()}
    palette = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    return themes.colours(theme, heights, 90.0, given, palette)[2]


def test_biomes_have_their_colours() -> None:
    picture = columns("biome", biome=[0, 1, 2, 1], water=[400, 8, 0, 0])
    assert picture[HIGH].argmax() == 1
    assert picture[LOW].argmax() == 2
    assert picture[SEA].argmax() == 0


def test_the_more_drains_the_brighter_and_water_is_dark() -> None:
    sea, lake, low, high = columns("flow", flow=[0, 900.0, 1.0, 800.0], water=[400, 8, 0, 0]).sum(-1)
    assert max(sea, lake) < low < high


def test_the_steeper_the_darker() -> None:
    _, level, gentle, steep = columns("slope", slope=[90, 0, 20, 90]).sum(-1)
    assert level > gentle > steep
    sea = columns("slope", slope=[90, 0, 20, 90])[SEA]
    assert tuple(sea) == themes.SLOPE_SEA


@pytest.mark.parametrize("theme", themes.THEMES)
def test_every_theme_is_float32_rgb_within_range(theme: str) -> None:
    layers = {"biome": [0, 1, 2, 1], "water": [400, 8, 0, 0], "flow": [0, 9, 1, 9e5], "slope": [0, 1, 90, 180]}
    picture = columns(theme, **{name: layers[name] for name in themes.LAYERS[theme]})
    assert picture.dtype == np.float32
    assert picture.shape == (4, 3)
    assert 0 <= picture.min() <= picture.max() <= 255


@pytest.mark.parametrize(
    ("theme", "layers", "text"),
    [
        ("relief", {"water": 0, "flow": 0.0081}, "dry ground"),
        ("relief", {"water": 0, "flow": 1.56}, "brook, about 3 m wide"),
        ("relief", {"water": 0, "flow": 12.34}, "stream, about 7 m wide"),
        ("relief", {"water": 0, "flow": 45678.9}, "river, about 118 m wide"),
        ("flow", {"water": 0, "flow": 0.0081}, "dry ground; fed by 0.0081 km²"),
        ("flow", {"water": 0, "flow": 45678.9}, "river, about 118 m wide; fed by 45,679 km²"),
        ("flow", {"water": 50, "flow": 12.34}, "lake, 12 m deep; fed by 12.3 km²"),
        ("relief", {"water": 50, "flow": 12.0}, "lake, 12 m deep"),
        ("relief", {"water": 50, "flow": 0.0}, ""),  # the sea, whose depth is its height
        ("slope", {"slope": 27}, "13.5° steep"),
        ("biome", {"biome": 1, "water": 0}, "moor"),
    ],
)
def test_readings(theme: str, layers: dict[str, float], text: str) -> None:
    arrays = {name: np.array([[0, 0], [0, value]]) for name, value in layers.items()}
    assert themes.reading(theme, arrays, ("sea", "moor"), 90.0, 1, 1) == text


def test_a_large_pixel_has_to_gather_more_before_water_runs() -> None:
    assert themes.watercourse(12.0, 90.0) == "stream, about 6 m wide"
    assert themes.watercourse(12.0, 1440.0) == "dry ground"  # six pixels: every one drains as much
    assert themes.watercourse(1200.0, 1440.0) == "river, about 33 m wide"


def test_watercourses_are_as_wide_as_the_runtime_has_them() -> None:
    assert (themes.CHANNEL_M, themes.CHANNEL_POWER) == (rivers.WIDTH_M, rivers.WIDTH_EXPONENT)
