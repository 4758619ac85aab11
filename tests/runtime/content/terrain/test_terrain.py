"""Terrain requests over the bundled model: levels of detail, styles, and every layer in every window.

Nothing here depends on what the model's land looks like.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lands import ALL_LAYERS, QUARTER, fault, metres
from numpy.typing import NDArray

from runtime.content.terrain import ground, layers
from runtime.content.terrain import requests as terrain
from runtime.content.terrain.ground import STEPS_A_METRE, classic_noise
from runtime.content.terrain.layers import quarter_metres
from runtime.content.terrain.measures import LODS, PIXELS_PER_CELL
from runtime.content.terrain.sketches import SketchRequest
from runtime.content.terrain.styles import WEIGHT_SUM, style_weights
from runtime.errors import Code
from runtime.local import Local
from runtime.service import Service

KNOWN = ["varied", "alpine", "plateau", "lowland", "archipelago"]


@pytest.fixture(scope="module")
def runtime(bundled: Local) -> Local:
    return bundled


@pytest.mark.parametrize("lod", range(LODS))
@pytest.mark.parametrize("style", ["varied", "alpine", "archipelago:0.5,lowland:0.5"])
def test_a_chunk_cut_from_a_larger_one_is_the_same(runtime: Local, lod: int, style: str) -> None:
    place = {"seed": 2**53 - 1, "x": -1000, "y": 2**40 + 8, "lod": lod, "style": style}
    whole = runtime.call("terrain.chunk", **place, size=60)
    for left, top, size in ((11, 23, 30), (59, 0, 1)):
        part = place | {"x": place["x"] + (left << lod), "y": place["y"] + (top << lod)}
        cut = runtime.call("terrain.chunk", **part, size=size)["height"]
        assert np.array_equal(cut, whole["height"][top : top + size, left : left + size])
    assert whole["meters_per_pixel"] == 90.0 * 2**lod
    assert whole["lod"] == lod


def test_a_chunk_begins_where_its_level_has_a_pixel(runtime: Local) -> None:
    chunk = runtime.call("terrain.chunk", seed=3, x=-5, y=19, size=4, lod=3)
    assert (chunk["x"], chunk["y"]) == (-8, 16)
    assert np.array_equal(chunk["height"], runtime.call("terrain.chunk", seed=3, x=-8, y=16, size=4, lod=3)["height"])


@pytest.fixture(scope="module", params=["learned", "noise"])
def inland(runtime: Local, request: pytest.FixtureRequest) -> tuple[dict[str, Any], NDArray[np.bool_]]:
    """A place of 512 pixels and which of its cells are clear of the sea, and of the ripple that a shore makes."""
    for step in range(60):
        place = {"seed": 7, "x": 16 * 601 * step, "y": 512, "style": "alpine", "control": request.param}
        around = runtime.call("terrain.chunk", **place | {"x": place["x"] - 48, "y": place["y"] - 48}, size=38, lod=4)
        dry = np.lib.stride_tricks.sliding_window_view(metres(around) > 40, (7, 7)).all((2, 3))
        if dry.mean() > 0.2:
            return place, dry
    pytest.skip("sea everywhere")


@pytest.mark.parametrize("lod", range(1, LODS))
def test_levels_are_block_means_of_the_finest_away_from_coasts(
    runtime: Local, inland: tuple[dict[str, Any], NDArray[np.bool_]], lod: int
) -> None:
    place, dry = inland
    block, side = 1 << lod, 512 >> lod
    fine = metres(runtime.call("terrain.chunk", **place, size=512))
    coarse = metres(runtime.call("terrain.chunk", **place, size=side, lod=lod))
    means = fine.reshape(side, block, side, block).mean((1, 3))
    clear = dry.repeat(16 >> lod, 0).repeat(16 >> lod, 1)
    assert np.abs(means - coarse)[clear].max() < QUARTER


def test_styles_give_other_land_and_a_blend_of_one_is_that_one(runtime: Local) -> None:
    place = {"seed": 5, "x": 100, "y": 100, "size": 32}
    land = {style: runtime.call("terrain.chunk", **place, style=style)["height"].tobytes() for style in KNOWN}
    assert len(set(land.values())) >= 4  # varied is one of the others where only one is near
    assert runtime.call("terrain.chunk", **place, style="plateau:3")["height"].tobytes() == land["plateau"]
    made = runtime.call("terrain.chunk", **place, style="plateau:3")
    assert made["style"] == made["provenance"]["params"]["style"] == "plateau:3"


@pytest.mark.parametrize("control", ["learned", "noise"])
def test_large_chunks_are_tiled_without_a_trace(runtime: Local, control: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = {"seed": 9, "x": -77, "y": 5, "size": 100, "control": control}
    whole = runtime.call("terrain.chunk", **place)["height"]
    monkeypatch.setattr(ground, "TILE", 41)
    assert np.array_equal(runtime.call("terrain.chunk", **place)["height"], whole)


def test_classic_control_is_another_land_and_repeats(runtime: Local) -> None:
    place = {"seed": 7, "x": 0, "y": 0, "size": 64}
    learned = runtime.call("terrain.chunk", **place)["height"]
    classic = runtime.call("terrain.chunk", control="noise", **place)["height"]
    assert not np.array_equal(learned, classic)
    window = runtime.call("terrain.chunk", control="noise", **place | {"x": 20, "y": 7, "size": 30})["height"]
    assert np.array_equal(classic[7:37, 20:50], window)
    assert np.array_equal(classic_noise(4, 0, 0, 20), classic_noise(4, 16384, -16384, 20))
    assert not np.array_equal(classic_noise(4, 0, 0, 20), classic_noise(5, 0, 0, 20))
    far = classic_noise(4, 2**48 - 1, 2**47, 40)
    assert np.unique(far).size > 500  # no steps where float32 has lost its fraction


def test_provenance_makes_the_chunk_again(runtime: Local) -> None:
    chunk = runtime.call("terrain.chunk", seed=3, x=5, y=6, size=20, lod=1, style="lowland", layers=["height", "slope"])
    made = chunk["provenance"]
    assert made["statement"].startswith("generated")
    assert made["sha256"] == runtime.call("models.describe", name=made["model"])["sha256"]
    assert made["training_data"]
    again = runtime.call(made["method"], **made["params"])
    assert np.array_equal(again["height"], chunk["height"])
    assert np.array_equal(again["slope"], chunk["slope"])


def test_heights_are_sent_in_quarter_metres_and_saturate() -> None:
    steps = np.array([-(2**30), -4096 * STEPS_A_METRE, -8, 0, 7, 9, 64, 2**30], np.int32)
    assert quarter_metres(steps).tolist() == [0, 0, 16384, 16384, 16384, 16385, 16388, 65535]


def test_kept_control_maps_change_nothing(runtime: Local) -> None:
    """Chunks within a sheet, at its edges and across them, made twice, are what the module gives in one call."""
    engine, model = runtime.service.engine, runtime.service.registry.find("terrain-detail")
    sheet = ground.SHEET_CELLS * PIXELS_PER_CELL
    places = [
        (0, 0, 64, 0),
        (sheet - 64, -64, 64, 0),
        (sheet - 63, 5, 64, 0),
        (-sheet - 1, 2**40, 33, 2),
        (3, 3, 40, 4),
    ]
    for x, y, size, lod in places:
        arguments = [np.array([v], np.int64) for v in (9, x, y)]
        varied = np.zeros((1, 4), np.int64)
        whole = engine.submit(engine.run, model, "forward", *arguments, size, lod, varied).result()
        for _ in range(2):
            chunk = runtime.call("terrain.chunk", seed=9, x=x, y=y, size=size, lod=lod)
            assert np.array_equal(chunk["height"], quarter_metres(whole[0])), (x, y, size, lod)


def test_the_oldest_control_maps_are_dropped() -> None:
    asked = []

    class Counting:
        def run(self, _model: object, method: str, *arguments: Any) -> NDArray[np.float64]:
            asked.append(method)
            side = arguments[3]
            return np.arange(side * side, dtype=np.float64).reshape(1, side, side)

    class File:
        sha256 = "a"

    two_sheets = 2 * 96 * 96 * 8
    control = ground.LearnedControl(two_sheets).of(Counting(), File(), 1, (0,))  # type: ignore[arg-type]
    for row in (0, 64, 0, 128, 64):  # 0 was used last when 128 came, so 64 went
        assert control(row + 3, 5, 20)[0, 0] == (3 + 16) * 96 + 5 + 16
    assert len(asked) == 4
    assert control(-8, 20, 33).shape == (33, 33)
    assert len(asked) == 5, "a chunk at the sheet's edge, with its margin, is cut from it"
    control(20, 20, 80)
    control(20, 20, 80)
    assert len(asked) == 7, "a window that reaches beyond the sheet is drawn, and not cached"


# --- layers ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wide(runtime: Local) -> dict[str, Any]:
    """A chunk with all layers across the corner of four regions, so with negative coordinates."""
    return runtime.call("terrain.chunk", seed=11, x=-90, y=-70, size=160, layers=ALL_LAYERS)


@pytest.mark.parametrize(("left", "top", "size"), [(0, 0, 60), (61, 40, 99), (89, 69, 2), (159, 159, 1)])
def test_every_layer_of_a_chunk_is_cut_from_the_same_world(
    runtime: Local, wide: dict[str, Any], left: int, top: int, size: int
) -> None:
    part = runtime.call("terrain.chunk", seed=11, x=-90 + left, y=-70 + top, size=size, layers=ALL_LAYERS)
    for name, layer in layers.LAYERS.items():
        assert part[name].dtype == np.dtype(layer.dtype)
        assert part[name].shape[:2] == (size, size)
        assert part[name].tobytes() == wide[name][top : top + size, left : left + size].tobytes(), name


def test_layers_do_not_depend_on_what_else_is_asked_for(runtime: Local, wide: dict[str, Any]) -> None:
    for name in ALL_LAYERS:
        alone = runtime.call("terrain.chunk", seed=11, x=-90, y=-70, size=160, layers=[name])
        assert alone[name].tobytes() == wide[name].tobytes()
        assert [other for other in ALL_LAYERS if other in alone] == [name]


def test_layers_do_not_depend_on_what_was_asked_before(runtime: Local, wide: dict[str, Any]) -> None:
    fresh = Service(runtime.service.registry, runtime.service.engine)
    fresh.call_blocking("terrain.chunk", {"seed": 12, "x": -90, "y": -70, "size": 8, "layers": ["water"]})
    params = {"seed": 11, "x": -30, "y": -20, "size": 40, "layers": ALL_LAYERS}
    again = fresh.call_blocking("terrain.chunk", params)
    for name in ALL_LAYERS:
        assert again[name].tobytes() == wide[name][50:90, 60:100].tobytes(), name


@pytest.mark.parametrize("lod", [2, 4])
def test_coarser_levels_have_every_layer_too(runtime: Local, lod: int) -> None:
    place = {"seed": 11, "x": -(70 << lod), "y": -(30 << lod), "lod": lod, "layers": ALL_LAYERS}
    whole = runtime.call("terrain.chunk", **place, size=100)
    part = runtime.call(
        "terrain.chunk", **place | {"x": place["x"] + (50 << lod), "y": place["y"] + (20 << lod)}, size=45
    )
    for name in ALL_LAYERS:
        assert part[name].tobytes() == whole[name][20:65, 50:95].tobytes(), name
    assert whole["biome_palette"][int(whole["biome"].max())]["name"]


def test_water_lies_level_and_the_sea_at_zero(wide: dict[str, Any]) -> None:
    surface = (wide["height"].astype(np.int64) + wide["water"])[wide["water"] > 0]
    assert (surface >= 4 * 4096).all()
    sea = wide["height"] < 4 * 4096
    assert (wide["height"].astype(np.int64) + wide["water"])[sea].tolist() == [4 * 4096] * int(sea.sum())


# --- styles ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("varied", (0, 0, 0, 0)),
        ("alpine", (127, 0, 0, 0)),
        ("archipelago", (0, 0, 0, 127)),
        ("alpine:1,lowland:3", (32, 0, 95, 0)),
        (" alpine : 0.25 , lowland:.75 ", (32, 0, 95, 0)),
        ("alpine,plateau", (64, 63, 0, 0)),
        ("lowland:1e-9,alpine:1", (127, 0, 0, 0)),
        ("alpine:1,plateau:1,lowland:1,archipelago:1", (32, 32, 32, 31)),
    ],
)
def test_styles_become_whole_weights(text: str, weights: tuple[int, ...]) -> None:
    assert style_weights(text, KNOWN) == weights
    assert sum(weights) in (0, WEIGHT_SUM)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "unknown style ''"),
        ("alpne", "did you mean 'alpine'"),
        ("desert", "there are: varied, alpine"),
        ("varied:1", "unknown style 'varied'"),
        ("alpine:0.5,varied:0.5", "unknown style 'varied'"),
        ("alpine:1,alpine:2", "given twice"),
        ("alpine:", "'' is no share; write alpine:0.5"),
        ("alpine:much", "'much' is no share"),
        ("alpine:-1", "'-1' is no share"),
        ("alpine:0", "'0' is no share"),
        ("alpine:nan", "'nan' is no share"),
        ("alpine:inf", "'inf' is no share"),
        ("alpine,", "unknown style ''"),
    ],
)
def test_styles_that_are_none_are_refused(runtime: Local, text: str, words: str) -> None:
    error = fault(runtime, "terrain.chunk", seed=1, size=4, style=text)
    assert error.code is Code.INVALID_PARAMS
    assert words in error.message
    assert error.details["parameter"] == "style"


def test_levels_of_the_model_are_those_of_the_requests(runtime: Local) -> None:
    stated = runtime.call("models.describe", name=terrain.MODEL)["card"]["parameters"]
    assert stated["lod"]["maximum"] == LODS - 1
    assert stated["style"]["choices"] == KNOWN
    assert stated["control"]["choices"] == ["learned", "noise"]
    assert set(stated) - {"grain"} <= set(terrain.TerrainRequest.__struct_fields__)
    assert "grain" in SketchRequest.__struct_fields__
