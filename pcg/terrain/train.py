"""Train the terrain GAN:  pcg train terrain-detail --data DIR --steps 20000 --out runs/mine

One readable function. On a GPU: --device cuda. On several: torchrun --nproc-per-node N -m pcg.cli train ...
"""

from __future__ import annotations

import copy
import json
import math
import sys
import time
import tomllib
from dataclasses import dataclass
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
from pcg.terrain import data
from pcg.terrain.networks import Discriminator, Generator
from pcg.writers.heightmap import hillshade

DITHER_M = 0.3  # the DEMs are whole metres: noise on both sides hides the steps from the discriminator
AGREE_EVERY = 200  # steps between checks that the ranks hold the same weights


@dataclass(frozen=True)
class TerrainConfig:
    """Options of a terrain training run."""

    steps: int = 20_000
    """Steps of the optimisers, over all resumes."""
    batch: int = 16
    """Crops a step, over all processes."""
    cells: int = 6
    """Side of a crop in control cells of 16 pixels; a multiple of 2."""
    generator_rate: float = 3e-4
    """Learning rate of the generator; falls to a tenth over the second half."""
    discriminator_rate: float = 1.5e-4
    """Learning rate of the discriminator, falling likewise."""
    gamma: float = 4.0
    """Weight of the R1 and R2 penalties."""
    penalty_every: int = 4
    """Steps between penalties, which are weighted by it (lazy regularisation)."""
    ema_half_life: float = 400.0
    """Steps in which the averaged generator forgets half."""
    sample_every: int = 1000
    """Steps between sample pictures."""
    seed: int = 0
    """Of the weights, the crops and the latents."""


