"""The fields that condition the two levels: style of land, strike of the ranges, grain; and classic noise.

Styles vary by integer gradient noise on hashed lattices (Perlin 2002, "Improving noise"). It is int64 arithmetic, so it
is the same on every machine, and loses no precision up to 2^53 pixels from the origin.
"""

from typing import Final

import torch
from torch import Tensor, nn

from pcg.exact import key, latent_field, mix, shift_right

STYLE_SUM = 127  # the sum of a place's style weights, or a little less, as they are rounded down

# Octaves of the style fields: wavelength as a power of two of the coarse level's 23 km (368 to 92 km), and weight.
OCTAVES = ((4, 4), (3, 2), (2, 1))
# Added to the fields: coasts and ranges are more common than the other styles.
COMMONNESS = (1000, -1500, -500, 1500)  # alpine, plateau, lowland, archipelago
BLEND = 4000  # a style within this distance of the strongest is blended in; about one standard deviation
# Twelve gradients of equal length, since 3^2 + 4^2 = 5^2.
GRADIENTS = ((5, 0), (-5, 0), (0, 5), (0, -5), (4, 3), (4, -3), (-4, 3), (-4, -3), (3, 4), (3, -4), (-3, 4), (-3, -4))

GRAIN_BITS, GRAIN_STREAM = 5, 4000  # the grain varies over 2^5 control cells, 46 km

CLASSIC_REACH = 4.0  # the table of classic noise covers so many standard deviations on either side
CLASSIC_ENTRIES = 512
SEA_FRACTION = 0.28
SEA_FLOOR_M = -1800.0


STRIKE_GAIN = 13  # in 1/1024: scales noise to a strike as coherent as that of real land


class PlanField(nn.Module):
    """Six fields of fractal gradient noise: the largest of four gives the style, softly; two are the strike."""

    STYLES: Final[int] = 4
    STRIKE_GAIN: Final[int] = STRIKE_GAIN
    SUM: Final[int] = STYLE_SUM
    BLEND: Final[int] = BLEND
    FRACTION_BITS: Final[int] = 12  # of a position, in pixels of the coarse level
    STREAM: Final[int] = 3000
    gradients: Tensor
    octaves: Tensor
    commonness: Tensor

    def __init__(self) -> None:
        super().__init__()
        # Both components in one integer, 16 x + (y + 8): one look-up a corner instead of two.
        self.register_buffer("gradients", torch.tensor([16 * x + y + 8 for x, y in GRADIENTS]))
        self.register_buffer("octaves", torch.tensor(OCTAVES))
        self.register_buffer("commonness", torch.tensor(COMMONNESS).view(1, -1, 1, 1))

    def noise(self, seed: Tensor, row: Tensor, column: Tensor, first: int, fields: int) -> Tensor:
        """Fractal noise of the fields `first` to `first + fields - 1`: int64 (N, fields, H, W).

        An octave of weight 1 is within about +-3,700.

        Args:
            seed, row, column: int64 (N,), (N, H), (N, W).
            first, fields: the first field, and how many.
        """
        octaves = self.octaves.shape[0]
        streams = torch.arange(first * octaves, (first + fields) * octaves, device=seed.device) + self.STREAM
        keys = mix(mix(seed).unsqueeze(0) + streams.unsqueeze(1)).view(fields, octaves, -1, 1, 1)
        bits = self.octaves[:, 0].view(1, -1, 1, 1, 1) + self.FRACTION_BITS
        mask = (torch.ones_like(bits) << bits) - 1
        # Each field's lattice has its own offset; otherwise all fields would be zero at the same points.
        y = (row << self.FRACTION_BITS).unsqueeze(2) + (mix(keys + 1) & mask)
        x = (column << self.FRACTION_BITS).unsqueeze(1) + (mix(keys + 2) & mask)
        top, left = y >> bits, x >> bits
        down, right = (y & mask) >> (bits - 10), (x & mask) >> (bits - 10)
        u, v = fade(right), fade(down)
        sides: list[Tensor] = []
        for i in range(2):
            keyed_row = keys + mix(top + i)
            ends: list[Tensor] = []
            for j in range(2):
                h = mix(mix(keyed_row) + mix(left + j) * 0x5851F42D4C957F2D)
                which = (shift_right(h, 40) * 12) >> 24
                gradient = self.gradients.index_select(0, which.flatten()).view(which.shape)
                ends.append((gradient >> 4) * (right - 1024 * j) + ((gradient & 15) - 8) * (down - 1024 * i))
            sides.append(ends[0] + ((ends[1] - ends[0]) * u >> 12))
        noise = sides[0] + ((sides[1] - sides[0]) * v >> 12)
        return (noise * self.octaves[:, 1].view(1, -1, 1, 1, 1)).sum(dim=1).permute(1, 0, 2, 3)

    def forward(self, seed: Tensor, row: Tensor, column: Tensor, style: Tensor) -> Tensor:
        """The plan, int64 (N, styles + 2, H, W): style weights, see STYLE_SUM, then the strike in [-127, 127].

        Args:
            seed, row, column: int64 (N,), (N, H), (N, W).
            style: int64 (N, styles), fixed weights that sum to STYLE_SUM; or all zero, for styles that vary by place.
        """
        fixed = style.view(-1, self.STYLES, 1, 1).expand(-1, -1, row.shape[1], column.shape[1])
        varied = (style == 0).all(dim=1)
        if bool(varied.any()):
            noise = self.noise(seed, row, column, 0, self.STYLES + 2)
            strike = noise[:, self.STYLES :]
            noise = noise[:, : self.STYLES] + self.commonness
            share = (noise - noise.amax(dim=1, keepdim=True) + self.BLEND).clamp(min=0)
            weights = share * self.SUM // share.sum(dim=1, keepdim=True)
            fixed = torch.where(varied.view(-1, 1, 1, 1), weights, fixed)
        else:
            strike = self.noise(seed, row, column, self.STYLES, 2)
        return torch.cat([fixed, ((strike * self.STRIKE_GAIN) >> 10).clamp(-127, 127)], 1)


