"""The command line: one function a verb. Heavy imports are inside the functions, so that --help answers at once."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Group, Parameter

app = App(
    name="pcg",
    help="Learned procedural content for games: make terrain, serve it to an engine, train your own.",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
)
SERVING, MAKING, TRAINING = Group("Serve and look"), Group("Make assets"), Group("Train models")

Server = Annotated[
    str | None,
    Parameter(
        help="Running runtime: HOST:PORT, tls://HOST:PORT or unix:PATH; without it, this process is the runtime."
    ),
]
Models = Annotated[Path | None, Parameter(help="Models folder with its SHA256SUMS; by default the bundled models.")]
Device = Literal["auto", "cpu", "cuda"]
DEFAULT_PORT = 7767
INTERRUPTED = 130
# By a model name's first word.
TRAINERS = {
    "terrain": "pcg.terrain.train",
    "character": "pcg.characters.train",
    "monster": "pcg.characters.train",
    "level": "pcg.levels.train",
}
EXTRAS = {"pygame": "demo", "scipy": "train"}  # what an optional module is installed with


class UserError(Exception):
    """The command makes no sense as it was given; printed without a traceback, exit code 2."""


def say(text: str) -> None:
    """Progress and notes go to stderr; stdout is for data."""
    print(text, file=sys.stderr)


def parse_address(address: str) -> tuple[str, int]:
    """HOST:PORT, HOST or :PORT. Raises UserError."""
    host, _, port = address.rpartition(":") if ":" in address else (address, "", str(DEFAULT_PORT))
    host = host.strip("[]")  # [::1]:7767
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise UserError(f"--server {address!r}: {port!r} is no port; write HOST:PORT, for example 127.0.0.1:7767")
    return host or "127.0.0.1", int(port)


def open_runtime(server: str | None, models: Path | None = None, device: Device = "auto") -> Any:
    """A runtime to call: the server's client, or this process. Use as a context manager."""
    if server is not None:
        return _connect(server)
    from runtime.local import Local

    return Local(models, device)


def _connect(server: str) -> Any:
    """A client of HOST:PORT, tls://HOST:PORT or unix:PATH. The environment's PCG_TOKEN is given to it."""
    import os
    import ssl

    from runtime.client import Client

    token = os.environ.get("PCG_TOKEN")
    if server.startswith("unix:"):
        return Client(unix=server.removeprefix("unix:"), timeout_s=600, token=token)
    tls = ssl.create_default_context() if server.startswith("tls://") else None
    host, port = parse_address(server.removeprefix("tls://"))
    return Client(host, port, timeout_s=600, tls=tls, token=token)


