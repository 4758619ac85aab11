"""The exported module of fronts: seeds and wishes to pixels, the same bits on every machine."""

from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from pcg.characters.blends import UNIT, blend, lerp, noise_scale
from pcg.characters.data.colourways import read_ramps
from pcg.characters.data.slots import SLOTS
from pcg.characters.exact_layers import first_largest, in_precision, integer_chain, padded, paint, weights_of
from pcg.characters.front.cast import COLOURWAY_SLOTS, SHARED, Cast
from pcg.characters.front.networks import BLEND_NOISE, CHANNELS, SLOT_COUNT, FrontGenerator, from_blocks
from pcg.exact import ACTIVATION_MAX, ExactConv, mix, steps_of

CALIBRATION_SEEDS = 64  # characters on which activations are measured


class ExactFront(nn.Module):
    """FrontGenerator in integers: embeddings in [-127, 127] to slots and shades."""

    slots: Final[int]
    channels: Final[int]

    def __init__(self, generator: FrontGenerator, attributes: Tensor) -> None:
        """`attributes`: float (N, attributes, EMBEDDING) in [-1, 1]; activations are measured on them."""
        super().__init__()
        self.slots, self.channels = SLOT_COUNT, CHANNELS
        g = generator.eval()
        with torch.no_grad():
            x = attributes.flatten(1)[:, :, None, None]
            self.hidden, h, step = integer_chain([g.hidden], x, steps_of(x, 1 / ACTIVATION_MAX))
            self.coarse, x, coarse_step = integer_chain([g.coarse], h, step)
            self.direct, direct, direct_step = integer_chain([g.direct], h, step)
            x, direct = _unfold(x, 8), _unfold(direct, 16)
            self.up16, x, step = integer_chain([g.up16], x, coarse_step[: x.shape[1]])
            x, step = torch.cat([x, direct], 1), torch.cat([step, direct_step[: direct.shape[1]]])
            self.rest, x, step = integer_chain([*g.at16, g.up32, *g.at32], x, step)
            self.head = padded(ExactConv(*weights_of(g.head), step, 1.0))

    def forward(self, attributes: Tensor, precision: int) -> Tensor:
        """int64 (N, attributes, EMBEDDING) to int64 (N, 64, 64): slot * 8 + shade."""
        n = attributes.shape[0]
        x = in_precision(attributes.reshape(n, -1, 1, 1), precision)  # (N, attributes EMBEDDING, 1, 1)
        h = self.hidden(x)  # (N, 384, 1, 1)
        x = self.coarse(h).view(n, 8, 8, -1).permute(0, 3, 1, 2)  # (N, 96, 8, 8)
        direct = self.direct(h).view(n, 16, 16, -1).permute(0, 3, 1, 2)  # (N, 16, 16, 16)
        x = torch.cat([self.up16(x), direct], 1).contiguous(memory_format=torch.channels_last)  # (N, 96, 16, 16)
        logits = self.head(self.rest(x)).permute(0, 2, 3, 1)  # (N, 32, 32, 172)
        logits = logits.reshape(n, logits.shape[1], logits.shape[2], 4, self.channels)  # (N, 32, 32, 4, 43)
        slots = first_largest(logits[..., : self.slots])
        shades = first_largest(logits[..., self.slots :])
        return from_blocks(torch.where(slots > 0, slots * 8 + shades, torch.zeros_like(slots)))


def _unfold(x: Tensor, side: int) -> Tensor:
    """(N, side * side * C, 1, 1) to (N, C, side, side)."""
    return x.view(len(x), side, side, -1).permute(0, 3, 1, 2)


