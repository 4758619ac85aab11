"""Monsters: tiles as shades and palettes, augmentation by whole pixels, a few steps of training."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_tiles import made_tile
from PIL import Image

from pcg.characters.data.monsters import COLOURS, KINDS, LUMINANCE, paint_shades, read_monsters, to_shades
from pcg.characters.front.networks import to_blocks
from pcg.characters.monster.networks import MonsterGenerator, augment
from pcg.characters.monster.objective import MonsterObjective, as_view, to_pixels, with_nothing
from pcg.characters.train import PRESETS, train
from pcg.characters.walk.networks import pixels_of
from pcg.learning import checkpoint

TINY = dataclasses.replace(
    PRESETS["monster"]["smoke"], steps=2, batch=4, sample_every=2, penalty_every=2, adversarial_from=1
)


@pytest.fixture
def folder(monsters_folder: Path) -> Path:
    return monsters_folder


@given(st.integers(0, 10**6), st.integers(1, COLOURS))
@settings(max_examples=20, deadline=None)
def test_a_tile_of_few_colours_is_reproduced(seed: int, colours: int) -> None:
    picture = made_tile(seed, colours)
    shades, palette = to_shades(picture)
    assert np.array_equal(paint_shades(shades[None], palette[None])[0], picture)
    light = palette.astype(int) @ LUMINANCE
    assert (np.diff(light) >= -1000).all()  # up to rounding of the colours in between
    assert shades.max() == COLOURS or colours == 1


def test_a_tile_of_many_colours_keeps_its_shape() -> None:
    picture = made_tile(0, 200)
    shades, palette = to_shades(picture)
    painted = paint_shades(shades[None], palette[None])[0]
    assert np.array_equal(painted[..., 3], picture[..., 3])
    assert len(np.unique(shades)) == COLOURS + 1
    assert not paint_shades(*(a[None] for a in to_shades(np.zeros((32, 32, 4), np.uint8)))).any()


def test_whole_groups_are_held_out(folder: Path) -> None:
    monsters, held_out = read_monsters(folder)
    assert len(monsters.names) + len(held_out.names) == 12 * len(KINDS)
    assert "dragon_egg2" not in monsters.names + held_out.names
    assert len(held_out.names) % 4 == 0
    assert 0 < len(held_out.names) < 0.3 * len(monsters.names)
    assert monsters.shades.shape == (len(monsters.names), 32, 32)
    with pytest.raises(FileNotFoundError, match=r"monsters32\.npz"):
        read_monsters(folder / "dcss")


def test_a_kind_without_monsters_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "dcss").mkdir()
    named = {"name": np.array(["ant"]), "category": np.array(["animal"]), "group": np.array(["a"])}
    np.savez(tmp_path / "dcss" / "monsters32.npz", rgba=made_tile(0, 4)[None], **named)
    with pytest.raises(ValueError, match="no monster of the kind"):
        MonsterObjective(tmp_path)


def test_augmented_pictures_are_of_whole_pixels() -> None:
    """Every picture is one of the fifty shifts and mirror images, with one of the six orders of channels."""
    pixels = torch.rand(64, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    pixels[:, 3] = (pixels[:, 3] > 0.3).float()
    pixels[:, :3] *= pixels[:, 3:]
    moved = augment(pixels, torch.Generator().manual_seed(1))
    alphas = torch.nn.functional.pad(pixels[:, 3], (2, 2, 2, 2))
    mirrored = torch.nn.functional.pad(pixels[:, 3].flip(2), (2, 2, 2, 2))
    seen = set()
    for k in range(64):
        places = [
            (side, dy, dx)
            for side, padded in enumerate((alphas, mirrored))
            for dy in range(5)
            for dx in range(5)
            if torch.equal(moved[k, 3], padded[k, dy : dy + 8, dx : dx + 8])
        ]
        assert places
        seen |= set(places)
        assert not moved[k, :3][:, moved[k, 3] == 0].any()
    assert {s for s, _, _ in seen} == {0, 1}
    assert {d for _, d, _ in seen} == {d for _, _, d in seen} == set(range(5))
    (gradient,) = torch.autograd.grad(augment(pixels.requires_grad_(), torch.Generator()).sum(), pixels)
    assert (gradient >= 0).all()
    assert gradient.sum() > 0


def test_blends_are_of_one_kind(folder: Path) -> None:
    objective = MonsterObjective(folder)
    batch = objective.draw(40, np.random.default_rng(0))
    kinds = torch.from_numpy(objective.monsters.kinds)
    assert (kinds[batch["partners"]] == batch["kinds"].unsqueeze(1)).all()
    assert (kinds[batch["numbers"]] == batch["kinds"]).all()
    generator, _ = objective.networks()
    assert objective.blend(generator, batch, torch.Generator()).abs().max() <= 1


def test_the_supervised_loss_of_a_perfect_generator_is_small(folder: Path) -> None:
    objective = MonsterObjective(folder)
    batch = objective.draw(3, np.random.default_rng(0))

    class Right:
        def embed(self, monsters: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(monsters), 24)

        def __call__(self, latent: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            shades = torch.cat([batch["shades"]] * (len(latent) // 3))
            logits = 20.0 * torch.nn.functional.one_hot(to_blocks(shades), COLOURS + 1)
            return logits, torch.cat([batch["palettes"]] * (len(latent) // 3))

    outputs = objective.forward_pass(Right(), batch, torch.Generator().manual_seed(0))
    assert outputs.supervised < 1e-4
    assert outputs.stats["shades"] == 1
    assert outputs.stats["opaque"] == pytest.approx(1)


def test_a_colour_out_of_range_has_a_gradient(folder: Path) -> None:
    objective = MonsterObjective(folder)
    generator, _ = objective.networks()
    with torch.no_grad():
        generator.colours.bias[:3] = torch.tensor([-9.0, 9.0, 9.0])  # of the darkest colour, which is no such
    batch = objective.draw(8, np.random.default_rng(0))
    objective.forward_pass(generator, batch, torch.Generator()).supervised.backward()
    assert generator.colours.bias.grad is not None
    assert [float(g) for g in generator.colours.bias.grad[:3].sign()] == [-1, 1, 1]


def test_the_discriminator_sees_pixels_in_their_places(folder: Path) -> None:
    batch = MonsterObjective(folder).draw(2, np.random.default_rng(0))
    painted = pixels_of(to_blocks(batch["shades"]), with_nothing(batch["palettes"]))
    pixels = to_pixels(painted)
    expected = paint_shades(batch["shades"].byte().numpy(), (batch["palettes"] * 255).round().byte().numpy())
    assert np.array_equal((pixels * 255).round().byte().permute(0, 2, 3, 1).numpy(), expected)
    assert as_view(pixels).shape == (2, 16, 16, 16)


def test_training_moves_all_weights(folder: Path, tmp_path: Path) -> None:
    assert train(TINY, folder, tmp_path, "cpu")
    stats = [json.loads(line) for line in (tmp_path / "stats.jsonl").read_text().splitlines()]
    assert {"shades", "colours", "opaque", "d_loss"} <= set(stats[-1])
    with Image.open(tmp_path / "samples" / "000002.png") as picture:
        assert picture.size == (16 * 32 * 2, 8 * 32 * 2)
    about = json.loads((tmp_path / "data.json").read_text())
    torch.manual_seed(TINY.seed)
    state = checkpoint.load(tmp_path)
    for key, value in MonsterGenerator(len(about["names"]), len(KINDS)).state_dict().items():
        assert not torch.equal(value, state["generator"][key]), key
