"""The Lode Runner kind made harder: more labour, still solved as it is, and what is given stays."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runtime.content.levels.rules import Outcome, find, put
from runtime.content.levels.runner.harder import harden
from runtime.content.levels.runner.measures import difficulty
from runtime.content.levels.runner.replay import replay
from runtime.content.levels.runner.solver import solve

BUDGET = 20_000
WIDE = [
    "....................",
    "M..GG.#.............",
    "bbbbbb#bbbbbbbbbbbbb",
    "......#.............",
    "bbbbbbbbbbbbbbbbbbb#",
    "...................#",
    "#bbbbbbbbbbbbbbbbbbb",
    "#...................",
    "bbbbbbbbbbbbbbbbbbbb",
]
TALL = put(WIDE, {(0, 6): "#"})


def prove(rows: Sequence[str]) -> Outcome:
    return solve(rows, BUDGET)


def measure(rows: Sequence[str], found: Outcome) -> int:
    return difficulty(rows, found.moves)


def test_gold_goes_where_the_way_is_long() -> None:
    before = prove(TALL)
    assert before.status == "solved"
    easy = measure(TALL, before)
    harder = harden(TALL, before, frozenset(), (easy + 20, 100), 9, measure, prove)
    assert harder is not None
    rows, found = harder
    assert replay(rows, found.moves)
    assert measure(rows, found) >= easy + 20
    assert 2 < len(find(rows, "G")) <= 9
    assert any(y == 7 for y, _ in find(rows, "G"))


def test_as_many_pieces_as_asked_for_are_moved_instead() -> None:
    before = prove(TALL)
    easy = measure(TALL, before)
    harder = harden(TALL, before, frozenset(), (easy + 5, 100), 2, measure, prove)
    assert harder is not None
    assert len(find(harder[0], "G")) == 2
    assert harden(TALL, before, frozenset(find(TALL, "G")), (easy + 5, 100), 2, measure, prove) is None


def test_a_part_that_nobody_gets_to_is_joined() -> None:
    shut = put(TALL, {(4, 19): "b", (5, 19): "."})
    before = prove(shut)
    easy = measure(shut, before)
    harder = harden(shut, before, frozenset(), (easy + 40, 100), 12, measure, prove)
    assert harder is not None
    assert len(find(harder[0], "#")) > len(find(shut, "#"))


def test_gold_is_hidden_in_pockets_that_are_dug() -> None:
    thick = [
        "#...........",
        "#M.G........",
        "#bbbbbbbbbbb",
        "#bbbbbbbbbbb",
        "#bbbbbbbbbbb",
        "#...........",
        "BBBBBBBBBBBB",
    ]
    before = prove(thick)
    assert not set(before.moves) & set("LR")
    harder = harden(thick, before, frozenset(), (measure(thick, before) + 10, 100), 20, measure, prove)
    assert harder is not None
    assert set(harder[1].moves) & set("LR")
    assert replay(harder[0], harder[1].moves)


PLACES = st.tuples(st.integers(0, len(TALL) - 1), st.integers(0, len(TALL[0]) - 1))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(PLACES, st.sampled_from(".bB#-GEF"), max_size=12), st.frozensets(PLACES), st.integers(0, 12))
def test_what_is_made_harder_is_solved_and_keeps_what_is_given(
    others: dict[tuple[int, int], str], kept: frozenset[tuple[int, int]], most: int
) -> None:
    rows = put(TALL, others | {(1, 0): "M"})
    found = prove(rows)
    assume(found.status == "solved")
    harder = harden(rows, found, kept, (measure(rows, found) + 1, 100), most, measure, prove)
    if harder is not None:
        assert replay(harder[0], harder[1].moves)
        assert measure(*harder) > measure(rows, found)
        assert all(harder[0][y][x] == rows[y][x] for y, x in kept)
        assert len(find(harder[0], "G")) <= max(most, len(find(rows, "G")))
