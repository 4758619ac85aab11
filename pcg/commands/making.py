"""Commands that make terrain and levels, and prove what was made: terrain, level, solve, verify."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from pcg.commands.shared import (
    MAKING,
    Device,
    Force,
    Models,
    Server,
    UserError,
    app,
    open_runtime,
    report_failed,
    say,
)


@app.command(group=MAKING)
def terrain(
    out: Path,
    *,
    seed: int = 0,
    x: int = 0,
    y: int = 0,
    size: int | None = None,
    lod: int = 0,
    style: str | None = None,
    control: Literal["learned", "noise"] | None = None,
    layers: str = "height",
    rivers: bool = False,
    rivers_from: float = 25.0,
    sketch: Path | None = None,
    vary: Path | None = None,
    height_range: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    grain: float | None = None,
    tiles: str | None = None,
    naming: Literal["plain", "unity", "unreal"] = "plain",
    flip_y: bool | None = None,
    format: Literal["png", "r16", "raw", "tif", "exr", "npy"] | None = None,
    preview: bool = True,
    count: int | None = None,
    force: Force = False,
    server: Server = None,
    models: Models = None,
    device: Device = "auto",
) -> None:
    """Make a heightmap of any size: the file, a JSON sidecar and a hillshade preview (docs/formats.md).

    Large maps are written strip by strip. Interrupt it whenever you like: the same command goes on. A map that is there
    already is kept; another file is not replaced without --force.

    Examples:

        pcg terrain world.png --seed 7
        pcg terrain heights.r16 --seed 7 --x -4096 --y 512 --size 2049 --layers normal,slope
        pcg terrain islands.png --seed 7 --style archipelago --lod 2
        pcg terrain endless.tif --seed 7 --size 16384
        pcg terrain valley.tif --seed 7 --rivers --rivers-from 10
        pcg terrain unity/world.raw --seed 7 --tiles 4x4 --size 1025 --naming unity
        pcg terrain island.png --seed 7 --sketch island-32x32.png --height-range -200:1800 --grain -0.5
        pcg terrain many/ --count 50 --format r16
        pcg terrain others/ --vary world.png --count 10

    :param out: File to write (.png, .r16, .raw, .tif, .exr, .npy); with --count, a folder.
    :param seed: Which world; with --count the first of consecutive seeds.
    :param x: World pixel (90 m) of the left edge; x goes east. With --tiles and --sketch, from the sketch's left edge.
    :param y: World pixel of the top edge; y goes south. With --tiles and --sketch, from the sketch's top edge.
    :param size: Side in pixels, 1024 by default, up to 262144; with --tiles of one tile, 1025 by default (Unreal:
        1009). A sketch has its own.
    :param lod: Level of detail; 0 is 90 m a pixel, each next one twice as much.
    :param style: Kind of land: alpine, plateau, lowland, archipelago, a blend such as alpine:0.7,lowland:0.3, or
        varied, the default, which changes from place to place.
    :param control: Where the large forms come from: "learned", the default, or "noise", the classic generator.
    :param layers: What to write beside the heights, separated by commas: normal, slope, water, flow, biome, splat.
    :param rivers: Also write NAME.rivers.geojson, the rivers as lines with height, width and catchment.
    :param rivers_from: Where rivers begin: square kilometres that they drain at least, 5 to 500.
    :param sketch: Your large forms: a grey PNG, a TIFF or a .npy, one value for 16 pixels (1,440 m).
    :param vary: A map's file, to make others with the same large forms, at the same place and size: each seed has other
        detail.
    :param height_range: LOW:HIGH, the metres that black and white of the sketch stand for.
    :param grain: How fine-wrought a sketch's land is: -1, smooth, to 1, cut by every brook; by default it changes from
        place to place.
    :param tiles: COLUMNSxROWS, such as 4x4: a grid of tiles. Those of an odd side share their edges.
    :param naming: How tiles are named: plain NAME_c0_r0; unity NAME_0_0, x then z, z from the south; unreal NAME_x0_y0.
    :param flip_y: Write the southernmost row first, as Unity's raw import wants it; the default with --naming unity.
    :param format: File format; by default from OUT's suffix, else png.
    :param preview: Also write a hillshade, NAME.preview.png (of other formats NAME.SUFFIX.preview.png); never with
        --tiles.
    :param count: How many worlds, one for each seed from --seed on.
    """
    from pcg.assets.sketch import parse_height_range, read_sketch
    from pcg.assets.terrain import make_terrain
    from pcg.assets.tiles import Grid
    from pcg.assets.variation import vary_terrain

    params: dict[str, Any] = {"lod": lod}
    forms = None
    if vary is not None and not all(
        said in (None, 0) for said in (sketch, style, control, tiles, lod, x, y, size, grain)
    ):
        raise UserError(
            "a variation has its map's large forms, place, size and level: leave out --sketch, --style, --control, "
            "--grain, --tiles, --x, --y, --size and --lod"
        )
    if sketch is None:
        if height_range is not None:
            raise UserError("--height-range says how to read a --sketch; there is none")
        if grain is not None:
            raise UserError("--grain says how fine-wrought the land of a --sketch is; there is none")
        params |= {name: given for name, given in (("style", style), ("control", control)) if given is not None}
    else:
        if style is not None or control is not None:
            raise UserError("a sketch is the large forms itself: leave out --style and --control")
        if not tiles and (x or y or size is not None):
            raise UserError(
                "a sketch has its own size and place: leave out --x, --y and --size, or cut it with --tiles"
            )
        params |= {} if grain is None else {"grain": grain}
        forms = read_sketch(sketch, *(parse_height_range(height_range) if height_range else ()))
    grid = None
    if tiles is not None:
        columns, _, rows = tiles.partition("x")
        if not (columns.isdecimal() and rows.isdecimal()):
            raise UserError(f"--tiles {tiles!r}: write COLUMNSxROWS, for example 4x4")
        grid = Grid(int(columns), int(rows), size or (1009 if naming == "unreal" else 1025), naming)
    elif naming != "plain":
        raise UserError(f"--naming {naming} names tiles; add --tiles, for example --tiles 4x4")
    with open_runtime(server, models, device) as runtime:
        window, note = None, None
        if vary is not None:
            varied = vary_terrain(runtime, vary)
            forms, window, note, params = varied.sketch, varied.window, varied.note, varied.params
            x, y = varied.x, varied.y
        for path in make_terrain(
            runtime,
            out,
            seed,
            count,
            params,
            format,
            x=x,
            y=y,
            window=window,
            note=note,
            size=1024 if size is None else size,
            layers=[name.strip() for name in layers.split(",") if name.strip()],
            preview=preview,
            flip=naming == "unity" if flip_y is None else flip_y,
            grid=grid,
            sketch=forms,
            rivers_km2=rivers_from if rivers else None,
            force=force,
        ):
            print(path)


@app.command(group=MAKING)
def level(
    out: Path,
    *,
    seed: int = 0,
    game: str | None = None,
    width: int | None = None,
    height: int | None = None,
    difficulty: str | None = None,
    counts: str = "",
    fixed: Path | None = None,
    prefix: Path | None = None,
    vary: Path | None = None,
    change: float | None = None,
    require_solution: bool = True,
    temperature: float | None = None,
    candidates: int | None = None,
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
    :param width: Tiles across; by default those of the files given, else the model's.
    :param height: Tiles from top to bottom.
    :param difficulty: 0 to 1, met to 0.15, or LEAST:MOST.
    :param counts: NAME=COUNT or NAME=LEAST:MOST, separated by commas; `pcg models --json` has each model's names.
    :param fixed: Level file whose tiles stay, all but "_".
    :param prefix: Level file to go on with: the first rows, or the first columns of a game that goes left to right.
    :param vary: Level file to make others of.
    :param change: With --vary, how large a part is written anew, 0.01 to 1; 0.3 by default.
    :param require_solution: --no-require-solution gives a level that no solver has looked at.
    :param temperature: How freely the model writes, 0 to 4; by default as the model's card says.
    :param candidates: Levels to try, 64 by default.
    :param format: File formats, separated by commas; by default from OUT's suffix, else tmx.
    :param count: How many levels, one for each seed from --seed on.
    """
    from pcg.assets.levels import make_levels, parse_counts, parse_range, read_rows, summary

    params: dict[str, Any] = {"counts": parse_counts(counts), "require_solution": require_solution}
    if difficulty is not None:
        params["difficulty"] = parse_range("--difficulty", difficulty)
    failed: dict[int, str] = {}
    numbers = {"width": width, "height": height, "change": change, "temperature": temperature, "candidates": candidates}
    with open_runtime(server, models, device) as runtime:
        for name, file in (("vary", vary), ("prefix", prefix), ("fixed", fixed)):
            params[name], game = read_rows(runtime, file, game)
        params |= {name: given for name, given in {"game": game, **numbers}.items() if given is not None}
        for answer, paths in make_levels(runtime, out, params, seed, count, format, force=force, failed=failed):
            say(f"{paths[0]}: is there already" if answer is None else summary(answer))
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
        # A runtime takes seconds to import: it is opened once the file is known to hold a level.
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
            answer = runtime.call_reporting("levels.solve", report, **params)
    if json_:
        print(json.dumps(answer, indent=1))
    else:
        say(f"{file}: {answer['game']}, {answer['status']}: {answer['why']} ({answer['nodes']} nodes)")
        if answer["solution"] is not None:
            print(answer["solution"])
    if out is not None:
        solved = replace(level, rows=tuple(answer["rows"]), solution=answer["solution"])
        say(f"wrote {', '.join(map(str, write_level(out, solved)))}")
    return 0 if answer["status"] == "solved" else 1


