"""Train the terrain GANs:  pcg train terrain-detail --data DIR --steps 20000 --out runs/mine"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pcg.learning.gan import Gan, GanConfig, train_gan
from pcg.terrain.objectives import OBJECTIVES, Objective, cut

DISCRIMINATOR_LEAD = 300  # steps of warm-up of the generator's rate, since a new discriminator is a poor critic
# The loss for depressions sets in at the first of these steps, and has its full weight from the second on. At first
# valleys are in pieces; with the loss from the start, none would form, and the land would stay bumpy.
DRAINAGE_STEPS = (5000, 7000)
DRAINED = 3  # the loss for depressions uses every third small crop, and all large crops


@dataclass(frozen=True, kw_only=True)
class TerrainConfig(GanConfig):
    """Options of a terrain training run."""

    model: str = "terrain-detail"
    steps: int = 20_000
    batch: int = 16
    cells: int = 6
    """Side of the discriminator's crops, in the model's coarsest pixels (16 of its finest); a multiple of 2."""
    wide: int = 12
    """Side of the crops of every other step, a multiple of `cells`. The discriminator sees them in pieces; the loss for
    depressions sees them whole, since valleys are longer than the discriminator's crops."""
    generator_rate: float = 1.3e-4
    """As of all GANs. With the discriminator's rate the loss stays near log 2, and the generator learns nothing."""
    drainage: float = 0.5
    """Weight of the loss for depressions, a doubling of the water that real land holds."""
    sample_every: int = 1000


SMOKE = TerrainConfig(steps=20, batch=4, cells=2, wide=4, sample_every=10)
PRESETS = {
    "terrain-detail": {"standard": TerrainConfig(), "smoke": SMOKE},
    "terrain-coarse": {
        "standard": TerrainConfig(model="terrain-coarse", steps=8_000, batch=12, cells=6),
        "smoke": replace(SMOKE, model="terrain-coarse"),
    },
}


def drainage_share(step: int) -> float:
    """Factor on the weight of the loss for depressions at a step."""
    first, last = DRAINAGE_STEPS
    return min(1.0, max(0.0, (step - first) / (last - first)))


def train(config: TerrainConfig, data_folder: Path, folder: Path, device: str = "auto", resume: bool = False) -> bool:
    """Train a level of the terrain; arguments, result and errors as of train_gan."""
    if config.wide % config.cells:
        raise ValueError(
            f"crops {config.wide} wide can't be cut into pieces of {config.cells}; a multiple of it would do"
        )

    def train_step(
        gan: Gan, objective: Objective, step: int, rng: np.random.Generator, random: torch.Generator
    ) -> dict[str, float]:
        side = config.wide if step % 2 and objective.fits(config.wide) else config.cells
        count = max(1, gan.count // (side // config.cells) ** 2)
        condition, real = (t.to(gan.place.device) for t in objective.draw(count, rng, side))
        gan.set_rates(step, lead=min(1.0, (step + 1) / DISCRIMINATOR_LEAD))

        def view(land: Tensor) -> Tensor:
            dither = objective.dither * torch.randn(land.shape, generator=random, device=land.device)
            seen: Tensor = gan.discriminator.view(*cut(land + dither, condition, config.cells))
            return seen

        with gan.autocast():
            fake = objective.make(gan.generator, condition, random)
            real_view, fake_view = view(real), view(fake)
        stats = gan.train_discriminator(step, gan.discriminator, real_view, fake_view)
        adversarial = gan.generator_loss(gan.discriminator, real_view, fake_view)
        flooded = slice(None, None, DRAINED if side == config.cells else 1)
        dammed = objective.excess(fake[flooded], real[flooded])
        gan.train_generator(step, adversarial + config.drainage * drainage_share(step) * dammed)
        relief = fake_view[:, 0].detach().std() / real_view[:, 0].std()  # over the map, to the real one's
        return stats | {"g_loss": adversarial.item(), "dammed": dammed.item(), "relief": relief.item()}

    def open_objective() -> Objective:
        return OBJECTIVES[config.model](data_folder, config.cells)

    return train_gan(config, open_objective, train_step, folder, device, resume)
