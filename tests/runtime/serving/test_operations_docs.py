"""docs/operations.md against the code: its settings, its limits, its examples."""

from __future__ import annotations

import configparser
import inspect
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from pcg.commands.serving import serve
from runtime.scheduling.workers import MOST_BY_DEFAULT
from runtime.serving.limits import Limits
from runtime.serving.settings import Settings, load

PAGE = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
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
            assert default in ("", "none", "all cores", "one for each core, at most 4", "no limit", "the bundled ones")


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


def test_the_unit_has_memory_for_all_workers() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read_string(BLOCKS["unit"])
    gigabytes = int(unit["Service"]["MemoryMax"].removesuffix("G"))
    workers_mb = MOST_BY_DEFAULT * (Settings().worker_mb or 0)
    assert 1024 * gigabytes >= 1536 + workers_mb


def test_systemd_takes_the_unit(needs: Callable[..., None], tmp_path: Path) -> None:
    needs("systemd-analyze", "--version")
    path = tmp_path / "pcg.service"
    path.write_text(BLOCKS["unit"].replace("/opt/pcg/bin/pcg", "/bin/true"))  # it must exist
    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_all_flags_are_those_of_the_command() -> None:
    parameters = set(inspect.signature(serve).parameters)
    assert parameters == set(Settings.__struct_fields__) - {"limits"} | {"config"}
    flags = {f"--{name.replace('_', '-')}" for name in parameters} - {"--origins", "--auth"} | {"--origin", "--no-auth"}
    commands = re.findall(r"pcg serve(?:.|\\\n)*|^ENTRYPOINT.*|pcg --token-file.*", PAGE, re.M)
    shown = {flag for command in commands for flag in re.findall(r"--[a-z][a-z-]+", command)}
    assert {"--tls-key", "--cache-dir", "--config", "--origin"} <= shown <= flags


def test_the_container_copies_what_there_is_and_owns_what_it_writes() -> None:
    lines = [line.split() for line in BLOCKS["container"].splitlines()]
    root = Path(__file__).parents[3]
    assert all((root / name).exists() for words in lines if words[0] == "COPY" for name in words[1:-1])
    [owned] = [words[words.index("-o") + 2 :] for words in lines if "-o" in words]
    assert set(re.findall(r"/var/cache/[\w-]+", BLOCKS["container"].split("USER pcg")[1])) == set(owned)
    assert "NUMBA_CACHE_DIR=/var/cache/pcg-compiled" in BLOCKS["unit"]
