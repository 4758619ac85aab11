"""Integer arithmetic in floating-point storage: the layers of all exported generators.

The result of a floating-point convolution depends on the order of its sums, and so on the batch, the threads and the
instruction set. Integers don't have this problem: a sum of products below 2^24 steps is exact in float32 in any order.
So an exported layer has weights and activations that are small integers times a power of two. It convolves them, rounds
the exact sum once to bfloat16, and does the rest element by element in bfloat16. Then float32 and bfloat16 give the
same bits (docs/exactness.md has the measurements).

All functions and modules here run under TorchScript.
"""

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ACTIVATION_MAX = 127
WIDE_MAX = 255  # bfloat16 holds every integer up to 256
WEIGHT_MAX = 255
FINEST_WEIGHT = 7  # a channel's step can be finer by so many bits than its largest weight needs
ACTIVATION_QUANTILE = 0.9995  # larger activations are clamped
EXACT_SUM = 2**24  # float32 holds every integer up to here
LEAK = 0.25  # slope of the leaky ReLU; a power of two, so that the product is exact


# --- hashing -------------------------------------------------------------------------------------------------------


def shift_right(x: Tensor, bits: int) -> Tensor:
    """Logical right shift of int64; torch's `>>` is arithmetic, so the copies of the sign bit are masked."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def mix(x: Tensor) -> Tensor:
    """The splitmix64 finaliser (Steele, Lea, Flood 2014; constants by Stafford, "Mix13"), on int64 with wrap-around."""
    x = (x ^ shift_right(x, 30)) * -0x40A7B892E31B1A47  # 0xBF58476D1CE4E5B9
    x = (x ^ shift_right(x, 27)) * -0x6B2FB644ECCEEE15  # 0x94D049BB133111EB
    return x ^ shift_right(x, 31)


def key(seed: Tensor, stream: int) -> Tensor:
    """The int64 key of one stream of random values of a seed; seed is int64 of any shape."""
    return mix(mix(seed) + stream)


def hash_grid(key: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Hash of (key, row, column): key (N,), y (N, H), x (N, W), all int64, to int64 (N, H, W).

    Rows and columns are mixed first, each alone, so that a cell costs only one mix.
    """
    rows = mix(key.unsqueeze(1) + mix(y) * -0x61C8864680B583EB)
    columns = mix(x) * 0x5851F42D4C957F2D
    return mix(rows.unsqueeze(2) + columns.unsqueeze(1))


def latent_field(key: Tensor, y: Tensor, x: Tensor, channels: int) -> Tensor:
    """The latent field z: uniform integers in [-127, 127] as float32 (N, channels, H, W), channels last in memory.

    A hash has eight bytes, so every eight channels use one more stream.
    """
    bytes_: list[Tensor] = []
    for first in range(0, channels, 8):
        bits = hash_grid(key + first, y, x)
        shifts = torch.arange(0, 8 * min(8, channels - first), 8, device=bits.device)
        bytes_.append((bits.unsqueeze(3) >> shifts) & 255)
    field = bytes_[0] if len(bytes_) == 1 else torch.cat(bytes_, dim=3)
    return field.to(torch.float32).sub_(128.0).clamp_(-127.0, 127.0).permute(0, 3, 1, 2)


# --- fixed kernels: weights are whole multiples of a power of two ----------------------------------------------------


def refine_means(h: Tensor) -> Tensor:
    """Double the resolution and keep every 2x2 mean: (..., n, m) cell means to (..., 2(n-4), 2(m-4)).

    Average-interpolating subdivision of order 5 (Donoho 1993, "Smooth wavelet decompositions with blocky coefficient
    kernels"). The first derivative is continuous, so the grid of the coarse map is not visible in the slopes.
    """
    d = (22 * (h[..., 1:-3] - h[..., 3:-1]) - 3 * (h[..., :-4] - h[..., 4:])) * (1.0 / 128)
    h = torch.stack([h[..., 2:-2] + d, h[..., 2:-2] - d], dim=-1).flatten(-2)
    d = (22 * (h[..., 1:-3, :] - h[..., 3:-1, :]) - 3 * (h[..., :-4, :] - h[..., 4:, :])) * (1.0 / 128)
    return torch.stack([h[..., 2:-2, :] + d, h[..., 2:-2, :] - d], dim=-2).flatten(-3, -2)


