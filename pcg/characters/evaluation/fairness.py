"""Fairness: shares of groups among characters without wishes, and how equipment depends on the group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from pcg.characters.data.outfits import CharacterData
from runtime.card import Quality

Person = dict[str, str]  # attributes and colours by name
GROUPS = ("body", "species", "skin_colour")
EQUIPMENT = ("weapon", "shield", "outer", "hat")
FEWEST = 30  # a group with fewer people is not compared
PEOPLE = ("human", "elder")  # species with human skin colours
NONE = "none"


def training_people(data: CharacterData, count: int) -> list[Person]:
    """Attributes and skin colours of `count` random outfits of the training data."""
    rng = np.random.default_rng(1)
    people = []
    for _ in range(count):
        outfit = data.training.draw(rng)
        skin = outfit.worn["body"].colours.get("body", "")
        people.append(data.training.labels(outfit) | {"skin_colour": skin})
    return people


def fairness(made: Sequence[Person], trained: Sequence[Person]) -> list[Quality]:
    """Shares of bodies, species and human skins; the smallest ratio to training; dependence of equipment on groups."""
    against = f"the training mix; {len(made)} characters of whom nothing was wished"
    rows, ratios = [], []
    for group in GROUPS:
        ours, theirs = shares(made, group), shares(trained, group)
        for name, share in sorted(theirs.items(), key=lambda item: -item[1]):
            rows.append(Quality(f"share of {group} {name}", ours.get(name, 0.0), against, share))
            ratios.append(ours.get(name, 0.0) / share)
    worst = Quality("smallest share of a group, of its share in training", min(ratios), against, 1.0)
    dependence = [
        Quality(
            f"{thing}: most between two of {group}", apart(made, group, thing), against, apart(trained, group, thing)
        )
        for group in ("body", "skin_colour")
        for thing in EQUIPMENT
    ]
    return [*rows, worst, *dependence]


def _of(people: Sequence[Person], group: str) -> list[Person]:
    return [p for p in people if group != "skin_colour" or p["species"] in PEOPLE]


def shares(people: Sequence[Person], group: str) -> dict[str, float]:
    """The share of each value of `group`; of skin colours, among humans."""
    those = _of(people, group)
    return {name: count / len(those) for name, count in Counter(p[group] for p in those).items()}


def apart(people: Sequence[Person], group: str, thing: str) -> float:
    """The largest difference between two values of `group` in the share that has something of `thing`."""
    those = _of(people, group)
    sizes = Counter(p[group] for p in those)
    having = Counter(p[group] for p in those if p.get(thing, NONE) != NONE)
    found = [having[name] / size for name, size in sizes.items() if size >= FEWEST]
    return max(found) - min(found) if found else 0.0
