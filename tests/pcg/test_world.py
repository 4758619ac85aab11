"""The exact world, made from an untrained generator: exactness must not depend on the weights."""

import pytest
import torch

from pcg.terrain.control import GradientNoise, height_table, noise_sample
from pcg.terrain.networks import Generator
from pcg.terrain.world import TerrainWorld, quantise


@pytest.fixture(scope="module")
def world() -> TerrainWorld:
    torch.manual_seed(0)
    table = height_table(torch.linspace(0, 40, 129).double() ** 2, noise_sample(places=64))
    return torch.jit.script(quantise(Generator(), GradientNoise(table), places=4))


def chunk(world: TerrainWorld, seed: int, x: int, y: int, size: int) -> torch.Tensor:
    with torch.inference_mode():
        return world(torch.tensor([seed]), torch.tensor([x]), torch.tensor([y]), size)[0]


PLACES = [(7, 0, 0), (3, -1000, 333), (2**53 - 1, 2**31 + 5, -(2**40) - 9), (1, -(2**53), 2**53)]


@pytest.mark.parametrize(("seed", "x", "y"), PLACES)
def test_overlapping_chunks_agree(world: TerrainWorld, seed: int, x: int, y: int) -> None:
    whole = chunk(world, seed, x, y, 90)
    assert torch.equal(whole[17:77, 29:89], chunk(world, seed, x + 29, y + 17, 60))
    assert torch.equal(whole[5:6, 80:81], chunk(world, seed, x + 80, y + 5, 1))


@pytest.mark.parametrize(("seed", "x", "y"), PLACES)
def test_precisions_and_batches_agree(world: TerrainWorld, seed: int, x: int, y: int) -> None:
    world.use_precision(32)
    alone = chunk(world, seed, x, y, 48)
    with torch.inference_mode():
        batch = world(torch.tensor([5, seed, 9]), torch.tensor([3, x, -8]), torch.tensor([14, y, 2]), 48)
    assert torch.equal(batch[1], alone)
    for bits in (16, 64):
        world.use_precision(bits)
        assert torch.equal(chunk(world, seed, x, y, 48), alone)
    world.use_precision(32)


def test_seeds_differ_and_heights_are_in_range(world: TerrainWorld) -> None:
    a, b = chunk(world, 1, 0, 0, 64), chunk(world, 2, 0, 0, 64)
    assert not torch.equal(a, b)
    assert a.dtype == torch.int32
    assert a.min() >= 0
    assert a.max() <= 65535
    assert a.unique().numel() > 100


def test_land_keeps_its_control_map(world: TerrainWorld) -> None:
    """The mean of each block of 16x16 pixels is the control height, whatever the network draws."""
    seed, row, column = torch.tensor([3]), torch.tensor([100]), torch.tensor([-40])
    control = world.control(seed, row - 8, column - 8, 20).clamp_min(0)
    with torch.inference_mode():
        land = world.detail(seed, row, column, control)
    blocks = land[:, 4:-4, 4:-4].reshape(1, 4, 16, 4, 16).mean((2, 4))
    assert (blocks - control[:, 8:-8, 8:-8]).abs().max() < 0.1


def test_sea_sinks_to_its_control_map_and_leaves_dry_land_alone(world: TerrainWorld) -> None:
    seed, zero = torch.tensor([3]), torch.tensor([0])
    control = torch.full((1, 24, 24), 50.0, dtype=torch.float64)
    dry = world.detail(seed, zero, zero, control)
    control[:, :, 12:] = -400
    coast = world.detail(seed, zero, zero, control)
    assert coast.shape == dry.shape == (1, 136, 136)
    assert (coast[:, :, :32] > 30).all()
    assert (coast[:, :, -4] < -200).all()


def test_saturates_instead_of_wrapping(world: TerrainWorld) -> None:
    seed, zero = torch.tensor([3]), torch.tensor([0])
    high = torch.full((1, 18, 18), 20_000.0, dtype=torch.float64)
    assert world.window(seed, zero, zero, 16, high).unique().tolist() == [65535]
