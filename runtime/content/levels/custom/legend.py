"""The legend that describes a custom game, as a user writes it and as its model's card stores it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec


class CustomTile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One character of a legend. `count`: the name under which its tiles are counted."""

    name: str
    solid: bool = False
    hazard: bool = False
    oneway: bool = False
    climbable: bool = False
    start: bool = False
    goal: bool = False
    enemy: bool = False
    collectible: bool = False
    count: str = ""


class Legend(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A custom game as its author describes it.

    `jump`: how many tiles a jump rises, where the player walks. `order`: the model generates row by row or column by
    column. `mirror`: which mirror images of a level are also valid levels.

    Training adds the rest. `goals`: how many goals each level has, 0 if the number differs. `tenths`: the deciles of
    the training levels' labour, least to most. `lengths`: the least length of their solutions and the first decile, as
    GameKit.length measures it. `start_area` and `goal_area`: the area of eight of ten starts and goals: left, top,
    right and bottom, in hundredths of the distance from the first column or row to the last. A field is empty in
    model files that were exported before the field existed.
    """

    movement: Literal["walk", "four-way"]
    tiles: dict[str, CustomTile]
    name: str = "custom"
    jump: Annotated[int, msgspec.Meta(ge=0, le=32)] = 4
    order: Literal["rows", "columns"] = "rows"
    mirror: Literal["none", "sideways", "all"] = "none"
    licence: str = "not stated"
    goals: int = 0
    tenths: list[int] = []
    lengths: list[int] = []
    start_area: list[int] = []
    goal_area: list[int] = []
