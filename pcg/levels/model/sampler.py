"""The sampling loop inside the scripted module: whole levels in one call, the same bits on every machine.

The logits come from a TileModel (exact_lstm.py or exact_ngram.py). A tile is the argmax of its integer logits plus
hashed Gumbel noise from a table (Gumbel-max sampling), in whole steps; of equal values the lowest tile number wins.
"""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from pcg.exact import hash_grid, key, mix
from pcg.levels.corpus.examples import members
from pcg.levels.corpus.games import Alphabet
from pcg.levels.model.context import AROUND, DIFFICULTIES, MARGIN, STEPS, UNTOLD, Context
from pcg.levels.model.exact_lstm import LOGIT_STEPS, TileModel
from pcg.levels.model.joining import Joining

STREAM = 3000
TEMPERATURE_STEPS = 100  # temperature one
NOISE_BITS = 16
# Penalties in logit steps. All logits stay far below the first one; the costs of joining.py lie between the two.
BEYOND_TOP, SPENT = 2.0**16, 2.0**18
DUE_LINES, DUE_STEPS = 8, 2 * LOGIT_STEPS  # in the last lines a due tile becomes likelier by e^2 with each line
FORCED = 2**30  # in units of the sum of noise and logits; larger than any such sum


def gumbel_table() -> Tensor:
    """The quantiles of the Gumbel distribution, -ln(-ln(u)), in whole steps of a logit: float64 (65536,)."""
    u = (torch.arange(2**NOISE_BITS, dtype=torch.float64) + 0.5) / 2**NOISE_BITS
    return (-(-u.log()).log() * LOGIT_STEPS).round()


