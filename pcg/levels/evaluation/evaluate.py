"""Measures how similar a level model's levels are to human-made levels, and how new they are.

For each held-out level the model generates one of its size, with no other condition: raw, as the network generates it,
and as levels.generate returns it. Both are compared with the held-out levels. The floor of a metric is its value for as
many training levels of similar size.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from pcg.levels.corpus.custom import load_custom
from pcg.levels.corpus.data import Corpus, decode, encode, load_corpus
from pcg.levels.corpus.games import Alphabet, LevelGame, find_game
from pcg.levels.corpus.repaired import learnable
from pcg.levels.evaluation.generator import LevelGenerator
from pcg.levels.evaluation.ngram import Ngram, noise
from pcg.levels.evaluation.novelty import copied_runs, nearer, nearest, piece_of
from pcg.levels.evaluation.patterns import SIDES, Tiles, divergences
from pcg.progress import progress
from runtime.card import Quality
from runtime.registry import ModelFile, Registry

MOST = 400  # held-out levels at most
NEAR = 0.05  # near copies are as near to training as this share of the held-out levels
BATCH, THREADS = 64, 2  # levels per batch, and threads, in the measurement of speed


def evaluate_level(registry: Registry, name: str, data: Path, most: int = MOST) -> list[Quality]:
    """Measure a level model against held-out levels of a data folder, at most `most` of them.

    Raises:
        FileNotFoundError: a corpus is missing.
        ValueError: the corpora have other tiles than the model, or no level is held out.
        RpcError: the model can't be loaded.
    """
    corpus = corpus_of(registry.find(name), data)
    game, alphabet = corpus.game, whole_alphabet(corpus, registry.find(name))
    rng = np.random.default_rng(0)
    say("reading training levels")
    learned = [learnable(game, level.rows) for level in corpus.training]
    training = [tiles_of(rows, alphabet) for rows in learned if rows is not None]
    held_out = fitting([tiles_of(level.rows, alphabet) for level in corpus.held_out], game)
    if not held_out:
        raise ValueError(f"{data}: no level of {game.name} that is held out has a size that the model generates")
    chosen = np.linspace(0, len(held_out) - 1, min(most, len(held_out))).round().astype(int)
    held_out = [held_out[k] for k in chosen]
    with LevelGenerator(registry, name) as generator:
        raw, returned = generate_like(held_out, generator, alphabet)
        arranged = [generator.arranged(decode(level, alphabet)) for level in held_out]
    with_ends = [tiles_of(rows, alphabet) for rows in arranged if rows is not None]
    say("comparing patterns")
    floor = of_like_size(held_out, fitting(training, game))
    ngram = Ngram(training, len(alphabet.tiles), by_columns=game.by_columns)
    rivals = {
        "raw": (raw, held_out),
        "returned": (returned, with_ends),
        "n-gram": ([ngram.generate(h, w, rng) for h, w in (level.shape for level in held_out)], held_out),
        "uniform noise": (noise([level.shape for level in held_out], len(corpus.alphabet.tiles), rng), held_out),
    }
    against = f"{len(held_out)} held-out levels"
    floors = divergences(floor, held_out)
    rows = []
    for rival, (levels, real) in rivals.items():
        found = divergences(levels[: len(real)], real[: len(levels)])
        rows += [Quality(f"{rival}: patterns {n}x{n}, nats", found[n], against, floors[n]) for n in SIDES]
    say("looking for copies")
    for rival, levels in (("raw", raw), ("returned", returned)):
        rows += novelty(rival, levels, held_out, training, game, against)
    return rows + tiles_a_second(registry, name)


def corpus_of(model: ModelFile, data: Path) -> Corpus:
    """The corpus of a model's game; `data` is the folder of the corpora, or of the custom game.

    Raises:
        FileNotFoundError: a corpus or a legend is missing.
        ValueError: a file is wrong; the message says how.
    """
    if "legend" in model.card.outputs["rows"]:
        return load_custom(data)
    return load_corpus(data, find_game(model.card.name.removeprefix("level-")))


def whole_alphabet(corpus: Corpus, model: ModelFile) -> Alphabet:
    """The corpus's alphabet, followed by the game's other tiles, which a repair may place.

    Raises:
        ValueError: the model has other tiles than the corpus.
    """
    tiles = model.card.outputs["rows"]["tiles"]
    if tiles != corpus.alphabet.tiles:
        raise ValueError(f"the model has the tiles {tiles!r}; those of the data are {corpus.alphabet.tiles!r}")
    others = "".join(char for char in corpus.game.rules.tiles if char not in tiles)
    return Alphabet(tiles + others, corpus.alphabet.counts)


def fitting(levels: Sequence[Tiles], game: LevelGame) -> list[Tiles]:
    """Levels cut to the sizes of the game's model: the middle of larger levels; smaller ones are left out."""
    (narrowest, widest), (lowest, highest) = game.sides
    found = []
    for level in levels:
        height, width = level.shape
        if height >= lowest and width >= narrowest:
            top, left = max(0, height - highest) // 2, max(0, width - widest) // 2
            found.append(level[top : top + highest, left : left + widest])
    return found


