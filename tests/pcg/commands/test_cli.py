"""The command line as its users run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from fake_terrain import FakeRuntime
from PIL import Image
from serving_process import serving

import runtime
from pcg.cli import main
from runtime.engine import Engine
from runtime.registry import BUNDLED, Registry
from runtime.service import Service
from runtime.version import VERSION


def run(*arguments: str | Path) -> int:
    """Exit code of one command, in this process."""
    with pytest.raises(SystemExit) as caught:
        main([str(a) for a in arguments])
    return caught.value.code or 0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    for name in ("world.png", "world.r16"):
        assert run("terrain", folder / name, "--seed", "7", "--x", "-64", "--size", "96") == 0
    return folder


def test_the_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.strip() == VERSION
    project = tomllib.loads((Path(runtime.__file__).parents[1] / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]  # so that it is said once
    assert project["tool"]["hatch"]["version"]["path"] == "runtime/version.py"
    assert Service(Registry(), Engine("cpu", 1))._hello({})["version"] == VERSION


def test_a_file_that_begins_with_a_dash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pcg.commands.terrain.open_runtime", lambda *_: nullcontext(FakeRuntime()))
    assert run("terrain", "-x.png", "--size", "20") == 2
    assert "if -x.png is a file, write ./-x.png, or put it last, after --" in capsys.readouterr().err
    assert run("terrain", "./-x.png", "--size", "20") == 0
    assert run("terrain", "--size", "20", "--", "-y.png") == 0
    assert sorted(p.name for p in tmp_path.glob("*.png")) == ["-x.png", "-x.preview.png", "-y.png", "-y.preview.png"]
    assert run("terrain", "x.png", "--height-range=-1.5:2", "--sizes", "4") == 2
    assert "is a file" not in capsys.readouterr().err


def test_an_interrupted_command_ends_at_once_whatever_still_runs() -> None:
    """A process whose other threads can't be stopped."""
    code = (
        "import threading, time, pcg.cli, pcg.commands.terrain as terrain\n"
        "def work(*_):\n"
        "    threading.Thread(target=time.sleep, args=(3600,)).start()\n"
        "    raise KeyboardInterrupt\n"
        "terrain.open_runtime = work\n"
        "pcg.cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", code, "terrain", "x.png"], capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_help_answers_without_torch() -> None:
    code = (
        "import sys, pcg.cli\n"
        "try: pcg.cli.main(['--help'])\n"
        "except SystemExit as e: assert not e.code\n"
        "heavy = {'torch', 'numpy', 'PIL', 'msgpack'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for verb in ("serve", "terrain", "models", "call", "train", "export", "demo", "verify"):
        assert verb in done.stdout


def test_every_verb_has_help_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("serve", "terrain", "call", "train", "export", "demo", "verify", "eval"):
        assert run(verb, "--help") == 0
        assert f"pcg {verb}" in capsys.readouterr().out.split("Examples:")[1]


def test_where_compiled_solvers_can_be_kept_nowhere_one_line_says_what_to_do(tmp_path: Path) -> None:
    level = tmp_path / "level.txt"
    level.write_text("#####\n#@$.#\n#####\n")
    # As numba looks where the installation is read-only and the user has no home.
    environment = os.environ | {"NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator", "NUMBA_CACHE_DIR": ""}
    command = [sys.executable, "-m", "pcg.cli", "solve", str(level), "--game", "sokoban"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "set NUMBA_CACHE_DIR" in done.stderr


def test_a_reader_that_has_had_enough_is_no_error_worth_telling() -> None:
    receiver, sender = os.pipe()
    os.close(receiver)
    command = [sys.executable, "-m", "pcg.cli", "models", "--json"]
    done = subprocess.run(command, stdout=sender, stderr=subprocess.PIPE, text=True)
    os.close(sender)
    assert done.stderr == ""


def test_heightmap_files_agree(made: Path) -> None:
    with Image.open(made / "world.png") as image:
        png = np.asarray(image)
        text = json.loads(image.info["pcg:asset"])
    raw = np.frombuffer((made / "world.r16").read_bytes(), "<u2").reshape(96, 96)
    sidecar = json.loads((made / "world.r16.json").read_text())
    assert png.dtype == np.uint16
    assert np.array_equal(png, raw)
    assert text["provenance"] == sidecar["provenance"]
    assert sidecar["provenance"]["params"]["seed"] == 7
    assert raw.min() * 0.25 - 4096 == sidecar["minimum_m"]
    with Image.open(made / "world.preview.png") as preview:
        assert preview.size == (96, 96)
    assert not list(made.glob("*.part"))


def test_verify_knows_its_own_and_sees_a_change(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [made / n for n in ("world.png", "world.r16", "world.preview.png")]
    assert run("verify", *files) == 0
    assert capsys.readouterr().out.count("verified") == 3
    changed = tmp_path / "world.r16"
    data = bytearray(files[1].read_bytes())
    data[100] ^= 1
    changed.write_bytes(data)
    (tmp_path / "world.r16.json").write_bytes((made / "world.r16.json").read_bytes())
    assert run("verify", "--json", changed) == 1
    assert json.loads(capsys.readouterr().out)["fault"] == "1 of 9216 pixels differ"
    changed.write_bytes(data[:-2])
    assert run("verify", changed) == 1
    assert "bytes" in capsys.readouterr().out
    Image.new("L", (4, 4)).save(tmp_path / "foreign.png")
    assert run("verify", tmp_path / "foreign.png", tmp_path / "missing.png") == 1
    out = capsys.readouterr().out
    assert "no provenance" in out
    assert "no file" in out


def test_tiles_share_their_edges(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On the real generator, whose neighbouring tiles are made by requests of their own."""
    out = tmp_path / "w.raw"
    assert run("terrain", out, "--seed", "7", "--tiles", "2x2", "--size", "65", "--naming", "unity") == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "w.tiles.json")
    tile = {
        name: np.frombuffer((tmp_path / f"w_{name}.raw").read_bytes(), "<u2").reshape(65, 65)
        for name in ("0_0", "1_0", "0_1", "1_1")
    }
    assert np.array_equal(tile["0_0"][:, -1], tile["1_0"][:, 0])
    assert np.array_equal(tile["0_0"][-1], tile["0_1"][0])  # rows from the south: a tile's last is its northernmost
    assert run("verify", tmp_path / "w.tiles.json") == 0
    assert run("terrain", tmp_path / "whole.r16", "--seed", "7", "--size", "129", "--no-preview") == 0
    whole = np.frombuffer((tmp_path / "whole.r16").read_bytes(), "<u2").reshape(129, 129)
    assert np.array_equal(whole[:65, 64:], tile["1_1"][::-1])


def test_verify_goes_on_after_an_odd_file(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sidecar = json.loads((made / "world.r16.json").read_text())
    odd = {
        "model": {"provenance": sidecar["provenance"] | {"model": "gone"}},
        "method": {"provenance": sidecar["provenance"] | {"method": "models.list"}},
        "params": {"provenance": sidecar["provenance"] | {"params": {"seed": "x"}}},
        "empty": {"provenance": {}},
        "sha": {"provenance": sidecar["provenance"] | {"sha256": "0" * 64}},
    }
    for name, change in odd.items():
        (tmp_path / f"{name}.r16").write_bytes((made / "world.r16").read_bytes())
        (tmp_path / f"{name}.r16.json").write_text(json.dumps(sidecar | change))
    assert run("verify", "--json", *(tmp_path / f"{n}.r16" for n in odd), made / "world.r16") == 1
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [t["verified"] for t in told] == [False] * len(odd) + [True]
    assert "unknown model 'gone'" in told[0]["fault"]
    assert "another version" in told[4]["fault"]


def test_count_makes_consecutive_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run("terrain", tmp_path, "--count", "3", "--seed", "5", "--size", "20", "--no-preview", "--format", "r16") == 0
    )
    assert [p.name for p in sorted(tmp_path.glob("*.r16"))] == ["terrain-5.r16", "terrain-6.r16", "terrain-7.r16"]
    assert len(capsys.readouterr().out.splitlines()) == 6


def test_a_server_gives_the_same_bytes(made: Path, tmp_path: Path) -> None:
    with serving(BUNDLED, "--quiet") as server:
        address = f"127.0.0.1:{server.port}"
        code = run("terrain", tmp_path / "world.r16", "--seed", "7", "--x", "-64", "--size", "96", "--server", address)
        assert code == 0
        assert (tmp_path / "world.r16").read_bytes() == (made / "world.r16").read_bytes()
        assert (tmp_path / "world.r16.json").read_bytes() == (made / "world.r16.json").read_bytes()
        assert run("verify", tmp_path / "world.r16", "--server", address) == 0
        assert server.stop()[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("terrain", "world.jpg"), 1, "end it in .png or .r16"),
        (("terrain", "x.png", "--layers", "normal,slop"), 1, "unknown layer 'slop'; did you mean 'slope'?"),
        (("terrain", "x.png", "--tiles", "4"), 2, "--tiles '4': write COLUMNSxROWS, for example 4x4"),
        (("terrain", "x.r16", "--tiles", "4x4", "--naming", "unity"), 1, "end OUT in .raw"),
        (("terrain", "x.r16", "--naming", "unity"), 2, "add --tiles"),
        (("terrain", "x.tif", "--flip-y"), 1, "a GeoTIFF begins in the north"),
        (("terrain", "x.png", "--rivers", "--rivers-from", "1"), 1, "--rivers-from 1 is out of range; 5 to 500"),
        (("terrain", "x.png", "--sketch", "none.png"), 1, "none.png"),
        (("terrain", "x.png", "--sketch", "none.png", "--x", "5"), 2, "leave out --x, --y and --size"),
        (("terrain", "x.png", "--sketch", "none.png", "--height-range", "-5"), 1, "LOW:HIGH"),
        (("terrain", "x.png", "--height-range", "0:9"), 2, "there is none"),
        (("terrain", "x.png", "--grain", "0.5"), 2, "the land of a --sketch is; there is none"),
        (("terrain", "world.png", "--format", "r16"), 1, "--format says r16"),
        (("terrain", "x.png", "--size", "0"), 1, "--size 0 is out of range; 1 to 262144"),
        (("terrain", "x", "--count", "0"), 1, "--count 0"),
        (("terrain", "x.png", "--size", "1"), 1, "--no-preview"),
        (("terrain", "x.png", "--models", "nowhere"), 1, "no models folder nowhere"),
        (("terrain", "x.png", "--server", "localhost:http"), 2, "'http' is no port"),
        (("terrain", "x.png", "--server", "127.0.0.1:1"), 1, "pcg serve"),
        (("call", "server.health", "{"), 2, "not JSON"),
        (("call", "server.health", "[]"), 2, "one JSON object"),
        (("call", "server.helth"), 1, "did you mean 'server.health'"),
        (("train", "terrain-detail", "--data", "nowhere", "--preset", "standart"), 2, "did you mean 'standard'"),
        (("train", "terrain-detail", "--data", "nowhere", "--resume"), 2, "--out"),
        (("export", "nowhere", "x.ts", "--coarse", "nowhere"), 1, "config.toml"),
        (("export", "nowhere", "x.pt", "--coarse", "nowhere"), 2, "ends in .ts"),
        (("verify",), 2, "at least one file"),
        (("serve", "--port", "99999"), 2, "65535"),
        (("serve", "--threads", "0"), 2, "threads"),
        (("train", "terrain-detail", "--data", "nowhere", "--device", "gpu"), 1, "unknown device 'gpu'"),
        (("train", "terrain-detail", "--data", "nowhere"), 1, "no training elevation files"),
        (("terain", "x.png"), 2, "terrain"),
        (("terrain", "x.png", "--sead", "3"), 2, "--seed"),
        (("terrain", "x.png", "--seed", "x"), 2, "seed"),
    ],
)
def test_mistakes_are_told_in_a_line(
    arguments: tuple[str, ...],
    code: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == code
    output = capsys.readouterr()
    assert words in " ".join((output.err + output.out).replace("│", "").split())
    assert not list(tmp_path.iterdir())  # nothing half-made is left


def test_models_lists_and_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models") == 0
    assert "terrain-detail" in capsys.readouterr().out
    assert run("models", "--json") == 0
    assert json.loads(capsys.readouterr().out)["models"][0]["golden"]
    (tmp_path / "evil.ts").write_bytes(b"x")
    assert run("models", "--models", tmp_path) == 0
    assert "evil: REFUSED: evil.ts is not in SHA256SUMS" in capsys.readouterr().out


def test_call_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("call", "terrain.chunk", '{"seed": 7, "size": 8}') == 0
    result = json.loads(capsys.readouterr().out)
    assert result["height"]["shape"] == [8, 8]
    assert len(result["height"]["values"]) == 8


def test_train_dry_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", "terrain-detail", "--data", tmp_path, "--steps", "5", "--dry-run") == 0
    assert "steps = 5" in capsys.readouterr().out
