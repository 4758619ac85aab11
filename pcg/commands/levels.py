"""Commands that make and solve levels: level, solve."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from pcg.commands.shared import MAKING, Device, Force, Models, Server, app, open_runtime, report_failed, say


@Parameter(name="*")
@dataclass(frozen=True)
class Wishes:
    """What a level should be like.

    :param width: Tiles across; by default those of the files given, else the model's.
    :param height: Tiles from top to bottom.
    :param difficulty: 0 to 1, met to 0.15, or LEAST:MOST.
    :param counts: NAME=COUNT or NAME=LEAST:MOST, separated by commas; `pcg models --json` has each model's names.
    """

    width: int | None = None
    height: int | None = None
    difficulty: str | None = None
    counts: str = ""


@Parameter(name="*")
@dataclass(frozen=True)
class Given:
    """Level files of the user from which the new level keeps some tiles.

    :param fixed: Level file whose tiles stay, all but "_".
    :param prefix: Level file to go on with: the first rows, or the first columns of a game that goes left to right.
    :param vary: Level file to make others of.
    :param change: With --vary, how large a part is written anew, 0.01 to 1; 0.3 by default.
    """

    fixed: Path | None = None
    prefix: Path | None = None
    vary: Path | None = None
    change: float | None = None


@Parameter(name="*")
@dataclass(frozen=True)
class Search:
    """How a level is searched for.

    :param require_solution: --no-require-solution gives a level that no solver has looked at.
    :param temperature: How freely the model writes, 0 to 4; by default as the model's card says.
    :param candidates: Levels to try, 64 by default.
    """

    require_solution: bool = True
    temperature: float | None = None
    candidates: int | None = None


@app.command(group=MAKING)
def level(
    out: Path,
    *,
    seed: int = 0,
    game: str | None = None,
    wishes: Wishes = Wishes(),
    given: Given = Given(),
    search: Search = Search(),
    format: str | None = None,
    count: int | None = None,
    force: Force = False,
    server: Server = None,
    models: Models = None,
    device: Device = "auto",
) -> int:
    """Make a level that a solver has completed, with the moves (docs/levels.md).

    A level that is there already is kept: interrupt it whenever you like, the same command goes on. Another file is not
    replaced without --force. With --count, seeds of which no level came are listed at the end, and the exit code is 1.

    Examples:

        pcg level warehouse.tmx --seed 7 --game sokoban --difficulty 0.6
        pcg level crypt.png --game dungeon --width 30 --height 20 --counts enemies=3:6,items=4
        pcg level levels/ --count 20 --format ldtk,png
        pcg level more/ --vary warehouse.tmx --count 20
        pcg level around.tmx --game sokoban --fixed walls.txt

    :param out: File to write (.tmx, .tmj, .ldtk, .json, .csv, .txt, .png); with --count, a folder.
    :param seed: Which level; with --count the first of consecutive seeds.
    :param game: sokoban (the default), dungeon, platformer, runner, a game of your own (docs/custom-games.md), or
        whatever --vary, --fixed and --prefix are a level of.
    :param format: File formats, separated by commas; by default from OUT's suffix, else tmx.
    :param count: How many levels, one for each seed from --seed on.
    """
    from pcg.assets.levels import make_levels, parse_counts, parse_range, read_rows, summary

    params: dict[str, Any] = {"counts": parse_counts(wishes.counts), "require_solution": search.require_solution}
    if wishes.difficulty is not None:
        params["difficulty"] = parse_range("--difficulty", wishes.difficulty)
    numbers = {"width": wishes.width, "height": wishes.height, "change": given.change}
    numbers |= {"temperature": search.temperature, "candidates": search.candidates}
    failed: dict[int, str] = {}
    with open_runtime(server, models, device) as runtime:
        for name, file in (("vary", given.vary), ("prefix", given.prefix), ("fixed", given.fixed)):
            params[name], game = read_rows(runtime, file, game)
        params |= {name: value for name, value in {"game": game, **numbers}.items() if value is not None}
        for response, paths in make_levels(runtime, out, params, seed, count, format, force=force, failed=failed):
            say(f"{paths[0]}: is there already" if response is None else summary(response))
            for path in paths:
                print(path)
    return report_failed(failed, count)


@app.command(group=MAKING)
def solve(
    file: Path,
    *,
    game: str | None = None,
    budget: int | None = None,
    out: Path | None = None,
    json_: Annotated[bool, Parameter("--json")] = False,
    server: Server = None,
    models: Models = None,
) -> int:
    """Say whether a level can be completed, and with which moves (docs/levels.md). Exit code 1 if it isn't solved.

    Examples:

        pcg solve warehouse.txt
        pcg solve crypt.txt --game dungeon --budget 10000 --json
        pcg solve warehouse.txt --out warehouse.tmx

    :param file: A level: text (one character a tile; lines that begin with ";" are left out), .csv, .json, .tmj, .tmx,
        .ldtk, or a .png written here.
    :param game: Whose rules (docs/levels.md lists the games); by default the one that the file names, or the only one
        that has all of the level's tiles.
    :param budget: Nodes that the solver may look at; by default the game's own budget.
    :param out: Also write the level there, with its solution if there is one; the format follows from the suffix.
    :param json_: The whole answer as JSON; otherwise the moves.
    """
    import functools
    from contextlib import ExitStack
    from dataclasses import replace

    from pcg.assets.levels import finder
    from pcg.progress import reporting
    from pcg.writers.files import check_target
    from pcg.writers.levels.tilemap import check_suffix, read_level, write_level
    from runtime.content.levels.games import GAMES, find_game
    from runtime.content.levels.rules import Game, check_tiles

    if out is not None:
        check_suffix(out)
        check_target(out)
    with ExitStack() as stack:
        # A runtime takes seconds to import, so it is opened after the file was found to hold a level.
        opened = functools.cache(lambda: stack.enter_context(open_runtime(server, models)))

        def find(name: str) -> Game:
            return find_game(name) if name in GAMES else finder(opened())(name)

        level = read_level(file, game, find)
        try:
            check_tiles(level.rules, level.rows)
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from error
        runtime = opened()
        params: dict[str, Any] = {"game": level.game, "rows": list(level.rows)}
        if budget is not None:
            params["budget"] = budget
        with reporting("nodes looked at") as report:
            response = runtime.call_reporting("levels.solve", report, **params)
    if json_:
        print(json.dumps(response, indent=1))
    else:
        say(f"{file}: {response['game']}, {response['status']}: {response['why']} ({response['nodes']} nodes)")
        if response["solution"] is not None:
            print(response["solution"])
    if out is not None:
        solved = replace(level, rows=tuple(response["rows"]), solution=response["solution"])
        say(f"wrote {', '.join(map(str, write_level(out, solved)))}")
    return 0 if response["status"] == "solved" else 1
