"""The front's objective: reproduce the drawings of known outfits, and make blends that look drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pcg.characters.data.colourways import describe_colourways
from pcg.characters.data.credits import describe_layers
from pcg.characters.data.outfits import CharacterData
from pcg.characters.data.slots import paint
from pcg.characters.data.wardrobe import Outfit
from pcg.characters.front.networks import (
    BLEND_NOISE,
    SHADE_COUNT,
    SLOT_COUNT,
    FrontDiscriminator,
    FrontGenerator,
    from_blocks,
    to_blocks,
    view_logits,
    view_maps,
)
from pcg.characters.losses import BACKGROUND_WEIGHT, Batch, ForwardPass, isolated_share, on_ground, pixel_loss

SAMPLES = 12
BLENDED = 0.5  # share of the attributes that are blends of two items, in outfits without a drawing
KNOWN_NOISE = 0.03  # standard deviation of the noise on the embeddings of drawn outfits


class FrontObjective:
    """Fronts: a supervised loss on drawn outfits, and an adversarial one on blends between outfits."""

    def __init__(self, folder: Path) -> None:
        self.data = CharacterData(folder)
        self.catalogue = self.data.training.catalogue
        self.credits = describe_layers(folder)
        self.about = f"{len(self.catalogue.rows)} items of {len(self.catalogue.attributes)} attributes"

    def networks(self) -> tuple[FrontGenerator, FrontDiscriminator]:
        """A new generator and a new discriminator."""
        known = self.catalogue
        return FrontGenerator(len(known.rows), len(known.attributes)), FrontDiscriminator(len(known.values))

    def draw(self, count: int, rng: np.random.Generator) -> Batch:
        """Random outfits: catalogue rows, rows of blend partners, and the slots and shades of their fronts."""
        return self.batch([self.data.training.draw(rng) for _ in range(count)], rng)

    def batch(self, outfits: list[Outfit], rng: np.random.Generator) -> Batch:
        """As draw, for given outfits."""
        rows = np.array([outfit.rows for outfit in outfits])
        partners = [self.catalogue.partners(r, rng) for r in rows]
        maps = [self.data.compose_front(outfit) for outfit in outfits]
        arrays = {
            "rows": rows,
            "partners": np.stack(partners),
            "values": self.catalogue.value_of[rows],
            "slots": np.stack([slots for slots, _ in maps]),
            "shades": np.stack([shades for _, shades in maps]),
        }
        return {name: torch.from_numpy(array).long() for name, array in arrays.items()}

    def blend(self, generator: FrontGenerator, batch: Batch, random: torch.Generator) -> Tensor:
        """Embeddings of blends: values as in the batch, each between two items of the value, with noise."""
        one, other = generator.embed(batch["rows"]), generator.embed(batch["partners"])
        shape = (*batch["rows"].shape, 1)
        share = torch.rand(shape, generator=random, device=one.device)
        share = share * (torch.rand(shape, generator=random, device=one.device) < BLENDED)
        noise = torch.randn(one.shape, generator=random, device=one.device) * BLEND_NOISE
        return (torch.lerp(one, other, share) + noise).clamp(-1, 1)

    def forward_pass(self, generator: FrontGenerator, batch: Batch, random: torch.Generator) -> ForwardPass:
        """Generate the outfits of the batch and as many blends."""
        known = generator.embed(batch["rows"])
        known = (known + torch.randn(known.shape, generator=random, device=known.device) * KNOWN_NOISE).clamp(-1, 1)
        logits = generator(torch.cat([known, self.blend(generator, batch, random)]))
        drawn, blended = logits[: len(known)], logits[len(known) :]
        slots, shades = to_blocks(batch["slots"]), to_blocks(batch["shades"])
        figure = slots > 0
        slot_loss, slot_right = pixel_loss(drawn[..., :SLOT_COUNT], slots)
        shade_loss, shade_right = pixel_loss(drawn[..., SLOT_COUNT:], shades)
        weight = torch.where(figure, 1.0, BACKGROUND_WEIGHT)
        supervised = (slot_loss * weight).sum() / weight.sum() + (shade_loss * figure).sum() / figure.sum()
        fake = view_logits(blended)
        with torch.no_grad():
            isolated = isolated_share(from_blocks(fake[..., :SLOT_COUNT].argmax(-1)))
            ratio = isolated / isolated_share(batch["slots"]).clamp_min(1e-6)
            stats = {
                "slots": float((slot_right & figure).sum() / figure.sum()),
                "shades": float((shade_right & figure).sum() / figure.sum()),
                "loose": float(ratio),
            }
        return ForwardPass(view_maps(slots, shades), fake, batch["values"], supervised, stats)

    def describe(self) -> dict[str, Any]:
        """The facts about the data that the exported model needs: the catalogue and its colours."""
        return {
            "rows": [list(row) for row in self.catalogue.rows],
            "fits": self.catalogue.fits.astype(int).tolist(),
            "held_out": sorted(self.data.held_out),
            **describe_colourways(self.data),
            **self.credits,
        }

    def picture(self, generator: FrontGenerator, device: torch.device) -> NDArray[np.uint8]:
        """Rows: the drawings, the generator's copies of them, and three rows of blends, at twice their size; RGB."""
        rng, random = np.random.default_rng(1), torch.Generator(device).manual_seed(1)
        outfits = [self.data.training.draw(rng) for _ in range(SAMPLES)]
        ramps = [self.data.ramps(outfit) for outfit in outfits]
        batch = {name: tensor.to(device) for name, tensor in self.batch(outfits, rng).items()}
        rows: list[tuple[Tensor, ...]] = [(batch["slots"], batch["shades"])]
        with torch.no_grad():
            for code in (generator.embed(batch["rows"]), *(self.blend(generator, batch, random) for _ in range(3))):
                logits = generator(code)
                parts = logits.split([SLOT_COUNT, SHADE_COUNT], -1)
                rows.append(tuple(from_blocks(part.argmax(-1)) for part in parts))
        rows_of_figures = []
        for row in rows:
            maps = [m.byte().cpu().numpy() for m in row]
            rows_of_figures.append(np.concatenate([paint(*figure) for figure in zip(*maps, ramps, strict=True)], 1))
        return on_ground(np.concatenate(rows_of_figures))
