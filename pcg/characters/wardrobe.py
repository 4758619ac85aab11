"""Dresses random characters: what each wears, in which variant and colours, and what a designer would call it.

Shares are chosen for training, not drawn from life: values of an attribute come equally often, skin tones too, and what
is worn doesn't depend on the skin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pcg.characters.attributes import ATTRIBUTES, BODIES, NONE, grouped
from pcg.characters.layers import Item, Layers
from pcg.characters.ramps import item_slots

BODY_SHARES = (0.37, 0.37, 0.16, 0.10)  # of BODIES
SPECIES_SHARES = {"human": 0.58, "elder": 0.12}  # the others share the rest equally
WORN_SHARES = {
    "brows": 0.4, "nose": 0.15, "beard": 0.4, "ears": 0.1, "horns": 0.06, "eyewear": 0.08, "hair": 0.94, "torso": 0.97,
    "legs": 0.97, "outer": 0.35, "feet": 0.92, "shoulders": 0.12, "arms": 0.1, "gloves": 0.2, "bracers": 0.12,
    "waist": 0.35, "neck": 0.16, "back": 0.22, "hat": 0.3, "weapon": 0.4, "shield": 0.18,
}  # fmt: skip
SKINS = ("light", "amber", "olive", "taupe", "bronze", "brown", "black")  # of people
FURS = ("fur_black", "fur_brown", "fur_copper", "fur_gold", "fur_grey", "fur_tan", "fur_white")
HIDES = ("green", "bright_green", "dark_green", "pale_green", "blue", "lavender")
OTHER_SKIN = 0.4  # share of the other species that don't have the colour they are drawn in
GREYS = ("gray", "white", "ash", "platinum", "silver")  # hair of elders
PEOPLE = ("human", "elder", "vampire")  # who can have the hair, ears and beards that are drawn for people
HIDES_HAIR = ("helmet", "hood")
SKELETON_WORN = 0.55  # share of a person's clothes that a skeleton has


@dataclass(frozen=True)
class Worn:
    """One item in one of its variants; `colours` names a table for each material that it may be recoloured in."""

    item: str
    variant: str
    colours: dict[str, str]


@dataclass(frozen=True)
class Outfit:
    """A character: its body and what it wears, by attribute. "body" itself is one of them."""

    body: str
    worn: dict[str, Worn]


class Wardrobe:
    """Draws outfits from a choice of items."""

    def __init__(self, layers: Layers, without: Iterable[str] = (), prefer: Iterable[str] = ()) -> None:
        """`without`: names that are never worn; `prefer`: names that are worn wherever one fits the body."""
        self.layers = layers
        self.prefer = frozenset(prefer)
        self.groups = grouped(set(layers.items) - set(without))
        self._fitting: dict[tuple[str, str], dict[str, list[str]]] = {}
        self.values = {n: v for values in grouped(layers.items).values() for v, names in values.items() for n in names}

    def draw(self, rng: np.random.Generator) -> Outfit:
        """A random outfit."""
        body = str(rng.choice(BODIES, p=BODY_SHARES))
        species = self._species(body, rng)
        head = self._head(body, species, rng)
        skin, hair = self._skin(head, species, rng), self._hair_colour(species, rng)
        eye = self._colour("eye", rng)
        worn: dict[str, Worn] = {}

        def put_on(attribute: str, share: float | None = None, only: Iterable[str] | None = None) -> None:
            if rng.random() >= (WORN_SHARES[attribute] if share is None else share):
                return
            if (item := self._item(attribute, body, rng, only)) is not None:
                chosen = {"body": skin, "hair": hair, "eye": eye}
                worn[attribute] = self._dress(item, chosen, rng)

        colours = {"body": skin, "hair": hair, "eye": eye}
        skeleton = species == "skeleton"
        frame = "body_skeleton" if skeleton and "body_skeleton" in self.layers.items else "body"
        worn["body"] = self._dress(self.layers.items[frame], colours, rng)
        worn["species"] = self._dress(head, colours, rng)
        if species in PEOPLE:
            elder = species == "elder"
            put_on("brows")
            put_on("nose", 0.5 if elder else None)
            put_on("wrinkles", 0.6 if elder else 0.0)
            put_on("beard", None if body == "male" else 0.0)
            put_on("ears")
            put_on("horns")
            put_on("eyewear")
        share = SKELETON_WORN if skeleton else 1.0
        put_on("torso", WORN_SHARES["torso"] * share)
        if self._value(worn, "torso") != "dress":
            put_on("legs", WORN_SHARES["legs"] * share)
            put_on("outer")
        armoured = self._value(worn, "outer") in ("leather", "plate", "chainmail")
        put_on("feet")
        put_on("shoulders", 0.35 if armoured else None)
        put_on("arms", 0.35 if armoured else None)
        for attribute in ("gloves", "bracers", "waist", "neck", "back"):
            put_on(attribute)
        if species == "lizard":
            put_on("tail", 0.7, ["lizard"])
        elif self._value(worn, "ears") == "furry":
            put_on("tail", 0.7, ["cat", "wolf"])
        if species in (*PEOPLE, "skeleton"):
            put_on("hat")
        if species in PEOPLE and self._value(worn, "hat") not in HIDES_HAIR:
            put_on("hair")
        if body != "child":
            put_on("weapon")
            put_on("shield")
        return Outfit(body, {a: worn[a] for a in ("body", *ATTRIBUTES) if a in worn})

    def labels(self, outfit: Outfit) -> dict[str, str]:
        """What a designer would call an outfit: the value of every attribute, "none" where nothing is worn."""
        return {"body": outfit.body} | {a: self._value(outfit.worn, a) for a in ATTRIBUTES}

    def colour_labels(self, outfit: Outfit) -> dict[str, str]:
        """The name of each main slot's colour: a table's, or the variant's of what comes ready-made."""
        names: dict[str, str] = {}
        for worn in outfit.worn.values():
            item = self.layers.items[worn.item]
            for slot, recolour in zip(item_slots(item), item.recolours, strict=False):
                if recolour.material in worn.colours:
                    names.setdefault(slot, worn.colours[recolour.material])
            if not item.recolours:
                names.setdefault(item_slots(item)[0], worn.variant)
        return names

    def _value(self, worn: Mapping[str, Worn], attribute: str) -> str:
        return self.values[worn[attribute].item] if attribute in worn else NONE

    def fitting(self, attribute: str, body: str) -> dict[str, list[str]]:
        """The values of an attribute that have items for a body, with these."""
        if (attribute, body) not in self._fitting:
            values = {
                value: [n for n in names if self.layers.items[n].fits(body)]
                for value, names in self.groups.get(attribute, {}).items()
            }
            values = {value: names for value, names in values.items() if names}
            preferred = {v: liked for v, names in values.items() if (liked := [n for n in names if n in self.prefer])}
            self._fitting[attribute, body] = preferred or values
        return self._fitting[attribute, body]

    def _item(self, attribute: str, body: str, rng: np.random.Generator, only: Iterable[str] | None) -> Item | None:
        values = self.fitting(attribute, body)
        known = sorted(value for value in values if only is None or value in only)
        if not known:
            return None
        return self.layers.items[_pick(values[_pick(known, rng)], rng)]

    def _species(self, body: str, rng: np.random.Generator) -> str:
        values = sorted(self.fitting("species", body))
        others = [v for v in values if v not in SPECIES_SHARES]
        rest = 1 - sum(SPECIES_SHARES.values())
        shares = np.array([SPECIES_SHARES.get(v, rest / max(1, len(others))) for v in values])
        return str(rng.choice(values, p=shares / shares.sum()))

    def _head(self, body: str, species: str, rng: np.random.Generator) -> Item:
        """A head of the body's sex, where heads have one."""
        names = self.fitting("species", body)[species]
        avoided = {"male": "female", "female": "_male"}.get(body)
        fitting = [n for n in names if avoided is None or avoided not in n] or names
        return self.layers.items[_pick(fitting, rng)]

    def _skin(self, head: Item, species: str, rng: np.random.Generator) -> str:
        if species in ("human", "elder"):
            return _pick(SKINS, rng)
        own = head.recolours[0].name if head.recolours else ""
        if own and rng.random() >= OTHER_SKIN:
            return own
        return _pick(FURS if own.startswith("fur") else HIDES, rng)

    def _hair_colour(self, species: str, rng: np.random.Generator) -> str:
        names = list(self.layers.tables["hair"])
        grey = [n for n in GREYS if n in names]
        return _pick(grey if species == "elder" and grey else names, rng)

    def _colour(self, material: str, rng: np.random.Generator) -> str:
        return _pick(list(self.layers.tables[material]), rng)

    def _dress(self, item: Item, chosen: dict[str, str], rng: np.random.Generator) -> Worn:
        """A variant of an item and a table for each of its materials; the same one for all of the hair and the skin."""
        colours = {r.material: chosen.get(r.material) or self._colour(r.material, rng) for r in item.recolours}
        return Worn(item.name, _pick(item.variants, rng), colours)


def _pick(names: Sequence[str], rng: np.random.Generator) -> str:
    """One of the names; a fifth of the time that `rng.choice` takes."""
    return names[int(rng.integers(len(names)))]
