"""What the coarse level learns from: sheets and worlds, their seas, styles and crops."""

import json
from pathlib import Path

import numpy as np
import pytest

from pcg.terrain import coarse
from pcg.terrain.control import STYLE_SUM
from pcg.terrain.networks import COARSE_UNIT, STYLES


@pytest.fixture(scope="module")
def sheets(dem_folder: Path) -> list[coarse.Sheet]:
    return coarse.load_sheets(dem_folder)


def test_large_maps_are_seen_at_several_scales_and_small_ones_not_at_all(sheets: list[coarse.Sheet]) -> None:
    """160 pixels of 1,440 m are 213, 160 and 123 at the three zooms, and the last is too small to crop."""
    sides = [s.roots.shape for s in sheets if not s.world]
    assert sides == [(side + 2 * coarse.FRAME,) * 2 for side in (213, 160)]
    assert {s.name for s in sheets} == {"sheet", "world"}
    assert {s.licence for s in sheets} == {"made for a test"}
    assert len(sheets) == 2 + len(coarse.WORLD_LATITUDES)


def test_a_world_is_square_at_its_latitude_and_lower(sheets: list[coarse.Sheet], dem_folder: Path) -> None:
    worlds = [s for s in sheets if s.world]
    widths = [s.roots.shape[1] - 2 * coarse.FRAME for s in worlds]
    assert widths == [round(240 * np.cos(np.radians(latitude))) for latitude in coarse.WORLD_LATITUDES]
    assert all(s.roots.shape[0] == coarse.WORLD_ROWS + 2 * coarse.FRAME for s in worlds)
    with np.load(dem_folder / "world.npz") as file:
        top = float(file["z"].max())
    highest = max(float((s.roots.max() * COARSE_UNIT) ** 2) for s in worlds)
    assert highest == pytest.approx(coarse.WORLD_HEIGHT * top, rel=0.02)


def test_signed_roots_are_square_roots_with_the_sign_of_the_height() -> None:
    metres = np.array([-1600, -1, 0, 1, 6400], np.float32)
    roots = coarse.signed_root(metres)
    assert roots.tolist() == pytest.approx([-1, -1 / 40, 0, 1 / 40, 2])
    assert np.allclose(roots * np.abs(roots) * COARSE_UNIT**2, metres)


def test_the_sea_deepens_with_the_distance_from_land() -> None:
    land = np.zeros((20, 300), np.bool_)
    land[:, :10] = True
    depth = coarse.sea_floor(land)
    assert (np.diff(depth[:, 10:], axis=1) >= 0).all()
    assert 5 < depth[0, 11] < 30
    assert (depth[0, 15] - depth[0, 12]) / 3 == pytest.approx(8, abs=0.5)
    assert depth.max() == 2500


def test_sea_is_negative_and_land_is_not(sheets: list[coarse.Sheet]) -> None:
    shelf = coarse.make_sheet("", "", np.array([[0, 0, 5], [0, 3, 0.2]], np.float32).repeat(20, 1), 1.0, world=False)
    inner = shelf.roots[coarse.FRAME : -coarse.FRAME, coarse.FRAME : -coarse.FRAME]
    assert (inner[0, :40] < 0).all()
    assert (inner[0, 40:] > 0).all()
    assert inner[1, 50] == pytest.approx(1 / 40)  # a shore is at least a metre high
    assert all((s.roots < 0).any() == s.world for s in sheets)


def test_styles_depend_on_sea_roughness_and_height() -> None:
    rng = np.random.default_rng(0)
    shape = (200, 200)
    kinds = {
        "alpine": rng.normal(1200, 300, shape),
        "plateau": rng.normal(3000, 20, shape),
        "lowland": rng.normal(200, 3, shape),
        "archipelago": np.where(np.mgrid[:200, :200][0] % 40 < 20, -50.0, 300.0),
    }
    for name, heights in kinds.items():
        found = coarse.style_map(heights.astype(np.float32))
        assert found.shape == (4, *shape)
        assert np.allclose(found.sum(0), 1, atol=1e-4)
        assert found[STYLES.index(name), 50:-50, 50:-50].min() > 0.9, name


