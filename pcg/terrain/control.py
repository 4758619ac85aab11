"""The endless control map: integer gradient noise, warped, its values mapped to the heights that real land has.

Everything is int64 arithmetic on hashed lattices (Perlin 2002, "Improving noise"), so it is the same on every machine
and as good at 2^53 pixels from the origin as at it.
"""

from typing import Final

import torch
from torch import Tensor, nn

from pcg.exact import key, mix, shift_right

STEPS_A_METRE = 64  # control heights are whole multiples of 1/64 m
SEA_FRACTION = 0.28
SEA_FLOOR_M = -1800.0

# Octaves: wavelength as a power of two of cells (737 km down to 2.9 km), and weight.
OCTAVES = ((9, 256), (8, 160), (7, 112), (6, 84), (5, 62), (4, 46), (3, 34), (2, 20), (1, 8))
# The warp displaces by noise of these wavelengths, times these weights: about 14 and 5 cells at most.
WARPS = ((7, 14), (5, 5))
# Twelve gradients of equal length, thanks to 3^2 + 4^2 = 5^2.
GRADIENTS = ((5, 0), (-5, 0), (0, 5), (0, -5), (4, 3), (4, -3), (-4, 3), (-4, -3), (3, 4), (3, -4), (-3, 4), (-3, -4))
RANGE_BITS = 21  # the table covers noise in [-2^21, 2^21)
TABLE_BITS = 10  # and has 2^10 entries on either side of zero


class GradientNoise(nn.Module):
    """Fractal gradient noise at cells, and the table that turns it into heights."""

    FRACTION_BITS: Final[int] = 12  # of a position, in cells
    SPAN: Final[int] = 1 << RANGE_BITS
    ENTRY_BITS: Final[int] = RANGE_BITS - TABLE_BITS
    STREAM_OCTAVES: Final[int] = 100
    STREAM_WARP_Y: Final[int] = 200
    STREAM_WARP_X: Final[int] = 300
    gradients: Tensor
    octaves: Tensor
    warps: Tensor
    table: Tensor

    def __init__(self, table: Tensor | None = None) -> None:
        super().__init__()
        # Both parts of a gradient in one integer, 16 x + (y + 8): one look-up a corner instead of two.
        self.register_buffer("gradients", torch.tensor([16 * x + y + 8 for x, y in GRADIENTS]))
        self.register_buffer("octaves", torch.tensor(OCTAVES))
        self.register_buffer("warps", torch.tensor(WARPS))
        flat = torch.zeros(2 ** (TABLE_BITS + 1) + 1, dtype=torch.int64)
        self.register_buffer("table", flat if table is None else table)

    def fractal(self, seed: Tensor, stream: int, y: Tensor, x: Tensor, octaves: Tensor) -> Tensor:
        """Weighted sum of octaves of gradient noise, all computed at once.

        seed (N,), positions y, x (N, H, W) in 1/4096 cells, octaves (K, 2): wavelengths and weights; int64 (N, H, W).
        One octave of weight 1 stays within about +-3,700.
        """
        count = octaves.shape[0]
        streams = torch.arange(count, device=seed.device) + stream
        keys = mix(mix(seed).unsqueeze(0) + streams.unsqueeze(1)).view(count, -1, 1, 1)
        bits = octaves[:, 0].view(-1, 1, 1, 1) + self.FRACTION_BITS
        mask = (torch.ones_like(bits) << bits) - 1
        # Each octave's lattice is shifted by its own offset, or all would be zero at the same points.
        y = y.unsqueeze(0) + (mix(keys + 1) & mask)
        x = x.unsqueeze(0) + (mix(keys + 2) & mask)
        row, column = y >> bits, x >> bits
        down, right = (y & mask) >> (bits - 10), (x & mask) >> (bits - 10)
        u, v = fade(right), fade(down)
        sides: list[Tensor] = []
        for i in range(2):
            keyed_row = keys + mix(row + i)
            ends: list[Tensor] = []
            for j in range(2):
                h = mix(mix(keyed_row) + mix(column + j) * 0x5851F42D4C957F2D)
                which = (shift_right(h, 40) * 12) >> 24
                gradient = self.gradients.index_select(0, which.flatten()).view(which.shape)
                ends.append((gradient >> 4) * (right - 1024 * j) + ((gradient & 15) - 8) * (down - 1024 * i))
            sides.append(ends[0] + ((ends[1] - ends[0]) * u >> 12))
        noise = sides[0] + ((sides[1] - sides[0]) * v >> 12)
        return (noise * octaves[:, 1].view(-1, 1, 1, 1)).sum(dim=0)

    def noise(self, seed: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """Fractal noise at cells: seed (N,), row (N, H), column (N, W), int64, to int64 (N, H, W)."""
        y = (row << self.FRACTION_BITS).unsqueeze(2).expand(-1, -1, column.shape[1])
        x = (column << self.FRACTION_BITS).unsqueeze(1).expand(-1, row.shape[1], -1)
        warped_y = y + self.fractal(seed, self.STREAM_WARP_Y, y, x, self.warps)
        warped_x = x + self.fractal(seed, self.STREAM_WARP_X, y, x, self.warps)
        return self.fractal(seed, self.STREAM_OCTAVES, warped_y, warped_x, self.octaves)

    def heights(self, noise: Tensor) -> Tensor:
        """Noise through the table, in straight lines between its entries: int64 to int64 in 1/64 m."""
        at = (noise + self.SPAN).clamp(0, 2 * self.SPAN - 1)
        index = at >> self.ENTRY_BITS
        low = self.table[index]
        return low + ((self.table[index + 1] - low) * (at & ((1 << self.ENTRY_BITS) - 1)) >> self.ENTRY_BITS)

    def forward(self, seed: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """Control heights in 1/64 m: int64 (N, H, W)."""
        return self.heights(self.noise(seed, row, column))


def fade(t: Tensor) -> Tensor:
    """Perlin's quintic fade of t in [0, 1024], in 1/4096."""
    return (t * t * t * (t * (t * 6 - 15 * 1024) + 10 * 1024 * 1024)) >> 38


def noise_sample(places: int = 512) -> Tensor:
    """Noise at 256 cells in each of many places of many seeds, sorted: what the table's quantiles are taken over."""
    noise = GradientNoise()
    seed = torch.arange(places)
    row, column = (key(seed, stream).unsqueeze(1) % 1_000_000 + torch.arange(0, 256, 16) for stream in (11, 22))
    return noise.noise(seed, row, column).flatten().sort().values


def height_table(land_quantiles: Tensor, sample: Tensor) -> Tensor:
    """The table that gives noise the distribution of real heights, int64 in 1/64 m.

    land_quantiles: heights in metres, ascending, evenly spaced in probability; sample: sorted noise. Below
    SEA_FRACTION the land sinks to the sea floor along a parabola that meets the shore level.
    """
    edges = (torch.arange(2 ** (TABLE_BITS + 1) + 1) << (RANGE_BITS - TABLE_BITS)) - (1 << RANGE_BITS)
    rank = torch.searchsorted(sample, edges).double() / len(sample)
    depth = SEA_FLOOR_M * (1 - rank / SEA_FRACTION).clamp_min(0) ** 2
    at = ((rank - SEA_FRACTION) / (1 - SEA_FRACTION)).clamp(0, 1) * (len(land_quantiles) - 1)
    low = at.floor().long().clamp_max(len(land_quantiles) - 2)
    quantiles = land_quantiles.double()
    land = quantiles[low] + (quantiles[low + 1] - quantiles[low]) * (at - low)
    return ((depth + land.clamp_min(0)) * STEPS_A_METRE).round().long()
