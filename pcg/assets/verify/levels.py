"""Verifying levels: they are made again from their provenance and compared."""

from __future__ import annotations

from pathlib import Path

from pcg.assets.levels import METHOD, TOLD_BESIDE, finder
from pcg.assets.region import Runtime, other_version
from pcg.writers.levels.tilemap import DECODERS, read_level
from pcg.writers.provenance import read_asset

CARRIES_OTHERS = (".png", ".json")  # suffixes that other assets have as well


def is_level(path: Path) -> bool:
    """Whether a file is a level, made here or not, and no asset of another kind."""
    suffix = path.suffix.lower()
    if suffix not in CARRIES_OTHERS:
        return suffix in DECODERS
    try:
        return str(read_asset(path)["provenance"]["method"]).startswith("levels.")
    except (OSError, ValueError, LookupError, TypeError):
        return False


def verify_level(runtime: Runtime, path: Path) -> str | None:
    """Make a level again and compare its tiles and its solution.

    Returns:
        What is wrong, or None.

    Raises:
        as `pcg.assets.verify.faults` lists, if the file is damaged.
    """
    level = read_level(path, find=finder(runtime))
    said = read_asset(path) if path.suffix.lower() in TOLD_BESIDE else {}
    made = said.get("provenance", level.provenance)
    if made is None:
        return f"{path} carries no provenance: it was not generated, or not by this project"
    if made["method"] != METHOD:
        return f"its provenance names {made['method']!r:.40}, which makes no levels"
    if (other := other_version(runtime, made)) is not None:
        return other
    again = runtime.call(METHOD, **made["params"])
    found, rows = list(level.rows), list(again["rows"])
    if path.suffix.lower() == ".txt":  # the reader drops rows of spaces at both ends
        while not rows[0].strip():
            rows.pop(0)
        while not rows[-1].strip():
            rows.pop()
    if [len(row) for row in found] != [len(row) for row in rows]:
        return f"has {len(found)} rows, should have {len(rows)}, or they are of another length"
    differing = sum(a != b for old, new in zip(found, rows, strict=True) for a, b in zip(old, new, strict=True))
    if differing:
        return f"{differing} of {sum(map(len, rows))} tiles differ"
    return None if said.get("solution", level.solution) == again["solution"] else "its solution differs"
