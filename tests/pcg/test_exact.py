"""Hashing, fixed kernels and integer layers: worked values, and the same bits in every precision."""

from collections.abc import Callable

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


def test_binomial_mean_is_pascals_row_both_ways() -> None:
    spike = torch.zeros(1, 9, 9, dtype=torch.float64)
    spike[0, 4, 4] = 256
    row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], dtype=torch.float64)
    assert torch.equal(exact.binomial(spike)[0], row[:, None] * row)
    plane = torch.arange(12.0).expand(1, 8, 12)
    assert torch.equal(exact.binomial(plane), plane[:, 2:-2, 2:-2])


def test_subtract_block_mean() -> None:
    d = torch.tensor([[[1.0, 3.0, 8.0, 8.0], [5.0, 7.0, 8.0, 8.0]]])
    assert exact.subtract_block_mean(d).tolist() == [[[-3, -1, 0, 0], [1, 3, 0, 0]]]


def inputs(*shape: int) -> torch.Tensor:
    return torch.randint(-127, 128, shape, generator=torch.Generator().manual_seed(5)).float()


def parameters(transposed: bool) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(4)
    shape = (16, 24, 4, 4) if transposed else (24, 16, 3, 3)
    return torch.randn(shape, generator=random) * 0.05, torch.randn(24, generator=random) * 0.1


def layer(transposed: bool) -> Callable[[torch.Tensor], torch.Tensor]:
    weight, bias = parameters(transposed)
    if not transposed:
        return exact.IntegerConv(weight, bias, torch.full((16,), 1 / 128), 1 / 32)
    up = exact.IntegerUp(weight, bias, torch.full((16,), 1 / 128), 1 / 32)
    return lambda x: up(x, torch.empty(len(x), 0, 2 * x.shape[2] - 2, 2 * x.shape[3] - 2))


@pytest.mark.parametrize("transposed", [False, True])
def test_integer_layer_is_the_same_in_every_precision(transposed: bool) -> None:
    conv = layer(transposed)
    x = inputs(3, 16, 20, 20)
    with torch.inference_mode():
        results = [conv(x.to(d)) for d in (torch.float32, torch.bfloat16, torch.float64)]
        alone = conv(x[1:2])
    assert [r.dtype for r in results] == [torch.float32, torch.bfloat16, torch.float64]
    results = [r.double() for r in results]
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])
    assert torch.equal(results[0][1:2], alone.double())
    assert torch.equal(results[0], results[0].round())
    assert results[0].abs().max() <= 127
    assert results[0].unique().numel() > 30


@pytest.mark.parametrize("transposed", [False, True])
def test_integer_layer_is_close_to_the_float_layer(transposed: bool) -> None:
    weight, bias = parameters(transposed)
    x, step = inputs(1, 16, 12, 12), 1 / 32
    if transposed:
        real = torch.nn.functional.conv_transpose2d(x / 128, weight, bias, stride=2, padding=2)
    else:
        real = torch.nn.functional.conv2d(x / 128, weight, bias)
    real = torch.nn.functional.leaky_relu(real, exact.LEAK)
    with torch.inference_mode():
        quantised = layer(transposed)(x) * step
    assert quantised.shape == real.shape
    assert (quantised - real).abs().max() < 1.5 * step


def test_latents_come_after_the_outputs_of_an_up_convolution() -> None:
    up = exact.IntegerUp(*parameters(True), torch.full((16,), 1 / 128), 1 / 32)
    x, latent = inputs(2, 16, 5, 5), inputs(2, 3, 8, 8)
    for dtype in (torch.float32, torch.bfloat16):
        y = up(x.to(dtype), latent)
        assert y.shape == (2, 27, 8, 8)
        assert y.dtype == dtype
        assert y.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(y[:, 24:].float(), latent)
        assert torch.equal(y[:, :24], up(x.to(dtype), latent[:, :0]))


def test_a_layer_saturates() -> None:
    weight = torch.tensor([1.0, -4.0]).view(2, 1, 1, 1)
    conv = exact.IntegerConv(weight, torch.tensor([100.0, 0.0]), torch.ones(1), 1.0)
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        high, low = conv(torch.tensor([127.0, -127.0], dtype=dtype).view(2, 1, 1, 1)).flatten(1).tolist()
        assert high == [127, -127]
        assert low == [-7, 127]  # -27 through the leak: -6.75


