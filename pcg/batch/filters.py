"""What assets must be like to be kept: conditions on their measures and tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pcg.batch.values import number


@dataclass(frozen=True)
class Condition:
    """A measure from `low` to `high`, or one that is (a tag that is) among `among`."""

    name: str
    low: float | None = None
    high: float | None = None
    among: tuple[Any, ...] = ()

    def fault(self, measures: Mapping[str, float], tags: Mapping[str, str]) -> str | None:
        """Why an asset is not kept, or None if it is."""
        value: Any = measures.get(self.name, tags.get(self.name))
        if value is None:
            return f"it has no {self.name}"
        if self.among:
            return None if value in self.among else f"{self.name} {value} is not {_or(self.among)}"
        if self.low is not None and not value >= self.low:
            return f"{self.name} {value} is below {self.low}"
        if self.high is not None and not value <= self.high:
            return f"{self.name} {value} is above {self.high}"
        return None


def _or(values: tuple[Any, ...]) -> str:
    return " or ".join(map(str, values))


def read_condition(name: str, given: Any, *, measure: bool) -> Condition:
    """A condition as TOML has it: {from, to}, a number, a text, or a list of texts or numbers.

    `measure`: the name is of a measure, a number; else it is of a tag, a text.

    Raises:
        ValueError: it is none of these, or no asset could meet it.
    """
    if isinstance(given, dict):
        if not measure:
            raise ValueError(f'{name} is a text, which has no range; write {name} = "...", or a list of texts')
        if not given or (unknown := [key for key in given if key not in ("from", "to")]):
            what = f"unknown key {unknown[0]!r}" if given else "the range is empty"
            raise ValueError(f"{what}; write {{ from = 0.2 }}, {{ to = 0.8 }} or both")
        low, high = (number(end, given[end]) if end in given else None for end in ("from", "to"))
        if low is not None and high is not None and low > high:
            raise ValueError(f"the range {low} to {high} is empty: `from` is above `to`")
        return Condition(name, low, high)
    among = tuple(given) if isinstance(given, list) else (given,)
    if not among:
        raise ValueError("the list is empty, so nothing would be kept")
    for value in among:
        if measure:
            number(name, value)
        elif not isinstance(value, str):
            raise ValueError(f"{name} is a text; {value!r:.40} is not")
    return Condition(name, among=among)


def first_fault(
    conditions: tuple[Condition, ...], measures: Mapping[str, float], tags: Mapping[str, str]
) -> str | None:
    """The first condition that is not met, in words; None if all are."""
    return next((fault for c in conditions if (fault := c.fault(measures, tags)) is not None), None)
