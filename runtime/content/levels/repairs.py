"""What is done to the candidates of each game: start, goal and what else belongs into a level; small edits."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass

from runtime.content.levels.custom import repair as own_repair
from runtime.content.levels.custom.game import OwnGame
from runtime.content.levels.dungeon import repair as dungeon_repair
from runtime.content.levels.feasibility import pairs
from runtime.content.levels.picking import pick
from runtime.content.levels.platformer import repair as platformer_repair
from runtime.content.levels.requests import Wishes
from runtime.content.levels.rules import Cell, Game, Outcome, Prove
from runtime.content.levels.runner import repair as runner_repair
from runtime.content.levels.sokoban import repair as sokoban_repair


@dataclass(frozen=True)
class Repair:
    """What is done to a game's candidates; `kept` are the places of given tiles.

    `arrange(wishes, number, rows, kept)`: the level with its start, its goal and what else the game needs; raises
    ValueError. `mend(rows, kept, prove)`: the level after small edits with its solution, or None.
    """

    arrange: Callable[[Wishes, int, Sequence[str], Set[Cell]], list[str]]
    mend: Callable[[Sequence[str], Set[Cell], Prove], tuple[list[str], Outcome] | None]


def asked_pairs(wishes: Wishes, number: int) -> int:
    """Boxes, and targets, of a candidate of Sokoban: as asked for; else those of the level to vary; else four, fewer
    where there is no room for them.
    """
    least, most = pairs(wishes)
    if wishes.ranges.keys() & {"boxes", "targets"}:
        return least + pick(wishes.seed, number, "boxes", most - least + 1)
    height, width = wishes.shape
    if wishes.base is not None:
        usual = int((wishes.base == wishes.tiles.index("$")).sum())
    else:
        usual = min(4, (height - 2) * (width - 2) // 9)
    return min(max(usual, least), most)


def _arrange_sokoban(wishes: Wishes, number: int, rows: Sequence[str], kept: Set[Cell]) -> list[str]:
    return sokoban_repair.arrange(rows, kept, asked_pairs(wishes, number))


def _arrange_runner(wishes: Wishes, _number: int, rows: Sequence[str], kept: Set[Cell]) -> list[str]:
    gold = wishes.ranges.get("gold", (1, 1))[1] > 0
    return runner_repair.arrange(rows, kept, gold, wishes.ranges.get("enemies"))


def _arrange_platformer(wishes: Wishes, _number: int, rows: Sequence[str], kept: Set[Cell]) -> list[str]:
    return platformer_repair.arrange(rows, kept, anywhere=wishes.base is not None or "goals" in wishes.ranges)


# The games that are generated. Each also has its labour (difficulty.LABOURS) and a look ahead (possible.CHECKS).
REPAIRS: Mapping[str, Repair] = {
    "sokoban": Repair(_arrange_sokoban, sokoban_repair.mend),
    "dungeon": Repair(lambda _wishes, _number, rows, kept: dungeon_repair.arrange(rows, kept), dungeon_repair.mend),
    "platformer": Repair(_arrange_platformer, platformer_repair.mend),
    "runner": Repair(_arrange_runner, runner_repair.mend),
}


def repair_of(game: Game) -> Repair:
    """What is done to a game's candidates."""
    if isinstance(game, OwnGame):
        return Repair(
            lambda _wishes, _number, rows, kept: own_repair.arrange(game, rows, kept),
            functools.partial(own_repair.mend, game),
        )
    return REPAIRS[game.name]