class FrontModule(nn.Module):
    """Seeds to casts, and casts to pictures; also between two casts."""

    noise_scale: Final[int]
    items: Tensor
    ramps: Tensor
    usual: Tensor
    shared: Tensor

    def __init__(self, described: dict[str, Any], generator: FrontGenerator) -> None:
        """`described`: the run's data.json, with the catalogue and its colours."""
        super().__init__()
        self.precision = 32
        self.noise_scale = noise_scale(BLEND_NOISE)
        self.caster = Cast(described)
        items = torch.tanh(generator.items.detach().double()) * ACTIVATION_MAX
        self.register_buffer("items", items.round().long())
        self.register_buffer("ramps", torch.from_numpy(read_ramps(described).astype(np.int64)))
        usual = torch.zeros(len(SLOTS), dtype=torch.int64)
        colourways = self.caster.colourways
        for k in range(COLOURWAY_SLOTS):
            usual[colourways[:, 1 + k]] = colourways[:, 1 + COLOURWAY_SLOTS + k]
        self.register_buffer("usual", usual)  # a default ramp for each slot, used where no item has the slot
        self.register_buffer("shared", torch.tensor([SLOTS.index(slot) for slot in SHARED]))
        wishes = torch.full((CALIBRATION_SEEDS, 2 * self.caster.attributes + 3), -1)
        casts = self.caster(torch.arange(CALIBRATION_SEEDS), wishes)
        self.network = ExactFront(generator, self.embed(casts, UNIT).float() / ACTIVATION_MAX)

    @torch.jit.export
    def use_precision(self, bits: int) -> None:
        """Convolve in float32 (32), bfloat16 (16) or float64 (64) from now on; the results are the same."""
        self.precision = bits

    @torch.jit.export
    def cast(self, seed: Tensor, wishes: Tensor) -> Tensor:
        """See Cast.forward."""
        return self.caster(seed, wishes)

    @torch.jit.export
    def values(self, casts: Tensor) -> Tensor:
        """The wishes that describe casts completely: (N, 2 attributes + 3)."""
        numbers = self.caster.numbers(casts)
        names = self.caster.colourways[numbers[:, :, 3], 0]
        return torch.cat([self.caster.value_of[numbers[:, :, 0]], names, self.caster.shared_names(casts)], 1)

    @torch.jit.export
    def never(self) -> Tensor:
        """(values, values): 1 for two values that are never worn together."""
        return self.caster.never

    def embed(self, casts: Tensor, truncation: int) -> Tensor:
        """Embeddings (N, attributes, EMBEDDING) of casts, in [-127, 127]; with truncation 0, those of items alone."""
        numbers = self.caster.numbers(casts)
        one, other = self.items[numbers[:, :, 0]], self.items[numbers[:, :, 1]]
        place = torch.arange(one.shape[1] * one.shape[2], device=casts.device).view(1, one.shape[1], one.shape[2])
        bits = mix(casts[:, -1].view(-1, 1, 1) + place)
        return blend(one, other, numbers[:, :, 2:3], bits, self.noise_scale, truncation)

    def paints(self, casts: Tensor) -> Tensor:
        """The ramps of casts, (N, slots, 8, 3)."""
        numbers = self.caster.numbers(casts)
        ramps = self.usual.unsqueeze(0).repeat(casts.shape[0], 1)
        # Later writes win: blend partners, then skin, hair and eyes, then the items, the first attribute last.
        partners = self.caster.colourway_starts[numbers[:, :, 1]]
        for a in range(self.caster.attributes - 1, -1, -1):
            colourway = self.caster.colourways[partners[:, a]]
            ramps.scatter_(1, colourway[:, 1:4], colourway[:, 4:7])
        for k in range(3):
            ramps[:, self.shared[k]] = casts[:, 4 * self.caster.attributes + k]
        for a in range(self.caster.attributes - 1, -1, -1):
            colourway = self.caster.colourways[numbers[:, a, 3]]
            ramps.scatter_(1, colourway[:, 1:4], colourway[:, 4:7])
        return self.ramps[ramps]

    def forward(self, one: Tensor, other: Tensor, share: Tensor, truncation: int) -> Tensor:
        """Pictures of casts, interpolated between two: uint8 (N, 64, 64, 4), RGBA, alpha 0 or 255.

        A picture can have more than the 63 colours that a walk takes; `reduce_colours` of
        runtime.content.characters.palettes reduces them.

        Args:
            one, other: casts (N, 4 attributes + 4).
            share: (N,), of the other, in 128ths.
            truncation: 0 for items as drawn, 128 for blends and noise as in training.
        """
        near, far = self.embed(one, truncation), self.embed(other, truncation)  # (N, attributes, EMBEDDING) each
        codes = self.network(lerp(near, far, share.view(-1, 1, 1)), self.precision)  # (N, 64, 64)
        paints = lerp(self.paints(one), self.paints(other), share.view(-1, 1, 1, 1))  # (N, slots, 8, 3)
        return paint(codes, paints.flatten(1, 2))
