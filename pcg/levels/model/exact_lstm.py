"""The LSTM of networks.py in integers, which gives the same bits on every machine.

Its input and its state are integers in [-127, 127], and its weights are such integers times a power of two, so the
matrix product is exact (docs/exactness.md). Sigmoid and tanh share one table. The cell is a whole number of 1/4096, and
no sum or product here passes 2^24.
"""

from typing import Final, Protocol

import torch
from torch import Tensor, nn

INDEX_STEPS = 64  # indices of the sigmoid table for one unit of a gate's input
INDEX_MAX = 511  # at +-8 a sigmoid is 0 or 1 to its last bit
GATE_STEPS = 256  # the value of a fully open gate
STATE_STEPS = 127  # a unit of the state, which stays within it
LOGIT_STEPS = 256  # a nat
TABLE_STEPS = 16  # the table's fraction: whole sixteenths of an integer


def sigmoid_table() -> Tensor:
    """Sigmoids of the inputs from -8 to 8, in whole 1/256: float32 (1024,)."""
    x = torch.arange(-INDEX_MAX - 1, INDEX_MAX + 1, dtype=torch.float64) / INDEX_STEPS
    return (torch.sigmoid(x) * GATE_STEPS).round().to(torch.float32)


class TileModel(Protocol):
    """Gives the logits of a tile, in whole steps: ExactLSTM, or ExactNgram of exact_ngram.py."""

    weight: Tensor
    out: Tensor

    @property
    def memory(self) -> int:
        """Cells of the state."""

    def look(self, rows: Tensor, starts: Tensor) -> Tensor:
        """Features of the surroundings, from rows of the context's table int64 (N, J)."""

    def step(self, seen: Tensor, state: Tensor, cell: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The next state and cell, float32 (N, memory) each."""

    def logits(self, seen: Tensor, state: Tensor, out: Tensor) -> Tensor:
        """The logits of the next tile: float32 (N, tiles)."""


class ExactLSTM(nn.Module):
    """One step of the network in integers: features, gates, logits.

    table: (rows, seen), whole sixteenths. weight: (seen + memory, 4 memory), gives the gates' inputs as indices of the
    sigmoid table; the gates are in the order input, forget, output, candidate, and the candidate's input is doubled.
    bias: in indices, plus the index of 0. out, out_bias: (seen + memory, tiles), give the logits in whole steps.
    """

    memory: Final[int]
    INDEX_MAX: Final[int] = INDEX_MAX
    table: Tensor
    weight: Tensor
    bias: Tensor
    out: Tensor
    out_bias: Tensor
    sigmoids: Tensor

    def __init__(self, table: Tensor, weight: Tensor, bias: Tensor, out: Tensor, out_bias: Tensor) -> None:
        super().__init__()
        self.memory = weight.shape[1] // 4
        self.register_buffer("table", table.to(torch.float32))
        self.register_buffer("weight", weight.to(torch.bfloat16))  # 8-bit integers times a power of two fit
        self.register_buffer("bias", bias.to(torch.float32))
        self.register_buffer("out", out.to(torch.bfloat16))
        self.register_buffer("out_bias", out_bias.to(torch.float32))
        self.register_buffer("sigmoids", sigmoid_table())

    def look(self, rows: Tensor, starts: Tensor) -> Tensor:
        """Rows of the table int64 (N, J), with starts [0, J, 2J, ...], to float32 (N, seen), integers in [0, 127]."""
        summed = torch.embedding_bag(self.table, rows.view(-1), starts, False, 0, False, None, False)[0]  # (N, seen)
        return summed.round_().clamp_(0.0, 127.0)

    def open_gates(self, index: Tensor) -> Tensor:
        """Sigmoids of inputs (N, M) given as indices of the sigmoid table, in whole 1/256; the indices are rounded."""
        bounded = index.round_().clamp_(0.0, 2.0 * self.INDEX_MAX + 1.0).to(torch.int32)
        return self.sigmoids.index_select(0, bounded.view(-1)).view(index.shape)

    def step(self, seen: Tensor, state: Tensor, cell: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The next state and cell: float32 (N, memory) each, state in 1/127, cell in 1/4096."""
        x = torch.cat([seen, state], 1).to(weight.dtype)  # (N, seen + memory)
        # The exact sum is rounded once, in whichever precision the product is computed.
        summed = torch.mm(x, weight).to(torch.bfloat16).to(torch.float32)  # (N, 4 memory)
        gates = self.open_gates(summed.add_(self.bias))  # (N, 4 memory)
        m = self.memory
        # tanh(x) = 2 sigmoid(2x) - 1, so its half in 1/256 is the sigmoid less 128.
        half = gates[:, 3 * m :].sub_(128.0)  # (N, memory)
        cell = torch.addcmul(cell * gates[:, m : 2 * m], gates[:, :m], half, value=32.0)  # (N, memory)
        cell = cell.mul_(1.0 / 256).round_().clamp_(-32768.0, 32767.0)
        half = self.open_gates(cell.mul(1.0 / 32).add_(self.INDEX_MAX + 1.0)).sub_(128.0)  # (N, memory)
        return half.mul_(gates[:, 2 * m : 3 * m]).mul_(127.0 / 32768).round_(), cell

    def logits(self, seen: Tensor, state: Tensor, out: Tensor) -> Tensor:
        """The logits of the next tile, in whole steps: float32 (N, tiles)."""
        return torch.mm(torch.cat([seen, state], 1), out).round_().add_(self.out_bias)
