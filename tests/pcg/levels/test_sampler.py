"""The sampling loop: exact on every machine, and true to the request and to the trained network."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_sampler import ALPHABET, HEIGHT, WIDTH, fixed_tiles, generate, hashes, made_network, made_sampler

from pcg.levels.corpus.examples import lines_of, members
from pcg.levels.model.context import UNTOLD, Context, indices
from pcg.levels.model.exact_lstm import sigmoid_table
from pcg.levels.model.quantise import exact_logits, exact_weight, quantise
from pcg.levels.model.sampler import gumbel_table, make_sampler

MEMBERS = members(ALPHABET.tiles, list(ALPHABET.counts.values()))


@pytest.fixture(scope="module")
def sampler() -> Any:
    return made_sampler()


def counted(level: torch.Tensor) -> list[int]:
    return MEMBERS[level.long().numpy().ravel()].sum(0).tolist()


def one_hash_a_kind(found: dict[str, str]) -> dict[str, str]:
    kinds: dict[str, set[str]] = {}
    for name, digest in found.items():
        kinds.setdefault(name.split()[0], set()).add(digest)
    assert all(len(digests) == 1 for digests in kinds.values()), found
    return {kind: digests.pop() for kind, digests in kinds.items()}


@pytest.mark.slow
def test_levels_are_the_same_in_any_batch_precision_thread_count_and_instruction_set(sampler: Any) -> None:
    here = one_hash_a_kind(hashes(sampler))
    assert len(set(here.values())) == 3
    processes = []
    for isa, threads in (("SSE41", 2), ("AVX2", 1), ("AVX512_CORE", 2)):
        environment = os.environ | {"ONEDNN_MAX_CPU_ISA": isa, "PYTHONWARNINGS": "ignore"}
        command = [sys.executable, str(Path(__file__).parents[2] / "support" / "made_sampler.py"), str(threads)]
        processes.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
    for process in processes:
        out, _ = process.communicate(timeout=200)
        assert process.returncode == 0
        assert one_hash_a_kind(json.loads(out)) == here


def test_seed_and_candidate_make_the_level(sampler: Any) -> None:
    levels = generate(sampler, [1, 1, 2, 2**53 - 1, 2**53 - 2], [0, 1, 0, 0, 0])
    assert levels.shape == (5, HEIGHT, WIDTH)
    assert levels.dtype == torch.uint8
    assert levels.max() < len(ALPHABET.tiles)
    assert len({level.numpy().tobytes() for level in levels}) == 5


def test_given_tiles_stay(sampler: Any) -> None:
    fixed = fixed_tiles()
    levels = generate(sampler, list(range(20)), [0] * 20, fixed=fixed)
    assert (levels[:, fixed >= 0].long() == fixed[fixed >= 0]).all()
    assert len({level.numpy().tobytes() for level in levels}) == 20


def test_a_level_given_whole_comes_back(sampler: Any) -> None:
    level = generate(sampler, [3], [0])[0].long()
    assert torch.equal(generate(sampler, [9], [4], fixed=level, counts=[0, 0, 0])[0].long(), level)


def test_what_is_given_ahead_changes_what_is_written_before_it(sampler: Any) -> None:
    free = generate(sampler, list(range(30)), [0] * 30)
    fixed = torch.full((HEIGHT, WIDTH), -1)
    fixed[3, 3:6] = 4
    led = generate(sampler, list(range(30)), [0] * 30, fixed=fixed)
    assert not torch.equal(free[:, 1], led[:, 1])
    assert torch.equal(free[:, 0], led[:, 0])  # it looks two lines ahead


@pytest.mark.parametrize("asked", [[0, 0, 0], [2, 1, 1], [50, 3, 0]])
def test_no_more_is_written_than_asked_for(sampler: Any, asked: list[int]) -> None:
    for level in generate(sampler, list(range(12)), [0] * 12, counts=asked):
        assert all(found <= wanted for found, wanted in zip(counted(level), asked, strict=True))


def test_given_tiles_count_towards_what_is_asked_for(sampler: Any) -> None:
    fixed = torch.full((HEIGHT, WIDTH), -1)
    fixed[-1, -1] = ALPHABET.tiles.index("S")
    for level in generate(sampler, list(range(12)), [0] * 12, counts=[9, 9, 1], fixed=fixed):
        assert counted(level)[2] == 1


@pytest.mark.parametrize("by_columns", [False, True])
def test_what_is_due_is_written_before_the_level_ends_if_it_is_told(by_columns: bool) -> None:
    plain, seeds = made_sampler(by_columns=by_columns), list(range(40))
    due = made_sampler(by_columns=by_columns, due=["starts"])
    size = {"width": 6, "height": 6}
    assert any(counted(level)[2] == 0 for level in generate(plain, seeds, seeds, counts=[-1, -1, 1], **size))
    assert all(counted(level)[2] == 1 for level in generate(due, seeds, seeds, counts=[-1, -1, 1], **size))
    for told in (-1, 0):  # free, or none: nothing is due
        same = [generate(module, seeds, seeds, counts=[3, 3, told], **size) for module in (plain, due)]
        assert torch.equal(*same)


@pytest.mark.parametrize("by_columns", [False, True])
@pytest.mark.parametrize("given", [False, True])
def test_each_tile_is_the_likeliest_of_the_network_that_was_trained(by_columns: bool, given: bool) -> None:
    """At temperature 0 each tile is the likeliest one of the network that sees the whole level as in training."""
    sampler = made_sampler(by_columns=by_columns)
    fixed = fixed_tiles() if given else torch.full((HEIGHT, WIDTH), -1)
    asked = [6, 5, 40]
    level = generate(sampler, [5], [0], difficulty=[70], counts=asked, fixed=fixed, temperature=0)[0].long().numpy()
    grid = lines_of(level, by_columns)
    known = lines_of(fixed.numpy(), by_columns) >= 0
    one_hot = MEMBERS[grid.ravel()] * ~known.reshape(-1, 1)
    remaining = np.array(asked) - MEMBERS[grid[known]].sum(0) - np.cumsum(one_hot, 0) + one_hot
    context = Context(len(ALPHABET.tiles), len(ALPHABET.counts))
    rows = torch.from_numpy(indices(context, grid, known, remaining, 0.7)).unsqueeze(1)
    logits = exact_logits(quantise(made_network()), rows)[:, 0]
    logits -= 1e6 * torch.from_numpy((remaining <= 0) @ MEMBERS.T > 0).float()
    best = logits.argmax(1).numpy()
    assert (best == grid.ravel())[~known.ravel()].all()
    assert len(np.unique(grid)) > 2
    # And it is what it likes because of where the tiles are, not in any order.
    other = torch.from_numpy(indices(context, grid[::-1].copy(), known, remaining, 0.7)).unsqueeze(1)
    assert (exact_logits(quantise(made_network()), other)[:, 0].argmax(1).numpy() != grid.ravel()).any()


def test_integers_follow_the_network_as_it_was_trained() -> None:
    network = made_network()
    rng = np.random.default_rng(0)
    grid = rng.integers(0, len(ALPHABET.tiles), (HEIGHT, WIDTH))
    context = Context(len(ALPHABET.tiles), len(ALPHABET.counts))
    rows = torch.from_numpy(
        indices(context, grid, np.zeros(grid.shape, np.bool_), np.full((grid.size, 3), UNTOLD), None)
    ).unsqueeze(1)
    with torch.no_grad():
        wanted = network(rows)
    error = (exact_logits(quantise(network), rows) - wanted).abs()
    assert error.mean() < 0.03 * wanted.std()
    assert error.max() < 0.3 * wanted.std()


def test_tiles_are_drawn_as_often_as_the_logits_say() -> None:
    network = made_network()
    shares = torch.tensor([0.4, 0.25, 0.15, 0.1, 0.06, 0.03, 0.01])
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.copy_(shares.log())
    constant = torch.jit.script(make_sampler(quantise(network), ALPHABET, by_columns=False))

    def frequencies(**options: Any) -> np.ndarray[Any, Any]:
        drawn = generate(constant, list(range(64)), [0] * 64, width=16, height=8, **options)
        return np.bincount(drawn.numpy().ravel(), minlength=len(shares)) / drawn.numel()

    n = 64 * 16 * 8
    assert np.abs(frequencies() - shares.numpy()).max() < 4 * math.sqrt(0.25 / n)
    flat = shares.numpy() ** 0.5 / (shares.numpy() ** 0.5).sum()
    assert np.abs(frequencies(temperature=200) - flat).max() < 4 * math.sqrt(0.25 / n)
    top = np.where(np.arange(7) < 2, shares.numpy(), 0) / shares.numpy()[:2].sum()
    assert np.abs(frequencies(top_k=2) - top).max() < 4 * math.sqrt(0.25 / n)
    assert frequencies(temperature=0)[0] == 1


def test_level_logits_take_the_lowest_tile() -> None:
    network = made_network()
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.zero_()
    level = torch.jit.script(make_sampler(quantise(network), ALPHABET, by_columns=False))
    assert (generate(level, [1, 2], [0, 0], temperature=0) == 0).all()


def test_tables() -> None:
    sigmoids, gumbel = sigmoid_table(), gumbel_table()
    assert sigmoids[512] == 128
    assert sigmoids[0] == 0
    assert sigmoids[-1] == 256
    assert (
        torch.equal(sigmoids + sigmoids.flip(0).roll(1, 0), torch.full((1024,), 256.0))
        or ((sigmoids[1:] + sigmoids[1:].flip(0)) == 256).all()
    )
    assert abs(gumbel.mean() / 256 - 0.5772) < 0.01  # Euler's constant
    assert abs(gumbel.std() / 256 - math.pi / math.sqrt(6)) < 0.01


def test_sums_that_float32_would_not_hold_are_refused() -> None:
    largest = torch.full((4, 1100), 127 / 128)  # an integer of 127
    exact_weight(largest[:, :1000], torch.ones(1000), 1.0)
    with pytest.raises(ValueError, match="exact only below"):
        exact_weight(largest, torch.ones(1100), 1.0)
