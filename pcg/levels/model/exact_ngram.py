"""An n-gram in integers, which replaces the network in a model file if the corpus is small.

A few dozen levels are too few for an LSTM; an n-gram over tiles in two dimensions comes nearer to them
(pcg/levels/evaluation/ngram.py). It has the interface of ExactLSTM, so the sampling loop, the card and the requests are
the same. It looks up the neighbours that it has seen together, and returns the logits of the tiles that followed. It
ignores the difficulty, and of the counts it sees only which are used up. It only looks up integers, so it gives the
same bits on every machine.
"""

import math
from collections import Counter
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pcg.levels.evaluation.ngram import AHEAD, BACK_OFF, NEIGHBOURS, Ngram
from pcg.levels.evaluation.patterns import Tiles
from pcg.levels.model.context import AROUND, Context
from pcg.levels.model.exact_lstm import LOGIT_STEPS

# The logit of a tile that never followed, less the log of its share of all tiles: beyond the noise at temperature 1.
UNSEEN = -16 * LOGIT_STEPS
LEVELS = len(BACK_OFF)


class ExactNgram(nn.Module):
    """Looks up logits by the neighbours' tiles.

    `keys` int64 (contexts,), ascending; `row` int64 (contexts,), the row of each context in `table`, float32 (rows,
    tiles), whole steps of a logit. `weight`, `out` and `memory` belong to the LSTM's interface and are not used.
    """

    memory: int
    tiles: int
    ahead: int
    keys: Tensor
    row: Tensor
    table: Tensor
    places: Tensor
    bases: Tensor
    powers: Tensor
    lengths: Tensor
    levels: Tensor
    order: Tensor
    weight: Tensor
    out: Tensor

    def __init__(self, tiles: int, keys: Tensor, row: Tensor, table: Tensor, bases: Tensor) -> None:
        super().__init__()
        self.memory, self.tiles, self.ahead = 1, tiles, AHEAD
        places = [AROUND.index(place) for place in NEIGHBOURS]
        self.register_buffer("keys", keys)
        self.register_buffer("row", row)
        self.register_buffer("table", table)
        self.register_buffer("places", torch.tensor(places))
        self.register_buffer("bases", bases[places])
        self.register_buffer("powers", torch.from_numpy(powers_of(tiles)))
        self.register_buffer("lengths", torch.tensor(BACK_OFF))
        self.register_buffer("levels", torch.arange(len(BACK_OFF)))
        self.register_buffer("order", torch.arange(len(BACK_OFF), 0, -1))
        self.register_buffer("weight", torch.zeros(1))
        self.register_buffer("out", torch.zeros(1))

    def look(self, rows: Tensor, starts: Tensor) -> Tensor:  # noqa: ARG002  (of the interface)
        """Rows of the context's table int64 (N, J) to logits float32 (N, tiles); `starts` is not used."""
        seen = rows.index_select(1, self.places) - self.bases
        # Of the tiles ahead it has learned only where the level ends; given tiles there count as unknown.
        near = seen[:, : self.ahead]
        near = torch.where(near < self.tiles, torch.full_like(near, self.tiles + 1), near)
        seen = torch.cat([near, seen[:, self.ahead :]], 1)
        sums = torch.cat([torch.zeros_like(seen[:, :1]), (seen * self.powers).cumsum(1)], 1)
        wanted = sums.index_select(1, self.lengths) * self.levels.shape[0] + self.levels
        at = torch.searchsorted(self.keys, wanted).clamp(max=self.keys.shape[0] - 1)
        known = (self.keys[at] == wanted).to(torch.int64)
        longest = (known * self.order).argmax(
            1, keepdim=True
        )  # all values differ, and the last context is always known
        return self.table[self.row[at.gather(1, longest).squeeze(1)]]

    def step(
        self,
        seen: Tensor,  # noqa: ARG002
        state: Tensor,
        cell: Tensor,
        weight: Tensor,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor]:
        """The same state and cell: an n-gram has no memory."""
        return state, cell

    def logits(self, seen: Tensor, state: Tensor, out: Tensor) -> Tensor:  # noqa: ARG002
        """The logits that `look` returned: float32 (N, tiles), whole steps."""
        return seen


def powers_of(tiles: int) -> NDArray[np.int64]:
    """The factor of each neighbour's tile in a key, int64 (neighbours,).

    Raises:
        ValueError: with so many tiles a key does not fit 63 bits.
    """
    base = tiles + 2
    if base ** len(NEIGHBOURS) * LEVELS >= 2**63:
        raise ValueError(f"an n-gram of {tiles} tiles does not fit 64-bit integers; train the network instead")
    return np.array([base**place for place in range(len(NEIGHBOURS))], np.int64)


def exact_ngram(levels: Iterable[Tiles], tiles: int, counts: int, *, by_columns: bool) -> ExactNgram:
    """Count the n-gram of some levels.

    A context with the same logits as the next shorter context is left out.

    Args:
        levels: tile numbers (height, width) of each.
        tiles: number of tiles in the alphabet.
        counts: number of counts in the alphabet.
        by_columns: whether a line is a column.

    Raises:
        ValueError: too many tiles.
    """
    powers = powers_of(tiles)
    ngram = Ngram(levels, tiles, by_columns=by_columns)
    share = np.bincount(np.frombuffer(ngram.followers[b""], np.uint8), minlength=tiles) + 1
    unseen = UNSEEN + np.round(LOGIT_STEPS * np.log(share / share.sum()))
    rows: dict[bytes, int] = {}
    row_of: dict[bytes, int] = {}
    kept: list[tuple[int, int]] = []
    for context in sorted(ngram.followers, key=len):
        logits = unseen.copy()
        followers = Counter(ngram.followers[context])
        total = sum(followers.values())
        for tile, count in followers.items():
            logits[tile] = round(LOGIT_STEPS * math.log(count / total))
        row = row_of[context] = rows.setdefault(logits.astype(np.float32).tobytes(), len(rows))
        level = BACK_OFF.index(len(context))
        if level + 1 == LEVELS or row_of[context[: BACK_OFF[level + 1]]] != row:
            key = int((np.frombuffer(context, np.uint8) * powers[: len(context)]).sum())
            kept.append((LEVELS * key + level, row))
    kept.sort()
    keys, row_numbers = (torch.tensor(column) for column in zip(*kept, strict=True))
    table = torch.from_numpy(np.frombuffer(b"".join(rows), np.float32).reshape(-1, tiles).copy())
    return ExactNgram(tiles, keys, row_numbers, table, torch.from_numpy(Context(tiles, counts).around_base))
