"""The demo's window and loop: `run` is what `pcg demo` calls.

The loop has two phases. Until a runtime is found or started it shows how far that is; then it explores. The main
thread draws and nothing else: finding, fetching and shading happen in threads of their own.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pygame

from demos.world.explorer import Explorer, keys_held
from demos.world.hud import MAX_SEED, draw_message
from demos.world.runtime_process import Address, Runtime, parse_address
from demos.world.streaming import Stream
from runtime.client import Client

FRAMES_A_SECOND = 60
PATIENCE_S = 60.0  # an unattended run gives up when no chunk has arrived for so long
CALL_S = 30.0  # how long one chunk may take


def run(
    seed: int = 7,
    server: str | None = None,
    headless: bool = False,
    frames: int | None = None,
    screenshot: Path | None = None,
    size: tuple[int, int] = (1280, 800),
) -> int:
    """Explore the world of `seed` in a window of `size` screen pixels. The exit status: 0, 1, 2 or 130.

    `server` is HOST:PORT; without it a runtime at 127.0.0.1:7767 is used, or one is started, and stopped at the end.
    With `frames` (or `headless`, which needs no display, and where 60 is the default) the run is unattended: it draws
    so many frames, waits until all that is in view has arrived, writes `screenshot` (a PNG) if asked to, and ends.
    """
    try:
        given = None if server is None else parse_address(server)
        _check(seed, frames, screenshot, size)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if headless:
        os.environ["SDL_VIDEODRIVER"] = "dummy"
        frames = 60 if frames is None else frames
    before = _end_on_sigterm()
    runtime = Runtime(given)
    try:
        pygame.display.init()
        pygame.font.init()
        pygame.display.set_caption("pcg world")
        screen = pygame.display.set_mode(size, pygame.RESIZABLE)
        runtime.start()
        found = _wait_for_runtime(screen, runtime, attended=frames is None)
        return _explore(found, runtime, seed, frames, screenshot) if isinstance(found, Address) else found
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


def save(picture: pygame.Surface, path: Path) -> None:
    """Write a PNG, whole or not at all. OSError or pygame.error if it can't be written."""
    partial = path.with_name(f".{path.stem}.partial.png")
    try:
        pygame.image.save(picture, partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _check(seed: int, frames: int | None, screenshot: Path | None, size: tuple[int, int]) -> None:
    """ValueError for what can't be done, before anything is begun."""
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


def _wait_for_runtime(screen: pygame.Surface, runtime: Runtime, *, attended: bool) -> Address | int:
    """Show how the search goes until it has an end. An exit status if it failed, or the window was closed."""
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


def _explore(address: Address, runtime: Runtime, seed: int, frames: int | None, screenshot: Path | None) -> int:
    """The second phase. The exit status."""
    stream = Stream(lambda: Client(address.host, address.port, timeout_s=CALL_S))
    try:
        screen = pygame.display.get_surface()
        # Unattended, nothing beyond the view: the picture then says the same however fast chunks come.
        explorer = Explorer(stream, seed, screen.get_size(), margin=1 if frames is None else 0)
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
                return _finish(screen, screenshot)
            status = stream.status()
            if status.made != made:
                made, made_at = status.made, time.monotonic()
            if death is not None or time.monotonic() - made_at > PATIENCE_S:
                why = death or status.trouble or f"none has arrived for {PATIENCE_S:.0f} s"
                here, visible = explorer.shown
                print(f"only {here} of the {visible} chunks in view are here: {why}", file=sys.stderr)
                return 1
    finally:
        stream.close()


def _finish(screen: pygame.Surface, screenshot: Path | None) -> int:
    if screenshot is not None:
        try:
            save(screen, screenshot)
        except (OSError, pygame.error) as error:
            print(f"the screenshot can't be written: {error}", file=sys.stderr)
            return 1
    return 0


def _take_screenshot(screen: pygame.Surface, explorer: Explorer) -> None:
    camera = explorer.camera
    path = Path(f"pcg-seed{explorer.seed}-x{camera.x:.0f}-y{camera.y:.0f}-zoom{camera.zoom:g}.png").absolute()
    try:
        save(screen, path)
    except (OSError, pygame.error) as error:
        explorer.note(f"The screenshot can't be written: {error}")
    else:
        explorer.note(f"Wrote {path}")


def _end_on_sigterm() -> Any:
    """Let SIGTERM end the demo as Ctrl+C does, or the runtime it started would be left; and the handler before."""
    if threading.current_thread() is not threading.main_thread():
        return None
    return signal.signal(signal.SIGTERM, signal.default_int_handler)
