"""The exported module of walks: a front's palette indices to those of all 36 frames, the same bits on every machine."""

from typing import Final

import torch
from torch import Tensor, nn

from pcg.characters.exact_layers import Rounded, in_precision, integer_chain, integer_layer, weights_of
from pcg.characters.front.networks import BLOCK_PIXELS, from_blocks, to_blocks
from pcg.characters.walk.networks import COLOURS, POINTER, SHEET_FRAMES, VOTERS, WalkGenerator, mean_of_colours, voters
from pcg.exact import ACTIVATION_MAX, ExactConv, activation_step, steps_of

VOTE_MAX = BACKGROUND_MAX = 1_000_000  # a product of query and key plus all votes stays below 2^24
UNUSED = -BACKGROUND_MAX - VOTERS * VOTE_MAX - 1000  # score of an unused colour, below every background


class ExactWalk(nn.Module):
    """WalkGenerator in integers, for all frames of a sheet."""

    frames: Final[int]
    pointer: Final[int]
    unused: Final[int]
    voters: Final[int]
    template32: Tensor
    template16: Tensor
    template8: Tensor

    def __init__(self, generator: WalkGenerator, front: Tensor, palette: Tensor) -> None:
        """`front` int64 (N, 64, 64), `palette` int64 (N, 64, 3), bytes: activations are measured on them."""
        super().__init__()
        self.precision = 32
        self.frames, self.pointer, self.unused, self.voters = SHEET_FRAMES, POINTER, UNUSED, VOTERS
        g, n = generator.eval(), len(front)
        step = 1 / ACTIVATION_MAX
        with torch.no_grad():
            seen = self.see(front, palette).float() * step
            self.encode32, e32, step32 = integer_chain([g.first, g.at32], seen, steps_of(seen, step))
            self.encode16, e16, step16 = integer_chain([g.down16, g.at16], e32, step32)
            self.encode8, e8, step8 = integer_chain([g.down8, g.at8], e16, step16)
            self.skip32, s32, skip_step32 = integer_layer(g.skip32, e32, step32)
            self.skip16, s16, skip_step16 = integer_layer(g.skip16, e16, step16)

            self.lift, around, around_step = integer_layer(g.lift, e16, step16)
            both = torch.cat([e32, around], 1), torch.cat([step32, around_step])
            self.places, places, places_step = integer_layer(g.places, *both)
            blocks = places.permute(0, 2, 3, 1).unflatten(-1, (BLOCK_PIXELS, POINTER))
            means = mean_of_colours(blocks, front, COLOURS).transpose(1, 2).unsqueeze(-1)
            colours = (levels(palette).float() * step).transpose(1, 2).unsqueeze(-1)
            each = torch.cat([means, colours], 1)
            self.mix, each, mix_step = integer_layer(
                g.mix, each, torch.cat([steps_of(means, float(places_step[0])), steps_of(colours, step)])
            )
            keys = g.keys(each)
            key_step = activation_step(keys)
            self.keys = Rounded(ExactConv(*weights_of(g.keys), mix_step, key_step), ACTIVATION_MAX)

            some = torch.arange(n) * 5 % SHEET_FRAMES  # a frame of each front
            steps = {}
            for size in (32, 16, 8):
                template = g.get_parameter(f"template{size}")
                steps[size] = activation_step(template)
                integers = (template / steps[size]).round().clamp(-ACTIVATION_MAX, ACTIVATION_MAX)
                self.register_buffer(f"template{size}", integers.to(torch.int8))
            x = torch.cat([e8, g.template8[some]], 1)
            x_step = torch.cat([step8, steps_of(g.template8, steps[8])])
            self.decode8, x, x_step = integer_chain([g.join8, g.then8, g.up16], x, x_step)
            x = torch.cat([x, s16, g.template16[some]], 1)
            x_step = torch.cat([x_step, skip_step16, steps_of(g.template16, steps[16])])
            self.decode16, x, x_step = integer_chain([g.join16, g.then16, g.up32], x, x_step)
            x = torch.cat([x, s32, g.template32[some]], 1)
            x_step = torch.cat([x_step, skip_step32, steps_of(g.template32, steps[32])])
            self.decode32, x, x_step = integer_chain([g.join32, g.then32], x, x_step)

            weight, bias = weights_of(g.queries)
            weight, bias = weight.unflatten(0, (BLOCK_PIXELS, POINTER + 1)), bias.unflatten(0, (BLOCK_PIXELS, -1))
            queries = g.queries(x).unflatten(1, (BLOCK_PIXELS, POINTER + 1))[:, :, :POINTER]
            query_step = activation_step(queries)
            asked = ExactConv(weight[:, :POINTER].flatten(0, 1), bias[:, :POINTER].flatten(), x_step, query_step)
            self.queries = Rounded(asked, ACTIVATION_MAX)
            score_step = query_step * key_step * POINTER**-0.5
            background = ExactConv(weight[:, POINTER], bias[:, POINTER], x_step, score_step)
            self.background = Rounded(background, BACKGROUND_MAX)
            self.votes = Rounded(ExactConv(*weights_of(g.votes), x_step, score_step), VOTE_MAX)

    @torch.jit.export
    def use_precision(self, bits: int) -> None:
        """Convolve in float32 (32), bfloat16 (16) or float64 (64) from now on; the results are the same."""
        self.precision = bits

    def see(self, front: Tensor, palette: Tensor) -> Tensor:
        """networks.see in integers: (N, 20, 32, 32)."""
        n = front.shape[0]
        levelled = levels(palette)
        light = torch.div(levelled.sum(2, keepdim=True), 3, rounding_mode="floor")
        colours = torch.cat([levelled, torch.full_like(light, 127), light], 2)
        colours[:, 0] = 0
        blocks = to_blocks(front)
        pixels = colours.gather(1, blocks.view(n, -1, 1).expand(-1, -1, colours.shape[2]))
        return pixels.view(n, blocks.shape[1], blocks.shape[2], -1).permute(0, 3, 1, 2)

    def forward(self, front: Tensor, palette: Tensor) -> Tensor:
        """Fronts to the sheets in the same palettes, uint8 indices (N, 36, 64, 64).

        Args:
            front: palette indices int64 (N, 64, 64), 0 for transparent.
            palette: int64 (N, 64, 3), bytes.
        """
        n, f = front.shape[0], self.frames
        x = in_precision(self.see(front, palette), self.precision).contiguous(memory_format=torch.channels_last)
        e32 = self.encode32(x)  # (N, 48, 32, 32)
        e16 = self.encode16(e32)  # (N, 96, 16, 16)
        e8 = self.encode8(e16)  # (N, 128, 8, 8)
        keys = self.make_keys(front, palette, e32, e16)  # (N, 26, K)
        x = self.decode8(self.join(e8, self.template8))  # (36 N, 96, 16, 16)
        x = self.decode16(torch.cat([x, self.join(self.skip16(e16), self.template16)], 1))  # (36 N, 64, 32, 32)
        x = self.decode32(torch.cat([x, self.join(self.skip32(e32), self.template32)], 1))  # (36 N, 64, 32, 32)
        queries = self.queries(x).to(torch.float32).permute(0, 2, 3, 1).reshape(n, -1, self.pointer)
        background = self.background(x).to(torch.float32).permute(0, 2, 3, 1).reshape(n, -1, 1)
        asked = torch.cat([queries, torch.ones_like(background), background], 2)  # (N, 36 * 4096, 26)
        votes = self.votes(x).to(torch.float32).permute(0, 2, 3, 1).reshape(n, f, -1, self.voters)
        colours = voters(front).view(n, -1, self.voters)  # (N, 4096, 13)
        asked = asked.view(n, f, -1, asked.shape[2])  # (N, 36, 4096, 26)
        best: list[Tensor] = []
        for k in range(f):  # one frame at a time, so that its scores fit into the CPU's cache
            scores = torch.bmm(asked[:, k], keys)  # (N, 4096, K)
            best.append(scores.scatter_add_(2, colours, votes[:, k]).max(2)[1])  # of equal scores the first
        return from_blocks(torch.cat(best, 1).view(n * f, 32, 32, 4)).view(n, f, 64, 64).to(torch.uint8)

    def join(self, x: Tensor, template: Tensor) -> Tensor:
        """Concatenate the features of each front, for all frames, with the template of each frame, for all fronts."""
        n, f = x.shape[0], template.shape[0]
        same = x.unsqueeze(1).expand(-1, f, -1, -1, -1).flatten(0, 1)
        known = template.to(x.dtype).unsqueeze(0).expand(n, -1, -1, -1, -1).flatten(0, 1)
        return torch.cat([same, known], 1).contiguous(memory_format=torch.channels_last)

    def make_keys(self, front: Tensor, palette: Tensor, e32: Tensor, e16: Tensor) -> Tensor:
        """(N, POINTER + 2, K) float32: keys, an offset (UNUSED for unused colours), and 1 for the background or 0."""
        n, colours = front.shape[0], palette.shape[1]
        places = self.places(torch.cat([e32, self.lift(e16)], 1).contiguous(memory_format=torch.channels_last))
        flat = places.permute(0, 2, 3, 1).reshape(n, -1, self.pointer).to(torch.int64)  # (N, 4096, 24)
        index = to_blocks(front).view(n, -1, 1)  # (N, 4096, 1)
        sums = torch.zeros([n, colours, self.pointer], dtype=torch.int64, device=front.device)
        sums.scatter_add_(1, index.expand(-1, -1, self.pointer), flat)
        counts = torch.zeros([n, colours, 1], dtype=torch.int64, device=front.device)
        counts.scatter_add_(1, index, torch.ones_like(index))
        shared = counts.clamp_min(1)
        means = torch.div(2 * sums + shared, 2 * shared, rounding_mode="floor")  # (N, 64, 24)
        each = torch.cat([means, levels(palette)], 2).transpose(1, 2).unsqueeze(3)  # (N, 27, 64, 1)
        each = in_precision(each, self.precision).contiguous(memory_format=torch.channels_last)
        keys = self.keys(self.mix(each)).squeeze(3).to(torch.float32)  # (N, 24, 64)
        number = torch.arange(colours, device=front.device).view(1, 1, -1)
        used = (counts > 0).transpose(1, 2) & (number > 0)
        added = (self.unused * (~used & (number > 0))).to(torch.float32)
        is_background = (number == 0).to(torch.float32).expand(n, -1, -1)
        most = int(front.max()) + 1  # no front uses the colours after it
        return torch.cat([keys * used, added, is_background], 1)[:, :, :most].contiguous()


def levels(palette: Tensor) -> Tensor:
    """Bytes in [0, 255] to integers in [0, 127]."""
    return torch.div(palette * 127 + 127, 255, rounding_mode="floor")
