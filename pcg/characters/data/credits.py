"""The sources of the training data and their artists, for the model card and for the credits of every sheet."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

LAYERS = "Liberated Pixel Cup character layers"
TILES = "Dungeon Crawl Stone Soup tiles"


def describe_layers(folder: Path) -> dict[str, Any]:
    """The layers' part of data.json: `sources`, one a licence, and `credits`, a text that names all artists.

    Raises:
        FileNotFoundError: the folder holds no lpc/CREDITS.csv.
    """
    path = folder / "lpc" / "CREDITS.csv"
    if not path.exists():
        raise FileNotFoundError(f"{folder} holds no lpc/CREDITS.csv, which names the artists")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    counts: dict[str, int] = {}
    pages: dict[tuple[str, str], dict[str, None]] = {}
    for row in rows:
        licence = row["permissive option"]
        counts[licence] = counts.get(licence, 0) + 1
        pages.setdefault((row["authors"], licence), {}).update(dict.fromkeys(row["urls"].split()))
    sources = [{"name": LAYERS, "licence": name, "count": n, "unit": "sheets"} for name, n in sorted(counts.items())]
    lines = ["\n  ".join((f"{authors} ({licence}):", *urls)) for (authors, licence), urls in sorted(pages.items())]
    head = f"{LAYERS}, each under the licence named (any of those listed):\n\n"
    return {"sources": sources, "credits": head + "\n".join(lines) + "\n"}


def describe_tiles(count: int) -> dict[str, Any]:
    """The same for the monsters' tiles; their licence needs no credit."""
    credits = f"{TILES} (CC0 1.0), by the artists of the game; see crawl-ref/CREDITS.txt in its repository.\n"
    return {"sources": [{"name": TILES, "licence": "CC0 1.0", "count": count, "unit": "tiles"}], "credits": credits}
