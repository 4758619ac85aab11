"""The objectives of the two terrain levels: networks, data, generation, the loss for depressions, samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pcg.terrain import coarse, data, grain
from pcg.terrain.depressions import depression_depth
from pcg.terrain.networks import (
    CoarseDiscriminator,
    CoarseGenerator,
    Discriminator,
    Generator,
    in_metres,
)
from pcg.writers.terrain.heightmap import hillshade

SAMPLES = 6
FRAME = 4  # land has so many more pixels on each side of a crop


def cut(land: Tensor, condition: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Cut land and conditions into crops with a side of `side` of the level's coarsest pixels, margins included."""
    pixels = side * data.PIXELS_PER_CELL
    margin = condition.shape[-1] - (land.shape[-1] - 2 * FRAME) // data.PIXELS_PER_CELL
    lands = land.unfold(1, pixels + 2 * FRAME, pixels).unfold(2, pixels + 2 * FRAME, pixels)
    conditions = condition.unfold(2, side + margin, side).unfold(3, side + margin, side).permute(0, 2, 3, 1, 4, 5)
    return lands.flatten(0, 2), conditions.flatten(0, 2)


class Objective(ABC):
    """What one level is trained on. Land is (N, S, S); a condition is the generator's input beside the latents."""

    dither: float
    """Noise on real and generated land, in the land's unit, so that the discriminator can't see that the data is in
    whole metres."""
    puddle_m: float
    """Mean depth of depressions that is negligible, in metres."""
    about: str

    @abstractmethod
    def networks(self) -> tuple[Any, Any]:
        """A new generator and a new discriminator."""

    @abstractmethod
    def fits(self, side: int) -> bool:
        """Whether the data has room for a crop with a side of `side` of the level's coarsest pixels."""

    @abstractmethod
    def draw(self, count: int, rng: np.random.Generator, side: int) -> tuple[Tensor, Tensor]:
        """Random crops: conditions and their real land, with a side of `side` of the level's coarsest pixels."""

    @abstractmethod
    def make(self, generator: Any, condition: Tensor, random: torch.Generator) -> Tensor:
        """Generate land for conditions of any size."""

    @abstractmethod
    def metres(self, land: Tensor) -> Tensor:
        """The heights of land in metres, with 0 for the sea."""

    def excess(self, fake: Tensor, real: Tensor) -> Tensor:
        """The excess of water in the depressions of generated land over real land of the same condition, in doublings.

        It is the mean over the crops. A crop with less water than the real land counts as 0, so lakes and basins may
        stay. The unit is doublings, since real mountains hold centimetres and plains decimetres: in metres, or in units
        of the relief, a generator with thirty times as much water in every valley would have almost no loss.
        """
        held, wanted = (depression_depth(self.metres(land)) + self.puddle_m for land in (fake, real))
        return (held / wanted).log2().clamp_min(0).mean()

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """The facts about the data that the exported model needs."""

    @abstractmethod
    def samples(self) -> tuple[Tensor, Tensor]:
        """Fixed conditions and real land for the sample pictures."""

    @abstractmethod
    def shade(self, land: Tensor) -> list[NDArray[np.uint8]]:
        """A hillshade (S, S) of each."""

    def picture(self, generator: Any, device: torch.device) -> NDArray[np.uint8]:
        """A grey grid of crops: real land, and generated land of the same condition with two latents."""
        condition, real = (t.to(device) for t in self.samples())
        random = torch.Generator(device).manual_seed(1)
        lands = [real, *(self.make(generator, condition, random) for _ in range(2))]
        rows = [np.hstack(row) for row in zip(*map(self.shade, lands), strict=True)]
        return np.hstack([np.vstack(rows[: len(rows) // 2]), np.vstack(rows[len(rows) // 2 :])])


class DetailObjective(Objective):
    """The detail level: heights at 90 m (N, 16 cells + 8, ...), in metres.

    Conditions are control maps and grains (N, 2, cells + 16, ...).
    """

    dither, puddle_m = 0.3, 0.05

    def __init__(self, folder: Path, cells: int) -> None:
        self.cells = cells
        self.regions = data.fitting(data.load_regions(folder), cells)
        self.about = f"{len(self.regions)} regions"
        self.grain = grain.fit_regions(self.regions, cells)

    def networks(self) -> tuple[Generator, Discriminator]:
        """Fresh networks."""
        return Generator(), Discriminator(self.cells * data.PIXELS_PER_CELL)

    def fits(self, side: int) -> bool:
        """Whether a region is that large."""
        return any(min(region.bad.shape) >= side * data.PIXELS_PER_CELL for region in self.regions)

    def draw(self, count: int, rng: np.random.Generator, side: int) -> tuple[Tensor, Tensor]:
        """Control maps with the grain of their land, and the land."""
        return self.condition(data.draw_batch(data.fitting(self.regions, side), side, count, rng))

    def condition(self, batch: data.Batch) -> tuple[Tensor, Tensor]:
        """Conditions and land of a batch."""
        control, heights = torch.from_numpy(batch.control), torch.from_numpy(batch.heights)
        grains = self.grain.grain(heights, control).view(-1, 1, 1)
        return torch.stack([control, grains.expand_as(control)], 1), heights

    def make(self, generator: Generator, condition: Tensor, random: torch.Generator) -> Tensor:
        """Generate land for control maps and grains of any size."""
        cells = condition.shape[-1] - 2 * data.MARGIN_CELLS
        land: Tensor = generator(condition, generator.pyramid.draw_latents(len(condition), cells, random))
        return land

    def metres(self, land: Tensor) -> Tensor:
        """Land is in metres already."""
        return land

    def describe(self) -> dict[str, Any]:
        """The facts about the data that the exported model needs: sources, and height quantiles for classic noise."""
        return {
            "regions": {r.name: {"licence": r.licence, "pixels": int(r.bad.size)} for r in self.regions},
            "control_quantiles_m": data.control_quantiles(self.regions).tolist(),
        }

    def samples(self) -> tuple[Tensor, Tensor]:
        """Fixed crops for the sample pictures: 256 pixels a side, or less if the data has no crop that large."""
        rng = np.random.default_rng(1)
        for size in (16, 12, 8, self.cells):
            try:
                batch = data.draw_batch(data.fitting(self.regions, size), size, SAMPLES, rng)
                break
            except ValueError:
                if size == self.cells:
                    raise
        return self.condition(batch)

    def shade(self, land: Tensor) -> list[NDArray[np.uint8]]:
        """Hillshades."""
        return [hillshade(heights, data.METRES_PER_PIXEL, 2.0) for heights in land.cpu().numpy()]


class CoarseObjective(Objective):
    """The coarse level: signed roots at 1,440 m (N, 16 base + 8, ...); conditions are plans (N, 6, base + 12, ...)."""

    dither, puddle_m = 0.004, 1.0

    def __init__(self, folder: Path, cells: int) -> None:
        self.base = cells
        self.sheets = coarse.load_sheets(folder)
        self.about = f"{len(self.sheets)} maps"

    def networks(self) -> tuple[CoarseGenerator, CoarseDiscriminator]:
        """Fresh networks."""
        return CoarseGenerator(), CoarseDiscriminator(self.base * coarse.PIXELS_PER_BASE)

    def fits(self, side: int) -> bool:
        """Whether a sheet is that large."""
        return any(min(s.roots.shape) >= side * coarse.PIXELS_PER_BASE + 2 * coarse.FRAME for s in self.sheets)

    def draw(self, count: int, rng: np.random.Generator, side: int) -> tuple[Tensor, Tensor]:
        """Plans and the real maps that they describe."""
        plans, roots = coarse.draw_crops(self.sheets, side, count, rng)
        return torch.from_numpy(plans), torch.from_numpy(roots)

    def make(self, generator: CoarseGenerator, condition: Tensor, random: torch.Generator) -> Tensor:
        """Generate maps for plans of any size."""
        base = condition.shape[-1] - 2 * coarse.MARGIN_BASE
        return generator.signed_roots(condition, generator.pyramid.draw_latents(len(condition), base, random))

    def metres(self, land: Tensor) -> Tensor:
        """Metres, with 0 for the sea."""
        return in_metres(land).clamp_min(0)

    def describe(self) -> dict[str, Any]:
        """Sources for the card."""
        sources: dict[str, dict[str, Any]] = {}
        for sheet in self.sheets:
            source = sources.setdefault(sheet.name, {"licence": sheet.licence, "pixels": 0, "rescaled": sheet.world})
            source["pixels"] += int(sheet.roots.size)
        return {"maps": sources}

    def samples(self) -> tuple[Tensor, Tensor]:
        """Fixed crops for the sample pictures."""
        return self.draw(SAMPLES, np.random.default_rng(1), self.base)

    def shade(self, land: Tensor) -> list[NDArray[np.uint8]]:
        """Hillshades; the deeper the sea, the darker."""
        shades = []
        for heights in in_metres(land).cpu().numpy():
            shade = hillshade(np.maximum(heights, 0), coarse.METRES_PER_PIXEL, 3.0)
            depth = (90 + np.maximum(heights, -1800) / 20).astype(np.uint8)
            shades.append(np.where(heights < 0, depth, shade))
        return shades


OBJECTIVES: dict[str, type[DetailObjective] | type[CoarseObjective]] = {
    "terrain-detail": DetailObjective,
    "terrain-coarse": CoarseObjective,
}
