"""Styles that change from place to place, good far from the origin, and the classic noise's heights."""

import pytest
import torch

from pcg.terrain.control import (
    COMMONNESS,
    GRAIN_BITS,
    OCTAVES,
    STYLE_SUM,
    PlanField,
    classic_heights,
    classic_table,
    fade,
    grain_field,
)

VARIED = torch.zeros(1, 4, dtype=torch.int64)
QUANTILES = torch.linspace(0, 30, 129).double() ** 2  # up to 900 m


def weights(seed: int, row: torch.Tensor, column: torch.Tensor, style: torch.Tensor = VARIED) -> torch.Tensor:
    return PlanField()(torch.tensor([seed]), row[None], column[None], style)[0, :4]


def test_fade_is_perlins_quintic() -> None:
    t = torch.arange(0, 1025, 32)
    u = t / 1024
    quintic = u**3 * (u * (u * 6 - 15) + 10)
    assert (fade(t) / 4096 - quintic).abs().max() < 1 / 2000
    assert fade(torch.tensor([0, 1024])).tolist() == [0, 4096]


@pytest.mark.parametrize("origin", [0, -(2**31) - 3, -(2**49), 2**49 - 64])
def test_windows_of_the_styles_agree(origin: int) -> None:
    span = origin + torch.arange(40)
    whole, part = weights(11, span, span), weights(11, span[7:20], span[3:30])
    assert torch.equal(whole[:, 7:20, 3:30], part)


@pytest.mark.parametrize("origin", [0, 2**49 - 64])
def test_the_noise_is_smooth_and_of_the_size_it_says(origin: int) -> None:
    span = origin + torch.arange(60)
    noise = PlanField().noise(torch.tensor([11]), span[None], span[None], 0, 6)[0].double()
    assert noise.abs().max() <= 3700 * sum(weight for _, weight in OCTAVES)
    steps = noise.diff(dim=1).abs()
    assert steps.max() < 8 * steps.mean()  # no cracks between lattice cells


@pytest.mark.parametrize("origin", [0, -(2**31) - 3, 2**49 - 512])
def test_grain_changes_slowly_and_alike_in_every_window(origin: int) -> None:
    span = origin + torch.arange(400)
    whole = grain_field(torch.tensor([11]), span[None], span[None])[0]
    part = grain_field(torch.tensor([11]), span[None, 37:60], span[None, 3:90])[0]
    assert torch.equal(whole[37:60, 3:90], part)
    assert torch.equal(whole, whole.round())
    assert whole.abs().max() <= 127
    assert 50 < float(whole.std()) < 95  # about as a uniform byte, 73
    steps = torch.cat([whole.diff(dim=0).flatten(), whole.diff(dim=1).flatten()]).abs()
    assert float(steps.max()) <= 1.5 * 254 / 2**GRAIN_BITS + 1
    other = grain_field(torch.tensor([12]), span[None], span[None])[0]
    assert not torch.equal(whole, other)


def test_every_place_has_a_style() -> None:
    span = torch.arange(200)
    found = weights(3, span, span)
    assert found.dtype == torch.int64
    assert found.min() >= 0
    total = found.sum(0)
    assert total.max() <= STYLE_SUM
    assert total.min() > STYLE_SUM - 4  # rounded down, each
    assert (found.amax(0) == STYLE_SUM).double().mean() > 0.1  # where one wins by far it is alone
    assert (found > 0).sum(0).max() > 1


def test_styles_are_as_common_as_they_should_be() -> None:
    far = torch.arange(64) * 16  # as far apart as the longest wave, so hardly related
    winner = weights(3, far, far).argmax(0)
    shares = [(winner == k).double().mean().item() for k in range(4)]
    assert sorted(range(4), key=lambda k: shares[k]) == sorted(range(4), key=lambda k: COMMONNESS[k])
    assert min(shares) > 0.04


def test_every_seed_has_other_styles() -> None:
    seeds = torch.tensor([0, 1, 2, 3, 2**53 - 1, 2**52])
    span = torch.arange(128).expand(6, -1)
    noise = PlanField().noise(seeds, span, span, 0, 4).double()
    correlation = torch.corrcoef(noise.flatten(0, 1).flatten(1)) - torch.eye(24)  # four styles of six seeds
    assert correlation.abs().max() < 0.6


def test_a_fixed_style_is_everywhere() -> None:
    style = torch.tensor([[100, 0, 27, 0]])
    span = torch.arange(5)
    assert torch.equal(weights(1, span, span, style), style[0].view(4, 1, 1).expand(4, 5, 5))


def test_fixed_and_changing_styles_share_a_batch() -> None:
    both = torch.tensor([[0, 0, 0, 0], [0, 127, 0, 0]])
    span = torch.arange(30).expand(2, -1)
    found = PlanField()(torch.tensor([7, 7]), span, span, both)
    assert torch.equal(found[0, :4], weights(7, span[0], span[0]))
    assert (found[1, 1] == 127).all()


def test_the_strike_is_the_same_whatever_the_style_and_as_coherent_as_lands() -> None:
    far = torch.arange(64)[None] * 8
    varied, fixed = (PlanField()(torch.tensor([7]), far, far, style)[0, 4:] for style in (VARIED, VARIED + 31))
    assert torch.equal(varied, fixed)
    assert fixed.abs().max() <= 127
    spread = varied.double().std((1, 2))
    assert spread.min() > 35  # real maps: about 51
    assert spread.max() < 65
    assert abs(torch.corrcoef(varied.double().flatten(1))[0, 1]) < 0.2


def test_the_table_gives_the_heights_of_real_land() -> None:
    noise = torch.randn(200_000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    heights = classic_heights(noise, classic_table(QUANTILES))
    assert abs((heights < 0).double().mean().item() - 0.28) < 0.01
    land = heights[heights >= 0]
    assert abs(land.median().item() - 225) < 10
    assert -1800 <= heights.min() < -1000
    assert 800 < heights.max() <= 900


def test_heights_ascend_and_stop_at_the_tables_ends() -> None:
    table = classic_table(QUANTILES)
    noise = torch.linspace(-9, 9, 2001, dtype=torch.float64)
    heights = classic_heights(noise, table)
    assert (heights.diff() >= 0).all()
    assert heights[0] == table[0]
    assert heights[-1] == pytest.approx(table[-1].item(), abs=0.1)
    between = classic_heights(torch.tensor([-4 + 8 * 100.5 / 512], dtype=torch.float64), table)
    assert between.item() == pytest.approx((table[100] + table[101]).item() / 2)
