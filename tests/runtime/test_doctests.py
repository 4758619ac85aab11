"""The examples in the docstrings are true."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = [
    "runtime.wire.arrays",
    "runtime.content.checks",
    "runtime.content.levels.platformer.solver",
    "runtime.content.levels.rules",
    "runtime.content.levels.runner.solver",
    "runtime.content.terrain.styles",
    "runtime.errors",
    "runtime.lru",
    "runtime.address",
    "runtime.parameters",
    "demos.world.camera",
    "demos.world.themes",
    "demos.world.view",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
