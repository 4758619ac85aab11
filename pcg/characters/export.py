"""Export of trained character models: modules, golden calls and cards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pcg.characters.blends import UNIT
from pcg.characters.data.catalogue import Catalogue
from pcg.characters.data.monsters import KINDS
from pcg.characters.front.cast import colour_names, read_catalogue
from pcg.characters.front.module import FrontModule
from pcg.characters.front.networks import SIZE, FrontGenerator
from pcg.characters.monster.module import MonsterModule
from pcg.characters.monster.networks import MonsterGenerator
from pcg.characters.walk.module import ExactWalk
from pcg.characters.walk.networks import COLOURS, WalkGenerator
from pcg.export import SEED_MAX, measure_golden, read_quality, read_run, run_model, write_model
from runtime import card as cards
from runtime.card import Card, Parameter, Training, TrainingData
from runtime.engine import make_deterministic
from runtime.version import VERSION

SEEDS = (0, 7, 12345, SEED_MAX)
Calls = list[tuple[str, list[Any]]]
DRAWN_LIMIT = "Has seen the drawings of one style, the Liberated Pixel Cup's, and draws in no other."

SEED = Parameter("integer", "which one", None, 0, SEED_MAX)
TRUNCATION = Parameter(
    "integer", "how far from what it was shown: 0 gives drawings that exist, 128 blends", UNIT, 0, UNIT
)


def export_character(run: Path, out: Path) -> Card:
    """Write a run's averaged generator as one model file, and its checksum to SHA256SUMS.

    Raises:
        FileNotFoundError: the run has no checkpoint.
        ValueError: it is no run of a character model, or the network can't be made exact.
    """
    make_deterministic()
    model = run_model(run)
    if model not in MAKERS:
        raise ValueError(f"{run} is a run of {model}; here one of {', '.join(MAKERS)} is needed")
    state, options, about = read_run(run, model)
    module, calls, said = MAKERS[model](state["average"], about)
    scripted = torch.jit.script(module.eval())
    data = [TrainingData(**source) for source in about["sources"]]
    card = Card(
        name=model,
        version=VERSION,
        family="characters",
        format=cards.MODULE_FORMAT,
        licence="MIT, as far as the training data's terms allow: " + "; ".join(sorted({d.licence for d in data})),
        training_data=data,
        training=Training(
            device=str(state["device"]),
            steps=state["step"],
            wall_s=round(state["wall_s"], 1),
            commit=state.get("commit", "not recorded"),
            config=options,
        ),
        quality=read_quality(run),
        golden=measure_golden(scripted, calls),
        credits=about["credits"],
        **said,
    )
    write_model(scripted, card, out)
    return card


def make_front(weights: dict[str, Tensor], about: dict[str, Any]) -> tuple[nn.Module, Calls, dict[str, Any]]:
    """The front's module, its golden calls, and its fields of the card."""
    known, names = read_catalogue(about), colour_names(about)
    generator = FrontGenerator(len(known.rows), len(known.attributes))
    generator.load_state_dict(weights)
    module = FrontModule(about, generator)
    open_ = [[-1] * (2 * len(known.attributes) + 3) for _ in SEEDS]
    wished = [row.copy() for row in open_]
    for k, row in enumerate(wished):  # a body each, and some colour for everything
        row[known.attributes.index("body")] = k
        row[len(known.attributes) :] = [k * 5 % len(names)] * (len(known.attributes) + 3)
    casts = module.cast(torch.tensor(SEEDS), torch.tensor(open_)).tolist()
    others = module.cast(torch.tensor(SEEDS), torch.tensor(wished)).tolist()
    calls: Calls = [("cast", [list(SEEDS), open_]), ("cast", [list(SEEDS), wished]), ("values", [casts])]
    calls += [("forward", [casts, others, [0, 32, 64, 128], UNIT]), ("forward", [casts[:1], casts[:1], [0], 0])]
    said = {
        "description": "Fronts of standing characters at 64x64 pixels from a seed and wishes: a GAN draws what each "
        "pixel is part of and how light it is there, and colour ramps paint it.",
        "parameters": {
            "seed": SEED,
            "truncation": TRUNCATION,
            **_front_parameters(known, about),
            "colours": Parameter("string", "all names of colours, in the order of their numbers", choices=names),
        },
        "outputs": {"image": {"dtype": "|u1", "unit": "RGBA", "shape": [SIZE, SIZE, 4]}},
        "limits": [
            DRAWN_LIMIT,
            "Blends of two items can have holes, or pixels of neither.",
            f"A picture can have more than the {COLOURS - 1} colours that a walk takes; reduce them first.",
        ],
    }
    return module, calls, said