@app.command(group=SERVING)
def serve(
    *,
    host: str | None = None,
    port: int | None = None,
    unix: Path | None = None,
    websocket_port: int | None = None,
    models: Models = None,
    device: Device | None = None,
    threads: int | None = None,
    models_mb: int | None = None,
    reload_s: float | None = None,
    token_file: Path | None = None,
    auth: bool | None = None,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    origins: Annotated[list[str] | None, Parameter(name="--origin", negative="")] = None,
    cache_mb: int | None = None,
    cache_dir: Path | None = None,
    cache_dir_mb: int | None = None,
    max_queued: int | None = None,
    drain_s: float | None = None,
    metrics_host: str | None = None,
    metrics_port: int | None = None,
    log: Literal["text", "json"] | None = None,
    quiet: bool | None = None,
    config: Path | None = None,
) -> None:
    """Serve the models over MessagePack-RPC until interrupted (docs/protocol.md, docs/operations.md).

    Every flag can stand in a TOML file (`port = 9000`, and limits in a table `[limits]`) and in the environment
    (PCG_SERVE_PORT=9000); flags go before the environment, and that before the file.

    Examples:

        pcg serve
        pcg serve --port 9000 --threads 2
        pcg serve --unix /run/pcg/pcg.sock --cache-dir /var/cache/pcg
        pcg serve --host 0.0.0.0 --token-file tokens --tls-cert cert.pem --tls-key key.pem
        pcg serve --websocket-port 7768 --origin https://game.example
        pcg serve --config serve.toml

    :param host: Address to listen on, by default 127.0.0.1. One that others reach needs --token-file.
    :param port: TCP port, by default 7767; 0 picks a free one, which is printed.
    :param unix: Also listen on this Unix socket, for your user alone.
    :param websocket_port: Also listen for WebSocket on this port.
    :param device: auto, the default, is the CPU; cuda is a GPU.
    :param threads: CPU threads of the engine; by default all cores.
    :param models_mb: Memory for models, by their files: the longest unused is let go of. By default all stay.
    :param reload_s: Seconds between looks at the models folder for files that changed, by default 2; 0 never looks.
    :param token_file: Tokens, one a line, of which clients over TCP and WebSocket must give one.
    :param auth: --no-auth lets everyone ask who reaches the host.
    :param tls_cert: Certificate chain (PEM); TCP and WebSocket are then served with TLS only.
    :param tls_key: Its private key (PEM).
    :param origins: Site whose pages may use the WebSocket, such as https://game.example; again for more, * for all.
    :param cache_mb: Memory for finished results, by default 256.
    :param cache_dir: Folder for finished results, kept over restarts.
    :param cache_dir_mb: The most that is kept there, by default 4096.
    :param max_queued: Requests of one priority that may wait for one model, by default 512.
    :param drain_s: Seconds that what runs has to end when the server is told to stop, by default 30.
    :param metrics_host: Address of --metrics-port, by default 127.0.0.1.
    :param metrics_port: HTTP port for /metrics (Prometheus), /healthz and /readyz.
    :param log: Log as text, the default, or as one JSON object a line.
    :param quiet: Log warnings only.
    :param config: TOML file of settings.
    """
    flags = {name: value for name, value in locals().items() if name != "config"}
    import os

    from runtime import settings
    from runtime.serving import serve_until_stopped

    try:
        asked = settings.load(flags, os.environ, config)
    except ValueError as error:
        raise UserError(str(error)) from error
    serve_until_stopped(asked)


