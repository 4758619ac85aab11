"""Whole levels in one call, in integers: the sampling loop inside the scripted module, the same bits everywhere.

The recurrent step is the LSTM of networks.py. Its input and state are integers in [-127, 127], its weights such
integers times a power of two, so the one matrix product is exact (docs/exactness.md); its sigmoid and tanh are one
table; its cell is a whole number of 1/4096, which no sum or product here takes beyond 2^24. A tile is the argmax of its
integer logits plus hashed Gumbel noise from a table (Gumbel-max sampling), in whole steps, the lowest number where two
are level.
"""

from typing import Final, Protocol

import torch
from torch import Tensor, nn

from pcg.exact import hash_grid, key, mix
from pcg.levels.model.context import AROUND, DIFFICULTIES, MARGIN, STEPS, UNTOLD, Context
from pcg.levels.model.joining import Joining

STREAM = 3000
INDEX_STEPS = 64  # indices of the table of sigmoids for one unit of a gate's input
INDEX_MAX = 511  # at +-8 a sigmoid is 0 or 1 to its last bit
GATE_STEPS = 256  # what a gate that is fully open is
CELL_STEPS = 4096  # a unit of the cell
CELL_MAX = 8 * CELL_STEPS
STATE_STEPS = 127  # a unit of the state, which stays within it
LOGIT_STEPS = 256  # a nat
TEMPERATURE_STEPS = 100  # temperature one
NOISE_BITS = 16
# In logit steps: logits stay far below the first, so that what is spent is written only where nothing else can be.
BEYOND_TOP, SPENT = 2.0**16, 2.0**18  # and between them what would close a room off (pcg/levels/model/joining.py)
DUE_LINES, DUE_STEPS = 8, 2 * LOGIT_STEPS  # before the end, what is due grows likelier by e^2 with each line
FORCED = 2**30  # in units of the sum; beyond them all
TABLE_STEPS = 16  # the table's fraction: whole sixteenths of an integer


def sigmoid_table() -> Tensor:
    """float32 (1024,): sigmoids of the inputs from -8 to 8 in whole 1/256."""
    x = torch.arange(-INDEX_MAX - 1, INDEX_MAX + 1, dtype=torch.float64) / INDEX_STEPS
    return (torch.sigmoid(x) * GATE_STEPS).round().to(torch.float32)


def gumbel_table() -> Tensor:
    """float64 (65536,): the quantiles of the Gumbel distribution, -ln(-ln(u)), in whole steps of a logit."""
    u = (torch.arange(2**NOISE_BITS, dtype=torch.float64) + 0.5) / 2**NOISE_BITS
    return (-(-u.log()).log() * LOGIT_STEPS).round()


