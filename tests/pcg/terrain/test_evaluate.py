"""Terrain metrics on land with known results, and the whole evaluation on a small synthetic region."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pcg.terrain import data, metrics
from pcg.terrain.evaluate import SIDE, draw_patches, evaluate_terrain, fbm, generate, of_like_relief, places
from pcg.terrain.metrics import aucs, compare, floors, measure, pits
from runtime.content.terrain.drainage import drain
from runtime.registry import Registry


def rough(count: int, side: int = 64, seed: int = 0, steep: float = 1.0) -> metrics.Array:
    """Smooth random hills, `steep` times as high: (count, side, side) metres."""
    rng = np.random.default_rng(seed)
    wave = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    spectrum = np.fft.fft2(rng.normal(size=(count, side, side))) / (wave + 0.02) ** 2
    return (1000 + steep * 0.1 * np.fft.ifft2(spectrum).real).astype(np.float32)


def test_drain_fills_a_pit_to_its_lowest_outlet() -> None:
    heights = np.array(
        [
            [9, 9, 9, 9, 9],
            [9, 2, 3, 9, 9],
            [9, 9, 1, 9, 5],  # the border's lowest is this 5, but an 8 stands before it
            [9, 9, 9, 8, 9],
            [9, 9, 9, 9, 9],
        ],
        np.float64,
    )
    filled = drain(heights).filled
    assert filled[1, 1] == filled[1, 2] == filled[2, 2] == 8
    assert (filled - heights).sum() == (8 - 2) + (8 - 3) + (8 - 1)
    np.testing.assert_array_equal(pits(heights[None])[0].nonzero(), ([2], [2]))


def test_drain_of_a_valley_worked_out_by_hand() -> None:
    heights = np.array(
        [
            [9, 9, 9, 9, 9],
            [9, 6, 4, 7, 9],
            [9, 5, 3, 6, 9],
            [9, 4, 2, 5, 9],
            [9, 9, 1, 9, 9],
        ],
        np.float64,
    )
    drainage = drain(heights)
    np.testing.assert_array_equal(drainage.filled, heights)
    # Every inner pixel drains to the lowest of its neighbours: the 4s, 5s and the 2 of the third row to the 1, ...
    expected = [
        [1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1],
        [1, 1, 4, 1, 1],  # 6, 4 and 7 above it
        [1, 1, 7, 1, 1],  # 3 and its four, and the 5 and 6 beside it
        [1, 1, 10, 1, 1],  # all nine
    ]
    np.testing.assert_array_equal(drainage.accumulation, expected)


def test_drain_matches_the_definition_on_random_land_with_ties() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        heights = rng.integers(0, 12, (9, 13)).astype(np.float32)
        filled = np.full_like(heights, np.inf)
        filled[[0, -1]], filled[:, [0, -1]] = heights[[0, -1]], heights[:, [0, -1]]
        for _ in range(heights.size):  # a pixel holds water up to its lowest neighbour's level (Planchon, Darboux 2002)
            around = [filled[i : i + 7, j : j + 11] for i in range(3) for j in range(3) if (i, j) != (1, 1)]
            filled[1:-1, 1:-1] = np.maximum(heights[1:-1, 1:-1], np.minimum.reduce(around))
        drainage = drain(heights)
        np.testing.assert_array_equal(drainage.filled, filled)
        border = np.ones(heights.shape, bool)
        border[1:-1, 1:-1] = False
        assert drainage.accumulation[border].sum() == heights.size  # all water leaves, once


def test_a_tilted_plane_has_its_slope_and_no_pits() -> None:
    plane = np.broadcast_to(90 * np.arange(64, dtype=np.float32)[:, None], (64, 64))  # one metre a metre
    found = measure(np.stack([plane, plane.T, -plane]))
    np.testing.assert_allclose(found.slope, 45, rtol=1e-5)
    assert not found.curvature.any()
    assert not found.pits.any()
    assert not found.fill.any()
    np.testing.assert_allclose(found.hypsometry.mean(1), 0.5, rtol=1e-5)
    np.testing.assert_allclose(found.spectrum, -6, atol=0.1)  # a plane is taken off; what is left is rounding
    # Within a control cell heights are 0, 90 ... 1,350 m: the variance of 16 whole numbers is (16^2 - 1) / 12.
    np.testing.assert_allclose(found.residual, 90**2 * 255 / 12, rtol=1e-5)


def test_a_single_pit_of_known_volume() -> None:
    land = np.full((1, 64, 64), 100, np.float32)
    land[0, 20, 30] = 60
    found = measure(land)
    assert found.pits[0] == pytest.approx(1 / 62**2)
    assert found.fill[0] == pytest.approx(40 / 64**2 / 40)  # one pixel, 40 m deep, over a relief of 40 m


def test_the_spectrum_peaks_where_the_wave_is() -> None:
    wave = 10 * np.sin(2 * np.pi * 12 * np.arange(128, dtype=np.float32) / 128)
    found = measure(np.broadcast_to(wave, (1, 128, 128)).copy())
    assert found.spectrum.shape == (1, 64 - 8)  # from 8 waves a patch, 16 pixels long, to 63
    assert found.spectrum[0].argmax() == 12 - 8


def test_distances_of_a_set_with_itself_and_with_steeper_land() -> None:
    land = measure(rough(4))
    ratios = (metrics.PITS, metrics.FILL, metrics.RESIDUAL)
    for name, value in compare(land, land).items():
        assert value == (1 if name in ratios else 0), name
    steeper = compare(measure(rough(4, steep=3)), land)
    assert steeper[metrics.SLOPE] > 1
    assert steeper[metrics.SPECTRUM] == pytest.approx(2 * np.log10(3), rel=1e-3)
    assert steeper[metrics.RESIDUAL] == pytest.approx(3, rel=1e-3)
    assert steeper[metrics.HYPSOMETRY] == pytest.approx(0, abs=1e-3)  # the same shape, only higher
    assert steeper[metrics.FILL] == pytest.approx(1, rel=1e-3)


def test_floors_are_those_of_halves() -> None:
    same = measure(np.repeat(rough(1), 4, axis=0))
    assert all(v in (0, 1) for v in floors(same, np.random.default_rng(0)).values())
    floor = floors(measure(rough(6)), np.random.default_rng(0))
    assert floor[metrics.SLOPE] > 0
    assert floor[metrics.RESIDUAL] > 1


@pytest.mark.slow
def test_auc_is_a_half_for_the_same_kind_of_land_and_one_for_another() -> None:
    land, more, steeper = rough(60, 68), rough(60, 68, seed=1), rough(60, 68, seed=2, steep=4)
    found = aucs({"itself": (land, land), "more": (land, more), "steeper": (land, steeper)}, seeds=1, steps=20)
    assert abs(found["itself"][0] - 0.5) < 0.1
    assert abs(found["more"][0] - 0.5) < 0.2  # twenty places on each side
    assert found["steeper"][0] > 0.95


def test_fbm_has_the_relief_of_its_like() -> None:
    like = rough(2, 48)
    made = fbm(like, np.random.default_rng(0))
    np.testing.assert_allclose(np.ptp(made, axis=(1, 2)), np.ptp(like, axis=(1, 2)), rtol=1e-4)
    assert not np.array_equal(made[0] - made[0].min(), made[1] - made[1].min())


def write_region(folder: Path, sea_columns: int = 0, name: str = "bc_coast_mountains") -> Path:
    """A region of 320 x 340 pixels, hilly enough to be measured; a validation region by its name."""
    z = rough(1, 340, steep=16)[0, :320]
    z[:, 150 : 150 + sea_columns] = 0
    meta = {"dx_m": 90, "dy_m": 90, "licence": "made up"}
    np.savez(folder / f"{name}.npz", z=z, meta=json.dumps(meta))
    return folder


@pytest.mark.parametrize("training", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_evaluate_terrain_gives_every_metric_with_its_floor(
    training: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The metrics of told grains need the training regions, which give the scale."""
    if training:
        write_region(tmp_path, name="hills")
    model = Registry().find("terrain-detail")
    rows = evaluate_terrain(model, write_region(tmp_path), patches=4, seeds=1, steps=4)
    by_metric = {row.metric: row for row in rows}
    told = {"real land of bc_coast_mountains; 4 patches of 256 px, grain told"} if training else set()
    assert len(by_metric) == len(rows) == 13 + 10 + 10 * len(told)
    assert all(np.isfinite([row.value, row.floor]).all() for row in rows)
    assert {row.against for row in rows} == told | {
        "real land of bc_coast_mountains; 4 patches of 256 px",
        "real land of like relief, all regions; 4 patches of 256 px",
    }
    if training:
        assert by_metric["grain told: " + metrics.CURVATURE].value != by_metric[metrics.CURVATURE].value
    assert by_metric[metrics.SLOPE].value > 0
    assert by_metric["worlds: " + metrics.SLOPE].value != by_metric[metrics.SLOPE].value
    for metric in (metrics.PITS, metrics.FILL, metrics.AUC):
        assert by_metric["fBm: " + metric].floor == by_metric[metric].floor
    out, err = capsys.readouterr()
    assert out == ""
    assert "generating 4 patches" in err
    assert ("grain has no scale" in err) is not training


