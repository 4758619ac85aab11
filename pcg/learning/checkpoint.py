"""Checkpoints: one file a run, replaced atomically, so that a killed process loses a few minutes of work at most."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import torch

NAME = "checkpoint.pt"


def save(folder: Path, state: dict[str, Any]) -> None:
    """Write the run's checkpoint under a temporary name, then rename it over the old one."""
    temporary = folder / (NAME + ".part")
    torch.save(state, temporary)
    temporary.replace(folder / NAME)


def load(folder: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a run's checkpoint.

    Raises:
        FileNotFoundError: the folder is no run, or the run has not saved a checkpoint yet.
    """
    path = folder / NAME
    if not path.exists():
        raise FileNotFoundError(f"{folder} holds no {NAME}; give the folder of a run that has saved one")
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return state


def open_state(folder: Path, device: torch.device, resume: bool) -> dict[str, Any] | None:
    """Read the checkpoint to resume from.

    Args:
        folder: of the run.
        device: that the tensors are read to.
        resume: whether the user asked to go on with the run in `folder`.

    Returns:
        The checkpoint; None for a new run.

    Raises:
        FileNotFoundError: there is no checkpoint to resume from.
        FileExistsError: the folder holds a run and `resume` was not asked for.
    """
    if resume:
        return load(folder, device)
    if (folder / NAME).exists():
        raise FileExistsError(f"{folder} already holds a run; add --resume to go on with it, or choose another --out")
    return None


def condense(state: dict[str, Any]) -> dict[str, Any]:
    """The checkpoint of a GAN without its optimisers, its averaged generator and discriminator in bfloat16.

    It has about a seventh of the size. A training that resumes from it starts with new optimisers, and with the
    averaged generator as its generator.
    """
    small = {name: value for name, value in state.items() if not name.endswith("_optimiser") and name != "generator"}
    for name in ("average", "discriminator"):
        if name in small:
            small[name] = {key: tensor.to(torch.bfloat16) for key, tensor in small[name].items()}
    return small


def condense_run(run: Path, out: Path) -> None:
    """Write a copy of a run with a condensed checkpoint to the folder `out`; see condense.

    Raises:
        FileNotFoundError: `run` is no run, or has not saved a checkpoint yet.
        FileExistsError: `out` already holds a run.
        ValueError: the run does not train a GAN, so it has no averaged generator.
    """
    state = load(run)
    if "average" not in state:
        raise ValueError(f"{run} does not train a GAN; runs of terrain, character and monster models can be condensed")
    if (out / NAME).exists():
        raise FileExistsError(f"{out} already holds a run; choose another folder, or remove its {NAME}")
    out.mkdir(parents=True, exist_ok=True)
    for name in ("config.toml", "data.json"):
        shutil.copyfile(run / name, out / name)
    save(out, condense(state))


def source_commit() -> str:
    """The git commit of this package's source, "-dirty" where files differ from it; "unknown" outside its checkout."""
    here = Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=here, capture_output=True, text=True, check=True,
        )  # fmt: skip
        tracked = subprocess.run(["git", "ls-files", "--error-unmatch", __file__], cwd=here, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip() if tracked.returncode == 0 else "unknown"
