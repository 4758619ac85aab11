"""Checkpoints: one file a run, replaced whole, so that a kill at any moment loses minutes and never the run."""

from __future__ import annotations

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
        FileNotFoundError: the folder is no run, or has not saved yet.
    """
    path = folder / NAME
    if not path.exists():
        raise FileNotFoundError(f"{folder} holds no {NAME}; give the folder of a run that has saved one")
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return state


def open_state(folder: Path, device: torch.device, resume: bool) -> dict[str, Any] | None:
    """The checkpoint to go on from; None for a new run.

    Raises:
        FileNotFoundError: there is nothing to resume.
        FileExistsError: the folder holds a run and `resume` was not asked for.
    """
    if resume:
        return load(folder, device)
    if (folder / NAME).exists():
        raise FileExistsError(f"{folder} already holds a run; add --resume to go on with it, or choose another --out")
    return None


def condense(state: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint a tenth as large, to be kept with the source: the networks in bfloat16, without their optimisers.

    Training that goes on from it begins with fresh optimisers, and with the averaged generator as its generator.
    """
    kept = {name: value for name, value in state.items() if not name.endswith("_optimiser") and name != "generator"}
    for name in ("average", "discriminator"):
        kept[name] = {key: tensor.to(torch.bfloat16) for key, tensor in state[name].items()}
    return kept


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
