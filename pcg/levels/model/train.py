"""Train a level model:  pcg train level-sokoban --data DIR --out runs/mine"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pcg.learning import checkpoint
from pcg.learning.devices import open_place
from pcg.learning.loop import Run, describe_run
from pcg.levels.corpus.custom import load_custom
from pcg.levels.corpus.data import Corpus, load_corpus
from pcg.levels.corpus.examples import Batch, Examples
from pcg.levels.corpus.games import find_game
from pcg.levels.model.context import Context
from pcg.levels.model.exact_lstm import ExactLSTM
from pcg.levels.model.exact_ngram import ExactNgram
from pcg.levels.model.networks import LevelNetwork
from pcg.levels.model.quantise import exact_logits, quantise
from pcg.levels.model.samples import sample_text
from pcg.levels.model.served import distance, ngram_of, too_few

HELD_OUT = 64  # levels for validation
GRADIENT_NORM = 1.0
CUSTOM_MODEL = "level-custom"  # trained on the levels of a custom game
WARM_UP = 100  # steps until the rate is full


@dataclass(frozen=True)
class LevelConfig:
    """Options of a level model's training run."""

    model: str = "level-sokoban"
    """The model to train."""
    steps: int = 6000
    """Steps of the optimiser, resumed ones included."""
    tokens: int = 8000
    """Tiles per step."""
    span: int = 640
    """Tiles in a training sequence; longer levels are cut."""
    seen: int = 96
    """Features of a tile's surroundings."""
    memory: int = 256
    """Cells of the LSTM."""
    rate: float = 4e-3
    """Learning rate, with a cosine schedule to zero."""
    weight_decay: float = 0.02
    """Of AdamW."""
    dropout: float = 0.1
    """Share of features and memory that is dropped."""
    sample_every: int = 500
    """Steps between sample levels and validations."""
    seed: int = 0
    """Of the weights and the batches."""
    served: str = "network"
    """What the model file holds: "network", "ngram", or "nearer", the one that comes nearer to held-out levels."""


STANDARD = {
    "level-platformer": LevelConfig(model="level-platformer", steps=4000, tokens=12_000, span=768),
    "level-sokoban": LevelConfig(),
    "level-dungeon": LevelConfig(model="level-dungeon", dropout=0.15),
    "level-runner": LevelConfig(model="level-runner", steps=3000, memory=192, dropout=0.3),
    CUSTOM_MODEL: LevelConfig(model=CUSTOM_MODEL, steps=2000, memory=192, dropout=0.3, served="nearer"),
}
PRESETS = {
    model: {
        "standard": config,
        "smoke": replace(config, steps=20, tokens=400, span=200, seen=16, memory=16, sample_every=10, served="network"),
        "small": replace(config, steps=150, tokens=2000, span=320, seen=48, memory=96, sample_every=75),
    }
    for model, config in STANDARD.items()
}
PRESETS[CUSTOM_MODEL] |= {name: replace(STANDARD[CUSTOM_MODEL], served=name) for name in ("network", "ngram")}


def rate_at(config: LevelConfig, step: int) -> float:
    """The learning rate of a step."""
    return config.rate * min(1.0, (step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / config.steps))


def loss_of(logits: Tensor, batch: Batch) -> Tensor:
    """The objective: mean cross-entropy in nats per tile, weighted; logits are (T, N, tiles)."""
    nats = F.cross_entropy(logits.flatten(0, 1), batch.tiles.flatten(), reduction="none")
    return (nats * batch.weight.flatten()).sum() / batch.weight.sum().clamp_min(1)


def new_network(config: LevelConfig, tiles: int, counts: int) -> LevelNetwork:
    """A network with new weights for an alphabet of so many tiles and counts."""
    return LevelNetwork(Context(tiles, counts).rows, tiles, config.seen, config.memory, config.dropout)


def measure_held_out(network: LevelNetwork, batch: Batch) -> dict[str, float]:
    """Nats per tile on held-out levels, of the network in floating point and of the quantised network."""
    network.eval()
    with torch.no_grad():
        trained = loss_of(network(batch.rows.to(network.table.weight.device)).cpu(), batch)
    exact = loss_of(exact_logits(quantise(network), batch.rows), batch)
    network.train()
    return {"held_out": float(trained), "exact": float(exact)}


def describe(corpus: Corpus) -> dict[str, Any]:
    """What the export needs to know about the data."""
    custom = corpus.game.custom
    return ({"legend": msgspec.to_builtins(custom.legend), "sides": corpus.game.sides} if custom else {}) | {
        "game": corpus.game.name,
        "tiles": corpus.alphabet.tiles,
        "counts": dict(corpus.alphabet.counts),
        "sources": corpus.sources(),
        "credits": corpus.credits(),
        "held_out": len(corpus.held_out),
        "refused": corpus.refused,
    }


