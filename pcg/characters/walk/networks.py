"""The walk's networks in float: a front to any frame of its sheet, in the colours of the front only.

Each output pixel points at a colour of the front (pointer network; Vinyals et al. 2015). The pixel's query is compared
with a key for every colour, made of the colour and of the encoder's features where the colour is used. So a drawing
needs no slots, and the order of the palette does not matter. In addition, pixels of the front near the output pixel
vote for their own colours with weights that the network predicts, since frames seen from the front are mostly copies.

As in the front's networks, the finest scale is a block of 2x2 pixels, (N, 32, 32, 4).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pcg.characters.front.networks import BLOCK_PIXELS, to_blocks
from pcg.convolutions import downsampling_body, initialise
from pcg.exact import LEAK

SHEET_FRAMES = 36
COLOURS = 64  # of a front's palette, with the transparent one, which is colour 0
POINTER = 24  # size of queries and keys
WIDTHS = (48, 96, 128)  # the encoder's channels at 32, 16 and 8 blocks
DECODER = (64, 96, 96)  # the decoder's channels at 32, 16 and 8 blocks
SKIPPED = (24, 32)  # channels of the skip connections at 32 and 16 blocks
TEMPLATES = (8, 16, 32)  # channels of the learned templates of each frame, at 32, 16 and 8 blocks
VOTERS = 13  # pixels of the front that vote for an output pixel; see voters
SEEN = 5  # channels of a pixel: red, green, blue, opacity, lightness


def see(front: Tensor, palette: Tensor) -> Tensor:
    """The encoder's input (N, 4 SEEN, 32, 32): of indices int64 (N, 64, 64) and colours (N, K, 3) in 0..1."""
    blocks = to_blocks(front)
    n, h, w, _ = blocks.shape
    colours = torch.cat([palette, torch.ones_like(palette[..., :1]), palette.mean(-1, keepdim=True)], -1)
    colours[:, 0] = 0
    pixels = colours.gather(1, blocks.reshape(n, -1, 1).expand(-1, -1, SEEN))
    return pixels.view(n, h, w, BLOCK_PIXELS * SEEN).permute(0, 3, 1, 2)


