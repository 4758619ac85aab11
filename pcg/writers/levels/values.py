"""Checked values from level files, which may hold anything; errors say what is wrong and where."""

from __future__ import annotations

import json
import math
import re
from typing import Any

WHOLE = re.compile(r"\s*[+-]?[0-9]{1,18}\s*")
MOST_SHOWN = 40  # characters of a value in a message


def read_json(data: bytes | str, what: str = "the file") -> Any:
    """The value of a JSON text. Raises ValueError if it is not JSON, or is nested too deeply."""
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError(f"{what} is nested too deeply; levels are objects and arrays a few levels deep") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{what} is not text: {error}") from error
    except ValueError as error:  # an error of JSON, or a number of thousands of digits
        raise ValueError(f"{what} is not JSON: {error}") from error


def whole(value: Any, what: str) -> int:
    """A whole number, as a number or, in XML, as text. Raises ValueError, whose message names `what`."""
    if isinstance(value, str) and WHOLE.fullmatch(value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{what} is {shown(value)}; it must be a whole number")
    return value


def place(value: Any, what: str) -> float:
    """A finite number, as a number or, in XML, as text. Raises ValueError, whose message names `what`."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{what} is {shown(value)}; it must be a number")
    return number


def array(value: Any, what: str) -> list[Any]:
    """An array; None is an empty one. Raises ValueError, whose message names `what`."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"{what} is {shown(value)}; it must be an array")
    return value


def objects(value: Any, what: str) -> list[dict[str, Any]]:
    """An array of objects; None is an empty one. Raises ValueError, whose message names `what`."""
    for number, one in enumerate(array(value, what)):
        if not isinstance(one, dict):
            raise ValueError(f"{what}, number {number}, is {shown(one)}; it must be an object")
    return array(value, what)


def text(value: Any, what: str) -> str | None:
    """A text, or None. Raises ValueError, whose message names `what`."""
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{what} is {shown(value)}; it must be a text")
    return value


def told(facts: dict[str, Any]) -> tuple[str | None, dict[str, Any] | None]:
    """The solution and the provenance that the facts of a map or a project hold. Raises ValueError."""
    provenance = text(facts.get("provenance"), "provenance")
    made = read_json(provenance, "provenance") if provenance else None
    if made is not None and not isinstance(made, dict):
        raise ValueError(f"provenance is {shown(made)}; it must be an object")
    return text(facts.get("solution"), "solution"), made


def shown(value: Any) -> str:
    """A value for a message; a long one is truncated."""
    try:
        written = repr(value)
    except ValueError:  # a number of thousands of digits
        written = "a number of thousands of digits"
    return written if len(written) <= MOST_SHOWN else written[:MOST_SHOWN] + "…"
