"""The walk's objective: the frames of random characters from their fronts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pcg.characters.data.credits import describe_layers
from pcg.characters.data.outfits import FRONT, CharacterData
from pcg.characters.data.walks import draw_steps, draw_walk, to_walk
from pcg.characters.front.networks import BLOCK_PIXELS, from_blocks, to_blocks
from pcg.characters.losses import BACKGROUND_WEIGHT, Batch, ForwardPass, on_ground, pixel_loss
from pcg.characters.walk.networks import (
    COLOURS,
    SHEET_FRAMES,
    WalkDiscriminator,
    WalkGenerator,
    paint_softly,
    pixels_of,
)
from runtime.content.characters.atlas import FRAMES

PAIRS = 2  # pairs of steps of each character of a batch
SAMPLES = 3
MEASURED = 32  # fronts in data.json; export measures activations on them
SHOWN = (0, 1, 3, 5, 7)  # frames of a row in the sample pictures


class WalkObjective:
    """Walks: a supervised loss on each pixel of a frame, and an adversarial one on pairs of frames."""

    def __init__(self, folder: Path) -> None:
        self.data = CharacterData(folder)
        self.credits = describe_layers(folder)
        self.about = f"{len(self.data.layers.items) - len(self.data.held_out)} items"

    def networks(self) -> tuple[WalkGenerator, WalkDiscriminator]:
        """A new generator and a new discriminator."""
        return WalkGenerator(), WalkDiscriminator()

    def draw(self, count: int, rng: np.random.Generator) -> Batch:
        """Fronts and their palettes, frame numbers in pairs, and the true frames."""
        walks = [draw_walk(self.data, self.data.training.draw(rng), draw_steps(PAIRS, rng), rng) for _ in range(count)]
        return {
            "front": torch.from_numpy(np.stack([walk.front for walk in walks])).long(),
            "palette": torch.from_numpy(np.stack([walk.palette for walk in walks])).float() / 255,
            "frames": torch.from_numpy(np.stack([walk.frames for walk in walks])),
            "targets": torch.from_numpy(np.stack([walk.targets for walk in walks])).long(),
        }

    def forward_pass(self, generator: Any, batch: Batch, random: torch.Generator) -> ForwardPass:
        """Generate the frames; `random` is not used."""
        del random
        front, palette, frames = batch["front"], batch["palette"], batch["frames"]
        truth = to_blocks(batch["targets"].flatten(0, 1)).unflatten(0, frames.shape)
        logits = generator(front, palette, frames)
        loss, right = pixel_loss(logits, truth)
        figure = truth > 0
        weight = torch.where(figure, 1.0, BACKGROUND_WEIGHT)
        # One pair of each character is enough for the discriminator, and costs half.
        fake = view_steps(paint_softly(logits[:, :2], palette), front, palette)
        real = view_steps(pixels_of(truth[:, :2], palette).to(fake.dtype), front, palette)
        with torch.no_grad():
            steps = slice(0, 2 * BLOCK_PIXELS * 4)
            stats = {
                "colours": float((right & figure).sum() / figure.sum()),
                "off": float((fake - real).abs()[:, steps].mean() / real[:, steps].mean()),
            }
        return ForwardPass(real, fake, frames[:, 0], (loss * weight).sum() / weight.sum(), stats)

    def describe(self) -> dict[str, Any]:
        """The facts about the data that the exported model needs."""
        rng = np.random.default_rng(2)
        walks = [draw_walk(self.data, self.data.training.draw(rng), draw_steps(1, rng), rng) for _ in range(MEASURED)]
        return {
            "held_out": sorted(self.data.held_out),
            "fronts": [walk.front.tobytes().hex() for walk in walks],  # on which activations are measured
            "palettes": [walk.palette.tobytes().hex() for walk in walks],
            **self.credits,
        }

    def picture(self, generator: WalkGenerator, device: torch.device) -> NDArray[np.uint8]:
        """Three characters in held-out items, a row for each direction: frames as drawn, then the generator's; RGB."""
        rng = np.random.default_rng(1)
        rows = []
        for _ in range(SAMPLES):
            outfit = self.data.validation.draw(rng)
            numbers = np.array([row * FRAMES + k for row in range(SHEET_FRAMES // FRAMES) for k in SHOWN])
            codes = np.stack([self.data.compose_frame(outfit, *divmod(int(n), FRAMES)) for n in numbers])
            front = self.data.compose_frame(outfit, *FRONT)
            colours = self.data.ramps(outfit).reshape(-1, 3)
            walk = to_walk(np.concatenate([front[None], codes]), colours, numbers, COLOURS - 1)
            with torch.no_grad():
                given = (walk.front[None].astype(np.int64), walk.palette[None].astype(np.float32) / 255, numbers[None])
                logits = generator(*(torch.from_numpy(a).to(device) for a in given))
            drawn = from_blocks(logits[0].argmax(-1)).cpu().numpy()
            lines = [
                np.concatenate([*walk.targets[i : i + len(SHOWN)], *drawn[i : i + len(SHOWN)]], 1)
                for i in range(0, len(numbers), len(SHOWN))
            ]
            indices = np.concatenate(lines)
            rows.append(np.dstack([walk.palette[indices], np.where(indices > 0, 255, 0).astype(np.uint8)]))
        return on_ground(np.concatenate(rows))


def view_steps(pixels: Tensor, front: Tensor, palette: Tensor) -> Tensor:
    """The discriminator's view: pixels of two frames (N, 2, 32, 32, 4, 4) and of the front, to (N, 48, 32, 32)."""
    steps = pixels.permute(0, 2, 3, 1, 4, 5).flatten(3)
    stands = pixels_of(to_blocks(front), palette).flatten(3).to(pixels.dtype)
    return torch.cat([steps, stands], -1).permute(0, 3, 1, 2)
