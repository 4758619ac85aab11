"""Draws random outfits by the rules: items, variants and colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pcg.characters.data import rules
from pcg.characters.data.attributes import BODIES, NONE
from pcg.characters.data.catalogue import catalogue
from pcg.characters.data.layers import Item, Layers

T = TypeVar("T")


@dataclass(frozen=True)
class Worn:
    """One item in one of its variants; `colours`: the name of a table for each material that can be recoloured."""

    item: str
    variant: str
    colours: dict[str, str]


@dataclass(frozen=True)
class Outfit:
    """A character: its body, and the items that it wears by attribute; `rows`: the same as rows of the catalogue.

    "body" is one of the attributes. An attribute of which nothing is worn is not in `worn`.
    """

    body: str
    worn: dict[str, Worn]
    rows: tuple[int, ...]


class Wardrobe:
    """Draws outfits from the items of a catalogue."""

    def __init__(self, layers: Layers, without: Iterable[str] = (), prefer: Iterable[str] = ()) -> None:
        """`without`: names that are never worn; `prefer`: names that are worn wherever one fits the body."""
        self.layers = layers
        self.catalogue = known = catalogue(layers, without)
        self._preferred = np.array([item in set(prefer) for _, _, item in known.rows])
        self._values = {a: [k for k, (b, _) in enumerate(known.values) if a == b] for a in known.attributes}
        self._number = {value: k for k, value in enumerate(known.values)}
        self._given = [
            (attribute, self._number[other, value], share)
            for attribute, other, values, share in rules.GIVEN
            for value in values
            if (other, value) in self._number
        ]

    def draw(self, rng: np.random.Generator) -> Outfit:
        """A random outfit."""
        return self.dress(self.choose(rng), rng)

    def choose(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Rows of the catalogue, one for each attribute in its order."""
        known = self.catalogue
        chosen: dict[str, int] = {}  # the value of each attribute
        rows: dict[str, int] = {}
        for attribute in (a for a in rules.ORDER if a in self._values):
            values = [
                k
                for k in self._values[attribute]
                if known.values[k][1] != NONE and not known.never[k, list(chosen.values())].any()
            ]
            body = BODIES.index(known.values[chosen["body"]][1]) if chosen else -1
            if attribute == "body":
                shares = np.array([rules.BODY_SHARES[known.values[k][1]] for k in values])
                value = values[_weighted(shares, rng)]
                body = BODIES.index(known.values[value][1])
            elif attribute == "species":
                value = values[_weighted(self._species_shares(values), rng)]
            else:
                share = rules.SHARES[attribute]
                for given, other, its_share in self._given:
                    if given == attribute and other in chosen.values():
                        share = its_share
                if not values or rng.random() >= share:
                    value = self._number[attribute, NONE]
                else:
                    liked = [k for k in values if self._preferred[known.fitting[k][body]].any()]
                    value = _pick(liked or values, rng)
            fitting = known.fitting[value][body]
            liked_rows = [int(row) for row in fitting if self._preferred[row]]
            rows[attribute] = _pick(liked_rows or fitting.tolist(), rng)
            chosen[attribute] = value
        return np.array([rows[attribute] for attribute in known.attributes])

    def dress(self, rows: NDArray[np.int64], rng: np.random.Generator) -> Outfit:
        """An outfit of these rows, in random variants and colours."""
        named = {attribute: (value, item) for attribute, value, item in (self.catalogue.rows[row] for row in rows)}
        body, (species, head) = named["body"][0], named["species"]
        frame = "body_skeleton" if species == "skeleton" and "body_skeleton" in self.layers.items else "body"
        own = self.layers.items[head].recolours
        hair = list(self.layers.tables["hair"])
        grey = [name for name in rules.GREYS if name in hair]
        colours = {
            "body": _pick(rules.skins(species, own[0].name if own else ""), rng),
            "hair": _pick(grey if species == "elder" and grey else hair, rng),
            "eye": _pick(list(self.layers.tables["eye"]), rng),
        }
        items = {a: frame if a == "body" else item for a, (_, item) in named.items() if item != NONE}
        worn = {a: self._dress(self.layers.items[item], colours, rng) for a, item in items.items()}
        return Outfit(body, worn, tuple(int(row) for row in rows))

    def labels(self, outfit: Outfit) -> dict[str, str]:
        """The value of every attribute of an outfit, "none" where nothing is worn."""
        return {attribute: value for attribute, value, _ in (self.catalogue.rows[row] for row in outfit.rows)}

    def _species_shares(self, values: list[int]) -> NDArray[np.float64]:
        names = [self.catalogue.values[k][1] for k in values]
        rest = (1 - sum(rules.SPECIES_SHARES.values())) / max(1, len(set(names) - set(rules.SPECIES_SHARES)))
        return np.array([rules.SPECIES_SHARES.get(name, rest) for name in names])

    def _dress(self, item: Item, chosen: dict[str, str], rng: np.random.Generator) -> Worn:
        """A random variant of an item, and a table for each of its materials: the `chosen` one where there is one."""
        colours = {
            r.material: chosen.get(r.material) or _pick(list(self.layers.tables[r.material]), rng)
            for r in item.recolours
        }
        return Worn(item.name, _pick(item.variants, rng), colours)


def _pick(among: Sequence[T], rng: np.random.Generator) -> T:
    """A random element; five times as fast as `rng.choice`."""
    return among[int(rng.integers(len(among)))]


def _weighted(shares: NDArray[np.float64], rng: np.random.Generator) -> int:
    return int(np.searchsorted(np.cumsum(shares), rng.random() * shares.sum(), side="right"))
