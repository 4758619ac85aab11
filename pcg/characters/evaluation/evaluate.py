"""Evaluate the character models: metrics of generated sprites, beside the same metrics of real sprites.

The floor of a metric is its value for held-out real sprites: outfits with hair and torsos, and tiles of groups, that
were never trained on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcg.characters.data.monsters import KINDS, Monsters, paint_shades, read_monsters
from pcg.characters.data.outfits import FRONT, CharacterData
from pcg.characters.data.wardrobe import Outfit, Wardrobe
from pcg.characters.evaluation import critics, metrics
from pcg.characters.evaluation.fairness import Person, fairness, training_people
from pcg.characters.evaluation.samples import (
    cast_rows,
    draw_fronts,
    draw_monsters,
    real_fronts,
    real_sheets,
    running,
    walk_sheets,
)
from runtime.card import Quality
from runtime.content.characters import wishes
from runtime.content.characters.atlas import FRAMES
from runtime.engine import Engine
from runtime.registry import ModelFile

Pictures = NDArray[np.uint8]
Number = float | np.floating[Any]
SAMPLES, TRAINING, SHEETS, PEOPLE = 1000, 4000, 60, 4000
TWO_SAMPLE_SEEDS = 3
NEAR = 0.05  # quantile of held-out sprites' distances that defines "near to a training sprite"
FRONT_FRAME = FRONT[0] * FRAMES + FRONT[1]
ATTRIBUTES, WORN = "attributes seen right (share)", "things worn that are seen right (share)"
AUC, FID, KID = "AUC of a fresh CNN", "FID (own features)", "KID x 1000 (own features)"


def evaluate_character(model: ModelFile, data: Path, scale: float = 1.0) -> list[Quality]:
    """Measure a character model against a data folder.

    Args:
        model: the model file.
        data: the folder of the character data.
        scale: factor on the numbers of samples and of training steps.

    Raises:
        FileNotFoundError: a file is missing in the folder.
        RpcError: the model can't be loaded.
    """
    evaluate: dict[str, Callable[[Engine, ModelFile, Path, float], list[Quality]]] = {
        "character-front": evaluate_front,
        "character-walk": evaluate_walk,
        "monster": evaluate_monster,
    }
    with running() as engine:
        return evaluate[model.card.name](engine, model, data, scale)


def evaluate_front(engine: Engine, model: ModelFile, folder: Path, scale: float) -> list[Quality]:
    """Measure generated fronts against fronts of held-out outfits."""
    data, known = CharacterData(folder), wishes.choices(model.card)
    count = _scaled(SAMPLES, scale)
    say("drawing fronts")
    raw, made, values = draw_fronts(engine, model, np.arange(count))
    training, training_outfits = real_fronts(data, data.training, _scaled(TRAINING, scale), 0)
    held_out, held_out_outfits = real_fronts(data, data.validation, count, 2)
    first = [[a for a, _ in known.values].index(attribute) for attribute in known.attributes]
    choices = np.diff([*first, len(known.values)]).tolist()
    critic = _critic(training, answers_of(training_outfits, data.training, known), choices, scale)
    truths = {
        "made": values[:, : len(first)] - np.array(first),
        "real": answers_of(held_out_outfits, data.validation, known),
    }
    against = f"held-out outfits; {count} fronts"
    rows = [*_recognised(critic, made, held_out, truths, against)]
    rows += _distances(critic, made, held_out, training, against)
    rows += _two_sample(made, held_out, training, scale, against)
    rows += _pixels(raw, made, held_out, against)
    rows += memorised(made, held_out, training, f"{len(training)} fronts of training outfits")
    say("counting who comes out")
    trained = training_people(data, _scaled(PEOPLE, scale))
    return rows + fairness(people_of(engine, model, len(trained)), trained)


def people_of(engine: Engine, model: ModelFile, count: int) -> list[Person]:
    """The attributes and colours of the characters of the first `count` seeds."""
    known = wishes.choices(model.card)
    _, values = cast_rows(engine, model, np.arange(count))
    return [wishes.names_of(row, known) for row in values]


def answers_of(outfits: list[Outfit], wardrobe: Wardrobe, known: wishes.Choices) -> NDArray[np.int64]:
    """The value of each attribute, as an index among the attribute's values: (N, attributes)."""
    numbers = {attribute: [v for a, v in known.values if a == attribute] for attribute in known.attributes}
    labels = [wardrobe.labels(outfit) for outfit in outfits]
    return np.array([[numbers[a].index(worn[a]) for a in known.attributes] for worn in labels])


