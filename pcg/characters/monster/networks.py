"""The monsters' networks in float.

As in the front, shape and colour are separate: the generator gives a shade or nothing for each pixel, and a palette of
fifteen colours from dark to light. Each monster of the training data is a point of the latent space. For points between
them, an adversarial loss on the painted picture takes the place of a drawing. Pictures are held as blocks of 2x2
pixels, (N, 16, 16, 4).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pcg.characters.front.networks import BLOCK_PIXELS
from pcg.convolutions import downsampling_body, initialise
from pcg.exact import LEAK

SHADES = 15  # colours of a palette, without the transparent one
LATENT = 24
BLEND_NOISE = 0.1  # standard deviation of the noise on blended points; the space is (-1, 1)
HIDDEN = 192
WIDTHS = (160, 112, 80)  # channels at 4, 8 and 16 blocks a side


class MonsterGenerator(nn.Module):
    """Latent points to shades and palettes. 1.2 M parameters."""

    def __init__(self, monsters: int, kinds: int) -> None:
        """`monsters`, `kinds`: how many there are in the training data."""
        super().__init__()
        w4, w8, w16 = WIDTHS
        self.monsters = nn.Parameter(torch.randn(monsters, LATENT) * 0.7)
        self.kinds = nn.Parameter(torch.randn(kinds, LATENT) * 0.5)
        self.hidden = nn.Linear(LATENT, HIDDEN)
        self.coarse = nn.Linear(HIDDEN, w4 * 4 * 4)
        self.colours = nn.Linear(HIDDEN, SHADES * 3)
        self.up8 = nn.ConvTranspose2d(w4, w8, 4, stride=2, padding=1)
        self.up16 = nn.ConvTranspose2d(w8, w16, 4, stride=2, padding=1)
        self.at8 = nn.Conv2d(w8, w8, 3, padding=1)
        self.at16 = nn.ModuleList(nn.Conv2d(w16, w16, 3, padding=1) for _ in range(2))
        self.head = nn.Conv2d(w16, BLOCK_PIXELS * (SHADES + 1), 3, padding=1)
        initialise(self)
        self.colours.weight.data *= 0.2

    def embed(self, monsters: Tensor, kinds: Tensor) -> Tensor:
        """Indices of monsters and of their kinds (N,) to points in (-1, 1), (N, LATENT)."""
        return torch.tanh(self.monsters[monsters] + self.kinds[kinds])

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """(N, LATENT) to logits (N, 16, 16, 4, 16), class 0 for transparent, and palettes (N, 15, 3), about 0..1.

        Palettes are not clamped here, since a clamped colour would have no gradient.
        """
        h = F.leaky_relu(self.hidden(latent), LEAK)  # (N, 192)
        x = F.leaky_relu(self.coarse(h), LEAK).view(len(h), 4, 4, -1).permute(0, 3, 1, 2)  # (N, 160, 4, 4)
        x = F.leaky_relu(self.at8(F.leaky_relu(self.up8(x), LEAK)), LEAK)  # (N, 112, 8, 8)
        x = F.leaky_relu(self.up16(x), LEAK)  # (N, 80, 16, 16)
        for layer in self.at16:
            x = F.leaky_relu(layer(x), LEAK)  # (N, 80, 16, 16)
        logits = self.head(x).permute(0, 2, 3, 1).unflatten(-1, (BLOCK_PIXELS, SHADES + 1))  # (N, 16, 16, 4, 16)
        palette = (0.5 + self.colours(h).float() / 2).view(len(h), SHADES, 3)  # (N, 15, 3)
        return logits, palette


class MonsterDiscriminator(nn.Module):
    """A painted picture (premultiplied, so transparent pixels have no colour) and its kind to one logit."""

    def __init__(self, kinds: int, widths: tuple[int, ...] = (64, 112, 160)) -> None:
        """`widths`: channels at 16, 8 and 4 blocks."""
        super().__init__()
        self.near = nn.Conv2d(BLOCK_PIXELS * 4, widths[0], 3, padding=1)
        initialise(self.near)
        self.far = downsampling_body(widths[0], 16, widths)
        self.kinds = nn.Embedding(kinds, widths[-1])
        nn.init.normal_(self.kinds.weight, std=0.3)
        self.head = nn.Linear(widths[-1], 1, bias=False)  # only differences of logits count

    def forward(self, view: Tensor, kinds: Tensor) -> Tensor:
        """Views (N, 16, 16, 16), the pixels of a block as channels, and kinds (N,) to logits (N,)."""
        whole = self.far(F.leaky_relu(self.near(view), 0.2)).flatten(1)  # (N, 64, 16, 16) to (N, 160)
        return self.head(whole)[:, 0] + (whole * self.kinds(kinds)).mean(1)


def augment(pixels: Tensor, random: torch.Generator) -> Tensor:
    """Mirror, shift (by up to two pixels) and recolour each picture (N, 4, H, W) at random; differentiable.

    It is applied to real and generated pictures alike, so that the discriminator does not overfit to few pictures (Zhao
    et al. 2020, "Differentiable augmentation for data-efficient GAN training"). There is no rotation and no blur: the
    pictures stay pixel art.
    """
    n, _, height, width = pixels.shape
    device = pixels.device

    def draw(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=random, device=device)

    x = torch.where(draw(n, 1, 1, 1) < 0.5, pixels, pixels.flip(3))
    padded = F.pad(x, (2, 2, 2, 2))
    down, right = ((draw(n) * 5).long() for _ in range(2))
    rows = down.view(-1, 1, 1, 1) + torch.arange(height, device=device).view(1, 1, -1, 1)
    x = padded.gather(2, rows.expand(-1, 4, -1, width + 4))
    columns = right.view(-1, 1, 1, 1) + torch.arange(width, device=device).view(1, 1, 1, -1)
    x = x.gather(3, columns.expand(-1, 4, height, -1))
    order = draw(n, 3).argsort(1)  # the channel that each of red, green and blue is taken from
    order = torch.where(draw(n, 1) < 0.3, order, torch.arange(3, device=device))
    colour = x[:, :3].gather(1, order.view(n, 3, 1, 1).expand(-1, -1, height, width))
    brightness = (0.8 + 0.4 * draw(n, 1, 1, 1)).to(x.dtype)
    return torch.cat([colour * brightness, x[:, 3:]], 1)
