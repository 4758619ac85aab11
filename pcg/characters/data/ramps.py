"""Splits an item's palettes: the slot and shade of each colour, and the ramps that paint the item again.

A colour that recolouring replaces gets its shade from its place in the material's table, so shade 3 of a red shirt is
shade 3 of a green one. Items that come in ready-made variants use the same tables, which are found by the variants'
names. A colour that is in no table belongs to the trim if it is the same in every variant; otherwise it gets a shade
between the main ramp's colours by its luminance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from pcg.characters.data.layers import Item, Recolour, Table
from pcg.characters.data.slots import SHADES, SLOTS, TABLE_SHADES, spread

TRIMMED_KINDS = {  # slot -> the kinds of items that draw it and its trim
    "hair": ("hair", "beard", "mustache", "eyebrows", "ponytail", "updo"),
    "glasses": ("facial_eyes",),
    "torso": ("clothes", "dress"),
    "outer": ("armour", "chainmail", "jacket", "overalls", "apron"),
    "shoulders": ("shoulders", "bauldron"),
    "waist": ("belt", "sash"),
    "legs": ("legs",),
    "feet": ("shoes", "socks"),
    "hat": ("hat", "bandana", "headcover"),
    "neck": ("neck", "necklace"),
    "back": ("cape", "wings", "quiver"),
    "weapon": ("weapon",),
    "shield": ("shield",),
}
KIND_SLOTS: dict[str, tuple[str, ...]] = {
    "body": ("skin", "eyes", "face"),
    "head": ("skin", "eyes", "face"),
    "nose": ("skin", "face"),
    "wrinkles": ("skin", "face"),
    **{kind: (kind,) for kind in ("horns", "arms", "gloves", "bracers", "tail")},
    **{kind: (slot, f"{slot} trim") for slot, kinds in TRIMMED_KINDS.items() for kind in kinds},
}
LUMINANCE = np.array([0.299, 0.587, 0.114])
NEAR = 1  # colours whose channels differ by no more are the same, as in the LPC generator
ALIKE = 16  # a colour of no table joins a placed one up to this difference
DARK = 48.0  # a colour below this luminance belongs to the outline
CONSTANT = 8  # a colour is constant if no channel varies by more over the variants
MANY = 4  # an item with at least so many variants shows which colours are constant
AGREEING = 0.7  # share of the variants that must have a colour at one place of their tables


@dataclass(frozen=True)
class Parts:
    """An item's form and colours: for each sheet the code of each palette index, and the item's ramps.

    `codes`: (256,) uint16 a sheet, slot * 8 + shade, 0 where it is transparent. `ramps` uint8 (variants, slots of the
    item, 8, 3) and `known` (slots of the item, 8): the colours as drawn, the unknown shades zero.
    """

    slots: tuple[int, ...]
    codes: tuple[NDArray[np.uint16], ...]
    ramps: NDArray[np.uint8]
    known: NDArray[np.bool_]


def item_slots(item: Item) -> tuple[str, ...]:
    """The slots that an item draws, the main one first."""
    if item.kind == "ears":  # of the skin's colours, or an animal's of its own
        return ("skin", "face") if item.recolours else ("horns",)
    if item.kind == "head" and "human" in item.tags:
        return ("skin", "eyes")
    return KIND_SLOTS[item.kind]


def take_apart(item: Item, tables: dict[str, dict[str, Table]]) -> Parts:
    """Find slot and shade of all colours of an item. All sheets of the item share them."""
    names = item_slots(item)
    colours, pixels, where = _colours(item)
    places = _anchors(item, colours, tables)
    places = _place_others(colours, pixels, places, len(names))
    ramps = np.zeros((len(item.variants), len(names), SHADES, 3), np.uint8)
    known = np.zeros((len(names), SHADES), bool)
    for k in np.argsort(pixels):  # the most frequent colour last: it overwrites the others
        ramp, shade = places[k]
        ramps[:, ramp, shade] = colours[k]
        known[ramp, shade] = True
    slots = tuple(SLOTS.index(name) for name in names)
    codes = []
    for sheet in where:
        code = np.zeros(256, np.uint16)
        for index, k in sheet.items():
            code[index] = slots[places[k][0]] * SHADES + places[k][1]
        codes.append(code)
    return Parts(slots, tuple(codes), ramps, known)


def _colours(item: Item) -> tuple[NDArray[np.uint8], NDArray[np.int64], list[dict[int, int]]]:
    """All colours of an item (n, variants, 3), their numbers of pixels, and for each sheet palette index -> colour."""
    found: dict[bytes, int] = {}
    colours: list[NDArray[np.uint8]] = []
    pixels: list[int] = []
    where = []
    for sheet in item.sheets:
        counts, indices = sheet.counts(), {}
        for index in np.flatnonzero(counts):
            colour = sheet.palettes[:, index, :3]
            k = found.setdefault(colour.tobytes(), len(found))
            if k == len(colours):
                colours.append(colour)
                pixels.append(0)
            pixels[k] += int(counts[index])
            indices[int(index)] = k
        where.append(indices)
    return np.array(colours, np.uint8), np.array(pixels), where


def _near(colours: NDArray[np.uint8], table: Table) -> NDArray[np.bool_]:
    """Colours (n, 3) and (m, 3) to (n, m): whether two are the same; see NEAR."""
    return (np.abs(colours[:, None].astype(int) - table).max(2) <= NEAR).astype(bool)


def _anchors(item: Item, colours: NDArray[np.uint8], tables: dict[str, dict[str, Table]]) -> dict[int, tuple[int, int]]:
    """(ramp, shade) of the colours that are in a table."""
    places: dict[int, tuple[int, int]] = {}
    if item.recolours:
        for ramp, recolour in enumerate(item.recolours):
            shades = table_shades(recolour)
            for k, j in np.argwhere(_near(colours[:, 0], recolour.source)):
                places[int(k)] = (ramp, shades[j])
        return places
    votes, voters = np.zeros((len(colours), len(TABLE_SHADES)), int), 0
    for v, variant in enumerate(item.variants):
        matches = [
            _near(colours[:, v], t[variant])
            for t in tables.values()
            if variant in t and len(t[variant]) == votes.shape[1]
        ]
        if matches:
            votes += max(matches, key=lambda match: int(match.any(1).sum()))
            voters += 1
    for k in np.flatnonzero(votes.max(1) > AGREEING * max(voters, 1)):
        places[int(k)] = (0, TABLE_SHADES[votes[k].argmax()])
    return places


def table_shades(recolour: Recolour) -> tuple[int, ...]:
    """The shades of the colours of a material's table."""
    if recolour.material == "eye":
        return (0, 2, 4)  # dark, iris, light; the white of the eye is 7
    return TABLE_SHADES


