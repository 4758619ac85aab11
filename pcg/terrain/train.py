"""Train the terrain GANs:  pcg train terrain-detail --data DIR --steps 20000 --out runs/mine

One readable function for both levels; a lesson says what is taught. On a GPU: --device cuda. On several:
torchrun --nproc-per-node N -m pcg.cli train ...
"""

from __future__ import annotations

import copy
import json
import math
import sys
import time
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pcg.learning import checkpoint
from pcg.learning.adversarial import discriminator_loss, generator_loss, gradient_penalty
from pcg.learning.devices import any_rank, average_gradients, close_place, open_place, ranks_agree, share_weights
from pcg.learning.loop import Run, to_toml
from pcg.terrain.lessons import LESSONS, Lesson

AGREE_EVERY = 200  # steps between checks that the ranks hold the same weights
DISCRIMINATOR_LEAD = 300  # steps over which the generator's rate rises: it has little to learn from a fresh critic
# Steps from which depressions weigh anything, and until they weigh what they should. Valleys come in pieces at first;
# where each piece is punished for its dams, none is ever carved, and the land stays a heap of bumps.
DRAINAGE_STEPS = (5000, 7000)


@dataclass(frozen=True)
class TerrainConfig:
    """Options of a terrain training run."""

    model: str = "terrain-detail"
    """Which of the two levels is trained."""
    steps: int = 20_000
    """Steps of the optimisers, over all resumes."""
    batch: int = 16
    """Crops a step, over all processes."""
    cells: int = 6
    """Side of a crop in the model's coarsest pixels, 16 of its finest; a multiple of 2."""
    generator_rate: float = 1.3e-4
    """Learning rate of the generator; falls to a tenth over the second half. A generator as fast as its discriminator
    dodges: the loss stays near log 2 and nothing is learned."""
    discriminator_rate: float = 2.5e-4
    """Learning rate of the discriminator, falling likewise."""
    gamma: float = 0.2
    """Weight of the R1 and R2 penalties."""
    drainage: float = 5.0
    """Weight of depressions deeper than real land's, in units of the local relief; of terrain-detail only."""
    penalty_every: int = 4
    """Steps between penalties, which are weighted by it (lazy regularisation)."""
    ema_half_life: float = 400.0
    """Steps in which the averaged generator forgets half."""
    sample_every: int = 1000
    """Steps between sample pictures."""
    seed: int = 0
    """Of the weights, the crops and the latents."""


SMOKE = TerrainConfig(steps=20, batch=2, cells=2, sample_every=10)
PRESETS = {
    "terrain-detail": {"standard": TerrainConfig(), "smoke": SMOKE},
    "terrain-coarse": {
        "standard": TerrainConfig(model="terrain-coarse", steps=8_000, batch=12, cells=6),
        "smoke": replace(SMOKE, model="terrain-coarse"),
    },
}


def read_config(folder: Path) -> TerrainConfig:
    """The options of an earlier run. Raises FileNotFoundError when the folder is no run."""
    path = folder / "config.toml"
    if not path.exists():
        raise FileNotFoundError(f"{folder} holds no config.toml; give the folder of a run that has started")
    return TerrainConfig(**tomllib.loads(path.read_text()))


def rate_decay(config: TerrainConfig, step: int) -> float:
    """Factor on the learning rates: one for the first half, then a straight line to a tenth."""
    return 0.1 + 0.9 * min(1.0, 2 * (1 - step / config.steps))


def drainage_share(step: int) -> float:
    """Factor on the weight of depressions."""
    first, last = DRAINAGE_STEPS
    return min(1.0, max(0.0, (step - first) / (last - first)))


