"""Levels in a batch."""

from __future__ import annotations

from pathlib import Path

import msgspec

from pcg.assets.levels import METHOD, finder, resolve_suffixes
from pcg.assets.region import Runtime
from pcg.batch.families.family import Cost, Family, Made, Params, Written, about
from pcg.writers.levels.level import Level
from pcg.writers.levels.tilemap import write_level
from pcg.writers.levels.tileset import tileset_name
from runtime.content.checks import invalid
from runtime.content.levels import generate
from runtime.content.levels.requests import GenerateRequest
from runtime.parameters import parse
from runtime.registry import Registry

# Seconds of one core for a level, about: it is generated and solved until one is accepted.
SECONDS = {"sokoban": 0.05, "dungeon": 0.15, "platformer": 0.5, "runner": 0.2}


class LevelOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`formats`: the file formats, the main one first."""

    formats: list[str] = msgspec.field(default_factory=lambda: ["tmx", "png"])


def _suffixes(options: LevelOptions) -> tuple[str, ...]:
    if not options.formats:
        raise invalid("formats", "the list is empty; a level needs at least one")
    with about("formats"):
        return resolve_suffixes(Path("any"), ",".join(options.formats), folder=True)


def _check(params: Params, options: LevelOptions, registry: Registry) -> list[str]:
    _suffixes(options)
    model, _ = generate.check(parse(dict(params), GenerateRequest), registry)
    return [model.card.name]


def _make(runtime: Runtime, params: Params, options: LevelOptions) -> Made:
    del options
    response = runtime.call(METHOD, **params)
    rules = finder(runtime)(response["game"])
    rows, provenance, solution = tuple(response["rows"]), response["provenance"], response["solution"]
    level = Level(rules.name, rows, solution, provenance, None if rules.legend is None else rules)
    free = sum(row.count(rules.empty) for row in rows)
    measures = {
        "width": float(len(rows[0])),
        "height": float(len(rows)),
        "open": round(free / (len(rows) * len(rows[0])), 4),
        "candidate": float(response["candidate"]),
        "repaired": float(response["repaired"]),
        **{f"counts.{name}": float(count) for name, count in response["counts"].items()},
    }
    if response["difficulty"] is not None:
        measures["difficulty"] = round(response["difficulty"], 4)
    if solution is not None:
        measures["moves"] = float(len(solution))
    tags = {"game": response["game"], "proved": "yes" if response["proved"] else "no"}
    details = {name: response[name] for name in ("rows", "legend", "solution", "start", "goal")}
    return Made(level, provenance, measures, tags, details)


def _write(made: Made, path: Path, options: LevelOptions) -> list[Written]:
    level: Level = made.response
    tileset = tileset_name(level.rules)
    files: dict[Path, str] = {}
    for number, suffix in enumerate(_suffixes(options)):
        first, *beside = write_level(path.with_name(path.name + suffix), level)
        files[first] = "format" if number else "main"
        files |= {one: "shared" if one.name == tileset else "sidecar" for one in beside}
    return [Written(file, role) for file, role in files.items()]


def _cost(params: Params, options: LevelOptions) -> Cost:
    tries = 1.0 if params.get("difficulty") is None and not params.get("counts") else 2.5
    return Cost(7e3 * len(options.formats), tries * SECONDS.get(params.get("game", "sokoban"), 0.3))


LEVEL = Family(
    kind="level",
    family="levels",
    request=GenerateRequest,
    options=LevelOptions,
    measures={
        "difficulty": "0 to 1, as measured on the solution",
        "moves": "how many moves the solution has",
        "width": "tiles across",
        "height": "tiles from top to bottom",
        "open": "share of the tiles that are empty ground",
        "candidate": "how many candidates were rejected before",
        "repaired": "how many tiles were changed to make it solvable",
        "counts.*": "how many of each kind the level has, such as counts.boxes",
    },
    tags={"game": "the game's name", "proved": "yes or no"},
    check=_check,
    make=_make,
    write=_write,
    cost=_cost,
)
