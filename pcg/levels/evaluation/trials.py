"""Trials of levels.generate with many requests: how many levels are proved, how fast, and how well wishes are met.

Each request is a trial with a name. Its result is a line of JSON in a file, so an interrupted run can be resumed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pcg.levels.corpus.data import Corpus
from pcg.levels.evaluation.evaluate import corpus_of
from pcg.levels.evaluation.generator import LevelGenerator
from pcg.progress import progress
from runtime.card import Quality
from runtime.content.levels.games import kit_of
from runtime.content.levels.generate import Missed, examine, fixed_for
from runtime.content.levels.rules import find
from runtime.registry import ModelFile, Registry

PROOFS, WISHES = "proofs.jsonl", "wishes.jsonl"  # in the folder of trials
SEEDS, LEAST_SEEDS = 500, 5  # levels at default settings
ALONE = 8  # candidates at most until one is completed, in the trials of the network alone
COUNTED_UP_TO = 90  # the percentile of a count in the training levels that is the most requested

Trial = Callable[[], dict[str, Any]]
Record = dict[str, Any]


def run_trials(path: Path, model: ModelFile, title: str, trials: Mapping[str, Trial]) -> list[Record]:
    """Run trials, and return their records in order. A trial whose record is in `path` is not repeated.

    Args:
        path: the file of records, one JSON object per line.
        model: the model; records of other weights don't count.
        title: of the progress bar.
        trials: the trials by name.
    """
    weights = hashlib.sha256("".join(golden.sha256 for golden in model.card.golden).encode()).hexdigest()[:16]
    found = {r["trial"]: r for r in read_records(path) if r["weights"] == weights}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file, progress(title, len(trials)) as advance:
        for name, trial in trials.items():
            if name not in found:
                found[name] = {"trial": name, "weights": weights} | trial()
                file.write(json.dumps(found[name]) + "\n")
                file.flush()
            advance(1)
    return [found[name] for name in trials]


def read_records(path: Path) -> Iterator[Record]:
    """The records of a file of trials. A last line that was cut off is ended with a line break, and skipped."""
    if not path.exists():
        return
    text = path.read_text(encoding="utf-8")
    if text and not text.endswith("\n"):
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def evaluate_trials(registry: Registry, name: str, data: Path, folder: Path, seeds: int = SEEDS) -> list[Quality]:
    """Run all trials of a model: prove_seeds, and meet_wishes with two fifths as many levels for each wish.

    Args:
        registry: has the model.
        name: of the model.
        data: the folder of the corpora, or of the custom game.
        folder: for the files of records.
        seeds: levels at default settings.


    Raises:
        FileNotFoundError: a corpus is missing.
        ValueError: fewer than five seeds.
        RpcError: there is no such model, or it can't be loaded.
    """
    if seeds < LEAST_SEEDS:
        raise ValueError(f"seeds {seeds}: at least {LEAST_SEEDS}")
    corpus = corpus_of(registry.find(name), data)
    with LevelGenerator(registry, name) as generator:
        return prove_seeds(generator, folder, seeds) + meet_wishes(generator, corpus, folder, 2 * seeds // 5)


def prove_seeds(generator: LevelGenerator, folder: Path, seeds: int) -> list[Quality]:
    """Measure how many seeds give a proved level at default settings, raw and with repairs, and how fast.

    The game's player, which shares no code with the solver, replays every returned level.
    """
    generator.generate(seeds)  # load, prove and compile before a time is taken

    def trial(seed: int) -> Record:
        wall, cpu = time.perf_counter(), time.process_time()
        result = generator.generate(seed)
        record: Record = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
        record["written"], record["placed"] = generator.statuses(seed)
        if result is None:
            return record | {"returned": False}
        accepted = kit_of(generator.wishes(seed).game).player.replay(result["rows"], result["solution"])
        told = {key: result[key] for key in ("candidate", "repaired", "difficulty", "counts")}
        return record | {"returned": True, "accepted": accepted} | told

    trials = {f"seed {seed}": lambda seed=seed: trial(seed) for seed in range(seeds)}
    records = run_trials(folder / PROOFS, generator.model, "levels", trials)
    returned = [r for r in records if r["returned"]]
    first = [r for r in returned if r["candidate"] == 0]
    height, width = generator.wishes(0).shape
    against = f"{seeds} seeds, {width}x{height}"

    def share(part: Sequence[Record]) -> float:
        return len(part) / len(records)

    def times(key: str, percent: float) -> float:
        return float(np.percentile([r[key] for r in records], percent))

    untouched = [r for r in first if r["repaired"] == 0]
    written, placed = ([r for r in records if r[key] == "solved"] for key in ("written", "placed"))
    return [
        Quality("levels completed as written", share(written), against),
        Quality("levels completed, ends placed by rule", share(placed), against),
        Quality("levels that need no repair", share(untouched), against),
        Quality("levels completed, with repairs", share(first), against),
        Quality("requests fulfilled", share(returned), against),
        Quality(
            "returned levels that the player accepts", sum(r["accepted"] for r in returned) / len(returned), against
        )
        if returned
        else Quality("returned levels", 0, against),
        Quality("time of a request, median, s", times("wall_s", 50), against),
        Quality("time of a request, 95 %, s", times("wall_s", 95), against),
        Quality("processor time of a request, median, s", times("cpu_s", 50), against),
        Quality("processor time of a request, 95 %, s", times("cpu_s", 95), against),
    ]


def meet_wishes(generator: LevelGenerator, corpus: Corpus, folder: Path, wished: int) -> list[Quality]:
    """Measure Spearman's correlation between the requested difficulty or counts and the measured ones.

    For the network alone: the difficulty of the first candidate that is completed; the counts of the raw level. For the
    results of levels.generate: also the share of fulfilled requests.

    Args:
        generator: of the model.
        corpus: the game's corpus, which gives the range of the counts.
        folder: for the file of records.
        wished: levels for each wish.
    """
    asked: dict[str, list[Any]] = {"difficulty": [k / max(1, wished - 1) for k in range(wished)]}
    for name, most in askable(corpus).items():
        asked[name] = [1 + k * most // wished for k in range(wished)]
    trials = {
        f"{name} {value:.2f} {seed}": lambda n=name, v=value, s=seed: met(generator, n, v, s)
        for name, values in asked.items()
        for seed, value in enumerate(values)
    }
    records = run_trials(folder / WISHES, generator.model, "wishes", trials)
    rows = []
    for name in asked:
        of_name = [r for r in records if r["wish"] == name]
        against = f"{len(of_name)} levels, {min(asked[name]):g} to {max(asked[name]):g} asked for"
        rows += [
            Quality(f"{name}: network alone, correlation", correlation(of_name, "alone"), against),
            Quality(f"{name}: returned, correlation", correlation(of_name, "returned"), against),
            Quality(f"{name}: requests fulfilled", sum(r["returned"] is not None for r in of_name) / wished, against),
        ]
    return rows


def askable(corpus: Corpus) -> dict[str, int]:
    """The counts to request, without starts and goals, and the most of each.

    The most is the 90th percentile of the training levels, or twice their median if that is more.
    """
    tiles = corpus.game.rules.tiles
    found = {}
    for name, chars in corpus.alphabet.counts.items():
        if not any(tiles[char].start or tiles[char].goal for char in chars):
            numbers = [len(find(level.rows, chars)) for level in corpus.training]
            found[name] = int(max(2 * np.median(numbers), np.percentile(numbers, COUNTED_UP_TO)))
    return {name: most for name, most in found.items() if most > 1}


def met(generator: LevelGenerator, name: str, value: float, seed: int) -> Record:
    """Request a level with one wish.

    Args:
        generator: of the model.
        name: "difficulty", or a count.
        value: the requested value.
        seed: of the level.

    Returns:
        The wish, and the measured values: of the network alone, and of the returned level; None without a level.
    """
    wanted = {"difficulty": value} if name == "difficulty" else {"counts": {name: value}}
    wishes = generator.wishes(seed, **wanted)
    alone: float | None = None
    if name == "difficulty":
        told = round(100 * value)
        any_will_do = dataclasses.replace(wishes, difficulty=(0, 100, told))
        for number, rows in enumerate(generator.raw(any_will_do, range(ALONE))):
            try:
                alone = examine(any_will_do, rows, fixed_for(any_will_do, number), number).difficulty
                break
            except Missed:
                continue
    else:
        (rows,) = generator.raw(wishes)
        alone = len(find(rows, wishes.counted[name]))
    result = generator.generate(seed, **wanted)
    returned = None if result is None else result["difficulty"] if name == "difficulty" else result["counts"][name]
    return {"wish": name, "asked": value, "alone": alone, "returned": returned}


def correlation(records: Sequence[Record], key: str) -> float:
    """Spearman's correlation of requested and measured values; 0 if all measured values are equal."""
    from scipy.stats import spearmanr

    pairs = [(r["asked"], r[key]) for r in records if r[key] is not None]
    if len({measured for _, measured in pairs}) < 2:
        return 0.0
    return float(spearmanr(*zip(*pairs, strict=True)).statistic)
