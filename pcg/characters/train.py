"""Train the character models:  pcg train character-front --data DIR --out runs/fronts

One readable function for all of them; a lesson says what is taught. On a GPU: --device cuda. On several:
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

from pcg.characters.grading import Lesson
from pcg.characters.lessons import LESSONS
from pcg.learning import checkpoint
from pcg.learning.adversarial import discriminator_loss, generator_loss, gradient_penalty
from pcg.learning.devices import any_rank, average_gradients, close_place, open_place, ranks_agree, share_weights
from pcg.learning.loop import Run, to_toml

AGREE_EVERY = 200  # steps between checks that the ranks hold the same weights


@dataclass(frozen=True)
class CharacterConfig:
    """Options of a character training run."""

    model: str = "character-front"
    """Which of the models is trained."""
    steps: int = 30_000
    """Steps of the optimisers, over all resumes."""
    batch: int = 32
    """Characters a step, over all processes."""
    generator_rate: float = 4e-4
    """Learning rate of the generator while it copies drawings; falls to a tenth over the second half."""
    discriminator_rate: float = 2.5e-4
    """Learning rate of the discriminator, falling likewise."""
    adversarial: float = 0.1
    """Weight of the adversarial loss beside the supervised one."""
    adversarial_from: int = 1000
    """Steps of copying alone: what is judged then already looks like something."""
    gamma: float = 0.2
    """Weight of the R1 and R2 penalties."""
    penalty_every: int = 4
    """Steps between penalties, which are weighted by it (lazy regularisation)."""
    ema_half_life: float = 400.0
    """Steps in which the averaged generator forgets half."""
    sample_every: int = 500
    """Steps between sample pictures."""
    seed: int = 0
    """Of the weights, the outfits and the blends."""


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


def read_config(folder: Path) -> CharacterConfig:
    """The options of an earlier run. Raises FileNotFoundError when the folder is no run."""
    path = folder / "config.toml"
    if not path.exists():
        raise FileNotFoundError(f"{folder} holds no config.toml; give the folder of a run that has started")
    return CharacterConfig(**tomllib.loads(path.read_text()))


def rate_decay(config: CharacterConfig, step: int) -> float:
    """Factor on the learning rates: one for the first half, then a straight line to a tenth."""
    return 0.1 + 0.9 * min(1.0, 2 * (1 - step / config.steps))


def train(config: CharacterConfig, data_folder: Path, folder: Path, device: str = "auto", resume: bool = False) -> bool:
    """Train to `config.steps` and leave checkpoint.pt, stats.jsonl and samples/ in `folder`.

    Returns whether it got there; not when it was interrupted, in which case it can be resumed.

    Raises:
        FileNotFoundError: no data, or nothing to resume.
        FileExistsError: the folder holds a run and `resume` was not asked for.
        ValueError: the batch doesn't divide over the processes, or training diverged.
    """
    place = open_place(device)
    if config.steps < 1:
        raise ValueError(f"steps {config.steps}: at least 1")
    if config.batch % place.world:
        raise ValueError(f"a batch of {config.batch} doesn't divide over {place.world} processes")
    count = config.batch // place.world
    lesson: Lesson = LESSONS[config.model](data_folder)

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
    random = torch.Generator(place.device)
    began = time.monotonic()

    def save(step: int) -> None:
        state = {name: part.state_dict() for name, part in parts.items()}
        wall_s = earlier_s + time.monotonic() - began
        about = {"step": step, "wall_s": wall_s, "device": str(place.device), "world": place.world, "commit": commit}
        checkpoint.save(folder, state | about)

    with Run(folder, config.steps, leads=place.leads) as run:
        done = start
        for step in range(start, config.steps):
            # Every step draws from its own stream, so a resumed run sees what an unbroken one would have seen.
            drawn = lesson.draw(count, np.random.default_rng([config.seed, place.rank, step]))
            batch = {name: tensor.to(place.device) for name, tensor in drawn.items()}
            random.manual_seed((config.seed * 1009 + place.rank) * 10_000_019 + step)
            g_optimiser.param_groups[0]["lr"] = config.generator_rate * rate_decay(config, step)
            d_optimiser.param_groups[0]["lr"] = config.discriminator_rate * rate_decay(config, step)
            judged = step >= config.adversarial_from

            with torch.autocast(place.device.type, torch.bfloat16):
                play = lesson.play(generator, batch, random)
            loss, stats = play.supervised, {"supervised": play.supervised.item(), **play.stats}
            if judged:
                penalised = step % config.penalty_every == 0

                def judge(view: torch.Tensor, condition: torch.Tensor = play.condition) -> torch.Tensor:
                    logits: torch.Tensor = discriminator(view, condition)
                    return logits

                with torch.autocast(place.device.type, torch.bfloat16):
                    if penalised:
                        real_logits, r1 = gradient_penalty(judge, play.real)
                        fake_logits, r2 = gradient_penalty(judge, play.fake)
                        penalty = config.gamma / 2 * config.penalty_every * (r1 + r2)
                        stats |= {"r1": r1.item(), "r2": r2.item()}
                    else:
                        real_logits, fake_logits = judge(play.real), judge(play.fake.detach())
                        penalty = torch.zeros((), device=place.device)
                    d_loss = discriminator_loss(real_logits.float(), fake_logits.float())
                d_optimiser.zero_grad()
                (d_loss + penalty).backward()
                average_gradients(place, discriminator.parameters())
                d_optimiser.step()

                discriminator.requires_grad_(False)
                with torch.autocast(place.device.type, torch.bfloat16):
                    g_loss = generator_loss(judge(play.real).float(), judge(play.fake).float())
                loss = loss + config.adversarial * g_loss
                stats |= {"d_loss": d_loss.item(), "g_loss": g_loss.item()}
            g_optimiser.zero_grad()
            loss.backward()
            discriminator.requires_grad_(True)
            average_gradients(place, generator.parameters())
            g_optimiser.step()
            decay = 0.5 ** (1 / min(config.ema_half_life, step / 10 + 1))
            with torch.no_grad():
                for a, b in zip(average.parameters(), generator.parameters(), strict=True):
                    a.lerp_(b, 1 - decay)

            done = step + 1
            if any_rank(place, not all(math.isfinite(value) for value in stats.values())):
                raise ValueError(f"training diverged: {stats} at step {step}; the checkpoint is from before")
            run.report(step, stats)
            if done % AGREE_EVERY == 0 or done == config.steps:
                if not ranks_agree(place, generator, discriminator):
                    raise RuntimeError(f"the ranks' weights differ at step {step}; training stopped")
                if place.leads and place.world > 1:
                    print(f"step {done}: all {place.world} ranks agree", file=sys.stderr)
            if place.leads and done % config.sample_every == 0:
                picture = lesson.picture(average, place.device)
                Image.fromarray(picture).save(folder / "samples" / f"{done:06d}.png")
            if run.time_to_save() and place.leads:
                save(done)
            if any_rank(place, run.stop_asked):  # all stop at the same step, or one would wait for the others
                break
        if place.leads:
            save(done)
    close_place(place)
    return done == config.steps
