"""Training of both levels for a few steps: exact resuming, export of a model that serves, equal ranks."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pcg import cli
from pcg.learning import checkpoint
from pcg.learning.loop import Run, next_run, read_config, to_toml
from pcg.terrain.export import export_terrain
from pcg.terrain.networks import CoarseGenerator, Generator
from pcg.terrain.objectives import CoarseObjective, DetailObjective, cut
from pcg.terrain.train import DRAINAGE_STEPS, PRESETS, TerrainConfig, drainage_share, train
from runtime.local import Local
from runtime.registry import Registry

TINY = dataclasses.replace(PRESETS["terrain-detail"]["smoke"], steps=4, sample_every=2, penalty_every=2)
COARSE = dataclasses.replace(TINY, model="terrain-coarse", steps=2)


def pcg(*arguments: object) -> int | str | None:
    """Run the command line and return its exit code."""
    with pytest.raises(SystemExit) as exit_:
        cli.main([str(a) for a in arguments])
    return exit_.value.code


@pytest.fixture(scope="module")
def run(dem_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "00000-terrain-detail"
    train(TINY, dem_folder, folder, "cpu")
    return folder


@pytest.fixture(scope="module")
def coarse_run(dem_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "00001-terrain-coarse"
    assert train(COARSE, dem_folder, folder, "cpu")
    return folder


def test_a_run_describes_itself(run: Path) -> None:
    assert "gamma" in (run / "config.toml").read_text()
    stats = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    assert stats[-1]["step"] == 3
    assert np.isfinite(stats[-1]["d_loss"])
    assert [p.name for p in sorted((run / "samples").iterdir())] == ["000002.png", "000004.png"]
    about = json.loads((run / "data.json").read_text())
    assert about["regions"]["hills"]["licence"] == "made for a test"
    assert "bc_coast_mountains" not in about["regions"]


@pytest.mark.slow
def test_training_resumes_from_a_condensed_run(run: Path, dem_folder: Path, tmp_path: Path) -> None:
    small, whole = tmp_path / "small", checkpoint.load(run)
    assert pcg("condense", run, small) == 0
    assert read_config(TerrainConfig, small) == read_config(TerrainConfig, run)
    assert (small / checkpoint.NAME).stat().st_size < 0.25 * (run / checkpoint.NAME).stat().st_size
    resume = ("--data", dem_folder, "--out", small, "--resume", "--steps", 6, "--device", "cpu")
    assert pcg("train", "terrain-detail", *resume) == 0
    after = checkpoint.load(small)
    assert after["step"] == 6
    name = "pyramid.first.weight"
    assert torch.allclose(after["generator"][name], whole["average"][name], atol=0.02)
    assert not torch.equal(after["generator"][name], whole["average"][name].to(torch.bfloat16).float())


def test_what_can_not_be_condensed_is_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pcg("condense", tmp_path, tmp_path / "small") == 1
    assert "holds no checkpoint.pt" in capsys.readouterr().err
    assert pcg("condense", run, run) == 1
    assert "already holds a run; choose another folder" in capsys.readouterr().err
    checkpoint.save(tmp_path, {"network": {}, "optimiser": {}, "step": 1})
    assert pcg("condense", tmp_path, tmp_path / "small") == 1
    assert "does not train a GAN" in capsys.readouterr().err
    assert not (tmp_path / "small").exists()


def test_a_run_of_the_coarse_level_describes_itself(coarse_run: Path) -> None:
    assert read_config(TerrainConfig, coarse_run) == COARSE
    stats = [json.loads(line) for line in (coarse_run / "stats.jsonl").read_text().splitlines()]
    assert stats[-1]["step"] == 1
    assert [p.name for p in (coarse_run / "samples").iterdir()] == ["000002.png"]
    maps = json.loads((coarse_run / "data.json").read_text())["maps"]
    assert {name: source["rescaled"] for name, source in maps.items()} == {"sheet": False, "world": True}
    assert maps["world"]["pixels"] > 13 * 240 * 100


@pytest.mark.parametrize(("which", "network"), [("run", Generator), ("coarse_run", CoarseGenerator)])
def test_training_moves_the_weights(which: str, network: type[torch.nn.Module], request: pytest.FixtureRequest) -> None:
    state = checkpoint.load(request.getfixturevalue(which))
    torch.manual_seed(TINY.seed)
    fresh = network().state_dict()
    moved = [not torch.equal(fresh[k], v) for k, v in state["generator"].items()]
    assert all(moved)


def test_depressions_weigh_nothing_at_first() -> None:
    first, last = DRAINAGE_STEPS
    assert [drainage_share(step) for step in (0, first, (first + last) // 2, last, 10 * last)] == [0, 0, 0.5, 1, 1]


@pytest.mark.parametrize("kind", [DetailObjective, CoarseObjective])
def test_large_crops_are_cut_into_what_small_ones_are(
    kind: type[DetailObjective] | type[CoarseObjective], dem_folder: Path
) -> None:
    objective = kind(dem_folder, 2)
    condition, land = objective.draw(3, np.random.default_rng(0), 4)
    lands, conditions = cut(land, condition, 2)
    small_condition, small_land = objective.draw(1, np.random.default_rng(0), 2)
    assert lands.shape == (12, *small_land.shape[1:])
    assert conditions.shape == (12, *small_condition.shape[1:])
    assert torch.equal(lands[4 + 2], land[1, 32:72, :40])  # the second crop's lower left quarter, frame included
    assert torch.equal(conditions[4 + 2], condition[1, :, 2:, :-2])
    whole, same = cut(land, condition, 4)
    assert torch.equal(whole, land)
    assert torch.equal(same, condition)


def test_large_crops_must_be_whole_pieces(dem_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="crops 5 wide can't be cut into pieces of 2"):
        train(dataclasses.replace(TINY, wide=5), dem_folder, tmp_path / "run", "cpu")


def test_data_without_a_large_crop_is_trained_on_in_small_ones(dem_folder: Path) -> None:
    for objective in (DetailObjective(dem_folder, 2), CoarseObjective(dem_folder, 2)):
        assert objective.fits(2)
        assert not objective.fits(1000)


@pytest.mark.slow
def test_a_resumed_run_equals_an_unbroken_one(
    run: Path, dem_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "broken"
    monkeypatch.setattr(Run, "time_to_save", lambda self: setattr(self, "stop_asked", True) or True)
    train(TINY, dem_folder, folder, "cpu")
    assert checkpoint.load(folder)["step"] == 1
    monkeypatch.undo()
    train(TINY, dem_folder, folder, "cpu", resume=True)
    a, b = checkpoint.load(run), checkpoint.load(folder)
    assert a["step"] == b["step"] == 4
    for name in ("generator", "average", "discriminator"):
        for key, value in a[name].items():
            assert torch.allclose(value, b[name][key], atol=1e-5), key
    with pytest.raises(FileExistsError, match="--resume"):
        train(TINY, dem_folder, folder, "cpu")
    with pytest.raises(FileNotFoundError, match=r"checkpoint\.pt"):
        train(TINY, dem_folder, tmp_path / "nothing", "cpu", resume=True)


def test_resuming_a_finished_run_changes_nothing(run: Path, dem_folder: Path) -> None:
    before = checkpoint.load(run)
    train(read_config(TerrainConfig, run), dem_folder, run, "cpu", resume=True)
    after = checkpoint.load(run)
    assert after["step"] == 4
    assert all(torch.equal(v, after["generator"][k]) for k, v in before["generator"].items())
    assert read_config(TerrainConfig, run) == TINY


@pytest.fixture(scope="module")
def exported(run: Path, coarse_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    export_terrain(run, coarse_run, folder / "terrain-detail.ts")
    return folder


def test_an_exported_model_says_what_both_levels_were_trained_on(exported: Path) -> None:
    registry = Registry(exported)
    assert not registry.refused
    card = registry.find("terrain-detail").card
    assert card.training.steps == 4 + 2
    assert card.training.config["terrain-coarse"]["trained_steps"] == 2
    assert {d.name for d in card.training_data} == {"hills", "more_hills", "sheet", "world"}
    assert "made for a test" in card.licence
    assert card.parameters["style"].choices == ["varied", "alpine", "plateau", "lowland", "archipelago"]
    calls = {(g.method, g.arguments[4], len(g.arguments)) for g in card.golden}
    assert {("forward", lod, 6) for lod in range(5)} | {("window", 0, 6), ("window", 0, 7)} == calls


def test_an_exported_model_serves(exported: Path) -> None:
    with Local(exported) as runtime:
        chunk = runtime.call("terrain.chunk", seed=3, x=-20, y=9, size=40)
        drawn = runtime.call("terrain.sketch", seed=3, control=np.full((2, 3), 700, np.float32))
        assert runtime.call("server.health")["ready"]
    assert chunk["height"].shape == (40, 40)
    assert drawn["height"].shape == (32, 48)
    assert chunk["provenance"]["training_data"][0]["name"] == "hills"


def test_levels_are_not_mixed_up(run: Path, coarse_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a run of terrain-coarse; here one of terrain-detail is needed"):
        export_terrain(coarse_run, run, tmp_path / "terrain-detail.ts")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.cuda
def test_trains_on_cuda(dem_folder: Path, tmp_path: Path) -> None:
    train(TINY, dem_folder, tmp_path / "cuda", "cuda")
    assert checkpoint.load(tmp_path / "cuda")["step"] == 4


def test_cuda_asked_for_in_vain_is_an_error(dem_folder: Path, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(ValueError, match="steps 0"):
        train(dataclasses.replace(TINY, steps=0), dem_folder, tmp_path / "none", "cpu")
    with pytest.raises(ValueError, match="--device cpu"):
        train(TINY, dem_folder, tmp_path / "cuda", "cuda")


@pytest.mark.slow
def test_two_processes_train_and_agree(dem_folder: Path, tmp_path: Path) -> None:
    """Two gloo processes: training stops with an error where the ranks' weights differ."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", "-m", "pcg.cli"]
    command += ["train", "terrain-detail", "--data", str(dem_folder), "--out", str(tmp_path / "run")]
    command += ["--preset", "smoke", "--steps", "3", "--device", "cpu"]
    done = subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "2 process(es)" in done.stderr
    assert "all 2 ranks agree" in done.stderr
    assert checkpoint.load(tmp_path / "run")["world"] == 2


def test_runs_are_numbered(tmp_path: Path) -> None:
    assert next_run("terrain-detail", tmp_path) == tmp_path / "00000-terrain-detail"
    (tmp_path / "00041-other").mkdir()
    assert next_run("terrain-detail", tmp_path) == tmp_path / "00042-terrain-detail"
    assert "steps = 4\n" in to_toml(TINY)
