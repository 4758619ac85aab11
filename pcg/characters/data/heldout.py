"""Which items are kept aside for validation: a tenth of the hair and of the torso, whole groups of near-duplicates."""

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
OVERLAP = 0.85  # intersection over union of two silhouettes, standing, from which they are near-duplicates


def held_out(items: dict[str, Item]) -> frozenset[str]:
    """Names of the items that training must not see.

    Groups are taken in the order of the SHA-256 of their first item's name, as long as no attribute's share is passed,
    and every value, and of every attribute every body, keeps an item for training.
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
    """Groups of items that are linked by silhouettes which overlap on some body."""
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
    """What an item covers of the four standing frames, for each body that it fits."""
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
