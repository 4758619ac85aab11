"""Blends in whole numbers: between two points of a network's space, or two colours, and a little beside.

Shares are in 128ths. Runs unchanged under TorchScript.
"""

import torch
from torch import Tensor

from pcg.exact import ACTIVATION_MAX

UNIT = 128  # of a share, and of truncation
NOISE_STD = 209.0  # of the sum of eight random bytes


def lerp(one: Tensor, other: Tensor, share: Tensor) -> Tensor:
    """What lies `share` 128ths of the way from one to the other, int64, rounded to the nearest."""
    return (one * (128 - share) + other * share + 64) >> 7


def noise_scale(std: float) -> int:
    """What `blend` has to be told for noise of this standard deviation in a space of (-1, 1)."""
    return round(std * ACTIVATION_MAX / NOISE_STD * 1024)


def blend(one: Tensor, other: Tensor, share: Tensor, bits: Tensor, scale: int, truncation: int) -> Tensor:
    """A point near the way from one to the other, all int64 in [-127, 127]: `share` 128ths of it, and noise.

    bits: int64, a hash for each number of the point; the noise is nearly normal, a sum of the hash's bytes. scale: see
    noise_scale. truncation: 128 for all of share and noise, 0 for the one itself.
    """
    total = torch.zeros_like(bits)
    for byte in range(8):
        total += (bits >> (8 * byte)) & 255
    noise = ((total - 1020) * (scale * truncation)) >> 17
    return (lerp(one, other, (share * truncation) >> 7) + noise).clamp(-127, 127)