PRESETS = {
    "standard": TerrainConfig(),
    "smoke": TerrainConfig(steps=20, batch=2, cells=2, sample_every=10),
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
    regions = data.fitting(data.load_regions(data_folder), config.cells)

    torch.manual_seed(config.seed)
    generator, discriminator = Generator(), Discriminator(config.cells * data.PIXELS_PER_CELL)
    for network in (generator, discriminator):
        network.to(place.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = copy.deepcopy(generator).requires_grad_(False)
    g_optimiser, d_optimiser = (torch.optim.Adam(n.parameters(), betas=(0.0, 0.99)) for n in (generator, discriminator))
    parts: dict[str, Any] = {
        "generator": generator, "average": average, "discriminator": discriminator,
        "g_optimiser": g_optimiser, "d_optimiser": d_optimiser,
    }  # fmt: skip
    start, earlier_s, commit = 0, 0.0, checkpoint.source_commit()
    if resume:
        state = checkpoint.load(folder, place.device)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        start, earlier_s = state["step"], state["wall_s"]
    elif (folder / checkpoint.NAME).exists():
        raise FileExistsError(f"{folder} already holds a run; add --resume to go on with it, or choose another --out")
    share_weights(place, generator, discriminator, average)
    if place.leads:
        (folder / "samples").mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text(to_toml(config))
        (folder / "data.json").write_text(json.dumps(describe_data(regions), indent=1))
        print(
            f"{len(regions)} regions, device {place.device}, {place.world} process(es), run {folder}", file=sys.stderr
        )

    samples = draw_samples(regions, config.cells)
    random = torch.Generator(place.device)
    began = time.monotonic()

    def save(step: int) -> None:
        state = {name: part.state_dict() for name, part in parts.items()}
        wall_s = earlier_s + time.monotonic() - began
        about = {"step": step, "wall_s": wall_s, "device": str(place.device), "world": place.world, "commit": commit}
        checkpoint.save(folder, state | about)

    def dithered(heights: Tensor) -> Tensor:
        return heights + DITHER_M * torch.randn(heights.shape, generator=random, device=place.device)

    with Run(folder, config.steps, leads=place.leads) as run:
        done = start
        for step in range(start, config.steps):
            # Every step draws from its own stream, so a resumed run sees what an unbroken one would have seen.
            batch = data.draw_batch(
                regions, config.cells, count, np.random.default_rng([config.seed, place.rank, step])
            )
            random.manual_seed((config.seed * 1009 + place.rank) * 10_000_019 + step)
            control = torch.from_numpy(batch.control).to(place.device)
            heights = torch.from_numpy(batch.heights).to(place.device)
            g_optimiser.param_groups[0]["lr"] = config.generator_rate * rate_decay(config, step)
            d_optimiser.param_groups[0]["lr"] = config.discriminator_rate * rate_decay(config, step)

            with torch.autocast(place.device.type, torch.bfloat16):
                with torch.no_grad():
                    fake = generator(control, generator.draw_latents(count, config.cells, random))
                real_view = discriminator.view(dithered(heights), control)
                fake_view = discriminator.view(dithered(fake), control)
                penalised = step % config.penalty_every == 0
                if penalised:
                    real_logits, r1 = gradient_penalty(discriminator, real_view)
                    fake_logits, r2 = gradient_penalty(discriminator, fake_view)
                    penalty = config.gamma / 2 * config.penalty_every * (r1 + r2)
                else:
                    real_logits, fake_logits = discriminator(torch.cat([real_view, fake_view])).chunk(2)
                    penalty = torch.zeros((), device=place.device)
                d_loss = discriminator_loss(real_logits.float(), fake_logits.float())
            d_optimiser.zero_grad()
            (d_loss + penalty).backward()
            average_gradients(place, discriminator.parameters())
            d_optimiser.step()

            with torch.autocast(place.device.type, torch.bfloat16):
                fake = generator(control, generator.draw_latents(count, config.cells, random))
                fake_view = discriminator.view(dithered(fake), control)
                discriminator.requires_grad_(False)
                g_loss = generator_loss(discriminator(real_view).float(), discriminator(fake_view).float())
            g_optimiser.zero_grad()
            g_loss.backward()
            discriminator.requires_grad_(True)
            average_gradients(place, generator.parameters())
            g_optimiser.step()
            decay = 0.5 ** (1 / min(config.ema_half_life, step / 10 + 1))
            with torch.no_grad():
                for a, b in zip(average.parameters(), generator.parameters(), strict=True):
                    a.lerp_(b, 1 - decay)

            done = step + 1
            stats = {"d_loss": d_loss.item(), "g_loss": g_loss.item()}
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
                write_samples(average, samples, folder / "samples" / f"{done:06d}.png", config.seed)
            if run.time_to_save() and place.leads:
                save(done)
            if any_rank(place, run.stop_asked):  # all stop at the same step, or one would wait for the others
                break
        if place.leads:
            save(done)
    close_place(place)
    return done == config.steps


def describe_data(regions: list[data.Region]) -> dict[str, Any]:
    """What the exported model has to know of its data: sources for the card, heights for the control map."""
    return {
        "regions": {r.name: {"licence": r.licence, "pixels": int(r.bad.size)} for r in regions},
        "control_quantiles_m": data.control_quantiles(regions).tolist(),
    }


def draw_samples(regions: list[data.Region], cells: int) -> data.Batch:
    """Six fixed crops for the sample pictures, 256 pixels a side if the data has such, else as large as training's.

    Raises:
        ValueError: no usable crop of the training's size.
    """
    for size in (16, 12, 8):
        if size > cells:
            try:
                return data.draw_batch(data.fitting(regions, size), size, 6, np.random.default_rng(1))
            except ValueError:
                continue  # too small, or voids in every crop of that size
    return data.draw_batch(regions, cells, 6, np.random.default_rng(1))


def write_samples(generator: Generator, batch: data.Batch, path: Path, seed: int) -> None:
    """A hillshade grid of crops: real land, the generator's from the same control map, another latent's."""
    cells = batch.control.shape[1] - 2 * data.MARGIN_CELLS
    control = torch.from_numpy(batch.control).to(generator.amplitude_levels.device)
    random = torch.Generator(control.device).manual_seed(seed)
    with torch.no_grad():
        lands = [batch.heights] + [
            generator(control, generator.draw_latents(len(control), cells, random)).cpu().numpy() for _ in range(2)
        ]
    rows = [np.hstack([hillshade(land[i], data.METRES_PER_PIXEL, 2.0) for land in lands]) for i in range(len(control))]
    columns = [np.vstack(rows[: len(rows) // 2]), np.vstack(rows[len(rows) // 2 :])]
    Image.fromarray(np.hstack(columns)).save(path)
