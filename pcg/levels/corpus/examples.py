"""Training batches: levels as sequences, mirrored and cropped, some of their tiles given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pcg.levels.corpus.data import Corpus, Level, encode
from pcg.levels.corpus.difficulty import labour_of, ranks
from pcg.levels.corpus.repaired import learnable
from pcg.levels.model.context import UNTOLD, Context, indices
from pcg.progress import progress

TOLD = 0.7  # share of examples in which the network sees the difficulty; the same for each count
GIVEN = 0.5  # share of examples in which some tiles are given
NEIGHBOURS = 0.1  # a batch takes its levels from this share of all levels, ordered by size


@dataclass(frozen=True)
class Batch:
    """N sequences of T tiles.

    `rows` int64 (T, N, J): the rows of the context's table. `tiles` int64 (T, N): the targets. `weight` float32 (T, N):
    1 where a tile counts in the loss, 0 where it was given or is padding.
    """

    rows: Tensor
    tiles: Tensor
    weight: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        return Batch(self.rows.to(device), self.tiles.to(device), self.weight.to(device))


@dataclass(frozen=True)
class Example:
    """One level, as it is printed, and its difficulty: a rank from 0 to 1, None if no solution was found."""

    tiles: NDArray[np.int64]
    difficulty: float | None


class Examples:
    """Training or held-out levels of a corpus as batches. Levels that `learnable` rejects are left out.

    Raises:
        ValueError: no level is left.
    """

    def __init__(self, corpus: Corpus, levels: Sequence[Level], span: int) -> None:
        self.game, self.alphabet = corpus.game, corpus.alphabet
        self.context = Context(len(self.alphabet.tiles), len(self.alphabet.counts))
        self.members = members(self.alphabet.tiles, list(self.alphabet.counts.values()))
        self.span = span
        kept, labour = [], []
        with progress("measuring levels", len(levels)) as advance:
            for level in levels:
                rows = learnable(self.game, level.rows)
                if rows is not None:
                    kept.append(rows)
                    labour.append(labour_of(self.game.rules, rows))
                advance(1)
        if not kept:
            raise ValueError(f"none of the {len(levels)} levels of {self.game.name} can be learned from")
        hard = iter(ranks([value for value in labour if value is not None]))
        found = [
            Example(encode(rows, self.alphabet), None if value is None else float(next(hard)))
            for rows, value in zip(kept, labour, strict=True)
        ]
        self.examples = sorted(found, key=lambda example: example.tiles.size)

    def draw(self, tokens: int, rng: np.random.Generator) -> Batch:
        """A batch of about `tokens` tiles with padding: levels of similar size, each as one of its mirror images."""
        near = max(1, round(NEIGHBOURS * len(self.examples)))
        first = int(rng.integers(0, len(self.examples) - near + 1))
        length = min(self.span, max(e.tiles.size for e in self.examples[first : first + near]))
        drawn = [self.examples[first + int(k)] for k in rng.integers(0, near, max(1, tokens // length))]
        return collate([self.sequence(example, rng) for example in drawn])

    def sequence(self, example: Example, rng: np.random.Generator) -> Batch:
        """One example, randomly mirrored and cropped, with random tiles and conditions given."""
        tiles = crop(mirrored(example.tiles, self.game.symmetry, rng), self.game.sides, rng)
        if rng.random() < self.game.cut:
            width, height = (int(rng.integers(low, high + 1)) for low, high in self.game.sides)
            tiles = crop(tiles, ((1, width), (1, height)), rng)
        if self.game.filler and rng.random() < 0.5:
            tiles = trimmed(tiles, self.alphabet.tiles.index(self.game.filler), self.game.sides)
        grid = lines_of(tiles, self.game.by_columns)
        given = given_tiles(grid.shape, rng) if rng.random() < GIVEN else np.zeros(grid.shape, np.bool_)
        told = rng.random(len(self.alphabet.counts)) < TOLD
        difficulty = example.difficulty if rng.random() < TOLD else None
        last = max(0, len(grid) - self.span // grid.shape[1])
        first = int(rng.integers(0, last + 1)) if rng.random() < 0.7 else 0
        return self.encode(grid, given, told, difficulty, first)

    def whole(self, limit: int) -> Batch:
        """For validation: the first part of up to `limit` levels, small to large; all conditions, no given tiles."""
        chosen = np.linspace(0, len(self.examples) - 1, min(limit, len(self.examples))).round().astype(int)
        rng = np.random.default_rng(0)
        sequences = []
        for index in chosen:
            example = self.examples[index]
            grid = lines_of(crop(example.tiles, self.game.sides, rng), self.game.by_columns)
            told = np.ones(len(self.alphabet.counts), np.bool_)
            sequences.append(self.encode(grid, np.zeros(grid.shape, np.bool_), told, example.difficulty, 0))
        return collate(sequences)

    def encode(
        self,
        grid: NDArray[np.int64],
        given: NDArray[np.bool_],
        told: NDArray[np.bool_],
        difficulty: float | None,
        first: int,
    ) -> Batch:
        """A part of a level as a sequence of one.

        Args:
            grid: tile numbers (lines, cells).
            given: (lines, cells), which tiles are given.
            told: (counts,), which counts the network sees.
            difficulty: from 0 to 1; None hides it.
            first: the first line of the part; the part has as many lines as fit into the span.
        """
        counted = self.members[grid.ravel()] * ~given.reshape(-1, 1)
        remaining = np.where(told, counted.sum(0) - np.cumsum(counted, 0) + counted, UNTOLD)
        rows = indices(self.context, grid, given, remaining, difficulty)
        cells = grid.shape[1]
        part = slice(first * cells, (first + self.span // cells) * cells)
        return Batch(
            torch.from_numpy(rows[part]).unsqueeze(1),
            torch.from_numpy(grid.ravel()[part].copy()).unsqueeze(1),
            torch.from_numpy(~given.ravel()[part]).float().unsqueeze(1),
        )


def members(tiles: str, kinds: Sequence[str]) -> NDArray[np.int64]:
    """int64 (tiles, kinds): 1 where a tile belongs to a kind."""
    return np.array([[int(char in kind) for kind in kinds] for char in tiles], np.int64).reshape(len(tiles), -1)


def lines_of(tiles: NDArray[np.int64], by_columns: bool) -> NDArray[np.int64]:
    """The lines of a printed level in the order of generation: its rows, or its columns from the bottom up."""
    return np.ascontiguousarray(tiles[::-1].T if by_columns else tiles)


def mirrored(tiles: NDArray[np.int64], symmetry: str, rng: np.random.Generator) -> NDArray[np.int64]:
    """A random mirror image of a level that `symmetry` allows; the level itself is one of them."""
    if symmetry != "none" and rng.random() < 0.5:
        tiles = tiles[:, ::-1]
    if symmetry == "all":
        tiles = tiles[::-1] if rng.random() < 0.5 else tiles
        tiles = tiles.T if rng.random() < 0.5 else tiles
    return tiles


def crop(
    tiles: NDArray[np.int64], sides: tuple[tuple[int, int], tuple[int, int]], rng: np.random.Generator
) -> NDArray[np.int64]:
    """A random window of a level that is larger than the largest `sides` (widths, heights); else the level itself."""
    (_, width), (_, height) = sides
    top = int(rng.integers(0, max(0, tiles.shape[0] - height) + 1))
    left = int(rng.integers(0, max(0, tiles.shape[1] - width) + 1))
    return tiles[top : top + height, left : left + width]


def trimmed(tiles: NDArray[np.int64], filler: int, sides: tuple[tuple[int, int], tuple[int, int]]) -> NDArray[np.int64]:
    """A level without its outer rows and columns of filler, except one on each side; not below the least `sides`."""
    (narrowest, _), (lowest, _) = sides
    rows, columns = np.nonzero(tiles != filler)
    if not len(rows):
        return tiles
    top, left = max(0, rows.min() - 1), max(0, columns.min() - 1)
    bottom, right = max(rows.max() + 2, top + lowest), max(columns.max() + 2, left + narrowest)
    return tiles[top:bottom, left:right]


def given_tiles(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Random given tiles, (lines, cells): scattered tiles, a rectangle, all but a rectangle, or the first lines."""
    lines, cells = shape
    kind = rng.integers(4)
    if kind == 0:
        return rng.random(shape) < 0.7 * rng.random() ** 2
    inside = np.zeros(shape, np.bool_)
    if kind == 1:
        inside[: int(rng.integers(0, lines))] = True
        return inside
    tall, wide = (int(rng.integers(1, max(2, side // 2 + 1))) for side in shape)
    top, left = int(rng.integers(0, lines - tall + 1)), int(rng.integers(0, cells - wide + 1))
    inside[top : top + tall, left : left + wide] = True
    return inside if kind == 2 else ~inside


def collate(sequences: Sequence[Batch]) -> Batch:
    """Sequences as one batch, padded to the longest."""
    longest = max(len(s.tiles) for s in sequences)

    def padded(tensors: list[Tensor]) -> Tensor:
        return torch.cat([torch.cat([t, t.new_zeros((longest - len(t), *t.shape[1:]))]) for t in tensors], 1)

    return Batch(
        padded([s.rows for s in sequences]),
        padded([s.tiles for s in sequences]),
        padded([s.weight for s in sequences]),
    )
