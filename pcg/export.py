"""Trained weights to one model file: the scripted module with its card inside, its golden vectors measured.

pcg export runs/00003-terrain-detail runtime/models/terrain-detail.ts
"""

from __future__ import annotations

import hashlib
import io
import json
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import torch

from pcg.learning import checkpoint
from pcg.terrain.control import GradientNoise, height_table, noise_sample
from pcg.terrain.networks import Generator
from pcg.terrain.world import quantise
from pcg.writers.files import replace_file
from runtime import card as cards
from runtime.card import Card, Golden, Parameter, Quality, Training, TrainingData
from runtime.engine import digest, make_deterministic
from runtime.registry import SUMS, read_sums

CARD_FILE = "card.json"
SEED_MAX, COORDINATE_MAX, SIZE_MAX = 2**53 - 1, 2**53, 2049

# Places of every kind: the origin, negative, an odd corner, beyond 2^31, both far ends, the largest seed.
GOLDEN_PLACES = (
    (7, 0, 0, 64),
    (1, -1000, 250, 100),
    (123456789, 2**31 + 17, -(2**33) - 5, 64),
    (SEED_MAX, COORDINATE_MAX, -COORDINATE_MAX, 64),
    (7, -256, 512, 257),  # a size that is served: kernels may be chosen by shape
)


def terrain_parameters() -> dict[str, Parameter]:
    """The parameters of terrain requests and their ranges."""
    place = "world pixel of the top-left corner; x goes east, y south"
    limit = COORDINATE_MAX
    return {
        "seed": Parameter("integer", "which world", None, 0, SEED_MAX),
        "x": Parameter("integer", place, 0, -limit, limit, unit="pixels"),
        "y": Parameter("integer", place, 0, -limit, limit, unit="pixels"),
        "size": Parameter("integer", "side of the chunk", 256, 1, SIZE_MAX, unit="pixels"),
        "lod": Parameter("integer", "level of detail; each level halves the resolution", 0, 0, 0),
        "control": Parameter("string", "where the large forms come from", "gradient", choices=["gradient", "noise"]),
    }


def measure_golden(module: Any) -> list[Golden]:
    """Golden vectors of a scripted world, in float32 on this machine; bfloat16 must agree.

    Raises:
        ValueError: the two precisions differ, so the module is not exact.
    """
    golden = []
    for seed, x, y, size in GOLDEN_PLACES:
        digests = set()
        for precision in (32, 16):
            module.use_precision(precision)
            with torch.inference_mode():
                heights = module(torch.tensor([seed]), torch.tensor([x]), torch.tensor([y]), size)
            digests.add(digest(heights.numpy()))
        if len(digests) != 1:
            raise ValueError(f"not exact: float32 and bfloat16 differ at seed {seed}, x {x}, y {y}")
        golden.append(Golden("forward", [[seed], [x], [y], size], digests.pop()))
    module.use_precision(32)
    return golden


def read_quality(run: Path) -> list[Quality]:
    """The figures `pcg eval` left in the run's quality.json; none where it was not run since the last checkpoint."""
    path = run / "quality.json"
    if not path.exists() or path.stat().st_mtime < (run / checkpoint.NAME).stat().st_mtime:
        return []
    return msgspec.json.decode(path.read_bytes(), type=list[Quality])


def export_terrain(run: Path, out: Path) -> Card:
    """Write a terrain run's averaged generator as a model file, and note its checksum in the folder's SHA256SUMS.

    Raises:
        FileNotFoundError: the run has no checkpoint.
        ValueError: the network can't be made exact.
    """
    make_deterministic()
    state = checkpoint.load(run)
    data = json.loads((run / "data.json").read_text())
    generator = Generator()
    generator.load_state_dict(state["average"])
    noise = GradientNoise(height_table(torch.tensor(data["control_quantiles_m"]), noise_sample()))
    module = torch.jit.script(quantise(generator, noise))
    licences = {region["licence"] for region in data["regions"].values()}
    card = Card(
        name="terrain-detail",
        version=version("pcg-plugin"),
        family="terrain",
        format=cards.MODULE_FORMAT,
        description="Endless terrain at 90 m a pixel: a GAN trained on real elevation puts valleys and ridges into "
        "a control map of 1,440 m a pixel.",
        licence="MIT, as far as the training data's terms allow: " + "; ".join(sorted(licences)),
        parameters=terrain_parameters(),
        outputs={"height": {"dtype": "<u2", "unit": "metres", "scale": 0.25, "offset": -4096.0}},
        training_data=[
            TrainingData(name, region["licence"], region["pixels"], "pixels of 90 m")
            for name, region in sorted(data["regions"].items())
        ],
        training=Training(
            device=str(state["device"]),
            steps=state["step"],
            wall_s=round(state["wall_s"], 1),
            commit=state.get("commit", "not recorded"),
            config=tomllib.loads((run / "config.toml").read_text()),
        ),
        quality=read_quality(run),
        limits=[
            "Rivers: valleys join within some kilometres; no drainage is enforced, and closed basins occur.",
            "The control map is noise, so mountain ranges, coasts and plains lie where noise puts them.",
            f"Knows the land it was trained on and no other kind: {', '.join(sorted(data['regions']))}.",
            "The sea floor is the control map's smooth depth; the training data has none.",
            "control='noise' repeats every 23,593 km and is not promised to be the same on every machine.",
        ],
        golden=measure_golden(module),
    )
    write_model(module, card, out)
    return card


def write_model(module: Any, card: Card, out: Path) -> None:
    """Save module and card to `out` by way of a temporary name, and list its checksum beside it."""
    sums = read_sums(out.parent)
    buffer = io.BytesIO()
    torch.jit.save(module, buffer, _extra_files={CARD_FILE: cards.encode(card)})
    sums[out.name] = hashlib.sha256(buffer.getvalue()).hexdigest()
    replace_file(out, buffer.getvalue())
    replace_file(out.parent / SUMS, "".join(f"{sha}  {name}\n" for name, sha in sorted(sums.items())).encode())