def refine_smooth(h: Tensor) -> Tensor:
    """Double the resolution by Chaikin's corner cutting (quadratic B-spline): (..., n, m) to (..., 2(n-2), 2(m-2)).

    A result is in the range of its neighbours, so positive values stay positive.
    """
    left = (h[..., :-2] + 3 * h[..., 1:-1]) * 0.25
    right = (3 * h[..., 1:-1] + h[..., 2:]) * 0.25
    h = torch.stack([left, right], dim=-1).flatten(-2)
    up = (h[..., :-2, :] + 3 * h[..., 1:-1, :]) * 0.25
    down = (3 * h[..., 1:-1, :] + h[..., 2:, :]) * 0.25
    return torch.stack([up, down], dim=-2).flatten(-3, -2)


def binomial(h: Tensor) -> Tensor:
    """Binomial 5x5 mean: (..., n, m) to (..., n-4, m-4)."""
    h = (h[..., :-4] + h[..., 4:] + 4 * (h[..., 1:-3] + h[..., 3:-1]) + 6 * h[..., 2:-2]) * (1.0 / 16)
    return (h[..., :-4, :] + h[..., 4:, :] + 4 * (h[..., 1:-3, :] + h[..., 3:-1, :]) + 6 * h[..., 2:-2, :]) * (1.0 / 16)


