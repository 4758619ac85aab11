"""Rooms are joined during generation: none is closed off, and the network chooses the tiles that join them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from made_sampler import ALPHABET, generate, made_network, made_sampler

from pcg.levels.model.quantise import quantise
from pcg.levels.model.sampler import make_sampler

JOINED = ".oeGS"
ENTERED = torch.tensor([char in JOINED for char in ALPHABET.tiles])


@pytest.fixture(scope="module")
def sampler() -> Any:
    return made_sampler(joined=JOINED)


def parts(level: torch.Tensor) -> int:
    """The number of areas of adjacent tiles that can be entered."""
    left = {(y, x) for y, x in ENTERED[level.long()].nonzero().tolist()}
    found = 0
    while left:
        found += 1
        waiting = [left.pop()]
        while waiting:
            y, x = waiting.pop()
            near = {(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)} & left
            left -= near
            waiting += near
    return found


def sparse() -> Any:
    """A network that prefers walls everywhere: without joining, its levels have many closed rooms."""
    network = made_network()
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.copy_(torch.tensor([0.5, 0.15, 0.05, 0.05, 0.15, 0.05, 0.05]).log())
    return quantise(network)


@pytest.mark.parametrize(("width", "height"), [(9, 6), (6, 9), (1, 7), (7, 1), (2, 2), (40, 20)])
def test_all_rooms_are_joined(width: int, height: int) -> None:
    seeds = list(range(60))
    free, joined = (
        generate(torch.jit.script(make_sampler(sparse(), ALPHABET, by_columns=False, joined=j)), seeds, seeds, **size)
        for j, size in (("", {"width": width, "height": height}), (JOINED, {"width": width, "height": height}))
    )
    assert max(parts(level) for level in joined) <= 1
    if min(width, height) > 1:
        assert max(parts(level) for level in free) > 1
    if min(width, height) > 5:
        assert min(ENTERED[level.long()].float().mean() for level in joined) > 0.1  # not by writing walls alone
        assert len({level.numpy().tobytes() for level in joined}) == len(seeds)


@pytest.mark.parametrize("options", [{"temperature": 0}, {"top_k": 1}, {"counts": [0, 0, 1]}, {"temperature": 300}])
def test_all_rooms_are_joined_however_it_is_asked(sampler: Any, options: dict[str, Any]) -> None:
    levels = generate(sampler, list(range(20)), [0] * 20, width=16, height=12, **options)
    assert max(parts(level) for level in levels) == 1
    if "counts" in options:
        assert all((level == ALPHABET.tiles.index("o")).sum() == 0 for level in levels)


def test_nothing_changes_before_a_room_would_be_closed(sampler: Any) -> None:
    free = generate(made_sampler(), list(range(40)), [0] * 40)
    joined = generate(sampler, list(range(40)), [0] * 40)
    assert torch.equal(free[:, 0], joined[:, 0])
    whole = [level for level in range(40) if parts(free[level]) == 1 and ENTERED[free[level, -3:].long()].any(1).all()]
    assert whole
    assert all(torch.equal(free[level, :2], joined[level, :2]) for level in whole)


def test_given_tiles_stay_though_they_close_a_room(sampler: Any) -> None:
    fixed = torch.full((8, 9), -1)
    fixed[3] = 0
    fixed[1, 4], fixed[6, 4] = 1, 1
    levels = generate(sampler, list(range(20)), [0] * 20, height=8, fixed=fixed)
    assert (levels[:, fixed >= 0].long() == fixed[fixed >= 0]).all()
    assert min(parts(level) for level in levels) >= 2


def test_levels_are_the_same_in_any_batch_and_precision(sampler: Any) -> None:
    seeds = [3, 4, 5, 2**53 - 1]
    together = generate(sampler, seeds, [0] * 4, width=14, height=10)
    for bits in (16, 64, 32):
        sampler.use_precision(bits)
        assert torch.equal(generate(sampler, seeds, [0] * 4, width=14, height=10), together)
    for k, seed in enumerate(seeds):
        assert torch.equal(generate(sampler, [seed], [0], width=14, height=10)[0], together[k])
