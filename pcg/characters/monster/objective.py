"""The monsters' objective: reproduce the tiles, and make blends that look drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pcg.characters.data.credits import describe_tiles
from pcg.characters.data.monsters import KINDS, paint_shades, read_monsters
from pcg.characters.front.networks import from_blocks, to_blocks
from pcg.characters.losses import BACKGROUND_WEIGHT, Batch, ForwardPass, on_ground, pixel_loss
from pcg.characters.monster.networks import BLEND_NOISE, MonsterDiscriminator, MonsterGenerator, augment
from pcg.characters.walk.networks import paint_softly, pixels_of

ROWS, COLUMNS = 8, 16  # of a sample picture
KNOWN_NOISE = 0.03  # standard deviation of the noise on the points of tiles
COLOUR_WEIGHT = 4.0  # weight of the palettes' mean absolute error; 1 for the shades' cross-entropy


class MonsterObjective:
    """Monsters: a supervised loss on the tiles, and an adversarial one on blends of two tiles of a kind."""

    def __init__(self, folder: Path) -> None:
        """Raises ValueError when a kind has no monster in the folder."""
        self.monsters, self.held_out = read_monsters(folder)
        self.members = [np.flatnonzero(self.monsters.kinds == kind) for kind in range(len(KINDS))]
        if missing := [kind for kind, members in zip(KINDS, self.members, strict=True) if not len(members)]:
            raise ValueError(f"{folder} holds no monster of the kind {missing[0]}")
        self.about = f"{len(self.monsters.names)} monsters of {len(KINDS)} kinds"

    def networks(self) -> tuple[MonsterGenerator, MonsterDiscriminator]:
        """A new generator and a new discriminator."""
        return MonsterGenerator(len(self.monsters.names), len(KINDS)), MonsterDiscriminator(len(KINDS))

    def draw(self, count: int, rng: np.random.Generator) -> Batch:
        """Random monsters, and for each two more of its kind to blend."""
        numbers = rng.integers(len(self.monsters.names), size=count)
        partners = np.stack([rng.choice(self.members[kind], 2) for kind in self.monsters.kinds[numbers]])
        return {
            "numbers": torch.from_numpy(numbers),
            "partners": torch.from_numpy(partners),
            "kinds": torch.from_numpy(self.monsters.kinds[numbers]),
            "shades": torch.from_numpy(self.monsters.shades[numbers]).long(),
            "palettes": torch.from_numpy(self.monsters.palettes[numbers]).float() / 255,
        }

    def blend(self, generator: MonsterGenerator, batch: Batch, random: torch.Generator) -> Tensor:
        """Points between two monsters of a kind, with noise."""
        one, other = (generator.embed(batch["partners"][:, k], batch["kinds"]) for k in range(2))
        share = torch.rand((len(one), 1), generator=random, device=one.device)
        noise = torch.randn(one.shape, generator=random, device=one.device) * BLEND_NOISE
        return (torch.lerp(one, other, share) + noise).clamp(-1, 1)

    def forward_pass(self, generator: Any, batch: Batch, random: torch.Generator) -> ForwardPass:
        """Generate the monsters of the batch, and as many blends of their kinds."""
        known = generator.embed(batch["numbers"], batch["kinds"])
        known = (known + torch.randn(known.shape, generator=random, device=known.device) * KNOWN_NOISE).clamp(-1, 1)
        logits, palettes = generator(torch.cat([known, self.blend(generator, batch, random)]))
        count, truth = len(known), to_blocks(batch["shades"])
        loss, right = pixel_loss(logits[:count], truth)
        figure = truth > 0
        weight = torch.where(figure, 1.0, BACKGROUND_WEIGHT)
        colour_loss = (palettes[:count] - batch["palettes"]).abs().mean()
        supervised = (loss * weight).sum() / weight.sum() + COLOUR_WEIGHT * colour_loss
        fake = paint_softly(logits[count:], with_nothing(palettes[count:].clamp(0, 1)))
        real = pixels_of(truth, with_nothing(batch["palettes"])).to(fake.dtype)
        stats = {
            "shades": float((right & figure).sum() / figure.sum()),
            "colours": float(colour_loss.detach()),
            "opaque": float(fake[..., 3].detach().mean() / real[..., 3].mean()),
        }
        views = [as_view(augment(to_pixels(blocks), random)) for blocks in (real, fake)]
        return ForwardPass(views[0], views[1], batch["kinds"], supervised, stats)

    def describe(self) -> dict[str, Any]:
        """The facts about the data that the exported model needs."""
        return {
            "names": list(self.monsters.names),
            "kinds": self.monsters.kinds.tolist(),
            "held_out": list(self.held_out.names),
            **describe_tiles(len(self.monsters.names)),
        }

    def picture(self, generator: Any, device: torch.device) -> NDArray[np.uint8]:
        """Two rows of tiles, two of the generator's copies of them, and four of blends; RGB."""
        rng, random = np.random.default_rng(1), torch.Generator(device).manual_seed(1)
        batch = {name: tensor.to(device) for name, tensor in self.draw(2 * COLUMNS, rng).items()}
        drawn = paint_shades(*(batch[name].mul(scale).round().byte().cpu().numpy() for name, scale in SHOWN.items()))
        pictures = [drawn]
        with torch.no_grad():
            points = [generator.embed(batch["numbers"], batch["kinds"])]
            points += [self.blend(generator, batch, random) for _ in range(2)]
            for point in points:
                logits, palettes = generator(point)
                shades = from_blocks(logits.argmax(-1)).byte().cpu().numpy()
                pictures.append(paint_shades(shades, palettes.clamp(0, 1).mul(255).round().byte().cpu().numpy()))
        tiles = np.concatenate(pictures).reshape(ROWS, COLUMNS, *drawn.shape[1:])
        return on_ground(tiles.swapaxes(1, 2).reshape(ROWS * drawn.shape[1], -1, 4))


SHOWN = {"shades": 1, "palettes": 255}


def with_nothing(palettes: Tensor) -> Tensor:
    """Palettes with an additional first colour, 0, for transparent pixels."""
    return torch.cat([torch.zeros_like(palettes[:, :1]), palettes], 1)


def to_pixels(blocks: Tensor) -> Tensor:
    """(N, H, W, 4, C) to (N, C, 2H, 2W)."""
    n, h, w, _, c = blocks.shape
    return blocks.view(n, h, w, 2, 2, c).permute(0, 5, 1, 3, 2, 4).reshape(n, c, 2 * h, 2 * w)


def as_view(pixels: Tensor) -> Tensor:
    """(N, C, H, W) to (N, 4 C, H/2, W/2), the pixels of a 2x2 block as channels."""
    return torch.nn.functional.pixel_unshuffle(pixels, 2).contiguous(memory_format=torch.channels_last)
