"""The metrics of level models on levels with known results, and a whole evaluation of a small model."""

from __future__ import annotations

import json
from collections import Counter
from math import log
from pathlib import Path

import numpy as np
import pytest

from pcg.cli import main
from pcg.levels.corpus.games import find_game
from pcg.levels.evaluation.evaluate import fitting, of_like_size
from pcg.levels.evaluation.ngram import Ngram, noise
from pcg.levels.evaluation.novelty import copied_runs, images, nearer, nearest, piece_of
from pcg.levels.evaluation.patterns import Tiles, count_patterns, divergence, divergences


def tiles(*rows: str) -> Tiles:
    return np.array([[int(char) for char in row] for row in rows], np.uint8)


def drawn(count: int, side: int, seed: int, most: int = 4) -> list[Tiles]:
    return noise([(side, side)] * count, most, np.random.default_rng(seed))


def test_patterns_are_counted_at_every_place() -> None:
    found = count_patterns([tiles("010", "010"), tiles("01")], 2)
    assert found == {bytes([0, 1, 0, 1]): 1, bytes([1, 0, 1, 0]): 1}


def test_divergence_worked_out_by_hand() -> None:
    one, other = Counter({b"a": 3, b"b": 1}), Counter({b"a": 1, b"b": 3})
    assert divergence(one, other) == pytest.approx(0.5 * log(3), abs=1e-4)  # 0.75 ln 3 + 0.25 ln 1/3, both ways
    assert divergence(one, other) == divergence(other, one)
    assert divergence(one, Counter({b"c": 4})) > 10  # nothing in common


def test_divergence_falls_with_likeness() -> None:
    real = drawn(40, 8, 0)
    same, fewer = divergences(drawn(40, 8, 1), real), divergences(drawn(40, 8, 2, most=3), real)
    assert same[2] < fewer[2]
    assert divergences(real, real) == dict.fromkeys(same, 0.0)


@pytest.mark.parametrize("by_columns", [False, True])
def test_the_ngram_writes_what_it_has_read(by_columns: bool) -> None:
    level = tiles("1111", "0002", "3333", "3333")
    written = Ngram([level], 4, by_columns=by_columns).generate(4, 4, np.random.default_rng(0))
    assert np.array_equal(written, level)  # its neighbours say where each tile is
    ngram = Ngram([tiles("0101", "1010", "0101"), tiles("1010", "0101", "1010")], 2, by_columns=by_columns)
    board = ngram.generate(9, 12, np.random.default_rng(1))
    assert board.shape == (9, 12)
    assert (board[1:] != board[:-1]).all()
    assert (board[:, 1:] != board[:, :-1]).all()


def test_copied_runs() -> None:
    training = [tiles("012", "111", "220"), tiles("000", "111", "012")]
    new = [tiles("012", "111", "000"), tiles("200", "200", "200"), tiles("210", "111", "022")]
    assert copied_runs(new, training, "none", by_columns=False).tolist() == [2, 0, 1]
    assert copied_runs(new, training, "mirror", by_columns=False).tolist() == [2, 0, 3]
    # Columns from the bottom up: 112, 010 of the last are one level's last two in neither order.
    assert copied_runs([tiles("12", "11", "20")], training, "none", by_columns=True).tolist() == [2]


def test_images_are_all_that_a_network_is_taught() -> None:
    level = tiles("01", "23")
    assert [len(images(level, symmetry)) for symmetry in ("none", "mirror", "all")] == [1, 2, 8]
    assert len({image.tobytes() for image in images(level, "all")}) == 8


def test_nearest_piece() -> None:
    training = drawn(5, 12, 0)
    copy = training[2][3:9, 2:8]
    assert piece_of([copy, training[0]]) == (6, 6)
    changed = copy.copy()
    changed[1, 1] += 1
    found = nearest([copy, changed, copy.T, drawn(1, 6, 9)[0]], training, "none", (6, 6))
    assert found[:2].tolist() == [0, 1 / 36]
    assert found[2] > 0
    assert found[3] > 0.3
    assert nearest([np.ascontiguousarray(copy.T)], training, "all", (6, 6)).tolist() == [0]


def test_nearer_is_a_chance() -> None:
    far, near = np.array([0.5, 0.6]), np.array([0.1, 0.5])
    assert nearer(near, far) == (1 + 1 + 0.5 + 1) / 4
    assert nearer(far, far) == 0.5


def test_levels_are_cut_to_sizes_that_are_written() -> None:
    game = find_game("sokoban")
    levels = [np.zeros(shape, np.uint8) for shape in ((10, 10), (4, 10), (12, 30))]
    assert [level.shape for level in fitting(levels, game)] == [(10, 10), (10, 10)]
    offered = [np.zeros((3, 9), np.uint8), np.zeros((9, 9), np.uint8), np.zeros((4, 8), np.uint8)]
    wanted = [np.zeros((3, 8), np.uint8), np.zeros((3, 8), np.uint8)]
    assert [level.shape for level in of_like_size(wanted, offered)] == [(3, 9), (4, 8)]


def run(*arguments: str | Path) -> int:
    """Exit code of one command, in this process."""
    with pytest.raises(SystemExit) as caught:
        main([str(a) for a in arguments])
    return caught.value.code or 0


def test_a_level_model_is_evaluated(
    level_models: Path, level_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("eval", "level-sokoban", "--data", level_folder, "--models", level_models)
    assert run(*command, "--out", tmp_path / "quality.json") == 0
    printed = capsys.readouterr().out.splitlines()
    written = json.loads((tmp_path / "quality.json").read_text())
    assert len(printed) == len(written)
    assert all(line.startswith(row["metric"]) for line, row in zip(printed, written, strict=True))
    figures = {row["metric"]: row for row in written}
    plain, noisy = (figures[f"{name}: patterns 2x2, nats"] for name in ("n-gram", "uniform noise"))
    assert 0 < plain["value"] < noisy["value"]
    assert plain["floor"] == noisy["floor"] > 0
    assert 0 <= figures["raw: rows copied in a row, most"]["value"] <= 7
    assert figures["raw tiles a second"]["value"] > 0


def test_what_can_not_be_evaluated_is_told(
    level_models: Path, level_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = ("--data", level_folder, "--models", level_models)
    assert run("eval", "level-platformer", *models) == 1  # of whose levels none is held out
    assert "no level of platformer that is held out" in capsys.readouterr().err
    assert run("eval", "level-sokoban", tmp_path, *models) == 1
    assert "config.toml" in capsys.readouterr().err
    assert run("eval", "terrain-detail", tmp_path, *models) == 2
    assert "leave them out" in capsys.readouterr().err