def test_crops_repeat_for_a_seed_and_have_their_plans(sheets: list[coarse.Sheet]) -> None:
    draws = [coarse.draw_crops(sheets, 2, 12, np.random.default_rng(4)) for _ in range(2)]
    plans, roots = draws[0]
    assert plans.shape == (12, 6, 2 + 2 * coarse.MARGIN_BASE, 2 + 2 * coarse.MARGIN_BASE)
    assert roots.shape == (12, 32 + 2 * coarse.FRAME, 32 + 2 * coarse.FRAME)
    assert plans.dtype == roots.dtype == np.float32
    assert np.allclose(plans[:, :4].sum(1), STYLE_SUM / 128, atol=1e-4)
    assert all(np.array_equal(a, b) for a, b in zip(*draws, strict=True))
    wet = (roots < 0).mean((1, 2))
    assert ((wet == 0) | ((wet >= 0.08) & (wet <= 0.9))).all()  # a world's crops have a coast, the sheet has no sea
    assert 0 < (wet > 0).sum() < 12


def test_styles_are_those_of_the_crop() -> None:
    """Style and height change at the same place of a crop."""
    metres = np.where(np.arange(256) < 128, 2000.0, 100.0).astype(np.float32).repeat(256).reshape(256, 256).T
    sheet = coarse.make_sheet("", "", np.ascontiguousarray(metres), 1.0, world=False)
    plans, roots = coarse.draw_crops([sheet], 4, 20, np.random.default_rng(0))
    edge, frame = coarse.MARGIN_BASE, coarse.FRAME
    high = (roots[:, frame:-frame, frame:-frame] > 0.5).reshape(20, 4, 16, 4, 16).mean((2, 4))
    plateau = plans[:, STYLES.index("plateau"), edge:-edge, edge:-edge]
    assert 0.2 < high.mean() < 0.8
    assert np.corrcoef(high.ravel(), plateau.ravel())[0, 1] > 0.8


@pytest.mark.parametrize(("angle", "cosine", "sine"), [(0, 1, 0), (90, -1, 0), (45, 0, 1), (135, 0, -1)])
def test_strike_is_the_direction_of_the_ranges(angle: int, cosine: int, sine: int) -> None:
    y, x = np.mgrid[:120, :120]
    across = x * -np.sin(np.radians(angle)) + y * np.cos(np.radians(angle))  # ranges run at the angle, clockwise
    found = coarse.strike_map((1 + 0.3 * np.sin(across / 2)).astype(np.float32))
    assert np.allclose(found[:, 60, 60], (cosine, sine), atol=0.05)


def test_land_without_a_strike_has_none() -> None:
    noise = np.random.default_rng(0).normal(1, 0.1, (120, 120)).astype(np.float32)
    assert np.abs(coarse.strike_map(noise)[:, 30:90, 30:90]).max() < 0.3
    assert (coarse.strike_map(np.ones((40, 40), np.float32)) == 0).all()


def test_the_strike_turns_with_the_crop() -> None:
    """For every rotation and mirror of a crop, the strike of its plan is that of its land."""
    y, x = np.mgrid[:300, :300]
    metres = (1500 + 500 * np.sin((x + 2 * y) / 4)).astype(np.float32)
    sheet = coarse.make_sheet("", "", metres, 1.0, world=False)
    plans, roots = coarse.draw_crops([sheet], 4, 30, np.random.default_rng(0))
    edge = coarse.MARGIN_BASE
    own = np.stack([coarse.strike_map(r)[:, 36, 36] for r in roots])
    assert np.allclose(plans[:, 4:, edge + 1, edge + 1], own, atol=0.15)
    assert len(np.unique(own.round(1), axis=0)) == 4  # two ways of running, each with its mirror image


def test_validation_regions_are_left_out(tmp_path: Path) -> None:
    meta = json.dumps({"dx_m": 1440, "dy_m": 1440, "licence": "none"})
    np.savez(tmp_path / "nz_southern_alps_75m.npz", z=np.ones((200, 200), np.float32), meta=meta)
    with pytest.raises(FileNotFoundError, match="184 km a side"):
        coarse.load_sheets(tmp_path)


def test_errors_say_what_is_missing(sheets: list[coarse.Sheet]) -> None:
    with pytest.raises(ValueError, match="no map is as large as a crop of 800 cells"):
        coarse.draw_crops(sheets, 50, 1, np.random.default_rng(0))
    sea = coarse.make_sheet("", "", np.zeros((150, 150), np.float32), 1.0, world=False)
    with pytest.raises(ValueError, match="only 0 of 400 crops of 32 cells are land"):
        coarse.draw_crops([sea], 2, 2, np.random.default_rng(0))
