"""Commands that serve models, list them and call them: serve, demo, models, call."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from pcg.commands.shared import SERVING, Device, Models, Server, UserError, address, app, open_runtime


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
    dedicated: bool | None = None,
    models_mb: int | None = None,
    workers: int | None = None,
    worker_mb: int | None = None,
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
    max_batch_ms: int | None = None,
    drain_s: float | None = None,
    until_eof: bool | None = None,
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
    :param threads: CPU threads of the engine, 1 to 4 for each core; by default all cores.
    :param dedicated: This machine has nothing else to do: nothing gives way to other programs, and threads that wait
        spin. By default they sleep, so that a game beside the runtime keeps its frames.
    :param models_mb: Memory for models, by their files: the longest unused is let go of. By default all stay.
    :param workers: Processes that solve levels, by default one a core, at most 4; 0: the engine's thread does it.
    :param worker_mb: The most memory that each may take, by default 1024.
    :param reload_s: Seconds between looks at the models folder for files that changed, by default 2; 0 never looks.
    :param token_file: Tokens, one a line, of which clients over TCP and WebSocket must give one.
    :param auth: --no-auth lets everyone ask who reaches the host.
    :param tls_cert: Certificate chain (PEM); TCP and WebSocket are then served with TLS only.
    :param tls_key: Its private key (PEM).
    :param origins: Site whose pages may use the WebSocket, such as https://game.example; again for more, * for all.
        By default pages of this machine, where --host is a loopback address.
    :param cache_mb: Memory for finished results, by default 256.
    :param cache_dir: Folder for finished results, kept over restarts.
    :param cache_dir_mb: The most that is kept there, by default 4096.
    :param max_queued: Requests of one priority that may wait for one model, by default 512.
    :param max_batch_ms: The longest that requests may be run together for, by default 500; 0 runs one at a time.
    :param drain_s: Seconds that what runs has to end when the server is told to stop, by default 30.
    :param until_eof: Stop when stdin ends, too: who starts the server and holds its stdin open does not outlive it.
    :param metrics_host: Address of --metrics-port, by default 127.0.0.1.
    :param metrics_port: HTTP port for /metrics (Prometheus), /healthz and /readyz.
    :param log: Log as text, the default, or as one JSON object a line.
    :param quiet: Log warnings only.
    :param config: TOML file of settings.
    """
    flags = {name: value for name, value in locals().items() if name != "config"}
    from runtime import sharing
    from runtime.serving import settings

    try:
        asked = settings.load(flags, os.environ, config)
    except ValueError as error:
        raise UserError(str(error)) from error
    if asked.dedicated:
        sharing.spin_while_waiting()
    from runtime.serving.process import (
        serve_until_stopped,
    )  # which imports torch, and torch reads once how its threads wait

    serve_until_stopped(asked)


@app.command(group=SERVING)
def demo(
    *,
    seed: int = 7,
    server: Server = None,
    headless: bool = False,
    frames: int | None = None,
    screenshot: Path | None = None,
    style: str = "varied",
    view: Literal["relief", "biome", "flow", "slope"] = "relief",
    zoom: float = 1.0,
) -> int:
    """Open the endless world in a window: drag, zoom, type a seed; T another style, V another view.

    Without --server it looks for a runtime on 127.0.0.1:7767, and starts one of its own if there is none.

    Examples:

        pcg demo --seed 42
        pcg demo --style archipelago --zoom 0.125
        pcg demo --server tls://game.example:7767 --token-file token
        pcg demo --headless --frames 120 --screenshot world.png

    :param seed: Which world.
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
        server=address(server),
        headless=headless,
        frames=frames,
        screenshot=screenshot,
        style=style,
        view=view,
        zoom=zoom,
    )


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
    """Dtype, shape and a few numbers of an array; all values of a small one."""
    about = {"dtype": array.dtype.str, "shape": list(array.shape)}
    if array.size <= 64:
        return about | {"values": array.tolist()}
    return about | {"minimum": array.min().item(), "maximum": array.max().item(), "mean": round(float(array.mean()), 3)}