def evaluate_walk(engine: Engine, model: ModelFile, folder: Path, scale: float) -> list[Quality]:
    """Measure sheets that are generated from the fronts of held-out outfits against the true sheets."""
    data = CharacterData(folder)
    count = _scaled(SHEETS, scale)
    say("drawing sheets")
    true = real_sheets(data, data.validation, count, 3)
    other = real_sheets(data, data.training, count, 4)
    made = walk_sheets(engine, model, true[:, FRONT_FRAME])
    frozen = np.repeat(true[:, FRONT_FRAME : FRONT_FRAME + 1], true.shape[1], 1)
    flat, flat_true, flat_other = (sheets.reshape(-1, *sheets.shape[2:]) for sheets in (made, true, other))
    against = f"the true sheets of {count} held-out outfits"

    def row(metric: str, value: Number, floor: Number | None) -> Quality:
        return Quality(metric, float(value), against, None if floor is None else float(floor))

    def agreement(sheets: Pictures) -> float:
        return float(np.mean([metrics.palette_agreement(a, b) for a, b in zip(sheets, true, strict=True)]))

    say("training small CNNs to tell frames apart")
    rivals = {"made": (flat_true, flat), "floor": (flat_true, flat_other)}
    steps = _scaled(critics.TWO_SAMPLE_STEPS, scale)
    told = {
        name: np.mean([critics.two_sample_auc(*pair, count, seed, steps) for seed in range(TWO_SAMPLE_SEEDS)])
        for name, pair in rivals.items()
    }
    return [
        row("mean absolute error of figure pixels (of 255)", metrics.mean_error(made, true), None),
        row("the same of the front in every frame", metrics.mean_error(frozen, true), None),
        row("palette agreement with the true sheet", agreement(made), None),
        row("palette agreement of the front alone", agreement(frozen), None),
        row("palette agreement between directions", *map(metrics.direction_agreement, (made, true))),
        row("pixels that change in a step (share)", *map(metrics.step_change, (made, true))),
        row(AUC, told["made"], told["floor"]),
        row("colours a sheet, median", *(np.median(metrics.colours(s)) for s in (made, true))),
        row("pixels of partial alpha", *map(metrics.partial_alpha, (made, true))),
        row("stray pixels a frame", *map(metrics.stray_pixels, (flat, flat_true))),
        row("gaps in the outline a frame", *map(metrics.gap_pixels, (flat, flat_true))),
        row("stray pixels a frame of training outfits", metrics.stray_pixels(flat_other), None),
    ]


def evaluate_monster(engine: Engine, model: ModelFile, folder: Path, scale: float) -> list[Quality]:
    """Measure generated monsters against held-out tiles."""
    tiles, validation = read_monsters(folder)
    training, held_out = (paint_shades(part.shades, part.palettes) for part in (tiles, validation))
    say("drawing monsters")
    raw, made, kinds = draw_monsters(engine, model, np.arange(_scaled(SAMPLES, scale)))
    critic = _critic(training, _kinds(tiles), [len(KINDS)], scale, mirrored=True)
    truths = {"made": kinds[:, None], "real": _kinds(validation)}
    against = f"{len(held_out)} held-out tiles; {len(made)} monsters"
    rows = _recognised(critic, made, held_out, truths, against)
    rows += _distances(critic, made, held_out, training, against)
    rows += _two_sample(made, held_out, training, scale, against)
    rows += _pixels(raw, made, held_out, against)
    both = np.concatenate([training, training[:, :, ::-1]])
    rows += memorised(made, held_out, both, f"{len(training)} training tiles, also mirrored")
    return rows + _by_kind(critic, (made, kinds), (held_out, validation.kinds), tiles.kinds, against)


def _by_kind(
    critic: critics.Critic,
    made: tuple[Pictures, NDArray[np.int64]],
    real: tuple[Pictures, NDArray[np.int64]],
    trained: NDArray[np.int64],
    against: str,
) -> list[Quality]:
    """The share of each kind when none is asked for, and how often the critic recognises it."""
    counts = [np.bincount(kinds, minlength=len(KINDS)) for kinds in (made[1], trained)]
    ours, theirs = (count / count.sum() for count in counts)
    among = "the training tiles"
    rows = [Quality(f"share of {name}", float(ours[k]), among, float(theirs[k])) for k, name in enumerate(KINDS)]
    rows.append(Quality("smallest share of a kind, of its share in training", float((ours / theirs).min()), among, 1.0))
    for k, name in enumerate(KINDS):
        right, floor = (
            float((critic.answers(pictures[kinds == k])[:, 0] == k).mean()) if (kinds == k).any() else None
            for pictures, kinds in (made, real)
        )
        if right is not None:
            rows.append(Quality(f"seen right, {name} (share)", right, against, floor))
    return rows


