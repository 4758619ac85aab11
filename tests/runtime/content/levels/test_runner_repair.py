"""Levels of the Lode Runner kind, arranged and mended; and wishes that can't be fulfilled, told beforehand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.content.levels.rules import FREE, Outcome, find, put
from runtime.content.levels.runner.kit import with_ladders
from runtime.content.levels.runner.repair import arrange, mend
from runtime.content.levels.runner.replay import replay
from runtime.content.levels.runner.solver import impossible, solve

BUDGET = 2_000


def prove(rows: list[str]) -> Outcome:
    return solve(rows, BUDGET)


@st.composite
def parts(draw: st.DrawFn, tiles: str = "...bbB##H-GGFEM") -> tuple[list[str], frozenset[tuple[int, int]]]:
    """A level that may have any number of players, and some of its places."""
    width, height = draw(st.integers(2, 8)), draw(st.integers(2, 6))
    rows = ["".join(draw(st.lists(st.sampled_from(tiles), min_size=width, max_size=width))) for _ in range(height)]
    places = st.tuples(st.integers(0, height - 1), st.integers(0, width - 1))
    return rows, draw(st.frozensets(places, max_size=6))


@settings(max_examples=100)
@given(parts(), st.tuples(st.integers(0, 2), st.integers(2, 3)))
def test_what_is_given_stays_and_what_is_mended_is_completed(
    made: tuple[list[str], frozenset[tuple[int, int]]], guards: tuple[int, int]
) -> None:
    rows, kept = made
    try:
        arranged = arrange(rows, kept, True, guards)
    except ValueError:
        return
    assert len(find(arranged, "M")) == 1
    assert find(arranged, "G")
    assert guards[0] <= len(find(arranged, "E")) <= guards[1]
    mended = mend(arranged, kept, prove)
    for after in (arranged, *([] if mended is None else [mended[0]])):
        assert all(after[y][x] == rows[y][x] for y, x in kept)
    if mended is not None:
        assert replay(mended[0], mended[1].moves)
        assert len(find(mended[0], "G")) == len(find(arranged, "G"))


@settings(max_examples=100)
@given(parts())
def test_what_is_refused_beforehand_is_impossible(made: tuple[list[str], frozenset[tuple[int, int]]]) -> None:
    rows, free = made
    try:
        rows = arrange(rows, frozenset(), False, None)
    except ValueError:
        return
    if prove(rows).status == "solved":
        fixed = put(rows, {at: FREE for at in free if rows[at[0]][at[1]] != "M"})
        assert impossible(with_ladders(fixed)) == ""


def test_what_is_missing_goes_where_one_stands() -> None:
    rows = [".......", "..M.M..", "bbb.bbb", "......."]
    assert arrange(rows, frozenset({(1, 4)}), False, (0, 0)) == [".......", "....M..", "bbb.bbb", "......."]
    assert arrange(rows[::3], frozenset(), True, (1, 1)) == [".......", "M..E..G"]
    with pytest.raises(ValueError, match="no place to stand on"):
        arrange(["bbb", "bbb"], frozenset(), False, None)
    with pytest.raises(ValueError, match="too many 'E' are given"):
        arrange(["EEE.", "bbbb"], frozenset({(0, 0), (0, 1)}), False, (0, 1))


SHAFT = ["H......", "HM.B.B.", "bbbBGBb", "BBBBBBB"]


def test_gold_out_of_reach_is_moved_unless_it_is_given() -> None:
    assert prove(SHAFT).status != "solved"
    mended = mend(SHAFT, frozenset(), prove)
    assert mended is not None
    assert sum(a != b for old, new in zip(SHAFT, mended[0], strict=True) for a, b in zip(old, new, strict=True)) == 2
    assert mend(SHAFT, frozenset({(2, 4)}), prove) is None


def test_a_pit_of_gold_gets_a_ladder_and_the_top_row_a_hidden_one() -> None:
    pit = ["...........", "...........", "M..........", "bbbbbb..bbb", "BBBBB...BBB", "BBBGGG..BBB", "BBBBBBBBBBB"]
    mended = mend(pit, frozenset(), prove)
    assert mended is not None
    assert find(mended[0], "G") == find(pit, "G")
    assert len(find(mended[0], "H")) == 3
    assert 3 <= len(find(mended[0], "#")) <= 4
    given = frozenset((y, x) for y in range(7) for x in range(11))
    assert mend(pit, given, prove) is None
