"""The Lode Runner kind: its moves, against a search of every position; digging; proofs; where guards go."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.content.levels.graphs import FAR, components, distances, nearest, reversed_edges
from runtime.content.levels.rules import IllegalMove, find, put
from runtime.content.levels.runner.game import HOLE_TICKS
from runtime.content.levels.runner.graph import closing
from runtime.content.levels.runner.guards import START, in_corner, place_guards
from runtime.content.levels.runner.replay import path, replay
from runtime.content.levels.runner.solver import solve

LETTERS = "lrud.LR"


def completable(rows: Sequence[str], most: int = 60_000) -> bool | None:
    """By trying all moves from all positions, holes and their times included; None if there are too many."""
    seen = set()
    queue = deque([""])
    while queue:
        moves = queue.popleft()
        for letter in LETTERS:
            state = position(rows, moves + letter)
            if state is None or state in seen:
                continue
            if state[0] == "done":
                return True
            seen.add(state)
            queue.append(moves + letter)
            if len(seen) > most:
                return None
    return False


def position(rows: Sequence[str], moves: str) -> tuple[object, ...] | None:
    """Where moves lead, by rules written once more; None where one of them is illegal."""
    tiles = [list("B" + row + "B") for row in rows] + [["B"] * (len(rows[0]) + 2)]
    gold = {(y, x) for y, row in enumerate(tiles) for x, c in enumerate(row) if c == "G"}
    y, x = next((y, row.index("M")) for y, row in enumerate(tiles) if "M" in row)
    holes: dict[tuple[int, int], int] = {}
    for now, letter in enumerate(moves):

        def solid(y: int, x: int, now: int = now) -> bool:
            return tiles[y][x] == "B" or (tiles[y][x] == "b" and holes.get((y, x), -99) + HOLE_TICKS < now)

        def ladder(y: int, x: int) -> bool:
            return tiles[y][x] == "#" or (tiles[y][x] == "H" and not gold)

        if not (ladder(y, x) or tiles[y][x] == "-" or solid(y + 1, x) or ladder(y + 1, x)):
            if letter != ".":
                return None
            y += 1
        elif letter in "lr":
            x += 1 if letter == "r" else -1
        elif letter == "u":
            if not ladder(y, x) or y == 0:
                return None
            y -= 1
        elif letter == "d":
            y += 1
        elif letter in "LR":
            side = x + (1 if letter == "R" else -1)
            if solid(y, side) or ladder(y, side) or tiles[y][side] == "-":
                return None
            if tiles[y + 1][side] != "b" or not solid(y + 1, side):
                return None
            holes[y + 1, side] = now
        if solid(y, x, now + 1) or (tiles[y][x] == "b" and holes.get((y, x), -99) + HOLE_TICKS == now):
            return None
        gold.discard((y, x))
        if y == 0 and not gold:
            return ("done",)
    now = len(moves)
    open_ = frozenset((at, now - dug) for at, dug in holes.items() if dug + HOLE_TICKS >= now)
    return y, x, frozenset(gold), open_


@st.composite
def levels(draw: st.DrawFn, tiles: str, widest: int = 6, highest: int = 5) -> list[str]:
    width, height = draw(st.integers(2, widest)), draw(st.integers(2, highest))
    cells = draw(st.lists(st.sampled_from(tiles), min_size=width * height, max_size=width * height))
    cells[draw(st.integers(0, width * height - 1))] = "M"
    return ["".join(cells[y * width : (y + 1) * width]) for y in range(height)]


@settings(max_examples=300)
@given(levels("..bbB##H-GFE"), st.text(LETTERS, max_size=40))
def test_moves_are_legal_or_not_by_both_readings_of_the_rules(rows: list[str], moves: str) -> None:
    state = position(rows, moves)
    try:
        done = replay(rows, moves)
    except IllegalMove:
        assert state is None or state == ("done",)  # a level that is complete ends there, a replay goes on
        return
    if state == ("done",) or state is None:
        assert done
    else:
        top = "M" in rows[0] and not any("G" in row for row in rows)
        assert done == top
        x, y = path(rows, moves)[-1]
        assert (y // 16, x // 16 + 1) == state[:2]


@settings(max_examples=60)
@given(levels("..bBB##H-GG", 4, 4))
def test_proofs_hold(rows: list[str]) -> None:
    outcome = solve(rows)
    assert outcome.why
    possible = completable(rows, 300)
    if outcome.status == "solved":
        assert replay(rows, outcome.moves)
        assert possible is not False or ("M" in rows[0] and not any("G" in row for row in rows))
    if possible:
        assert outcome.status != "unsolvable"


@settings(max_examples=60)
@given(levels("..###-GG", 6, 5))
def test_without_bricks_the_answer_is_exact(rows: list[str]) -> None:
    """There is nothing to dig, so the graph is all there is."""
    outcome = solve(rows)
    assert outcome.status in ("solved", "unsolvable")
    possible = completable(rows, 600)
    if possible is not None:
        there = "M" in rows[0] and not any("G" in row for row in rows)
        assert (outcome.status == "solved") == (possible or there)


TWO_ROWS_DOWN = ["M....BH", "bbbbbbH", "bbbbbbH", "..G...H", "BBBBBBB"]


@pytest.mark.parametrize(
    "rows",
    [
        ["M....BH", "bbbbbbH", "..G...H", "BBBBBBB"],  # through a hole
        TWO_ROWS_DOWN,
        ["M......BH", "bbbbbbbbH", "bbbbbbbbH", "bbbbbbbbH", "....G...H", "BBBBBBBBB"],  # through three rows
        ["M--------", "bb.....G#", "BBBBBBBb#"],  # along a rope, and down from it
        ["M......H", "bbbbbb.H", "G......H", "bbbbbbbb"],  # a ladder that appears
        ["..F...#.", "M.F.G.#.", "bbFbbb#b", "bb....#b", "BBBBBBBB"],  # false bricks bear nobody
    ],
)
def test_levels_that_can_be_completed(rows: list[str]) -> None:
    outcome = solve(rows)
    assert outcome.status == "solved", outcome.why
    assert replay(rows, outcome.moves)


def test_gold_in_a_pocket_is_taken_and_left_before_the_hole_closes() -> None:
    """Once the brick above has closed there is no way out of such a pocket; a way through it is dug at once."""
    rows = ["M.......BH", "bbbbbbbbbH", "bbbbGbbbbH", "bbbbbbbbbH", ".........H", "BBBBBBBBBB"]
    outcome = solve(rows)
    assert outcome.status == "solved"
    assert replay(rows, outcome.moves)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (["M..#", "BBB#", "G.B#", "BBBB"], "no way leads from row 0, column 0 to the gold at row 2, column 0"),
        (["....", "M.G.", "bbbb"], "to the top row"),
        (["M#...", "B#BBB", "B..GB", "B#BBB", "G#.BB"], "no way leads"),
        (["#.M.#", "#B.B#", "G..BG", "BB.BB"], "no way leads"),  # a drop between, and no way back
    ],
)
def test_levels_that_cannot(rows: list[str], why: str) -> None:
    outcome = solve(rows)
    if outcome.status == "solved":
        pytest.fail(outcome.moves)
    assert outcome.status == "unsolvable"
    assert why in outcome.why


def test_a_budget_that_runs_out_says_so() -> None:
    outcome = solve(TWO_ROWS_DOWN, 100)
    assert (outcome.status, outcome.moves) == ("unknown", "")
    assert outcome.why == "the budget of 100 nodes ran out"
    assert solve(TWO_ROWS_DOWN, 400_000).moves == solve(TWO_ROWS_DOWN).moves


def test_holes_close() -> None:
    rows = ["....", "M...", "bbbb", "BBBB"]
    inside = "Rr."
    assert not replay(rows, inside + "." * (HOLE_TICKS - 3))
    with pytest.raises(IllegalMove, match=r"move 30, '\.': the hole at row 2, column 1 closes over"):
        replay(rows, inside + "." * (HOLE_TICKS - 2))
    assert closing("Rr.") == HOLE_TICKS - 2


@pytest.mark.parametrize(
    ("moves", "what"),
    [
        ("u", "move 0, 'u': there is no ladder at row 1, column 0"),
        ("d", "move 0, 'd': row 2, column 0 is solid"),
        ("l", "move 0, 'l': row 1, column -1 is solid"),
        ("R", "move 0, 'R': there is no brick at row 2, column 1"),
        ("rR", "move 1, 'R': there is no room to dig at row 1, column 2"),
        ("rrurr", "move 4, 'r': the player falls at row 0, column 3"),
        ("x", "move 0, 'x': there are only"),
    ],
)
def test_illegal_moves(moves: str, what: str) -> None:
    with pytest.raises(IllegalMove) as caught:
        replay([".....", "M.#..", "bBb.b"], moves)
    assert what in str(caught.value)


HALLS = [
    "M...................#.......",
    "bbbbbbbbbbbbbbbbbbbb#bbbbbbb",
    "....................#.......",
    "....................#.......",
    "bbbbbbbbbbbbbbbbbbbb#bbbbbbb",
    "....................#...G...",
    "....................#bbbbbbb",
    "bbbbbbbbbbbbbbbbbbbb#bbbbbbb",
    "....................#.......",
    "E...................#......E",
]


def test_guards_stand_off_the_way_each_with_a_role() -> None:
    moves = solve(HALLS).moves
    way = {(y // 16, x // 16) for x, y in path(HALLS, moves)}
    guarded = place_guards(HALLS, moves, 3)
    spots = find(guarded, "E")
    assert len(spots) == 3
    assert not way & set(spots)
    for y, x in spots:
        assert y + 1 == len(HALLS) or HALLS[y + 1][x] in "bB#"
        assert abs(y - 0) + abs(x - 0) >= START
        assert not in_corner(y, x, len(HALLS), len(HALLS[0]))
        assert min(abs(y - v) + abs(x - u) for v, u in way) <= 6  # so that they get at the player
    assert min(abs(y - 5) + abs(x - 24) for y, x in spots) <= 4  # one at the gold
    assert all(abs(y - v) + abs(x - u) >= 3 for y, x in spots for v, u in spots if (v, u) != (y, x))
    assert replay(guarded, moves)


def test_as_many_guards_as_there_is_room_for() -> None:
    moves = solve(HALLS).moves
    way = {(y // 16, x // 16) for x, y in path(HALLS, moves)}
    assert place_guards(HALLS, moves, 0) == [row.replace("E", ".") for row in HALLS]
    few, many = (find(place_guards(HALLS, moves, 100, least=least), "E") for least in (0, 30))
    assert 3 <= len(few) < 30 == len(many)  # those asked for stand anywhere off the way
    assert not way & {*few, *many}
    kept = frozenset({(9, 0), (3, 22), (3, 23)})  # a guard, and air
    with_kept = place_guards(HALLS, moves, 100, kept)
    assert [with_kept[y][x] for y, x in sorted(kept)] == [".", ".", "E"]
    stays = put(HALLS, {(3, 9): "E"})
    assert place_guards(stays, moves, 1)[3][9] == "E"  # where the model put it, since it stands well


@pytest.mark.slow
@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11), st.integers(1, 5)), max_size=40))
def test_graphs_against_floyd_and_warshall(nodes: int, arcs: list[tuple[int, int, int]]) -> None:
    arcs = sorted({(a % nodes, b % nodes): cost for a, b, cost in arcs}.items())  # type: ignore[assignment]
    pairs = np.array([pair for pair, _ in arcs], np.int32).reshape(-1, 2)
    cost = np.array([c for _, c in arcs], np.int32)
    first = np.searchsorted(pairs[:, 0], np.arange(nodes + 1)).astype(np.int32)
    far = np.full((nodes, nodes), 10**6)
    np.fill_diagonal(far, 0)
    for (a, b), c in zip(pairs.tolist(), cost.tolist(), strict=True):
        far[a, b] = min(far[a, b], c)
    for k in range(nodes):
        far = np.minimum(far, far[:, k : k + 1] + far[k : k + 1, :])
    reach = far < 10**6
    component = components(first, pairs[:, 1].copy())
    assert ((component[:, None] == component) == (reach & reach.T)).all()
    assert all(component[a] >= component[b] for a, b in pairs.tolist())
    wanted = np.zeros(nodes, np.bool_)
    wanted[nodes - 1] = True
    edges, _ = nearest(first, pairs[:, 1].copy(), cost, 0, wanted)
    if reach[0, nodes - 1]:
        assert cost[edges].sum() == far[0, nodes - 1]
    else:
        assert not edges.size
    best, before = distances(first, pairs[:, 1].copy(), cost, wanted)
    assert (np.where(best == FAR, 10**6, best) == far[nodes - 1]).all()
    assert all((before[node] < 0) == (node == nodes - 1 or not reach[nodes - 1, node]) for node in range(nodes))
    back, _ = distances(*reversed_edges(first, pairs[:, 1].copy(), cost), wanted)
    assert (np.where(back == FAR, 10**6, back) == far[:, nodes - 1]).all()
