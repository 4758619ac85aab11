"""Regions, crops and their control maps."""

from pathlib import Path

import numpy as np
import pytest

from pcg.terrain import data, networks

EDGE = data.MARGIN_CELLS


def test_training_and_validation_never_mix(dem_folder: Path) -> None:
    assert [r.name for r in data.load_regions(dem_folder)] == ["hills", "more_hills"]
    assert [r.name for r in data.load_regions(dem_folder, validation=True)] == ["bc_coast_mountains"]


def test_fine_files_are_averaged_down_to_90_metres(dem_folder: Path) -> None:
    region = data.load_regions(dem_folder)[1]
    assert region.bad.shape == (240, 240)


def test_resampling_keeps_a_slope() -> None:
    x = np.tile(np.arange(300, dtype=np.float32) * 64, (40, 1))  # metres of east, 64 m pixels: a slope of one
    inner = data.resample(x, 64, 90)[10:-10, 10:-10]
    assert np.allclose(np.diff(inner, axis=1), 300 * 64 / 213, atol=0.05)


def test_control_is_the_block_mean_of_the_heights(dem_folder: Path) -> None:
    region = data.load_regions(dem_folder)[0]
    control, heights = data.crop_at(region, 5, 9, 4)
    assert control.shape == (4 + 2 * EDGE, 4 + 2 * EDGE)
    assert heights.shape == (72, 72)
    blocks = heights[4:-4, 4:-4].reshape(4, 16, 4, 16).mean((1, 3))
    assert np.allclose(control[EDGE:-EDGE, EDGE:-EDGE], blocks, atol=0.05)
    first = EDGE * data.PIXELS_PER_CELL
    assert np.array_equal(heights[4:-4, 4:-4], region.heights[first + 5 : first + 69, first + 9 : first + 73])
    assert networks.MARGIN + 2 == EDGE  # the network's and the two cells that its features are read from


def test_batches_repeat_for_a_seed_and_fit_the_control(dem_folder: Path) -> None:
    regions = data.load_regions(dem_folder)
    a, b = (data.draw_batch(regions, 4, 6, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(a.heights, b.heights)
    blocks = a.heights[:, 4:-4, 4:-4].reshape(6, 4, 16, 4, 16).mean((2, 4))
    assert np.allclose(a.control[:, EDGE:-EDGE, EDGE:-EDGE], blocks, atol=0.05)


def test_voids_and_seas_are_not_sampled(dem_folder: Path) -> None:
    region = data.load_regions(dem_folder)[0]
    bad = np.zeros_like(region.bad)
    bad[70, 70] = True
    holed = data.Region("holed", "", region.heights, bad, 1.0)
    assert not data.usable(holed, 60, 60, 2)
    assert data.usable(holed, 100, 100, 2)
    flooded = data.Region("flooded", "", np.zeros_like(region.heights), np.zeros_like(bad), 1.0)
    assert not data.usable(flooded, 0, 0, 2)


def test_quantiles_ascend_and_span_the_land(dem_folder: Path) -> None:
    quantiles = data.control_quantiles(data.load_regions(dem_folder))
    assert len(quantiles) == 257
    assert (np.diff(quantiles) >= 0).all()
    assert 200 < quantiles[0] < quantiles[-1] < 1200


def test_errors_name_what_is_wrong(dem_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no training elevation files"):
        data.load_regions(tmp_path)
    np.savez(tmp_path / "broken.npz", z=np.zeros((3, 3)))
    with pytest.raises(ValueError, match=r"broken\.npz"):
        data.load_regions(tmp_path)
    np.savez(tmp_path / "broken.npz", z=np.zeros((3, 3)), meta="{}")
    with pytest.raises(ValueError, match="dx_m"):
        data.load_regions(tmp_path)
    np.savez(tmp_path / "gap.npz", z=np.full((9, 9), np.nan), meta='{"dx_m": 90, "dy_m": 90}')
    with pytest.raises(ValueError, match="81 heights are not finite"):
        data.load_region(tmp_path / "gap.npz")
    region = data.load_regions(dem_folder)[0]
    void = data.Region("void", "", region.heights, np.ones_like(region.bad), 1.0)
    with pytest.raises(ValueError, match="only 0 of"):
        data.draw_batch([void], 2, 1, np.random.default_rng(0))
    with pytest.raises(ValueError, match="fewer cells than 40"):
        data.fitting(data.load_regions(dem_folder), 40)
