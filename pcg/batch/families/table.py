"""The kinds of asset that a batch makes."""

from __future__ import annotations

from collections.abc import Mapping

from pcg.batch.families.characters import CHARACTER, MONSTER_FAMILY
from pcg.batch.families.family import Family
from pcg.batch.families.levels import LEVEL
from pcg.batch.families.terrain import TERRAIN

FAMILIES: Mapping[str, Family] = {family.kind: family for family in (TERRAIN, CHARACTER, MONSTER_FAMILY, LEVEL)}
