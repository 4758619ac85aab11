"""The endless control map: smooth, warped, distributed like land, good far from the origin."""

import pytest
import torch

from pcg.terrain.control import GradientNoise, fade, height_table, noise_sample


@pytest.fixture(scope="module")
def sample() -> torch.Tensor:
    return noise_sample(places=64)


def test_fade_is_perlins_quintic() -> None:
    t = torch.arange(0, 1025, 32)
    u = t / 1024
    quintic = u**3 * (u * (u * 6 - 15) + 10)
    assert (fade(t) / 4096 - quintic).abs().max() < 1 / 2000
    assert fade(torch.tensor([0, 1024])).tolist() == [0, 4096]


@pytest.mark.parametrize("origin", [0, -(2**31) - 3, 2**49 - 64])
def test_windows_of_the_noise_agree(origin: int) -> None:
    noise, seed = GradientNoise(), torch.tensor([11])
    span = origin + torch.arange(40)
    whole = noise.noise(seed, span[None], span[None])
    part = noise.noise(seed, span[None, 7:20], span[None, 3:30])
    assert torch.equal(whole[:, 7:20, 3:30], part)
    steps = whole.diff(dim=1).abs().double()
    assert steps.max() < 12 * steps.mean()  # no cracks between lattice cells


def test_every_seed_is_another_land() -> None:
    span = torch.arange(32).expand(6, -1)
    noise = GradientNoise().noise(torch.tensor([0, 1, 2, 3, 2**53 - 1, 2**52]), span, span).double()
    assert torch.unique(noise[:, 0, 0]).numel() == 6
    correlation = torch.corrcoef(noise.flatten(1)) - torch.eye(6)
    assert correlation.abs().max() < 0.99


def test_table_gives_the_heights_of_real_land(sample: torch.Tensor) -> None:
    quantiles = torch.linspace(0, 30, 129).double() ** 2  # up to 900 m
    noise = GradientNoise(height_table(quantiles, sample))
    heights = noise.heights(sample).double() / 64
    assert abs((heights < 0).double().mean().item() - 0.28) < 0.01
    land = heights[heights >= 0].sort().values
    middle = land[len(land) // 2].item()
    assert abs(middle - 225) < 10
    assert (heights.diff() >= 0).all()
    assert -1800 <= heights.min() < -1000
    assert 800 < heights.max() <= 900
