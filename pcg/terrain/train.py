"""Train the terrain GANs:  pcg train terrain-detail --data DIR --steps 20000 --out runs/mine"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pcg.learning.gan import Gan, GanConfig, train_gan
from pcg.terrain.objectives import OBJECTIVES, Objective, cut

DISCRIMINATOR_LEAD = 300  # steps over which the generator's rate rises: it has little to learn from a fresh critic
# Steps from which depressions weigh anything, and until they weigh what they should. Valleys come in pieces at first;
# where each piece is punished for its dams, none is ever carved, and the land stays a heap of bumps.
DRAINAGE_STEPS = (5000, 7000)
DRAINED = 3  # one small crop in so many is flooded to look for depressions; of large ones each is


@dataclass(frozen=True, kw_only=True)
class TerrainConfig(GanConfig):
    """Options of a terrain training run."""

    model: str = "terrain-detail"
    steps: int = 20_000
    batch: int = 16
    cells: int = 6
    """Side of what the discriminator sees, in the model's coarsest pixels, 16 of its finest; a multiple of 2."""
    wide: int = 12
    """Side of the crops of every other step, a multiple of `cells`: the discriminator sees them in pieces, but they are
    flooded whole, since dams stand in valleys longer than what it sees."""
    generator_rate: float = 1.3e-4
    """As of all GANs. One as fast as its discriminator dodges: the loss stays near log 2, and nothing is learned."""
    drainage: float = 0.5
    """Weight of depressions that hold more water than real land's, for each doubling."""
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
    """Factor on the weight of depressions."""
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
