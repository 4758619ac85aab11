"""Train the character models:  pcg train character-front --data DIR --out runs/fronts"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pcg.characters.losses import Objective
from pcg.characters.objectives import OBJECTIVES
from pcg.learning.gan import Gan, GanConfig, train_gan


@dataclass(frozen=True, kw_only=True)
class CharacterConfig(GanConfig):
    """Options of a character training run."""

    model: str = "character-front"
    steps: int = 30_000
    batch: int = 32
    generator_rate: float = 4e-4
    """As of all GANs, but higher: the generator first learns from the supervised loss alone."""
    adversarial: float = 0.1
    """Weight of the adversarial loss beside the supervised one."""
    adversarial_from: int = 1000
    """First step with the adversarial loss; before it only the supervised loss is used."""
    sample_every: int = 500


SMOKE = CharacterConfig(steps=20, batch=2, sample_every=10, adversarial_from=5)
PRESETS = {
    "character-front": {"standard": CharacterConfig(), "smoke": SMOKE},
    "character-walk": {
        "standard": CharacterConfig(model="character-walk", batch=16, adversarial=0.03, adversarial_from=3000),
        "smoke": replace(SMOKE, model="character-walk"),
    },
    "monster": {
        "standard": CharacterConfig(model="monster", batch=48, adversarial=0.3),
        "smoke": replace(SMOKE, model="monster"),
    },
}


def train(config: CharacterConfig, data_folder: Path, folder: Path, device: str = "auto", resume: bool = False) -> bool:
    """Train a character model; arguments, result and errors as of train_gan."""

    def train_step(
        gan: Gan, objective: Objective, step: int, rng: np.random.Generator, random: torch.Generator
    ) -> dict[str, float]:
        batch = {name: tensor.to(gan.place.device) for name, tensor in objective.draw(gan.count, rng).items()}
        gan.set_rates(step)
        with gan.autocast():
            outputs = objective.forward_pass(gan.generator, batch, random)

        def critic(view: Tensor) -> Tensor:
            logits: Tensor = gan.discriminator(view, outputs.condition)
            return logits

        loss, stats = outputs.supervised, {"supervised": outputs.supervised.item(), **outputs.stats}
        if step >= config.adversarial_from:
            stats |= gan.train_discriminator(step, critic, outputs.real, outputs.fake)
            adversarial = gan.generator_loss(critic, outputs.real, outputs.fake)
            loss = loss + config.adversarial * adversarial
            stats["g_loss"] = adversarial.item()
        gan.train_generator(step, loss)
        return stats

    return train_gan(config, lambda: OBJECTIVES[config.model](data_folder), train_step, folder, device, resume)
