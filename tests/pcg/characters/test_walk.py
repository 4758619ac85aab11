"""Walks from fronts: training data, pointers to the front's colours, and a few steps of training."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pcg.characters.data.outfits import CharacterData
from pcg.characters.data.slots import paint
from pcg.characters.data.walks import draw_steps, draw_walk, to_walk
from pcg.characters.front.networks import from_blocks, to_blocks
from pcg.characters.train import PRESETS, train
from pcg.characters.walk.networks import COLOURS, VOTERS, WalkGenerator, paint_softly, pixels_of, voters
from pcg.characters.walk.objective import WalkObjective, view_steps
from pcg.learning import checkpoint

TINY = dataclasses.replace(
    PRESETS["character-walk"]["smoke"], steps=2, batch=2, sample_every=2, penalty_every=2, adversarial_from=1
)


@pytest.fixture(scope="module")
def data(characters_folder: Path) -> CharacterData:
    return CharacterData(characters_folder)


@given(st.integers(0, 2**32 - 1))
def test_pairs_are_successive_steps(seed: int) -> None:
    one, after = draw_steps(3, np.random.default_rng(seed)).reshape(3, 2).T
    assert (one // 9 == after // 9).all()
    assert {(a % 9, b % 9) for a, b in zip(one, after, strict=True)} <= {(k, k % 8 + 1) for k in range(9)}


def test_a_walk_has_the_front_in_its_own_colours(data: CharacterData) -> None:
    """Without augmentation, front and frames are the sheet, except colours that the front does not show."""
    outfit = data.training.draw(np.random.default_rng(0))
    sheet = data.compose(outfit)
    painted = paint(sheet.slots, sheet.shades, sheet.ramps)
    codes = np.stack([data.compose_frame(outfit, *place) for place in ((2, 0), (0, 3))])
    walk = to_walk(codes, sheet.ramps.reshape(-1, 3), np.array([3]), COLOURS - 1)
    assert np.array_equal(walk.front > 0, sheet.slots[2, 0] > 0)
    assert np.array_equal(walk.palette[walk.front], painted[2, 0, ..., :3])
    figure = walk.targets[0] > 0
    assert np.array_equal(figure, sheet.slots[0, 3] > 0)
    shown = {tuple(c) for c in walk.palette[np.unique(walk.front[walk.front > 0])].tolist()}
    assert {tuple(c) for c in walk.palette[walk.targets[0]][figure].tolist()} <= shown


def test_palettes_are_reduced_to_the_limit(data: CharacterData) -> None:
    outfit = data.training.draw(np.random.default_rng(1))
    codes = np.stack([data.compose_frame(outfit, 2, 0)] * 2)
    walk = to_walk(codes, data.ramps(outfit).reshape(-1, 3), np.array([18]), 5)
    assert walk.front.max() == 5
    assert not walk.palette[6:].any()
    assert np.array_equal(walk.front, walk.targets[0])


def test_walks_vary_in_colour_and_place(data: CharacterData) -> None:
    rng = np.random.default_rng(2)
    outfit = data.training.draw(rng)
    walks = [draw_walk(data, outfit, draw_steps(1, rng), rng) for _ in range(20)]
    assert len({walk.palette.tobytes() for walk in walks}) > 5
    assert len({(walk.front > 0).tobytes() for walk in walks}) > 3


def made_front() -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    front = torch.from_numpy(rng.integers(0, 7, (2, 64, 64)))
    palette = torch.zeros(2, COLOURS, 3)
    palette[:, 1:7] = torch.from_numpy(rng.random((2, 6, 3))).float()
    return front, palette


def test_only_the_front_s_colours_are_pointed_at() -> None:
    torch.manual_seed(0)
    front, palette = made_front()
    front[0][front[0] == 3] = 0
    with torch.no_grad():
        logits = WalkGenerator()(front, palette, torch.tensor([[0, 35], [7, 7]]))
    assert logits.shape == (2, 2, 32, 32, 4, COLOURS)
    chosen = from_blocks(logits.argmax(-1).flatten(0, 1)).view(2, -1)
    assert set(chosen[0].tolist()) <= {0, 1, 2, 4, 5, 6}
    assert torch.equal(logits[1, 0], logits[1, 1])


def test_the_order_of_the_palette_does_not_matter() -> None:
    torch.manual_seed(0)
    front, palette = made_front()
    order = torch.cat([torch.zeros(1, dtype=torch.int64), torch.randperm(COLOURS - 1) + 1])
    generator, frames = WalkGenerator(), torch.tensor([[4], [30]])
    with torch.no_grad():
        logits = generator(front, palette, frames)
        mixed = generator(torch.argsort(order)[front], palette[:, order], frames)
    assert torch.allclose(mixed, logits[..., order], atol=1e-4)


def test_painting_is_hard_and_its_gradient_soft() -> None:
    front, palette = made_front()
    logits = torch.randn(2, 2, 32, 32, 4, COLOURS, generator=torch.Generator().manual_seed(1), requires_grad=True)
    painted = paint_softly(logits, palette)
    assert torch.equal(painted, pixels_of(logits.argmax(-1), palette))
    background = logits.argmax(-1) == 0
    assert not painted[background].any()
    assert torch.equal(painted[~background][:, 3], torch.ones(int((~background).sum())))
    (gradient,) = torch.autograd.grad(painted[..., 3].sum(), logits)
    assert (gradient[..., 0] < 0).all()
    view = view_steps(painted.detach(), front, palette)
    assert view.shape == (2, 48, 32, 32)
    assert torch.equal(view[0, 32:36, 5, 6], pixels_of(front, palette)[0, 10, 12])
    assert torch.equal(view[1, 16:20, 5, 6], painted[1, 1, 5, 6, 0])


def test_the_supervised_loss_of_a_perfect_generator_is_small(characters_folder: Path) -> None:
    objective = WalkObjective(characters_folder)
    batch = objective.draw(2, np.random.default_rng(0))

    def right(_: torch.Tensor, palette: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
        blocks = to_blocks(batch["targets"].flatten(0, 1)).unflatten(0, frames.shape)
        return 30.0 * torch.nn.functional.one_hot(blocks, palette.shape[1])

    outputs = objective.forward_pass(right, batch, torch.Generator())
    assert outputs.supervised < 1e-4
    assert outputs.stats == {"colours": 1.0, "off": 0.0}
    assert torch.equal(outputs.real, outputs.fake)


@pytest.mark.slow
def test_training_moves_all_weights(characters_folder: Path, tmp_path: Path) -> None:
    assert train(TINY, characters_folder, tmp_path, "cpu")
    stats = [json.loads(line) for line in (tmp_path / "stats.jsonl").read_text().splitlines()]
    assert {"colours", "off", "d_loss"} <= set(stats[-1])
    with Image.open(tmp_path / "samples" / "000002.png") as picture:
        assert picture.size == (10 * 64 * 2, 3 * 4 * 64 * 2)
    torch.manual_seed(TINY.seed)
    state = checkpoint.load(tmp_path)
    for key, value in WalkGenerator().state_dict().items():
        assert not torch.equal(value, state["generator"][key]), key


def test_votes_of_the_same_pixel_copy_the_front() -> None:
    torch.manual_seed(0)
    front, palette = made_front()
    generator = WalkGenerator()
    with torch.no_grad():
        generator.votes.weight.zero_()
        generator.votes.bias.zero_().view(4, VOTERS)[:, 4] = 1000.0
        logits = generator(front, palette, torch.tensor([[3], [20]]))
    assert torch.equal(from_blocks(logits[:, 0].argmax(-1)), front)


def test_voters_are_the_pixels_around_and_some_of_the_row() -> None:
    front = torch.arange(64 * 64).view(1, 64, 64)
    at = from_blocks_of(voters(front))[0, 20, 30] - front[0, 20, 30]
    around = [64 * y + x for y in (-1, 0, 1) for x in (-1, 0, 1)]
    assert at.tolist() == [*around, -6, -3, 3, 6]
    assert from_blocks_of(voters(front))[0, 0, 0].tolist()[:4] == [0, 0, 0, 0]  # beyond the edge is background


def from_blocks_of(blocks: torch.Tensor) -> torch.Tensor:
    return torch.stack([from_blocks(part) for part in blocks.unbind(-1)], -1)