@app.command(group=SERVING)
def demo(
    *,
    seed: int = 7,
    server: str | None = None,
    headless: bool = False,
    frames: int | None = None,
    screenshot: Path | None = None,
    style: str = "varied",
    view: Literal["relief", "biome", "flow", "slope"] = "relief",
    zoom: float = 1.0,
) -> int:
    """Open the endless world in a window: drag, zoom, type a seed; T another style, V another view.

    Examples:

        pcg demo --seed 42
        pcg demo --style archipelago --zoom 0.125
        pcg demo --headless --frames 120 --screenshot world.png

    :param seed: Which world.
    :param server: HOST:PORT of a running runtime; without it the demo looks on 127.0.0.1:7767, then starts its own.
    :param headless: No window; for tests and screenshots.
    :param frames: Frames to draw before closing.
    :param screenshot: PNG of the last frame.
    :param style: Kind of land, as for pcg terrain.
    :param view: What is drawn first.
    :param zoom: Screen pixels for one of 90 m, 0.0625 to 4.
    """
    from demos.world.app import run

    return run(
        seed=seed,
        server=server,
        headless=headless,
        frames=frames,
        screenshot=screenshot,
        style=style,
        view=view,
        zoom=zoom,
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
    sketch: Path | None = None,
    height_range: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    tiles: str | None = None,
    naming: Literal["plain", "unity", "unreal"] = "plain",
    flip_y: bool | None = None,
    format: Literal["png", "r16", "raw", "tif", "npy"] | None = None,
    preview: bool = True,
    count: int | None = None,
    server: Server = None,
    models: Models = None,
    device: Device = "auto",
) -> None:
    """Make a heightmap of any size: the file, a JSON sidecar and a hillshade preview (docs/formats.md).

    Large maps are written strip by strip. Interrupt it whenever you like: the same command goes on.

    Examples:

        pcg terrain world.png --seed 7
        pcg terrain heights.r16 --seed 7 --x -4096 --y 512 --size 2049 --layers normal,slope
        pcg terrain islands.png --seed 7 --style archipelago --lod 2
        pcg terrain endless.tif --seed 7 --size 16384
        pcg terrain unity/world.raw --seed 7 --tiles 4x4 --size 1025 --naming unity
        pcg terrain island.png --seed 7 --sketch island-32x32.png --height-range -200:1800
        pcg terrain many/ --count 50 --format r16

    :param out: File to write (.png, .r16, .raw, .tif, .npy); with --count, a folder.
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
    :param sketch: Your large forms: a grey PNG, a TIFF or a .npy, one value for 16 pixels (1,440 m).
    :param height_range: LOW:HIGH, the metres that black and white of the sketch stand for.
    :param tiles: COLUMNSxROWS, such as 4x4: a grid of tiles. Those of an odd side share their edges.
    :param naming: How tiles are named: plain NAME_c0_r0; unity NAME_0_0, x then z, z from the south; unreal NAME_x0_y0.
    :param flip_y: Write the southernmost row first, as Unity's raw import wants it; the default with --naming unity.
    :param format: File format; by default from OUT's suffix, else png.
    :param preview: Also write NAME.preview.png, a hillshade; never with --tiles.
    :param count: How many worlds, one for each seed from --seed on.
    """
    from pcg.assets import make_terrain
    from pcg.sketch import parse_height_range, read_sketch
    from pcg.tiles import Grid

    params: dict[str, Any] = {"lod": lod}
    forms = None
    if sketch is None:
        if height_range is not None:
            raise UserError("--height-range says how to read a --sketch; there is none")
        params |= {name: given for name, given in (("style", style), ("control", control)) if given is not None}
    else:
        if style is not None or control is not None:
            raise UserError("a sketch is the large forms itself: leave out --style and --control")
        if not tiles and (x or y or size is not None):
            raise UserError(
                "a sketch has its own size and place: leave out --x, --y and --size, or cut it with --tiles"
            )
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
        for path in make_terrain(
            runtime,
            out,
            seed,
            count,
            params,
            format,
            x=x,
            y=y,
            size=1024 if size is None else size,
            layers=[name.strip() for name in layers.split(",") if name.strip()],
            preview=preview,
            flip=naming == "unity" if flip_y is None else flip_y,
            grid=grid,
            sketch=forms,
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
    server: Server = None,
    models: Models = None,
    device: Device = "auto",
) -> None:
    """Make a level that a solver has completed, with the moves (docs/levels.md).

    Examples:

        pcg level warehouse.tmx --seed 7 --game sokoban --difficulty 0.6
        pcg level crypt.png --game dungeon --width 30 --height 20 --counts enemies=3:6,items=4
        pcg level levels/ --count 20 --format ldtk
        pcg level more/ --vary warehouse.tmx --count 20
        pcg level around.tmx --game sokoban --fixed walls.txt

    :param out: File to write (.tmx, .tmj, .ldtk, .json, .csv, .txt, .png); with --count, a folder.
    :param seed: Which level; with --count the first of consecutive seeds.
    :param game: sokoban (the default), dungeon or platformer, or whatever --vary, --fixed and --prefix are a level of.
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
    :param format: File format; by default from OUT's suffix, else tmx.
    :param count: How many levels, one for each seed from --seed on.
    """
    from pcg.levels.make import make_levels, parse_counts, parse_range, read_rows, summary

    params: dict[str, Any] = {"counts": parse_counts(counts), "require_solution": require_solution}
    for name, file in (("vary", vary), ("prefix", prefix), ("fixed", fixed)):
        params[name], game = read_rows(file, game)
    if difficulty is not None:
        params["difficulty"] = parse_range("--difficulty", difficulty)
    numbers = {"width": width, "height": height, "change": change, "temperature": temperature, "candidates": candidates}
    params |= {name: given for name, given in {"game": game, **numbers}.items() if given is not None}
    with open_runtime(server, models, device) as runtime:
        for answer, paths in make_levels(runtime, out, params, seed, count, format):
            say(summary(answer))
            for path in paths:
                print(path)


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
    from dataclasses import replace

    from pcg.writers.tilemap import check_suffix, read_level, write_level

    if out is not None:
        check_suffix(out)
    level = read_level(file, game)
    params: dict[str, Any] = {"game": level.game, "rows": list(level.rows)}
    if budget is not None:
        params["budget"] = budget
    with open_runtime(server, models) as runtime:
        answer = runtime.call("levels.solve", **params)
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

    :param files: Assets this project wrote, of any format, with their sidecars; NAME.tiles.json for all its tiles.
    :param json_: One JSON object a file.
    """
    from pcg.assets import verify_file
    from pcg.levels.make import holds_level, verify_level
    from pcg.progress import progress

    if not files:
        raise UserError("verify needs at least one file")
    failed = 0
    with open_runtime(server, models) as runtime:
        for path in files:
            with progress(path.name, None) as advance:
                fault = verify_level(runtime, path) if holds_level(path) else verify_file(runtime, path, advance)
            failed += fault is not None
            if json_:
                print(json.dumps({"file": str(path), "verified": fault is None, "fault": fault}))
            else:
                print(f"{path}: {'verified' if fault is None else 'FAILED: ' + fault}")
    return 1 if failed else 0


@app.command(group=SERVING)
def models(*, models: Models = None, json_: Annotated[bool, Parameter("--json")] = False) -> None:
    """List the model files, and those that are refused with the reason.

    :param json_: The whole cards, as JSON.
    """
    from runtime import card as cards
    from runtime.registry import Registry

    registry = Registry(models)
    if json_:
        listed = [{"sha256": m.sha256, "path": str(m.path), **cards.to_dict(m.card)} for m in registry.models.values()]
        print(json.dumps({"models": listed, "refused": registry.refused}, indent=1))
        return
    for model in registry.models.values():
        card = model.card
        print(f"{card.name} {card.version}  {card.family}, {len(model.data) / 1e6:.2f} MB, sha256 {model.sha256[:12]}")
        print(f"  {card.description}")
        print(f"  licence: {card.licence}")
        for figure in card.quality:
            floor = f" (real against real: {figure.floor:g})" if figure.floor is not None else ""
            print(f"  {figure.metric}: {figure.value:g} against {figure.against}{floor}")
    for name, reason in registry.refused.items():
        print(f"{name}: REFUSED: {reason}")


@app.command(group=SERVING)
def call(method: str, params: str = "{}", *, server: Server = None, models: Models = None) -> None:
    """Call one method and print its result as JSON; arrays are summarised.

    Examples:

        pcg call server.health --server 127.0.0.1:7767
        pcg call terrain.chunk '{"seed": 7, "x": 0, "y": 0, "size": 16}'

    :param method: Name of the method; docs/protocol.md lists them.
    :param params: Its parameters, one JSON object.
    """
    try:
        given = json.loads(params)
    except json.JSONDecodeError as error:
        raise UserError(f"PARAMS is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise UserError(f"PARAMS must be one JSON object, such as '{{\"seed\": 7}}', not {params}")
    with open_runtime(server, models) as runtime:
        print(json.dumps(runtime.call(method, **given), indent=1, default=_summary))


def _summary(array: Any) -> dict[str, Any]:
    """An array in a few numbers; a small one whole."""
    about = {"dtype": array.dtype.str, "shape": list(array.shape)}
    if array.size <= 64:
        return about | {"values": array.tolist()}
    return about | {"minimum": array.min().item(), "maximum": array.max().item(), "mean": round(float(array.mean()), 3)}


@app.command(group=TRAINING)
def train(
    model: Literal[
        "terrain-detail",
        "terrain-coarse",
        "character-front",
        "character-walk",
        "monster",
        "level-platformer",
        "level-sokoban",
        "level-dungeon",
        "level-runner",
    ],
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

    :param data: Folder of training data.
    :param out: The run's folder; by default a new numbered one in runs/.
    :param preset: Named options: "standard" (the default), or "smoke" for a few tiny steps; of a level model also
        "small", for a few minutes.
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
    from pcg.learning.loop import next_run, to_toml
    from runtime.errors import did_you_mean

    trainer = importlib.import_module(TRAINERS[model.partition("-")[0]])
    presets = trainer.PRESETS[model]
    if preset is not None and preset not in presets:
        near = did_you_mean(preset, presets) or f"; there are: {', '.join(presets)}"
        raise UserError(f"unknown preset {preset!r}{near}")
    if resume:
        if out is None:
            raise UserError("--resume needs --out, the folder of the run to go on with")
        if preset is not None:
            raise UserError("--resume goes on with the run's own options; leave out --preset")
        if (trained := run_model(out)) != model:
            raise UserError(f"{out} is a run of {trained}, not of {model}")
        config = trainer.read_config(out)
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

    Examples:

        pcg export runs/00003-terrain-detail models/terrain-detail.ts --coarse runs/00004-terrain-coarse
        pcg export runs/00005-level-sokoban models/level-sokoban.ts
        pcg export runs/00007-character-front models/character-front.ts

    :param run: Folder of a run.
    :param out: Model file (.ts); the SHA256SUMS of its folder is brought up to date.
    :param coarse: With a run of terrain-detail, folder of a run of terrain-coarse: both levels go into one file.
    """
    from pcg.export import run_model

    if out.suffix != ".ts":
        raise UserError(f"{out}: a model file's name ends in .ts")
    if run_model(run).startswith("level-"):
        from pcg.levels.export import export_level

        if coarse is not None:
            raise UserError(f"--coarse goes with a run of terrain-detail; {run} is one of {run_model(run)}")
        card = export_level(run, out)
    elif run_model(run).startswith(("character-", "monster")):
        from pcg.characters.export import export_character

        if coarse is not None:
            raise UserError(f"--coarse goes with a run of terrain-detail; {run} is one of {run_model(run)}")
        card = export_character(run, out)
    else:
        from pcg.terrain.export import export_terrain

        if coarse is None:
            raise UserError("a world has two levels: add --coarse, the folder of a run of terrain-coarse")
        card = export_terrain(run, coarse, out)
    megabytes = out.stat().st_size / 1e6
    say(f"{card.name}, {card.training.steps} steps, {megabytes:.2f} MB, {len(card.golden)} golden vectors")
    print(out)