def grain_field(
    seed: Tensor, row: Tensor, column: Tensor, bits: int = GRAIN_BITS, stream: int = GRAIN_STREAM
) -> Tensor:
    """The grain of control cells: integers in [-127, 127] as float32 (N, H, W).

    It is value noise: hashed bytes at lattice points 2^bits cells apart, interpolated linearly.

    Args:
        seed, row, column: int64 (N,), (N, H), (N, W).
        bits: the logarithm of the lattice's spacing.
        stream: of the hash.
    """
    y, x = row >> bits, column >> bits
    corners = latent_field(key(seed, stream), torch.cat([y, y + 1], 1), torch.cat([x, x + 1], 1), 1)[:, 0]
    cells = 1 << bits
    down, right = ((at & (cells - 1)).to(torch.float32) for at in (row, column))
    down, right = down.unsqueeze(2), right.unsqueeze(1)
    top, bottom = corners[:, : row.shape[1]], corners[:, row.shape[1] :]
    w = column.shape[1]
    top = top[..., :w] * (cells - right) + top[..., w:] * right
    bottom = bottom[..., :w] * (cells - right) + bottom[..., w:] * right
    # Interpolated values are means, so smaller; the factor 1.5 gives them the spread of a hashed byte.
    return ((top * (cells - down) + bottom * down) * (1.5 / cells**2)).round().clamp(-127.0, 127.0)


def fade(t: Tensor) -> Tensor:
    """Perlin's quintic fade of t in [0, 1024], in 1/4096."""
    return (t * t * t * (t * (t * 6 - 15 * 1024) + 10 * 1024 * 1024)) >> 38


def classic_table(land_quantiles: Tensor) -> Tensor:
    """Table of the heights of classic noise: float64 metres at CLASSIC_ENTRIES + 1 values within +-CLASSIC_REACH.

    Below the quantile SEA_FRACTION heights fall to the sea floor along a parabola that begins at the shore.

    land_quantiles: heights of real land in metres, ascending, evenly spaced in probability.
    """
    values = torch.linspace(-CLASSIC_REACH, CLASSIC_REACH, CLASSIC_ENTRIES + 1, dtype=torch.float64)
    rank = torch.special.ndtr(values)
    depth = SEA_FLOOR_M * (1 - rank / SEA_FRACTION).clamp_min(0) ** 2
    at = ((rank - SEA_FRACTION) / (1 - SEA_FRACTION)).clamp(0, 1) * (len(land_quantiles) - 1)
    low = at.floor().long().clamp_max(len(land_quantiles) - 2)
    quantiles = land_quantiles.double()
    land = quantiles[low] + (quantiles[low + 1] - quantiles[low]) * (at - low)
    return depth + land.clamp_min(0)


def classic_heights(noise: Tensor, table: Tensor, reach: float = CLASSIC_REACH) -> Tensor:
    """Map noise of standard deviation 1 to heights by the table, interpolated linearly; float64 metres."""
    at = ((noise + reach) * ((table.shape[0] - 1) / (2 * reach))).clamp(0, table.shape[0] - 1.001)
    low = at.floor()
    index = low.to(torch.int64)
    return table[index] + (table[index + 1] - table[index]) * (at - low)
