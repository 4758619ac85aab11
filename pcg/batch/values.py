"""Values of parameters in a specification: lists and ranges, of which a grid takes all and a sample draws one."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

MOST_IN_GRID = 100_000


@dataclass(frozen=True)
class Values:
    """A list, or a range with a step: `count` values in all, told by number so that a range is never listed."""

    listed: tuple[Any, ...] = ()
    low: float = 0
    step: float = 0
    steps: int = 0

    @property
    def count(self) -> int:
        """How many values there are."""
        return len(self.listed) or self.steps + 1

    def at(self, number: int) -> Any:
        """Value `number`, from 0."""
        if self.listed:
            return self.listed[number]
        value = self.low + number * self.step
        return value if isinstance(value, int) else round(value, 10)

    def drawn(self, *key: object) -> Any:
        """A value that only `key` decides."""
        digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
        return self.at(int.from_bytes(digest, "big") % self.count)


def read_values(given: Any, *, grid: bool) -> Values:
    """A list of values, or a range {from, to, step} whose ends belong to it.

    >>> read_values({"from": 2, "to": 8, "step": 3}, grid=True).count
    3

    Args:
        given: as TOML has it.
        grid: every value is taken, so a range of fractions must say its step. One to draw from has about a thousand.

    Raises:
        ValueError: it is neither, or has no value.
    """
    if isinstance(given, list):
        if not given:
            raise ValueError("the list is empty; give at least one value")
        if len(given) != len({repr(value) for value in given}):
            raise ValueError("the list has a value twice")
        return Values(tuple(given))
    if not isinstance(given, dict):
        raise ValueError(f"{given!r:.40} is no list and no range; write [a, b, c] or {{ from = 1, to = 9 }}")
    if unknown := [name for name in given if name not in ("from", "to", "step")]:
        raise ValueError(f"unknown key {unknown[0]!r}; a range has from, to and step")
    if missing := [name for name in ("from", "to") if name not in given]:
        raise ValueError(f"the range has no {missing[0]!r}; write {{ from = 1, to = 9 }}")
    low, high, step = (number(name, given[name]) if name in given else None for name in ("from", "to", "step"))
    assert low is not None
    assert high is not None
    if low > high:
        raise ValueError(f"the range {low} to {high} is empty: `from` is above `to`")
    if step is None:
        whole = isinstance(low, int) and isinstance(high, int)
        if grid and not whole and low != high:
            raise ValueError(
                f"a grid from {low} to {high} needs a step, for example step = {_fine(high - low) * 100:g}"
            )
        step = 1 if whole else _fine(high - low)
    if step <= 0:
        raise ValueError(f"step {step} is not above 0")
    steps = math.floor((high - low) / step + 1e-9)
    if grid and steps >= MOST_IN_GRID:
        raise ValueError(f"the range {low} to {high} has {steps + 1} values; a grid takes {MOST_IN_GRID} at most")
    return Values((), low, step, steps)


def number(name: str, value: Any) -> int | float:
    """The value if it is a finite number. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} {value!r:.40} is not a number")
    return value


def _fine(span: float) -> float:
    """A power of ten that is a thousandth of the span, or a little more or less: few digits in names."""
    return float(10.0 ** math.floor(math.log10(span / 100))) if span > 0 else 1.0
