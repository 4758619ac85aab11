"""Each game's player: it plays given moves by the rules, without the search that found them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from runtime.content.levels.custom import replay as own_replay
from runtime.content.levels.custom.game import OwnGame
from runtime.content.levels.dungeon import replay as dungeon_replay
from runtime.content.levels.platformer import replay as platformer_replay
from runtime.content.levels.rules import Game
from runtime.content.levels.runner import replay as runner_replay
from runtime.content.levels.sokoban import replay as sokoban_replay


@dataclass(frozen=True)
class Player:
    """`replay(rows, moves)`: whether the moves complete the level. `path`: the player's middle, (x, y) in pixels.

    The path begins with the start and has a place for each move. Both raise IllegalMove, and ValueError for rows that
    are no level.
    """

    replay: Callable[[Sequence[str], str], bool]
    path: Callable[[Sequence[str], str], list[tuple[int, int]]]


PLAYERS: Mapping[str, Player] = {
    "sokoban": Player(sokoban_replay.replay, sokoban_replay.path),
    "dungeon": Player(dungeon_replay.replay, dungeon_replay.path),
    "platformer": Player(platformer_replay.replay, platformer_replay.path),
    "runner": Player(runner_replay.replay, runner_replay.path),
}


def player_of(game: Game) -> Player:
    """The game's player."""
    if isinstance(game, OwnGame):
        return Player(partial(own_replay.replay, game), partial(own_replay.path, game))
    return PLAYERS[game.name]
