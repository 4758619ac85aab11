"""Checks of parameters: what passes, and what the errors say to a person and to a program."""

from __future__ import annotations

import math

import pytest

from runtime.content.checks import invalid, one_of, parameter_error, within
from runtime.errors import Code, RpcError, nearest

GAMES = {"sokoban": 1, "dungeon": 2}


@pytest.mark.parametrize("value", [0, 1, 0.5])
def test_a_value_in_range_is_returned(value: float) -> None:
    assert within("share", value, 0, 1) == value


@pytest.mark.parametrize(("value", "minimum", "maximum"), [(-(2**70), None, 5), (2**70, 5, None), (7, None, None)])
def test_a_bound_may_be_missing(value: int, minimum: int | None, maximum: int | None) -> None:
    assert within("x", value, minimum, maximum) == value


@pytest.mark.parametrize("value", [-1, 2, math.inf, math.nan])
def test_a_value_out_of_range_is_refused_with_its_range(value: float) -> None:
    with pytest.raises(RpcError, match=r"share .* is out of range; 0 to 1 would do$") as caught:
        within("share", value, 0, 1)
    assert caught.value.code is Code.OUT_OF_RANGE
    details = caught.value.details
    assert str(details) == str({"parameter": "share", "value": value, "minimum": 0, "maximum": 1})


def test_a_range_may_be_that_of_a_model_and_have_a_unit() -> None:
    with pytest.raises(RpcError) as caught:
        within("width", 6000.0, 1, 5000.5, taker="big-one", unit="pixels")
    assert caught.value.message == "width 6000 is out of range; big-one takes 1 to 5000.5 pixels"


def test_an_unknown_name_is_refused_with_the_nearest_or_all() -> None:
    assert one_of("game", "dungeon", GAMES, "unknown game") == "dungeon"
    with pytest.raises(RpcError) as caught:
        one_of("game", "dungoen", GAMES, "unknown game")
    assert caught.value.code is Code.INVALID_PARAMS
    assert caught.value.message == "unknown game 'dungoen'; did you mean 'dungeon'?"
    assert caught.value.details == {"parameter": "game"}
    with pytest.raises(RpcError, match=r"unknown game 'chess'; there are: sokoban, dungeon$"):
        one_of("game", "chess", GAMES, "unknown game")


def test_errors_carry_the_parameter() -> None:
    error = invalid("front", "it is empty")
    assert (error.code, error.message, error.details) == (
        Code.INVALID_PARAMS,
        "front: it is empty",
        {"parameter": "front"},
    )
    error = parameter_error(Code.OUT_OF_RANGE, "text", "too long", value=501, maximum=500)
    assert error.details == {"parameter": "text", "value": 501, "maximum": 500}


def test_where_nothing_is_known_the_message_says_so() -> None:
    assert nearest("x", []) == "; there are: none"
    assert nearest("x", (), nothing="; it takes none") == "; it takes none"
