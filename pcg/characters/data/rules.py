"""The rules for random outfits: how often something is worn, and what is never worn together.

The shares are chosen for training and variety; they are no statistics of real people. All values of an attribute are
equally likely, as are the skin tones of people, and what is worn does not depend on the skin. Attributes are drawn in
the order of ORDER; each can depend on those before it.
"""

from __future__ import annotations

PEOPLE = ("human", "elder", "vampire")  # species that can have human hair, ears and beards
OTHERS = (
    *("orc", "goblin", "troll", "lizard", "alien", "stitched", "skeleton", "boar", "minotaur"),
    *("mouse", "rat", "rabbit", "pig", "sheep"),
)
BODY_SHARES = {"male": 0.37, "female": 0.37, "teen": 0.16, "child": 0.10}
SPECIES_SHARES = {"human": 0.58, "elder": 0.12}  # the other species share the rest equally

# Share of the characters that have something of an attribute.
SHARES = {
    "brows": 0.4, "nose": 0.15, "wrinkles": 0.0, "beard": 0.0, "ears": 0.1, "horns": 0.06, "eyewear": 0.08,
    "torso": 0.97, "legs": 0.97, "outer": 0.35, "feet": 0.92, "shoulders": 0.12, "arms": 0.1, "gloves": 0.2,
    "bracers": 0.12, "waist": 0.35, "neck": 0.16, "back": 0.22, "tail": 0.0, "hat": 0.3, "hair": 0.94, "weapon": 0.4,
    "shield": 0.18,
}  # fmt: skip
ORDER = ("body", "species", *SHARES)

# (attribute, other attribute, its values, share): the share where the other attribute has one of these values.
GIVEN: tuple[tuple[str, str, tuple[str, ...], float], ...] = (
    ("nose", "species", ("elder",), 0.5),
    ("wrinkles", "species", ("elder",), 0.6),
    ("beard", "body", ("male",), 0.4),
    ("torso", "species", ("skeleton",), 0.55),
    ("legs", "species", ("skeleton",), 0.55),
    ("shoulders", "outer", ("leather", "plate", "chainmail"), 0.35),
    ("arms", "outer", ("leather", "plate", "chainmail"), 0.35),
    ("tail", "species", ("lizard",), 0.7),
    ("tail", "ears", ("furry",), 0.7),
)

# (attribute, its values or () for all, other attribute, its values): never worn together.
NEVER: tuple[tuple[str, tuple[str, ...], str, tuple[str, ...]], ...] = (
    *((attribute, (), "species", OTHERS) for attribute in ("brows", "nose", "wrinkles", "beard", "ears", "horns")),
    ("eyewear", (), "species", OTHERS),
    ("hair", (), "species", OTHERS),
    ("hat", (), "species", tuple(species for species in OTHERS if species != "skeleton")),
    ("hair", (), "hat", ("helmet", "hood")),
    ("legs", (), "torso", ("dress",)),
    ("outer", (), "torso", ("dress",)),
    ("tail", ("cat", "wolf"), "species", OTHERS),
    ("tail", ("lizard",), "ears", ("furry",)),
)

SKINS = ("light", "amber", "olive", "taupe", "bronze", "brown", "black")  # of people
FURS = ("fur_black", "fur_brown", "fur_copper", "fur_gold", "fur_grey", "fur_tan", "fur_white")
HIDES = ("green", "bright_green", "dark_green", "pale_green", "blue", "lavender")
OTHER_SKIN = 0.4  # share of the other species that have another colour than their drawing
GREYS = ("gray", "white", "ash", "platinum", "silver")  # hair of elders


def skins(species: str, own: str) -> tuple[str, ...]:
    """The skin colours of a species whose head is drawn in the colour `own`; a likelier colour is listed several times.

    >>> skins("human", "light")[:2]
    ('light', 'amber')
    """
    if species in ("human", "elder") or not own:
        return SKINS
    others = FURS if own.startswith("fur") else HIDES
    return (*others, *[own] * round(len(others) * (1 - OTHER_SKIN) / OTHER_SKIN))
