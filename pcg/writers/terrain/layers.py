"""The layers of terrain as files: what each holds, its number format and its file name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pcg.writers.png import GREY, PALETTE, RGB, RGBA
from runtime.content.terrain.measures import OFFSET_M, SCALE_M

Form = Literal["png", "r16", "raw", "tif", "exr", "npy"]
SUFFIXES: dict[str, Form] = {
    ".png": "png",
    ".r16": "r16",
    ".raw": "raw",
    ".tif": "tif",
    ".tiff": "tif",
    ".exr": "exr",
    ".npy": "npy",
}
IN_METRES: tuple[Form, ...] = ("tif", "exr", "npy")  # formats that hold heights as 32-bit floats


@dataclass(frozen=True)
class Layer:
    """How a layer is stored: bits and colour type of its PNG, and what value * scale + offset means.

    `bits` 0: 32-bit floats instead of a PNG. `pixel_bytes`: bytes of one pixel in a response.
    """

    bits: int
    colour: int
    pixel_bytes: int
    scale: float
    offset: float
    unit: str


LAYERS = {
    # Every chunk also says the scale and the offset of its heights.
    "height": Layer(16, GREY, 2, SCALE_M, OFFSET_M, "metres = value * scale + offset"),
    "normal": Layer(
        8,
        RGB,
        3,
        1 / 127,
        -128 / 127,
        "unit normal = value * scale + offset; red east, green north, blue up (OpenGL's convention)",
    ),
    "slope": Layer(8, GREY, 1, 0.5, 0.0, "degrees = value * scale"),
    "water": Layer(16, GREY, 2, 0.25, 0.0, "metres of water over the ground = value * scale"),
    "flow": Layer(0, GREY, 4, 1.0, 0.0, "square kilometres that drain through the pixel"),
    "biome": Layer(8, PALETTE, 1, 1.0, 0.0, "number of a biome in the palette"),
    "splat": Layer(
        8, RGBA, 4, 1 / 255, 0.0, "share of the ground = value * scale; red rock, green grass, blue sand, alpha snow"
    ),
}
NORMAL_CENTRE = 128


def layer_form(layer: str, form: Form, *, flip: bool) -> Form:
    """The file format of a layer beside heights in `form`. `flip`: rows go from the south to the north."""
    if layer == "height":
        return form
    if LAYERS[layer].bits:
        return "png"
    # The first row of a GeoTIFF is its northernmost.
    return "npy" if form == "npy" or flip else "tif"


def layer_path(out: Path, layer: str, form: Form) -> Path:
    """world.png -> world.slope.png; the heights are `out` itself. `form`: the format of the layer."""
    return out if layer == "height" else out.with_name(f"{out.stem}.{layer}.{form}")


def file_dtype(layer: str, form: Form) -> str:
    """The number format of a layer's file, as a NumPy dtype."""
    if form in IN_METRES:
        return "<f4"
    return "<u2" if LAYERS[layer].bits == 16 else "|u1"


def encode(layer: str, form: Form, rows: NDArray[Any], chunk: dict[str, Any]) -> NDArray[Any]:
    """Turn rows of a response into rows of a file.

    Args:
        layer: the layer.
        form: its file format.
        rows: as the runtime gives them.
        chunk: a response's metadata, with scale and offset.
    """
    if layer == "height" and form in IN_METRES:
        return metres(rows, chunk)
    if layer == "normal":
        return (rows.astype(np.int16) + NORMAL_CENTRE).astype(np.uint8)
    return rows


def metres(steps: NDArray[Any], chunk: dict[str, Any]) -> NDArray[np.float32]:
    """Heights in metres, float32, from the uint16 of a chunk; exact, since they are whole quarter metres."""
    return steps.astype(np.float32) * np.float32(chunk["scale"]) + np.float32(chunk["offset"])


def palette(chunk: dict[str, Any]) -> list[dict[str, Any]]:
    """Names and colours of the biomes, [{"name", "rgb"}], from a response; without any, a grey for each number."""
    return chunk.get("biome_palette") or [{"name": str(i), "rgb": [i, i, i]} for i in range(256)]
