"""Rooms that stay joined while they are written: a look ahead inside the sampler (pcg/levels/model/sampler.py).

What has been written of a level ends in a frontier: in each cell the tile that was written there last, of this line or
of the one before. A room lives as long as it has a tile there. Before a tile is drawn that may be its last one, all
that would close the room are put behind all others, unless it is the only room and the level is near its end. The
network goes on from the way out that it had to leave, with a passage or another room, as from any. Eller's algorithm
writes mazes line by line in this manner.

A tile that is given stays what it is, so around given tiles a room can be closed all the same.
"""

from typing import Final

import torch
from torch import Tensor, nn

KEPT_OPEN = 2.0**17  # in logit steps, beyond what is not among the likeliest; `.` is never spent
LAST_LINES = 3  # in which the only room may come to its end, and nothing begins after it


class Joining(nn.Module):
    """Which room each tile of the frontier belongs to, and what may be written so that none is closed off.

    `entered`: for each tile, whether one can walk into it. The rooms are int64 (N, cells + 1), a number for each, 0
    where one can't walk; the first column is what is left of the level, always 0. They are changed in place.
    """

    LAST_LINES: Final[int] = LAST_LINES
    entered: Tensor
    closing: Tensor
    opening: Tensor

    def __init__(self, entered: Tensor) -> None:
        super().__init__()
        self.register_buffer("entered", entered.to(torch.int64))
        self.register_buffer("closing", (1 - self.entered).to(torch.float32) * KEPT_OPEN)
        self.register_buffer("opening", self.entered.to(torch.float32) * KEPT_OPEN)

    def costs(self, rooms: Tensor, begun: Tensor, lines: int, line: int, cell: int) -> Tensor:
        """What is taken off the logits of the tiles that would part rooms: float32 (N, tiles).

        `begun`: (N,), whether there has been a room. The last line but one leads all that is left together, so that
        the edge stays an edge.
        """
        up = rooms.select(1, cell + 1)
        of_up = rooms == up.unsqueeze(1)
        if line < lines - self.LAST_LINES:  # whoever closes a room here closes it off
            closes = (up > 0) & (of_up.sum(1) == 1)
            return closes.to(torch.float32).unsqueeze(1) * self.closing
        left, ahead = rooms.select(1, cell), rooms[:, cell + 2 :]
        if line < lines - 2:
            closes = (up > 0) & (of_up.sum(1) == 1)
            others = ((rooms > 0) & ~of_up).any(1)
            ended = begun & ~(rooms > 0).any(1)
        else:
            up_closes = (up > 0) & ~of_up[:, cell + 2 :].any(1)
            left_closes = (left > 0) & ~(ahead == left.unsqueeze(1)).any(1)
            closes = up_closes | left_closes
            others = (ahead > 0).any(1) | (up_closes & left_closes & (up != left))
            ended = begun & ~(ahead > 0).any(1)
            if line == lines - 1:
                ended = torch.ones_like(ended)
        kept = (closes & others).to(torch.float32).unsqueeze(1) * self.closing
        return kept + (ended & (up == 0) & (left == 0)).to(torch.float32).unsqueeze(1) * self.opening

    def write(self, rooms: Tensor, begun: Tensor, line: int, cell: int, tile: Tensor) -> None:
        """Note the tiles (N,) that were written in a cell: they go on a room, join two, or begin one."""
        left, up = rooms.select(1, cell), rooms.select(1, cell + 1)
        entered = self.entered.index_select(0, tile)
        fresh = torch.full_like(up, line * rooms.shape[1] + cell + 1)
        here = torch.where(left > 0, left, torch.where(up > 0, up, fresh)) * entered
        joined = (entered * left * up > 0).unsqueeze(1) & (rooms == up.unsqueeze(1))
        rooms.copy_(torch.where(joined, left.unsqueeze(1), rooms))
        rooms.select(1, cell + 1).copy_(here)
        begun.logical_or_(entered > 0)
