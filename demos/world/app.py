"""The demo's window and loop: `run` is what `pcg demo` calls.

The loop has two phases. First it shows the progress of finding or starting a runtime; then it shows the map. The main
thread only draws: finding the runtime, fetching and shading run in other threads.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pygame

from demos.world import themes
from demos.world.camera import ZOOMS
from demos.world.explorer import VARIED, Explorer, keys_held
from demos.world.hud import MAX_SEED, draw_message
from demos.world.runtime_process import Runtime
from demos.world.streaming import METHOD, Connection, Stream
from runtime.address import Address
from runtime.errors import Code, RpcError

FRAMES_A_SECOND = 60
PATIENCE_S = 60.0  # an unattended run fails after so long without a new chunk
CALL_S = 30.0  # the timeout of one chunk
MODEL = "terrain-detail"


def run(
    seed: int = 7,
    server: Address | None = None,
    headless: bool = False,
    frames: int | None = None,
    screenshot: Path | None = None,
    size: tuple[int, int] = (1280, 800),
    style: str = VARIED,
    view: str = themes.THEMES[0],
    zoom: float = 1.0,
) -> int:
    """Explore a world in a window. With `frames` or `headless` the run is unattended.

    An unattended run draws `frames` frames, waits for all chunks in view, writes the screenshot, and ends.

    Args:
        seed: the world's.
        server: a running runtime; by default the one at 127.0.0.1:7767, or else one that is started, and stopped at the
            end.
        headless: needs no display; `frames` is 60 by default.
        frames: how many frames to draw.
        screenshot: a PNG to write; its provenance is written beside it as NAME.png.json.
        size: of the window, in screen pixels.
        style: of the land: a name, or a blend such as "alpine:0.7,lowland:0.3".
        view: the theme shown first, one of themes.THEMES.
        zoom: screen pixels for a pixel of 90 m.

    Returns:
        The exit status: 0, 1, 2 or 130.
    """
    try:
        _check(seed, frames, screenshot, size)
        _check_view(view, zoom)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if headless:
        os.environ["SDL_VIDEODRIVER"] = "dummy"
        frames = 60 if frames is None else frames
    before = _end_on_sigterm()
    runtime = Runtime(server)
    try:
        pygame.display.init()
        pygame.font.init()
        pygame.display.set_caption("pcg world")
        screen = pygame.display.set_mode(size, pygame.RESIZABLE)
        runtime.start()
        found = _wait_for_runtime(screen, runtime, attended=frames is None)
        if not isinstance(found, Address):
            return found
        with found.connect(timeout_s=CALL_S) as client:
            styles = known_styles(client, style)
        stream = Stream(lambda: found.connect(timeout_s=CALL_S))
        try:
            # An unattended run fetches only the view, so that the picture does not depend on how fast chunks arrive.
            explorer = Explorer(
                stream,
                seed,
                screen.get_size(),
                styles=styles,
                style=style,
                theme=view,
                zoom=zoom,
                ahead=frames is None,
            )
            return _explore(explorer, stream, runtime, frames, screenshot)
        finally:
            stream.close()
    except (RpcError, OSError) as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, RpcError) and error.code == Code.INVALID_PARAMS else 1
    except KeyboardInterrupt:
        return 130
    except pygame.error as error:
        print(f"no window can be shown: {error}; --headless needs none", file=sys.stderr)
        return 1
    finally:
        runtime.close()
        pygame.quit()
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def save(picture: pygame.Surface, path: Path, provenance: dict[str, Any]) -> None:
    """Write a PNG and its sidecar, both or neither. Raises OSError or pygame.error if they can't be written.

    Args:
        picture: the image.
        path: of the PNG; the sidecar is NAME.png.json.
        provenance: the sidecar's content.
    """
    partial = path.with_name(f".{path.stem}.partial.png")
    partial_sidecar = path.with_name(f".{path.stem}.partial.json")
    try:
        pygame.image.save(picture, partial)
        partial_sidecar.write_text(json.dumps(provenance, indent=1), "utf-8")
        partial_sidecar.replace(path.with_name(path.name + ".json"))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
        partial_sidecar.unlink(missing_ok=True)


def known_styles(connection: Connection, style: str) -> list[str]:
    """The styles of the runtime's model. Checks that `style` is one of them or a blend.

    Raises:
        OSError: the runtime does not respond.
        RpcError: INVALID_PARAMS for an unknown style, or any other error of the runtime.
    """
    card = connection.call("models.describe", name=MODEL)["card"]
    styles = [str(choice) for choice in card["parameters"]["style"]["choices"]]
    if style not in styles:
        connection.call(METHOD, seed=0, size=1, style=style)
    return styles


def _check(seed: int, frames: int | None, screenshot: Path | None, size: tuple[int, int]) -> None:
    """Check the arguments of `run`. Raises ValueError."""
    if not 0 <= seed <= MAX_SEED:
        raise ValueError(f"seed {seed} is not in 0..{MAX_SEED}")
    if frames is not None and frames < 1:
        raise ValueError(f"{frames} frames can't be drawn; ask for one or more")
    if min(size) < 1:
        raise ValueError(f"a window of {size[0]} by {size[1]} pixels can't be shown")
    if screenshot is not None:
        if screenshot.suffix.lower() != ".png":
            raise ValueError(f"a screenshot is a PNG; {str(screenshot)!r} does not end in .png")
        if not screenshot.absolute().parent.is_dir():
            raise ValueError(f"there is no folder {str(screenshot.absolute().parent)!r} for the screenshot")


def _check_view(view: str, zoom: float) -> None:
    if view not in themes.THEMES:
        raise ValueError(f"there is no view {view!r}; there are: {', '.join(themes.THEMES)}")
    if not ZOOMS[0] <= zoom <= ZOOMS[-1]:
        raise ValueError(f"zoom {zoom:g} is not in {ZOOMS[0]:g}..{ZOOMS[-1]:g} screen pixels a pixel of 90 m")


def _wait_for_runtime(screen: pygame.Surface, runtime: Runtime, *, attended: bool) -> Address | int:
    """Show the progress of the search. Returns the runtime's address, or the exit status if the search failed or the
    window was closed.
    """
    clock = pygame.time.Clock()
    status = 0
    while True:
        clock.tick(FRAMES_A_SECOND)
        if any(event.type == pygame.QUIT for event in pygame.event.get()):
            return status if attended else 1
        state = runtime.state
        if state.address is not None:
            return state.address
        if state.error is not None and status == 0:
            status = 1
            print(state.error, file=sys.stderr)
            if not attended:
                return status
        if state.error is None:
            draw_message(screen, state.progress)
        else:
            draw_message(screen, "There is no runtime to show a world from", state.error)
        pygame.display.flip()


def _explore(explorer: Explorer, stream: Stream, runtime: Runtime, frames: int | None, screenshot: Path | None) -> int:
    """Show the map until the window is closed or the unattended run ends. Returns the exit status."""
    clock = pygame.time.Clock()
    drawn, made, made_at = 0, 0, time.monotonic()
    while True:
        seconds = min(clock.tick(FRAMES_A_SECOND) / 1000, 0.1)
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                return 0 if frames is None else 1
            explorer.handle(event)
        hurry = bool(pygame.key.get_mods() & pygame.KMOD_SHIFT)
        explorer.update(seconds, keys_held(), hurry)
        screen = pygame.display.get_surface()
        death = runtime.death()
        explorer.draw(screen, death or "")
        pygame.display.flip()
        drawn += 1
        if explorer.screenshot_wanted:
            explorer.screenshot_wanted = False
            _take_screenshot(screen, explorer)
        if frames is None or drawn < frames:
            continue
        if explorer.complete:
            return _finish(screen, explorer, screenshot)
        status = stream.status()
        if status.made != made:
            made, made_at = status.made, time.monotonic()
        if death is not None or time.monotonic() - made_at > PATIENCE_S:
            why = death or status.trouble or f"none has arrived for {PATIENCE_S:.0f} s"
            here, visible = explorer.shown
            print(f"only {here} of the {visible} chunks in view are here: {why}", file=sys.stderr)
            return 1


def _finish(screen: pygame.Surface, explorer: Explorer, screenshot: Path | None) -> int:
    if screenshot is not None:
        try:
            save(screen, screenshot, explorer.provenance())
        except (OSError, pygame.error) as error:
            print(f"the screenshot can't be written: {error}", file=sys.stderr)
            return 1
    return 0


def _take_screenshot(screen: pygame.Surface, explorer: Explorer) -> None:
    camera = explorer.camera
    style = re.sub(r"[^\w.]+", "-", explorer.world.style)
    place = f"x{camera.x:.0f}-y{camera.y:.0f}-zoom{camera.zoom:g}"
    path = Path(f"pcg-seed{explorer.seed}-{style}-{explorer.theme}-{place}.png").absolute()
    try:
        save(screen, path, explorer.provenance())
    except (OSError, pygame.error) as error:
        explorer.note(f"The screenshot can't be written: {error}")
    else:
        explorer.note(f"Wrote {path}")


def _end_on_sigterm() -> Any:
    """Make SIGTERM end the demo as Ctrl+C does, so that it stops the runtime it started. Returns the old handler."""
    if threading.current_thread() is not threading.main_thread():
        return None
    return signal.signal(signal.SIGTERM, signal.default_int_handler)
