"""What a text and wishes come to: a wish for all of it that can be had together, and what had to give way.

Wishes by name come before what a text says, and that comes before what goes with a role: a rat is a wizard without
a hat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from runtime.content.characters import wishes
from runtime.content.characters.texts import Reading
from runtime.content.characters.wishes import COLOUR, NONE, OPEN, Choices, Row

FIRST = ("body", "species")  # which decide what else there is


def settle(
    reading: Reading,
    attributes: Mapping[str, str],
    known: Choices,
    never: NDArray[np.integer],
    make: Callable[[Row], Row],
) -> tuple[dict[str, str], list[str]]:
    """Wishes by name, and notes on what of the text is not among them.

    `never`: the model's (values, values). `make`: the character of a wish, as the model numbers it.

    Raises:
        RpcError: INVALID_PARAMS where wishes, or words of the text, contradict each other.
    """
    wishes.check_together(wishes.read_wishes(attributes, known), known, never)
    wished, notes = dict(attributes), list(reading.notes)

    def add(name: str, value: str, said: str) -> bool:
        if name in wished or _is_bare(name, value, wished):
            return False
        if (other := _enemy(name, value, wished, known, never)) is not None:
            if value != NONE:
                notes.append(f"{said}: {name} {value} never goes with {other} {wished[other]}")
            return False
        wished[name] = value
        return True

    said = {name: value for name, (value, _) in reading.meant.items() if name not in attributes}
    wishes.check_together(wishes.read_wishes(_bare_of_colours(said), known), known, never, "text")
    for name, (value, words) in reading.meant.items():
        add(name, value, words)
    implied = {name: (value, words) for name, value, words in reading.implied}  # of two roles the last
    order = sorted(implied, key=lambda name: (name.endswith(COLOUR), name not in FIRST))  # stable
    brought = {
        name
        for name in order
        if not (name.endswith(COLOUR) and name.removesuffix(COLOUR) not in wished)
        and (name.endswith(COLOUR) or (name, implied[name][0]) in known.values)
        and add(name, *implied[name])
    }
    while brought:
        row = wishes.read_wishes(wished, known)
        missed = [known.attributes[k % len(known.attributes)] for k in _missed(row, make(row), known)]
        gone = {n for n in brought if n.removesuffix(COLOUR) in missed}
        # Of a role's thing in a colour that it does not come in, the colour goes first.
        gone = {n for n in gone if n.endswith(COLOUR)} or gone
        if not gone:
            break
        for name in sorted(gone):
            notes.append(f"{implied[name][1]}: no {name.removesuffix(COLOUR)} comes in {wished[name]}")
            del wished[name]
        brought -= gone
    return wished, notes


def _missed(row: Row, made: Row, known: Choices) -> list[int]:
    """Places of a row, before those of the shared colours, where the character is not what was wished for."""
    return [int(k) for k in np.flatnonzero((row != OPEN) & (row != made)) if k < 2 * len(known.attributes)]


def _is_bare(name: str, value: str, wished: Mapping[str, str]) -> bool:
    """Whether it is the colour of what is not to be there, or its absence where it is to have a colour."""
    if name.endswith(COLOUR):
        return wished.get(name.removesuffix(COLOUR)) == NONE
    return value == NONE and name + COLOUR in wished


def _bare_of_colours(said: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in said.items() if not name.endswith(COLOUR)}


def _enemy(name: str, value: str, wished: Mapping[str, str], known: Choices, never: NDArray[np.integer]) -> str | None:
    """An attribute wished for whose value is never worn with this one."""
    if name.endswith(COLOUR):
        return None
    number = known.values.index((name, value))
    numbers = {other: known.values.index((other, wished[other])) for other in wished if not other.endswith(COLOUR)}
    return next((other for other, its in numbers.items() if never[number, its]), None)