@app.command(name="eval", group=TRAINING)
def evaluate(
    model: Literal["terrain-detail"],
    *,
    data: Path,
    models: Models = None,
    json_: Annotated[bool, Parameter("--json")] = False,
    out: Path | None = None,
) -> None:
    """Measure a model against held-out real data, with the real-against-real floor beside each figure.

    Examples:

        pcg eval terrain-detail --data dem/

    :param data: Folder of data; its validation regions are used.
    :param json_: Figures as JSON.
    :param out: Also write the figures there, for `pcg export` (RUN/quality.json).
    """
    import msgspec

    from pcg.terrain.evaluate import evaluate_terrain
    from pcg.writers.files import replace_file
    from runtime.registry import Registry

    figures = evaluate_terrain(Registry(models).find(model), data)
    encoded = msgspec.json.format(msgspec.json.encode(figures), indent=1)
    if out is not None:
        replace_file(out, encoded)
    if json_:
        print(encoded.decode())
        return
    for f in figures:
        floor = f"{f.floor:10.3f}" if f.floor is not None else " " * 10
        print(f"{f.metric:42} {f.value:10.3f} {floor}   {f.against}")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exits 0, 1 (failed), 2 (wrong usage) or 130 (interrupted)."""
    try:
        result = app(arguments, exit_on_error=False, print_error=True, result_action="return_value")
        status = result if isinstance(result, int) else 0
    except KeyboardInterrupt:
        say("interrupted")
        status = INTERRUPTED
    except BrokenPipeError:
        status = 1
    except Exception as error:
        status = _report(error)
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # what reads our output, such as `head`, has had enough: that needs no words
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


def _report(error: Exception) -> int:
    """Print what the user can mend in one line; anything else is ours, and keeps its traceback."""
    from cyclopts import CycloptsError

    from runtime.errors import RpcError

    if isinstance(error, CycloptsError):
        return 2
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
        extra = EXTRAS[error.name]
        say(f"pcg: this needs {error.name}, which the extra {extra!r} brings: pip install 'pcg-plugin[{extra}]'")
        return 1
    if isinstance(error, UserError | RpcError | OSError | ValueError):
        say(f"pcg: {error}")
        return 2 if isinstance(error, UserError) else 1
    raise error


if __name__ == "__main__":
    main()
