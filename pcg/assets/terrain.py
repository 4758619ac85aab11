"""From requests to asset files, and back: making what a designer asked for, verifying what a file claims."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pcg.assets import rivers, tiles
from pcg.assets.existing import Existing
from pcg.assets.job import Job, is_made, sketch_sha256, write
from pcg.assets.region import PIXELS_PER_CELL, Region, Runtime, from_provenance, other_version, strips
from pcg.assets.rivers import rivers_path, rivers_region, rivers_request, write_rivers
from pcg.assets.tiles import Grid
from pcg.progress import progress
from pcg.writers.files import locked, replace_file
from pcg.writers.provenance import read_asset, sidecar_path
from pcg.writers.terrain import heightmap
from pcg.writers.terrain.flat import npy_header
from pcg.writers.terrain.layers import LAYERS, SUFFIXES, Form, encode
from pcg.writers.terrain.rows import open_rows
from runtime.errors import RpcError, nearest

LARGEST = 262144  # pixels a side
SKETCH_SUFFIX = ".sketch.npy"


def resolve_form(out: Path, form: Form | None, *, folder: bool) -> Form:
    """The format asked for, or the one OUT's suffix names, or png for a folder.

    Raises:
        ValueError: the suffix names no format, or another than was asked for.
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
    """The layers asked for, the heights always and first, each once.

    Raises:
        ValueError: one is unknown.
    """
    for name in names:
        if name not in LAYERS:
            raise ValueError(f"unknown layer {name!r}{nearest(name, LAYERS)}")
    return ("height", *dict.fromkeys(n for n in names if n != "height"))


def make_terrain(
    runtime: Runtime,
    out: Path,
    seed: int,
    count: int | None,
    params: dict[str, Any],
    form: Form | None,
    *,
    x: int = 0,
    y: int = 0,
    size: int | None = None,
    layers: Sequence[str] = ("height",),
    preview: bool = True,
    flip: bool = False,
    grid: Grid | None = None,
    sketch: NDArray[np.float32] | None = None,
    window: tuple[int, int] | None = None,
    note: Mapping[str, Any] | None = None,
    rivers_km2: float | None = None,
    force: bool = False,
) -> Iterator[Path]:
    """Write one map to `out`, or `count` of consecutive seeds into the folder `out`; gives each path. A map that is
    there already is kept; with `force` it is made again, and what else is there is replaced.

    `params`: what goes into every request, such as lod. `size`: the side in pixels; a grid and a sketch have their own,
    and with a sketch x and y count from its top-left corner. `window`: width and height of the part of a sketch that is
    made, by default all. `note`: what the files say besides. A grid has no previews. `rivers_km2`: also write
    NAME.rivers.geojson, rivers that drain so much at least.

    Raises:
        ValueError: the request makes no sense, or an interrupted job is in the way; FileExistsError: something else is
            there; OSError: another process writes the map, the disk is full, …; RpcError: what the runtime refused.
    """
    if count is not None and count < 1:
        raise ValueError(f"--count {count}: at least 1")
    form = resolve_form(out, form, folder=count is not None)
    names = check_layers(layers)
    if flip and form == "tif":
        raise ValueError("--flip-y with .tif: a GeoTIFF begins in the north; take .r16, .raw, .png or .npy")
    lod = params.get("lod", 0)
    if grid:
        _check_grid(grid, form, sketch, lod, x, y)
    width, height = grid.size if grid else (size or LARGEST, size or LARGEST)
    if sketch is not None and not grid:
        width, height = window or (PIXELS_PER_CELL * cells >> lod for cells in sketch.shape[::-1])
    elif not grid and not (size is not None and 1 <= size <= LARGEST):
        raise ValueError(f"--size {size} is out of range; 1 to {LARGEST}")
    preview = preview and not grid
    if preview and min(width, height) < 2:
        raise ValueError("a preview needs at least 2x2 pixels; ask for a larger size, or --no-preview")
    method = "terrain.chunk" if sketch is None else "terrain.sketch"
    seeds = range(seed, seed + (count or 1))
    maps = []
    for s in seeds:
        path = out if count is None else out / f"terrain-{s}.{form}"
        region = Region(method, {"seed": s, **params}, x, y, width, height, sketch)
        of_sketch = {} if sketch is None else {"sketch": _about_sketch(path, sketch)}
        streams = None if rivers_km2 is None else rivers_region(region, rivers_km2)
        maps.append(_Map(Job(region, path, form, names, flip, preview, {**of_sketch, **(note or {})}), grid, streams))
    existing = Existing(runtime, force=force)
    for one in maps:
        one.look(existing)
    pixels = grid.columns * grid.rows * grid.side**2 if grid else width * height
    with progress("terrain", pixels * len(seeds)) as advance:
        for one in maps:
            with locked(one.job.out):
                yield from one.make(runtime, existing, advance)