def subtract_block_mean(d: Tensor) -> Tensor:
    """(N, H, W) minus the mean of each aligned 2x2 block; H and W are even."""
    n, h, w = d.shape
    rows = d[:, 0::2] + d[:, 1::2]
    mean = (rows[:, :, 0::2] + rows[:, :, 1::2]) * 0.25
    return (d.view(n, h // 2, 2, w // 2, 2) - mean.unsqueeze(2).unsqueeze(4)).view(n, h, w)


def crop(x: Tensor, border: int) -> Tensor:
    """The last two axes without `border` elements at either end."""
    return x[..., border : x.shape[-2] - border, border : x.shape[-1] - border]


# --- integer layers ------------------------------------------------------------------------------------------------


def power_of_two_at_least(x: float) -> float:
    """The smallest power of two that is not below x > 0."""
    return 2.0 ** math.ceil(math.log2(x))


def activation_step(activations: Tensor) -> float:
    """The step (value of one integer): a power of two with which all but the largest activations are within 127."""
    values = activations.detach().float().abs().flatten()
    peak = float(values.kthvalue(max(1, math.ceil(ACTIVATION_QUANTILE * values.numel()))).values)
    return power_of_two_at_least(max(peak, 1e-6) / ACTIVATION_MAX)


def activation_steps(activations: Tensor, most: int) -> Tensor:
    """As activation_step, but for integers up to `most`, and for each channel of (N, C, H, W): float64 (C,)."""
    values = activations.detach().float().abs().transpose(0, 1).flatten(1)
    peaks = values.kthvalue(max(1, math.ceil(ACTIVATION_QUANTILE * values.shape[1])), 1).values
    return torch.tensor([power_of_two_at_least(max(float(p), 1e-6) / most) for p in peaks], dtype=torch.float64)


def steps_of(x: Tensor, step: float) -> Tensor:
    """The steps of the channels of (N, C, ...) if all have the same: float64 (C,)."""
    return torch.full((x.shape[1],), step, dtype=torch.float64)


def quantise_weight(weight: Tensor, input_step: Tensor, output_step: float) -> tuple[Tensor, Tensor]:
    """Integers in [-127, 127] and one power of two for each output channel.

    The result maps integers to integers, so that no scale has to be applied after the convolution.

    Args:
        weight: (outputs, inputs, h, w), maps real inputs to real outputs.
        input_step: (inputs,), the step of each input channel.
        output_step: the step of the output.

    Returns:
        Integers in the weight's shape and powers of two (outputs, 1, 1, 1), both float64.
    """
    scaled = weight.detach().double() * input_step.double().view(1, -1, 1, 1) / output_step
    peak = scaled.abs().amax(dim=[1, 2, 3]).clamp_min(1e-12)
    step = torch.tensor([power_of_two_at_least(float(p) / ACTIVATION_MAX) for p in peak], dtype=torch.float64)
    step = step.view(-1, 1, 1, 1)
    return (scaled / step).round(), step


def quantise_bias(bias: Tensor, step: Tensor) -> Tensor:
    """The nearest values that bfloat16 can hold and that are whole multiples of the channels' `step`; float64."""
    rounded = bias.to(torch.bfloat16).double()
    return ((rounded / step.flatten()).round() * step.flatten()).to(torch.bfloat16).double()


def check_sums(integers: Tensor, step: Tensor, bias: Tensor, input_max: int = ACTIVATION_MAX) -> int:
    """The largest possible sum of any output channel, in steps, for inputs in [-input_max, input_max].

    Raises:
        ValueError: it is 2^24 or more; float32 holds every integer up to there.
    """
    worst = int(largest_sums(integers, step, bias, input_max).max())
    if worst >= EXACT_SUM:
        raise ValueError(f"a layer's sum can reach {worst} steps; float32 is exact only below {EXACT_SUM}")
    return worst


def largest_sums(integers: Tensor, step: Tensor, bias: Tensor, input_max: int) -> Tensor:
    """The largest possible sum of each output channel, in steps; see check_sums."""
    return input_max * integers.abs().sum(dim=[1, 2, 3]) + (bias / step.flatten()).abs()


def fine_weight(
    weight: Tensor, bias: Tensor, input_step: Tensor, output_step: Tensor, input_max: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Quantise weights and bias with the finest steps that the bound on sums allows.

    Every weight is a bfloat16 number, so it has eight significant bits, and a whole multiple of its channel's step.
    With a finer step small weights keep more of their bits, which matters if there are many.

    Args:
        weight, input_step: as for quantise_weight.
        bias: (outputs,), real.
        output_step: (outputs,).
        input_max: the largest input.

    Returns:
        Integers, powers of two (outputs, 1, 1, 1), and the bias (outputs,) in output steps; float64.
    """
    output = output_step.double()
    scaled = weight.detach().double() * input_step.double().view(1, -1, 1, 1) / output.view(-1, 1, 1, 1)
    peak = scaled.abs().amax(dim=[1, 2, 3]).clamp_min(1e-12)
    largest = torch.tensor([power_of_two_at_least(float(p) / WEIGHT_MAX) for p in peak], dtype=torch.float64)
    largest = largest.view(-1, 1, 1, 1) * 2  # as coarse as 8-bit integers
    rounded = scaled.to(torch.bfloat16).double()

    def in_steps(step: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return (rounded / step).round(), step, quantise_bias(bias.detach().double() / output, step)

    best = in_steps(largest)
    for bits in range(1, FINEST_WEIGHT + 2):
        finer = in_steps(largest * 2.0**-bits)
        fits = (largest_sums(*finer, input_max) < EXACT_SUM).view(-1, 1, 1, 1)
        integers, step = (torch.where(fits, new, old) for new, old in zip(finer[:2], best[:2], strict=True))
        best = integers, step, torch.where(fits.flatten(), finer[2], best[2])
    return best


def transposed_as_phases(weight: Tensor) -> Tensor:
    """The weights of a 2x2 convolution that replaces a transposed one of kernel 4, stride 2, padding 2.

    (inputs, outputs, 4, 4) to (4 outputs, inputs, 2, 2), phases before outputs; see interleave. Output 2m + a of the
    transposed convolution is x[m] w[a + 2] + x[m + 1] w[a] along each axis. (A transposed convolution in bfloat16 is
    not exact below AVX512: oneDNN has none there, and torch's own adds the taps in bfloat16.)
    """
    inputs, outputs = weight.shape[:2]
    taps = weight.view(inputs, outputs, 2, 2, 2, 2).flip(2, 4)  # (in, out, tap y, phase y, tap x, phase x)
    return taps.permute(3, 5, 1, 0, 2, 4).reshape(4 * outputs, inputs, 2, 2)


def interleave(y: Tensor, latent: Tensor) -> Tensor:
    """Interleave phases to pixels and append the latents, in one pass.

    y (N, 4 C, h, w) and latent (N, Z, 2h, 2w) to (N, C + Z, 2h, 2w), channels last in memory; Z can be 0.
    """
    n, phases, h, w = y.shape
    channels = phases // 4
    every = channels + latent.shape[1]
    x = torch.empty([n, 2 * h, 2 * w, every], dtype=y.dtype, device=y.device)
    phased = y.permute(0, 2, 3, 1).reshape(n, h, w, 2, 2, channels).permute(0, 1, 3, 2, 4, 5)
    x.view(n, h, 2, w, 2, every)[..., :channels].copy_(phased)
    if every > channels:
        x[..., channels:].copy_(latent.permute(0, 2, 3, 1))
    return x.permute(0, 3, 1, 2)


class ExactConv(nn.Module):
    """A convolution without padding whose result is the exact sum, rounded once to bfloat16, in every precision.

    The input (N, C, H, W) has integers in [-input_max, input_max] in float32, bfloat16 or float64, with the steps
    `input_step` (C,). The output is bfloat16 with `output_step`, one number or (C',). The bias is part of the
    convolution: it is a whole number of steps that bfloat16 can hold, so the sum stays exact if the kernel adds the
    bias before the rounding, as the CPU's kernels do. The golden vectors detect a kernel that does not.

    Raises:
        ValueError: a channel's sum could reach 2^24 steps, where float32 is no longer exact.
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        input_step: Tensor,
        output_step: float | Tensor,
        input_max: int = ACTIVATION_MAX,
    ) -> None:
        super().__init__()
        steps = torch.as_tensor(output_step, dtype=torch.float64).expand(len(weight))
        integers, step, in_steps = fine_weight(weight, bias, input_step, steps, input_max)
        check_sums(integers, step, in_steps, input_max)
        # bfloat16 holds them exactly, in half the size.
        quantised = (integers * step).to(torch.bfloat16)
        self.register_buffer("weight", quantised.contiguous(memory_format=torch.channels_last))
        self.register_buffer("bias", in_steps.to(torch.bfloat16))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to bfloat16 (N, C', H', W')."""
        return F.conv2d(x, self.weight.to(x.dtype), self.bias.to(x.dtype)).to(torch.bfloat16)


class IntegerConv(nn.Module):
    """ExactConv, leaky ReLU, round and clamp: integers in [-most, most] in and out, in the input's dtype."""

    LEAK: Final[float] = LEAK
    most: Final[float]

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        input_step: Tensor,
        output_step: float | Tensor,
        most: int = ACTIVATION_MAX,
    ) -> None:
        super().__init__()
        self.conv = ExactConv(weight, bias, input_step, output_step, most)
        self.most = float(most)

    def forward(self, x: Tensor) -> Tensor:
        """One layer; the result has x's dtype."""
        return F.leaky_relu_(self.conv(x), self.LEAK).round_().clamp_(-self.most, self.most).to(x.dtype)


class IntegerUp(nn.Module):
    """IntegerConv for a transposed convolution (kernel 4, stride 2, padding 2); appends latents to its outputs.

    Maps n to 2n - 2: only outputs with their full support are computed.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        input_step: Tensor,
        output_step: float | Tensor,
        most: int = ACTIVATION_MAX,
    ) -> None:
        super().__init__()
        steps = torch.as_tensor(output_step, dtype=torch.float64).expand(len(bias)).repeat(4)
        self.phases = IntegerConv(transposed_as_phases(weight), bias.repeat(4), input_step, steps, most)

    def forward(self, x: Tensor, latent: Tensor) -> Tensor:
        """x (N, C, n, n) and latent (N, Z, 2n-2, 2n-2) to (N, C' + Z, 2n-2, 2n-2) in x's dtype; Z can be 0."""
        return interleave(self.phases(x), latent)
