"""`pcg demo` and `pcg call` with a server that wants TLS and a token, or has a Unix socket."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from pcg.cli import main

Flags = dict[str, list[str]]


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return int(caught.value.code or 0)


@pytest.mark.parametrize("way", ["tls", "unix"])
def test_the_demo_shows_its_land(locked_server: Flags, way: str, tmp_path: Path) -> None:
    path = tmp_path / "land.png"
    run_demo = ("demo", "--headless", "--frames=1", f"--screenshot={path}", *locked_server[way])
    assert run(*run_demo) == 0
    with Image.open(path) as image:
        assert len(image.getcolors(1 << 24)) > 1000


@pytest.mark.parametrize("way", ["tls", "unix"])
def test_a_verb_is_answered(locked_server: Flags, way: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("call", "terrain.chunk", '{"seed": 7, "size": 8}', *locked_server[way]) == 0
    assert json.loads(capsys.readouterr().out)["height"]["shape"] == [8, 8]


@pytest.mark.parametrize(
    ("missing", "message"),
    [("--token-file", "give this server's token first"), ("--tls-ca", "certificate verify failed")],
)
def test_without_them_it_says_what_is_missing(
    locked_server: Flags, missing: str, message: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PCG_TOKEN", raising=False)
    flags = [flag for flag in locked_server["tls"] if not flag.startswith(missing)]
    assert run("demo", "--headless", "--frames=1", *flags) == 1
    assert message in capfd.readouterr().err
    assert run("call", "server.health", *flags) == 1
    assert message in capfd.readouterr().err
