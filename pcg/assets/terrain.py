"""Maps from requests to files: which land, which files, and what is there already."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcg.assets import tiles
from pcg.assets.existing import Existing
from pcg.assets.job import Job, is_made, write
from pcg.assets.region import Region, Runtime
from pcg.assets.rivers import rivers_path, rivers_region, rivers_request, write_rivers
from pcg.assets.sketch import sketch_bytes, sketch_path, sketch_sha256
from pcg.assets.tiles import Grid
from pcg.progress import progress
from pcg.writers.files import locked, replace_file
from pcg.writers.provenance import sidecar_path
from pcg.writers.terrain.layers import LAYERS, SUFFIXES, Form
from runtime.content.terrain.measures import PIXELS_PER_CELL
from runtime.errors import nearest

LARGEST = 262144  # pixels a side


def resolve_form(out: Path, form: Form | None, *, folder: bool) -> Form:
    """The file format: `form`, or the one that OUT's suffix names, or png for a folder.

    Raises:
        ValueError: the suffix names no format, or not the one asked for.
    """
    named = SUFFIXES.get(out.suffix.lower())
    if folder:
        return form or "png"
    if named is None and form is None:
        raise ValueError(
            f"{out}: its suffix names no format; end it in .png or .r16 (or .raw, .tif, .exr, .npy), or give --format"
        )
    if named and form and named != form:
        raise ValueError(f"{out} ends in {out.suffix}, but --format says {form}")
    return form or named or "png"


def check_layers(names: Sequence[str]) -> tuple[str, ...]:
    """The layers to write, each once, "height" always and first.

    Raises:
        ValueError: a layer is unknown.
    """
    for name in names:
        if name not in LAYERS:
            raise ValueError(f"unknown layer {name!r}{nearest(name, LAYERS)}")
    return ("height", *dict.fromkeys(n for n in names if n != "height"))


@dataclass(frozen=True)
class Land:
    """The land that a map shows: of a world, or of a sketch.

    `params`: what every request says besides seed and place, such as lod. `x`, `y`: the north-western corner in pixels
    of level of detail 0, of the world or of the sketch. `size`: the side of a map of a world, in pixels of its level.
    `sketch`: heights in metres, float32 (H, W). `window`: width and height of the part of a sketch, in pixels of its
    level; None is all of it. `note`: what the files say besides.
    """

    params: Mapping[str, Any]
    x: int = 0
    y: int = 0
    size: int | None = None
    sketch: NDArray[np.float32] | None = None
    window: tuple[int, int] | None = None
    note: Mapping[str, Any] = field(default_factory=dict)

    @property
    def lod(self) -> int:
        """The level of detail."""
        return int(self.params.get("lod", 0))

    def region(self, seed: int, width: int, height: int) -> Region:
        """The region that a seed's map shows, of a size in pixels of its level."""
        method = "terrain.chunk" if self.sketch is None else "terrain.sketch"
        return Region(method, {"seed": seed, **self.params}, self.x, self.y, width, height, self.sketch)


@dataclass(frozen=True)
class Output:
    """The files that a map is written to.

    `form`: the file format; None takes what OUT's suffix names. `layers`: what is written beside the heights.
    `preview`: also write a hillshade, but not of tiles. `flip`: rows from the south. `grid`: the tiles that the map is
    cut into. `rivers_km2`: also write the rivers that drain at least so much.
    """

    form: Form | None = None
    layers: Sequence[str] = ()
    preview: bool = True
    flip: bool = False
    grid: Grid | None = None
    rivers_km2: float | None = None


def make_terrain(
    runtime: Runtime, out: Path, land: Land, output: Output, seed: int, count: int | None = None, *, force: bool = False
) -> Iterator[Path]:
    """Write one map to `out`, or `count` maps of consecutive seeds into the folder `out`; yields each path.

    A map that is there already is kept; with `force` it is made again, and what else is there is replaced.

    Args:
        runtime: what makes the land.
        out: the file of the heights, or with `count` a folder.
        land: what the maps show.
        output: which files are written.
        seed: of the map, or of the first map.
        count: how many maps.
        force: replace what is there.

    Raises:
        ValueError: the request makes no sense, or an interrupted job is in the way.
        FileExistsError: something else is there.
        OSError: another process writes the map, the disk is full, ...
        RpcError: what the runtime refused.
    """
    if count is not None and count < 1:
        raise ValueError(f"--count {count}: at least 1")
    form = resolve_form(out, output.form, folder=count is not None)
    layers = check_layers(output.layers)
    if output.flip and form == "tif":
        raise ValueError("--flip-y with .tif: a GeoTIFF begins in the north; take .r16, .raw, .png or .npy")
    grid = output.grid
    if grid:
        _check_grid(grid, form, land)
    width, height = _size(land, grid)
    preview = output.preview and not grid
    if preview and min(width, height) < 2:
        raise ValueError("a preview needs at least 2x2 pixels; ask for a larger size, or --no-preview")
    seeds = range(seed, seed + (count or 1))
    maps = []
    for s in seeds:
        path = out if count is None else out / f"terrain-{s}.{form}"
        region = land.region(s, width, height)
        of_sketch = {} if land.sketch is None else {"sketch": _about_sketch(path, land.sketch)}
        streams = None if output.rivers_km2 is None else rivers_region(region, output.rivers_km2)
        job = Job(region, path, form, layers, output.flip, preview, {**of_sketch, **land.note})
        maps.append(_Map(job, grid, streams))
    existing = Existing(runtime, force=force)
    for one in maps:
        one.look(existing)
    pixels = grid.columns * grid.rows * grid.side**2 if grid else width * height
    with progress("terrain", pixels * len(seeds)) as advance:
        for one in maps:
            with locked(one.job.out):
                yield from one.make(runtime, existing, advance)


