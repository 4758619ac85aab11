"""Which lesson each model is taught."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pcg.characters.front.objective import FrontLesson
from pcg.characters.grading import Lesson
from pcg.characters.monster.objective import MonsterLesson
from pcg.characters.walk.objective import WalkLesson

LESSONS: dict[str, Callable[[Path], Lesson]] = {
    "character-front": FrontLesson,
    "character-walk": WalkLesson,
    "monster": MonsterLesson,
}
