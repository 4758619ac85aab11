"""Train a generator against a discriminator: the networks with their optimisers, a step of each, and the loop.

Each family of models brings an objective, which has the networks and the data, and a function that does one step.
On a GPU: --device cuda. On several: torchrun --nproc-per-node N -m pcg.cli train ...
"""

from __future__ import annotations

import copy
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pcg.learning import checkpoint
from pcg.learning.adversarial import discriminator_loss, generator_loss, gradient_penalty
from pcg.learning.devices import (
    Place,
    any_rank,
    average_gradients,
    close_place,
    open_place,
    ranks_agree,
    share_weights,
)
from pcg.learning.loop import Run, describe_run

AGREE_EVERY = 200  # steps between checks that the ranks hold the same weights
Critic = Callable[[Tensor], Tensor]  # views, what the discriminator sees (N, ...), to logits (N,)


@dataclass(frozen=True, kw_only=True)
class GanConfig:
    """Options that all adversarial trainings have."""

    model: str
    """Name of the model."""
    steps: int
    """Steps of the optimisers, over all resumes."""
    batch: int
    """Samples a step, over all processes."""
    generator_rate: float
    """Learning rate of the generator; falls to a tenth over the second half."""
    discriminator_rate: float = 2.5e-4
    """Learning rate of the discriminator; falls in the same way."""
    gamma: float = 0.2
    """Weight of the R1 and R2 penalties."""
    penalty_every: int = 4
    """Steps between penalties; the penalty is multiplied by this number (lazy regularisation)."""
    ema_half_life: float = 400.0
    """Half-life of the averaged generator (EMA), in steps."""
    sample_every: int
    """Steps between sample pictures."""
    seed: int = 0
    """Seed of the weights and of all random draws."""


def rate_decay(config: GanConfig, step: int) -> float:
    """Factor on the learning rates: 1 for the first half of the steps, then linear to 0.1."""
    return 0.1 + 0.9 * min(1.0, 2 * (1 - step / config.steps))


class Objective(Protocol):
    """What one model is trained on: its networks and its data."""

    about: str
    """A short description of the data, for the log."""

    def networks(self) -> tuple[Any, Any]:
        """A new generator and a new discriminator."""

    def describe(self) -> dict[str, Any]:
        """The facts about the data that the exported model needs; written to data.json."""

    def picture(self, generator: Any, device: torch.device) -> NDArray[np.uint8]:
        """A picture of samples beside real ones: grey (H, W) or RGB (H, W, 3)."""


