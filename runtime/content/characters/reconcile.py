"""Reconciles a text with the wishes by name: one set of wishes that a character can meet together.

Wishes by name take precedence over what the text says, and the text's own words over what a role implies. So a wizard
who is a rat has no hat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from runtime.content.characters import wishes
from runtime.content.characters.texts import Reading
from runtime.content.characters.wishes import COLOUR, NONE, OPEN, Choices, Row

FIRST = ("body", "species")  # what else is possible depends on these


def reconcile(
    reading: Reading,
    attributes: Mapping[str, str],
    known: Choices,
    never: NDArray[np.integer],
    make: Callable[[Row], Row],
) -> tuple[dict[str, str], list[str]]:
    """The wishes by name that text and wishes come to together, and notes on what of the text they leave out.

    Args:
        reading: the text as it was read.
        attributes: the wishes by name.
        known: what the model's card lists.
        never: bool (values, values), which values the model never puts together.
        make: gives the character of a row of wishes, as the model numbers it.

    Raises:
        RpcError: INVALID_PARAMS if the wishes, or the words of the text, contradict each other.
    """
    wishes.check_together(wishes.read_wishes(attributes, known), known, never)
    wished, notes = dict(attributes), list(reading.notes)

    def add(name: str, value: str, said: str) -> bool:
        if name in wished or _contradicts_none(name, value, wished):
            return False
        if (other := _rival(name, value, wished, known, never)) is not None:
            if value != NONE:
                notes.append(f"{said}: {name} {value} never goes with {other} {wished[other]}")
            return False
        wished[name] = value
        return True

    said = {name: value for name, (value, _) in reading.meant.items() if name not in attributes}
    wishes.check_together(wishes.read_wishes(_without_colours(said), known), known, never, "text")
    for name, (value, words) in reading.meant.items():
        add(name, value, words)
    implied = {name: (value, words) for name, value, words in reading.implied}  # of two roles the last counts
    order = sorted(implied, key=lambda name: (name.endswith(COLOUR), name not in FIRST))  # stable
    added = {
        name
        for name in order
        if not (name.endswith(COLOUR) and name.removesuffix(COLOUR) not in wished)
        and (name.endswith(COLOUR) or (name, implied[name][0]) in known.values)
        and add(name, *implied[name])
    }
    while added:
        row = wishes.read_wishes(wished, known)
        missed = [known.attributes[k % len(known.attributes)] for k in _missed(row, make(row), known)]
        gone = {n for n in added if n.removesuffix(COLOUR) in missed}
        # A role may imply something in a colour that it does not come in. Then the colour is dropped first.
        gone = {n for n in gone if n.endswith(COLOUR)} or gone
        if not gone:
            break
        for name in sorted(gone):
            notes.append(f"{implied[name][1]}: no {name.removesuffix(COLOUR)} comes in {wished[name]}")
            del wished[name]
        added -= gone
    return wished, notes


def _missed(row: Row, made: Row, known: Choices) -> list[int]:
    """The places of a row, without the shared colours, where the character is not as requested."""
    return [int(k) for k in np.flatnonzero((row != OPEN) & (row != made)) if k < 2 * len(known.attributes)]


def _contradicts_none(name: str, value: str, wished: Mapping[str, str]) -> bool:
    """Whether it is a colour for something wished away, or wishes away something that has a colour wished for."""
    if name.endswith(COLOUR):
        return wished.get(name.removesuffix(COLOUR)) == NONE
    return value == NONE and name + COLOUR in wished


def _without_colours(said: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in said.items() if not name.endswith(COLOUR)}


def _rival(name: str, value: str, wished: Mapping[str, str], known: Choices, never: NDArray[np.integer]) -> str | None:
    """A wished attribute whose value never goes with this one; None where all do."""
    if name.endswith(COLOUR):
        return None
    number = known.values.index((name, value))
    numbers = {other: known.values.index((other, wished[other])) for other in wished if not other.endswith(COLOUR)}
    return next((other for other, value_of in numbers.items() if never[number, value_of]), None)