def _front_parameters(known: Catalogue, about: dict[str, Any]) -> dict[str, Parameter]:
    """The parameters of wishes: each attribute, its colour, and the colours of skin, hair and eyes."""
    asked = {
        attribute: Parameter("string", attribute, choices=[value for a, value in known.values if a == attribute])
        for attribute in known.attributes
    }
    names: dict[tuple[str, str], set[str]] = {}
    for (attribute, value, _), colourways in zip(known.rows, about["looks"], strict=True):
        names.setdefault((attribute, value), set()).update(c["name"] for c in colourways if c["ramps"])
    for attribute in known.attributes:
        # A value with one colourway has no choice of colour, as a species' head, which has the colour of its skin.
        colours = {name for (a, _), own in names.items() if a == attribute and len(own) > 1 for name in own}
        if colours:
            asked[f"{attribute}_colour"] = Parameter("string", f"colour of {attribute}", choices=sorted(colours))
    for slot, colours in about["shared"].items():
        asked[f"{slot}_colour"] = Parameter("string", f"colour of {slot}", choices=sorted(colours))
    return asked


def make_walk(weights: dict[str, Tensor], about: dict[str, Any]) -> tuple[nn.Module, Calls, dict[str, Any]]:
    """The walk's module, its golden calls, and its fields of the card."""
    generator = WalkGenerator()
    generator.load_state_dict(weights)
    fronts, palettes = (
        torch.from_numpy(
            np.stack([np.frombuffer(bytes.fromhex(t), np.uint8).reshape(shape) for t in about[name]])
        ).long()
        for name, shape in (("fronts", (SIZE, SIZE)), ("palettes", (COLOURS, 3)))
    )
    module = ExactWalk(generator, fronts, palettes)
    calls: Calls = [("forward", [fronts[k : k + 1].tolist(), palettes[k : k + 1].tolist()]) for k in range(2)]
    said = {
        "description": "From one front frame of 64x64 pixels to all 36 of a walk in four directions: a GAN whose every "
        "pixel points at a colour of the front, so the sheet has the front's colours and no others.",
        "parameters": {
            "front": Parameter("array", "the standing front, RGBA, 64x64 pixels, with a transparent background")
        },
        "outputs": {"image": {"dtype": "|u1", "unit": "numbers of the front's colours", "shape": [36, SIZE, SIZE]}},
        "limits": [DRAWN_LIMIT, "What a front does not show (a back, a cape's inside) it makes up."],
    }
    return module, calls, said


def make_monster(weights: dict[str, Tensor], about: dict[str, Any]) -> tuple[nn.Module, Calls, dict[str, Any]]:
    """The monsters' module, its golden calls, and its fields of the card."""
    generator = MonsterGenerator(len(about["names"]), len(KINDS))
    generator.load_state_dict(weights)
    module = MonsterModule(generator, torch.tensor(about["kinds"]))
    kinds = [-1, 0, len(KINDS) - 1, 2]
    casts = module.cast(torch.tensor(SEEDS), torch.tensor(kinds)).tolist()
    calls: Calls = [("cast", [list(SEEDS), kinds]), ("forward", [casts, casts[::-1], [0, 32, 64, 128], UNIT])]
    calls += [("forward", [casts[:1], casts[:1], [0], 0])]
    said = {
        "description": "Monsters of 32x32 pixels by kind, from a seed: a GAN draws shades, and the palette that paints "
        "them.",
        "parameters": {
            "seed": SEED,
            "truncation": TRUNCATION,
            "category": Parameter("string", "kind of monster; any, where none is named", choices=list(KINDS)),
        },
        "outputs": {"image": {"dtype": "|u1", "unit": "RGBA", "shape": [32, 32, 4]}},
        "limits": [f"Learned from {len(about['names'])} tiles: what it draws is never far from one or two of them."],
    }
    return module, calls, said


MAKERS: dict[str, Callable[[dict[str, Tensor], dict[str, Any]], tuple[nn.Module, Calls, dict[str, Any]]]] = {
    "character-front": make_front,
    "character-walk": make_walk,
    "monster": make_monster,
}
