"""How the tiles of a custom game are drawn: by what they do, and no two of them alike."""

from __future__ import annotations

import string
from typing import Any

import numpy as np
import pytest

from pcg.writers.levels.tiles import KINDS, draw
from pcg.writers.levels.tileset import tileset
from runtime.content.levels.custom.game import CustomGame
from runtime.content.levels.games import custom_game

ENDS: dict[str, Any] = {
    ".": {"name": "air"},
    "S": {"name": "start", "start": True},
    "G": {"name": "exit", "goal": True},
}


def game_of(tiles: dict[str, Any]) -> CustomGame:
    return custom_game({"movement": "walk", "name": "castle", "tiles": ENDS | tiles})


def test_solids_doors_and_stairs_are_told_apart() -> None:
    game = game_of(
        {
            "#": {"name": "rock", "solid": True},
            "B": {"name": "brick", "solid": True},
            "D": {"name": "door"},
            "<": {"name": "stairs"},
            "H": {"name": "ladder", "climbable": True},
        }
    )
    drawn = {char: draw(game, tile).pixels.tobytes() for char, tile in game.tiles.items()}
    assert len(set(drawn.values())) == len(drawn)
    assert not np.frombuffer(drawn["."], np.uint8).any()  # air alone is not seen
    assert all(np.frombuffer(drawn[char], np.uint8).any() for char in "DH<")
    assert tileset(game).shape == (16, 128, 4)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("start", "goal")])
def test_any_number_of_a_kind_is_told_apart(kind: str) -> None:
    characters = [char for char in string.ascii_letters + string.digits + "☃門あ" if char not in ENDS]
    game = game_of({char: {"name": f"tile {char}"} | ({kind: True} if kind else {}) for char in characters})
    drawn = {draw(game, tile).pixels.tobytes() for tile in game.tiles.values()}
    assert len(drawn) == len(game.tiles)


def test_a_drawing_follows_from_the_legend_alone() -> None:
    tiles = {char: {"name": char, "solid": True} for char in "abc"}
    assert (tileset(game_of(tiles)) == tileset(game_of(tiles))).all()
