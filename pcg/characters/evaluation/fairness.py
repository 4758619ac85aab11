"""What comes out when nothing is asked for: who, and how what they carry depends on it, beside the training mix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from pcg.characters.data.outfits import CharacterData
from runtime.card import Quality

Person = dict[str, str]  # attributes and colours by name
GROUPS = ("body", "species", "skin_colour")
EQUIPMENT = ("weapon", "shield", "outer", "hat")
FEWEST = 30  # people of a group, from which its share of something is looked at
PEOPLE = ("human", "elder")  # whose skins are people's
NONE = "none"


def training_people(data: CharacterData, count: int) -> list[Person]:
    """Who the training data shows."""
    rng = np.random.default_rng(1)
    people = []
    for _ in range(count):
        outfit = data.training.draw(rng)
        skin = outfit.worn["body"].colours.get("body", "")
        people.append(data.training.labels(outfit) | {"skin_colour": skin})
    return people


def fairness(made: Sequence[Person], trained: Sequence[Person]) -> list[Quality]:
    """Shares of bodies, species and people's skins; then the worst ratio, and how equipment depends on the group."""
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
    """The share of each value; of skins, among people."""
    those = _of(people, group)
    return {name: count / len(those) for name, count in Counter(p[group] for p in those).items()}


def apart(people: Sequence[Person], group: str, thing: str) -> float:
    """How much more often one group has something than another: the largest difference of shares."""
    those = _of(people, group)
    sizes = Counter(p[group] for p in those)
    having = Counter(p[group] for p in those if p.get(thing, NONE) != NONE)
    found = [having[name] / size for name, size in sizes.items() if size >= FEWEST]
    return max(found) - min(found) if found else 0.0