class TileModel(Protocol):
    """What gives the logits of each tile, in whole steps: ExactLSTM, or the n-gram of exact_ngram.py."""

    weight: Tensor
    out: Tensor

    @property
    def memory(self) -> int:
        """Cells of the state."""

    def look(self, rows: Tensor, starts: Tensor) -> Tensor:
        """What is seen of the surroundings, from rows of the context's table int64 (N, J)."""

    def step(self, seen: Tensor, state: Tensor, cell: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The next state and cell, float32 (N, memory) each."""

    def logits(self, seen: Tensor, state: Tensor, out: Tensor) -> Tensor:
        """float32 (N, tiles)."""


class ExactLSTM(nn.Module):
    """The network's step in integers: the features seen, the gates, the logits.

    table: (rows, seen) whole sixteenths; weight: (seen + memory, 4 memory) to gate inputs in table indices, gates in
    the order input, forget, output, candidate, the last one's doubled; bias: in indices, and the index of 0 added; out,
    out_bias: (seen + memory, tiles) to logits in whole steps.
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
        """int64 (N, J) rows of the table, starts [0, J, 2J, ...], to float32 (N, seen), integers in [0, 127]."""
        summed = torch.embedding_bag(self.table, rows.view(-1), starts, False, 0, False, None, False)[0]
        return summed.round_().clamp_(0.0, 127.0)

    def open_gates(self, index: Tensor) -> Tensor:
        """Sigmoids, in whole 1/256, of table indices (N, M), counted from 0; they are rounded."""
        bounded = index.round_().clamp_(0.0, 2.0 * self.INDEX_MAX + 1.0).to(torch.int32)
        return self.sigmoids.index_select(0, bounded.view(-1)).view(index.shape)

    def step(self, seen: Tensor, state: Tensor, cell: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The next state and cell: float32 (N, memory) each, state in 1/127, cell in 1/4096."""
        x = torch.cat([seen, state], 1).to(weight.dtype)
        # One rounding of the exact sum, whichever precision the product is in.
        summed = torch.mm(x, weight).to(torch.bfloat16).to(torch.float32)
        gates = self.open_gates(summed.add_(self.bias))
        m = self.memory
        # tanh(x) = 2 sigmoid(2x) - 1, so its half in 1/256 is the sigmoid less 128.
        half = gates[:, 3 * m :].sub_(128.0)
        cell = torch.addcmul(cell * gates[:, m : 2 * m], gates[:, :m], half, value=32.0)
        cell = cell.mul_(1.0 / 256).round_().clamp_(-32768.0, 32767.0)
        half = self.open_gates(cell.mul(1.0 / 32).add_(self.INDEX_MAX + 1.0)).sub_(128.0)
        return half.mul_(gates[:, 2 * m : 3 * m]).mul_(127.0 / 32768).round_(), cell

    def logits(self, seen: Tensor, state: Tensor, out: Tensor) -> Tensor:
        """float32 (N, tiles), whole steps."""
        return torch.mm(torch.cat([seen, state], 1), out).round_().add_(self.out_bias)


class LevelSampler(nn.Module):
    """Writes levels tile by tile: forward(seed, candidate, width, height, difficulty, counts, fixed, ...).

    `members` int64 (tiles, counts): 1 where a tile is one of a count's. `due` int64 (counts,): 1 where what was told is
    to be written before the level ends. `entered` int64 (tiles,): 1 where a tile is of a room; all rooms are joined
    then. All 0 where nothing is asked of rooms.
    """

    MARGIN: Final[int] = MARGIN
    STREAM: Final[int] = STREAM
    UNTOLD: Final[int] = UNTOLD
    DIFFICULTIES: Final[int] = DIFFICULTIES
    FORCED: Final[int] = FORCED
    SPENT: Final[float] = SPENT
    DUE_LINES: Final[int] = DUE_LINES
    DUE_STEPS: Final[int] = DUE_STEPS
    BEYOND_TOP: Final[float] = BEYOND_TOP
    TEMPERATURE_STEPS: Final[int] = TEMPERATURE_STEPS
    tiles: Final[int]
    by_columns: Final[bool]
    joins: Final[bool]
    precision: int
    around: Tensor
    around_base: Tensor
    count_base: Tensor
    told_base: Tensor
    number_steps: Tensor
    members: Tensor
    due: Tensor
    gumbel: Tensor

    def __init__(
        self, lstm: TileModel, context: Context, members: Tensor, due: Tensor, entered: Tensor, *, by_columns: bool
    ) -> None:
        super().__init__()
        self.lstm = lstm
        self.joining = Joining(entered)
        self.joins = bool(entered.any())
        self.tiles, self.by_columns = context.tiles, by_columns
        self.precision = 32
        self.register_buffer("around", torch.tensor(AROUND))
        self.register_buffer("around_base", torch.from_numpy(context.around_base))
        self.register_buffer("count_base", torch.from_numpy(context.count_base))
        told_base = [*context.edge_base.tolist(), context.difficulty_base]
        self.register_buffer("told_base", torch.tensor(told_base))
        self.register_buffer("number_steps", torch.tensor(STEPS))
        self.register_buffer("members", members)
        self.register_buffer("due", due)
        self.register_buffer("gumbel", gumbel_table())

    @torch.jit.export
    def use_precision(self, bits: int) -> None:
        """Multiply in bfloat16 (16), float32 (32) or float64 (64); the result is the same."""
        self.precision = bits

    def places(self, lines: int, cells: int, line: int) -> Tensor:
        """As pcg.levels.model.context.places: int64 (cells, around)."""
        stride = cells + 2 * self.MARGIN
        cell = torch.arange(cells, device=self.around.device)
        here = (line + self.MARGIN) * stride + self.MARGIN + cell
        opposite = (lines - 1 - line + self.MARGIN) * stride + self.MARGIN + cell
        near = here.unsqueeze(1) + (self.around[:, 0] * stride + self.around[:, 1])
        return torch.cat([near, (here + cells - 1 - 2 * cell).unsqueeze(1), opposite.unsqueeze(1)], 1)

    def told(self, lines: int, cells: int, line: int, difficulty: Tensor) -> Tensor:
        """What is known before a line is written, as steps: int64 (cells, N, edges + 1)."""
        cell = torch.arange(cells, device=difficulty.device)
        before = torch.full_like(cell, line)
        edges = torch.stack([before, lines - 1 - before, cell, cells - 1 - cell], 1)
        rows = torch.bucketize(edges, self.number_steps, right=True)
        count = difficulty.shape[0]
        expanded = rows.unsqueeze(1).expand(cells, count, rows.shape[1])
        return torch.cat([expanded, difficulty.view(1, count, 1).expand(cells, count, 1)], 2)

    def noise(self, key: Tensor, line: int, cells: int, temperature: int) -> Tensor:
        """Gumbel noise of a line's tiles: float64 (cells, N, tiles). Less a little for higher numbers, against ties."""
        device, count = key.device, key.shape[0]
        row = (torch.arange(cells, device=device) + (line << 20)).unsqueeze(0).expand(count, cells)
        column = torch.arange((self.tiles + 3) // 4, device=device).unsqueeze(0).expand(count, -1)
        bits = hash_grid(key, row, column).unsqueeze(3) >> torch.arange(0, 64, 16, device=device)
        index = (bits & 65535).reshape(count, cells, -1)[:, :, : self.tiles].transpose(0, 1).contiguous()
        drawn = self.gumbel.index_select(0, index.view(-1)).view(index.shape)
        return drawn * temperature - torch.arange(self.tiles, device=device) / 256.0

    def forward(
        self,
        seed: Tensor,
        candidate: Tensor,
        width: int,
        height: int,
        difficulty: Tensor,
        counts: Tensor,
        fixed: Tensor,
        temperature: int,
        top_k: int,
    ) -> Tensor:
        """Levels as they are printed: uint8 (N, height, width) tile numbers.

        seed, candidate: int64 (N,); another candidate is another level of the same seed. difficulty: int64 (N,), 0 to
        100, -1 where the model is free. counts: int64 (N, counts), how many of each there shall be, -1 where the model
        is free; no more are written, and seldom fewer. fixed: int64 (N, height, width), the number of each tile that is
        given, -1 where there is none. temperature in hundredths; top_k: only the likeliest so many tiles are written, 0
        for all.
        """
        count, device = seed.shape[0], seed.device
        lines, cells = height, width
        if self.by_columns:
            lines, cells = width, height
            fixed = fixed.flip(1).transpose(1, 2)
        given = fixed >= 0
        any_given = bool(given.any())
        across, margin = cells + 2 * self.MARGIN, self.MARGIN
        grid = torch.full([count, lines + 2 * margin, across], self.tiles, dtype=torch.int64, device=device)
        inner = grid[:, margin : margin + lines, margin : margin + cells]
        inner.copy_(torch.where(given, fixed, torch.full_like(fixed, self.tiles + 1)))
        flat = grid.view(count, -1)

        remaining = torch.where(counts < 0, torch.full_like(counts, self.UNTOLD), counts)
        for kind in range(self.members.shape[1]):
            already = self.members[:, kind].index_select(0, fixed.reshape(-1).clamp(min=0)).view(fixed.shape)
            remaining[:, kind] -= (already * given).flatten(1).sum(1)
        free = (~given).to(torch.int64)
        step = torch.div(difficulty, 100 // self.DIFFICULTIES, rounding_mode="floor").clamp(max=self.DIFFICULTIES - 1)
        told_difficulty = torch.where(difficulty < 0, torch.full_like(step, self.DIFFICULTIES), step)

        key_ = mix(key(seed, self.STREAM) + candidate)
        weight, out = self.lstm.weight, self.lstm.out.to(torch.float32)
        if self.precision == 32:
            weight = weight.to(torch.float32)
        elif self.precision == 64:
            weight = weight.to(torch.float64)
        spends = self.members.t().to(torch.float32) * self.SPENT
        any_asked = bool((counts >= 0).any())
        due = (counts >= 0) & (self.due > 0)
        owes = self.members.t().to(torch.float32) * self.DUE_STEPS
        base = torch.cat([self.around_base, self.count_base, self.told_base])
        starts = torch.arange(0, count * base.shape[0], base.shape[0], device=device)
        state = torch.zeros([count, self.lstm.memory], device=device)
        cell_state = torch.zeros_like(state)
        rooms = torch.zeros([count, cells + 1], dtype=torch.int64, device=device)
        begun = torch.zeros([count], dtype=torch.bool, device=device)
        for line in range(lines):
            where = self.places(lines, cells, line)
            told = self.told(lines, cells, line, told_difficulty)
            nearing = self.DUE_LINES - (lines - line)
            noise = self.noise(key_, line, cells, temperature)
            if any_given:
                forced = torch.zeros([count, cells, self.tiles + 1], dtype=torch.float64, device=device)
                forced.scatter_(2, (fixed[:, line] + 1).unsqueeze(2), float(self.FORCED))
                noise = noise + forced[:, :, 1:].transpose(0, 1)
            first = (line + margin) * across + margin
            for cell in range(cells):
                around = flat.index_select(1, where[cell])
                numbers = torch.bucketize(remaining, self.number_steps, right=True)
                seen = self.lstm.look(torch.cat([around, numbers, told[cell]], 1).add_(base), starts)
                state, cell_state = self.lstm.step(seen, state, cell_state, weight)
                logits = self.lstm.logits(seen, state, out)
                if top_k > 0 and top_k < self.tiles:
                    least = logits.topk(top_k, 1)[0][:, top_k - 1 :]
                    logits = logits - (logits < least).to(torch.float32) * self.BEYOND_TOP
                if any_asked:
                    logits = logits - torch.mm((remaining <= 0).to(torch.float32), spends)
                    if nearing > 0:
                        logits = logits + torch.mm(((remaining > 0) & due).to(torch.float32) * nearing, owes)
                if self.joins:
                    logits = logits - self.joining.costs(rooms, begun, lines, line, cell)
                tile = torch.add(noise[cell], logits, alpha=self.TEMPERATURE_STEPS).argmax(1)
                flat.select(1, first + cell).copy_(tile)
                if self.joins:
                    self.joining.write(rooms, begun, line, cell, tile)
                written = self.members.index_select(0, tile)
                if any_given:
                    written = written * free[:, line, cell].unsqueeze(1)
                remaining = remaining - written
        if self.by_columns:
            inner = inner.transpose(1, 2).flip(1)
        return inner.to(torch.uint8)
