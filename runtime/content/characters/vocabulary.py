"""The vocabulary of descriptions: each word and the wishes that it stands for. `texts` parses descriptions with it.

Values are those that the card of the front's model lists. A plural is found by its singular.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NONE = "none"


@dataclass(frozen=True)
class Noun:
    """A word for something worn, for a part of the body, or for a part that only has a colour (`skin`, `eyes`).

    `value`: what the word alone wishes for; None where it wishes for nothing, as `hair`. `kinds`: adjectives before it,
    and the value that each stands for. `with_it`: attributes that a negation of the word sets to none as well.
    `any_of_a_colour`: with a colour and no adjective, the value is left open.
    """

    attribute: str
    value: str | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)
    with_it: tuple[str, ...] = ()
    any_of_a_colour: bool = False


def _same(value: str, *words: str) -> dict[str, str]:
    return dict.fromkeys(words, value)


_MATERIAL = {"leather": "leather"} | _same("plate", "plate", "metal", "steel", "iron", "heavy")
_WINGS = (
    _same("bat wings", "bat", "demon", "devil", "dragon", "leathery")
    | _same("feathered wings", "feathered", "angel", "bird")
    | _same("insect wings", "insect", "fairy", "butterfly", "dragonfly", "pixie")
)
_SHIELDS = {"kite": "kite", "heater": "heater", "tower": "tower", "round": "round"} | _same("tower", "large", "big")

NOUNS: dict[str, Noun] = {
    # head
    "hair": Noun(
        "hair",
        None,
        {"short": "short", "long": "long", "wavy": "wavy", "curly": "curly"}
        | _same("braids", "braided", "plaited")
        | _same("spiked", "spiky", "spiked", "wild")
        | _same("balding", "balding", "thinning", "receding"),
    ),
    **dict.fromkeys(("ponytail", "pony tail"), Noun("hair", "ponytail")),
    **dict.fromkeys(("topknot", "top knot", "bun"), Noun("hair", "topknot")),
    **dict.fromkeys(("braid", "plait", "pigtail"), Noun("hair", "braids")),
    **dict.fromkeys(("flat top", "flattop"), Noun("hair", "flat top")),
    **dict.fromkeys(("bob", "bob cut"), Noun("hair", "bob")),
    **dict.fromkeys(("curl",), Noun("hair", "curly")),
    "beard": Noun("beard", "long", {"long": "long", "short": "short", "bushy": "long"}),
    "stubble": Noun("beard", "short"),
    **dict.fromkeys(("moustache", "mustache"), Noun("beard", "moustache")),
    **dict.fromkeys(
        ("brow", "eyebrow"),
        Noun("brows", None, _same("thick", "thick", "bushy", "heavy") | _same("thin", "thin", "fine")),
    ),
    "nose": Noun("nose", None, _same("large", "large", "big", "long") | _same("old", "old", "crooked", "hooked")),
    "wrinkle": Noun("wrinkles", "wrinkles"),
    "ear": Noun(
        "ears",
        None,
        _same("long", "long", "pointed", "pointy", "elven", "elf", "elfin")
        | _same("hanging", "hanging", "floppy", "drooping")
        | _same("furry", "furry", "cat", "wolf", "animal")
        | {"dragon": "dragon"},
    ),
    "horn": Noun(
        "horns",
        "curled",
        {"swept": "swept"} | _same("curled", "curled", "curved", "ram"),
        any_of_a_colour=True,
    ),
    **dict.fromkeys(("eyepatch", "eye patch"), Noun("eyewear", "eyepatch")),
    **dict.fromkeys(("glass", "spectacle", "eyeglass"), Noun("eyewear", "glasses")),
    "eye": Noun("eyes"),
    "skin": Noun("skin"),
    # hats
    "hat": Noun(
        "hat",
        "cap",
        _same("wizard hat", "wizard", "witch", "pointed", "pointy", "magic")
        | _same("cocked hat", "cocked", "pirate", "tricorne", "admiral"),
        any_of_a_colour=True,
    ),
    **dict.fromkeys(("tricorne", "tricorn", "bicorne"), Noun("hat", "cocked hat")),
    **dict.fromkeys(("cap", "beret"), Noun("hat", "cap")),
    **dict.fromkeys(("hood", "cowl"), Noun("hat", "hood")),
    **dict.fromkeys(("helmet", "helm"), Noun("hat", "helmet")),
    **dict.fromkeys(("bandana", "headscarf", "kerchief"), Noun("hat", "bandana")),
    **dict.fromkeys(("headband",), Noun("hat", "headband")),
    # clothes
    **dict.fromkeys(
        ("shirt", "tunic", "top", "blouse"),
        Noun(
            "torso",
            "long sleeves",
            _same("short sleeves", "short", "t") | {"sleeveless": "sleeveless"},
        ),
    ),
    "long sleeve": Noun("torso", "long sleeves"),
    "short sleeve": Noun("torso", "short sleeves"),
    **dict.fromkeys(("tshirt", "t-shirt"), Noun("torso", "short sleeves")),
    **dict.fromkeys(("vest", "tank top"), Noun("torso", "sleeveless")),
    **dict.fromkeys(("dress", "robe", "gown"), Noun("torso", "dress")),
    **dict.fromkeys(("trouser", "pant", "jean", "breeches"), Noun("legs", "trousers")),
    **dict.fromkeys(("hose", "legging", "tight"), Noun("legs", "hose")),
    **dict.fromkeys(("shorts",), Noun("legs", "shorts")),
    "skirt": Noun("legs", "skirt"),
    **dict.fromkeys(("greave", "leg armour"), Noun("legs", "plate")),
    **dict.fromkeys(
        ("armour", "armor", "breastplate", "cuirass"),
        Noun(
            "outer",
            "plate",
            _MATERIAL | _same("chainmail", "chain", "mail", "chainmail") | _same("leather", "light"),
            ("shoulders", "arms", "bracers"),
        ),
    ),
    **dict.fromkeys(("plate mail", "full plate"), Noun("outer", "plate")),
    **dict.fromkeys(("chainmail", "chain mail", "mail"), Noun("outer", "chainmail")),
    **dict.fromkeys(("coat", "jacket"), Noun("outer", "coat")),
    **dict.fromkeys(("overall", "dungaree"), Noun("outer", "overalls")),
    "apron": Noun("outer", "apron"),
    "boot": Noun("feet", "boots", _same("plate", "plate", "metal")),
    "shoe": Noun("feet", "shoes"),
    "sandal": Noun("feet", "sandals"),
    "sock": Noun("feet", "socks"),
    "sabaton": Noun("feet", "plate"),
    "footwear": Noun("feet"),
    **dict.fromkeys(
        ("pauldron", "shoulder pad", "shoulder"),
        Noun("shoulders", "plate", _MATERIAL | _same("cloth", "cloth", "fabric")),
    ),
    **dict.fromkeys(("glove", "gauntlet"), Noun("gloves", "gloves")),
    **dict.fromkeys(("bracer", "wristband"), Noun("bracers", "bracers")),
    "belt": Noun("waist", "belt"),
    "sash": Noun("waist", "sash"),
    **dict.fromkeys(("necktie", "tie"), Noun("neck", "necktie")),
    **dict.fromkeys(("necklace", "amulet", "pendant"), Noun("neck", "necklace")),
    **dict.fromkeys(("clasp", "brooch"), Noun("neck", "clasp")),
    # on the back
    **dict.fromkeys(("cape", "cloak", "mantle"), Noun("back", "cape")),
    "wing": Noun("back", "feathered wings", _WINGS),
    "quiver": Noun("back", "quiver"),
    "tail": Noun(
        "tail",
        "cat",
        {"cat": "cat", "wolf": "wolf"} | _same("wolf", "dog", "fox") | _same("lizard", "lizard", "reptile"),
    ),
    # in the hands
    "weapon": Noun("weapon", "sword", any_of_a_colour=True),
    **dict.fromkeys(("sword", "blade"), Noun("weapon", "sword")),
    **dict.fromkeys(("dagger", "knife"), Noun("weapon", "dagger")),
    **dict.fromkeys(("mace", "club", "hammer"), Noun("weapon", "mace")),
    **dict.fromkeys(("slingshot", "sling"), Noun("weapon", "slingshot")),
    **dict.fromkeys(("shield", "buckler"), Noun("shield", "round", _SHIELDS, any_of_a_colour=True)),
}


def _each(wishes: dict[str, str], *names: str) -> dict[str, dict[str, str]]:
    return dict.fromkeys(names, wishes)


# Who the character is. These are explicit: another word or a wish that says otherwise is a contradiction.
PERSONS: dict[str, dict[str, str]] = {
    **_each({"body": "male"}, "man", "male", "guy", "gentleman", "lord"),
    **_each({"body": "female"}, "woman", "female", "lady", "women"),
    **_each({"body": "teen"}, "teen", "teenager", "youth", "adolescent"),
    **_each({"body": "child"}, "child", "kid", "boy", "girl", "children"),
    "human": {"species": "human"},
    **_each({"species": "elder"}, "elder", "elderly", "grandfather", "grandmother"),
    **{
        name: {"species": name}
        for name in ("orc", "goblin", "troll", "alien", "vampire", "skeleton", "minotaur", "rabbit", "sheep")
    },
    **_each({"species": "lizard"}, "lizard", "lizardfolk", "lizardman", "reptile"),
    **_each({"species": "boar"}, "boar", "boarman"),
    **_each({"species": "mouse"}, "mouse", "mice"),
    **_each({"species": "rat"}, "rat", "ratman", "ratfolk"),
    **_each({"species": "pig"}, "pig", "pigman"),
    **_each({"species": "rabbit"}, "bunny", "hare"),
    **_each({"species": "stitched"}, "stitched", "frankenstein", "golem"),
    "bald": {"hair": NONE},
    **_each({"feet": NONE}, "barefoot", "barefooted"),
    "unarmed": {"weapon": NONE},
    **_each({"torso": NONE, "outer": NONE}, "shirtless", "bare-chested"),
    **_each({"beard": NONE}, "clean-shaven", "shaven"),
    "balding": {"hair": "balding"},
    "bearded": {"beard": "long"},
    "hooded": {"hat": "hood"},
    "winged": {"back": "feathered wings"},
    "horned": {"horns": "curled"},
    **_each({"outer": "plate"}, "armoured", "armored"),
    "bespectacled": {"eyewear": "glasses"},
}

# What roles imply. Other words, wishes, and values that do not go together take precedence over all of it.
_KNIGHT = {"outer": "plate", "legs": "plate", "feet": "plate", "arms": "plate", "weapon": "sword"}
_MAGE = {"hat": "wizard hat", "torso": "dress"}
_ROGUE = {"hat": "hood", "outer": "leather", "weapon": "dagger", "gloves": "gloves", "feet": "boots"}
ROLES: dict[str, dict[str, str]] = {
    **_each(_MAGE, "wizard", "mage", "sorcerer", "warlock", "sorceress"),
    "witch": {"body": "female"} | _MAGE,
    "knight": _KNIGHT | {"hat": "helmet", "shield": "heater"},
    "paladin": _KNIGHT | {"back": "cape", "shield": "kite"},
    **_each({"outer": "chainmail", "hat": "helmet", "weapon": "sword", "feet": "boots"}, "soldier", "guard"),
    **_each({"outer": "leather", "weapon": "sword", "shield": "round", "feet": "boots"}, "warrior", "fighter"),
    "barbarian": {
        "torso": NONE,
        "outer": NONE,
        "hair": "long",
        "weapon": "mace",
        "bracers": "bracers",
        "feet": "boots",
    },
    "viking": {"hat": "helmet", "beard": "long", "shield": "round", "weapon": "sword", "feet": "boots"},
    **_each(
        {"outer": "overalls", "torso": "long sleeves", "weapon": NONE, "shield": NONE, "feet": "shoes"},
        "peasant",
        "farmer",
        "villager",
        "serf",
    ),
    "pirate": {"hat": "cocked hat", "eyewear": "eyepatch", "weapon": "sword", "waist": "sash", "feet": "boots"},
    "sailor": {"hat": "bandana", "torso": "short sleeves", "legs": "trousers"},
    **_each(_ROGUE, "rogue", "thief", "assassin", "bandit", "ninja"),
    **_each({"hat": "hood", "outer": "leather", "back": "quiver", "feet": "boots"}, "ranger", "hunter", "archer"),
    **_each({"torso": "dress", "neck": "necklace", "weapon": "mace"}, "priest", "priestess", "cleric"),
    "monk": {"hair": "balding", "torso": "dress", "waist": "belt", "feet": "sandals", "weapon": NONE, "shield": NONE},
    **_each({"outer": "apron", "gloves": "gloves", "feet": "boots"}, "blacksmith", "smith"),
    **_each({"outer": "apron", "hat": "cap", "weapon": NONE}, "cook", "baker", "chef", "butcher"),
    **_each({"outer": "coat", "hat": "cap", "waist": "belt", "weapon": NONE}, "merchant", "trader"),
    **_each({"eyewear": "glasses", "outer": "coat", "weapon": NONE, "shield": NONE}, "scholar", "teacher", "librarian"),
    "king": {"body": "male", "back": "cape", "beard": "short", "neck": "clasp"},
    **_each({"body": "female", "torso": "dress", "neck": "necklace"}, "queen", "princess"),
    **_each({"back": "cape", "neck": "clasp", "feet": "boots"}, "noble", "prince"),
    "adventurer": {"outer": "leather", "waist": "belt", "feet": "boots", "weapon": "sword"},
    "elf": {"species": "human", "ears": "long", "hair": "long"},
    "dwarf": {"species": "human", "beard": "long", "hat": "helmet"},
    **_each({"horns": "curled", "back": "bat wings"}, "demon", "devil"),
    "angel": {"back": "feathered wings", "weapon": NONE},
    **_each({"back": "insect wings", "ears": "long"}, "fairy", "pixie"),
    **_each({"ears": "furry", "tail": "cat"}, "catgirl", "catboy"),
    "werewolf": {"ears": "furry", "tail": "wolf"},
    "zombie": {"species": "stitched"},
    **_each({"species": "elder", "wrinkles": "wrinkles"}, "old", "aged", "ancient"),
    "young": {"body": "teen"},
}

# Names in the colour tables, the nearest first. A colour whose word is a name in the table needs no entry.
COLOURS: dict[str, tuple[str, ...]] = {
    "grey": ("gray",),
    "dark": ("brown", "charcoal", "black"),
    "golden": ("gold", "yellow"),
    "blond": ("blonde",),
    "fair": ("light", "blonde"),
    "pale": ("light",),
    "tanned": ("tan", "bronze"),
    "auburn": ("chestnut", "redhead"),
    "brunette": ("brown", "chestnut", "dark_brown"),
    "crimson": ("red", "maroon"),
    "scarlet": ("red",),
    "violet": ("purple",),
    "turquoise": ("teal",),
    "cyan": ("teal", "sky"),
    "azure": ("sky", "blue"),
    "beige": ("tan",),
    "cream": ("white", "tan"),
    "light blue": ("sky", "lightblue"),
    "dark blue": ("navy", "darkblue"),
    "dark green": ("forest",),
    "dark red": ("maroon",),
    "dark grey": ("dark_gray", "charcoal"),
    "light brown": ("tan",),
    "dark brown": ("walnut", "brown"),
    "silvery": ("silver",),
    "metal": ("steel",),
    "brass": ("brass",),
    "wooden": ("oak", "brown"),
}

# What people ask for but the models' training drawings do not have, and why.
_TURNS = "turns in side views, so it is not among the drawings; there are mace, sword, dagger and slingshot"
NOT_HAD: dict[str, str] = {
    **dict.fromkeys(
        ("staff", "stave", "spear", "halberd", "trident", "scythe", "cane", "crossbow", "longsword", "lance"), _TURNS
    ),
    **dict.fromkeys(("bow", "axe", "wand", "whip", "rapier", "gun"), "is not among the drawings of weapons"),
    **dict.fromkeys(("crown", "tiara", "mask", "earring", "scarf", "backpack"), "is not among the drawings"),
}

NEGATIONS = ("no", "without", "not", "never", "lacking")
AGAIN = ("or", "nor")  # words that continue a negation
FILLERS = frozenset(
    (
        "a", "an", "the", "with", "and", "in", "on", "of", "at", "his", "her", "their", "its", "who", "whose",
        "that", "has", "have", "having", "is", "are", "wearing", "wears", "worn", "carrying", "carries", "holding",
        "holds", "dressed", "clad", "very", "some", "pair", "person", "character", "figure", "hero", "heroine",
    )
)  # fmt: skip
