"""Trials of levels.generate with small models: the metrics, and resuming an interrupted run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pcg.levels.corpus.data import load_corpus
from pcg.levels.corpus.games import find_game
from pcg.levels.evaluation import trials
from pcg.levels.evaluation.trials import PROOFS, WISHES, askable, correlation, evaluate_trials, read_records, run_trials
from runtime.registry import Registry


def test_trials_go_on_where_they_were_cut_off(level_models: Path, tmp_path: Path) -> None:
    model = Registry(level_models).find("level-sokoban")
    path, made = tmp_path / "new" / "trials.jsonl", []

    def made_of(names: str, model=model) -> list[int]:
        def trial(name: str) -> dict[str, int]:
            made.append(name)
            return {"value": ord(name)}

        return [r["value"] for r in run_trials(path, model, "", {n: lambda n=n: trial(n) for n in names})]

    assert made_of("ab") == [97, 98]
    path.write_text(path.read_text() + '{"trial": "c", "val')  # killed while it wrote
    assert made_of("abcd") == [97, 98, 99, 100]
    assert made == list("abcd")
    assert made_of("dcba") == [100, 99, 98, 97]
    assert made_of("a", Registry(level_models).find("level-dungeon")) == [97]
    assert made == list("abcda")  # other weights' trials are other trials
    assert len(list(read_records(path))) == 5


def test_correlation_is_of_ranks_where_something_was_measured() -> None:
    def records(*pairs: tuple[float, float | None]) -> list[dict[str, float | None]]:
        return [{"asked": asked, "alone": measured} for asked, measured in pairs]

    assert correlation(records((1, 10), (2, 100), (3, 1000), (4, None)), "alone") == pytest.approx(1)
    assert correlation(records((1, 3), (2, 2), (3, 1)), "alone") == pytest.approx(-1)
    assert correlation(records((1, 5), (2, 5), (3, None)), "alone") == 0


def test_what_is_asked_for_is_what_the_corpus_has(level_folder: Path) -> None:
    assert askable(load_corpus(level_folder, find_game("sokoban"))) == {"boxes": 4}  # each has two; ends aren't asked
    assert askable(load_corpus(level_folder, find_game("dungeon"))) == {"enemies": 4, "items": 2, "hazards": 2}


@pytest.mark.slow
def test_a_models_trials(
    level_models: Path, level_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = evaluate_trials(Registry(level_models), "level-sokoban", level_folder, tmp_path, 5)
    value = {f.metric: f.value for f in figures}
    untouched, mended, fulfilled = (
        value[m] for m in ("levels that need no repair", "levels completed, with repairs", "requests fulfilled")
    )
    assert 0 <= untouched <= mended <= fulfilled <= 1
    assert untouched <= value["levels completed as written"] <= 1
    assert 0 <= value["levels completed, ends placed by rule"] <= 1
    assert value["returned levels that the player accepts"] == 1
    assert 0 < value["time of a request, median, s"] <= value["time of a request, 95 %, s"]
    assert value["boxes: returned, correlation"] == pytest.approx(1)  # they are as asked for
    lines = [json.loads(line) for name in (PROOFS, WISHES) for line in (tmp_path / name).read_text().splitlines()]
    assert len(lines) == 5 + 2 + 2
    monkeypatch.setattr(trials, "met", None)  # all is there
    again = evaluate_trials(Registry(level_models), "level-sokoban", level_folder, tmp_path, 5)
    assert again == figures
    with pytest.raises(ValueError, match="at least 5"):
        evaluate_trials(Registry(level_models), "level-sokoban", level_folder, tmp_path, 4)
