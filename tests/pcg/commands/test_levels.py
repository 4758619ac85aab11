"""pcg level and pcg verify of levels, as their users run them, with models of a few steps of training."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import pytiled_parser
from serving_process import serving
from typed_ldtk import parsed

from pcg.cli import main
from pcg.writers.levels.tilemap import ENCODERS, read_level
from runtime.content.levels.games import KITS
from runtime.content.levels.rules import TILE
from runtime.content.levels.sokoban.replay import replay

SMALL = ("--width", "8", "--height", "7", "--counts", "boxes=2", "--candidates", "200")


def run(*arguments: str | Path) -> int:
    """Exit code of one command, in this process."""
    with pytest.raises(SystemExit) as caught:
        main([str(a) for a in arguments])
    return caught.value.code or 0


@pytest.fixture(scope="module")
def made(level_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same level in every format."""
    folder = tmp_path_factory.mktemp("made")
    for suffix in ENCODERS:
        assert run("level", folder / f"{suffix[1:]}{suffix}", "--seed", "3", *SMALL, "--models", level_models) == 0
    return folder


def test_every_format_holds_the_level_its_proof_and_what_made_it(made: Path) -> None:
    levels = {suffix: read_level(made / f"{suffix[1:]}{suffix}") for suffix in ENCODERS}
    assert len({level.rows for level in levels.values()}) == 1
    beside = {suffix: json.loads((made / f"{suffix[1:]}{suffix}.json").read_text()) for suffix in (".txt", ".csv")}
    for suffix, level in levels.items():
        said = beside.get(suffix) or {"provenance": level.provenance, "solution": level.solution}
        assert replay(level.rows, said["solution"])
        assert said["provenance"]["params"]["seed"] == 3
        assert said["provenance"]["model"] == "level-sokoban"


GAMES = {
    "sokoban": SMALL,
    "dungeon": ("--width", "12", "--height", "9"),
    "platformer": ("--width", "24"),
    "runner": ("--width", "16", "--height", "12", "--counts", "gold=1:9"),
}


def test_other_programs_are_tried_with_every_game() -> None:
    assert GAMES.keys() == KITS.keys()


