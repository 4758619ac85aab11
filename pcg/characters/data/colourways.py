"""Colourways: the colours that an item comes in, as ramps for data.json and the exported model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcg.characters.data.attributes import NONE
from pcg.characters.data.layers import Item, Recolour, Table
from pcg.characters.data.outfits import CharacterData
from pcg.characters.data.ramps import item_slots, paint_parts, ramp_of
from pcg.characters.data.rules import GREYS, skins
from pcg.characters.data.slots import SHADES, SLOTS, complete

SHARED = {"body": "skin", "hair": "hair", "eye": "eyes"}  # materials with one colour a character, and their slots
EYE_WHITE = (242, 247, 248)


def describe_colourways(data: CharacterData) -> dict[str, Any]:
    """The colours of all rows of the catalogue, for data.json.

    Returns a dict of:
        ramps: for each ramp its eight colours, as 48 hexadecimal digits.
        shared: for skin, hair and eyes, the number of the ramp of each colour's name.
        looks: for each row of the catalogue, its colourways: each a name, and the number of a ramp for each slot whose
            colour is the item's own. (The key keeps its first name, since runs on disk have it.)
        skins, hairs: for each row of a species, the names of the colours that it may have.
    """
    numbers: dict[str, int] = {}

    def number(ramp: NDArray[np.uint8]) -> int:
        return numbers.setdefault(ramp.tobytes().hex(), len(numbers))

    tables = data.layers.tables
    shared = {
        slot: {name: number(shared_ramp(material, table)) for name, table in tables[material].items()}
        for material, slot in SHARED.items()
    }
    colourways, skin_names, hair_names = [], {}, {}
    for k, (attribute, value, item) in enumerate(data.training.catalogue.rows):
        if item == NONE:
            colourways.append([{"name": NONE, "ramps": {}}])
            continue
        if attribute == "species":
            own = data.layers.items[item].recolours
            skin_names[k] = list(skins(value, own[0].name if own else ""))
            grey = [name for name in GREYS if name in tables["hair"]]
            hair_names[k] = grey if value == "elder" and grey else list(tables["hair"])
        drawn = data.layers.items["body" if attribute == "body" else item]
        colourways.append(
            [
                {"name": n, "ramps": {slot: number(r) for slot, r in ramps.items()}}
                for n, ramps in item_colourways(data, drawn)
            ]
        )
    return {"shared": shared, "looks": colourways, "skins": skin_names, "hairs": hair_names, "ramps": list(numbers)}


def shared_ramp(material: str, table: Table) -> NDArray[np.uint8]:
    """The whole ramp (8, 3) of a colour table of skin, hair or eyes."""
    ramp, known = ramp_of(Recolour(material, table), table)
    if material == "eye":
        ramp[-1], known[-1] = EYE_WHITE, True
    return complete(ramp[None], known[None])[0]


def item_colourways(data: CharacterData, item: Item) -> list[tuple[str, dict[str, NDArray[np.uint8]]]]:
    """The colourways of an item: for each a name, and a ramp (8, 3) for each slot whose colour is the item's own.

    Where an item can be recoloured in two materials, each colour of the first is paired with one of the second.
    """
    own = [r for r in item.recolours if r.material not in SHARED]
    tables = data.layers.tables
    colourways = []
    for v, variant in enumerate(item.variants):
        names = list(tables[own[0].material]) if own else [variant]
        for k, name in enumerate(names):
            chosen = {}
            for place, recolour in enumerate(own):
                choice = list(tables[recolour.material].values())
                chosen[recolour.material] = choice[(k * (1 + 2 * place) + place) % len(choice)]
            ramps, known = paint_parts(data.parts[item.name], item, v, chosen)
            whole = complete(ramps, known)
            shared = {SLOTS.index(slot) for slot in _shared_slots(item)}
            slots = zip(data.parts[item.name].slots, whole, known, strict=True)
            colourways.append((name, {SLOTS[s]: ramp for s, ramp, has in slots if has.any() and s not in shared}))
    return colourways


def _shared_slots(item: Item) -> list[str]:
    """The slots of an item that have the character's skin, hair or eye colour."""
    return [slot for slot, r in zip(item_slots(item), item.recolours, strict=False) if r.material in SHARED]


def read_ramps(described: dict[str, Any]) -> NDArray[np.uint8]:
    """The ramps of data.json, uint8 (n, 8, 3)."""
    return np.array([list(bytes.fromhex(ramp)) for ramp in described["ramps"]], np.uint8).reshape(-1, SHADES, 3)