def _place_others(
    colours: NDArray[np.uint8], pixels: NDArray[np.int64], anchors: dict[int, tuple[int, int]], ramps: int
) -> dict[int, tuple[int, int]]:
    """(ramp, shade) of every colour: the anchors keep theirs, the others get one in the main ramp or in the trim."""
    places = dict(anchors)
    for k in range(len(colours)):
        if k not in anchors and (j := _alike(k, colours, anchors)) is not None:
            places[k] = anchors[j]
    left = [k for k in range(len(colours)) if k not in places]
    trimmed = _trims(colours, left, len({shade for ramp, shade in anchors.values() if ramp == 0}), ramps)
    for ramp, group in ((0, [k for k in left if k not in trimmed]), (ramps - 1, [k for k in left if k in trimmed])):
        taken = {shade: j for j, (r, shade) in places.items() if r == ramp}
        joined = _join_nearest(colours, pixels, group, list(taken.values()), SHADES - len(taken))
        for k, shade in _shades_between(colours, {joined[k] for k in group} - set(taken.values()), taken).items():
            places[k] = (ramp, shade)
        for k in group:
            places[k] = places[joined[k]]
    return places


def _alike(k: int, colours: NDArray[np.uint8], anchors: dict[int, tuple[int, int]]) -> int | None:
    """The anchor that a colour is almost equal to, if any; two outline colours always count as equal."""
    distance = np.abs(colours.astype(int) - colours[k]).max(2).mean(1)
    dark = (colours @ LUMINANCE).max(1) < DARK
    for j in sorted(anchors, key=lambda j: distance[j]):
        if distance[j] <= ALIKE or (anchors[j][1] == 0 and dark[j] and dark[k]):
            return j
    return None


def _trims(colours: NDArray[np.uint8], left: list[int], taken: int, ramps: int) -> set[int]:
    """The colours of those `left` that belong to the trim; `taken`: how many shades of the main ramp are in use."""
    if ramps == 1 or not left:
        return set()
    trims: set[int] = set()
    if colours.shape[1] >= MANY or taken:
        spans = colours.max(1).astype(int) - colours.min(1)
        trims = {k for k in left if spans[k].max() <= CONSTANT}
        if not taken and len(trims) == len(left):
            trims = set()
    rest = [k for k in left if k not in trims]
    return trims | (_second_hue(colours.mean(1), rest) if len(rest) > SHADES - taken else set())


