"""Reads the hand-drawn layers of the Universal LPC character generator from the data folder.

`lpc/NAME.npz` holds `idx` (sheets, 256, 576) palette indices of walk sheets, `pal` (n, 256, 4) palettes, and `entries`,
a JSON list: each entry has an item's sheet, the palettes of its variants, its depth, the bodies that it fits and how it
can be recoloured. `palettes.json` has the colour tables for recolouring.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FILES = (
    *("body", "head", "face", "hair", "torso", "legs", "feet", "arms"),
    *("waist", "neck", "hat", "back", "weapon", "shield"),
)  # not the shadow: its alpha is partial
# Wings of partial alpha, a body that has no head, and weapons that turn as they are carried: the front view does not
# determine how they lie in the other frames.
LEFT_OUT = (
    *("wings_dragonfly_transparent", "wings_pixie_transparent", "body_zombie"),
    *("weapon_magic_diamond", "weapon_magic_gnarled", "weapon_magic_loop", "weapon_magic_s", "weapon_magic_simple"),
    *("weapon_ranged_crossbow", "weapon_sword_glowsword", "weapon_sword_longsword", "weapon_sword_rapier"),
)
OPAQUE = 128  # a pixel of at least this alpha counts as opaque
BASES = {
    "body": "ulpc.light",
    "hair": "ulpc.orange",
    "cloth": "ulpc.white",
    "metal": "ulpc.steel",
    "eye": "ulpc.blue",
}  # the default table that a recolourable layer is drawn in

Table = NDArray[np.uint8]  # (colours, 3), from dark to light


@dataclass(frozen=True)
class Recolour:
    """A recolouring: the colours `source` (n, 3) of a layer are replaced by those of a table of `material`.

    `name`: of the table in which the layer is drawn; empty where no table has its colours.
    """

    material: str
    source: Table
    name: str = ""


@dataclass(frozen=True)
class Sheet:
    """One layer: `pixels` (256, 576) palette indices, `palettes` (variants, 256, 4), its depth `z` and its bodies."""

    bodies: frozenset[str]
    z: int
    pixels: NDArray[np.uint8]
    palettes: NDArray[np.uint8]

    def counts(self) -> NDArray[np.int64]:
        """The number of pixels of each of the 256 palette indices; 0 if it is transparent in most variants."""
        counts = np.bincount(self.pixels.ravel(), minlength=256)
        return np.where((self.palettes[:, :, 3] >= OPAQUE).mean(0) >= 0.5, counts, 0)


@dataclass(frozen=True)
class Item:
    """Something to wear, or a part of a body; it has one or more layers for each body."""

    name: str
    kind: str
    tags: frozenset[str]
    variants: tuple[str, ...]
    recolours: tuple[Recolour, ...]
    sheets: tuple[Sheet, ...]

    def fits(self, body: str) -> bool:
        """Whether it has a layer for a body."""
        return any(body in sheet.bodies for sheet in self.sheets)


@dataclass(frozen=True)
class Layers:
    """All items by name, and the colour tables by material and name."""

    items: dict[str, Item]
    tables: dict[str, dict[str, Table]]


def read_layers(folder: Path) -> Layers:
    """The layers of a data folder, which holds them in lpc/.

    Raises:
        FileNotFoundError: a file is missing; the message names it.
    """
    root = folder / "lpc"
    if not (root / "palettes.json").exists():
        raise FileNotFoundError(f"{folder} holds no lpc/palettes.json; give the folder of the character data")
    named = _read_tables(root / "palettes.json")
    items: dict[str, Item] = {}
    for name in FILES:
        with np.load(root / f"{name}.npz") as file:
            sheets, palettes, entries = file["idx"], file["pal"], json.loads(str(file["entries"]))
        together: dict[str, list[dict[str, Any]]] = {}
        for entry in entries:
            together.setdefault(entry["item"], []).append(entry)
        for item, parts in together.items():
            if item not in LEFT_OUT:
                items[item] = _item(item, parts, sheets, palettes, named)
    tables: dict[str, dict[str, Table]] = {}
    for material in BASES:  # where both sets have a name, the colours of ulpc are used
        tables[material] = named.get(f"{material}.lpcr", {}) | named[f"{material}.ulpc"]
    return Layers(items, tables)


def _read_tables(path: Path) -> dict[str, dict[str, Table]]:
    return {
        group: {name: _table(colours) for name, colours in tables.items()}
        for group, tables in json.loads(path.read_text()).items()
    }


def _table(colours: list[str]) -> Table:
    return np.array([list(bytes.fromhex(colour.removeprefix("#"))) for colour in colours], np.uint8)


def _item(
    name: str,
    parts: list[dict[str, Any]],
    sheets: NDArray[np.uint8],
    palettes: NDArray[np.uint8],
    named: dict[str, dict[str, Table]],
) -> Item:
    first = parts[0]
    variants = tuple(v for v in first["variants"] if all(v in part["variants"] for part in parts))
    layers = []
    for part in parts:
        rows = [part["pal"] + part["variants"].index(v) for v in variants]
        layers.append(Sheet(frozenset(part["body"]), part["z"], sheets[part["sheet"]], palettes[rows]))
    given = first["recolors"] or {}
    recolours = tuple(_recolour(r, named) for r in ([given] if "material" in given else given.values()))
    return Item(name, first["type"], frozenset(first["tags"]), variants, recolours, tuple(layers))


def _recolour(given: dict[str, Any], named: dict[str, dict[str, Table]]) -> Recolour:
    material = given["material"]
    if given.get("source"):
        return Recolour(material, _table(given["source"]))
    base = given.get("base") or BASES[material]
    version, _, name = base.rpartition(".")
    return Recolour(material, named[f"{material}.{version or 'ulpc'}"][name], name)