@app.command(group=MAKING)
def verify(
    *files: Path, server: Server = None, models: Models = None, json_: Annotated[bool, Parameter("--json")] = False
) -> int:
    """Make assets again from what they say of themselves, and compare.

    Examples:

        pcg verify world.png heights.r16 heights.normal.png
        pcg verify unity/world.tiles.json
        pcg verify warehouse.tmx crypt.png
        pcg verify hero.png hero/walk_down_3.png beast.png

    :param files: Assets this project wrote, of any format, with their sidecars; NAME.tiles.json for all its tiles.
    :param json_: One JSON object a file.
    """
    from pcg.assets.levels import holds_level, verify_level
    from pcg.assets.terrain import verify_file
    from pcg.assets.verify_characters import holds_sprite, verify_sprite
    from pcg.progress import progress

    if not files:
        raise UserError("verify needs at least one file")
    failed = 0
    with open_runtime(server, models) as runtime:
        for path in files:
            with progress(path.name, None) as advance:
                if holds_sprite(path):
                    fault = verify_sprite(runtime, path)
                else:
                    fault = verify_level(runtime, path) if holds_level(path) else verify_file(runtime, path, advance)
            failed += fault is not None
            if json_:
                print(json.dumps({"file": str(path), "verified": fault is None, "fault": fault}))
            else:
                print(f"{path}: {'verified' if fault is None else 'FAILED: ' + fault}")
    return 1 if failed else 0
