"""The level network in floating point, for training: features of a tile's surroundings, an LSTM, the tile's logits.

An LSTM (Hochreiter and Schmidhuber 1997) over the tiles in the order of generation, after Summerville and Mateas (2016,
"Super Mario as a string"), who used columns. There, a tile's neighbour in the previous line is a whole line back in the
sequence, and the LSTM has to remember it. Here the network sees it directly, and the LSTM remembers what is farther.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pcg.exact import ACTIVATION_MAX

SEEN_STEPS = 32  # steps per unit of a feature: 127 steps are nearly 4


class LevelNetwork(nn.Module):
    """From rows of the context's table to logits of the tile. 0.5 M parameters at the standard widths.

    Args:
        rows: rows of the table (pcg/levels/model/context.py).
        tiles: tiles of the alphabet.
        seen: features of the surroundings.
        memory: cells of the LSTM.
        dropout: share of features and state that is dropped in training.
    """

    def __init__(self, rows: int, tiles: int, seen: int = 96, memory: int = 256, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.table = nn.Embedding(rows, seen)
        self.lstm = nn.LSTM(seen, memory)
        self.head = nn.Linear(seen + memory, tiles)
        nn.init.normal_(self.table.weight, std=0.2)
        for name, parameter in self.lstm.named_parameters():
            if "bias" in name:
                nn.init.zeros_(parameter)
                if "_ih" in name:
                    parameter.data[memory : 2 * memory] = 1.0  # an open forget gate at the start
            else:
                nn.init.normal_(parameter, std=1 / math.sqrt(seen + memory))

    def look(self, indices: Tensor) -> Tensor:
        """Features of the surroundings: int64 (T, N, J) to (T, N, seen), clamped to the range of 8-bit integers."""
        steps, count, width = indices.shape
        summed = F.embedding_bag(indices.view(-1, width), self.table.weight, mode="sum")  # (T * N, seen)
        return summed.clamp(0.0, ACTIVATION_MAX / SEEN_STEPS).view(steps, count, -1)  # (T, N, seen)

    def forward(self, indices: Tensor) -> Tensor:
        """Rows of the table int64 (T, N, J), of T tiles in the order of generation, to logits (T, N, tiles)."""
        seen = self.look(indices)  # (T, N, seen)
        state, _ = self.lstm(F.dropout(seen, self.dropout, self.training))  # (T, N, memory)
        both = torch.cat([seen, state], 2)  # (T, N, seen + memory)
        return self.head(F.dropout(both, self.dropout, self.training))  # (T, N, tiles)
