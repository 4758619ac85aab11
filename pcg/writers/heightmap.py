"""Heightmaps to files and pictures: 16-bit PNG, .r16 (raw little-endian uint16), hillshade."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pcg.writers.files import replace_file
from pcg.writers.provenance import png_text, sidecar_path

HeightFormat = Literal["png", "r16"]
PREVIEW_SUFFIX = ".preview.png"
PREVIEW_EXAGGERATION = 2.0

# The sun of maps: from the north-west, 45 degrees high. Constants, not calls, so that every machine shades alike.
_HALF, _ROOT_HALF = np.float32(0.5), np.float32(0.70710677)


def hillshade(heights: NDArray[np.floating], metres_per_pixel: float, exaggeration: float = 1.0) -> NDArray[np.uint8]:
    """Lambertian shading of (H, W) heights in metres, lit from the north-west; uint8 (H, W), at least 2x2."""
    south, east = np.gradient(heights.astype(np.float32) * np.float32(exaggeration), np.float32(metres_per_pixel))
    # x east, y south: the sun stands at (-1/2, -1/2, sqrt 1/2); a surface's normal is (-east, -south, 1).
    light = ((east + south) * _HALF + _ROOT_HALF) / np.sqrt(east * east + south * south + np.float32(1))
    return (light.clip(0, 1) * np.float32(255)).astype(np.uint8)


def describe(chunk: dict[str, Any], form: str) -> dict[str, Any]:
    """What a heightmap file says of itself; `chunk` as terrain.chunk gives it."""
    steps = chunk["height"]
    return {
        "form": form,
        "width": steps.shape[1],
        "height": steps.shape[0],
        "dtype": "<u2",
        "scale": chunk["scale"],
        "offset": chunk["offset"],
        "unit": "metres = value * scale + offset",
        "meters_per_pixel": chunk["meters_per_pixel"],
        "minimum_m": steps.min().item() * chunk["scale"] + chunk["offset"],
        "maximum_m": steps.max().item() * chunk["scale"] + chunk["offset"],
        "provenance": chunk["provenance"],
    }


def metres(chunk: dict[str, Any]) -> NDArray[np.float32]:
    """Heights of a chunk in metres, float32 (H, W)."""
    return chunk["height"].astype(np.float32) * np.float32(chunk["scale"]) + np.float32(chunk["offset"])


def preview(chunk: dict[str, Any]) -> NDArray[np.uint8]:
    """The hillshade a preview shows, uint8 (H, W); a single row or column has no slope and is refused.

    Raises:
        ValueError: the chunk is smaller than 2x2.
    """
    if min(chunk["height"].shape) < 2:
        raise ValueError("a preview needs at least 2x2 pixels; ask for a larger size, or --no-preview")
    return hillshade(metres(chunk), chunk["meters_per_pixel"], PREVIEW_EXAGGERATION)


def write_heightmap(chunk: dict[str, Any], path: Path, form: HeightFormat, *, with_preview: bool) -> list[Path]:
    """Write the heightmap, its sidecar and, if wished, its preview; returns the paths written."""
    asset = describe(chunk, form)
    shade = preview(chunk) if with_preview else None
    steps = np.ascontiguousarray(chunk["height"], "<u2")
    replace_file(path, steps.tobytes() if form == "r16" else _png(steps, asset))
    sidecar = sidecar_path(path)
    replace_file(sidecar, json.dumps(asset, indent=1).encode())
    written = [path, sidecar]
    if shade is not None:
        picture = path.with_name(path.stem + PREVIEW_SUFFIX)
        replace_file(picture, _png(shade, asset | {"form": "preview"}))
        written.append(picture)
    return written


def read_heightmap(path: Path, asset: dict[str, Any]) -> NDArray[Any]:
    """The decoded content of a file this module wrote: uint16 heights, or a preview's uint8 shades.

    Raises:
        ValueError: the file does not hold what `asset` says.
    """
    if asset["form"] == "r16":
        data = path.read_bytes()
        shape = (asset["height"], asset["width"])
        if len(data) != 2 * shape[0] * shape[1]:
            raise ValueError(
                f"{path} has {len(data)} bytes; {shape[1]}x{shape[0]} heights are {2 * shape[0] * shape[1]}"
            )
        return np.frombuffer(data, "<u2").reshape(shape)
    with Image.open(path) as image:
        return np.asarray(image)


def _png(pixels: NDArray[Any], asset: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=png_text(asset))
    return buffer.getvalue()