@pytest.mark.parametrize("game", GAMES)
def test_other_programs_load_what_is_generated(
    game: str, level_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tiled's maps by pytiled_parser and by pytmx in pygame, LDtk's project by ldtkpy: level and solution are there."""
    for suffix in (".tmx", ".tmj", ".ldtk"):
        command = ("--seed", "2", "--game", game, *GAMES[game], "--models", level_models)
        assert run("level", tmp_path / f"level{suffix}", *command) == 0
    level = read_level(tmp_path / "level.tmx")
    size = (len(level.rows[0]), len(level.rows))
    for suffix in (".tmx", ".tmj"):
        made = pytiled_parser.parse_map(tmp_path / f"level{suffix}")
        assert (made.map_size.width, made.map_size.height) == size
        layers = {layer.name: layer for layer in made.layers}
        assert len(layers["start"].tiled_objects) == 1
        assert layers["solution"].tiled_objects[0].properties["moves"] == level.solution
    monkeypatch.setitem(os.environ, "SDL_VIDEODRIVER", "dummy")
    pygame = pytest.importorskip("pygame")
    import pytmx.util_pygame

    pygame.display.init()
    try:
        pygame.display.set_mode((8, 8))
        made = pytmx.util_pygame.load_pygame(str(tmp_path / "level.tmx"))
        assert (made.width, made.height) == size
        assert [one.properties["moves"] for one in made.get_layer_by_name("solution")] == [level.solution]
    finally:
        pygame.display.quit()
    [made] = parsed(tmp_path / "level.ldtk").levels
    assert (made.px_wid // TILE, made.px_hei // TILE) == size
    assert sum(one.identifier == "Solution" for one in made.layer_instances[0].entity_instances) == 1


def test_verify_makes_levels_again(made: Path, level_models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [made / f"{suffix[1:]}{suffix}" for suffix in ENCODERS]
    assert run("verify", *files, "--models", level_models) == 0
    assert capsys.readouterr().out.count(": verified") == len(files)


def test_verify_sees_a_change(
    made: Path, level_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = json.loads((made / "json.json").read_text())
    row = said["rows"][-1]
    changes = {
        "tile": {"rows": [*said["rows"][:-1], row[:-1] + (" " if row[-1] == "#" else "#")]},
        "size": {"rows": said["rows"][:-1]},
        "moves": {"solution": said["solution"] + "l"},
        "model": {"provenance": said["provenance"] | {"sha256": "0" * 64}},
        "method": {"provenance": said["provenance"] | {"method": "levels.solve"}},
        "params": {"provenance": said["provenance"] | {"params": {"seed": "x"}}},
    }
    for name, change in changes.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(said | change))
    (tmp_path / "own.txt").write_text("#####\n#@$.#\n#####\n")
    (tmp_path / "own.txt.json").write_text(json.dumps({"game": "sokoban"}))
    files = [tmp_path / f"{name}.json" for name in changes]
    assert run("verify", *files, tmp_path / "own.txt", "--models", level_models) == 1
    told = capsys.readouterr().out.splitlines()
    words = ("1 of 56 tiles differ", "has 6 rows", "solution differs", "another version", "makes no levels", "seed 'x'")
    for line, expected in zip(told, (*words, "carries no provenance"), strict=True):
        assert expected in line


def test_count_makes_consecutive_seeds(level_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run("level", tmp_path, "--count", "3", "--seed", "5", "--format", "txt", *SMALL, "--models", level_models) == 0
    )
    assert capsys.readouterr().out.splitlines()[::2] == [str(tmp_path / f"sokoban-{s}.txt") for s in (5, 6, 7)]
    assert len({(tmp_path / f"sokoban-{s}.txt").read_text() for s in (5, 6, 7)}) == 3


def test_levels_from_files(made: Path, level_models: Path, tmp_path: Path) -> None:
    (tmp_path / "walls.txt").write_text("########\n#______#\n#__##__#\n#______#\n#______#\n#______#\n########\n")
    command = ("--candidates", "200", "--models", level_models)
    fixed = ("--game", "sokoban", "--fixed", tmp_path / "walls.txt", "--counts", "boxes=1:2", "--difficulty", "0:1")
    assert run("level", tmp_path / "fixed.json", *fixed, *command) == 0
    rows = read_level(tmp_path / "fixed.json").rows
    assert rows[0] == "########"
    assert rows[2][3:5] == "##"
    assert run("level", tmp_path / "other.json", "--vary", made / "tmx.tmx", *command) == 0
    assert read_level(tmp_path / "other.json").rows != read_level(made / "tmx.tmx").rows
    assert run("verify", tmp_path / "other.json", "--models", level_models) == 0


@pytest.mark.slow
def test_a_server_gives_the_same_bytes(made: Path, level_models: Path, tmp_path: Path) -> None:
    with serving(level_models, "--quiet") as server:
        address = f"127.0.0.1:{server.port}"
        assert run("level", tmp_path / "json.json", "--seed", "3", *SMALL, "--server", address) == 0
        assert (tmp_path / "json.json").read_bytes() == (made / "json.json").read_bytes()
        assert server.stop()[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("x.tmy",), 1, "did you mean '.tmx'"),
        (("x.tmx", "--format", "json"), 1, "x.tmx ends in .tmx, but --format says json"),
        (("x", "--format", "tmxx"), 1, "did you mean 'tmx'"),
        (("x.tmx", "--count", "0"), 1, "--count 0"),
        (("x.tmx", "--counts", "boxes"), 1, "write NAME=COUNT"),
        (("x.tmx", "--difficulty", "hard"), 1, "--difficulty 'hard'"),
        (("x.tmx", "--difficulty", "1:2:3"), 1, "write a number, or LEAST:MOST"),
        (("x.tmx", "--game", "sokobn"), 1, "did you mean 'sokoban'"),
        (("x.tmx", "--fixed", "gone.txt", "--game", "sokoban"), 1, "gone.txt"),
        (("x.tmx", "--width", "1000000"), 1, "width 1000000 is out of range"),
        (("x.tmx", "--difficulty", "1", "--candidates", "4", *SMALL[:-2]), 1, "none of 4 candidates"),
    ],
)
def test_mistakes_are_told_in_a_line(
    arguments: tuple[str, ...],
    code: int,
    words: str,
    level_models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("level", *arguments, "--models", level_models) == code
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("level", "--help") == 0
    assert "pcg level" in capsys.readouterr().out.split("Examples:")[1]
