"""Layers are split into slots, shades and ramps, and composed again."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pcg.characters.data.attributes import ATTRIBUTES, NONE, grouped
from pcg.characters.data.colourways import describe_colourways, read_ramps
from pcg.characters.data.heldout import held_out, near_duplicates
from pcg.characters.data.layers import read_layers
from pcg.characters.data.outfits import CharacterData
from pcg.characters.data.ramps import take_apart
from pcg.characters.data.rules import NEVER, SKINS
from pcg.characters.data.slots import SHADES, SLOTS, complete, paint, spread
from pcg.characters.data.wardrobe import Outfit, Worn

DOCS = Path(__file__).parents[3] / "docs" / "characters.md"


@pytest.fixture(scope="module")
def data(characters_folder: Path) -> CharacterData:
    return CharacterData(characters_folder)


def worn(data: CharacterData, item: str, variant: str | None = None, **colours: str) -> Worn:
    return Worn(item, variant or data.layers.items[item].variants[0], colours)


def test_painting_reproduces_the_drawing(data: CharacterData) -> None:
    rng, pixels, right = np.random.default_rng(0), 0, 0
    for _ in range(20):
        character = data.compose(data.training.draw(rng))
        drawn, painted = data.drawn(character.outfit), paint(character.slots, character.shades, character.ramps)
        assert np.array_equal(drawn[..., 3], painted[..., 3])
        figure = drawn[..., 3] == 255
        hit = (drawn == painted).all(-1)
        if "weapon" not in character.outfit.worn:
            assert hit.all()  # all but the mace has as few colours as its slots
        pixels, right = pixels + int(figure.sum()), right + int((hit & figure).sum())
    assert right > 0.9 * pixels


def test_the_front_alone_is_the_front_of_the_sheet(data: CharacterData) -> None:
    outfit = data.training.draw(np.random.default_rng(3))
    whole = data.compose(outfit)
    assert whole.slots.shape == whole.shades.shape == (4, 9, 64, 64)
    slots, shades = data.compose_front(outfit)
    assert np.array_equal(slots, whole.slots[2, 0])
    assert np.array_equal(shades, whole.shades[2, 0])


def test_slots_and_shades_do_not_depend_on_colour(data: CharacterData) -> None:
    def character(skin: str, shirt: str, boots: str) -> Outfit:
        people = {"body": worn(data, "body", body=skin), "torso": worn(data, "torso_clothes_tshirt1", cloth=shirt)}
        return Outfit("male", people | {"feet": worn(data, "feet_boots_basic", boots)}, ())

    one, other = (data.compose(character(*c)) for c in (("light", "white", "white"), ("olive", "red", "red")))
    assert np.array_equal(one.slots, other.slots)
    assert np.array_equal(one.shades, other.shades)
    assert not np.array_equal(one.ramps, other.ramps)
    skin = one.ramps[SLOTS.index("skin")]
    assert (np.diff(skin.astype(int).sum(1)) >= 0).all()  # from dark to light
    assert skin[0].tolist() == [0x27, 0x19, 0x20]
    assert other.ramps[SLOTS.index("torso")][-1].tolist() == [0xFF, 0x48, 0x50]


def test_a_colour_that_never_changes_is_a_trim(data: CharacterData) -> None:
    hat = take_apart(data.layers.items["hat_tricorne"], data.layers.tables)
    assert [SLOTS[slot] for slot in hat.slots] == ["hat", "hat trim"]
    assert hat.known.sum(1).tolist() == [6, 1]
    armour = take_apart(data.layers.items["torso_armour_leather"], data.layers.tables)
    assert armour.known.sum(1).tolist() == [6, 6]
    head = take_apart(data.layers.items["heads_human_male"], data.layers.tables)
    assert [SLOTS[slot] for slot in head.slots] == ["skin", "eyes"]
    assert head.known.sum(1).tolist() == [6, 4]


def test_more_colours_than_shades_are_merged(data: CharacterData) -> None:
    mace = data.layers.items["weapon_blunt_mace"]
    parts = take_apart(mace, data.layers.tables)
    assert (parts.known.sum(1) <= SHADES).all()
    painted = {int(code) for code in parts.codes[0] if code}
    assert SHADES < len(painted) <= 2 * SHADES


def test_variants_are_found_in_the_tables(data: CharacterData) -> None:
    """Boots have a table's three darkest colours, and one of their own that is lighter."""
    boots = take_apart(data.layers.items["feet_boots_basic"], data.layers.tables)
    assert boots.known[0].nonzero()[0].tolist() == [0, 1, 3, 7]


def test_near_duplicates_are_held_out_together(data: CharacterData) -> None:
    items = data.layers.items
    groups = near_duplicates([items[f"hair_wavy{k}"] for k in range(11)])
    assert {"hair_wavy2", "hair_wavy3"} <= next(g for g in groups if "hair_wavy2" in g)
    kept = held_out(items)
    assert kept
    for attribute in ("hair", "torso"):
        names = [n for value in grouped(items)[attribute].values() for n in value]
        assert 0 <= sum(n in kept for n in names) <= round(0.1 * len(names))
        assert all(any(items[n].fits(body) for n in names if n not in kept) for body in ("male", "child"))
    for group in groups:
        assert group <= kept or not group & kept