def train(config: LevelConfig, data_folder: Path, folder: Path, device: str = "auto", resume: bool = False) -> bool:
    """Train to `config.steps`; write checkpoint.pt, stats.jsonl and samples/ into `folder`.

    Args:
        config: the options.
        data_folder: the folder of the corpora, or of the custom game.
        folder: the run's folder.
        device: "auto", "cpu" or "cuda".
        resume: continue the run in `folder`.

    Returns:
        Whether all steps are done; False if the run was interrupted and can be resumed.

    Raises:
        FileNotFoundError: no data, or nothing to resume.
        FileExistsError: the folder holds a run, and `resume` is False.
        ValueError: no levels to train on, several processes, or training diverged.
    """
    place = open_place(device)
    if place.world > 1:
        raise ValueError("a level model is trained in one process; leave out torchrun")
    if config.steps < 1:
        raise ValueError(f"steps {config.steps}: at least 1")
    custom = config.model == CUSTOM_MODEL
    corpus = (
        load_custom(data_folder) if custom else load_corpus(data_folder, find_game(config.model.removeprefix("level-")))
    )
    examples = Examples(corpus, corpus.training, config.span)
    held_out = Examples(corpus, corpus.held_out or corpus.training, config.span).whole(HELD_OUT)

    torch.manual_seed(config.seed)
    network = new_network(config, len(corpus.alphabet.tiles), len(corpus.alphabet.counts)).to(place.device)
    optimiser = torch.optim.AdamW(network.parameters(), betas=(0.9, 0.99), weight_decay=config.weight_decay)
    start, earlier_s, commit = 0, 0.0, checkpoint.source_commit()
    # A network overfits a corpus of a few hundred levels, so the export takes the weights with the best validation.
    best: dict[str, Any] = {"step": 0, "held_out": math.inf}
    if (state := checkpoint.open_state(folder, place.device, resume)) is not None:
        network.load_state_dict(state["network"])
        if "optimiser" in state:
            optimiser.load_state_dict(state["optimiser"])
        start, earlier_s = state["step"], state["wall_s"]
        best = state.get("best", best)
    describe_run(folder, config, describe(corpus))
    print(
        f"{len(corpus.training)} levels, {len(corpus.held_out)} held out, {corpus.refused} without a clear licence, "
        f"device {place.device}, run {folder}",
        file=sys.stderr,
    )
    began = time.monotonic()

    def save(step: int, ngram: ExactNgram | None = None) -> None:
        about = {"step": step, "wall_s": earlier_s + time.monotonic() - began, "device": str(place.device)}
        parts = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "best": best}
        served = {} if ngram is None else {"ngram": ngram.state_dict()}
        checkpoint.save(folder, {**parts, **served, **about, "world": 1, "commit": commit})

    if config.served == "ngram" or (config.served == "nearer" and too_few(corpus)):
        if config.served == "nearer":
            print(
                f"{len(corpus.training)} levels are too few for a network: the model is their n-gram. "
                "--preset network trains one all the same",
                file=sys.stderr,
            )
        ngram = ngram_of(corpus)
        (folder / "samples" / "000000.txt").write_text(sample_text(ngram, corpus, config.seed), encoding="utf-8")
        save(0, ngram)
        return True
    with Run(folder, config.steps, leads=True) as run:
        done = start
        for step in range(start, config.steps):
            # Every step has its own random stream, so a resumed run gets the same batches as an uninterrupted one.
            batch = examples.draw(config.tokens, np.random.default_rng([config.seed, step])).to(place.device)
            torch.manual_seed(config.seed * 10_000_019 + step)  # for dropout
            optimiser.param_groups[0]["lr"] = rate_at(config, step)
            with torch.autocast(place.device.type, torch.bfloat16):
                logits = network(batch.rows)
            loss = loss_of(logits.float(), batch)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_NORM)
            optimiser.step()
            done = step + 1
            stats = {"loss": loss.item()}
            if not math.isfinite(stats["loss"]):
                raise ValueError(f"training diverged: {stats} at step {step}; the checkpoint is of an earlier step")
            if done % config.sample_every == 0 or done == config.steps:
                stats |= measure_held_out(network, held_out)
                if stats["held_out"] < best["held_out"]:
                    weights = {name: weight.clone() for name, weight in network.state_dict().items()}
                    best = {"step": done, "held_out": stats["held_out"], "network": weights}
                text = sample_text(quantise(network), corpus, config.seed)
                (folder / "samples" / f"{done:06d}.txt").write_text(text, encoding="utf-8")
            run.report(step, stats)
            if run.time_to_save():
                save(done)
            if run.stop_asked:
                break
        if done == config.steps and config.served == "nearer":
            network.load_state_dict(best.get("network", network.state_dict()))
            save(done, nearer_ngram(quantise(network.cpu().eval()), corpus))
        else:
            save(done)
    return done == config.steps


def nearer_ngram(network: ExactLSTM, corpus: Corpus) -> ExactNgram | None:
    """The n-gram if its levels are nearer to the held-out levels than the network's, else None; prints both."""
    ngram = ngram_of(corpus)
    far = {"network": distance(network, corpus), "n-gram": distance(ngram, corpus)}
    nearer = min(far, key=lambda name: far[name])
    told = ", ".join(f"{name} {nats:.3f} nats" for name, nats in far.items())
    print(f"patterns of held-out levels: {told}; the model is the {nearer}", file=sys.stderr)
    return ngram if nearer == "n-gram" else None
