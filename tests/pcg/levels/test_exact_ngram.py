"""The n-gram in a model file: true to the counts, exact, and served if levels are too few for a network."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from custom_folder import write_folder
from made_sampler import ALPHABET, generate, hashes

from pcg.cli import main
from pcg.levels.corpus.custom import load_custom
from pcg.levels.evaluation.ngram import BACK_OFF, NEIGHBOURS, Ngram
from pcg.levels.model.context import AROUND, Context
from pcg.levels.model.exact_lstm import LOGIT_STEPS
from pcg.levels.model.exact_ngram import exact_ngram
from pcg.levels.model.sampler import make_sampler
from pcg.levels.model.served import distance, ngram_of, too_few
from runtime.content.levels.games import custom_game, kit_of
from runtime.local import Local

TILES, COUNTS = len(ALPHABET.tiles), len(ALPHABET.counts)


def some_levels() -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
    rng = np.random.default_rng(4)
    levels = []
    for _ in range(6):
        tiles = np.where(rng.random((6, 9)) < 0.2, rng.integers(0, TILES, (6, 9)), 1).astype(np.uint8)
        tiles[-1] = 0
        levels.append(tiles)
    return levels


LEVELS = some_levels()


def sampler_of(*, by_columns: bool = False) -> Any:
    module = make_sampler(exact_ngram(LEVELS, TILES, COUNTS, by_columns=by_columns), ALPHABET, by_columns=by_columns)
    return torch.jit.script(module)


def test_levels_are_the_same_in_any_batch_and_precision() -> None:
    for by_columns in (False, True):
        found = hashes(sampler_of(by_columns=by_columns))
        kinds: dict[str, set[str]] = {}
        for name, digest in found.items():
            kinds.setdefault(name.split()[0], set()).add(digest)
        assert all(len(digests) == 1 for digests in kinds.values()), found


def test_its_logits_are_the_counts_of_what_followed() -> None:
    plain, exact = Ngram(LEVELS, TILES, by_columns=False), exact_ngram(LEVELS, TILES, COUNTS, by_columns=False)
    context = Context(TILES, COUNTS)
    checked = Counter[int]()
    rng = np.random.default_rng(1)
    strange = [bytes(rng.integers(0, TILES + 2, len(NEIGHBOURS)).astype(np.uint8)) for _ in range(200)]
    for seen in [context for context in plain.followers if len(context) == len(NEIGHBOURS)] + strange:
        if seen[0] < TILES or seen[1] < TILES:
            continue  # given ahead, which it does not look at
        around = np.full(context.width, TILES + 1)
        for place, tile in zip(NEIGHBOURS, seen, strict=True):
            around[AROUND.index(place)] = tile
        rows = torch.from_numpy(around)[None].clone()
        rows[:, : len(context.around_base)] += torch.from_numpy(context.around_base)
        (logits,) = exact.look(rows, torch.tensor([0])).tolist()
        known = next(n for n in BACK_OFF if seen[:n] in plain.followers)
        followers = Counter(plain.followers[seen[:known]])
        total = sum(followers.values())
        checked[known] += 1
        for tile, count in followers.items():
            assert logits[tile] == round(LOGIT_STEPS * float(np.log(count / total)))
        assert all(logits[tile] < min(logits[t] for t in followers) for tile in range(TILES) if tile not in followers)
    assert len(checked) > 1  # contexts of several lengths


def test_what_is_given_stays_and_no_more_is_written_than_told() -> None:
    sampler = sampler_of()
    fixed = torch.full((6, 9), -1)
    fixed[2, 3], fixed[0, 0] = ALPHABET.tiles.index("G"), ALPHABET.tiles.index("o")
    levels = generate(sampler, list(range(20)), [0] * 20, counts=[1, 0, 1], fixed=fixed)
    coin, enemy = ALPHABET.tiles.index("o"), ALPHABET.tiles.index("e")
    for level in levels:
        assert (level[2, 3], level[0, 0]) == (fixed[2, 3], fixed[0, 0])
        assert (level == coin).sum() == 1
        assert (level == enemy).sum() == 0
    assert len({level.numpy().tobytes() for level in levels}) > 15


def test_too_many_tiles_are_told() -> None:
    with pytest.raises(ValueError, match="an n-gram of 240 tiles"):
        exact_ngram([], 240, 0, by_columns=False)


def run(command: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(command))
    assert ended.value.code == 0


def test_few_levels_are_served_as_their_ngram(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, models = write_folder(tmp_path / "caves"), tmp_path / "models"
    models.mkdir()
    run(f"train level-custom --data {data} --out {tmp_path / 'run'} --device cpu")
    assert "are too few for a network: the model is their n-gram" in capsys.readouterr().err
    run(f"export {tmp_path / 'run'} {models / 'level-caves.ts'}")
    with Local(models, "cpu", 1) as runtime:
        card = runtime.call("models.describe", name="level-caves")["card"]
        assert "by an n-gram" in card["description"]
        assert any("eight tiles around" in limit for limit in card["limits"])
        made = runtime.call("levels.generate", seed=3, game="caves")
        game = custom_game(card["outputs"]["rows"]["legend"])
        assert kit_of(game).player.replay(made["rows"], made["solution"])
        assert runtime.call("levels.generate", seed=3, game="caves") == made


def test_with_enough_levels_the_nearer_is_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_folder(tmp_path / "caves", count=80)
    corpus = load_custom(data)
    assert not too_few(corpus)
    ngram = ngram_of(corpus)
    noise = exact_ngram(
        [np.random.default_rng(0).integers(0, len(corpus.alphabet.tiles), (8, 20)).astype(np.uint8)],
        len(corpus.alphabet.tiles),
        len(corpus.alphabet.counts),
        by_columns=True,
    )
    assert distance(ngram, corpus) < distance(noise, corpus)
    from dataclasses import replace

    from pcg.learning import checkpoint
    from pcg.levels.model.train import PRESETS, train

    config = replace(PRESETS["level-custom"]["smoke"], steps=2, sample_every=1, served="nearer")
    assert train(config, data, tmp_path / "run", "cpu")
    assert "the model is the n-gram" in capsys.readouterr().err  # against a network of two steps
    held = checkpoint.load(tmp_path / "run")["ngram"]
    assert torch.equal(held["keys"], ngram.keys)
