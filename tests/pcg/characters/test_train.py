"""Training of the character models for a few steps on small data, and the parts of their objectives."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pcg import cli
from pcg.characters.data.attributes import BODIES, NONE
from pcg.characters.data.slots import SHADES, SLOTS
from pcg.characters.front import networks
from pcg.characters.front.networks import CHANNELS, SHADE_COUNT, SLOT_COUNT, from_blocks, harden, to_blocks
from pcg.characters.front.objective import FrontObjective
from pcg.characters.losses import isolated_share, on_ground
from pcg.characters.train import PRESETS, CharacterConfig, train
from pcg.learning import checkpoint
from pcg.learning.loop import Run, read_config

TINY = dataclasses.replace(
    PRESETS["character-front"]["smoke"], steps=3, batch=2, sample_every=3, penalty_every=2, adversarial_from=1
)


@pytest.fixture(scope="module")
def objective(characters_folder: Path) -> FrontObjective:
    return FrontObjective(characters_folder)


@pytest.fixture(scope="module")
def run(characters_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "00000-character-front"
    assert train(TINY, characters_folder, folder, "cpu")
    return folder


def test_a_run_describes_itself(run: Path) -> None:
    assert read_config(CharacterConfig, run) == TINY
    stats = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    assert stats[-1]["step"] == 2
    assert {"supervised", "slots", "shades", "loose", "d_loss", "g_loss"} <= set(stats[-1])
    assert [p.name for p in sorted((run / "samples").iterdir())] == ["000003.png"]
    with Image.open(run / "samples" / "000003.png") as picture:
        assert picture.size == (12 * 64 * 2, 5 * 64 * 2)
    about = json.loads((run / "data.json").read_text())
    assert ["hat", NONE, NONE] in about["rows"]
    assert ["hat", "cocked hat", "hat_tricorne"] in about["rows"]
    assert not set(about["held_out"]) & {item for _, _, item in about["rows"]}


def test_training_moves_all_weights(run: Path, objective: FrontObjective) -> None:
    torch.manual_seed(TINY.seed)
    fresh = dict(zip(("generator", "discriminator"), objective.networks(), strict=True))
    state = checkpoint.load(run)
    for name, network in fresh.items():
        for key, value in network.state_dict().items():
            assert not torch.equal(value, state[name][key]), key
    assert not torch.equal(state["generator"]["head.weight"], state["average"]["head.weight"])


@pytest.mark.slow
def test_a_resumed_run_equals_an_unbroken_one(
    run: Path, characters_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "time_to_save", lambda self: setattr(self, "stop_asked", True) or True)
    assert not train(TINY, characters_folder, tmp_path, "cpu")
    assert checkpoint.load(tmp_path)["step"] == 1
    monkeypatch.undo()
    assert train(TINY, characters_folder, tmp_path, "cpu", resume=True)
    one, other = checkpoint.load(run), checkpoint.load(tmp_path)
    for key, value in one["average"].items():
        assert torch.allclose(value, other["average"][key], atol=1e-5), key
    with pytest.raises(FileExistsError, match="--resume"):
        train(TINY, characters_folder, tmp_path, "cpu")


def test_the_command_line_trains(characters_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "character-front", "--data", str(characters_folder), "--out", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as exit_:
        cli.main([*command, "--dry-run"])
    assert exit_.value.code == 0
    assert "adversarial = 0.1" in capsys.readouterr().out
    with pytest.raises(SystemExit) as exit_:
        cli.main([*command, "--preset", "smoke", "--steps", "1", "--device", "cpu"])
    assert exit_.value.code == 0
    assert read_config(CharacterConfig, tmp_path / "run").steps == 1


def test_the_networks_have_one_channel_a_slot() -> None:
    assert (len(SLOTS), SHADES) == (SLOT_COUNT, SHADE_COUNT)


def test_blocks_are_pixels_in_reading_order() -> None:
    pixels = torch.arange(2 * 6 * 4).view(2, 6, 4)
    blocks = to_blocks(pixels)
    assert blocks.shape == (2, 3, 2, 4)
    assert blocks[0, 0, 1].tolist() == [2, 3, 6, 7]
    assert torch.equal(from_blocks(blocks), pixels)


def test_hardened_logits_are_one_hot_and_keep_the_gradient() -> None:
    logits = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(0), requires_grad=True)
    hard = harden(logits)
    assert torch.equal(hard.argmax(-1), logits.argmax(-1))
    assert torch.equal(hard.detach().sort(-1).values[..., :-1], torch.zeros(3, 5, 6))
    weights = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(1))
    (gradient,) = torch.autograd.grad((hard * weights).sum(), logits)
    (wanted,) = torch.autograd.grad((logits.softmax(-1) * weights).sum(), logits)
    assert torch.allclose(gradient, wanted)


def test_views_of_real_and_generated_pictures_are_alike(objective: FrontObjective) -> None:
    """Confident logits of a drawing have the view of the drawing; shades of the background are ignored."""
    batch = objective.draw(2, np.random.default_rng(0))
    slots, shades = to_blocks(batch["slots"]), to_blocks(batch["shades"])
    logits = torch.randn(*slots.shape, CHANNELS, generator=torch.Generator().manual_seed(0))
    logits[..., :SLOT_COUNT].scatter_(-1, slots.unsqueeze(-1), 99.0)
    figure = slots > 0
    sure = logits[..., SLOT_COUNT:].scatter(-1, shades.unsqueeze(-1), 99.0)
    logits[..., SLOT_COUNT:] = torch.where(figure.unsqueeze(-1), sure, logits[..., SLOT_COUNT:])
    assert torch.equal(networks.view_logits(logits), networks.view_maps(slots, shades).float())
    assert networks.view_maps(slots, shades).sum() == slots.numel() + figure.sum()


def test_blends_keep_the_values_of_the_outfit(objective: FrontObjective) -> None:
    known, rng = objective.catalogue, np.random.default_rng(4)
    blended = set()
    for _ in range(30):
        outfit = objective.data.training.draw(rng)
        rows = np.array(outfit.rows)
        partners = known.partners(rows, rng)
        assert np.array_equal(known.value_of[partners], known.value_of[rows])
        assert known.fits[partners, BODIES.index(outfit.body)].all()
        blended |= {known.attributes[k] for k in np.flatnonzero(rows != partners)}
        labels = objective.data.training.labels(outfit)
        assert {known.values[known.value_of[r]] for r in rows} == set(labels.items())
    assert {"hair", "torso"} <= blended
    generator, _ = objective.networks()
    code = objective.blend(generator, objective.draw(3, rng), torch.Generator().manual_seed(0))
    assert code.shape == (3, len(known.attributes), networks.EMBEDDING)
    assert code.abs().max() <= 1


def test_the_supervised_loss_of_a_perfect_generator_is_small(objective: FrontObjective) -> None:
    batch = objective.draw(2, np.random.default_rng(0))

    class Right(torch.nn.Module):
        def embed(self, rows: torch.Tensor) -> torch.Tensor:
            return torch.zeros(*rows.shape, networks.EMBEDDING)

        def forward(self, code: torch.Tensor) -> torch.Tensor:
            maps = [to_blocks(torch.cat([batch[name]] * (len(code) // 2))) for name in ("slots", "shades")]
            parts = zip(maps, (SLOT_COUNT, SHADE_COUNT), strict=True)
            return torch.cat([20.0 * torch.nn.functional.one_hot(m, n) for m, n in parts], -1)

    outputs = objective.forward_pass(Right(), batch, torch.Generator().manual_seed(0))
    assert outputs.supervised < 1e-4
    assert outputs.stats == {"slots": 1.0, "shades": 1.0, "loose": 0.0}  # the data is of boxes
    assert torch.equal(outputs.real.float(), outputs.fake)


def test_loose_pixels_have_no_neighbour_of_their_slot() -> None:
    slots = torch.zeros(1, 6, 6, dtype=torch.int64)
    slots[0, 1:3, 1:3], slots[0, 4, 4] = 3, 5
    assert isolated_share(slots) == pytest.approx(1 / 5)


def test_sample_pictures_have_a_ground() -> None:
    picture = np.zeros((1, 2, 4), np.uint8)
    picture[0, 0] = [1, 2, 3, 255]
    shown = on_ground(picture)
    assert shown.shape == (2, 4, 3)
    assert shown[1, 1].tolist() == [1, 2, 3]
    assert shown[0, 2].tolist() == [112, 136, 104]
