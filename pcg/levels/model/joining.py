"""Keeps a dungeon's rooms joined while a level is generated: a constraint in the sampler (pcg/levels/model/sampler.py).

The tiles so far end in a frontier: for each cell its latest tile, of this line or of the line before. A room is open as
long as it has a tile in the frontier. If the next tile may close a room, all tiles that would close it come after all
other tiles, unless it is the only room and the level is near its end. The network continues from the opening that it
had to leave, with a passage or another room. Eller's algorithm generates mazes line by line in the same way.

Given tiles are not changed, so a room can still be closed around given tiles.
"""

from typing import Final

import torch
from torch import Tensor, nn

KEPT_OPEN = 2.0**17  # in logit steps; more than BEYOND_TOP, less than SPENT of the sampler
LAST_LINES = 3  # the lines in which the only room may end; no room begins after it


class Joining(nn.Module):
    """Tracks the room of each frontier tile, and penalises tiles that would close a room off.

    `entered`: for each tile, whether the player can walk into it. `rooms` are int64 (N, cells + 1), the number of the
    room, 0 where the player can't walk; the first column lies left of the level and is always 0. They change in place.
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
        """The penalties of the tiles that would separate rooms: float32 (N, tiles).

        In the last line but one, all open rooms are led together, so that the level's edge can be closed.

        Args:
            rooms: the frontier.
            begun: bool (N,), whether there has been a room.
            lines: number of lines of the level.
            line: the line of the next tile.
            cell: its cell.
        """
        up = rooms.select(1, cell + 1)
        of_up = rooms == up.unsqueeze(1)
        if line < lines - self.LAST_LINES:  # here any room that ends would be closed off
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
        """Update the frontier with the tiles (N,) of a cell: each continues a room, joins two rooms, or begins one."""
        left, up = rooms.select(1, cell), rooms.select(1, cell + 1)
        entered = self.entered.index_select(0, tile)
        fresh = torch.full_like(up, line * rooms.shape[1] + cell + 1)
        here = torch.where(left > 0, left, torch.where(up > 0, up, fresh)) * entered
        joined = (entered * left * up > 0).unsqueeze(1) & (rooms == up.unsqueeze(1))
        rooms.copy_(torch.where(joined, left.unsqueeze(1), rooms))
        rooms.select(1, cell + 1).copy_(here)
        begun.logical_or_(entered > 0)
