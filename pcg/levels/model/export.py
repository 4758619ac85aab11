"""Exports a trained level model to one model file: the module, its golden vectors and its card."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch

from pcg.export import SEED_MAX, measure_golden, read_quality, read_run, run_model, write_model
from pcg.levels.corpus.custom import custom_level_game
from pcg.levels.corpus.games import Alphabet, LevelGame, find_game
from pcg.levels.model.context import Context
from pcg.levels.model.exact_lstm import ExactLSTM, TileModel
from pcg.levels.model.exact_ngram import ExactNgram
from pcg.levels.model.quantise import quantise
from pcg.levels.model.sampler import make_sampler
from pcg.levels.model.train import LevelConfig, new_network
from runtime import card as cards
from runtime.card import Card, Parameter, Training, TrainingData
from runtime.content.levels.requests import FAMILY
from runtime.engine import make_deterministic
from runtime.registry import ModelFile
from runtime.version import VERSION

CANDIDATE_MAX = 2**31 - 1
TEMPERATURES = (0, 400)  # hundredths
DEFAULT_WIDTH, DEFAULT_HEIGHT = 200, 20  # tiles, where the game's sides allow
NGRAM_LIMIT = (
    "It sees the eight tiles around that are written already, and remembers nothing. It writes no more of a count than "
    "asked for, but often fewer, and knows nothing of difficulty: those wishes take more candidates."
)
GOLDEN_SIDE = 20  # tiles; the largest side of the golden levels


def level_parameters(game: LevelGame, alphabet: Alphabet) -> dict[str, Parameter]:
    """The parameters of level requests and their ranges."""
    (narrowest, widest), (lowest, highest) = game.sides
    wide, high = max(narrowest, min(widest, DEFAULT_WIDTH)), max(lowest, min(highest, DEFAULT_HEIGHT))
    return {
        "seed": Parameter("integer", "which level", None, 0, SEED_MAX),
        "candidate": Parameter("integer", "which of the levels of a seed", 0, 0, CANDIDATE_MAX),
        "width": Parameter("integer", "tiles across", wide, narrowest, widest, unit="tiles"),
        "height": Parameter("integer", "tiles from top to bottom", high, lowest, highest, unit="tiles"),
        "difficulty": Parameter(
            "integer",
            "share of its training levels that are easier; -1 leaves it to the model",
            -1,
            -1,
            100,
            unit="%",
        ),
        **{
            f"counts.{name}": Parameter(
                "integer",
                f"how many {chars!r}, fixed ones included; -1 leaves it to the model",
                -1,
                -1,
                unit="tiles",
            )
            for name, chars in alphabet.counts.items()
        },
        "fixed": Parameter("array", "number of each tile that is given, -1 where the model is free"),
        "temperature": Parameter("integer", "how freely it writes", game.temperature, *TEMPERATURES, unit="hundredths"),
        "top_k": Parameter("integer", "only the likeliest so many tiles; 0 for all", 0, 0, len(alphabet.tiles)),
    }


def golden_calls(game: LevelGame, alphabet: Alphabet) -> list[tuple[str, list[Any]]]:
    """The calls of the golden vectors: sizes, counts, given tiles, temperatures, top_k, both ends of the seeds."""
    (narrowest, widest), (lowest, highest) = game.sides
    kinds = len(alphabet.counts)

    def call(
        seeds: list[int], width: int, height: int, difficulty: int, count: int, given: Mapping[int, int], *how: int
    ) -> tuple[str, list[Any]]:
        every = range(len(seeds))
        fixed = [[[given.get(y * width + x, -1) for x in range(width)] for y in range(height)] for _ in every]
        asked = [[count] * kinds for _ in every]
        return "forward", [seeds, list(every), width, height, [difficulty for _ in every], asked, fixed, *how]

    wide, high = min(widest, GOLDEN_SIDE), min(highest, GOLDEN_SIDE)
    last = len(alphabet.tiles) - 1
    return [
        call([7], wide, high, -1, -1, {}, 100, 0),
        call([0, SEED_MAX, 2**31 + 5], narrowest, lowest, 50, 2, {}, 100, 0),
        call([1], wide, lowest, 100, 3, {3: last, 5: 0, wide * lowest - 1: 1}, 130, 0),
        call([2], narrowest, high, 0, -1, dict.fromkeys(range(narrowest), 1), 80, 3),
    ]


def limits(game: LevelGame) -> list[str]:
    """The limits of a model, for its card."""
    rooms = "; of rooms it closes none off, but plans nothing else." if game.joined else "; it does not plan."
    return [
        "It writes levels in a style; only a solver says whether one can be completed.",
        f"Sizes it was not taught are refused: {game.sides[0][0]} to {game.sides[0][1]} tiles across, "
        f"{game.sides[1][0]} to {game.sides[1][1]} from top to bottom.",
        "It sees given tiles up to four cells and two lines ahead, and remembers what it wrote" + rooms,
        *game.limits,
    ]


def scripted(exact: TileModel, game: LevelGame, alphabet: Alphabet) -> Any:
    """The scripted module of a model file."""
    return torch.jit.script(make_sampler(exact, alphabet, by_columns=game.by_columns, joined=game.joined, due=game.due))


def renew_level(model: ModelFile, out: Path) -> Card:
    """Export the network of a model file again, with the sampler and the defaults of this version, without training.

    The card keeps its training and its training data. Its quality figures are of the old sampler, so they are left out;
    `pcg eval` measures them again.

    Raises:
        ValueError: it is no model of a built-in game; a custom game's model is exported from its run.
    """
    make_deterministic()
    if model.card.family != FAMILY:
        raise ValueError(
            f"{model.path} is a model of {model.card.family}; only those of {FAMILY} can be exported again"
        )
    about = model.card.outputs["rows"]
    if "legend" in about:
        raise ValueError(f"{model.path} is of a custom game; export it from its run")
    game, alphabet = find_game(model.card.name.removeprefix("level-")), Alphabet(about["tiles"], about["counts"])
    held = dict(torch.jit.load(io.BytesIO(model.data)).lstm.named_buffers())
    exact = ExactLSTM(*(held[name] for name in ("table", "weight", "bias", "out", "out_bias")))
    module = scripted(exact, game, alphabet)
    card = msgspec.structs.replace(
        model.card,
        version=VERSION,
        parameters=level_parameters(game, alphabet),
        quality=[],
        limits=limits(game),
        golden=measure_golden(module, golden_calls(game, alphabet)),
    )
    write_model(module, card, out)
    return card


def export_level(run: Path, out: Path) -> Card:
    """Export a run as one model file: the weights with the best validation, or the n-gram. Updates SHA256SUMS.

    Raises:
        FileNotFoundError: the run has no checkpoint.
        ValueError: it is no run of a level model, or the network can't be quantised exactly.
    """
    make_deterministic()
    model = run_model(run)
    state, options, about = read_run(run, model)
    game = custom_level_game(about) if "legend" in about else find_game(model.removeprefix("level-"))
    alphabet = Alphabet(about["tiles"], about["counts"])
    ngram = state.get("ngram")
    if ngram is None:
        network = new_network(LevelConfig(model=model, **options), len(alphabet.tiles), len(alphabet.counts))
        network.load_state_dict(state.get("best", {}).get("network", state["network"]))
        module = scripted(quantise(network.eval()), game, alphabet)
    else:
        bases = torch.from_numpy(Context(len(alphabet.tiles), len(alphabet.counts)).around_base)
        held = ExactNgram(len(alphabet.tiles), ngram["keys"], ngram["row"], ngram["table"], bases)
        module = scripted(held, game, alphabet)
    data = [TrainingData(s["name"], s["licence"], s["levels"], "levels") for s in about["sources"]]
    card = Card(
        name=game.model,
        version=VERSION,
        family=FAMILY,
        format=cards.MODULE_FORMAT,
        description=f"Levels of the {game.name} kind, written tile by tile by "
        + (
            "an LSTM: of a size, difficulty and counts asked for, around tiles that are given."
            if ngram is None
            else "an n-gram: of a size, around tiles that are given; a difficulty or counts by trying candidates."
        ),
        licence="as its training data: " + "; ".join(sorted({d.licence for d in data})),
        parameters=level_parameters(game, alphabet),
        outputs={
            "rows": {
                "dtype": "|u1",
                "unit": "tile numbers",
                "tiles": alphabet.tiles,
                "counts": dict(alphabet.counts),
                "order": "columns from the bottom up" if game.by_columns else "rows",
                **({"legend": about["legend"]} if game.custom else {}),
            }
        },
        training_data=data,
        training=Training(
            device=str(state["device"]),
            steps=state["step"],
            wall_s=round(state["wall_s"], 1),
            commit=state["commit"],
            config=options,
        ),
        quality=read_quality(run),
        limits=limits(game) if ngram is None else [*limits(game)[:-1], NGRAM_LIMIT],
        golden=measure_golden(module, golden_calls(game, alphabet)),
        credits=about["credits"],
        threads=1,  # a step is too short to parallelise: two threads are not faster, and much slower on a busy machine
    )
    write_model(module, card, out)
    return card