class LevelSampler(nn.Module):
    """Generates levels tile by tile: forward(seed, candidate, width, height, difficulty, counts, fixed, ...).

    `members` int64 (tiles, counts): 1 where a tile belongs to a count. `due` int64 (counts,): 1 where a requested count
    is to be placed before the level ends. `entered` int64 (tiles,): 1 where the player can walk into a tile, if all
    rooms are to be joined; else all 0.
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

    def matrices(self) -> tuple[Tensor, Tensor]:
        """The weights of the step in the chosen precision, and those of the logits."""
        weight = self.lstm.weight
        if self.precision == 32:
            weight = weight.to(torch.float32)
        elif self.precision == 64:
            weight = weight.to(torch.float64)
        return weight, self.lstm.out.to(torch.float32)

    def start_grid(self, fixed: Tensor) -> Tensor:
        """The level before the first tile, with its margin: int64 (N, lines + 2 MARGIN, cells + 2 MARGIN)."""
        count, lines, cells = fixed.shape
        margin = self.MARGIN
        size = [count, lines + 2 * margin, cells + 2 * margin]
        grid = torch.full(size, self.tiles, dtype=torch.int64, device=fixed.device)
        inner = grid[:, margin : margin + lines, margin : margin + cells]
        inner.copy_(torch.where(fixed >= 0, fixed, torch.full_like(fixed, self.tiles + 1)))
        return grid

    def count_down(self, counts: Tensor, fixed: Tensor) -> Tensor:
        """The remaining number of each count, without the fixed tiles: int64 (N, counts)."""
        remaining = torch.where(counts < 0, torch.full_like(counts, self.UNTOLD), counts)
        for kind in range(self.members.shape[1]):
            already = self.members[:, kind].index_select(0, fixed.reshape(-1).clamp(min=0)).view(fixed.shape)
            remaining[:, kind] -= (already * (fixed >= 0)).flatten(1).sum(1)
        return remaining

    def difficulty_step(self, difficulty: Tensor) -> Tensor:
        """The same as pcg.levels.model.context.difficulty_step, for difficulties from 0 to 100: int64 (N,)."""
        step = torch.div(difficulty, 100 // self.DIFFICULTIES, rounding_mode="floor").clamp(max=self.DIFFICULTIES - 1)
        return torch.where(difficulty < 0, torch.full_like(step, self.DIFFICULTIES), step)

    def places(self, lines: int, cells: int, line: int) -> Tensor:
        """The same as pcg.levels.model.context.places: int64 (cells, around)."""
        stride = cells + 2 * self.MARGIN
        cell = torch.arange(cells, device=self.around.device)
        here = (line + self.MARGIN) * stride + self.MARGIN + cell
        opposite = (lines - 1 - line + self.MARGIN) * stride + self.MARGIN + cell
        near = here.unsqueeze(1) + (self.around[:, 0] * stride + self.around[:, 1])
        return torch.cat([near, (here + cells - 1 - 2 * cell).unsqueeze(1), opposite.unsqueeze(1)], 1)

    def told(self, lines: int, cells: int, line: int, difficulty: Tensor) -> Tensor:
        """The steps of the distances to the edges and of the difficulty, for a line: int64 (cells, N, edges + 1)."""
        cell = torch.arange(cells, device=difficulty.device)
        before = torch.full_like(cell, line)
        edges = torch.stack([before, lines - 1 - before, cell, cells - 1 - cell], 1)
        rows = torch.bucketize(edges, self.number_steps, right=True)
        count = difficulty.shape[0]
        expanded = rows.unsqueeze(1).expand(cells, count, rows.shape[1])
        return torch.cat([expanded, difficulty.view(1, count, 1).expand(cells, count, 1)], 2)

    def noise(self, key: Tensor, line: int, cells: int, temperature: int) -> Tensor:
        """Gumbel noise of a line's tiles: float64 (cells, N, tiles); a little less for higher numbers, against ties."""
        device, count = key.device, key.shape[0]
        row = (torch.arange(cells, device=device) + (line << 20)).unsqueeze(0).expand(count, cells)
        column = torch.arange((self.tiles + 3) // 4, device=device).unsqueeze(0).expand(count, -1)
        bits = hash_grid(key, row, column).unsqueeze(3) >> torch.arange(0, 64, 16, device=device)
        index = (bits & 65535).reshape(count, cells, -1)[:, :, : self.tiles].transpose(0, 1).contiguous()
        drawn = self.gumbel.index_select(0, index.view(-1)).view(index.shape)
        return drawn * temperature - torch.arange(self.tiles, device=device) / 256.0

    def force(self, noise: Tensor, fixed: Tensor) -> Tensor:
        """A line's noise (cells, N, tiles), raised for the fixed tiles int64 (N, cells) so that they win."""
        count, cells = fixed.shape
        forced = torch.zeros([count, cells, self.tiles + 1], dtype=torch.float64, device=fixed.device)
        forced.scatter_(2, (fixed + 1).unsqueeze(2), float(self.FORCED))  # a free cell is column 0, which is cut off
        return noise + forced[:, :, 1:].transpose(0, 1)

    def keep_top(self, logits: Tensor, top_k: int) -> Tensor:
        """Logits (N, tiles) with a penalty for all but the top_k likeliest tiles."""
        least = logits.topk(top_k, 1)[0][:, top_k - 1 :]  # (N, 1)
        return logits - (logits < least).to(torch.float32) * self.BEYOND_TOP

    def follow_counts(
        self, logits: Tensor, remaining: Tensor, due: Tensor, spends: Tensor, owes: Tensor, nearing: int
    ) -> Tensor:
        """Logits (N, tiles) that follow the counts: tiles of a used-up count get a penalty, those of a due one a bonus.

        remaining: int64 (N, counts). due: bool (N, counts). spends, owes: float32 (counts, tiles), what a tile of a
        count costs or gains. nearing: the line's number among the last DUE_LINES, below 1 before them.
        """
        logits = logits - torch.mm((remaining <= 0).to(torch.float32), spends)
        if nearing > 0:
            logits = logits + torch.mm(((remaining > 0) & due).to(torch.float32) * nearing, owes)
        return logits

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
        100, -1 where the model is free. counts: int64 (N, counts), the number of tiles of each count, -1 where the
        model is free; never exceeded, and rarely missed. fixed: int64 (N, height, width), the number of each fixed
        tile, -1 where there is none. temperature: in hundredths. top_k: only the top_k likeliest tiles are drawn, 0
        for all; the runtime always passes 0, but the argument is part of every model file's interface.
        """
        lines, cells = height, width
        if self.by_columns:
            lines, cells = width, height
            fixed = fixed.flip(1).transpose(1, 2)  # (N, lines, cells)
        count, device, margin = seed.shape[0], seed.device, self.MARGIN
        any_fixed, any_counts = bool((fixed >= 0).any()), bool((counts >= 0).any())
        free = (fixed < 0).to(torch.int64)  # (N, lines, cells)
        grid = self.start_grid(fixed)  # (N, lines + 2 margin, cells + 2 margin)
        flat = grid.view(count, -1)
        remaining = self.count_down(counts, fixed)  # (N, counts)
        step = self.difficulty_step(difficulty)  # (N,)
        key_ = mix(key(seed, self.STREAM) + candidate)  # (N,)
        weight, out = self.matrices()  # (seen + memory, 4 memory), (seen + memory, tiles)
        due = (counts >= 0) & (self.due > 0)  # (N, counts)
        spends = self.members.t().to(torch.float32) * self.SPENT  # (counts, tiles)
        owes = self.members.t().to(torch.float32) * self.DUE_STEPS  # (counts, tiles)
        base = torch.cat([self.around_base, self.count_base, self.told_base])  # (J,)
        starts = torch.arange(0, count * base.shape[0], base.shape[0], device=device)  # (N,)
        state = torch.zeros([count, self.lstm.memory], device=device)  # (N, memory)
        cell_state = torch.zeros_like(state)  # (N, memory)
        rooms = torch.zeros([count, cells + 1], dtype=torch.int64, device=device)
        begun = torch.zeros([count], dtype=torch.bool, device=device)
        for line in range(lines):
            where = self.places(lines, cells, line)  # (cells, around)
            told = self.told(lines, cells, line, step)  # (cells, N, edges + 1)
            noise = self.noise(key_, line, cells, temperature)  # (cells, N, tiles)
            if any_fixed:
                noise = self.force(noise, fixed[:, line])
            nearing = self.DUE_LINES - (lines - line)
            first = (line + margin) * (cells + 2 * margin) + margin
            for cell in range(cells):
                around = flat.index_select(1, where[cell])  # (N, around)
                numbers = torch.bucketize(remaining, self.number_steps, right=True)  # (N, counts)
                rows = torch.cat([around, numbers, told[cell]], 1).add_(base)  # (N, J)
                seen = self.lstm.look(rows, starts)  # (N, seen)
                state, cell_state = self.lstm.step(seen, state, cell_state, weight)
                logits = self.lstm.logits(seen, state, out)  # (N, tiles)
                if top_k > 0 and top_k < self.tiles:
                    logits = self.keep_top(logits, top_k)
                if any_counts:
                    logits = self.follow_counts(logits, remaining, due, spends, owes, nearing)
                if self.joins:
                    logits = logits - self.joining.costs(rooms, begun, lines, line, cell)
                tile = torch.add(noise[cell], logits, alpha=self.TEMPERATURE_STEPS).argmax(1)  # (N,)
                flat.select(1, first + cell).copy_(tile)
                if self.joins:
                    self.joining.write(rooms, begun, line, cell, tile)
                counted = self.members.index_select(0, tile)  # (N, counts)
                if any_fixed:
                    counted = counted * free[:, line, cell].unsqueeze(1)
                remaining = remaining - counted
        levels = grid[:, margin : margin + lines, margin : margin + cells]  # (N, lines, cells)
        if self.by_columns:
            levels = levels.transpose(1, 2).flip(1)  # (N, height, width)
        return levels.to(torch.uint8)


def make_sampler(
    exact: TileModel, alphabet: Alphabet, *, by_columns: bool, joined: str = "", due: Sequence[str] = ()
) -> LevelSampler:
    """The sampling module of a quantised network or an n-gram.

    exact: what gives the logits. alphabet: the game's tiles and counts. by_columns, joined, due: as in LevelGame.
    """
    context = Context(len(alphabet.tiles), len(alphabet.counts))
    kinds = torch.from_numpy(members(alphabet.tiles, list(alphabet.counts.values())))
    owed = torch.tensor([int(name in due) for name in alphabet.counts])
    entered = torch.tensor([int(char in joined) for char in alphabet.tiles])
    return LevelSampler(exact, context, kinds, owed, entered, by_columns=by_columns).eval()
