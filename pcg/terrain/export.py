"""Export of the two trained levels of terrain to one model file: golden calls and card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from pcg.export import SEED_MAX, measure_golden, read_quality, read_run, write_model
from pcg.terrain.control import STYLE_SUM, classic_table
from pcg.terrain.networks import STYLES, CoarseGenerator, Generator
from pcg.terrain.quantise import quantise
from pcg.terrain.world import SCALES
from runtime import card as cards
from runtime.card import Card, Parameter, Training, TrainingData
from runtime.engine import make_deterministic
from runtime.version import VERSION

DETAIL, COARSE = "terrain-detail", "terrain-coarse"
COORDINATE_MAX, SIZE_MAX, GRAIN_MAX = 2**53, 2049, 127

VARIED = [0] * len(STYLES)

# The origin, negative coordinates, an odd corner, coordinates beyond 2^31, both extremes, the largest seed.
GOLDEN_PLACES = (
    (7, 0, 0, 64),
    (1, -1000, 250, 100),
    (123456789, 2**31 + 17, -(2**33) - 5, 64),
    (SEED_MAX, COORDINATE_MAX, -COORDINATE_MAX, 64),
    (7, -256, 512, 257),  # a usual size: kernels may be chosen by shape
)
GOLDEN_SIZE = 48  # side of the chunks of the other calls


def terrain_parameters() -> dict[str, Parameter]:
    """The parameters of terrain requests and their ranges."""
    place = "world pixel of 90 m of the top-left corner; x goes east, y south"
    limit = COORDINATE_MAX
    return {
        "seed": Parameter("integer", "which world", None, 0, SEED_MAX),
        "x": Parameter("integer", place, 0, -limit, limit, unit="pixels"),
        "y": Parameter("integer", place, 0, -limit, limit, unit="pixels"),
        "size": Parameter("integer", "side of the chunk, in pixels of its level", 256, 1, SIZE_MAX, unit="pixels"),
        "lod": Parameter("integer", "level of detail; each level halves the resolution", 0, 0, SCALES),
        "style": Parameter(
            "string",
            "kind of land; a blend is written alpine:0.7,lowland:0.3; varied changes from place to place",
            "varied",
            choices=["varied", *STYLES],
        ),
        "grain": Parameter(
            "number",
            "of a sketch: how fine-wrought its land is, from smooth to cut by every brook; by default it changes from "
            "place to place",
            None,
            -1,
            1,
        ),
        "control": Parameter("string", "where the large forms come from", "learned", choices=["learned", "noise"]),
    }


def golden_calls(module: Any) -> list[tuple[str, list[Any]]]:
    """The golden calls of a world: places, levels of detail, styles and blends, and land of a drawn control map."""
    calls: list[tuple[str, list[Any]]] = [
        ("forward", [[seed], [x], [y], size, 0, [VARIED]]) for seed, x, y, size in GOLDEN_PLACES
    ]
    calls += [("forward", [[7], [1600], [-800], GOLDEN_SIZE, lod, [VARIED]]) for lod in range(1, SCALES + 1)]
    blends = [[STYLE_SUM * (k == i) for k in range(len(STYLES))] for i in range(len(STYLES))]
    blends.append([STYLE_SUM - 30 * (len(STYLES) - 1), *[30] * (len(STYLES) - 1)])
    calls += [("forward", [[3], [-500], [70000], GOLDEN_SIZE, 0, [style]]) for style in blends]
    side = int(module.cells(torch.tensor([0]), torch.tensor([0]), GOLDEN_SIZE, 0))
    # A cone in the sea, in whole metres.
    drawn = [[1500 - 90 * abs(i - side // 2) - 130 * abs(j - side // 2) for j in range(side)] for i in range(side)]
    place = [[5], [0], [0], GOLDEN_SIZE, 0]
    return [*calls, ("window", [*place, [drawn]]), ("window", [*place, [drawn], [GRAIN_MAX]])]


def export_terrain(run: Path, coarse_run: Path, out: Path) -> Card:
    """Write the averaged generators of both levels as one model file, and its checksum to SHA256SUMS.

    Args:
        run: of terrain-detail.
        coarse_run: of terrain-coarse.
        out: the model file.

    Raises:
        FileNotFoundError: a run has no checkpoint.
        ValueError: a run is of the other level, or a network can't be made exact.
    """
    make_deterministic()
    states, configs, sources = zip(*(read_run(r, m) for r, m in ((run, DETAIL), (coarse_run, COARSE))), strict=True)
    generator, coarse = Generator(), CoarseGenerator()
    generator.load_state_dict(states[0]["average"])
    coarse.load_state_dict(states[1]["average"])
    classic = classic_table(torch.tensor(sources[0]["control_quantiles_m"]))
    module = torch.jit.script(quantise(generator, coarse, classic))
    regions, maps = sources[0]["regions"], sources[1]["maps"]
    data = [
        TrainingData(name, region["licence"], region["pixels"], "pixels of 90 m")
        for name, region in sorted(regions.items())
    ] + [
        TrainingData(
            name,
            source["licence"],
            source["pixels"],
            "pixels of 9.3 km, read as 1.4 km with lowered heights"
            if source["rescaled"]
            else "pixels of 1.1 to 1.9 km",
        )
        for name, source in sorted(maps.items())
    ]
    card = Card(
        name=DETAIL,
        version=VERSION,
        family="terrain",
        format=cards.MODULE_FORMAT,
        description="Endless terrain at 90 m a pixel: one GAN trained on real elevation lays out ranges, plains and "
        "coasts at 1,440 m a pixel, another puts valleys and ridges into them.",
        licence="MIT, as far as the training data's terms allow: " + "; ".join(sorted({d.licence for d in data})),
        parameters=terrain_parameters(),
        outputs={"height": {"dtype": "<i4", "unit": "metres", "scale": 1 / 64, "offset": 0.0}},
        training_data=data,
        training=Training(
            device=str(states[0]["device"]),
            steps=states[0]["step"] + states[1]["step"],
            wall_s=round(states[0]["wall_s"] + states[1]["wall_s"], 1),
            commit=states[0].get("commit", "not recorded"),
            config={
                model: config | {"trained_steps": state["step"], "wall_s": round(state["wall_s"], 1)}
                for model, config, state in zip((DETAIL, COARSE), configs, states, strict=True)
            },
        ),
        quality=read_quality(run),
        limits=[
            "Rivers: valleys were trained to drain, but none is enforced, and closed basins occur.",
            f"Knows the land it was trained on and no other kind: {', '.join(sorted(regions))}.",
            "Coasts and islands have the shapes of real ones six times their size, from a world map of 9.3 km pixels.",
            "The sea floor is made up, from the distance to land; the training data has none.",
            "control='noise' repeats every 23,593 km and is not promised to be the same on every machine.",
        ],
        golden=measure_golden(module, golden_calls(module)),
    )
    write_model(module, card, out)
    return card
