"""Verify maps, layers, previews, rivers and sets of tiles: they are made again from their provenance and compared."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcg.assets import rivers
from pcg.assets.region import Region, Runtime, from_provenance, other_version, strips
from pcg.assets.sketch import read_sketch_beside
from pcg.assets.verify.faults import fault_of
from pcg.writers.provenance import read_asset
from pcg.writers.terrain import heightmap
from pcg.writers.terrain.layers import LAYERS, encode
from pcg.writers.terrain.rows import open_rows


def verify_map(runtime: Runtime, path: Path, advance: Callable[[int], None]) -> str | None:
    """Make a map, a layer, a preview, rivers or a set of tiles again and compare it.

    However large the map, only some rows of it are in memory at a time. `advance` is called with the pixels compared.

    Returns:
        What is wrong, or None.

    Raises:
        as `pcg.assets.verify.faults` lists, if the file is damaged.
    """
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
    return f"{differing} of {size} pixels differ" if differing else None


def _verify_tiles(runtime: Runtime, path: Path, asset: dict[str, Any], advance: Callable[[int], None]) -> str | None:
    for tile in asset["tiles"]:
        beside = path.with_name(Path(tile["file"]).name)
        if (fault := fault_of(functools.partial(verify_map, runtime, beside, advance))) is not None:
            return f"{beside.name}: {fault}"
    return None


def _compare(
    runtime: Runtime, region: Region, path: Path, asset: dict[str, Any], advance: Callable[[int], None]
) -> tuple[int, int]:
    """How many pixels of a layer differ, and how many there are."""
    layer, form, differing = asset.get("layer", "height"), asset["form"], 0
    if layer not in LAYERS:
        raise ValueError(f"it says that it holds {layer!r}, which is not a layer")
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
        raise ValueError("is not a grey picture")
    return int(np.count_nonzero(found != expected)), expected.size


def _flipped(asset: dict[str, Any]) -> bool:
    return bool(asset.get("rows") == "south to north")