def test_training_never_has_held_out_items(data: CharacterData) -> None:
    rng = np.random.default_rng(1)
    seen = {w.item for _ in range(300) for w in data.training.draw(rng).worn.values()}
    assert not seen & data.held_out
    assert {"hair_wavy0", "hat_tricorne", "weapon_blunt_mace", "heads_rat"} <= seen | data.held_out
    validated = {w.item for _ in range(200) for w in data.validation.draw(rng).worn.values()}
    assert data.held_out <= validated


def test_outfits_follow_the_rules(data: CharacterData) -> None:
    rng = np.random.default_rng(2)
    for _ in range(200):
        outfit = data.training.draw(rng)
        labels = data.training.labels(outfit)
        assert {"body", "species", "hair", "torso", "outer", "legs", "feet", "hat", "weapon"} == set(labels)
        assert all(value == NONE or value in ATTRIBUTES[a] for a, value in labels.items() if a != "body")
        assert all(data.layers.items[w.item].fits(outfit.body) for w in outfit.worn.values())
        if labels["species"] == "human":
            assert outfit.worn["body"].colours["body"] in SKINS
        for attribute, values, other, its_values in NEVER:
            if attribute in labels and labels.get(other) in its_values:
                assert labels[attribute] == NONE or (values and labels[attribute] not in values)
        if outfit.body == "child":
            assert labels["weapon"] == NONE
            assert outfit.worn["species"].item in ("heads_human_child", "heads_rat")


def test_colourways_paint_what_the_layers_have(data: CharacterData) -> None:
    """Every colourway of a row holds the colours of one of its variants, but not those of skin, hair and eyes."""
    described = describe_colourways(data)
    ramps = read_ramps(described)
    rows = data.training.catalogue.rows
    assert len(described["looks"]) == len(rows)
    colourways = {item: colourway for (_, _, item), colourway in zip(rows, described["looks"], strict=True)}
    hat = next(colourway for colourway in colourways["hat_tricorne"] if colourway["name"] == "red")
    assert ramps[hat["ramps"]["hat"]][[0, 7]].tolist() == [[0x20, 0x04, 0x08], [0xFF, 0x48, 0x50]]
    assert ramps[hat["ramps"]["hat trim"]][3].tolist() == [0xE0, 0xC0, 0x20]
    shirt = next(item for item in colourways if item.startswith("torso_clothes"))
    assert {colourway["name"] for colourway in colourways[shirt]} == {"white", "red"}
    assert not any(colourway["ramps"] for colourway in colourways["heads_human_male"])
    assert list(colourways["heads_rat"][0]["ramps"]) == ["face"]
    assert ramps[described["shared"]["skin"]["light"]][0].tolist() == [0x27, 0x19, 0x20]
    assert ramps[described["shared"]["eyes"]["blue"]][-1].tolist() == [242, 247, 248]
    leather = colourways["torso_armour_leather"]
    assert {colourway["name"] for colourway in leather} == {"white", "red"}
    assert len({colourway["ramps"]["outer trim"] for colourway in leather}) == 2
    heads = [k for k, (attribute, _, _) in enumerate(rows) if attribute == "species"]
    assert sorted(described["skins"]) == heads


def test_the_same_rng_gives_the_same_outfit(data: CharacterData) -> None:
    one, other = (data.training.draw(np.random.default_rng(9)) for _ in range(2))
    assert one == other


@given(st.lists(st.booleans(), min_size=8, max_size=8), st.integers(0, 255))
def test_complete_keeps_known_shades_and_interpolates(known: list[bool], seed: int) -> None:
    ramp = np.sort(np.random.default_rng(seed).integers(0, 256, (1, SHADES, 3)), 1).astype(np.uint8)
    has = np.array([known])
    filled = complete(np.where(has[..., None], ramp, 0).astype(np.uint8), has)
    assert np.array_equal(filled[has], ramp[has])
    if has.any():
        assert (np.diff(filled[0].astype(int), axis=0) >= 0).all()


def test_shades_spread_from_the_outline_to_the_highlight() -> None:
    assert [spread(n) for n in (0, 1, 2, 8)] == [[], [4], [0, 7], list(range(8))]


def test_only_the_background_is_transparent() -> None:
    ramps = np.full((len(SLOTS), SHADES, 3), 9, np.uint8)
    painted = paint(np.array([0, 1], np.uint8), np.array([5, 5], np.uint8), ramps)
    assert painted.tolist() == [[0, 0, 0, 0], [9, 9, 9, 255]]


def test_a_folder_without_layers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"palettes\.json"):
        read_layers(tmp_path)


def test_the_documentation_lists_every_value() -> None:
    rows = [line.split("|") for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    table = {row[1].strip().strip("`"): [v.strip() for v in row[2].split(",")] for row in rows}
    for attribute, values in ATTRIBUTES.items():
        assert table[attribute] == list(values)