@dataclass(frozen=True)
class _Map:
    """The heights and layers of a job, or a grid of tiles of them, and what stands beside: its sketch, its rivers."""

    job: Job
    grid: Grid | None
    streams: Region | None

    def look(self, existing: Existing) -> tuple[bool, bool, bool]:
        """Whether the map, its sketch and its rivers are there. Raises as `is_made`."""
        job, streams = self.job, self.streams
        map_made = tiles.set_is_made(job, self.grid, existing) if self.grid else is_made(job, existing)
        sketch_made = rivers_made = True
        if job.region.sketch is not None:
            sketch_made = existing.is_same(_sketch_path(job.out), _sketch_bytes(job.region.sketch))
        if streams is not None:
            path = rivers_path(job.out)
            request = functools.partial(rivers_request, streams)
            found = [existing.holds(file, request) for file in (path, sidecar_path(path))]
            rivers_made = all(found)
        return map_made, sketch_made, rivers_made

    def make(self, runtime: Runtime, existing: Existing, advance: Callable[[int], None]) -> Iterator[Path]:
        """What is not there yet; gives all paths."""
        job, grid, force = self.job, self.grid, existing.force
        map_made, sketch_made, rivers_made = self.look(existing)
        if map_made:
            region = job.region
            print(f"{job.out} is there already", file=sys.stderr)
            advance(grid.columns * grid.rows * grid.side**2 if grid else region.width * region.height)
            yield from [tiles.set_path(job.out)] if grid else job.paths()
        elif grid:
            yield from tiles.write_tiles(runtime, job, grid, advance, force=force)
        else:
            yield from write(runtime, job, advance, force=force)
        if job.region.sketch is not None:
            if not sketch_made:
                replace_file(_sketch_path(job.out), _sketch_bytes(job.region.sketch))
            yield _sketch_path(job.out)
        if self.streams is not None:
            path = rivers_path(job.out)
            yield from [path, sidecar_path(path)] if rivers_made else write_rivers(runtime, self.streams, path)


def _sketch_path(out: Path) -> Path:
    return out.with_name(out.stem + SKETCH_SUFFIX)


def _about_sketch(out: Path, sketch: NDArray[np.float32]) -> dict[str, str]:
    return {"file": _sketch_path(out).name, "sha256": sketch_sha256(sketch)}


def _sketch_bytes(sketch: NDArray[np.float32]) -> bytes:
    header = npy_header(sketch.shape[1], sketch.shape[0], "<f4")
    return header + np.ascontiguousarray(sketch, "<f4").tobytes()


def _check_grid(grid: Grid, form: Form, sketch: NDArray[np.float32] | None, lod: int, x: int, y: int) -> None:
    if not (1 <= grid.columns <= tiles.LARGEST and 1 <= grid.rows <= tiles.LARGEST):
        raise ValueError(f"--tiles {grid.columns}x{grid.rows}: 1 to {tiles.LARGEST} columns and rows")
    if not 2 <= grid.side <= LARGEST:
        raise ValueError(f"--size {grid.side} is out of range for a tile; 2 to {LARGEST}")
    if grid.naming == "unity" and form == "r16":
        raise ValueError("Unity's Terrain Toolbox finds tiles by .raw: end OUT in .raw, which holds the same as .r16")
    if sketch is None:
        return
    height, width = (PIXELS_PER_CELL * cells >> lod for cells in sketch.shape)
    left, top = x >> lod, y >> lod
    if min(x, y) < 0 or left + grid.size[0] > width or top + grid.size[1] > height:
        whole = f"{grid.columns}x{grid.rows} tiles of {grid.side} are {grid.size[0]}x{grid.size[1]} pixels"
        raise ValueError(f"{whole} from {left}, {top}, the sketch makes {width}x{height}; take fewer or smaller tiles")


