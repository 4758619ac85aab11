"""docs/operations.md against the code: its settings, its limits, its examples."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

from runtime.limits import Limits
from runtime.settings import Settings, load

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
BLOCKS = dict(re.findall(r"^```\w+ (\w+)\n(.*?)^```$", PAGE, re.M | re.S))


def test_all_settings_are_there_with_their_defaults() -> None:
    section = PAGE.split("\n## Settings\n")[1]
    rows = [row.split("|") for row in re.search(r"(?:^\|.*\n)+", section, re.M)[0].splitlines()[2:]]
    told = {name: row[2].strip().strip("`") for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    assert set(told) == set(Settings.__struct_fields__) - {"limits"}
    for name, default in told.items():
        meant = getattr(Settings(), name)
        if isinstance(meant, bool | int | float | str):
            assert default == str(meant).lower().removesuffix(".0"), name
        else:
            assert default in ("", "none", "all cores", "the bundled ones")


def test_all_limits_are_there() -> None:
    paragraph = PAGE.split("The table `[limits]`")[1].split("\n\n")[0]
    assert {name for name in re.findall(r"`(\w+)`", paragraph) if name.islower()} == set(Limits.__dataclass_fields__)


def test_the_example_file_is_one(tmp_path: Path) -> None:
    path = tmp_path / "serve.toml"
    path.write_text(BLOCKS["settings"])
    settings = load({}, {}, path)
    assert settings.limits.max_connections == 500
    assert settings.token_file == Path("/etc/pcg/tokens")


def test_the_unit_waits_longer_than_the_server_drains() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read_string(BLOCKS["unit"])
    assert float(unit["Service"]["TimeoutStopSec"]) > Settings().drain_s + 10
    assert unit["Service"]["Type"] == "notify"
