"""From requests to asset files, and back: making what a designer asked for, verifying what a file claims."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track

from pcg.writers.heightmap import HeightFormat, preview, read_heightmap, write_heightmap
from pcg.writers.provenance import read_asset
from runtime.errors import RpcError

FORMATS: tuple[HeightFormat, ...] = ("png", "r16")


class Runtime(Protocol):
    """A client, or the runtime in this process."""

    def call(self, method: str, /, **params: Any) -> Any: ...


def resolve_format(out: Path, form: HeightFormat | None, *, folder: bool) -> HeightFormat:
    """The format asked for, or the one OUT's suffix names, or png for a folder.

    Raises:
        ValueError: the suffix names no format, or another than was asked for.
    """
    named = next((f for f in FORMATS if out.suffix.lower() == "." + f), None)
    if folder:
        return form or "png"
    if named is None and form is None:
        raise ValueError(f"{out}: its suffix names no format; end it in .png or .r16, or give --format")
    if named and form and named != form:
        raise ValueError(f"{out} ends in .{named}, but --format says {form}")
    return form or named or "png"


def make_terrain(
    runtime: Runtime,
    out: Path,
    seed: int,
    count: int | None,
    params: dict[str, Any],
    form: HeightFormat | None,
    *,
    preview: bool,
) -> Iterator[Path]:
    """Write one heightmap to `out`, or `count` of consecutive seeds into the folder `out`; gives each path written.

    Raises:
        ValueError: count is below one, or the format is unclear; RpcError: what the runtime refused.
    """
    if count is not None and count < 1:
        raise ValueError(f"--count {count}: at least 1")
    form = resolve_format(out, form, folder=count is not None)
    console = Console(stderr=True)
    seeds = range(seed, seed + (count or 1))
    for s in track(seeds, "terrain", console=console, disable=count is None or not sys.stderr.isatty()):
        path = out if count is None else out / f"terrain-{s}.{form}"
        yield from write_heightmap(runtime.call("terrain.chunk", seed=s, **params), path, form, with_preview=preview)


def verify_file(runtime: Runtime, path: Path) -> str | None:
    """Make an asset again and compare the decoded content; None when it is what it says, else what is wrong.

    Raises:
        ConnectionError: the server is gone.
    """
    try:
        asset = read_asset(path)
        content = read_heightmap(path, asset)
        made = asset["provenance"]
        if made["method"] != "terrain.chunk":
            return f"its provenance names the method {made['method']!r}, which makes no heightmap"
        known = runtime.call("models.describe", name=made["model"])["sha256"]
        if known != made["sha256"]:
            return f"made by {made['model']} {made['sha256'][:12]}, here that model is {known[:12]}: another version"
        chunk = runtime.call(made["method"], **made["params"])
        expected = preview(chunk) if asset["form"] == "preview" else chunk["height"]
    except ConnectionError:
        raise
    except KeyError as error:
        return f"its provenance lacks {error}"
    except (OSError, ValueError, TypeError, RpcError, Image.DecompressionBombError) as error:
        return str(error)
    if content.shape != expected.shape:
        return f"is {content.shape[1]}x{content.shape[0]}, should be {expected.shape[1]}x{expected.shape[0]}"
    differing = int(np.count_nonzero(content != expected))
    return f"{differing} of {expected.size} pixels differ" if differing else None