def _kinds(tiles: Monsters) -> NDArray[np.int64]:
    return tiles.kinds[:, None]


def _critic(
    pictures: Pictures, answers: NDArray[np.int64], choices: list[int], scale: float, *, mirrored: bool = False
) -> critics.Critic:
    say("training a network that names what it sees")
    steps = _scaled(critics.TRAINED_STEPS, scale)
    return critics.Critic(pictures, answers, choices, mirrored=mirrored, steps=steps)


def _recognised(
    critic: critics.Critic, made: Pictures, real: Pictures, truths: dict[str, NDArray[np.int64]], against: str
) -> list[Quality]:
    """How often the critic recognises the attributes of generated and of real sprites."""
    found = {name: critic.answers(p) == truths[name] for name, p in (("made", made), ("real", real))}
    rows = [Quality(ATTRIBUTES, float(found["made"].mean()), against, float(found["real"].mean()))]
    if len(critic.choices) > 1:  # of many attributes, most are "none"
        worn = {name: float(right[truths[name] > 0].mean()) for name, right in found.items()}
        rows.append(Quality(WORN, worn["made"], against, worn["real"]))
    return rows


def _distances(
    critic: critics.Critic, made: Pictures, held_out: Pictures, training: Pictures, against: str
) -> list[Quality]:
    """FID and KID to training sprites, with as many generated as held-out sprites."""
    say("comparing features")
    ours, floor, all_ = (critic.features(pictures) for pictures in (made, held_out, training))
    ours = ours[: len(floor)]
    measures = {FID: critics.fid, KID: critics.kid}
    return [Quality(name, f(all_, ours), against, f(all_, floor)) for name, f in measures.items()]


def _two_sample(made: Pictures, held_out: Pictures, training: Pictures, scale: float, against: str) -> list[Quality]:
    """AUC of new CNNs that tell generated from training sprites; the floor with held-out sprites."""
    say("training small CNNs to tell them apart")
    pairs = {"made": (training[: len(made)], made[: len(training)]), "floor": (training[: len(held_out)], held_out)}
    steps = _scaled(critics.TWO_SAMPLE_STEPS, scale)
    found = {
        name: np.mean([critics.two_sample_auc(*pair, len(pair[0]), seed, steps) for seed in range(TWO_SAMPLE_SEEDS)])
        for name, pair in pairs.items()
    }
    return [Quality(AUC, float(found["made"]), against, float(found["floor"]))]


def _pixels(raw: Pictures, made: Pictures, real: Pictures, against: str) -> list[Quality]:
    """Colours, alpha, stray pixels and gaps of the outline; also before the runtime repairs them (`raw`)."""

    def row(metric: str, value: float, floor: float) -> Quality:
        return Quality(metric, float(value), against, float(floor))

    return [
        row("colours, median", *(np.median(metrics.colours(p)) for p in (made, real))),
        row("pixels of partial alpha", *map(metrics.partial_alpha, (made, real))),
        row("stray pixels a picture", *map(metrics.stray_pixels, (made, real))),
        row("stray pixels a picture, before they are mended", *map(metrics.stray_pixels, (raw, real))),
        row("gaps in the outline a picture", *map(metrics.gap_pixels, (made, real))),
        row("gaps in the outline, before they are closed", *map(metrics.gap_pixels, (raw, real))),
    ]


def memorised(made: Pictures, held_out: Pictures, training: Pictures, against: str) -> list[Quality]:
    """Distances of generated sprites to the nearest training sprites, beside those of held-out sprites."""
    say("looking for the nearest training sprites")
    ours, theirs = (metrics.nearest(pictures, training)[0] for pictures in (made, held_out))
    near = float(np.quantile(theirs, NEAR))
    share = float((ours < near).mean())
    return [
        Quality(
            "distance to the nearest training sprite, median", float(np.median(ours)), against, float(np.median(theirs))
        ),
        Quality(f"nearer than {1 - NEAR:.0%} of held-out ones (share)", share, against, NEAR),
    ]


def _scaled(count: int, scale: float) -> int:
    return max(6, round(count * scale))


def say(text: str) -> None:
    """Print progress to stderr."""
    print(f"{text} ...", file=sys.stderr, flush=True)
