"""The level network in float, as it is trained: what is seen of a tile's surroundings, an LSTM, the tile's logits.

An LSTM (Hochreiter and Schmidhuber 1997) over tiles in writing order, after Summerville and Mateas (2016, "Super Mario
as a string"), who wrote columns. There a tile's neighbour in the line before is a whole line back in the sequence, and
the LSTM has to carry it there; here it is seen directly, and the LSTM is left what is farther away.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pcg.exact import ACTIVATION_MAX

SEEN_STEPS = 32  # whole steps to a unit of a feature, so that 127 of them reach nearly to 4


class LevelNetwork(nn.Module):
    """Rows of the context's table in, logits of the tile out. 0.5 M parameters at the standard widths.

    `rows`: of the table (pcg/levels/model/context.py); `tiles`: of the alphabet; `seen`: features of the surroundings;
    `memory`: cells of the LSTM.
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
                    parameter.data[memory : 2 * memory] = 1.0  # remember, to begin with
            else:
                nn.init.normal_(parameter, std=1 / math.sqrt(seen + memory))

    def look(self, indices: Tensor) -> Tensor:
        """Features of the surroundings: int64 (T, N, J) to (T, N, seen), clamped to what 8-bit integers hold."""
        steps, count, width = indices.shape
        summed = F.embedding_bag(indices.view(-1, width), self.table.weight, mode="sum")
        return summed.clamp(0.0, ACTIVATION_MAX / SEEN_STEPS).view(steps, count, -1)

    def forward(self, indices: Tensor) -> Tensor:
        """int64 (T, N, J), T tiles in writing order, to logits (T, N, tiles)."""
        seen = self.look(indices)
        state, _ = self.lstm(F.dropout(seen, self.dropout, self.training))
        return self.head(F.dropout(torch.cat([seen, state], 2), self.dropout, self.training))
