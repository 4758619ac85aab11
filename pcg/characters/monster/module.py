"""The exported module of monsters: seeds and kinds to pixels, the same bits on every machine."""

from typing import Final

import torch
from torch import Tensor, nn

from pcg.characters.blends import UNIT, blend, lerp, noise_scale
from pcg.characters.exact_layers import Rounded, first_largest, in_precision, integer_chain, padded, paint, weights_of
from pcg.characters.front.networks import from_blocks
from pcg.characters.monster.networks import BLEND_NOISE, SHADES, MonsterGenerator
from pcg.exact import ACTIVATION_MAX, ExactConv, key, mix, shift_right, steps_of

CALIBRATION_SEEDS = 128
BYTE_STEP = 1 / 127.5  # of the float network's colours, which are in [-1, 1]


class MonsterModule(nn.Module):
    """Casts and draws monsters. A cast: two monsters of a kind, the share of the second, the kind, a key for noise."""

    shades: Final[int]
    noise_scale: Final[int]
    points: Tensor  # (monsters, LATENT), in [-127, 127]
    members: Tensor  # (kinds, most): monsters
    counts: Tensor
    odds: Tensor  # (kinds,): cumulative weights of the kinds

    def __init__(self, generator: MonsterGenerator, kinds: Tensor) -> None:
        """`kinds`: int64 (monsters,), the kind of each monster of the training data."""
        super().__init__()
        self.precision = 32
        self.shades = SHADES + 1
        self.noise_scale = noise_scale(BLEND_NOISE)
        g = generator.eval()
        with torch.no_grad():
            points = g.embed(torch.arange(len(kinds)), kinds)
            self.register_buffer("points", (points.double() * ACTIVATION_MAX).round().long())
            members = [torch.nonzero(kinds == kind).flatten() for kind in range(len(g.kinds))]
            self.register_buffer("counts", torch.tensor([len(m) for m in members]))
            # Weights are roots of the counts: rare kinds come more often, and none under half as often as in the data.
            self.register_buffer("odds", (self.counts.double().sqrt() * 256).round().long().cumsum(0))
            self.register_buffer("members", nn.utils.rnn.pad_sequence(members, batch_first=True))
            casts = self.cast(torch.arange(CALIBRATION_SEEDS), torch.full((CALIBRATION_SEEDS,), -1))
            x = self.embed(casts, UNIT).float()[:, :, None, None] / ACTIVATION_MAX
            self.hidden, h, step = integer_chain([g.hidden], x, steps_of(x, 1 / ACTIVATION_MAX))
            self.colours = Rounded(ExactConv(*weights_of(g.colours), step, BYTE_STEP), 255)
            self.coarse, x, step = integer_chain([g.coarse], h, step)
            x = x.view(len(x), 4, 4, -1).permute(0, 3, 1, 2)
            self.rest, x, step = integer_chain([g.up8, g.at8, g.up16, *g.at16], x, step[: x.shape[1]])
            self.head = padded(ExactConv(*weights_of(g.head), step, 1.0))

    @torch.jit.export
    def use_precision(self, bits: int) -> None:
        """Convolve in float32 (32), bfloat16 (16) or float64 (64) from now on; the results are the same."""
        self.precision = bits

    @torch.jit.export
    def cast(self, seed: Tensor, kind: Tensor) -> Tensor:
        """seed (N,) and kind (N,), -1 for any kind, to casts (N, 5).

        The two monsters differ if the kind has two, and the share is between 1/4 and 3/4: closer to one of them the
        blend would be a copy.
        """
        numbers: list[Tensor] = []
        for stream in range(5):
            numbers.append(shift_right(mix(key(seed, 600) + stream), 32))
        drawn = (self.odds <= ((numbers[0] * self.odds[-1]) >> 32).unsqueeze(1)).sum(1)
        kind = torch.where(kind >= 0, kind, drawn)
        count = self.counts[kind]
        first = (numbers[1] * count) >> 32
        second = (first + 1 + ((numbers[2] * (count - 1)) >> 32)) % count
        share = 32 + shift_right(numbers[3], 26)
        return torch.stack([self.members[kind, first], self.members[kind, second], share, kind, key(seed, 601)], 1)

    def embed(self, casts: Tensor, truncation: int) -> Tensor:
        """Points (N, LATENT) of casts, in [-127, 127]; with truncation 0, those of the first monsters."""
        one, other = self.points[casts[:, 0]], self.points[casts[:, 1]]
        bits = mix(casts[:, 4:5] + torch.arange(one.shape[1], device=casts.device))
        return blend(one, other, casts[:, 2:3], bits, self.noise_scale, truncation)

    def forward(self, one: Tensor, other: Tensor, share: Tensor, truncation: int) -> Tensor:
        """Pictures of casts, interpolated between two: uint8 (N, 32, 32, 4), RGBA, alpha 0 or 255.

        Args:
            one, other: casts (N, 5).
            share: (N,), of the other, in 128ths.
            truncation: 0 for the monsters of the training data, 128 for blends and noise as in training.
        """
        n = one.shape[0]
        point = lerp(self.embed(one, truncation), self.embed(other, truncation), share.unsqueeze(1))  # (N, LATENT)
        h = self.hidden(in_precision(point.view(n, -1, 1, 1), self.precision))  # (N, 192, 1, 1)
        palette = (self.colours(h).reshape(n, -1, 3).to(torch.int64) + 128).clamp(0, 255)  # (N, 15, 3)
        palette = torch.cat([torch.zeros_like(palette[:, :1]), palette], 1)  # (N, 16, 3)
        # (N, 160, 4, 4)
        x = self.coarse(h).view(n, 4, 4, -1).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        logits = self.head(self.rest(x)).permute(0, 2, 3, 1)  # (N, 16, 16, 64)
        shades = first_largest(logits.reshape(n, logits.shape[1], logits.shape[2], 4, self.shades))  # (N, 16, 16, 4)
        return paint(from_blocks(shades), palette)
