"""What a level of the Lode Runner kind gets where nobody says, drawn as people's levels have it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runtime
from runtime.content.levels.generate import told_counts
from runtime.content.levels.requests import Wishes
from runtime.content.levels.rules import Game, find
from runtime.content.levels.runner.game import RUNNER
from runtime.content.levels.runner.guards import in_corner
from runtime.content.levels.runner.usual import Usual, lacks, usual_of
from runtime.local import Local
from runtime.registry import Registry

MODELS = Path(runtime.__file__).parent / "models"


def wish(seed: int, game: Game = RUNNER, difficulty: tuple[int, int, int] | None = None, **others: Any) -> Wishes:
    about: dict[str, Any] = {
        "tiles": "".join(game.tiles),
        "counted": {"enemies": "E", "gold": "G", "players": "M"},
        "fixed": np.full((20, 28), -1),
        "base": None,
        "ranges": {},
    } | others
    return Wishes(
        game=game,
        by_columns=False,
        seed=seed,
        change=0.3,
        difficulty=difficulty,
        solved=True,
        temperature=100,
        candidates=64,
        budget=1000,
        **about,
    )


def drawn(difficulty: tuple[int, int, int] | None) -> list[Usual]:
    found = [usual_of(wish(seed, difficulty=difficulty)) for seed in range(300)]
    return [usual for usual in found if usual is not None]


def test_draws_follow_the_levels_of_people() -> None:
    usual = drawn(None)
    assert len(usual) == 300
    density = np.array([u.density for u in usual])
    assert 480 <= np.median(density) <= 580  # people's: 530
    assert 0.02 <= (density < 300).mean() <= 0.1  # people's: 0.07
    assert 15 <= np.median([u.gold for u in usual]) <= 25  # people's: 20
    assert 3 <= np.median([u.guards for u in usual]) <= 5  # people's: 4
    easy, hard = drawn((0, 15, 0)), drawn((85, 100, 100))
    for of in (lambda u: u.density, lambda u: u.gold, lambda u: u.guards):
        assert np.mean([of(u) for u in easy]) < np.mean([of(u) for u in hard])
    assert usual_of(wish(7)) == usual_of(wish(7))


def test_what_is_given_or_asked_for_comes_first() -> None:
    given = np.full((20, 28), -1)
    given[3, 4] = 0
    assert usual_of(wish(1, fixed=given)) is None
    assert usual_of(wish(1, base=np.zeros((20, 28), np.int64))) is None
    usual = usual_of(wish(1))
    assert usual is not None
    free = np.full((20, 28), -1)
    assert told_counts(wish(1), 0, free) == [usual.guards, usual.gold, 1]
    assert told_counts(wish(1, ranges={"gold": (3, 3)}), 0, free) == [usual.guards, 3, 1]


def test_the_first_candidates_keep_to_the_draws_and_the_last_need_not() -> None:
    usual, any_gold, gold = Usual(50, 500, 8, 3, 40), wish(1), wish(1, ranges={"gold": (0, 9)})
    rows = ["GGGGGGGG..", *[".........."] * 9]
    assert lacks(rows, usual, any_gold, 0) == "usual density (too low)"
    assert lacks(rows, usual, any_gold, 20) == "usual density (too low)"
    assert lacks(rows, usual, any_gold, 32) == ""
    assert lacks(rows, usual, dataclasses.replace(any_gold, candidates=1), 0) == ""
    assert lacks(rows, usual, wish(1, difficulty=(85, 100, 100)), 0) == ""
    half = ["bbbbbbbbbb"] * 5 + [".........."] * 5
    assert lacks(half, usual, any_gold, 0) == "usual gold (too few)"
    assert lacks(half, usual, gold, 0) == ""
    assert lacks(["bbbbbbbbbb"] * 10, usual, gold, 0) == "usual density (too high)"


def test_the_card_says_what_the_model_cannot_do() -> None:
    limits = " ".join(Registry(MODELS).find("level-runner").card.limits)
    for what in ("guards that hunt is not known", "At difficulty 1.0 a part of the requests is not met"):
        assert what in limits


@pytest.mark.slow
def test_the_bundled_model_builds_as_much_as_was_drawn() -> None:
    with Local(MODELS, "cpu", 1) as local:
        for seed in range(3):
            made = local.call("levels.generate", seed=seed, game="runner")
            usual = usual_of(wish(seed))
            assert usual is not None
            rows = made["rows"]
            built = 1000 - 1000 * sum(row.count(".") for row in rows) // 560
            assert abs(built - usual.density) < 250
            assert made["counts"]["enemies"] <= usual.guards
            assert not any(in_corner(*at, 20, 28) for at in find(rows, "E"))
