"""Hashing, fixed kernels and integer layers: worked values, and the same bits in every precision."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pcg import exact

MASK = 2**64 - 1


def splitmix64(x: int) -> int:
    """The finaliser in Python's unbounded integers."""
    x &= MASK
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


@given(st.integers(-(2**63), 2**63 - 1))
def test_mix_is_splitmix64(value: int) -> None:
    assert exact.mix(torch.tensor([value])).item() & MASK == splitmix64(value)


@given(st.integers(-(2**63), 2**63 - 1), st.integers(1, 63))
def test_shift_right_is_logical(value: int, bits: int) -> None:
    assert exact.shift_right(torch.tensor([value]), bits).item() == (value & MASK) >> bits


@given(st.integers(0, 2**53 - 1), st.integers(-(2**53), 2**53), st.integers(-(2**53), 2**53))
@settings(max_examples=25)
def test_latent_field_is_a_function_of_place(seed: int, y: int, x: int) -> None:
    key = exact.key(torch.tensor([seed]), 5)
    span = torch.arange(6)
    whole = exact.latent_field(key, (y + span)[None], (x + span)[None], 10)
    part = exact.latent_field(key, (y + span[2:5])[None], (x + span[1:4])[None], 10)
    assert torch.equal(whole[:, :, 2:5, 1:4], part)


def test_latent_field_is_uniform_and_uncorrelated() -> None:
    span = torch.arange(128)[None]
    z = exact.latent_field(exact.key(torch.tensor([3]), 0), span, span, 12)
    assert z.abs().max() == 127
    assert abs(z.mean().item()) < 1
    assert abs(z.std().item() - 256 / 12**0.5) < 1
    planes = z[0].flatten(1)
    correlation = torch.corrcoef(torch.cat([planes, z[0].roll(1, 2).flatten(1), z[0].roll(1, 1).flatten(1)]))
    assert (correlation - torch.eye(len(correlation))).abs().max() < 0.05


def test_seeds_and_streams_differ() -> None:
    keys = exact.key(torch.arange(1000), 0)
    assert len(set(keys.tolist() + exact.key(torch.arange(1000), 1).tolist())) == 2000


def test_refine_means_keeps_means_and_straight_slopes() -> None:
    h = torch.randint(-10_000, 10_000, (1, 12, 14), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    fine = exact.refine_means(h)
    assert fine.shape == (1, 16, 20)
    means = fine.reshape(1, 8, 2, 10, 2).mean((2, 4))
    assert torch.equal(means, h[:, 2:-2, 2:-2])
    plane = torch.arange(12.0, dtype=torch.float64)[:, None] * 8 + torch.arange(12.0, dtype=torch.float64) * 3
    refined = exact.refine_means(plane)
    assert torch.allclose(refined.diff(dim=0), torch.tensor(4.0, dtype=torch.float64))
    assert torch.allclose(refined.diff(dim=1), torch.tensor(1.5, dtype=torch.float64))


def test_refine_smooth_stays_between_its_neighbours() -> None:
    h = torch.rand(2, 9, 9, dtype=torch.float64)
    fine = exact.refine_smooth(h)
    assert fine.shape == (2, 14, 14)
    assert fine.min() >= h.min()
    assert fine.max() <= h.max()
    assert torch.allclose(exact.refine_smooth(torch.full((5, 5), 3.0)), torch.tensor(3.0))


def test_subtract_block_mean() -> None:
    d = torch.tensor([[[1.0, 3.0, 8.0, 8.0], [5.0, 7.0, 8.0, 8.0]]])
    assert exact.subtract_block_mean(d).tolist() == [[[-3, -1, 0, 0], [1, 3, 0, 0]]]


def layer(transposed: bool) -> exact.IntegerConv:
    random = torch.Generator().manual_seed(4)
    shape = (16, 24, 4, 4) if transposed else (24, 16, 3, 3)
    weight, bias = torch.randn(shape, generator=random) * 0.05, torch.randn(24, generator=random) * 0.1
    return exact.IntegerConv(weight, bias, torch.full((16,), 1 / 128), 1 / 32, transposed)


@pytest.mark.parametrize("transposed", [False, True])
def test_integer_layer_is_the_same_in_every_precision(transposed: bool) -> None:
    conv = layer(transposed)
    x = torch.randint(-127, 128, (3, 16, 20, 20), generator=torch.Generator().manual_seed(5)).float()
    with torch.inference_mode():
        results = [conv(x.to(d)).double() for d in (torch.float32, torch.bfloat16, torch.float64)]
        alone = conv(x[1:2]).double()
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])
    assert torch.equal(results[0][1:2], alone)
    assert torch.equal(results[0], results[0].round())
    assert results[0].abs().max() <= 127
    assert results[0].unique().numel() > 30


def test_integer_layer_is_close_to_the_float_layer() -> None:
    random = torch.Generator().manual_seed(6)
    weight, bias = torch.randn(24, 16, 3, 3, generator=random) * 0.05, torch.randn(24, generator=random) * 0.1
    x = torch.randint(-127, 128, (1, 16, 12, 12), generator=random).float()
    real = torch.nn.functional.leaky_relu(torch.nn.functional.conv2d(x / 128, weight, bias), exact.LEAK)
    step = 1 / 32
    with torch.inference_mode():
        quantised = exact.IntegerConv(weight, bias, torch.full((16,), 1 / 128), step)(x) * step
    assert (quantised - real).abs().max() < 1.5 * step


def test_phases_are_the_transposed_convolution() -> None:
    random = torch.Generator().manual_seed(8)
    x, weight = torch.randn(1, 3, 6, 7, generator=random), torch.randn(3, 5, 4, 4, generator=random)
    expected = torch.nn.functional.conv_transpose2d(x, weight, stride=2, padding=2)
    phases = torch.nn.functional.conv2d(x, exact.transposed_as_phases(weight))
    assert torch.allclose(torch.nn.functional.pixel_shuffle(phases, 2), expected, atol=1e-5)


@pytest.mark.parametrize("transposed", [False, True])
def test_sums_that_float32_would_round_are_refused(transposed: bool) -> None:
    weight = torch.ones(600, 2, 4, 4) if transposed else torch.ones(2, 600, 3, 3)
    with pytest.raises(ValueError, match="16777216"):
        exact.IntegerConv(weight, torch.zeros(2), torch.ones(600), 1.0, transposed)


def test_integer_sum_keeps_all_its_bits() -> None:
    weight = torch.tensor([100.0, -3.0, 5.0]).view(1, 3, 1, 1)
    total = exact.IntegerSum(weight, torch.tensor(2.0), 1.0)
    x = torch.tensor([127.0, 126.0, 1.0]).view(1, 3, 1, 1)
    for dtype in (torch.float32, torch.bfloat16):
        assert total(x.to(dtype)).item() == 12700 - 378 + 5 + 2  # 15 bits; bfloat16 has 8
