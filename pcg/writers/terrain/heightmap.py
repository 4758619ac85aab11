"""Hillshades of heights, and the metadata of a terrain file."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcg.writers.terrain import layers
from pcg.writers.terrain.layers import LAYERS, Form, file_dtype

PREVIEW_SUFFIX = ".preview.png"
PREVIEW_EXAGGERATION = 2.0
ORIGIN_UNIT = "pixels of level of detail 0, of the north-western corner, x east, y south"
PREVIEW_SIDE = 2048  # pixels; the preview of a larger map shows every second, third, ... pixel

# Light from the north-west, 45 degrees high, as on maps. Constants, so that every machine gives the same shades.
_HALF, _ROOT_HALF = np.float32(0.5), np.float32(0.70710677)


def hillshade(heights: NDArray[np.floating], metres_per_pixel: float, exaggeration: float = 1.0) -> NDArray[np.uint8]:
    """Lambertian shading of heights in metres (H, W), at least 2x2, lit from the north-west; uint8 (H, W)."""
    south, east = np.gradient(heights.astype(np.float32) * np.float32(exaggeration), np.float32(metres_per_pixel))
    # x east, y south: the light's direction is (-1/2, -1/2, sqrt 1/2), a surface's normal (-east, -south, 1).
    light = ((east + south) * _HALF + _ROOT_HALF) / np.sqrt(east * east + south * south + np.float32(1))
    return (light.clip(0, 1) * np.float32(255)).astype(np.uint8)


def metres(chunk: dict[str, Any]) -> NDArray[np.float32]:
    """Heights of a chunk in metres, float32 (H, W)."""
    return layers.metres(chunk["height"], chunk)


def preview_path(out: Path) -> Path:
    """world.png -> world.preview.png, world.r16 -> world.r16.preview.png: maps in one folder have different names."""
    return out.with_name((out.stem if out.suffix.lower() == ".png" else out.name) + PREVIEW_SUFFIX)


def preview(
    blocks: Iterable[NDArray[Any]], width: int, height: int, chunk: dict[str, Any], *, flip: bool
) -> NDArray[np.uint8]:
    """The hillshade of a preview, north up, uint8, at most PREVIEW_SIDE pixels a side.

    Args:
        blocks: rows of the heights in the order of the file, uint16, or float32 metres.
        width: of the map in pixels.
        height: of the map in pixels.
        chunk: a response's metadata.
        flip: the file begins in the south.

    Raises:
        ValueError: the map is smaller than 2x2 pixels, and has no slope.
    """
    if min(width, height) < 2:
        raise ValueError("a preview needs at least 2x2 pixels; ask for a larger size, or --no-preview")
    step = preview_step(width, height)
    shown = np.empty((math.ceil(height / step), math.ceil(width / step)), np.float32)
    begin = 0
    for block in blocks:
        rows = np.arange(begin, begin + len(block))
        rows = height - 1 - rows if flip else rows
        chosen = rows % step == 0
        heights = block[chosen, ::step]
        shown[rows[chosen] // step] = heights if heights.dtype == np.float32 else layers.metres(heights, chunk)
        begin += len(block)
    return hillshade(shown, chunk["meters_per_pixel"] * step, PREVIEW_EXAGGERATION)


def preview_step(width: int, height: int) -> int:
    """The step between the pixels that a preview shows."""
    return math.ceil(max(width, height) / PREVIEW_SIDE)


def describe(layer: str, form: Form, chunk: dict[str, Any], size: tuple[int, int], *, flip: bool) -> dict[str, Any]:
    """The metadata of a layer's file. The lowest and the highest point are not known yet: a sidecar adds them.

    Args:
        layer: the layer.
        form: the file format.
        chunk: a response's metadata, with x and y of the whole map.
        size: width and height in pixels.
        flip: rows go from the south to the north.
    """
    spec = LAYERS[layer]
    about: dict[str, Any] = {
        "form": form,
        "layer": layer,
        "width": size[0],
        "height": size[1],
        "rows": "south to north" if flip else "north to south",
        "dtype": file_dtype(layer, form),
        "scale": spec.scale,
        "offset": spec.offset,
        "unit": spec.unit,
        "meters_per_pixel": chunk["meters_per_pixel"],
        "seed": chunk["provenance"]["params"].get("seed"),
        "lod": chunk["provenance"]["params"].get("lod", 0),
        "origin": {"x": chunk["x"], "y": chunk["y"], "unit": ORIGIN_UNIT},
        "provenance": chunk["provenance"],
    }
    if layer == "height":
        in_metres = form in layers.IN_METRES
        about |= {"scale": 1.0, "offset": 0.0} if in_metres else {k: chunk[k] for k in ("scale", "offset")}
    if layer == "biome":
        about["palette"] = layers.palette(chunk)
    return about
