"""Attributes, their values, and the items of the layer data that each value stands for.

An outfit has at most one item of every attribute. A value lists names of items, or patterns (fnmatch) of names.
docs/characters.md has the table in words.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

NONE = "none"  # the value of an attribute that has no item
BODIES = ("male", "female", "teen", "child")

# attribute -> value -> items. Layers of equal depth are drawn in the order of their attributes.
ATTRIBUTES: dict[str, dict[str, tuple[str, ...]]] = {
    "species": {
        "human": ("heads_human_child", "heads_human_female", "heads_human_female_small", "heads_human_male",
                  "heads_human_male_gaunt", "heads_human_male_small"),
        "elder": ("heads_human_elderly_small", "heads_human_female_elderly", "heads_human_male_elderly"),
        "orc": ("heads_orc_*",),
        "goblin": ("heads_goblin*",),
        "troll": ("heads_troll*",),
        "lizard": ("heads_lizard_*",),
        "alien": ("heads_alien",),
        "vampire": ("heads_vampire",),
        "stitched": ("heads_frankenstein",),
        "skeleton": ("heads_skeleton",),
        "boar": ("heads_boarman",),
        "minotaur": ("heads_wartotaur",),
        "mouse": ("heads_mouse*",),
        "rat": ("heads_rat", "heads_rat_child"),
        "rabbit": ("heads_rabbit*",),
        "pig": ("heads_pig*",),
        "sheep": ("heads_sheep*",),
    },
    "brows": {"thin": ("eyebrows_thin",), "thick": ("eyebrows_thick",)},
    "nose": {"large": ("head_nose_large",), "old": ("head_nose_elderly",)},
    "wrinkles": {"wrinkles": ("head_wrinkles",)},
    "beard": {
        "moustache": ("beards_chevron", "beards_handlebar", "beards_horseshoe", "beards_lampshade", "beards_walrus"),
        "short": ("beards_trimmed", "beards_medium"),
        "long": ("beards_winter",),
    },
    "ears": {
        "long": ("head_ears_long", "head_ears_medium"),
        "hanging": ("head_ears_down", "head_ears_hang"),
        "dragon": ("head_ears_dragon",),
        "furry": ("head_ears_avyon", "head_ears_lykon", "head_ears_zabos"),
    },
    "horns": {"swept": ("head_horns_backwards",), "curled": ("head_horns_curled",)},
    "eyewear": {"eyepatch": ("facial_eyepatch*",), "glasses": ("facial_glasses*",)},
    "hair": {
        "balding": ("hair_balding",),
        "short": ("hair_buzzcut", "hair_cowlick", "hair_curtains", "hair_halfmessy", "hair_idol", "hair_parted_*",
                  "hair_plain", "hair_relm_short", "hair_swoop_side"),
        "flat top": ("hair_flat_top_*",),
        "bob": ("hair_bob*", "hair_lob", "hair_shoulderl"),
        "long": ("hair_long_messy", "hair_princess", "hair_relm_xlong", "hair_sara", "hair_xlong"),
        "wavy": ("hair_wavy*", "hair_xlong_wavy"),
        "curly": ("hair_curls_large", "hair_curly_*", "hair_natural"),
        "braids": ("hair_cornrows", "hair_dreadlocks_*", "hair_twists_*"),
        "ponytail": ("hair_high_ponytail", "hair_long_tied", "hair_ponytail2", "hair_relm_ponytail"),
        "topknot": ("hair_topknot_*",),
        "spiked": ("hair_spiked*",),
    },
    "torso": {
        "long sleeves": ("torso_clothes_longsleeve*", "torso_clothes_blouse_longsleeve"),
        "short sleeves": ("torso_clothes_shortsleeve*", "torso_clothes_tshirt*", "torso_clothes_child_shirt"),
        "sleeveless": ("torso_clothes_sleeveless*",),
        "dress": ("dress_*",),
    },
    "legs": {
        "trousers": ("legs_pants*", "legs_cuffed", "legs_formal*", "legs_pantaloons", "legs_childpants"),
        "hose": ("legs_hose", "legs_leggings*"),
        "shorts": ("legs_shorts*",),
        "skirt": ("legs_skirt*", "legs_childskirts"),
        "plate": ("legs_armour",),
    },
    "outer": {
        "leather": ("torso_armour_leather",),
        "plate": ("torso_armour_legion",),
        "chainmail": ("torso_chainmail",),
        "coat": ("torso_jacket_*",),
        "overalls": ("torso_aprons_overalls", "torso_aprons_suspenders"),
        "apron": ("torso_aprons_apron_*",),
    },
    "feet": {
        "boots": ("feet_boots_*",),
        "shoes": ("feet_shoes_*",),
        "sandals": ("feet_sandals",),
        "socks": ("feet_socks_*",),
        "plate": ("feet_armour",),
    },
    "shoulders": {
        "cloth": ("shoulders_epaulets",),
        "leather": ("shoulders_leather", "bauldron"),
        "plate": ("shoulders_legion", "shoulders_plate"),
    },
    "arms": {"plate": ("arms_armour",)},
    "gloves": {"gloves": ("arms_gloves",)},
    "bracers": {"bracers": ("arms_bracers",)},
    "waist": {"belt": ("belt_belly", "belt_double", "belt_leather*", "belt_loose", "belt_robe"),
              "sash": ("belt_sash*", "belt_waistband", "belt_obi")},
    "neck": {
        "necktie": ("neck_bowtie2", "neck_cravat", "neck_jabot"),
        "clasp": ("neck_capeclip", "neck_capetie"),
        "necklace": ("neck_necklace_*",),
    },
    "back": {
        "cape": ("cape_*",),
        "bat wings": ("wings_bat", "wings_lizard*"),
        "feathered wings": ("wings_feathered",),
        "insect wings": ("wings_dragonfly", "wings_monarch", "wings_pixie", "wings_lunar"),
        "quiver": ("quiver",),
    },
    "tail": {"lizard": ("tail_lizard*",), "cat": ("tail_cat",), "wolf": ("tail_wolf*",)},
    "hat": {
        "hood": ("hat_hood_*",),
        "helmet": ("hat_helmet_*",),
        "cap": ("hat_cap_*", "hat_holiday_christmas"),
        "cocked hat": ("hat_bicorne_*", "hat_tricorne*"),
        "wizard hat": ("hat_magic_*",),
        "bandana": ("hat_bandana*",),
        "headband": ("hat_headband_*",),
    },
    "weapon": {
        "mace": ("weapon_blunt_mace",),
        "sword": ("weapon_sword_arming",),
        "dagger": ("weapon_sword_dagger",),
        "slingshot": ("weapon_ranged_slingshot",),
    },
    "shield": {
        "kite": ("shield_crusader", "shield_plus", "shield_two_engrailed"),
        "heater": ("shield_heater_*",),
        "tower": ("shield_scutum",),
        "round": ("shield_round", "shield_spartan"),
    },
}  # fmt: skip


def grouped(names: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """ATTRIBUTES with the matching names in place of the patterns, without values and attributes that match none."""
    known = sorted(names)
    groups = {
        attribute: {
            value: [name for name in known if any(fnmatchcase(name, pattern) for pattern in patterns)]
            for value, patterns in values.items()
        }
        for attribute, values in ATTRIBUTES.items()
    }
    return {a: kept for a, values in groups.items() if (kept := {v: items for v, items in values.items() if items})}
