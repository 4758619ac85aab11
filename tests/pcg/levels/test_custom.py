"""A custom game from its folder to a proved level in a file, by the commands of docs/custom-games.md."""

from __future__ import annotations

import dataclasses
import json
import pickle
import shlex
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import torch
from custom_folder import FIRST, LEGEND, block, write_folder

from pcg.cli import main
from pcg.levels.corpus.custom import FEWEST, load_custom
from pcg.levels.model.export import level_parameters
from pcg.writers.levels.tilemap import ENCODERS, read_level, write_level
from runtime.content.levels import generate
from runtime.content.levels.games import custom_game, kit_of
from runtime.content.levels.requests import GenerateRequest
from runtime.content.levels.rules import find
from runtime.errors import RpcError
from runtime.local import Local


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which the document's first two commands have been run."""
    folder = tmp_path_factory.mktemp("own")
    write_folder(folder / "caves")
    train, export, *_ = block("sh").splitlines()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "models").mkdir()
        run(train.partition("#")[0] + " --preset smoke --steps 60 --device cpu")
        run(export)
    yield folder
    torch.set_num_threads(threads)


def run(command: str) -> None:
    """Run a command of pcg, which has to succeed."""
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(command)[1:])
    assert ended.value.code == 0, command


def test_the_document_runs(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder)
    for command in block("sh").splitlines()[2:]:
        command = command.replace(" --width 40 --counts gems=3", "")  # which a model of some steps can't
        run(command.partition("#")[0])
    shown = capsys.readouterr()
    assert "caves, solved" in shown.err
    run("pcg verify new.tmx --models models/")


@pytest.mark.slow
def test_it_is_measured(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder)
    run("pcg eval level-custom runs/caves --data caves/ --trials trials/ --seeds 5 --out quality.json")
    capsys.readouterr()
    figures = {figure["metric"]: figure for figure in json.loads((folder / "quality.json").read_text())}
    held_out = len(load_custom(folder / "caves").held_out)
    assert figures["raw: patterns 2x2, nats"]["against"] == f"{held_out} held-out levels"
    assert figures["uniform noise: patterns 2x2, nats"]["value"] > figures["raw: patterns 2x2, nats"]["value"]
    assert figures["levels completed, with repairs"]["against"] == "5 seeds, 20x8"
    assert figures["gems: network alone, correlation"]["against"].startswith("2 levels, 1 to ")
    with pytest.raises(SystemExit) as ended:
        main(["eval", "level-custom", "--data", "caves/"])
    assert ended.value.code == 2
    assert "measured from its run" in capsys.readouterr().err


def test_the_model_file_carries_the_game(folder: Path) -> None:
    with Local(folder / "models", "cpu", 1) as runtime:
        card = runtime.call("models.describe", name="level-caves")["card"]
        rows = card["outputs"]["rows"]
        game = custom_game(rows["legend"])
        assert rows["counts"] == {"dangers": "^", "gems": "*", "starts": "S", "goals": "G"}
        assert rows["order"].startswith("columns")
        assert len(game.legend.tenths) == 11
        assert game.legend.goals == 1
        assert "CC0-1.0" in card["licence"]
        wishes = generate.check(GenerateRequest(3, "caves"), runtime.service.registry)[1]
        assert pickle.loads(pickle.dumps(wishes.game)) == game  # as a worker gets it
        made = runtime.call("levels.generate", seed=3, game="caves", candidates=200)
        assert kit_of(game).player.replay(made["rows"], made["solution"])
        assert made["counts"]["starts"] == 1
        fixed = [list("_" * 20) for _ in range(8)]
        fixed[6][3], fixed[5][3] = "#", "S"
        kept = ["".join(row) for row in fixed]
        made = runtime.call("levels.generate", seed=4, game="caves", fixed=kept, candidates=200)
        assert find(made["rows"], "S") == [(5, 3)]
        assert made["rows"][6][3] == "#"
        solved = runtime.call("levels.solve", game="caves", rows=FIRST.splitlines())
        assert solved["status"] == "solved"
        for params, words in (
            ({"game": "cavs"}, "did you mean 'caves'"),
            ({"game": "caves", "counts": {"starts": 2}}, "caves has one start"),
            ({"game": "caves", "counts": {"goals": 0}}, "at least one goal"),
            ({"game": "caves", "fixed": ["S#" + "_" * 18, "^#" + "_" * 18, *["_" * 20] * 6]}, "can't be completed"),
            ({"game": "caves", "fixed": ["?" * 20] * 8}, "no tile of caves"),
        ):
            with pytest.raises(RpcError) as caught:
                runtime.call("levels.generate", seed=1, **params)
            assert words in caught.value.message


