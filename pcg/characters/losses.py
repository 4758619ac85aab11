"""What the objectives share: the result of a forward pass, the loss of each pixel, and sample pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from pcg.learning import gan

BACKGROUND_WEIGHT = 0.3  # weight of a background pixel in a loss
GROUND = (112, 136, 104)  # grey green, behind sample pictures
Batch = dict[str, Tensor]


@dataclass(frozen=True)
class ForwardPass:
    """The result of one forward pass of the generator.

    `real`, `fake`: views for the discriminator. `condition`: its other input. `supervised`: the loss against the
    drawings. `stats`: numbers for the log.
    """

    real: Tensor
    fake: Tensor
    condition: Tensor
    supervised: Tensor
    stats: dict[str, float]


class Objective(gan.Objective, Protocol):
    """What a character model is trained on: networks, batches, losses and sample pictures."""

    def draw(self, count: int, rng: np.random.Generator) -> Batch: ...
    def forward_pass(self, generator: Any, batch: Batch, random: torch.Generator) -> ForwardPass: ...


def pixel_loss(logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of each pixel, and whether the likeliest class is right; logits (..., K), truth (...) int64."""
    loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]).float(), truth.flatten(), reduction="none")
    return loss.view_as(truth), logits.detach().argmax(-1) == truth


def isolated_share(slots: Tensor) -> Tensor:
    """The share of the figure's pixels, slots (N, H, W), whose four neighbours all have another slot."""
    padded = F.pad(slots, (1, 1, 1, 1), value=-1)
    neighbours = [padded[:, 1:-1, :-2], padded[:, 1:-1, 2:], padded[:, :-2, 1:-1], padded[:, 2:, 1:-1]]
    alone = torch.stack([slots != n for n in neighbours]).all(0) & (slots > 0)
    return alone.sum() / (slots > 0).sum().clamp_min(1)


def on_ground(picture: NDArray[np.uint8], scale: int = 2) -> NDArray[np.uint8]:
    """RGBA (H, W, 4), alpha 0 or 255, to RGB on a grey green ground, enlarged `scale` times."""
    ground = np.where(picture[..., 3:] > 0, picture[..., :3], np.array(GROUND, np.uint8)).astype(np.uint8)
    return ground.repeat(scale, 0).repeat(scale, 1)
