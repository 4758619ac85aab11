"""Parses a call's parameters into the record that the method expects, and the options that every call may have."""

from __future__ import annotations

import functools
import re
import typing
from typing import Any, Literal, TypeVar

import msgspec
import numpy as np

from runtime.errors import Code, RpcError, nearest, shown

MAX_DEADLINE_MS = 24 * 3600 * 1000
MAX_EXACT = 1 << 53  # up to this every whole number has a float64 of its own
T = TypeVar("T", bound=msgspec.Struct)


class Options(msgspec.Struct, frozen=True):
    """Parameters that any request may have: when and how the response is sent, not what is in it."""

    deadline_ms: int | None = None
    priority: Literal["high", "normal", "low"] = "normal"
    stream: bool = False


def take_options(params: dict[str, Any]) -> tuple[Options, dict[str, Any]]:
    """The options, and the other parameters. RpcError for an option that is not valid."""
    given = {name: params[name] for name in Options.__struct_fields__ if name in params}
    if not given:
        return Options(), params
    options = parse(given, Options)
    if options.deadline_ms is not None and not 1 <= options.deadline_ms <= MAX_DEADLINE_MS:
        raise RpcError(
            Code.OUT_OF_RANGE,
            f"deadline_ms {options.deadline_ms} is not in 1..{MAX_DEADLINE_MS}",
            {"parameter": "deadline_ms", "value": options.deadline_ms, "minimum": 1, "maximum": MAX_DEADLINE_MS},
        )
    return options, {name: value for name, value in params.items() if name not in given}


def parse(params: dict[str, Any], kind: type[T]) -> T:
    """The parameters as a record of type `kind`. Whole numbers may come as floats: some languages have only those.

    Raises:
        RpcError: INVALID_PARAMS, naming the parameter and, for an unknown one, the nearest right name.
    """
    known = kind.__struct_fields__
    for name in params:
        if name not in known:
            near = nearest(name, known, nothing="; it takes none")
            raise RpcError(Code.INVALID_PARAMS, f"unknown parameter {shown(name)}{near}", {"parameter": name[:80]})
        if isinstance(params[name], np.ndarray) and name not in _arrays(kind):
            raise RpcError(Code.INVALID_PARAMS, f"{name} was given as an array; it takes none", {"parameter": name})
    anything = _arrays(kind)
    try:
        given = {name: value if name in anything else _whole(value) for name, value in params.items()}
        return msgspec.convert(given, kind)  # converts integers to floats where the record has floats
    except msgspec.ValidationError as error:
        raise _invalid(str(error), params, typing.get_type_hints(kind)) from error


def _whole(value: Any) -> Any:
    """The value with whole floats replaced by integers, in nested lists and dicts too.

    Floats beyond MAX_EXACT are not replaced, since they do not say which whole number is meant.

    >>> _whole([7.0, 0.5, {"x": -1099511627776.0}, 2.0**60])
    [7, 0.5, {'x': -1099511627776}, 1.152921504606847e+18]
    """
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= MAX_EXACT else value
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return value


@functools.cache
def _arrays(kind: type[msgspec.Struct]) -> frozenset[str]:
    """The parameters that may be arrays: those of type Any. (msgspec takes an array for a map, and fails on it.)"""
    return frozenset(name for name, hint in typing.get_type_hints(kind).items() if hint is Any)


def _invalid(message: str, params: dict[str, Any], hints: dict[str, Any]) -> RpcError:
    """msgspec's "Expected `int`, got `str` - at `$.seed`" with the parameter first, and its value."""
    if missing := re.fullmatch("Object missing required field `(.*)`", message):
        return RpcError(Code.INVALID_PARAMS, f"{missing[1]} is missing; it is required", {"parameter": missing[1]})
    what, _, path = message.partition(" - at `$.")
    name = path.rstrip("`").partition("[")[0]
    if what.startswith("Invalid enum value") and typing.get_origin(hints.get(name)) is Literal:
        what = f"it must be one of: {', '.join(typing.get_args(hints[name]))}"
    if name in params:
        value = params[name]
        what = f"{name} {shown(value, 60)}: {what[:1].lower()}{what[1:]}"
        if isinstance(value, float) and value.is_integer():
            what += "; beyond 2^53 a float does not say which whole number is meant, so send it as an integer"
    return RpcError(Code.INVALID_PARAMS, what, {"parameter": name} if name else {})