def conv(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size, or halves it (size 4, stride 2)."""
    layer = nn.Conv2d(inputs, outputs, size, stride, padding=(size - 1) // 2)
    initialise(layer)
    return layer


def up(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    """A transposed convolution that doubles the size."""
    layer = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)
    initialise(layer)
    return layer


class WalkGenerator(nn.Module):
    """A front and frame numbers to a logit for each pixel and colour. 1.9 M parameters."""

    def __init__(self) -> None:
        super().__init__()
        (e32, e16, e8), (d32, d16, d8), (s32, s16), (t32, t16, t8) = WIDTHS, DECODER, SKIPPED, TEMPLATES
        self.first = conv(BLOCK_PIXELS * SEEN, e32)
        self.at32 = conv(e32, e32)
        self.down16, self.at16 = conv(e32, e16, 4, 2), conv(e16, e16)
        self.down8, self.at8 = conv(e16, e8, 4, 2), conv(e8, e8)
        self.skip32, self.skip16 = conv(e32, s32, 1), conv(e16, s16, 1)
        self.template32 = nn.Parameter(0.3 * torch.randn(SHEET_FRAMES, t32, 32, 32))
        self.template16 = nn.Parameter(0.3 * torch.randn(SHEET_FRAMES, t16, 16, 16))
        self.template8 = nn.Parameter(0.3 * torch.randn(SHEET_FRAMES, t8, 8, 8))
        self.join8, self.then8 = conv(e8 + t8, d8), conv(d8, d8)
        self.up16 = up(d8, d16)
        self.join16, self.then16 = conv(d16 + s16 + t16, d16), conv(d16, d16)
        self.up32 = up(d16, d32)
        self.join32, self.then32 = conv(d32 + s32 + t32, d32), conv(d32, d32)
        self.queries = conv(d32, BLOCK_PIXELS * (POINTER + 1), 1)  # the last one: logit of the background
        self.votes = conv(d32, BLOCK_PIXELS * VOTERS, 1)
        self.places = conv(e32 + e32, BLOCK_PIXELS * POINTER, 1)
        self.lift = up(e16, e32)
        self.mix = conv(POINTER + 3, 2 * POINTER, 1)
        self.keys = conv(2 * POINTER, POINTER, 1)

    def forward(self, front: Tensor, palette: Tensor, frames: Tensor) -> Tensor:
        """front int64 (N, 64, 64), palette (N, K, 3) in 0..1, frames int64 (N, F), to logits (N, F, 32, 32, 4, K).

        Colour 0 is the background. A colour that the front does not have gets a logit of -30.
        """
        e32, e16, e8 = self.encode(see(front, palette))  # from (N, 20, 32, 32)
        keys = self.make_keys(front, palette, e32, e16)  # (N, K, 24)
        queries, votes = self.decode(e32, e16, e8, frames)  # (N, F, 32, 32, 4, 25), (N, F, 32, 32, 4, 13)
        return vote(point(queries, keys, uses(front, palette.shape[1])), votes, voters(front))

    def encode(self, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features of the front at 32, 16 and 8 blocks."""
        e32 = F.leaky_relu(self.at32(F.leaky_relu(self.first(seen), LEAK)), LEAK)  # (N, 48, 32, 32)
        e16 = F.leaky_relu(self.at16(F.leaky_relu(self.down16(e32), LEAK)), LEAK)  # (N, 96, 16, 16)
        e8 = F.leaky_relu(self.at8(F.leaky_relu(self.down8(e16), LEAK)), LEAK)  # (N, 128, 8, 8)
        return e32, e16, e8

    def make_keys(self, front: Tensor, palette: Tensor, e32: Tensor, e16: Tensor) -> Tensor:
        """A key for each colour (N, K, POINTER), of the colour and of the mean features where it is used."""
        around = F.leaky_relu(self.lift(e16), LEAK)  # (N, 48, 32, 32)
        places = F.leaky_relu(self.places(torch.cat([e32, around], 1)), LEAK).permute(0, 2, 3, 1)  # (N, 32, 32, 96)
        means = mean_of_colours(places.unflatten(-1, (BLOCK_PIXELS, POINTER)), front, palette.shape[1])  # (N, K, 24)
        each = torch.cat([means, palette], -1).transpose(1, 2).unsqueeze(-1)  # (N, 27, K, 1)
        keys: Tensor = self.keys(F.leaky_relu(self.mix(each), LEAK))  # (N, 24, K, 1)
        return keys[..., 0].transpose(1, 2)

    def decode(self, e32: Tensor, e16: Tensor, e8: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """For each frame, queries (N, F, 32, 32, 4, POINTER + 1) and weights of votes (..., VOTERS)."""
        n, f = frames.shape
        number = frames.flatten()  # (N F,)

        def each(x: Tensor) -> Tensor:
            return x.unsqueeze(1).expand(-1, f, -1, -1, -1).flatten(0, 1)

        def join(layer: nn.Module, *parts: Tensor) -> Tensor:
            joined = torch.cat([p.to(parts[0].dtype) for p in parts], 1).contiguous(memory_format=torch.channels_last)
            return F.leaky_relu(layer(joined), LEAK)

        x = F.leaky_relu(self.then8(join(self.join8, each(e8), self.template8[number])), LEAK)  # (N F, 96, 8, 8)
        x = F.leaky_relu(self.up16(x), LEAK)  # (N F, 96, 16, 16)
        x = join(self.join16, x, each(F.leaky_relu(self.skip16(e16), LEAK)), self.template16[number])
        x = F.leaky_relu(self.up32(F.leaky_relu(self.then16(x), LEAK)), LEAK)  # (N F, 64, 32, 32)
        x = join(self.join32, x, each(F.leaky_relu(self.skip32(e32), LEAK)), self.template32[number])
        x = F.leaky_relu(self.then32(x), LEAK)
        # (N F, 32, 32, 4 * 25) and (N F, 32, 32, 4 * 13)
        queries, votes = (layer(x).permute(0, 2, 3, 1) for layer in (self.queries, self.votes))
        shape = (n, f, *queries.shape[1:3], BLOCK_PIXELS, -1)
        return queries.reshape(shape), votes.reshape(shape)


def uses(front: Tensor, colours: int) -> Tensor:
    """The number of pixels of each colour in a front, (N, K) float32."""
    counts = torch.zeros(len(front), colours, device=front.device)
    return counts.scatter_add_(1, front.flatten(1), torch.ones_like(front, dtype=counts.dtype).flatten(1))


def mean_of_colours(places: Tensor, front: Tensor, colours: int) -> Tensor:
    """The mean of (N, 32, 32, 4, C) over the pixels of each colour, float32 (N, colours, C); 0 for unused colours."""
    n, channels = len(places), places.shape[-1]
    flat = places.reshape(n, -1, channels).float()
    index = to_blocks(front).reshape(n, -1, 1).expand_as(flat)
    sums = flat.new_zeros(n, colours, channels).scatter_add_(1, index, flat)
    return sums / uses(front, colours).unsqueeze(-1).clamp_min(1)


def point(queries: Tensor, keys: Tensor, counts: Tensor) -> Tensor:
    """Logits (N, F, 32, 32, 4, K): products of queries and keys; the background has its own logit, the first."""
    n, f, h, w, b, _ = queries.shape
    flat = queries.reshape(n, f * h * w * b, POINTER + 1)  # (N, 4096 F, 25)
    scores = flat[..., :POINTER] @ keys.to(flat.dtype).transpose(1, 2) * POINTER**-0.5  # (N, 4096 F, K)
    scores = scores.masked_fill((counts == 0).unsqueeze(1), -30.0)
    return torch.cat([flat[..., POINTER:], scores[..., 1:]], -1).view(n, f, h, w, b, -1)


def voters(front: Tensor) -> Tensor:
    """The colours of the pixels that vote for each pixel: int64 (N, 64, 64) to (N, 32, 32, 4, VOTERS).

    They are the 3x3 neighbourhood, and four more of its row, since a side view shows parts in other columns. Runs under
    TorchScript.
    """
    padded = F.pad(front, [6, 6, 1, 1])
    high, wide = front.shape[1], front.shape[2]
    down, right = [0, 0, 0, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1], [5, 6, 7, 5, 6, 7, 5, 6, 7, 0, 3, 9, 12]
    return torch.stack([to_blocks(padded[:, y : y + high, x : x + wide]) for y, x in zip(down, right)], -1)  # noqa: B905


def vote(logits: Tensor, votes: Tensor, colours: Tensor) -> Tensor:
    """Logits (N, F, 32, 32, 4, K) plus each vote (..., VOTERS), at its voter's colour (N, 32, 32, 4, VOTERS)."""
    flat = logits.flatten(1, 4).float()  # (N, 4096 F, K)
    index = colours.unsqueeze(1).expand_as(votes).flatten(1, 4)  # (N, 4096 F, VOTERS)
    return flat.scatter_add(2, index, votes.flatten(1, 4).float()).view(logits.shape)


def pixels_of(indices: Tensor, palette: Tensor) -> Tensor:
    """Palette indices (N, ...) int64 to pixels (N, ..., 4): red, green, blue, opacity."""
    colours = seen_colours(palette)
    flat = indices.flatten(1).unsqueeze(-1).expand(-1, -1, 4)
    return colours.gather(1, flat).view(*indices.shape, 4)


def paint_softly(logits: Tensor, palette: Tensor) -> Tensor:
    """Logits (N, ..., K) to pixels (N, ..., 4) of the likeliest colour, with the gradient of the expected colour."""
    shares = logits.softmax(-1).flatten(1, -2)
    soft = (shares @ seen_colours(palette).to(shares.dtype)).view(*logits.shape[:-1], 4)
    hard = pixels_of(logits.detach().argmax(-1), palette).to(soft.dtype)
    return hard + (soft - soft.detach())


def seen_colours(palette: Tensor) -> Tensor:
    """(N, K, 3) to (N, K, 4): colours and opacity; all zero for colour 0, the background."""
    colours = torch.cat([palette, torch.ones_like(palette[..., :1])], -1)
    colours[:, 0] = 0
    return colours


class WalkDiscriminator(nn.Module):
    """Two successive steps, their front and their number to one logit.

    It sees two steps, so that it can penalise flicker.
    """

    def __init__(self, widths: tuple[int, ...] = (64, 96, 144, 160)) -> None:
        """`widths`: channels at 32, 16, 8 and 4 blocks."""
        super().__init__()
        self.near = nn.Sequential(
            conv(3 * BLOCK_PIXELS * 4, widths[0], 1), nn.LeakyReLU(0.2),
            conv(widths[0], widths[0]), nn.LeakyReLU(0.2),
            conv(widths[0], widths[1], 4, 2), nn.LeakyReLU(0.2),
        )  # fmt: skip
        self.patches = nn.Conv2d(widths[1], 1, 3, padding=1, bias=False)  # only differences of logits count
        self.far = downsampling_body(widths[1], 16, widths[1:])
        self.steps = nn.Embedding(SHEET_FRAMES, widths[-1])
        nn.init.normal_(self.steps.weight, std=0.3)
        self.head = nn.Linear(widths[-1], 1, bias=False)

    def forward(self, view: Tensor, first: Tensor) -> Tensor:
        """Views (N, 48, 32, 32), see view_steps, and the number of the first step (N,) to logits (N,)."""
        near = self.near(view)  # (N, 96, 16, 16)
        whole = self.far(near).flatten(1)  # (N, 160)
        return self.patches(near).mean((1, 2, 3)) + self.head(whole)[:, 0] + (whole * self.steps(first)).mean(1)
