"""A tile level, as the writers write it and the readers return it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runtime.content.levels.games import find_game
from runtime.content.levels.rules import Game, find, goals_of, starts_of

Find = Callable[[str], Game]  # finds a game by its name; raises ValueError


@dataclass(frozen=True)
class Level:
    """A level of a game: its rows from the top down, one character a tile.

    `game`: "" if the file that it was read from names none. `solution`: the moves that complete it, if known.
    `provenance`: what made it, if it was generated. `custom`: the game, if it is a custom one.
    """

    game: str
    rows: tuple[str, ...]
    solution: str | None = None
    provenance: Mapping[str, Any] | None = None
    custom: Game | None = None

    @property
    def rules(self) -> Game:
        """The game's tiles and moves."""
        return self.custom or find_game(self.game)

    def about(self) -> dict[str, Any]:
        """The level's metadata as JSON values; places are [column, row]."""
        game = self.rules
        enemies = "".join(tile.char for tile in game.tiles.values() if tile.enemy)
        used = set("".join(self.rows))
        said: dict[str, Any] = {
            "game": game.name,
            "width": len(self.rows[0]),
            "height": len(self.rows),
            "legend": {char: tile.name for char, tile in game.tiles.items() if char in used},
            "start": next(iter(self._places(starts_of(game))), None),
            "goals": self._places(goals_of(game)),
            "enemies": self._places(enemies),
            "solution": self.solution,
        }
        return said | ({"provenance": dict(self.provenance)} if self.provenance else {})

    def _places(self, chars: str) -> list[list[int]]:
        return [[x, y] for y, x in find(self.rows, chars)]
