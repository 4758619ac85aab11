"""Interpolation in integers: between two latent points, or two colours, with noise.

Shares are in 128ths. All functions run under TorchScript.
"""

import torch
from torch import Tensor

from pcg.exact import ACTIVATION_MAX

UNIT = 128  # a share of 1, and a truncation of 1
NOISE_STD = 209.0  # standard deviation of the sum of eight random bytes


def lerp(one: Tensor, other: Tensor, share: Tensor) -> Tensor:
    """Linear interpolation from `one` (share 0) to `other` (share 128), int64, rounded to the nearest."""
    return (one * (128 - share) + other * share + 64) >> 7


def noise_scale(std: float) -> int:
    """The argument `scale` of `blend` for noise of standard deviation `std` in a space of (-1, 1)."""
    return round(std * ACTIVATION_MAX / NOISE_STD * 1024)


def blend(one: Tensor, other: Tensor, share: Tensor, bits: Tensor, scale: int, truncation: int) -> Tensor:
    """Interpolate between two points and add noise; all int64 in [-127, 127].

    Args:
        one, other: the points.
        share: of the other, in 128ths.
        bits: int64, a hash for each number of the point. The noise is the sum of its bytes, which is nearly normal.
        scale: of the noise, see noise_scale.
        truncation: factor on share and noise in 128ths: 0 gives `one` itself.
    """
    total = torch.zeros_like(bits)
    for byte in range(8):
        total += (bits >> (8 * byte)) & 255
    noise = ((total - 1020) * (scale * truncation)) >> 17
    return (lerp(one, other, (share * truncation) >> 7) + noise).clamp(-127, 127)
