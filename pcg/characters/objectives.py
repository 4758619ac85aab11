"""The objective of each character model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pcg.characters.front.objective import FrontObjective
from pcg.characters.losses import Objective
from pcg.characters.monster.objective import MonsterObjective
from pcg.characters.walk.objective import WalkObjective

OBJECTIVES: dict[str, Callable[[Path], Objective]] = {
    "character-front": FrontObjective,
    "character-walk": WalkObjective,
    "monster": MonsterObjective,
}
