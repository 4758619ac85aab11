"""Variations of a map: its large forms again, with other detail.

The large forms are one height for 16 pixels. The finest level of the terrain model gets them from the levels above it,
or from a sketch. Of a map of a world they are the same place at the coarsest level of detail; of a map of a sketch they
are the sketch. So a variation is the map of a sketch, made with another seed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pcg.assets.region import Region, Runtime, from_provenance, other_version, strips
from pcg.assets.sketch import read_sketch_beside
from pcg.assets.terrain import Land
from pcg.writers.provenance import read_asset
from pcg.writers.terrain.layers import metres
from runtime.content.terrain.measures import LODS, PIXELS_PER_CELL, SKETCH_CELLS

COARSEST = LODS - 1  # level of detail; its pixels are as large as a sketch's cells


def vary_terrain(runtime: Runtime, path: Path) -> Land:
    """The land to make for a variation of a map: a sketch of its large forms, and its place in the sketch.

    `path`: the file of the map's heights, of a layer or of the preview.

    Raises:
        ValueError: the file holds no map made here, or one of another version of the model, or one that is too small or
            too large.
        OSError: the file can't be read.
        RpcError: the runtime refused a request.
    """
    asset = read_asset(path)
    made = asset.get("provenance")
    if not isinstance(made, dict) or made.get("method") not in ("terrain.chunk", "terrain.sketch"):
        raise ValueError(f"{path} holds no map made here; --vary takes a map's file")
    if (other := other_version(runtime, made)) is not None:
        raise ValueError(f"{path} was {other}; its seed means other land here")
    drawn = read_sketch_beside(path, asset)
    region = from_provenance(made, drawn)
    lod = region.params.get("lod", 0)
    window, params = (region.width, region.height), {"lod": lod}
    note = {"variation_of": {name: made[name] for name in ("model", "sha256", "method", "params")}}
    if drawn is not None:
        params |= {} if region.params.get("grain") is None else {"grain": region.params["grain"]}
        return Land(params, region.x, region.y, sketch=drawn, window=window, note=note)
    left, top = region.x % PIXELS_PER_CELL, region.y % PIXELS_PER_CELL
    width, height = (-(-(side << lod) // PIXELS_PER_CELL) for side in (region.width, region.height))
    columns, rows = width + (left > 0), height + (top > 0)
    least, most = SKETCH_CELLS
    if not least <= min(columns, rows) <= max(columns, rows) <= most:
        size = f"{region.width}x{region.height} pixels of level {lod}"
        raise ValueError(
            f"{path} has {size}, which are {columns}x{rows} large forms of {PIXELS_PER_CELL} pixels; "
            f"a variation takes {least} to {most} a side"
        )
    coarse = Region(region.method, region.params | {"lod": COARSEST}, region.x - left, region.y - top, columns, rows)
    sketch = [metres(strip.layers["height"], strip.chunk) for strip in strips(runtime, coarse, ("height",))]
    return Land(params, left, top, sketch=np.concatenate(sketch), window=window, note=note)
