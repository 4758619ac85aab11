"""The real training of a level model, for a few steps: it learns, resumes exactly, and exports a model that loads."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from pcg.cli import main
from pcg.learning import checkpoint
from pcg.learning.loop import Run, read_config
from pcg.levels.corpus.data import decode, load_corpus
from pcg.levels.corpus.games import SOKOBAN, Alphabet
from pcg.levels.model.export import export_level, renew_level
from pcg.levels.model.train import PRESETS, LevelConfig, rate_at, train
from runtime.card import Quality
from runtime.engine import Engine
from runtime.registry import ModelFile, Registry

TINY = dataclasses.replace(PRESETS["level-sokoban"]["smoke"], steps=6, sample_every=3, tokens=300)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """One thread: steps as small as these gain nothing from more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def run(level_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "00000-level-sokoban"
    assert train(TINY, level_folder, folder, "cpu")
    return folder


def test_a_run_describes_itself(run: Path) -> None:
    assert read_config(LevelConfig, run) == TINY
    stats = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    assert stats[-1]["step"] == 5
    assert abs(stats[-1]["exact"] - stats[-1]["held_out"]) < 0.02
    samples = sorted((run / "samples").iterdir())
    assert [p.name for p in samples] == ["000003.txt", "000006.txt"]
    assert set(samples[0].read_text().split("\n", 1)[1]) <= set("# @$.\n")
    about = json.loads((run / "data.json").read_text())
    assert about["sources"][0]["licence"] == "Apache-2.0"
    assert about["counts"] == {"boxes": "$", "targets": ".", "players": "@"}


def test_it_learns(level_folder: Path, tmp_path: Path) -> None:
    """Rooms have walls around them, which the model learns in a few steps."""
    config = dataclasses.replace(TINY, steps=120, sample_every=120, tokens=600, memory=32)
    train(config, level_folder, tmp_path, "cpu")
    before = np.log(5)  # nats a tile, if nothing were known
    stats = [json.loads(line) for line in (tmp_path / "stats.jsonl").read_text().splitlines()]
    assert stats[-1]["held_out"] < 0.5 * before
    assert abs(stats[-1]["exact"] - stats[-1]["held_out"]) < 0.02


def test_what_did_best_on_held_out_levels_is_kept(run: Path) -> None:
    stats = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    best = checkpoint.load(run)["best"]
    assert best["held_out"] <= stats[-1]["held_out"] + 1e-5
    assert best["step"] in (3, 6)


def test_a_resumed_run_equals_an_unbroken_one(
    run: Path, level_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "time_to_save", lambda self: setattr(self, "stop_asked", True) or True)
    assert not train(TINY, level_folder, tmp_path, "cpu")
    assert checkpoint.load(tmp_path)["step"] == 1
    monkeypatch.undo()
    train(TINY, level_folder, tmp_path, "cpu", resume=True)
    a, b = checkpoint.load(run), checkpoint.load(tmp_path)
    assert a["step"] == b["step"] == 6
    for key, value in a["network"].items():
        assert torch.allclose(value, b["network"][key], atol=1e-5), key
    with pytest.raises(FileExistsError, match="--resume"):
        train(TINY, level_folder, tmp_path, "cpu")


def test_the_rate_rises_then_falls_to_nothing() -> None:
    rates = [rate_at(PRESETS["level-sokoban"]["standard"], step) for step in range(6001)]
    assert rates[0] < rates[50] < rates[100]
    assert sorted(rates[100:], reverse=True) == rates[100:]
    assert rates[-1] == 0


@pytest.fixture(scope="module")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    export_level(run, folder / "level-sokoban.ts")
    return folder


def test_an_exported_model_says_what_it_is(exported: Path, level_folder: Path) -> None:
    registry = Registry(exported)
    assert not registry.refused
    card = registry.find("level-sokoban").card
    trained_on = len(load_corpus(level_folder, SOKOBAN).training)
    assert [(d.name, d.licence, d.count, d.unit) for d in card.training_data] == [
        ("boxoban", "Apache-2.0", trained_on, "levels")
    ]
    assert "Apache-2.0" in card.licence
    assert card.credits.endswith("boxoban (Apache-2.0)\n")
    assert card.parameters["width"].maximum == 10
    assert card.parameters["counts.boxes"].default == -1
    assert card.parameters["temperature"].default == 85
    assert card.outputs["rows"]["tiles"] == "# @$."
    assert card.training.steps == 6
    assert len(card.golden) >= 4


def test_an_exported_file_is_compressed_and_the_same_every_time(run: Path, exported: Path, tmp_path: Path) -> None:
    model = Registry(exported).find("level-sokoban")
    assert len(model.data) < 0.7 * model.unpacked_bytes
    export_level(run, tmp_path / "level-sokoban.ts")
    assert (tmp_path / "level-sokoban.ts").read_bytes() == model.data


def test_a_model_file_is_written_anew_without_training(exported: Path, tmp_path: Path) -> None:
    old = Registry(exported).find("level-sokoban")
    assert renew_level(old, tmp_path / "level-sokoban.ts") == old.card
    assert (tmp_path / "level-sokoban.ts").read_bytes() == old.data
    parameters = old.card.parameters | {
        "temperature": msgspec.structs.replace(old.card.parameters["temperature"], default=9)
    }
    figures = [Quality("levels completed", 0.5, "other levels")]
    other = ModelFile(old.path, "", msgspec.structs.replace(old.card, parameters=parameters, quality=figures), old.data)
    assert (
        renew_level(other, tmp_path / "level-sokoban.ts") == old.card
    )  # its defaults are this version's, figures none


def test_what_is_no_model_of_a_game_here_is_not_written_anew(exported: Path, tmp_path: Path) -> None:
    old = Registry(exported).find("level-sokoban")
    for change, why in (
        ({"family": "terrain"}, "is a model of terrain"),
        ({"outputs": {"rows": old.card.outputs["rows"] | {"legend": {}}}}, "export it from its run"),
        ({"name": "level-sokobam"}, "sokoban"),
    ):
        card = msgspec.structs.replace(old.card, **change)
        with pytest.raises(ValueError, match=why):
            renew_level(ModelFile(old.path, "", card, old.data), tmp_path / "x.ts")
    assert not list(tmp_path.iterdir())


def test_an_exported_model_is_proved_and_writes_levels(exported: Path) -> None:
    engine = Engine("cpu")
    model = Registry(exported).find("level-sokoban")
    arguments: list[Any] = [np.array([7, 7]), np.array([0, 1]), 9, 8, np.array([-1, 50]), np.array([[2, 2, 1]] * 2)]
    levels = engine.submit(engine.run, model, "forward", *arguments, np.full((2, 8, 9), -1), 100, 0).result()
    engine.close()
    assert levels.shape == (2, 8, 9)
    rows = decode(levels[0], Alphabet(model.card.outputs["rows"]["tiles"], {}))
    assert sum(row.count("$") for row in rows) <= 2


def test_training_and_export_from_the_command_line(
    level_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def pcg(*arguments: str | Path) -> int:
        with pytest.raises(SystemExit) as caught:
            main([str(a) for a in arguments])
        return caught.value.code or 0

    folder = tmp_path / "run"
    options = ("--data", level_folder, "--out", folder, "--preset", "smoke", "--steps", "2", "--device", "cpu")
    assert pcg("train", "level-dungeon", *options) == 0
    assert pcg("train", "level-sokoban", "--data", level_folder, "--out", folder, "--resume") == 2
    assert "is a run of level-dungeon" in capsys.readouterr().err
    out = tmp_path / "level-dungeon.ts"
    assert pcg("export", folder, out, "--coarse", folder) == 2
    assert pcg("export", folder, out) == 0
    assert out.exists()
    card = Registry(tmp_path).find("level-dungeon").card
    assert {d.licence for d in card.training_data} == {"GPL-2.0-or-later", "NetHack General Public License"}
    assert "NetHack" in card.licence
    assert card.limits[-1].endswith("of rooms it closes none off, but plans nothing else.")
    again = tmp_path / "again" / out.name
    again.parent.mkdir()
    assert pcg("export", out, again, "--coarse", folder) == 2
    assert pcg("export", out, again) == 0
    assert again.read_bytes() == out.read_bytes()
    (tmp_path / "SHA256SUMS").unlink()
    assert pcg("export", out, again) == 1
    assert "is not in SHA256SUMS" in capsys.readouterr().err


def test_a_platformer_is_written_by_columns(level_folder: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(PRESETS["level-platformer"]["smoke"], steps=2, sample_every=2)
    train(config, level_folder, tmp_path, "cpu")
    shown = (tmp_path / "samples" / "000002.txt").read_text().split("\n\n")[0].splitlines()[1:]
    assert len(shown) == 16
    card = export_level(tmp_path, tmp_path / "level-platformer.ts")
    assert card.outputs["rows"]["order"] == "columns from the bottom up"
    assert card.parameters["height"].minimum == card.parameters["height"].maximum == 16
    assert card.licence.endswith("CC-BY-SA 4.0")


def test_mistakes_are_errors(level_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="steps 0"):
        train(dataclasses.replace(TINY, steps=0), level_folder, tmp_path, "cpu")
    with pytest.raises(FileNotFoundError, match="boxoban"):
        train(TINY, tmp_path, tmp_path / "run", "cpu")
    with pytest.raises(FileNotFoundError, match=r"config\.toml"):
        export_level(tmp_path, tmp_path / "x.ts")