def _second_hue(mean: NDArray[np.float64], left: list[int]) -> set[int]:
    """The smaller of two clusters by hue: 2-means on opponent colours, started from the two that are furthest apart."""
    r, g, b = mean[left].T
    hue = np.stack([r - g, (r + g) / 2 - b], 1)
    distance = np.linalg.norm(hue[:, None] - hue, axis=2)
    centres = hue[list(np.unravel_index(distance.argmax(), distance.shape))]
    for _ in range(10):
        nearest = np.linalg.norm(hue[:, None] - centres, axis=2).argmin(1)
        centres = np.stack([hue[nearest == c].mean(0) if (nearest == c).any() else centres[c] for c in (0, 1)])
    smaller = int((nearest == 1).sum() <= (nearest == 0).sum())
    return {k for k, n in zip(left, nearest, strict=True) if n == smaller}


def _join_nearest(
    colours: NDArray[np.uint8], pixels: NDArray[np.int64], group: list[int], kept: list[int], free: int
) -> dict[int, int]:
    """Merge colours of a group, with each other or with the colours `kept`, until at most `free` are left.

    The rarest and nearest colours are merged first. Returns for each colour of the group the one that replaces it.
    """
    stands, standing = {k: k for k in group}, list(group)
    flat = colours.reshape(len(colours), -1).astype(int)
    far = {k: np.abs(flat - flat[k]).mean(1) * int(pixels[k]) for k in group} if len(group) > free else {}
    while len(standing) > free:
        _, gone, to = min((far[k][j], k, j) for k in standing for j in [*standing, *kept] if j != k)
        standing.remove(gone)
        stands = {k: to if s == gone else s for k, s in stands.items()}
    return stands


def _shades_between(colours: NDArray[np.uint8], group: set[int], taken: dict[int, int]) -> dict[int, int]:
    """Assign free shades to a group of colours, near the place of their luminance among the shades in use."""
    light = colours.mean(1) @ LUMINANCE
    order = sorted(group, key=lambda k: light[k])
    if not taken:
        return dict(zip(order, spread(len(order)), strict=True))
    steps = sorted(taken)
    known = np.maximum.accumulate([light[taken[step]] for step in steps])
    expected = np.interp([light[k] for k in order], known, steps)
    expected = np.where([light[k] < known[0] for k in order], -1.0, expected)  # darker than all: below
    expected = np.where([light[k] > known[-1] for k in order], float(SHADES), expected)
    free = [shade for shade in range(SHADES) if shade not in taken]
    rows, columns = linear_sum_assignment((expected[:, None] - np.array(free)) ** 2)
    return {order[r]: free[c] for r, c in zip(rows, columns, strict=True)}


def ramp_of(recolour: Recolour, table: Table) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The ramp (8, 3) of a material's table, and which shades the table gives."""
    ramp, known = np.zeros((SHADES, 3), np.uint8), np.zeros(SHADES, bool)
    shades = list(table_shades(recolour))[: len(table)]
    ramp[shades], known[shades] = table[: len(shades)], True
    return ramp, known


def paint_parts(
    parts: Parts, item: Item, variant: int, chosen: dict[str, Table]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Ramps (slots of the item, 8, 3) of a variant, recoloured by the `chosen` tables; and which shades are known."""
    ramps, known = parts.ramps[variant].copy(), parts.known.copy()
    for ramp, recolour in enumerate(item.recolours):
        if recolour.material in chosen:
            given, has = ramp_of(recolour, chosen[recolour.material])
            ramps[ramp, has], known[ramp] = given[has], known[ramp] | has
    return ramps, known


def recoloured(palette: NDArray[np.uint8], item: Item, chosen: dict[str, Table]) -> NDArray[np.uint8]:
    """A palette (256, 4) of an item with the colours of its materials replaced by `chosen` tables."""
    out = palette.copy()
    for recolour in item.recolours:
        if (table := chosen.get(recolour.material)) is not None:
            for k, j in np.argwhere(_near(palette[:, :3], recolour.source[: len(table)])):
                if palette[k, 3]:
                    out[k, :3] = table[j]
    return out
