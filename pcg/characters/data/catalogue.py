"""The catalogue: one row for each item of each attribute. The front's network has one embedding a row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pcg.characters.data.attributes import BODIES, NONE, grouped
from pcg.characters.data.layers import Layers
from pcg.characters.data.rules import NEVER

OTHER_SEX = {"male": "female", "female": "_male"}  # in the names of heads


@dataclass(frozen=True)
class Catalogue:
    """All items that can be worn.

    `rows`: tuples (attribute, value, item). The rows of an attribute follow each other, and the row of the value "none"
    is the first of them. The items of the attribute "body" are the bodies. `fits` (rows, bodies): whether the item is
    drawn for the body.
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
        number = {value: k for k, value in enumerate(self.values)}
        return np.array([number[attribute, value] for attribute, value, _ in self.rows])

    @cached_property
    def fitting(self) -> list[list[NDArray[np.int64]]]:
        """For each value and body the rows that fit."""
        return [
            [np.flatnonzero((self.value_of == value) & self.fits[:, body]) for body in range(len(BODIES))]
            for value in range(len(self.values))
        ]

    @cached_property
    def never(self) -> NDArray[np.bool_]:
        """(values, values): True for values that are never worn together: by a rule, or as no item fits the body."""
        out = np.zeros((len(self.values),) * 2, bool)
        for k, (attribute, value) in enumerate(self.values):
            if value == NONE:
                continue
            for j, (other, its_value) in enumerate(self.values):
                by_rule = any(
                    attribute == a and (not values or value in values) and other == b and its_value in its_values
                    for a, values, b, its_values in NEVER
                )
                unfit = other == "body" and not len(self.fitting[k][BODIES.index(its_value)])
                if by_rule or unfit:
                    out[k, j] = out[j, k] = True
        return out

    def partners(self, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """For each row of an outfit (the body's row first), a random row of the same value that fits the body."""
        body = BODIES.index(self.rows[rows[0]][2])
        choices = [self.fitting[self.value_of[row]][body] for row in rows]
        return np.array([c[int(rng.integers(len(c)))] if len(c) else row for c, row in zip(choices, rows, strict=True)])


def catalogue(layers: Layers, without: Iterable[str] = ()) -> Catalogue:
    """The catalogue of the layers, without the items `without`.

    A head that is drawn for one sex fits a body of the other only if the value has no other head for it.
    """
    rows = [("body", body, body) for body in BODIES]
    fits = [[body == other for other in BODIES] for body in BODIES]
    for attribute, values in grouped(set(layers.items) - set(without)).items():
        if attribute != "species":
            rows.append((attribute, NONE, NONE))
            fits.append([True] * len(BODIES))
        for value, items in values.items():
            fit = np.array([[layers.items[item].fits(body) for body in BODIES] for item in items])
            if attribute == "species":
                other = np.array([[OTHER_SEX.get(body, "?") in item for body in BODIES] for item in items])
                fit &= ~other | ~(fit & ~other).any(0)  # unless there is no other head
            rows += [(attribute, value, item) for item in items]
            fits += fit.tolist()
    return Catalogue(tuple(rows), np.array(fits))
