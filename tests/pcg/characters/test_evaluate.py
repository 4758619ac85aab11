"""Metrics of sprites on pictures with known results; the whole evaluation of untrained models."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from pcg import cli
from pcg.characters.evaluation import critics, evaluate, metrics
from pcg.characters.evaluation.fairness import apart, fairness, shares
from pcg.characters.evaluation.samples import running, walk_sheets
from pcg.learning.critic import rank_auc
from runtime.card import Quality
from runtime.registry import Registry

RED, BLUE, GREEN = (220, 30, 30, 255), (30, 30, 220, 255), (30, 200, 30, 255)


def picture(*boxes: tuple[tuple[int, int, int, int], tuple[int, int, int, int]], side: int = 32) -> np.ndarray:
    out = np.zeros((side, side, 4), np.uint8)
    for (top, bottom, left, right), colour in boxes:
        out[top:bottom, left:right] = colour
    return out


def spots(colour: tuple[int, int, int, int], count: int, seed: int, side: int = 32) -> np.ndarray:
    """Boxes of a colour anywhere, (count, side, side, 4)."""
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, side - 12, (count, 2))
    return np.stack([picture(((y, y + 12, x, x + 12), colour), side=side) for y, x in corners.tolist()])


def test_pixels_are_counted() -> None:
    frames = np.stack([picture(((4, 20, 4, 20), RED), ((25, 26, 25, 27), BLUE)), picture(((4, 20, 4, 20), RED))])
    assert metrics.colours(frames).tolist() == [2, 1]
    assert metrics.stray_pixels(frames) == 1.0
    assert metrics.partial_alpha(frames) == 0
    frames[0, 10, 10, 3] = 100
    assert metrics.partial_alpha(frames) == 1


def test_palette_agreement_is_the_intersection_of_histograms() -> None:
    half = picture(((0, 8, 0, 8), RED), ((0, 8, 8, 16), BLUE))
    whole = picture(((0, 4, 0, 4), RED))
    assert metrics.palette_agreement(half, half) == 1.0
    assert metrics.palette_agreement(half, whole) == 0.5
    assert metrics.palette_agreement(whole, picture(((0, 4, 0, 4), BLUE))) == 0.0
    assert metrics.palette_agreement(whole, picture()) == 0.0


def test_steps_and_directions_of_sheets() -> None:
    sheet = np.broadcast_to(picture(((4, 20, 4, 20), RED)), (1, 36, 32, 32, 4)).copy()
    assert metrics.step_change(sheet) == 0.0
    assert metrics.direction_agreement(sheet) == 1.0
    sheet[0, 9:18] = picture(((4, 20, 4, 20), BLUE))  # all of one direction
    assert metrics.step_change(sheet) == 0.0
    assert metrics.direction_agreement(sheet) == 0.5
    sheet[0, 3, 4:20, 4:20] = GREEN  # one step of another: two of 32 changes
    assert metrics.step_change(sheet) == 2 / 32


def test_errors_and_nearest_neighbours() -> None:
    one, other = picture(((0, 8, 0, 8), RED))[None], picture(((0, 8, 0, 8), BLUE))[None]
    assert metrics.mean_error(one, one) == 0.0
    assert metrics.mean_error(one, other) == (190 + 190) / 4
    far, which = metrics.nearest(np.concatenate([one, other]), np.concatenate([other, one, other]))
    assert far.tolist() == [0, 0]
    assert which.tolist() == [1, 0]
    far, _ = metrics.nearest(one, other)
    assert math.isclose(far[0], (2 * 190**2 * 64 / 32**2 / 4) ** 0.5, rel_tol=1e-4)


def test_memorised_sprites_are_detected() -> None:
    training, held_out = spots(RED, 40, 0), spots(BLUE, 20, 1)
    rows = {row.metric: row for row in evaluate.memorised(training[:10], held_out, training, "")}
    assert rows["distance to the nearest training sprite, median"].value == 0
    assert rows["nearer than 95% of held-out ones (share)"].value == 1


def test_rank_auc() -> None:
    assert rank_auc(np.array([[2.0], [3.0]]), np.array([[1.0], [0.0]])) == 1.0
    assert rank_auc(np.array([[1.0]]), np.array([[1.0], [0.0]])) == 0.75


@pytest.mark.slow
def test_critics_detect_differences_only() -> None:
    red, blue = spots(RED, 60, 2), spots(BLUE, 60, 3)
    assert critics.two_sample_auc(red, blue, 60, 0, steps=60) > 0.95
    assert critics.two_sample_auc(red, red, 60, 0, steps=10) == 0.5
    answers = np.repeat([0, 1], 60)[:, None]
    critic = critics.Critic(np.concatenate([red, blue]), answers, [2], mirrored=True, steps=60)
    assert (critic.answers(spots(RED, 20, 4)) == 0).all()
    assert (critic.answers(spots(BLUE, 20, 5)) == 1).all()
    seen, more, others = (critic.features(p) for p in (red, spots(RED, 60, 6), blue))
    assert critics.fid(seen, others) > 10 * critics.fid(seen, more)
    assert critics.kid(seen, others) > 10 * abs(critics.kid(seen, more))


def test_fairness_of_shares_and_equipment() -> None:
    men = [{"body": "male", "species": "human", "skin_colour": "light", "weapon": "sword"}] * 60
    women = [{"body": "female", "species": "human", "skin_colour": "black", "weapon": "none"}] * 40
    assert shares(men + women, "body") == {"male": 0.6, "female": 0.4}
    assert apart(men + women, "body", "weapon") == 1.0
    rats = [{"body": "male", "species": "rat", "skin_colour": "fur_grey", "weapon": "none"}] * 100
    assert shares(men + women + rats, "skin_colour") == {"light": 0.6, "black": 0.4}
    rows = {row.metric: row for row in fairness(men + women, men + women + women)}
    assert rows["share of body female"].value == 0.4
    assert rows["smallest share of a group, of its share in training"].value == pytest.approx(0.4 / (80 / 140))


@pytest.mark.parametrize("name", ["character-front", pytest.param("character-walk", marks=pytest.mark.slow), "monster"])
def test_untrained_models_are_measured(
    name: str,
    character_models: Path,
    characters_folder: Path,
    monsters_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = Registry(character_models).find(name)
    folder = monsters_folder if name == "monster" else characters_folder
    monkeypatch.setattr(evaluate, "TWO_SAMPLE_SEEDS", 1)
    whole = evaluate.evaluate_character

    def small(model: object, data: Path) -> list[Quality]:
        return whole(model, data, 0.01)

    monkeypatch.setattr(evaluate, "evaluate_character", small)
    out = tmp_path / "quality.json"
    with pytest.raises(SystemExit) as caught:
        cli.main(["eval", name, "--data", str(folder), "--models", str(model.path.parent), "--out", str(out)])
    assert not caught.value.code
    rows = {row["metric"]: row for row in json.loads(out.read_bytes())}
    assert all(math.isfinite(row["value"]) for row in rows.values())
    assert rows["pixels of partial alpha"]["value"] == 0
    printed = capsys.readouterr().out
    assert all(metric in printed for metric in rows)
    if name == "character-walk":
        assert rows["stray pixels a frame"]["value"] == 0
    else:
        assert 0 <= rows[evaluate.ATTRIBUTES]["value"] <= 1
        assert rows["stray pixels a picture"]["value"] == 0
        assert any(metric.startswith("share of ") for metric in rows)


@pytest.mark.slow
def test_a_front_of_too_many_colours_is_reduced_and_walks(character_models: Path) -> None:
    many = np.full((1, 64, 64, 4), 255, np.uint8)
    many[..., 0] = np.arange(64)[:, None] * 4  # 64 colours, one more than a walk takes
    with running() as engine:
        sheets = walk_sheets(engine, Registry(character_models).find("character-walk"), many)
    assert sheets.shape == (1, 36, 64, 64, 4)
    assert metrics.colours(sheets)[0] <= 63