@pytest.mark.parametrize("suffix", ENCODERS)
def test_levels_of_it_are_written_and_read(folder: Path, tmp_path: Path, suffix: str) -> None:
    game = custom_game(LEGEND)
    rows = tuple(FIRST.splitlines())
    with Local(folder / "models", "cpu", 1) as runtime:
        moves = runtime.call("levels.solve", game="caves", rows=list(rows))["solution"]
    level = read_level(folder / "caves" / "first.txt", "caves", lambda _name: game)
    path = tmp_path / f"level{suffix}"
    write_level(path, type(level)(level.game, rows, moves, None, game))
    again = read_level(path, find=lambda _name: game)
    assert again.rows == rows
    assert again.rules == game


def refused(folder: Path, error: type[Exception] = ValueError) -> str:
    with pytest.raises(error) as caught:
        load_custom(folder)
    return str(caught.value)


def test_mistakes_are_told(tmp_path: Path) -> None:
    assert "docs/custom-games.md" in refused(tmp_path, FileNotFoundError)
    few = write_folder(tmp_path / "few", count=FEWEST - 1)
    assert f"has {FEWEST - 1} levels (*.txt); a model needs at least {FEWEST}" in refused(few)
    caves = write_folder(tmp_path / "caves")
    level = caves / "level3.txt"
    for text, words in (
        (FIRST.replace("*", "?"), "level3.txt, line 3, column 8: '?' is no tile of legend.json"),
        (FIRST.replace("---", "--"), "level3.txt, line 4 has 19 tiles, line 1 has 20"),
        (FIRST.replace("S", "."), "level3.txt has 0 of the tile 'S'; a level has one start"),
        ("...\nS.G\n###\n", "level3.txt has 3x3 tiles; 4 to 400"),
        ("", "level3.txt has 0x0 tiles"),
    ):
        level.write_text(text)
        assert words in refused(caves)
    level.write_bytes(b"\xff\xfe")
    assert "level3.txt is no text" in refused(caves)
    (caves / "legend.json").write_text("{")
    assert "legend.json: this is not JSON: Expecting" in refused(caves)
    shut = write_folder(tmp_path / "shut", LEGEND | {"jump": 0})
    assert "none of the 14 levels can be completed as the legend has it; first: none of the" in refused(shut)


def test_training_says_how_many_can_be_completed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    caves = write_folder(tmp_path / "caves")
    (caves / "zzz.txt").write_text("\n".join(["S..#..G.", "####.###", "####.###", "####.###"]))
    corpus = load_custom(caves)
    assert "14 of 15 levels can be completed" in capsys.readouterr().err
    assert corpus.game.sides == ((8, 20), (4, 8))
    assert corpus.game.by_columns


def test_sizes_default_to_the_models_own_range(tmp_path: Path) -> None:
    tall = tmp_path / "tall"
    write_folder(tall)
    for file in tall.glob("*.txt"):
        rows = file.read_text().splitlines()
        file.write_text("\n".join(["." * 20] * 32 + [row for row in rows if row]))  # 40 high, all of them
    corpus = load_custom(tall)
    assert corpus.game.sides[1] == (40, 40)
    parameters = level_parameters(corpus.game, corpus.alphabet)
    height = parameters["height"]
    assert (height.minimum, height.default, height.maximum) == (40, 40, 40)
    width = parameters["width"]
    assert (width.minimum, width.default, width.maximum) == (20, 20, 20)


def test_a_default_out_of_the_models_range_is_brought_into_it(folder: Path) -> None:
    with Local(folder / "models", "cpu", 1) as runtime:
        registry = runtime.service.registry
        model = registry.find("level-caves")
        stated = model.card.parameters["height"]
        old = dict(model.card.parameters) | {"height": msgspec.structs.replace(stated, minimum=40, maximum=40)}
        card = msgspec.structs.replace(model.card, parameters=old)
        registry.models["level-caves"] = dataclasses.replace(model, card=card)
        assert generate.check(GenerateRequest(1, "caves"), registry)[1].shape == (40, 20)


def test_where_starts_and_goals_stand_is_learned(tmp_path: Path) -> None:
    caves = write_folder(tmp_path / "caves")
    game = load_custom(caves).game.custom
    assert game is not None
    assert game.legend.start_area == [5, 71, 6, 72]  # column 1 of 0 to 19, row 5 of 0 to 7
    assert game.legend.goal_area == [89, 85, 90, 86]
    least, tenth = game.legend.lengths
    assert 60 <= least <= tenth  # moves in hundredths of the width
    mirrored = write_folder(tmp_path / "mirrored", LEGEND | {"mirror": "sideways"})
    game = load_custom(mirrored).game.custom
    assert game is not None
    assert game.legend.start_area == [5, 71, 95, 72]


def test_a_legend_that_is_nested_too_deeply_is_told(tmp_path: Path) -> None:
    caves = write_folder(tmp_path / "caves")
    (caves / "legend.json").write_text("[" * 100_000)
    assert "legend.json: this is nested too deeply" in refused(caves)
