"""Commands that make models: train, export, eval."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from pcg.commands.shared import INTERRUPTED, TRAINING, Models, UserError, app, say

if TYPE_CHECKING:
    from runtime.card import Card

Measured = Literal[
    "terrain-detail",
    "character-front",
    "character-walk",
    "monster",
    "level-platformer",
    "level-sokoban",
    "level-dungeon",
    "level-runner",
]
# The training module of each family; a model's name begins with its family.
TRAINERS = {
    "terrain": "pcg.terrain.train",
    "character": "pcg.characters.train",
    "monster": "pcg.characters.train",
    "level": "pcg.levels.model.train",
}


@app.command(group=TRAINING)
def train(
    model: Literal[Measured, "terrain-coarse", "level-custom"],
    *,
    data: Path,
    out: Path | None = None,
    preset: str | None = None,
    device: str = "auto",
    steps: int | None = None,
    resume: bool = False,
    dry_run: bool = False,
) -> int:
    """Train a model: runs/NNNNN-MODEL with config.toml, stats.jsonl, samples/ and a checkpoint.

    Interrupt it whenever you like: it saves, and --resume goes on. For several processes:
    torchrun --nproc-per-node 2 -m pcg.cli train terrain-detail --data DIR --out RUN

    Examples:

        pcg train terrain-detail --data dem/ --out runs/mine
        pcg train terrain-coarse --data dem/ --out runs/coarse
        pcg train character-front --data characters/ --out runs/fronts
        pcg train terrain-detail --data dem/ --out runs/mine --resume --steps 40000
        pcg train terrain-detail --data dem/ --preset smoke --device cuda
        pcg train level-sokoban --data levels/ --out runs/sokoban
        pcg train level-custom --data mygame/ --out runs/mygame

    :param data: Folder of training data; of level-custom, text levels and a legend.json (docs/custom-games.md).
    :param out: The run's folder; by default a new numbered one in runs/.
    :param preset: Named options: "standard" (the default), or "smoke" for a few tiny steps; of a level model also
        "small", for a few minutes; of level-custom also "network" and "ngram", which decide what the model file holds.
    :param device: auto, cpu, cuda or cuda:N.
    :param steps: Steps in all; by default the preset's. The learning rate falls with them, so more steps on --resume
        also raise it again.
    :param resume: Go on with the run in --out, with its own options.
    :param dry_run: Print the resolved options and stop.
    """
    import dataclasses
    import importlib

    import torch

    from pcg.export import run_model
    from pcg.learning.loop import next_run, read_config, to_toml
    from runtime.errors import nearest

    trainer = importlib.import_module(TRAINERS[model.partition("-")[0]])
    presets = trainer.PRESETS[model]
    if preset is not None and preset not in presets:
        raise UserError(f"unknown preset {preset!r}{nearest(preset, presets)}")
    if resume:
        if out is None:
            raise UserError("--resume needs --out, the folder of the run to go on with")
        if preset is not None:
            raise UserError("--resume goes on with the run's own options; leave out --preset")
        if (trained := run_model(out)) != model:
            raise UserError(f"{out} is a run of {trained}, not of {model}")
        config = read_config(type(presets["standard"]), out)
    else:
        config = presets[preset or "standard"]
    if steps is not None:
        config = dataclasses.replace(config, steps=steps)
    folder = out or next_run(model)
    if dry_run:
        print(f"# {model}, data {data}, run {folder}, device {device}\n{to_toml(config)}", end="")
        return 0
    # Vanishing gradients are denormal, and slow on a CPU: a step took twice as long after a thousand steps. Set before
    # the first parallel work, since the worker threads inherit it.
    torch.set_flush_denormal(True)
    try:
        return 0 if trainer.train(config, data, folder, device, resume) else INTERRUPTED
    finally:
        torch.set_flush_denormal(False)


@app.command(group=TRAINING)
def export(run: Path, out: Path, *, coarse: Path | None = None) -> None:
    """Quantise a trained run and write it as one model file, its card and golden vectors inside.

    A level model's file instead of a run is written anew, with the sampler and the defaults of this version.

    Examples:

        pcg export runs/00003-terrain-detail models/terrain-detail.ts --coarse runs/00004-terrain-coarse
        pcg export runs/00005-level-sokoban models/level-sokoban.ts
        pcg export runs/00007-character-front models/character-front.ts
        pcg export old/level-dungeon.ts models/level-dungeon.ts

    :param run: Folder of a run; or a level model's file, of a folder with its SHA256SUMS.
    :param out: Model file (.ts); the SHA256SUMS of its folder is brought up to date.
    :param coarse: With a run of terrain-detail, folder of a run of terrain-coarse: both levels go into one file.
    """
    from pcg.export import run_model
    from pcg.writers.files import check_target

    if out.suffix != ".ts":
        raise UserError(f"{out}: a model file's name ends in .ts")
    check_target(out)
    if run.is_file():
        from pcg.levels.model.export import renew_level
        from runtime.registry import read_model, read_sums

        if coarse is not None:
            raise UserError(f"--coarse goes with a run of terrain-detail; {run} is a file")
        told(renew_level(read_model(run, read_sums(run.parent).get(run.name)), out), out)
        return
    trained = run_model(run)
    if coarse is not None and trained != "terrain-detail":
        raise UserError(f"--coarse goes with a run of terrain-detail; {run} is one of {trained}")
    match trained.partition("-")[0]:
        case "terrain":
            from pcg.terrain.export import export_terrain

            if coarse is None:
                raise UserError("a world has two levels: add --coarse, the folder of a run of terrain-coarse")
            card = export_terrain(run, coarse, out)
        case "level":
            from pcg.levels.model.export import export_level

            card = export_level(run, out)
        case _:
            from pcg.characters.export import export_character

            card = export_character(run, out)
    told(card, out)


def told(card: Card, out: Path) -> None:
    """Print what was written, and where."""
    megabytes = out.stat().st_size / 1e6
    say(f"{card.name}, {card.training.steps} steps, {megabytes:.2f} MB, {len(card.golden)} golden vectors")
    print(out)


@app.command(name="eval", group=TRAINING)
def evaluate(
    model: Literal[Measured, "level-custom"],
    run: Path | None = None,
    *,
    data: Path,
    models: Models = None,
    json_: Annotated[bool, Parameter("--json")] = False,
    out: Path | None = None,
    trials: Path | None = None,
    seeds: int = 500,
) -> None:
    """Measure a model against held-out real data, with the real-against-real floor beside each figure.

    Examples:

        pcg eval terrain-detail --data dem/
        pcg eval level-sokoban --data levels/
        pcg eval character-front --data characters/ --json
        pcg eval level-sokoban runs/sokoban --data levels/ --trials runs/sokoban --out runs/sokoban/quality.json
        pcg eval level-custom runs/mygame --data mygame/

    :param run: Of a level or character model, folder of a run that is measured instead of the model in --models. Of
        level-custom, it is needed.
    :param data: Folder of data; what is held out of it is used.
    :param json_: Figures as JSON.
    :param out: Also write the figures there, for `pcg export` (RUN/quality.json).
    :param trials: Of a level model: also see how many levels are proved, how soon, and how well wishes are met, which
        takes from minutes to an hour. Folder for what comes of each trial; interrupted, the same command goes on.
    :param seeds: How many levels are generated in trials, and two fifths as many for each wish.
    """
    import msgspec

    from pcg.export import registry_of
    from pcg.writers.files import replace_file
    from runtime.registry import Registry

    family = model.partition("-")[0]
    if family == "terrain":
        from pcg.terrain.evaluate import evaluate_terrain

        if run is not None or trials is not None:
            raise UserError("terrain-detail is measured as it was exported, and without trials; leave them out")
        figures = evaluate_terrain(Registry(models).find(model), data)
    elif family == "level":
        from pcg.levels.evaluation.evaluate import evaluate_level
        from pcg.levels.evaluation.trials import evaluate_trials
        from pcg.levels.model.export import export_level

        if model == "level-custom" and run is None:
            raise UserError(
                "a model of your own game is measured from its run: pcg eval level-custom RUN --data FOLDER"
            )
        with registry_of(model, models, run, export_level) as registry:
            name = model if run is None else next(iter(registry.models))  # an own game has a name of its own
            figures = evaluate_level(registry, name, data)
            if trials is not None:
                figures += evaluate_trials(registry, name, data, trials, seeds)
    else:
        from pcg.characters.evaluation.evaluate import evaluate_character
        from pcg.characters.export import export_character

        if trials is not None:
            raise UserError("only level models have trials; leave them out")
        with registry_of(model, models, run, export_character) as registry:
            figures = evaluate_character(registry.find(model), data)
    encoded = msgspec.json.format(msgspec.json.encode(figures), indent=1)
    if out is not None:
        replace_file(out, encoded)
    if json_:
        print(encoded.decode())
        return
    for f in figures:
        floor = f"{f.floor:10.3f}" if f.floor is not None else " " * 10
        print(f"{f.metric:42} {f.value:10.3f} {floor}   {f.against}")