def test_the_exact_sum_is_rounded_once_to_bfloat16() -> None:
    """The convolution's result is the integer sum, bias included, in int64, and nothing else."""
    weight, bias = parameters(False)
    input_step = torch.full((16,), 1 / 128)
    conv = exact.ExactConv(weight, bias, input_step, 1 / 1024)
    output_step = torch.full((24,), 1 / 1024)
    integers, step, whole = exact.fine_weight(weight, bias, input_step, output_step, exact.ACTIVATION_MAX)
    assert torch.equal(conv.bias.double(), whole)
    x = inputs(2, 16, 9, 9)
    sums = torch.nn.functional.conv2d(x.double(), integers) + (conv.bias.double() / step.flatten()).view(1, -1, 1, 1)
    assert torch.equal(sums, sums.round())  # whole steps, so float64 has added no error
    expected = (sums * step.view(1, -1, 1, 1)).to(torch.bfloat16)
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        assert torch.equal(conv(x.to(dtype)), expected)


def test_weights_are_as_fine_as_sums_allow() -> None:
    """A channel of few weights keeps all eight bits of each, one of many the bits that its sum leaves."""
    random = torch.Generator().manual_seed(9)
    for inputs_, small in ((4, 2**-9), (1000, 2**-6)):
        weight = torch.randn(3, inputs_, 1, 1, generator=random)
        bias, ones = torch.randn(3, generator=random), torch.ones(inputs_)
        integers, step, whole = exact.fine_weight(weight, bias, ones, torch.ones(3), exact.WIDE_MAX)
        assert exact.check_sums(integers, step, whole, exact.WIDE_MAX) < exact.EXACT_SUM
        fine = integers * step
        assert torch.equal(fine, fine.to(torch.bfloat16).double())
        assert torch.equal(integers, integers.round())
        assert ((fine - weight).abs() <= weight.abs() / 256 + small * weight.abs().max() / 4).all()
        coarse = exact.quantise_weight(weight, ones, 1.0)
        assert (fine - weight).abs().mean() < 0.7 * (coarse[0] * coarse[1] - weight).abs().mean()


def test_each_channel_has_a_step_of_its_own() -> None:
    activations = torch.linspace(-1, 1, 5001).view(1, 1, -1, 1) * torch.tensor([1.0, 0.25, 3.0]).view(1, 3, 1, 1)
    assert exact.activation_steps(activations, 255).tolist() == [1 / 128, 1 / 512, 1 / 64]
    weight, bias = parameters(False)
    steps = 2.0 ** -torch.arange(24.0).remainder(4) / 32
    x, input_step = inputs(1, 16, 12, 12), torch.full((16,), 1 / 128)
    wide = exact.IntegerConv(weight, bias, input_step, steps, exact.WIDE_MAX)
    real = torch.nn.functional.leaky_relu(torch.nn.functional.conv2d(x / 128, weight, bias), exact.LEAK)
    with torch.inference_mode():
        results = [wide(x.to(d)).float() for d in (torch.float32, torch.bfloat16, torch.float64)]
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])
    assert 127 < results[0].abs().max() <= 255
    expected = (real / steps.view(1, -1, 1, 1)).clamp(-255, 255)
    assert ((results[0] - expected).abs() < 1.5).all()


def test_a_bias_is_whole_steps_that_bfloat16_holds() -> None:
    bias = torch.randn(300, dtype=torch.float64, generator=torch.Generator().manual_seed(7)) * 50
    step = 2.0 ** torch.randint(-8, 3, (300, 1, 1, 1)).double()
    quantised = exact.quantise_bias(bias, step)
    assert torch.equal(quantised.to(torch.bfloat16).double(), quantised)
    assert torch.equal((quantised / step.flatten()).round() * step.flatten(), quantised)
    assert ((quantised - bias).abs() <= step.flatten() + bias.abs() / 128).all()


def test_phases_are_the_transposed_convolution() -> None:
    random = torch.Generator().manual_seed(8)
    x, weight = torch.randn(1, 3, 6, 7, generator=random), torch.randn(3, 5, 4, 4, generator=random)
    expected = torch.nn.functional.conv_transpose2d(x, weight, stride=2, padding=2)
    phases = torch.nn.functional.conv2d(x, exact.transposed_as_phases(weight))
    pixels = exact.interleave(phases, torch.empty(1, 0, 10, 12))
    assert torch.allclose(pixels, expected, atol=1e-5)


@pytest.mark.parametrize("transposed", [False, True])
def test_sums_that_float32_would_round_are_refused(transposed: bool) -> None:
    kind = exact.IntegerUp if transposed else exact.IntegerConv
    weight = torch.ones(600, 2, 4, 4) if transposed else torch.ones(2, 600, 3, 3)
    with pytest.raises(ValueError, match="16777216"):
        kind(weight, torch.zeros(2), torch.ones(600), 1.0)


def test_a_bias_counts_towards_the_sum() -> None:
    weight = torch.full((1, 1, 1, 1), 0.5)  # 64 steps of 1/128
    exact.ExactConv(weight, torch.tensor([100_000.0]), torch.ones(1), 1.0)
    with pytest.raises(ValueError, match="16777216"):
        exact.ExactConv(weight, torch.tensor([140_000.0]), torch.ones(1), 1.0)
