"""Sample levels of a training run, as text."""

from __future__ import annotations

from itertools import zip_longest

import numpy as np
import torch
from numpy.typing import NDArray

from pcg.levels.corpus.data import Corpus, Level, decode
from pcg.levels.model.exact_lstm import TileModel
from pcg.levels.model.sampler import make_sampler

SAMPLES = 8


def sample_text(exact: TileModel, corpus: Corpus, seed: int) -> str:
    """Generated levels with the size and the counts of a training level of median height, next to that level."""
    alphabet, game = corpus.alphabet, corpus.game
    by_size = sorted((level for level in corpus.training if fits(level, corpus)), key=lambda level: len(level.rows))
    real = by_size[len(by_size) // 2]
    height, width = len(real.rows), len(real.rows[0])
    sampler = make_sampler(exact, alphabet, by_columns=game.by_columns, joined=game.joined, due=game.due)
    counted = [sum(char in kind for row in real.rows for char in row) for kind in alphabet.counts.values()]
    made = sampler(
        torch.full((SAMPLES,), seed),
        torch.arange(SAMPLES),
        width,
        height,
        torch.linspace(0, 100, SAMPLES).round().long(),
        torch.tensor([counted]).repeat(SAMPLES, 1),
        torch.full((SAMPLES, height, width), -1),
        100,
        0,
    )
    levels: list[NDArray[np.uint8]] = list(made.numpy())
    shown = [list(real.rows), *(decode(level, alphabet) for level in levels)]
    across = max(1, 120 // (width + 2))
    text = f"the first is {real.name} of {real.corpus}; then from easy to hard\n"
    for first in range(0, len(shown), across):
        text += "\n".join("  ".join(parts) for parts in zip_longest(*shown[first : first + across])) + "\n\n"
    return text


def fits(level: Level, corpus: Corpus) -> bool:
    """Whether a level is no larger than the largest generated level."""
    (_, width), (_, height) = corpus.game.sides
    return len(level.rows) <= height and len(level.rows[0]) <= width
