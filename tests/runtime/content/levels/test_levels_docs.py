"""docs/levels.md against the code: its examples print what they say, its tables have every tile."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runtime.content.levels.games import GAMES

PAGE = (Path(__file__).parents[4] / "docs" / "levels.md").read_text()


def test_examples(capsys: pytest.CaptureFixture[str]) -> None:
    scripts = re.findall(r"^```python example\n(.*?)^```$", PAGE, re.M | re.S)
    assert scripts
    for script in scripts:
        exec(script, {})
        assert capsys.readouterr().out.splitlines() == re.findall(r"print\(.*\)  # (.*)", script)


@pytest.mark.parametrize("name", GAMES)
def test_every_tile_is_explained(name: str) -> None:
    section = PAGE.partition(f"\n## {name.capitalize()}\n")[2].partition("\n## ")[0]
    explained = dict(re.findall(r"\| `(.)` \| ([^|]+?) (?=\|)", section))
    assert explained == {char: tile.name for char, tile in GAMES[name].tiles.items()}
