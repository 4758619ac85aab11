"""Characters described in words: what is understood, what is reported, what is refused."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.content.characters import vocabulary, wishes
from runtime.content.characters.reconcile import reconcile
from runtime.content.characters.texts import Reading, read_text
from runtime.content.characters.wishes import Choices, Row
from runtime.engine import Engine
from runtime.errors import Code, RpcError
from runtime.registry import Registry


@pytest.fixture(scope="module")
def known() -> Choices:
    """What the bundled model lists."""
    return wishes.choices(Registry(None).find("character-front").card)


def meant(reading: Reading) -> dict[str, str]:
    return {name: value for name, (value, _) in reading.meant.items()}


def fault(text: str, known: Choices) -> RpcError:
    with pytest.raises(RpcError) as caught:
        read_text(text, known)
    return caught.value


def test_every_word_is_a_wish_that_the_model_knows(known: Choices) -> None:
    for noun in vocabulary.NOUNS.values():
        values = [*noun.kinds.values(), *([noun.value] if noun.value else [])]
        assert {(noun.attribute, value) for value in values} <= set(known.values)
        assert values or noun.attribute in known.coloured
    for table in (vocabulary.PERSONS, vocabulary.ROLES):
        assert {item for wished in table.values() for item in wished.items()} <= set(known.values)
    names = {name for names in known.coloured.values() for name in names}
    assert all(set(tried) & names for tried in vocabulary.COLOURS.values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("red-haired woman", {"body": "female", "hair_colour": "red"}),
        ("man with long red hair", {"body": "male", "hair": "long", "hair_colour": "red"}),
        ("a bald teenager, glasses", {"hair": "none", "body": "teen", "eyewear": "glasses"}),
        ("Women in blue dresses", {"body": "female", "torso": "dress", "torso_colour": "blue"}),
        ("green orc", {"species": "orc", "skin_colour": "green"}),
        ("dark blue cape", {"back": "cape", "back_colour": "navy"}),
        ("witch's hat", {"hat": "wizard hat"}),
        ("a purple hat", {"hat_colour": "purple"}),  # whichever
        ("a hat", {"hat": "cap"}),
        ("grey beard", {"beard": "long", "hair_colour": "gray"}),
        ("brown leather boots", {"feet": "boots", "feet_colour": "brown"}),
        ("leather boots", {"feet": "boots", "feet_colour": "leather"}),
        ("leather armour", {"outer": "leather"}),
        ("no hat or shoes", {"hat": "none", "feet": "none"}),
        ("hatless, without a weapon", {"hat": "none", "weapon": "none"}),
        ("no armour", {"outer": "none", "shoulders": "none", "arms": "none", "bracers": "none"}),
        ("old crooked nose", {"nose": "old"}),  # and nobody old
        ("dragon wings", {"back": "bat wings"}),
    ],
)
def test_words_are_wishes(text: str, expected: dict[str, str], known: Choices) -> None:
    reading = read_text(text, known)
    assert meant(reading) == expected
    assert not reading.implied
    assert not reading.unknown
    assert not reading.notes


def test_what_is_not_known_is_reported(known: Choices) -> None:
    reading = read_text("a jolly man with a staff, a blu cape, no red hat, not old, in black", known)
    assert meant(reading) == {"body": "male", "back": "cape"}
    assert "'blu' is not known; did you mean 'blue'?" in reading.unknown
    assert any(line.startswith("'jolly' is not known") for line in reading.unknown)
    assert any("'no red'" in line for line in reading.unknown)
    assert any("'not old'" in line for line in reading.unknown)
    assert any(line.startswith("'black': of what?") for line in reading.unknown)
    assert len(reading.unknown) == 5
    assert len(reading.notes) == 1
    assert "staff: it turns in side views" in reading.notes[0]


def test_a_colour_that_something_never_has_is_noted(known: Choices) -> None:
    reading = read_text("pink bracers", known)
    assert meant(reading) == {"bracers": "bracers"}
    assert reading.notes == ["pink bracers: no bracers comes in pink"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bald man with long hair", "'bald' and 'long hair' say two things of hair; leave one of the two out"),
        ("no hat but a red hat", "'no hat' and 'red hat' say two things of hat"),
        ("red hat, no hat", "'red hat' and 'no hat' say two things of hat"),
        ("red blue cape", "'red blue cape' says two things of back"),
        ("a female man", "say two things of body"),
        ("wizzard", "it wishes for nothing: 'wizzard' is not known; did you mean 'wizard'?"),
        (" ", "it has no word that does"),
    ],
)
def test_texts_that_are_refused(text: str, words: str, known: Choices) -> None:
    refused = fault(text, known)
    assert refused.code == Code.INVALID_PARAMS
    assert words in refused.message
    assert refused.details == {"parameter": "text"}


def test_a_long_text_is_refused(known: Choices) -> None:
    assert fault("hat " * 200, known).code == Code.OUT_OF_RANGE


@given(st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz ,.-'é7"), max_size=60) | st.text(max_size=40))
def test_any_text_is_read_or_refused(known: Choices, text: str) -> None:
    try:
        reading = read_text(text, known)
    except RpcError as error:
        code = error.code
    else:
        code = None
        wishes.read_wishes(meant(reading), known)
    assert code in (None, Code.INVALID_PARAMS)


class Settled:
    """reconcile() over the bundled model itself."""

    def __init__(self, known: Choices) -> None:
        self.known, self.engine = known, Engine("cpu", 1)
        self.model = Registry(None).find("character-front")

    def __call__(self, text: str, **attributes: str) -> tuple[dict[str, str], list[str]]:
        def make(wish: Row) -> Row:
            return self.run("values", self.run("cast", np.array([3]), wish[None]))[0]

        return reconcile(read_text(text, self.known), attributes, self.known, self.run("never"), make)

    def run(self, *arguments: object) -> Row:
        return self.engine.submit(self.engine.run, self.model, *arguments).result()


@pytest.fixture(scope="module")
def settled(known: Choices) -> Iterator[Settled]:
    made = Settled(known)
    yield made
    made.engine.close()


def test_a_role_brings_what_goes_with_it(settled: Settled) -> None:
    wished, notes = settled("old wizard")
    assert wished == {"species": "elder", "wrinkles": "wrinkles", "hat": "wizard hat", "torso": "dress"}
    assert not notes
    wished, _ = settled("wizard without a hat, red shirt")
    assert wished == {"hat": "none", "torso": "long sleeves", "torso_colour": "red"}
    wished, _ = settled("pirate wizard")  # the last is what it is, the first what kind of
    assert (wished["hat"], wished["eyewear"]) == ("wizard hat", "eyepatch")


def test_a_role_gives_way(settled: Settled) -> None:
    wished, notes = settled("rat wizard")
    assert wished == {"species": "rat", "torso": "dress"}
    assert notes == ["wizard: hat wizard hat never goes with species rat"]
    wished, notes = settled("white wizard")
    assert wished == {"hat": "wizard hat", "torso": "dress", "hat_colour": "white", "torso_colour": "white"}
    wished, notes = settled("pink knight")
    assert wished["outer"] == "plate"
    assert "outer_colour" not in wished
    assert "pink knight: no outer comes in pink" in notes


def test_wishes_come_before_words(settled: Settled) -> None:
    wished, notes = settled("bald king", hair="long", hat="none")
    assert wished["hair"] == "long"
    assert wished["body"] == "male"
    assert not notes
    wished, notes = settled("a wizard hat", species="rat")
    assert wished == {"species": "rat"}
    assert notes == ["wizard hat: hat wizard hat never goes with species rat"]


def test_words_that_never_go_together(settled: Settled) -> None:
    with pytest.raises(RpcError, match="text: species 'rat' and hat 'wizard hat' never go together") as caught:
        settled("rat with a wizard hat")
    assert caught.value.details == {"parameter": "text"}
    with pytest.raises(RpcError, match="attributes: hair 'long' and hat 'helmet' never go together"):
        settled("a king", hair="long", hat="helmet")
