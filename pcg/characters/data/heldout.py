"""The validation split: a tenth of the items for hair and torso, in whole groups of near-duplicates."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from pcg.characters.data.attributes import BODIES, grouped
from pcg.characters.data.layers import Item
from runtime.content.characters.atlas import FRAME_PX

ATTRIBUTES_KEPT = ("hair", "torso", "outer")
SHARE = 0.1  # of an attribute's items
OVERLAP = 0.85  # two standing silhouettes with at least this intersection over union are near-duplicates


def held_out(items: dict[str, Item]) -> frozenset[str]:
    """Names of the items that training must not see.

    Groups are taken in the order of the SHA-256 of their first item's name. A group is skipped where the share of its
    attribute would be exceeded, or where a value, or a body in an attribute, would keep no item for training.
    """
    kept: set[str] = set()
    for attribute, values in grouped(items).items():
        if attribute not in ATTRIBUTES_KEPT:
            continue
        names = [name for value in values.values() for name in value]
        fitting = [[n for n in names if items[n].fits(body)] for body in BODIES]
        needed = [set(some) for some in [*values.values(), *fitting] if some]
        left = round(SHARE * len(names))
        for group in sorted(near_duplicates([items[n] for n in names]), key=_digest):
            if len(group) <= left and all(some - kept - group for some in needed):
                kept |= group
                left -= len(group)
    return frozenset(kept)


def near_duplicates(items: Iterable[Item]) -> list[set[str]]:
    """Groups of items whose silhouettes overlap on some body; the relation is made transitive."""
    shapes = {item.name: _silhouettes(item) for item in items}
    groups = [{name} for name in shapes]
    for a in shapes:
        for b in shapes:
            if a < b and any(
                _overlap(shapes[a][body], shapes[b][body]) >= OVERLAP for body in shapes[a].keys() & shapes[b]
            ):
                one, other = (next(g for g in groups if name in g) for name in (a, b))
                if one is not other:
                    groups.remove(other)
                    one |= other
    return groups


def _silhouettes(item: Item) -> dict[str, NDArray[np.bool_]]:
    """Masks of the four standing frames that an item covers, one for each body that it fits."""
    shapes: dict[str, NDArray[np.bool_]] = {}
    for sheet in item.sheets:
        covers = (sheet.counts() > 0)[sheet.pixels[:, :FRAME_PX]]
        for body in sheet.bodies & set(BODIES):
            shapes[body] = shapes.get(body, np.zeros_like(covers)) | covers
    return shapes


def _overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


def _digest(group: set[str]) -> str:
    return hashlib.sha256(min(group).encode()).hexdigest()
