"""Converts a designer's wishes from names to the numbers of the front's model, and back.

Wishes are a row of numbers: a value for each attribute, a colour for each attribute, and the colours of skin, hair and
eyes; -1 where nothing is wished. The model's card lists the names in the order of their numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.card import Card
from runtime.content.checks import invalid, one_of, parameter_error
from runtime.errors import Code

OTHERS = ("seed", "truncation", "colours")  # parameters of the model that are not wishes
COLOUR = "_colour"
SHARED = ("skin", "hair", "eyes")  # each has one colour for the whole character
NONE = "none"
OPEN = -1
Row = NDArray[np.int64]


@dataclass(frozen=True)
class Choices:
    """All possible wishes. `values`: (attribute, value) by number; `colours`: names by number; `coloured`: the colours
    of each attribute that has a colour.
    """

    attributes: tuple[str, ...]
    values: tuple[tuple[str, str], ...]
    colours: tuple[str, ...]
    coloured: Mapping[str, tuple[str, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all wishes: the attributes, and their colours."""
        return (*self.attributes, *(f"{what}{COLOUR}" for what in self.coloured))

    @property
    def size(self) -> int:
        """The length of a row."""
        return 2 * len(self.attributes) + len(SHARED)

    def place_of_colour(self, what: str) -> int:
        """The index in a row of the colour of skin, hair, eyes or an attribute."""
        if what in SHARED:
            return 2 * len(self.attributes) + SHARED.index(what)
        return len(self.attributes) + self.attributes.index(what)


def choices(card: Card) -> Choices:
    """The wishes that a front model's card lists."""
    listed = {name: tuple(stated.choices or ()) for name, stated in card.parameters.items()}
    attributes = tuple(name for name in listed if name not in OTHERS and not name.endswith(COLOUR))
    values = tuple((attribute, value) for attribute in attributes for value in listed[attribute])
    coloured = {name.removesuffix(COLOUR): names for name, names in listed.items() if name.endswith(COLOUR)}
    return Choices(attributes, values, listed.get("colours", ()), coloured)


def read_wishes(attributes: Mapping[str, str], known: Choices) -> Row:
    """Wishes by name to a row.

    Raises:
        RpcError: INVALID_PARAMS for an unknown attribute or value, with the nearest known one, and for the colour of an
            attribute that is to be none.
    """
    row = np.full(known.size, OPEN)
    for name, value in attributes.items():
        one_of("attributes", name, known.names, "attributes: unknown attribute")
        what = name.removesuffix(COLOUR)
        values = known.coloured[what] if name.endswith(COLOUR) else [v for a, v in known.values if a == name]
        one_of("attributes", value, values, f"attributes: {name} has no value")
        if name.endswith(COLOUR):
            if what not in SHARED and attributes.get(what) == NONE:
                raise invalid("attributes", f"{what} is none, so it has no {name} {value!r}; leave one of the two out")
            row[known.place_of_colour(what)] = known.colours.index(value)
        else:
            row[known.attributes.index(name)] = known.values.index((name, value))
    return row


def check_together(row: Row, known: Choices, never: NDArray[np.integer], parameter: str = "attributes") -> None:
    """Check that the values wished for go together.

    Args:
        row: the wishes.
        known: what the model's card lists.
        never: bool (values, values), which values the model never puts together.
        parameter: the name for the message.

    Raises:
        RpcError: INVALID_PARAMS, with the first two values that do not.
    """
    wished = [int(value) for value in row[: len(known.attributes)] if value != OPEN]
    for k, one in enumerate(wished):
        for other in wished[k + 1 :]:
            if never[one, other]:
                both = " and ".join(f"{a} {v!r}" for a, v in (known.values[one], known.values[other]))
                raise invalid(parameter, f"{both} never go together; leave one of the two out")


def check_met(row: Row, made: Row, known: Choices) -> None:
    """Check that a character `made` meets the wishes. Raises RpcError UNSATISFIED."""
    missed = np.flatnonzero((row != OPEN) & (row != made))
    if not len(missed):
        return
    place, count = int(missed[0]), len(known.attributes)
    what = known.attributes[place % count] if place < 2 * count else SHARED[place - 2 * count]
    colour = known.colours[row[place]]
    worn = known.values[made[place % count]][1] if place < 2 * count else what
    body = known.values[made[known.attributes.index("body")]][1]
    why = (
        f"nothing of {what} that goes with the rest comes in {colour!r}"
        if worn == NONE
        else f"{what} {worn!r} does not come in {colour!r} for a {body} body"
    )
    message = f"attributes: {why}; wish for another colour or leave one out"
    raise parameter_error(Code.UNSATISFIED, "attributes", message)


def names_of(made: Row, known: Choices) -> dict[str, str]:
    """A character's values and colours by name. Wishes for all of them give the same character."""
    named = dict(known.values[value] for value in made[: len(known.attributes)].tolist())
    for what, names in known.coloured.items():
        name = int(made[known.place_of_colour(what)])
        if name != OPEN and known.colours[name] in names:
            named[f"{what}{COLOUR}"] = known.colours[name]
    return named
