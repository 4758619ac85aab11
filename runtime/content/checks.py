"""Checks of a request's parameters, and the errors that name the parameter and say which value would do."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar

from runtime.errors import Code, RpcError, nearest, shown

Number = TypeVar("Number", int, float)


def within(
    parameter: str, value: Number, minimum: float | None, maximum: float | None, *, taker: str = "", unit: str = ""
) -> Number:
    """Check that minimum <= value <= maximum.

    >>> within("share", 1.5, 0, 1)
    Traceback (most recent call last):
    runtime.errors.RpcError: share 1.5 is out of range; 0 to 1 would do
    >>> within("budget", 0, 1, 500, taker="sokoban", unit="nodes")
    Traceback (most recent call last):
    runtime.errors.RpcError: budget 0 is out of range; sokoban takes 1 to 500 nodes

    Args:
        parameter: its name.
        value: its value.
        minimum: the smallest value that would do; None for no bound.
        maximum: the largest value that would do; None for no bound.
        taker: whose range it is, for the message: a model or a game.
        unit: of the range, for the message.

    Returns:
        The value.

    Raises:
        RpcError: OUT_OF_RANGE.
    """
    if (minimum is None or minimum <= value) and (maximum is None or value <= maximum):
        return value
    told, low, high = (f"{v:.16g}" if isinstance(v, float) else str(v) for v in (value, minimum, maximum))
    span = f"{low} to {high}" + (f" {unit}" if unit else "")
    message = f"{parameter} {told} is out of range; " + (f"{taker} takes {span}" if taker else f"{span} would do")
    raise parameter_error(Code.OUT_OF_RANGE, parameter, message, value=value, minimum=minimum, maximum=maximum)


def one_of(parameter: str, value: str, known: Collection[str], unknown: str) -> str:
    """Check that a value is one of those that are known.

    >>> one_of("layers", "hight", ["height", "slope"], "unknown layer")
    Traceback (most recent call last):
    runtime.errors.RpcError: unknown layer 'hight'; did you mean 'height'?

    Args:
        parameter: the name of the parameter that holds the value.
        value: the value.
        known: all values that would do.
        unknown: the message up to the value.

    Returns:
        The value.

    Raises:
        RpcError: INVALID_PARAMS, with the nearest known value, or all of them.
    """
    if value not in known:
        message = f"{unknown} {shown(value)}{nearest(value, known)}"
        raise parameter_error(Code.INVALID_PARAMS, parameter, message)
    return value


def invalid(parameter: str, what: str) -> RpcError:
    """The INVALID_PARAMS error whose message is the parameter and what is wrong with it.

    >>> invalid("seed", "give a seed").message
    'seed: give a seed'
    """
    return parameter_error(Code.INVALID_PARAMS, parameter, f"{parameter}: {what}")


def parameter_error(code: Code, parameter: str, message: str, **details: Any) -> RpcError:
    """An error whose details name a parameter.

    Args:
        code: INVALID_PARAMS or OUT_OF_RANGE.
        parameter: its name.
        message: for a person: what is wrong, and what would do.
        details: what else a program may want to know: `value`, `minimum`, `maximum`.
    """
    return RpcError(code, message, {"parameter": parameter, **details})
