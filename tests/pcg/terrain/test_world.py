"""The exact world, made from untrained generators: exactness must not depend on the weights."""

from typing import Any

import numpy as np
import pytest
import torch

from pcg.terrain.control import STYLE_SUM, classic_table
from pcg.terrain.data import MARGIN_CELLS
from pcg.terrain.networks import CoarseGenerator, Generator
from pcg.terrain.quantise import quantise
from pcg.terrain.world import SCALES, STEPS_A_METRE

FRAME = 4
VARIED, ALPINE, BLEND = (0, 0, 0, 0), (STYLE_SUM, 0, 0, 0), (40, 0, 30, 57)
PLACES = [(7, 0, 0), (3, -1000, 333), (2**53 - 1, 2**31 + 5, -(2**40) - 9), (1, -(2**53), 2**53)]


@pytest.fixture(scope="module")
def world() -> Any:
    torch.manual_seed(0)
    generator = Generator((16, 12, 12, 8, 8), (5, 3, 2, 2, 0))
    coarse = CoarseGenerator((12, 12, 8, 8, 8), (4, 3, 2, 2, 1))
    classic = classic_table(torch.linspace(0, 40, 129).double() ** 2)
    return torch.jit.script(quantise(generator, coarse, classic, places=2))


def chunk(
    world: Any, seed: int, x: int, y: int, size: int, lod: int = 0, style: tuple[int, ...] = VARIED
) -> torch.Tensor:
    with torch.inference_mode():
        return world(torch.tensor([seed]), torch.tensor([x]), torch.tensor([y]), size, lod, torch.tensor([style]))[0]


def dry_control(cells: int, metres: float = 900.0) -> torch.Tensor:
    """Hills, nowhere near the sea, with the margin that `detail` needs."""
    side = cells + 2 * MARGIN_CELLS
    random = torch.Generator().manual_seed(4)
    return metres + torch.rand(1, side, side, dtype=torch.float64, generator=random) * 400


@pytest.mark.parametrize("style", [VARIED, BLEND])
@pytest.mark.parametrize("lod", range(SCALES + 1))
@pytest.mark.parametrize(("seed", "x", "y"), PLACES)
def test_overlapping_chunks_agree(world: Any, seed: int, x: int, y: int, lod: int, style: tuple[int, ...]) -> None:
    whole = chunk(world, seed, x, y, 50, lod, style)
    assert torch.equal(whole[17:47, 9:39], chunk(world, seed, x + (9 << lod), y + (17 << lod), 30, lod, style))
    assert torch.equal(whole[5:6, 40:41], chunk(world, seed, x + (40 << lod), y + (5 << lod), 1, lod, style))


@pytest.mark.parametrize(("seed", "x", "y"), PLACES)
def test_precisions_and_batches_agree(world: Any, seed: int, x: int, y: int) -> None:
    for lod, style in ((0, VARIED), (2, ALPINE), (4, BLEND)):
        world.use_precision(32)
        alone = chunk(world, seed, x, y, 48, lod, style)
        with torch.inference_mode():
            batch = world(
                torch.tensor([5, seed, 9]),
                torch.tensor([3, x, -8]),
                torch.tensor([14, y, 2]),
                48,
                lod,
                torch.tensor([BLEND, style, VARIED]),
            )
        assert torch.equal(batch[1], alone)
        for bits in (16, 64):
            world.use_precision(bits)
            assert torch.equal(chunk(world, seed, x, y, 48, lod, style), alone)
    world.use_precision(32)


def test_a_chunk_begins_at_the_pixel_that_contains_its_corner(world: Any) -> None:
    for lod in range(1, SCALES + 1):
        start = chunk(world, 7, -96, 160, 8, lod)
        assert torch.equal(chunk(world, 7, -96 + 2**lod - 1, 160 + 1, 8, lod), start)


def test_seeds_and_styles_differ(world: Any) -> None:
    a, b = chunk(world, 1, 0, 0, 64), chunk(world, 2, 0, 0, 64)
    assert not torch.equal(a, b)
    assert a.dtype == torch.int32
    assert a.unique().numel() > 100
    assert not torch.equal(a, chunk(world, 1, 0, 0, 64, style=ALPINE))
    assert not torch.equal(chunk(world, 1, 0, 0, 64, style=BLEND), chunk(world, 1, 0, 0, 64, style=ALPINE))


