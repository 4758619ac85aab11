"""The examples in the docstrings are true."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = [
    "runtime.arrays",
    "runtime.content.levels.platformer",
    "runtime.content.levels.rules",
    "runtime.content.levels.runner",
    "runtime.errors",
    "runtime.parameters",
    "demos.world.runtime_process",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