class Gan:
    """Generator, its exponential moving average (EMA), discriminator and optimisers, on the device of this process."""

    def __init__(self, config: GanConfig, networks: tuple[Any, Any], place: Place) -> None:
        self.config, self.place = config, place
        self.generator, self.discriminator = (
            n.to(place.device).to(memory_format=torch.channels_last) for n in networks
        )
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.g_optimiser, self.d_optimiser = (
            torch.optim.Adam(n.parameters(), betas=(0.0, 0.99)) for n in (self.generator, self.discriminator)
        )

    @property
    def count(self) -> int:
        """Samples a step in this process."""
        return self.config.batch // self.place.world

    def _parts(self) -> dict[str, Any]:
        return {
            "generator": self.generator,
            "average": self.average,
            "discriminator": self.discriminator,
            "g_optimiser": self.g_optimiser,
            "d_optimiser": self.d_optimiser,
        }

    def state_dict(self) -> dict[str, Any]:
        """The state that a resumed training starts from."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load a whole or a condensed checkpoint.

        A condensed checkpoint has no optimisers, which then start anew, and only the averaged generator, which is then
        also the generator. A checkpoint without a discriminator leaves the new one as it is.
        """
        state = {"generator": state["average"], **state}
        for name, part in self._parts().items():
            if name in state:
                part.load_state_dict(state[name])

    def set_rates(self, step: int, lead: float = 1.0) -> None:
        """Set the learning rates of a step; `lead` is a further factor on the generator's."""
        decay = rate_decay(self.config, step)
        self.g_optimiser.param_groups[0]["lr"] = self.config.generator_rate * decay * lead
        self.d_optimiser.param_groups[0]["lr"] = self.config.discriminator_rate * decay

    def autocast(self) -> torch.autocast:
        """A context in which convolutions and matrix products run in bfloat16."""
        return torch.autocast(self.place.device.type, torch.bfloat16)

    def penalised(self, step: int) -> bool:
        """Whether this step computes the gradient penalties."""
        return step % self.config.penalty_every == 0

    def train_discriminator(self, step: int, critic: Critic, real: Tensor, fake: Tensor) -> dict[str, float]:
        """Do one optimiser step of the discriminator.

        Args:
            step: the number of the step.
            critic: calls the discriminator: views (N, ...) to logits (N,).
            real, fake: views (N, ...) of real and of generated samples.

        Returns:
            Statistics for the log: the loss, and the penalties at the steps that compute them.
        """
        stats: dict[str, float] = {}
        with self.autocast():
            if self.penalised(step):
                real_logits, r1 = gradient_penalty(critic, real)
                fake_logits, r2 = gradient_penalty(critic, fake)
                penalty = self.config.gamma / 2 * self.config.penalty_every * (r1 + r2)
                stats = {"r1": r1.item(), "r2": r2.item()}
            else:
                real_logits, fake_logits = critic(real.detach()), critic(fake.detach())
                penalty = torch.zeros((), device=self.place.device)
            loss = discriminator_loss(real_logits.float(), fake_logits.float())
        self.d_optimiser.zero_grad()
        (loss + penalty).backward()
        average_gradients(self.place, self.discriminator.parameters())
        self.d_optimiser.step()
        return {"d_loss": loss.item(), **stats}

    def generator_loss(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """The adversarial loss of the generator, with no gradient for the discriminator's weights.

        Arguments as of train_discriminator.
        """
        self.discriminator.requires_grad_(False)
        with self.autocast():
            loss = generator_loss(critic(real).float(), critic(fake).float())
        self.discriminator.requires_grad_(True)
        return loss

    def train_generator(self, step: int, loss: Tensor) -> None:
        """Do one optimiser step of the generator, and update its average."""
        self.g_optimiser.zero_grad()
        loss.backward()
        average_gradients(self.place, self.generator.parameters())
        self.g_optimiser.step()
        keep = 0.5 ** (1 / min(self.config.ema_half_life, step / 10 + 1))
        with torch.no_grad():
            for a, b in zip(self.average.parameters(), self.generator.parameters(), strict=True):
                a.lerp_(b, 1 - keep)


AnObjective = TypeVar("AnObjective", bound=Objective)
TrainStep = Callable[[Gan, AnObjective, int, np.random.Generator, torch.Generator], dict[str, float]]


def train_gan(
    config: GanConfig,
    open_objective: Callable[[], AnObjective],
    train_step: TrainStep[AnObjective],
    folder: Path,
    device: str,
    resume: bool,
) -> bool:
    """Train to `config.steps`, and write checkpoint.pt, stats.jsonl and samples/ to `folder`.

    Args:
        config: the options of the run.
        open_objective: reads the data; called once.
        train_step: does one step of both networks, with a batch that it draws from the objective; returns the step's
            statistics.
        folder: of the run; created if it does not exist.
        device: auto, cpu, cuda or cuda:N.
        resume: go on from the checkpoint in `folder`.

    Returns:
        True when all steps are done; False when the training was interrupted. It can then be resumed.

    Raises:
        FileNotFoundError: there is no data, or no checkpoint to resume from.
        FileExistsError: the folder holds a run and `resume` was not asked for.
        ValueError: the data is too small, the batch is no multiple of the number of processes, or the
            training diverged.
    """
    place = open_place(device)
    if config.steps < 1:
        raise ValueError(f"steps {config.steps}: at least 1")
    if config.batch % place.world:
        raise ValueError(f"a batch of {config.batch} doesn't divide over {place.world} processes")
    objective = open_objective()
    torch.manual_seed(config.seed)
    gan = Gan(config, objective.networks(), place)
    start, earlier_s, commit = 0, 0.0, checkpoint.source_commit()
    if (state := checkpoint.open_state(folder, place.device, resume)) is not None:
        gan.load_state_dict(state)
        start, earlier_s = state["step"], state["wall_s"]
    share_weights(place, gan.generator, gan.discriminator, gan.average)
    if place.leads:
        describe_run(folder, config, objective.describe())
        print(f"{objective.about}, device {place.device}, {place.world} process(es), run {folder}", file=sys.stderr)
    random = torch.Generator(place.device)
    began = time.monotonic()

    def save(step: int) -> None:
        wall_s = earlier_s + time.monotonic() - began
        about = {"step": step, "wall_s": wall_s, "device": str(place.device), "world": place.world, "commit": commit}
        checkpoint.save(folder, gan.state_dict() | about)

    with Run(folder, config.steps, leads=place.leads) as run:
        done = start
        for step in range(start, config.steps):
            # Every step draws from its own stream, so a resumed run sees what an unbroken one would have seen.
            random.manual_seed((config.seed * 1009 + place.rank) * 10_000_019 + step)
            stats = train_step(gan, objective, step, np.random.default_rng([config.seed, place.rank, step]), random)
            done = step + 1
            if any_rank(place, not all(math.isfinite(value) for value in stats.values())):
                raise ValueError(f"training diverged: {stats} at step {step}; the checkpoint is from before")
            if gan.penalised(step) or done == config.steps:  # these steps have all statistics
                run.report(step, stats)
            if done % AGREE_EVERY == 0 or done == config.steps:
                if not ranks_agree(place, gan.generator, gan.discriminator):
                    raise RuntimeError(f"the ranks' weights differ at step {step}; training stopped")
                if place.leads and place.world > 1:
                    print(f"step {done}: all {place.world} ranks agree", file=sys.stderr)
            if place.leads and done % config.sample_every == 0:
                with torch.no_grad():
                    picture = objective.picture(gan.average, place.device)
                Image.fromarray(picture).save(folder / "samples" / f"{done:06d}.png")
            if run.time_to_save() and place.leads:
                save(done)
            if any_rank(place, run.stop_asked):  # all stop at the same step, or one would wait for the others
                break
        if place.leads:
            save(done)
    close_place(place)
    return done == config.steps