def test_land_keeps_its_control_map_at_every_level(world: Any) -> None:
    """The mean of each block of pixels is the control height, and each level is the block mean of the finer ones."""
    seed, zero, control = torch.tensor([3]), torch.tensor([-40]), dry_control(4)
    finest = world.detail(seed, zero, zero, control, 0)[:, FRAME:-FRAME, FRAME:-FRAME]
    cells = control[:, MARGIN_CELLS:-MARGIN_CELLS, MARGIN_CELLS:-MARGIN_CELLS]
    for lod in range(SCALES + 1):
        land = world.detail(seed, zero, zero, control, lod)[:, FRAME:-FRAME, FRAME:-FRAME]
        side, block = 64 >> lod, 1 << lod
        assert land.shape == (1, side, side)
        means = finest.view(1, side, block, side, block).mean((2, 4))
        assert (means - land).abs().max() < 0.05  # half a step of 1/64 m for each level
        cell = 16 >> lod
        assert (land.view(1, 4, cell, 4, cell).mean((2, 4)) - cells).abs().max() < 0.05
    assert finest.std() > cells.std() + 1


def test_heights_are_whole_steps(world: Any) -> None:
    seed, zero = torch.tensor([3]), torch.tensor([0])
    for lod in (0, 3):
        steps = world.detail(seed, zero, zero, dry_control(2), lod) * STEPS_A_METRE
        assert torch.equal(steps, steps.round())


def test_the_control_map_is_the_same_in_every_window(world: Any) -> None:
    style = torch.tensor([VARIED])
    for row, column in ((0, 0), (-7, 1234), (2**49 - 40, -(2**49))):
        whole = world.control(torch.tensor([9]), torch.tensor([row]), torch.tensor([column]), 70, style)
        part = world.control(torch.tensor([9]), torch.tensor([row + 13]), torch.tensor([column + 29]), 20, style)
        assert whole.shape == (1, 70, 70)
        assert torch.equal(whole[:, 13:33, 29:49], part)
        assert torch.equal(whole * STEPS_A_METRE, (whole * STEPS_A_METRE).round())


def test_a_chunk_is_the_window_of_its_control_map(world: Any) -> None:
    seed, x, y, style = torch.tensor([5]), torch.tensor([-37]), torch.tensor([90]), torch.tensor([BLEND])
    for lod, size in ((0, 33), (1, 20), (4, 9)):
        cells = world.cells(x, y, size, lod)
        control = world.control(seed, (y >> 4) - MARGIN_CELLS, (x >> 4) - MARGIN_CELLS, cells, style)
        assert torch.equal(world(seed, x, y, size, lod, style), world.window(seed, x, y, size, lod, control))


def test_no_more_cells_than_needed(world: Any) -> None:
    def cells(x: int, y: int, size: int, lod: int) -> int:
        return int(world.cells(torch.tensor([x]), torch.tensor([y]), size, lod)) - 2 * MARGIN_CELLS

    assert [cells(0, 0, size, 0) for size in (1, 16, 17, 32)] == [1, 1, 2, 2]
    assert cells(15, 0, 2, 0) == cells(-32, -1, 2, 0) == 2
    assert [cells(-16, 8, size, 3) for size in (1, 2, 4)] == [1, 2, 3]
    assert cells(5, 5, 10, 4) == 10


@pytest.mark.parametrize("lod", range(SCALES + 1))
def test_pixels_at_sea_level_near_the_sea_get_the_depth_of_the_control_map(world: Any, lod: int) -> None:
    seed, zero = torch.tensor([3]), torch.tensor([0])
    side, coast = 8 + 2 * MARGIN_CELLS, MARGIN_CELLS + 4
    control = torch.full((1, side, side), 50.0, dtype=torch.float64)
    control[:, :, coast:] = -400
    filled = world.detail(seed, zero, zero, control.clamp(min=0), lod)
    land = world.detail(seed, zero, zero, control, lod)
    cell = 16 >> lod
    inland, offshore = np.s_[..., : FRAME + cell], np.s_[..., -FRAME - cell :]  # three cells of the shore's
    assert torch.equal(land[inland], filled[inland])
    assert (land[offshore] - filled[offshore] + 400).abs().max() < 1  # all but the shore's ripple; no islets
    sunk = land != filled
    assert (land[sunk] <= 0).all()  # no lowered pixel is above the sea


def test_heights_beyond_the_wire_s_range_do_not_wrap(world: Any) -> None:
    seed, zero = torch.tensor([3]), torch.tensor([0])
    high = torch.full((1, 1 + 2 * MARGIN_CELLS, 1 + 2 * MARGIN_CELLS), 2.0**20, dtype=torch.float64)
    land = world.window(seed, zero, zero, 16, 0, high)
    assert (land > 2**25).all()


def test_classic_noise_has_heights(world: Any) -> None:
    heights = world.control_heights(torch.tensor([[[-4.0, 0.0, 4.0]]], dtype=torch.float64))
    assert heights.shape == (1, 1, 3)
    assert heights[0, 0, 0] < 0 < heights[0, 0, 1] < heights[0, 0, 2]