def verify_file(runtime: Runtime, path: Path, advance: Callable[[int], None] = lambda _: None) -> str | None:
    """Make an asset again and compare the decoded content; None when it is what it says, else what is wrong. However
    large the asset, only some rows of it are held at a time. The sidecar of a set of tiles stands for all of them.

    Raises:
        ConnectionError: the server is gone.
    """
    try:
        asset = read_asset(path)
        if asset["form"] == "tiles":
            return _verify_tiles(runtime, path, asset, advance)
        made = asset["provenance"]
        if asset["form"] == rivers.FORM:
            return other_version(runtime, made) or rivers.verify_rivers(runtime, path, asset, advance)
        region = from_provenance(made, read_sketch_beside(path, asset))
        if (other := other_version(runtime, made)) is not None:
            return other
        compare = _compare_preview if asset["form"] == "preview" else _compare
        differing, size = compare(runtime, region, path, asset, advance)
    except ConnectionError:
        raise
    except KeyError as error:
        return f"its provenance lacks {error}"
    except (OSError, ValueError, TypeError, AttributeError, RpcError, Image.DecompressionBombError) as error:
        return str(error)
    return f"{differing} of {size} pixels differ" if differing else None


def _verify_tiles(runtime: Runtime, path: Path, asset: dict[str, Any], advance: Callable[[int], None]) -> str | None:
    for tile in asset["tiles"]:
        name = Path(tile["file"]).name
        if (fault := verify_file(runtime, path.with_name(name), advance)) is not None:
            return f"{name}: {fault}"
    return None


def read_sketch_beside(path: Path, asset: dict[str, Any]) -> NDArray[np.float32] | None:
    """The sketch that an asset was made of, from the file beside it, or None where it was made of none.

    Raises:
        ValueError: it is not there, or is another one.
    """
    if "sketch" not in asset:
        return None
    beside = path.with_name(Path(asset["sketch"]["file"]).name)
    if not beside.exists():
        raise ValueError(f"the sketch it was made of, {beside.name}, is not beside it")
    sketch: NDArray[np.float32] = np.load(beside, allow_pickle=False)
    if sketch_sha256(sketch) != asset["sketch"]["sha256"]:
        raise ValueError(f"{beside.name} beside it is another sketch than it was made of")
    return sketch


def _compare(
    runtime: Runtime, region: Region, path: Path, asset: dict[str, Any], advance: Callable[[int], None]
) -> tuple[int, int]:
    """How many pixels differ, of how many."""
    layer, form, differing = asset.get("layer", "height"), asset["form"], 0
    if layer not in LAYERS:
        raise ValueError(f"it says that it holds {layer!r}, which is no layer")
    with closing(open_rows(path, asset, (region.width, region.height))) as rows:
        for strip in strips(runtime, region, (layer,), flip=_flipped(asset), advance=advance):
            expected = encode(layer, form, strip.layers[layer], strip.chunk)
            found = rows.read(strip.rows)
            if found.shape != expected.shape:
                raise ValueError(f"holds pixels of shape {found.shape[2:]}, should hold {expected.shape[2:]}")
            unequal = found != expected
            differing += int(np.count_nonzero(unequal.any(axis=2) if unequal.ndim == 3 else unequal))
    return differing, region.width * region.height


def _compare_preview(
    runtime: Runtime, region: Region, path: Path, asset: dict[str, Any], advance: Callable[[int], None]
) -> tuple[int, int]:
    made = strips(runtime, region, ("height",), advance=advance)
    chunk: dict[str, Any] = {}

    def blocks() -> Iterator[NDArray[Any]]:
        for strip in made:
            chunk.update(strip.chunk)
            yield strip.layers["height"]

    expected = heightmap.preview(blocks(), region.width, region.height, chunk, flip=False)
    with closing(open_rows(path, asset, expected.shape[::-1])) as rows:
        found = rows.read(len(expected))
    if found.shape != expected.shape:
        raise ValueError("is no grey picture")
    return int(np.count_nonzero(found != expected)), expected.size


def _flipped(asset: dict[str, Any]) -> bool:
    return bool(asset.get("rows") == "south to north")
