"""Corpora of levels: reading, difficulty, and the network's input."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_levels import SOKOBAN_LEGEND, room, write_corpus

from pcg.levels.corpus.data import decode, encode, load_corpus
from pcg.levels.corpus.difficulty import labour_of, ranks
from pcg.levels.corpus.examples import Examples, crop, given_tiles, lines_of, mirrored, trimmed
from pcg.levels.corpus.games import DUNGEON, SOKOBAN, LevelGame, find_game
from pcg.levels.model.context import AROUND, UNTOLD, Context, indices, number_step
from runtime.content.levels.games import GAMES, KITS


def own_game(symmetry: str = "none", licence: str = "") -> LevelGame:
    return LevelGame("sokoban", {"own": licence}, {"pushable": "boxes"}, symmetry, ((3, 12), (3, 12)))  # type: ignore[arg-type]


def test_a_tenth_is_held_out_and_versions_of_a_level_stay_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    levels = [{"name": f"{k}", "group": f"{k // 2}", "rows": room(rng, 5, 5, "$.@", " ")} for k in range(2000)]
    write_corpus(tmp_path / "own", SOKOBAN_LEGEND, levels)
    corpus = load_corpus(tmp_path, own_game(licence="MIT"))
    assert 140 < len(corpus.held_out) < 260
    assert len(corpus.training) + len(corpus.held_out) == 2000
    assert not {level.group for level in corpus.training} & {level.group for level in corpus.held_out}
    again = load_corpus(tmp_path, own_game(licence="MIT"))
    assert [level.name for level in again.held_out] == [level.name for level in corpus.held_out]


def test_levels_without_a_clear_licence_are_left_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    clear = ["GPL 2+ / CC-by-sa 3.0", "CC BY-SA 4.0+", "CC-BY-SA 4.0 International", "GPL 3+/CC-BY-SA 3.0"]
    unclear = ["", "CC-BY-SA", "General Publishing License"]
    levels = [
        {"name": f"{licence}{k}", "license": licence, "author": "Ann", "rows": room(rng, 5, 5, "$.@", " ")}
        for licence in clear + unclear
        for k in "!?;:"
    ]
    write_corpus(tmp_path / "own", SOKOBAN_LEGEND, levels)
    corpus = load_corpus(tmp_path, own_game())
    assert {level.licence for level in corpus.training + corpus.held_out} == set(clear)
    assert corpus.refused == 12
    assert {source["licence"] for source in corpus.sources()} <= set(clear)
    assert corpus.credits().splitlines()[1:] == [f"own ({source['licence']}): Ann" for source in corpus.sources()]


def test_mistakes_in_a_corpus_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="own"):
        load_corpus(tmp_path, own_game(licence="MIT"))
    write_corpus(tmp_path / "own", SOKOBAN_LEGEND, [{"name": "odd one", "rows": ["####", "#@X#"]}])
    with pytest.raises(ValueError, match=r"'odd one' has tiles .*\['X'\]"):
        load_corpus(tmp_path, own_game(licence="MIT"))
    low = dataclasses.replace(own_game(licence="MIT"), sides=((3, 12), (3, 3)))
    write_corpus(tmp_path / "c" / "own", SOKOBAN_LEGEND, [{"name": "tall", "rows": ["####"] * 5}])
    with pytest.raises(ValueError, match="'tall' has 5 rows; sokoban is trained on levels of 3"):
        load_corpus(tmp_path / "c", low)
    write_corpus(tmp_path / "b" / "own", SOKOBAN_LEGEND, [{"name": "ragged", "rows": ["####", "#@#"]}])
    with pytest.raises(ValueError, match="'ragged' is not a rectangle"):
        load_corpus(tmp_path / "b", own_game(licence="MIT"))
    with pytest.raises(ValueError, match="did you mean 'dungeon'"):
        find_game("dungeno")


def test_legends_say_what_is_counted(level_folder: Path) -> None:
    alphabet = load_corpus(level_folder, DUNGEON).alphabet
    assert alphabet.counts == {"enemies": "M", "items": "i", "hazards": "L", "entrances": "<", "exits": ">"}
    rows = ["#M.", "L<>"]
    assert decode(encode(rows, alphabet), alphabet) == rows


def test_difficulty_counts_pushes_and_dangers() -> None:
    assert labour_of(GAMES["sokoban"], ["#######", "#@$  .#", "#######"]) == 3
    assert labour_of(GAMES["sokoban"], ["#######", "#.$@$.#", "#######"]) == 2
    assert labour_of(GAMES["sokoban"], ["#######", "#@.  $#", "#######"]) is None
    assert labour_of(GAMES["dungeon"], ["<......>"]) == 100 * 7 // 9
    assert labour_of(GAMES["dungeon"], ["<..M...>"]) == 100 * 7 // 9 + 50 + 2000 // 8
    assert labour_of(GAMES["dungeon"], ["###"]) is None
    assert labour_of(GAMES["dungeon"], ["<#>"]) is None
    assert labour_of(GAMES["platformer"], ["........", "S......G", "########"]) == 0
    assert labour_of(GAMES["platformer"], ["........", "S..^...G", "########"]) == 1000 * 2 // 8  # a jump over a hazard
    assert (
        labour_of(GAMES["platformer"], ["..^.....", "........", "S......G", "########"]) == 1000 // 8
    )  # a hazard aside
    assert labour_of(GAMES["platformer"], ["..#..", "S.#.G", "#####"]) is None
    assert labour_of(GAMES["runner"], ["H..#", "M.G#", "bbbb"]) == 1000 * 4 // 12
    assert labour_of(GAMES["runner"], ["H..#E", "M.G#b", "bbbbb"]) == 1000 * (4 + 10) // 15  # with a guard
    assert labour_of(GAMES["runner"], ["..#", "M.#", "bb#", "GB#", "..#"]) == 1000 * (9 + 10) // 15  # with a dig
    assert labour_of(GAMES["runner"], ["M.G.", "bbbb"]) == 1000 * 2 // 8
    assert labour_of(GAMES["runner"], ["....", "M.G.", "bbbb"]) is None
    assert ranks([3.0, 1.0, 3.0]).tolist() == [0.75, 0.0, 0.75]


@pytest.mark.parametrize("game", KITS)
def test_a_model_is_told_what_its_levels_are_held_to(game: str) -> None:
    rows = {
        "sokoban": ["#######", "#@$  .#", "#######"],
        "dungeon": ["<..M...>"],
        "platformer": ["........", "S..^...G", "########"],
        "runner": ["H..#", "M.G#", "bbbb"],
    }[game]
    assert labour_of(GAMES[game], rows) == KITS[game].labour(rows, KITS[game].solve(rows, 10_000).moves)


@given(st.integers(0, 2**31), st.sampled_from(["all", "mirror", "none"]))
def test_mirror_images_keep_the_tiles(seed: int, symmetry: str) -> None:
    rng = np.random.default_rng(seed)
    tiles = np.arange(12).reshape(3, 4)
    image = mirrored(tiles, symmetry, rng)
    assert sorted(image.ravel()) == sorted(tiles.ravel())
    if symmetry != "all":
        assert (image[:, 0] == (tiles[:, 0] if symmetry == "none" else image[:, 0])).all()
        assert image.shape == tiles.shape
    assert crop(image, ((1, 2), (1, 2)), rng).shape == (2, 2)


def test_what_surrounds_a_level_is_trimmed_to_one_tile() -> None:
    tiles = np.zeros((10, 10), np.int64)
    tiles[4:7, 3:8] = 1
    assert trimmed(tiles, 0, ((5, 10), (5, 10))).shape == (5, 7)
    assert trimmed(tiles, 0, ((9, 10), (5, 10))).shape[1] >= 8  # as wide as there is room on its right
    assert trimmed(np.zeros((6, 6), np.int64), 0, ((5, 10), (5, 10))).shape == (6, 6)


def test_columns_are_written_from_the_bottom() -> None:
    assert lines_of(np.array([[0, 1], [2, 3]]), by_columns=True).tolist() == [[2, 0], [3, 1]]


def test_a_tile_sees_what_is_before_it_and_what_is_given() -> None:
    context = Context(tiles=50, counts=1)
    grid = np.arange(42).reshape(6, 7)
    fixed = np.zeros((6, 7), np.bool_)
    fixed[3, 4] = True
    rows = indices(context, grid, fixed, np.full((42, 1), UNTOLD), None)
    assert rows.shape == (42, context.width)
    assert rows.max() < context.rows
    here = 2 * 7 + 3  # line 2, cell 3
    seen = dict(zip((*AROUND, "cell", "line"), rows[here, : len(AROUND) + 2] - context.around_base, strict=True))
    assert seen[-1, 0] == 10
    assert seen[0, -2] == 15
    assert seen[-3, 0] == context.outside
    assert seen[1, 1] == 25  # given
    assert seen[1, 0] == context.unknown
    assert seen[0, 1] == context.unknown
    assert seen["cell"] == context.unknown  # opposite in the line: itself
    assert seen["line"] == context.unknown  # opposite line, 3: not yet written
    last = dict(zip(("cell", "line"), rows[-1, len(AROUND) :][:2] - context.around_base[-2:], strict=True))
    assert last == {"cell": 35, "line": 6}


@given(st.integers(0, 5000))
def test_numbers_are_told_in_steps_that_never_fall(value: int) -> None:
    steps = number_step(np.array([value, value + 1, UNTOLD, -1]))
    assert steps[0] <= steps[1] < steps[2]
    assert steps[3] == 0
    assert value > 15 or steps[0] == value


def test_batches_count_down_and_leave_given_tiles_out(level_folder: Path) -> None:
    corpus = load_corpus(level_folder, SOKOBAN)
    examples = Examples(corpus, corpus.training, span=200)
    grid = encode(corpus.training[0].rows, corpus.alphabet)
    fixed = np.zeros(grid.shape, np.bool_)
    batch = examples.encode(grid, fixed, np.array([True, True, False]), 0.5, 0)
    boxes = batch.rows[:, 0, len(AROUND) + 2].numpy() - examples.context.count_base[0]
    box = corpus.alphabet.tiles.index("$")
    assert boxes[0] == 2
    assert boxes[-1] == 0
    placed = np.flatnonzero(grid.ravel() == box)
    assert np.flatnonzero(np.diff(boxes)).tolist() == placed.tolist()
    fixed[:, :] = grid == box
    batch = examples.encode(grid, fixed, np.array([True, True, False]), 0.5, 0)
    assert batch.weight.sum() == grid.size - 2
    assert (batch.rows[:, 0, len(AROUND) + 2].numpy() == examples.context.count_base[0]).all()  # none left to write
    drawn = examples.draw(600, np.random.default_rng(1))
    assert drawn.rows.shape[:2] == drawn.tiles.shape == drawn.weight.shape
    assert 0 < drawn.weight.mean() <= 1


def test_long_levels_are_cut_to_the_span(level_folder: Path) -> None:
    corpus = load_corpus(level_folder, DUNGEON)
    examples = Examples(corpus, corpus.training, span=40)
    batch = examples.draw(120, np.random.default_rng(0))
    assert batch.tiles.shape[0] <= 40
    whole = Examples(corpus, corpus.training, span=500).whole(3)
    assert whole.tiles.shape[1] == 3
    assert whole.weight.sum(0).tolist() == sorted(whole.weight.sum(0).tolist())


def test_levels_of_one_size_are_taught_in_windows_too(level_folder: Path) -> None:
    corpus = load_corpus(level_folder, dataclasses.replace(SOKOBAN, cut=1.0, filler="", sides=((4, 8), (5, 7))))
    examples = Examples(corpus, corpus.training, span=200)
    sizes = {int(examples.sequence(examples.examples[0], np.random.default_rng(k)).tiles.numel()) for k in range(40)}
    assert len(sizes) > 5
    assert min(sizes) >= 4 * 5
    assert max(sizes) <= 8 * 7


@given(st.integers(0, 2**31), st.integers(1, 9), st.integers(1, 9))
def test_given_tiles_leave_something_to_write_now_and_then(seed: int, lines: int, cells: int) -> None:
    rng = np.random.default_rng(seed)
    shapes = [given_tiles((lines, cells), rng) for _ in range(30)]
    assert all(g.shape == (lines, cells) for g in shapes)
    assert not all(g.all() for g in shapes)
