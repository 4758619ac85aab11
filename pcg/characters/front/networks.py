"""The front's networks in float, as they are trained.

The generator draws slots and shades, not colours. Its input is the embeddings of a character's attributes: each item of
the catalogue is a point, and other points give characters that are in no drawing. The discriminator sees hard pictures,
as users will: one slot and one shade a pixel, with the gradient of the softmax (straight-through; Bengio et al. 2013,
"Estimating or propagating gradients through stochastic neurons").

Pictures are held as blocks of 2x2 pixels, (N, 32, 32, 4, K): a block is one position of the networks' finest scale.
That is three times as fast on a CPU as layers at full resolution.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pcg.convolutions import downsampling_body, initialise
from pcg.exact import LEAK

SLOT_COUNT, SHADE_COUNT = 35, 8
CHANNELS = SLOT_COUNT + SHADE_COUNT  # logits of a pixel, and the discriminator's inputs for it
SIZE, BLOCK_PIXELS = 64, 4
EMBEDDING = 12  # size of an item's embedding
BLEND_NOISE = 0.15  # standard deviation of the noise on blended embeddings, which are in (-1, 1)
HIDDEN = 384
WIDTHS = (96, 96, 80)  # channels at 8, 16 and 32 blocks a side
DIRECT = 16  # of the channels at 16 blocks, those that come directly from the attributes


def to_blocks(pixels: Tensor) -> Tensor:
    """(N, H, W) to (N, H/2, W/2, 4), each block's pixels in reading order."""
    n, h, w = pixels.shape
    return pixels.reshape(n, h // 2, 2, w // 2, 2).permute(0, 1, 3, 2, 4).reshape(n, h // 2, w // 2, 4)


def from_blocks(blocks: Tensor) -> Tensor:
    """The inverse of to_blocks. Both run under TorchScript."""
    n, h, w, _ = blocks.shape
    return blocks.reshape(n, h, w, 2, 2).permute(0, 1, 3, 2, 4).reshape(n, 2 * h, 2 * w)


class FrontGenerator(nn.Module):
    """Embeddings of attributes to slots and shades. 4.7 M parameters at the standard widths."""

    def __init__(self, rows: int, attributes: int, hidden: int = HIDDEN, widths: tuple[int, ...] = WIDTHS) -> None:
        """`rows`: number of rows of the catalogue."""
        super().__init__()
        w8, w16, w32 = widths
        self.items = nn.Parameter(torch.randn(rows, EMBEDDING) * 0.7)
        self.hidden = nn.Linear(attributes * EMBEDDING, hidden)
        self.coarse = nn.Linear(hidden, w8 * 8 * 8)
        self.direct = nn.Linear(hidden, DIRECT * 16 * 16)
        self.up16 = nn.ConvTranspose2d(w8, w16 - DIRECT, 4, stride=2, padding=1)
        self.up32 = nn.ConvTranspose2d(w16, w32, 4, stride=2, padding=1)
        self.at16 = nn.ModuleList(nn.Conv2d(w16, w16, 3, padding=1) for _ in range(2))
        self.at32 = nn.ModuleList(nn.Conv2d(w32, w32, 3, padding=1) for _ in range(2))
        self.head = nn.Conv2d(w32, BLOCK_PIXELS * CHANNELS, 3, padding=1)
        initialise(self)

    def embed(self, rows: Tensor) -> Tensor:
        """Rows of the catalogue (N, attributes) to their embeddings in (-1, 1), (N, attributes, EMBEDDING)."""
        return torch.tanh(self.items)[rows]

    def forward(self, attributes: Tensor) -> Tensor:
        """Embeddings (N, attributes, EMBEDDING) to logits (N, 32, 32, 4, 43): 35 of the slots, 8 of the shades."""
        h = F.leaky_relu(self.hidden(attributes.flatten(1)), LEAK)  # (N, 384)
        x = F.leaky_relu(self.coarse(h), LEAK).view(len(h), 8, 8, -1).permute(0, 3, 1, 2)  # (N, 96, 8, 8)
        direct = F.leaky_relu(self.direct(h), LEAK).view(len(h), 16, 16, -1).permute(0, 3, 1, 2)  # (N, 16, 16, 16)
        x = torch.cat([F.leaky_relu(self.up16(x), LEAK), direct], 1)  # (N, 80 + 16, 16, 16)
        for layer in self.at16:
            x = F.leaky_relu(layer(x), LEAK)  # (N, 96, 16, 16)
        x = F.leaky_relu(self.up32(x), LEAK)  # (N, 80, 32, 32)
        for layer in self.at32:
            x = F.leaky_relu(layer(x), LEAK)  # (N, 80, 32, 32)
        blocks: Tensor = self.head(x).permute(0, 2, 3, 1).unflatten(-1, (BLOCK_PIXELS, CHANNELS))  # (N, 32, 32, 4, 43)
        return blocks


def harden(logits: Tensor) -> Tensor:
    """One-hot of the largest logit along the last axis, with the gradient of the softmax."""
    soft = logits.softmax(-1)
    hard = torch.zeros_like(soft).scatter_(-1, soft.argmax(-1, keepdim=True), 1.0)
    return hard + (soft - soft.detach())


def view_logits(logits: Tensor) -> Tensor:
    """The discriminator's view of a generated picture: one slot a pixel, and a shade except on the background."""
    slots, shades = (harden(part) for part in logits.split([SLOT_COUNT, SHADE_COUNT], -1))  # (..., 35), (..., 8)
    return torch.cat([slots, shades * (1 - slots[..., :1])], -1)


def view_maps(slots: Tensor, shades: Tensor) -> Tensor:
    """The discriminator's view of a real picture: int64 blocks (N, 32, 32, 4) each, to (N, 32, 32, 4, 43)."""
    slot = F.one_hot(slots, SLOT_COUNT)
    shade = F.one_hot(shades, SHADE_COUNT) * (slots > 0).unsqueeze(-1)
    return torch.cat([slot, shade], -1).to(torch.bfloat16)


class FrontDiscriminator(nn.Module):
    """A view of a picture and the values of its attributes to one logit.

    The logit is the sum of a mean over patches, which sees stray pixels, and of a projection of the whole picture on
    its values (Miyato and Koyama 2018, "cGANs with projection discriminator").
    """

    def __init__(self, values: int, widths: tuple[int, ...] = (64, 96, 160, 192)) -> None:
        """`values`: number of values of the catalogue; `widths`: channels at 32, 16, 8 and 4 blocks."""
        super().__init__()
        self.near = nn.Sequential(
            nn.Conv2d(BLOCK_PIXELS * CHANNELS, widths[0], 1), nn.LeakyReLU(0.2),
            nn.Conv2d(widths[0], widths[0], 3, padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(widths[0], widths[1], 4, stride=2, padding=1), nn.LeakyReLU(0.2),
        )  # fmt: skip
        initialise(self.near)
        self.patches = nn.Conv2d(widths[1], 1, 3, padding=1, bias=False)  # only differences of logits count
        self.far = downsampling_body(widths[1], SIZE // 4, widths[1:])
        self.values = nn.Embedding(values, widths[-1])
        nn.init.normal_(self.values.weight, std=0.1)
        self.head = nn.Linear(widths[-1], 1, bias=False)

    def forward(self, view: Tensor, values: Tensor) -> Tensor:
        """Views (N, 32, 32, 4, 43) and indices of values (N, attributes) to logits (N,)."""
        near = self.near(view.flatten(3).permute(0, 3, 1, 2))  # (N, 172, 32, 32) to (N, 96, 16, 16)
        whole = self.far(near).flatten(1)  # (N, 192)
        asked = self.values(values).mean(1)  # (N, 192)
        return self.patches(near).mean((1, 2, 3)) + self.head(whole)[:, 0] + (whole * asked).mean(1)