def train(config: TerrainConfig, data_folder: Path, folder: Path, device: str = "auto", resume: bool = False) -> bool:
    """Train to `config.steps` and leave checkpoint.pt, stats.jsonl and samples/ in `folder`.

    Returns whether it got there; not when it was interrupted, in which case it can be resumed.

    Raises:
        FileNotFoundError: no data, or nothing to resume.
        FileExistsError: the folder holds a run and `resume` was not asked for.
        ValueError: the crops don't fit the data, the batch doesn't divide over the processes, or training diverged.
    """
    place = open_place(device)
    if config.steps < 1:
        raise ValueError(f"steps {config.steps}: at least 1")
    if config.batch % place.world:
        raise ValueError(f"a batch of {config.batch} doesn't divide over {place.world} processes")
    count = config.batch // place.world
    lesson: Lesson = LESSONS[config.model](data_folder, config.cells)

    torch.manual_seed(config.seed)
    generator, discriminator = lesson.networks()
    for network in (generator, discriminator):
        network.to(place.device).to(memory_format=torch.channels_last)
    average = copy.deepcopy(generator).requires_grad_(False)
    g_optimiser, d_optimiser = (torch.optim.Adam(n.parameters(), betas=(0.0, 0.99)) for n in (generator, discriminator))
    parts: dict[str, Any] = {
        "generator": generator, "average": average, "discriminator": discriminator,
        "g_optimiser": g_optimiser, "d_optimiser": d_optimiser,
    }  # fmt: skip
    start, earlier_s, commit = 0, 0.0, checkpoint.source_commit()
    if resume:
        state = checkpoint.load(folder, place.device)
        state.setdefault("generator", state["average"])
        for name, part in parts.items():
            if name in state:  # a condensed checkpoint has no optimisers
                part.load_state_dict(state[name])
        start, earlier_s = state["step"], state["wall_s"]
    elif (folder / checkpoint.NAME).exists():
        raise FileExistsError(f"{folder} already holds a run; add --resume to go on with it, or choose another --out")
    share_weights(place, generator, discriminator, average)
    if place.leads:
        (folder / "samples").mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text(to_toml(config))
        (folder / "data.json").write_text(json.dumps(lesson.describe(), indent=1))
        print(f"{lesson.about}, device {place.device}, {place.world} process(es), run {folder}", file=sys.stderr)

    samples = lesson.samples()
    random = torch.Generator(place.device)
    began = time.monotonic()

    def save(step: int) -> None:
        state = {name: part.state_dict() for name, part in parts.items()}
        wall_s = earlier_s + time.monotonic() - began
        about = {"step": step, "wall_s": wall_s, "device": str(place.device), "world": place.world, "commit": commit}
        checkpoint.save(folder, state | about)

    def view(land: Tensor, condition: Tensor) -> Tensor:
        dither = lesson.dither * torch.randn(land.shape, generator=random, device=place.device)
        seen: Tensor = discriminator.view(land + dither, condition)
        return seen

    with Run(folder, config.steps, leads=place.leads) as run:
        done = start
        for step in range(start, config.steps):
            # Every step draws from its own stream, so a resumed run sees what an unbroken one would have seen.
            drawn = lesson.draw(count, np.random.default_rng([config.seed, place.rank, step]))
            condition, real = (t.to(place.device) for t in drawn)
            random.manual_seed((config.seed * 1009 + place.rank) * 10_000_019 + step)
            lead = min(1.0, (step + 1) / DISCRIMINATOR_LEAD)
            g_optimiser.param_groups[0]["lr"] = config.generator_rate * rate_decay(config, step) * lead
            d_optimiser.param_groups[0]["lr"] = config.discriminator_rate * rate_decay(config, step)

            with torch.autocast(place.device.type, torch.bfloat16):
                fake = lesson.make(generator, condition, random)
                real_view, fake_view = view(real, condition), view(fake, condition)
                penalised = step % config.penalty_every == 0
                if penalised:
                    real_logits, r1 = gradient_penalty(discriminator, real_view)
                    fake_logits, r2 = gradient_penalty(discriminator, fake_view)
                    penalty = config.gamma / 2 * config.penalty_every * (r1 + r2)
                else:
                    real_logits, fake_logits = discriminator(torch.cat([real_view, fake_view.detach()])).chunk(2)
                    penalty = torch.zeros((), device=place.device)
                d_loss = discriminator_loss(real_logits.float(), fake_logits.float())
            d_optimiser.zero_grad()
            (d_loss + penalty).backward()
            average_gradients(place, discriminator.parameters())
            d_optimiser.step()

            discriminator.requires_grad_(False)
            with torch.autocast(place.device.type, torch.bfloat16):
                real_logits, fake_logits = discriminator(torch.cat([real_view, fake_view])).chunk(2)
                g_loss = generator_loss(real_logits.float(), fake_logits.float())
            dammed = lesson.excess(fake, real, condition, generator)
            g_optimiser.zero_grad()
            (g_loss + config.drainage * drainage_share(step) * dammed).backward()
            discriminator.requires_grad_(True)
            average_gradients(place, generator.parameters())
            g_optimiser.step()
            decay = 0.5 ** (1 / min(config.ema_half_life, step / 10 + 1))
            with torch.no_grad():
                for a, b in zip(average.parameters(), generator.parameters(), strict=True):
                    a.lerp_(b, 1 - decay)

            done = step + 1
            stats = {"d_loss": d_loss.item(), "g_loss": g_loss.item(), "dammed": dammed.item()}
            if any_rank(place, not all(math.isfinite(loss) for loss in stats.values())):
                raise ValueError(f"training diverged: {stats} at step {step}; the checkpoint is from before")
            if penalised:
                relief = float(
                    fake_view[:, 0].detach().std() / real_view[:, 0].std()
                )  # over the map, to the real one's
                stats |= {"r1": r1.item(), "r2": r2.item(), "relief": relief}
            if penalised or done == config.steps:
                run.report(step, stats)
            if done % AGREE_EVERY == 0 or done == config.steps:
                if not ranks_agree(place, generator, discriminator):
                    raise RuntimeError(f"the ranks' weights differ at step {step}; training stopped")
                if place.leads and place.world > 1:
                    print(f"step {done}: all {place.world} ranks agree", file=sys.stderr)
            if place.leads and done % config.sample_every == 0:
                write_samples(lesson, average, samples, folder / "samples" / f"{done:06d}.png", config.seed)
            if run.time_to_save() and place.leads:
                save(done)
            if any_rank(place, run.stop_asked):  # all stop at the same step, or one would wait for the others
                break
        if place.leads:
            save(done)
    close_place(place)
    return done == config.steps


def write_samples(lesson: Lesson, generator: Any, samples: tuple[Tensor, Tensor], path: Path, seed: int) -> None:
    """A grid of crops: real land, the generator's under the same condition, another latent's."""
    device = next(generator.parameters()).device
    condition, real = (t.to(device) for t in samples)
    random = torch.Generator(device).manual_seed(seed)
    with torch.no_grad():
        lands = [
            lesson.picture(land) for land in (real, *(lesson.make(generator, condition, random) for _ in range(2)))
        ]
    rows = [np.hstack(row) for row in zip(*lands, strict=True)]
    columns = [np.vstack(rows[: len(rows) // 2]), np.vstack(rows[len(rows) // 2 :])]
    Image.fromarray(np.hstack(columns)).save(path)
