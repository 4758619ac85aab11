"""The exact walks and monsters: equal in every precision and batch, and close to the float networks."""

import io
from typing import Any

import numpy as np
import pytest
import torch

from pcg.characters.blends import UNIT
from pcg.characters.front.networks import from_blocks
from pcg.characters.monster.module import MonsterModule
from pcg.characters.monster.networks import MonsterGenerator
from pcg.characters.walk.module import ExactWalk
from pcg.characters.walk.networks import COLOURS, SHEET_FRAMES, WalkGenerator
from pcg.exact import ACTIVATION_MAX
from runtime.engine import make_deterministic

PRECISIONS = (32, 16, 64)


def scripted(module: torch.nn.Module) -> Any:
    """The module after saving and loading."""
    make_deterministic()
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(module), file)
    file.seek(0)
    return torch.jit.load(file)


def fronts(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Blots of a few colours on nothing."""
    rng = np.random.default_rng(seed)
    indices = rng.integers(1, 9, (count, 8, 8)).repeat(8, 1).repeat(8, 2)
    indices[:, :8] = indices[:, :, :16] = 0
    palette = np.zeros((count, COLOURS, 3), np.int64)
    palette[:, 1:9] = rng.integers(0, 256, (count, 8, 3))
    return torch.from_numpy(indices), torch.from_numpy(palette)


@pytest.fixture(scope="module")
def walker() -> WalkGenerator:
    torch.manual_seed(0)
    return WalkGenerator()


@pytest.fixture(scope="module")
def walk(walker: WalkGenerator) -> Any:
    return scripted(ExactWalk(walker, *fronts(16, 0)))


@pytest.mark.slow
def test_walks_are_the_same_in_every_precision_and_batch(walk: Any) -> None:
    given = fronts(2, 1)
    with torch.inference_mode():
        sheets = walk(*given)
        for bits in PRECISIONS:
            walk.use_precision(bits)
            assert torch.equal(walk(*(g[1:] for g in given)), sheets[1:])
    assert sheets.shape == (2, SHEET_FRAMES, 64, 64)
    assert len(sheets.unique()) > 3


def test_walks_have_only_colours_of_the_front(walk: Any) -> None:
    front, palette = fronts(1, 2)
    front[front == 3] = 0
    palette[:, 40:] = 77  # colours that the front does not use
    with torch.inference_mode():
        assert set(walk(front, palette).unique().tolist()) <= set(front.unique().tolist())


@pytest.mark.slow
def test_exact_walks_are_close_to_the_float_network(walker: WalkGenerator) -> None:
    front, palette = fronts(2, 3)
    module = ExactWalk(walker, *fronts(16, 0))
    frames = torch.arange(SHEET_FRAMES).repeat(2, 1)
    with torch.no_grad():
        logits = walker(front, palette.float() / 255, frames)
        drawn = module(front, palette)
    wanted = from_blocks(logits.argmax(-1).flatten(0, 1)).view(2, SHEET_FRAMES, 64, 64)
    best = logits.topk(2, -1).values
    sure = from_blocks((best[..., 0] - best[..., 1] > 0.1).long().flatten(0, 1)).view(2, SHEET_FRAMES, 64, 64) > 0
    assert (drawn == wanted)[sure].float().mean() > 0.97


@pytest.fixture(scope="module")
def made_monsters() -> tuple[MonsterGenerator, torch.Tensor]:
    torch.manual_seed(0)
    generator = MonsterGenerator(30, 3)
    generator.colours.weight.data *= 5
    return generator, torch.arange(30) % 3


@pytest.fixture(scope="module")
def monsters(made_monsters: tuple[MonsterGenerator, torch.Tensor]) -> Any:
    return scripted(MonsterModule(*made_monsters))


def draw(module: Any, casts: torch.Tensor, truncation: int = UNIT) -> torch.Tensor:
    with torch.inference_mode():
        return module(casts, casts, torch.zeros(len(casts), dtype=torch.int64), truncation)


def test_monsters_are_the_same_in_every_precision_and_batch(monsters: Any) -> None:
    casts = monsters.cast(torch.arange(5) + 2**52, torch.full((5,), -1))
    pictures = []
    for bits in PRECISIONS:
        monsters.use_precision(bits)
        pictures += [draw(monsters, casts), torch.cat([draw(monsters, casts[k : k + 1]) for k in range(5)])]
    assert pictures[0].shape == (5, 32, 32, 4)
    assert all(torch.equal(pictures[0], picture) for picture in pictures)
    alpha = pictures[0][..., 3]
    assert ((alpha == 0) | (alpha == 255)).all()
    assert not pictures[0][alpha == 0].any()


def test_monsters_are_of_the_kind_asked_for(monsters: Any) -> None:
    for kind in range(3):
        casts = monsters.cast(torch.arange(40), torch.full((40,), kind))
        assert (casts[:, :2] % 3 == kind).all()
        assert (casts[:, 3] == kind).all()
        assert len(casts[:, 0].unique()) == 10
        assert (casts[:, 0] != casts[:, 1]).all()
        assert 32 <= casts[:, 2].min() < casts[:, 2].max() < 96


def test_common_kinds_are_drawn_by_the_root_of_their_number() -> None:
    kinds = torch.tensor([0] * 81 + [1] * 9 + [2])
    torch.manual_seed(0)
    module = MonsterModule(MonsterGenerator(len(kinds), 3), kinds)
    casts = module.cast(torch.arange(1300), torch.full((1300,), -1))
    counts = casts[:, 3].bincount(minlength=3)
    assert all(abs(int(count) - expected) < 60 for count, expected in zip(counts, (900, 300, 100), strict=True))
    assert (kinds[casts[:, 0]] == casts[:, 3]).all()
    assert (kinds[casts[:, 1]] == casts[:, 3]).all()
    assert (casts[casts[:, 3] == 2][:, :2] == 90).all()  # the only one of its kind


def test_exact_monsters_are_close_to_the_float_network(made_monsters: tuple[MonsterGenerator, torch.Tensor]) -> None:
    generator, _ = made_monsters
    module = MonsterModule(*made_monsters)
    casts = module.cast(torch.arange(8), torch.full((8,), -1))
    assert torch.equal(module.embed(casts, 0), module.points[casts[:, 0]])
    with torch.no_grad():
        logits, palette = generator(module.embed(casts, UNIT).float() / ACTIVATION_MAX)
    drawn = draw(module, casts)
    best = logits.topk(2, -1).values
    sure = from_blocks((best[..., 0] - best[..., 1] > 0.1).long()) > 0
    shades = from_blocks(logits.argmax(-1))
    assert ((drawn[..., 3] > 0) == (shades > 0))[sure].float().mean() > 0.97
    both = sure & (drawn[..., 3] > 0) & (shades > 0)
    wanted = palette[torch.arange(8)[:, None, None], (shades - 1).clamp_min(0)] * 255
    off = (drawn[..., :3] - wanted)[both].abs()
    assert off.median() < 4
