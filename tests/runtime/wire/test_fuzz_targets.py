"""What tests/fuzz/ fuzzes, for a moment: all attacks and what hypothesis thinks of."""

from __future__ import annotations

import pytest
import seeds
import targets
from hypothesis import given, settings
from hypothesis import strategies as st

CHECK = targets.checker()


def test_attacks_on_the_protocol() -> None:
    for data in seeds.of("protocol"):
        targets.protocol(data)


@given(st.binary(min_size=2, max_size=200))
def test_any_bytes_to_the_protocol(data: bytes) -> None:
    targets.protocol(data)


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_parameters_to_the_checks(data: bytes) -> None:
    CHECK(data)


def test_a_target_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="there are: protocol, parameters"):
        targets.find("protocl")
