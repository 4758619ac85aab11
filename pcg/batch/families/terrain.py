"""Maps of terrain in a batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from pcg.assets.job import Job
from pcg.assets.job import write as write_job
from pcg.assets.region import Region, Runtime, strips
from pcg.assets.terrain import Land, check_layers
from pcg.batch.families.family import Cost, Family, Made, Params, Written, about
from pcg.batch.families.recorded import Recorded
from pcg.writers.provenance import sidecar_path
from pcg.writers.terrain.heightmap import preview_path
from pcg.writers.terrain.layers import IN_METRES, LAYERS, Form
from runtime.content.checks import invalid, within
from runtime.content.terrain import requests
from runtime.content.terrain.measures import OFFSET_M, SCALE_M
from runtime.parameters import parse
from runtime.registry import Registry

LARGEST = 4096  # pixels a side: a map is in memory as a whole until it was measured
SIZE = 1024
SEA = round(-OFFSET_M / SCALE_M)  # the value of 0 m
STEEP = 30  # degrees
_STEEP_SQUARE = 1 / 3  # tan(30 degrees) squared


class MapOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`layers`: what is written beside the heights. `flip_y`: the southernmost row first."""

    format: Literal["png", "r16", "raw", "tif", "exr", "npy"] = "png"
    layers: list[str] = []
    preview: bool = True
    flip_y: bool = False


@dataclass(frozen=True)
class _Map:
    """The land that was made: its region, and a runtime that has it."""

    region: Region
    recorded: Recorded


def _check(params: Params, options: MapOptions, registry: Registry) -> list[str]:
    given = dict(params)
    size = given.pop("size", SIZE)
    if isinstance(size, int) and not isinstance(size, bool):
        within("size", size, 2 if options.preview else 1, LARGEST)
        given["size"] = min(size, 1024)
    else:
        given["size"] = size
    request = parse(given, requests.TerrainRequest)
    requests.check(request, registry.find(request.model))
    with about("layers"):
        check_layers(options.layers)
    if options.flip_y and options.format == "tif":
        raise invalid("flip_y", "a GeoTIFF begins in the north; take format r16, raw, png or npy")
    return [request.model]


def _land(params: Params) -> Land:
    rest = {name: value for name, value in params.items() if name not in ("seed", "x", "y", "size")}
    return Land({"lod": 0, **rest}, params.get("x", 0), params.get("y", 0), size=params.get("size", SIZE))


def _make(runtime: Runtime, params: Params, options: MapOptions) -> Made:
    land, recorded = _land(params), Recorded(runtime)
    assert land.size is not None
    region = land.region(params["seed"], land.size, land.size)
    wanted = check_layers(options.layers)
    parts = list(strips(recorded, region, wanted, flip=options.flip_y))
    recorded.close()
    layers = {name: np.concatenate([part.layers[name] for part in parts]) for name in {"height", "water"} & set(wanted)}
    chunk = parts[0].chunk
    made = chunk["provenance"]
    provenance = made | {"params": made["params"] | region.place}
    details = {name: chunk[name] for name in ("scale", "offset", "meters_per_pixel")} | {"size": land.size}
    if options.format in IN_METRES:
        details |= {"scale": 1.0, "offset": 0.0}
    measures = measure(layers["height"], layers.get("water"), chunk["meters_per_pixel"])
    tags = {"style": str(made["params"].get("style", "varied")), "control": str(made["params"].get("control"))}
    return Made(_Map(region, recorded), provenance, measures, tags, details)


def measure(heights: NDArray[np.uint16], water: NDArray[np.uint16] | None, metres_per_pixel: float) -> dict[str, float]:
    """The measures of heights (H, W), uint16 as on the wire, and of the depth of water if that layer is there."""
    h = heights.astype(np.int64)
    low, high = (int(np.percentile(h, q, method="lower")) for q in (5, 95))
    down, right = np.abs(np.diff(h, axis=0)), np.abs(np.diff(h, axis=1))
    rise = down[:, :-1] ** 2 + right[:-1] ** 2 if min(h.shape) > 1 else np.zeros((1, 1), np.int64)
    run = (metres_per_pixel / SCALE_M) ** 2
    steps = int(down.sum()) + int(right.sum())
    measures = {
        "minimum_m": int(h.min()) * SCALE_M + OFFSET_M,
        "maximum_m": int(h.max()) * SCALE_M + OFFSET_M,
        "mean_m": round(int(h.sum()) / h.size * SCALE_M + OFFSET_M, 2),
        "relief_m": (high - low) * SCALE_M,
        "sea": round(int((h <= SEA).sum()) / h.size, 4),
        "steep": round(int((rise >= _STEEP_SQUARE * run).sum()) / rise.size, 4),
        "roughness_m": round(steps * SCALE_M / max(1, down.size + right.size), 3),
    }
    wet = (h <= SEA) if water is None else (h <= SEA) | (water > 0)
    measures["water"] = round(int(wet.sum()) / h.size, 4)
    return measures


def _write(made: Made, path: Path, options: MapOptions) -> list[Written]:
    land = made.response
    form: Form = options.format
    out = path.with_name(f"{path.name}.{form}")
    job = Job(land.region, out, form, check_layers(options.layers), options.flip_y, options.preview, {})
    roles = {preview_path(out): "preview"}
    for layer, (file, _) in job.files.items():
        roles |= {file: "main" if layer == "height" else "layer", sidecar_path(file): "sidecar"}
    return [Written(file, roles[file]) for file in write_job(land.recorded, job, lambda _: None)]


def _cost(params: Params, options: MapOptions) -> Cost:
    pixels = params.get("size", SIZE) ** 2
    layers = [LAYERS[name] for name in options.layers if name in LAYERS and name != "height"]
    of_heights = 4.0 if options.format in IN_METRES else 2.0 if options.format in ("r16", "raw") else 1.4
    size = pixels * (of_heights + 0.6 * options.preview + sum(0.6 * one.pixel_bytes for one in layers)) + 4e3
    return Cost(size, pixels * (0.5e-6 + 0.3e-6 * len(layers)) + 0.01)


TERRAIN = Family(
    kind="terrain",
    family="terrain",
    request=requests.TerrainRequest,
    options=MapOptions,
    measures={
        "minimum_m": "the lowest point, metres",
        "maximum_m": "the highest point, metres",
        "mean_m": "the mean height, metres",
        "relief_m": "metres between the heights that 5 % and 95 % of the map are below",
        "sea": "share of the map at or below 0 m",
        "water": "share of the map that is sea, and with the layer `water` also lakes and rivers",
        "steep": f"share of the map that is steeper than {STEEP} degrees",
        "roughness_m": "mean difference in height from a pixel to the next, metres",
    },
    tags={"style": "the style asked for", "control": "learned or noise"},
    check=_check,
    make=_make,
    write=_write,
    cost=_cost,
    own=frozenset({"seed", "layers"}),
)
