"""A typed reader of LDtk's format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ldtkpy.api import LdtkJSON


def parsed(path: Path) -> Any:
    """The project in ldtkpy's classes, which check the type of every field of format 1.4."""
    made = json.loads(path.read_text())
    for layer in made["defs"]["layers"]:
        for group in layer["autoRuleGroups"]:
            for rule in group["rules"]:
                [rule["tileIds"]] = rule["tileRectsIds"]  # its name since 1.5
    return LdtkJSON.from_dict(made)