def _size(land: Land, grid: Grid | None) -> tuple[int, int]:
    """Width and height of the map in pixels of its level.

    Raises:
        ValueError: the size asked for is out of range.
    """
    if grid:
        return grid.size
    if land.sketch is not None:
        height, width = (PIXELS_PER_CELL * cells >> land.lod for cells in land.sketch.shape)
        return land.window or (width, height)
    if land.size is None or not 1 <= land.size <= LARGEST:
        raise ValueError(f"--size {land.size} is out of range; 1 to {LARGEST}")
    return land.size, land.size


@dataclass(frozen=True)
class _Map:
    """A job, or a grid of tiles of it, with its sketch and its rivers. `streams`: the region of the rivers, if any."""

    job: Job
    grid: Grid | None
    streams: Region | None

    def look(self, existing: Existing) -> tuple[bool, bool, bool]:
        """Whether the map, its sketch and its rivers are there already. Raises the same errors as `is_made`."""
        job, streams = self.job, self.streams
        map_made = tiles.set_is_made(job, self.grid, existing) if self.grid else is_made(job, existing)
        sketch_made = rivers_made = True
        if job.region.sketch is not None:
            sketch_made = existing.is_same(sketch_path(job.out), sketch_bytes(job.region.sketch))
        if streams is not None:
            path = rivers_path(job.out)
            request = functools.partial(rivers_request, streams)
            found = [existing.holds(file, request) for file in (path, sidecar_path(path))]
            rivers_made = all(found)
        return map_made, sketch_made, rivers_made

    def make(self, runtime: Runtime, existing: Existing, advance: Callable[[int], None]) -> Iterator[Path]:
        """Make what is not there yet; yields all paths."""
        job, grid, force = self.job, self.grid, existing.force
        map_made, sketch_made, rivers_made = self.look(existing)
        if map_made:
            region = job.region
            print(f"{job.out} is there already", file=sys.stderr)
            advance(grid.columns * grid.rows * grid.side**2 if grid else region.width * region.height)
            yield from [tiles.set_path(job.out)] if grid else job.paths
        elif grid:
            yield from tiles.write_tiles(runtime, job, grid, advance, force=force)
        else:
            yield from write(runtime, job, advance, force=force)
        if job.region.sketch is not None:
            if not sketch_made:
                replace_file(sketch_path(job.out), sketch_bytes(job.region.sketch))
            yield sketch_path(job.out)
        if self.streams is not None:
            path = rivers_path(job.out)
            yield from [path, sidecar_path(path)] if rivers_made else write_rivers(runtime, self.streams, path)


def _about_sketch(out: Path, sketch: NDArray[np.float32]) -> dict[str, str]:
    return {"file": sketch_path(out).name, "sha256": sketch_sha256(sketch)}


def _check_grid(grid: Grid, form: Form, land: Land) -> None:
    """Raise ValueError if the land can't be cut into the grid's tiles."""
    if not (1 <= grid.columns <= tiles.LARGEST and 1 <= grid.rows <= tiles.LARGEST):
        raise ValueError(f"--tiles {grid.columns}x{grid.rows}: 1 to {tiles.LARGEST} columns and rows")
    if not 2 <= grid.side <= LARGEST:
        raise ValueError(f"--size {grid.side} is out of range for a tile; 2 to {LARGEST}")
    if grid.naming == "unity" and form == "r16":
        raise ValueError("Unity's Terrain Toolbox finds tiles by .raw: end OUT in .raw, which holds the same as .r16")
    if land.sketch is None:
        return
    height, width = (PIXELS_PER_CELL * cells >> land.lod for cells in land.sketch.shape)
    left, top = land.x >> land.lod, land.y >> land.lod
    if min(land.x, land.y) < 0 or left + grid.size[0] > width or top + grid.size[1] > height:
        whole = f"{grid.columns}x{grid.rows} tiles of {grid.side} are {grid.size[0]}x{grid.size[1]} pixels"
        raise ValueError(f"{whole} from {left}, {top}, the sketch makes {width}x{height}; take fewer or smaller tiles")
