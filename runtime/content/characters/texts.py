"""Parses the description of a character, such as "old wizard with a red cape and no beard", into wishes.

The words are those of vocabulary.py. Nothing is guessed: unknown words are reported, and so is what was understood but
is not available.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from runtime.content.characters import vocabulary as words
from runtime.content.characters.vocabulary import NONE, Noun
from runtime.content.characters.wishes import COLOUR, Choices
from runtime.content.checks import invalid, parameter_error
from runtime.errors import Code, did_you_mean

T = TypeVar("T")
LONGEST = 500  # characters
PHRASE = 2  # words of the longest phrase
COLOURED_AS_HAIR = ("beard", "brows")
MATERIAL = "leather"  # also the name of a colour, but not in "red leather boots"
PAINTED = ("hat", "torso", "outer", "back")  # what a colour before a role is for: a red wizard
MATERIALS = ("", "fur ", "metallic ", "skin ")  # before a colour's name in the tables
ADJECTIVES = frozenset(adjective for noun in words.NOUNS.values() for adjective in noun.kinds)
ENTRIES = (words.NOUNS, words.PERSONS, words.ROLES, words.NOT_HAD, words.COLOURS)
HALVES = {"haired": "hair", "eyed": "eyes", "skinned": "skin", "eared": "ears", "tailed": "tail", "nosed": "nose"}
_TOKEN = re.compile(r"[^\W\d_]+(?:[-'][^\W\d_]+)*|[,.;]|[^\s,.;]+")


@dataclass
class Reading:
    """What a text wishes for.

    `meant`: values by attribute, or colours by `<attribute>_colour`, each with the words that say so. `implied`: what
    roles imply: name, value, the role. `unknown`: unknown words, with the nearest known one. `notes`: what was
    understood but is not available.
    """

    meant: dict[str, tuple[str, str]] = field(default_factory=dict)
    implied: list[tuple[str, str, str]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_text(text: str, known: Choices) -> Reading:
    """Parse a text into wishes that a model knows.

    Raises:
        RpcError: INVALID_PARAMS for a text that contradicts itself, or of which no word is known; OUT_OF_RANGE for one
            that is too long.
    """
    if len(text) > LONGEST:
        message = f"text: it has {len(text)} characters; 1 to {LONGEST} would do"
        raise parameter_error(Code.OUT_OF_RANGE, "text", message, value=len(text), maximum=LONGEST)
    reader = _Reader(_tokens(text), known)
    reader.read()
    reading = reader.reading
    if not (reading.meant or reading.implied or reading.notes):
        said = "; ".join(reading.unknown) or "it has no word that does"
        raise invalid("text", f"it wishes for nothing: {said}. docs/characters.md has the words")
    return reading


def _tokens(text: str) -> list[str]:
    """Words in lower case, and punctuation; "red-haired" becomes "red hair"."""
    tokens: list[str] = []
    for token in _TOKEN.findall(text.lower()):
        word = token.removesuffix("'s")
        whole = "-" not in word or any(_find(table, word) is not None for table in ENTRIES)
        tokens += [word] if whole else [HALVES.get(half, half) for half in word.split("-")]
    return tokens


def _find(table: Mapping[str, T], phrase: str) -> T | None:
    """The entry of a table for a phrase or its singular; None where there is none."""
    return next((table[p] for p in (phrase, phrase.removesuffix("s"), phrase.removesuffix("es")) if p in table), None)


class _Reader:
    """Goes through the words. Adjectives, colours and a negation wait for the noun that they belong to."""

    def __init__(self, tokens: list[str], known: Choices) -> None:
        self.tokens, self.known, self.reading = tokens, known, Reading()
        named = {name.replace("_", " ") for names in known.coloured.values() for name in names}
        self.colours = named | set(words.COLOURS)
        self.waiting: list[str] = []
        self.denied = ""  # the negation that waits for its noun
        self.ended = ""  # the last negation, which `or` continues

    def read(self) -> None:
        """Read the whole text."""
        at = 0
        while at < len(self.tokens):
            for length in range(min(PHRASE, len(self.tokens) - at), 0, -1):
                if self._take(" ".join(self.tokens[at : at + length]), at + length):
                    break
            at += length
        self._end()

    def _take(self, phrase: str, after: int) -> bool:
        """Read a phrase; the next word is at `after`. False for an unknown phrase of more than one word."""
        noun = self._noun_from(after)
        if phrase in words.NEGATIONS:
            self.denied = phrase
        elif phrase in words.AGAIN and self.ended:
            self.denied = self.ended
        elif phrase in words.FILLERS or phrase in words.AGAIN:
            pass
        elif phrase in ",.;":
            self._end()
        elif noun is not None and phrase in noun.kinds:
            self.waiting.append(phrase)
        elif (own := _find(words.NOUNS, phrase)) is not None:
            self._noun(phrase, own)
        elif (own := words.NOUNS.get(phrase.removesuffix("less"))) is not None:
            self._deny(phrase, own)
        elif phrase in self.colours:
            self.waiting.append(phrase)
        elif (who := _find(words.PERSONS, phrase)) is not None:
            self._person(phrase, who)
        elif (role := _find(words.ROLES, phrase)) is not None:
            self._role(phrase, role)
        elif (why := _find(words.NOT_HAD, phrase)) is not None:
            self._not_had(phrase, why)
        elif " " in phrase:
            return False
        elif phrase in ADJECTIVES:
            self.waiting.append(phrase)
        else:
            every = {word for table in ENTRIES for word in table} | self.colours | ADJECTIVES
            self.reading.unknown.append(f"{phrase!r:.60} is not known{did_you_mean(phrase, sorted(every))}")
        return True

    def _noun_from(self, at: int) -> Noun | None:
        """The noun to which the adjectives and colours at `at` belong."""
        while at < len(self.tokens):
            for length in range(min(PHRASE, len(self.tokens) - at), 0, -1):
                phrase = " ".join(self.tokens[at : at + length])
                if (noun := _find(words.NOUNS, phrase)) is not None:
                    return noun
                if phrase in ADJECTIVES or phrase in self.colours:
                    break
            else:
                return None
            at += length
        return None

    def _noun(self, phrase: str, noun: Noun) -> None:
        if self.denied:
            self._deny(f"{self.denied} {phrase}", noun)
            return
        kinds = [word for word in self.waiting if word in noun.kinds]
        colours = [word for word in self.waiting if word not in noun.kinds and word in self.colours]
        said = " ".join([*self.waiting, phrase])
        for word in self.waiting:
            if word not in kinds and word not in colours:
                self.reading.unknown.append(f"{word!r} says nothing of {phrase}")
        self.waiting = []
        for word in kinds[:-1]:
            if noun.kinds[word] != noun.kinds[kinds[-1]]:
                self.reading.notes.append(
                    f"{said}: {noun.attribute} can't be {word!r} and {kinds[-1]!r}; it is the last"
                )
        if kinds:
            self._mean(noun.attribute, noun.kinds[kinds[-1]], said)
        if noun.value is not None and not kinds and not (colours and noun.any_of_a_colour):
            self._mean(noun.attribute, noun.value, said)
        for word in colours:
            if word != MATERIAL or len(colours) == 1:
                self._colour(noun.attribute, word, said)

    def _deny(self, said: str, noun: Noun) -> None:
        if self.waiting:
            self.reading.unknown.append(
                f"{' '.join([self.denied, *self.waiting])!r}: only a thing as a whole can be left out"
            )
        elif (noun.attribute, NONE) not in self.known.values:
            self.reading.unknown.append(f"{said!r}: everyone has it")
        else:
            for attribute in (noun.attribute, *noun.with_it):
                self._mean(attribute, NONE, said)
        self.waiting, self.denied, self.ended = [], "", self.denied

    def _person(self, phrase: str, who: Mapping[str, str]) -> None:
        if self._is_denied(phrase):
            return
        for name, value in who.items():
            self._mean(name, value, phrase)
        if "species" in who:
            for word in self.waiting:
                self._colour("skin", word, f"{word} {phrase}")
            self.waiting = []

    def _role(self, phrase: str, role: Mapping[str, str]) -> None:
        if self._is_denied(phrase):
            return
        self.reading.implied += [(name, value, phrase) for name, value in role.items()]
        painted = [name for name in PAINTED if role.get(name, NONE) != NONE]
        if not painted:
            return  # an adjective, as in a red old cape
        for word in self.waiting:
            named = [(name + COLOUR, self._table_colour(name, word)) for name in painted]
            self.reading.implied += [(name, value, f"{word} {phrase}") for name, value in named if value is not None]
        self.waiting = []

    def _not_had(self, phrase: str, why: str) -> None:
        if not self.denied:
            self.reading.notes.append(f"{phrase}: it {why}")
        self.waiting, self.denied, self.ended = [], "", self.denied

    def _is_denied(self, phrase: str) -> bool:
        if self.denied:
            self.reading.unknown.append(f"{f'{self.denied} {phrase}'!r}: say what it is to be instead")
        denied, self.denied = bool(self.denied), ""
        return denied

    def _end(self) -> None:
        """End a part of a sentence: words that still wait belong to nothing."""
        for word in self.waiting:
            self.reading.unknown.append(f"{word!r}: of what? write it before the thing, as in 'red cape'")
        if self.denied:
            self.reading.unknown.append(f"{self.denied!r}: nothing is named after it")
        self.waiting, self.denied, self.ended = [], "", ""

    def _colour(self, attribute: str, word: str, said: str) -> None:
        attribute = "hair" if attribute in COLOURED_AS_HAIR else attribute
        if (name := self._table_colour(attribute, word)) is None:
            self.reading.notes.append(f"{said}: no {attribute} comes in {word}")
        else:
            self._mean(attribute + COLOUR, name, said)

    def _table_colour(self, attribute: str, word: str) -> str | None:
        """The name of a colour in an attribute's table; None where the table has none."""
        names = {name.replace("_", " "): name for name in self.known.coloured.get(attribute, ())}
        tried = [material + w for w in (word, *words.COLOURS.get(word, ())) for material in MATERIALS]
        return next((names[spoken.replace("_", " ")] for spoken in tried if spoken.replace("_", " ") in names), None)

    def _mean(self, name: str, value: str, said: str) -> None:
        """Add a wish. Raises RpcError if other words of the text contradict it."""
        if not name.endswith(COLOUR) and (name, value) not in self.known.values:
            self.reading.notes.append(f"{said}: this model knows no {name} {value}")
            return
        meant = self.reading.meant
        what = name.removesuffix(COLOUR)
        clash = {name: value} if name in meant else {}
        if name != what and meant.get(what, ("", ""))[0] == NONE:
            clash = {what: ""}
        elif value == NONE and what + COLOUR in meant:
            clash = {what + COLOUR: ""}
        for other, agreed in clash.items():
            if meant[other][0] != agreed:
                said = f"{said!r} says" if said == meant[other][1] else f"{meant[other][1]!r} and {said!r} say"
                raise invalid("text", f"{said} two things of {what}; leave one of the two out")
        meant[name] = value, said