def of_like_size(wanted: Sequence[Tiles], offered: Sequence[Tiles]) -> list[Tiles]:
    """For each wanted level the offered one of the nearest size; each is taken once."""
    sizes = np.array([level.shape for level in offered])
    left = np.ones(len(offered), bool)
    chosen = []
    for level in wanted[: len(offered)]:
        off = np.abs(sizes - level.shape).sum(1)
        best = int(np.where(left, off, np.inf).argmin())
        left[best] = False
        chosen.append(offered[best])
    return chosen


def generate_like(
    real: Sequence[Tiles], generator: LevelGenerator, alphabet: Alphabet
) -> tuple[list[Tiles], list[Tiles]]:
    """Generate a level of the size of each real one.

    Args:
        real: the levels whose sizes are used; level k gets the seed k.
        generator: of the model.
        alphabet: the tiles of the game.

    Returns:
        The raw levels, and those that levels.generate returns; requests that it refuses are left out.
    """
    raw, returned = [], []
    with progress("generating levels", len(real)) as advance:
        for seed, (height, width) in enumerate(level.shape for level in real):
            (rows,) = generator.raw(generator.wishes(seed, width=width, height=height))
            raw.append(tiles_of(rows, alphabet))
            if (result := generator.generate(seed, width=width, height=height)) is not None:
                returned.append(tiles_of(result["rows"], alphabet))
            advance(1)
    return raw, returned


def novelty(
    name: str,
    levels: Sequence[Tiles],
    held_out: Sequence[Tiles],
    training: Sequence[Tiles],
    game: LevelGame,
    against: str,
) -> list[Quality]:
    """Metrics of novelty: how much levels copy from the training levels, and how near they are.

    Args:
        name: of the levels, which begins the name of each metric.
        levels: the levels to measure.
        held_out: the held-out levels, which give the floors.
        training: the training levels.
        game: their game.
        against: what the levels are compared with, as text.
    """
    piece = piece_of([*levels, *held_out])
    found, real = (
        (
            copied_runs(part, training, game.symmetry, by_columns=game.by_columns),
            nearest(part, training, game.symmetry, piece),
        )
        for part in (levels, held_out)
    )
    unit = "columns" if game.by_columns else "rows"
    rows = [
        Quality(f"{name}: {unit} copied in a row, {what}", float(f(found[0])), against, float(f(real[0])))
        for what, f in (("median", np.median), ("most", np.max))
    ]
    limit = np.quantile(real[1], NEAR)
    near = "x".join(map(str, piece[::-1]))
    return [
        *rows,
        Quality(f"{name}: nearer to training, {near} tiles", nearer(found[1], real[1]), against, 0.5),
        Quality(
            f"{name}: near copies, {near} tiles",
            float((found[1] <= limit).mean()),
            f"the nearest {100 * NEAR:.0f} % of {against}",
            float((real[1] <= limit).mean()),
        ),
    ]


def tiles_a_second(registry: Registry, name: str) -> list[Quality]:
    """Tiles per second of the network on this machine, for levels of the default size: one level, and batches."""
    rows = []
    for threads, count in ((1, 1), (THREADS, BATCH)):
        with ExitStack() as stack:
            generators = [stack.enter_context(LevelGenerator(registry, name)) for _ in range(threads)]
            pool = stack.enter_context(ThreadPoolExecutor(threads))
            wishes = generators[0].wishes(0)
            for _ in range(2):  # the first levels are slower
                began = time.perf_counter()
                list(pool.map(LevelGenerator.raw, generators, [wishes] * threads, [range(count)] * threads))
                taken = time.perf_counter() - began
        height, width = wishes.shape
        what = f"levels of {width}x{height}, {count} at a time in {threads} threads"
        rows.append(Quality("raw tiles a second", threads * count * height * width / taken, what))
    return rows


def tiles_of(rows: Sequence[str], alphabet: Alphabet) -> Tiles:
    """A level's tile numbers, uint8 (height, width)."""
    return encode(rows, alphabet).astype(np.uint8)


def say(text: str) -> None:
    """Print progress to stderr."""
    print(f"{text} ...", file=sys.stderr, flush=True)
