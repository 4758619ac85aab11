"""Chooses what a custom game's model file holds: the network or the n-gram, whichever is nearer to held-out levels.

With less than about fifty levels it is the n-gram (docs/custom-games.md has the figures), and no network is trained:
too few levels are held out to compare on. With more levels, both generate levels of the held-out levels' sizes, and the
small patterns are compared.
"""

from __future__ import annotations

import torch

from pcg.levels.corpus.data import Corpus, encode
from pcg.levels.corpus.repaired import learnable
from pcg.levels.evaluation.novelty import images
from pcg.levels.evaluation.patterns import SIDES, Tiles, divergences
from pcg.levels.model.exact_lstm import TileModel
from pcg.levels.model.exact_ngram import ExactNgram, exact_ngram
from pcg.levels.model.sampler import make_sampler
from runtime.content.levels.rules import goals_of, starts_of

ENOUGH = 5  # held-out levels, a tenth of all, to compare on
MOST = 24  # held-out levels that are compared


def too_few(corpus: Corpus) -> bool:
    """Whether a corpus has too few levels to train a network and to compare on."""
    return len(corpus.held_out) < ENOUGH


def ngram_of(corpus: Corpus) -> ExactNgram:
    """The n-gram of the training levels and of their valid mirror images.

    Raises:
        ValueError: the game has too many tiles.
    """
    game, alphabet = corpus.game, corpus.alphabet
    learned = [rows for level in corpus.training if (rows := learnable(game, level.rows)) is not None]
    levels = [image for rows in learned for image in images(encode(rows, alphabet).astype("u1"), game.symmetry)]
    return exact_ngram(levels, len(alphabet.tiles), len(alphabet.counts), by_columns=game.by_columns)


def distance(exact: TileModel, corpus: Corpus) -> float:
    """How far generated levels are from the held-out levels: the mean divergence of 2x2, 3x3 and 4x4 patterns, in nats.

    Generates one level for each held-out level, of its size and with its number of starts and goals.
    """
    alphabet, game = corpus.alphabet, corpus.game
    real = [encode(level.rows, alphabet).astype("u1") for level in corpus.held_out[:MOST]]
    sampler = make_sampler(exact, alphabet, by_columns=game.by_columns, joined=game.joined, due=game.due)
    ends = [kind in (starts_of(game.rules), goals_of(game.rules)) for kind in alphabet.counts.values()]
    generated: list[Tiles] = []
    for seed, level in enumerate(real):
        height, width = level.shape
        told = [
            sum(char in kind for row in corpus.held_out[seed].rows for char in row) if end else -1
            for kind, end in zip(alphabet.counts.values(), ends, strict=True)
        ]
        with torch.inference_mode():
            made = sampler(
                torch.tensor([seed]),
                torch.tensor([0]),
                width,
                height,
                torch.tensor([-1]),
                torch.tensor([told]),
                torch.full((1, height, width), -1),
                game.temperature,
                0,
            )
        generated.append(made[0].numpy())
    found = divergences(generated, real)
    return sum(found.values()) / len(SIDES)