def test_patches_and_generated_land_have_the_control_maps_heights(tmp_path: Path) -> None:
    regions = data.load_regions(write_region(tmp_path), validation=True)
    names, controls, real = draw_patches(regions, 2, np.random.default_rng(0))
    assert names == ["bc_coast_mountains"]
    for land, tolerance in ((real, 1e-3), (generate(Registry().find("terrain-detail"), controls), 0.1)):
        assert land.shape == (2, 256, 256)
        means = land.reshape(2, 16, 16, 16, 16).mean((2, 4))
        np.testing.assert_allclose(means, controls[:, 8:-8, 8:-8], atol=tolerance)


def test_sea_and_voids_are_not_measured(tmp_path: Path) -> None:
    (region,) = data.load_regions(write_region(tmp_path, sea_columns=40), validation=True)
    assert len(places(region)) == 0  # 40 columns of sea from 150 on are in every patch
    with pytest.raises(
        ValueError, match="bc_coast_mountains: no patch of 256 px with a relief of 300 m and without sea"
    ):
        draw_patches([region], 2, np.random.default_rng(0))
    (region,) = data.load_regions(write_region(tmp_path), validation=True)
    region.bad[:60, :50] = True  # a patch may hold 655 of these pixels, 1 %
    corners = places(region)
    assert len(corners) < 65 * 85
    assert all(max(0, 60 - row) * max(0, 50 - column) < 656 for row, column in corners)
    assert [46, 0] not in corners.tolist()  # 14 x 50 of them
    assert [47, 0] in corners.tolist()


def test_land_is_compared_with_land_of_similar_relief() -> None:
    low, middle, high = (rough(1, SIDE // 4, seed=k, steep=steep) for k, steep in enumerate((0.1, 1.0, 10.0)))
    chosen = of_like_relief(np.concatenate([high * 1.01, low, low]), np.concatenate([low, middle, high]))
    np.testing.assert_array_equal(chosen, np.concatenate([high, low, middle]))


def test_too_few_patches_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 4 patches"):
        evaluate_terrain(Registry().find("terrain-detail"), tmp_path, patches=3)
