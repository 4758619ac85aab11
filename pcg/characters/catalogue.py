"""Numbers for what can be worn: a row for every item of every attribute, which orders the networks' embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pcg.characters.attributes import BODIES, NONE
from pcg.characters.wardrobe import Outfit, Wardrobe


@dataclass(frozen=True)
class Catalogue:
    """`rows`: (attribute, value, item) each, the rows of an attribute one after the other, "none" first where there is
    such. Of the attribute "body" the items are the bodies. `fits` (rows, bodies): which body has which item.
    """

    rows: tuple[tuple[str, str, str], ...]
    fits: NDArray[np.bool_]

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """The attributes in order."""
        return tuple(dict.fromkeys(attribute for attribute, _, _ in self.rows))

    @cached_property
    def values(self) -> tuple[tuple[str, str], ...]:
        """(attribute, value) in order."""
        return tuple(dict.fromkeys((attribute, value) for attribute, value, _ in self.rows))

    @cached_property
    def value_of(self) -> NDArray[np.int64]:
        """The number of each row's value."""
        return np.array([self.values.index((attribute, value)) for attribute, value, _ in self.rows])

    @cached_property
    def _numbers(self) -> dict[tuple[str, str], int]:
        return {(attribute, item): k for k, (attribute, _, item) in enumerate(self.rows)}

    @cached_property
    def _alternatives(self) -> list[list[NDArray[np.int64]]]:
        """For each row and body the rows of the same value that fit."""
        same = self.value_of[:, None] == self.value_of
        return [[np.flatnonzero(same[row] & self.fits[:, b]) for b in range(len(BODIES))] for row in range(len(same))]

    def numbers(self, outfit: Outfit) -> NDArray[np.int64]:
        """An outfit's row of every attribute."""
        items = {a: worn.item for a, worn in outfit.worn.items()} | {"body": outfit.body}
        return np.array([self._numbers[a, items.get(a, NONE)] for a in self.attributes])

    def partners(self, numbers: NDArray[np.int64], body: str, rng: np.random.Generator) -> NDArray[np.int64]:
        """For each row of an outfit a random one of the same value that fits the body, often the same."""
        b = BODIES.index(body)
        choices = [self._alternatives[row][b] for row in numbers]
        return np.array([c[int(rng.integers(len(c)))] if len(c) else n for c, n in zip(choices, numbers, strict=True)])


def catalogue(wardrobe: Wardrobe) -> Catalogue:
    """All that a wardrobe can choose from."""
    rows = [("body", body, body) for body in BODIES]
    fits = [[body == other for other in BODIES] for body in BODIES]
    for attribute, values in wardrobe.groups.items():
        if attribute != "species":
            rows.append((attribute, NONE, NONE))
            fits.append([True] * len(BODIES))
        for value, items in values.items():
            for item in items:
                rows.append((attribute, value, item))
                fits.append([wardrobe.layers.items[item].fits(body) for body in BODIES])
    return Catalogue(tuple(rows), np.array(fits))
