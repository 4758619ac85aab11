"""Terrain requests to terrain: parameters checked against the model's card, the window asked for, its provenance."""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec
import noise
import numpy as np
from numpy.typing import NDArray

from runtime.content.provenance import provenance
from runtime.engine import Engine
from runtime.errors import Code, RpcError, did_you_mean
from runtime.registry import ModelFile

MODEL, FAMILY = "terrain-detail", "terrain"
SCALE_M, OFFSET_M = 0.25, -4096.0
METRES_PER_PIXEL = 90.0
LAYERS = ("height",)

PIXELS_PER_CELL, MARGIN_CELLS = 16, 8
TILE = 1024  # pixels; a larger request is made of tiles, at about 0.3 GB of memory each
# Perlin noise of the `noise` package, as control map. It repeats every 256 lattice cells, so every 16,384 of ours.
NOISE_CELLS_A_LATTICE = 64
NOISE_PERIOD_CELLS = 256 * NOISE_CELLS_A_LATTICE
NOISE_OCTAVES = 8
NOISE_DEVIATION = 0.14  # of pnoise2 at eight octaves, measured


class TerrainRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of terrain.chunk. `x`, `y`: world pixel of the top-left corner, x east and y south."""

    seed: int
    x: int = 0
    y: int = 0
    size: int = 256
    lod: int = 0
    layers: list[str] = msgspec.field(default_factory=lambda: ["height"])
    control: Literal["gradient", "noise"] = "gradient"
    model: str = MODEL


def check(request: TerrainRequest, model: ModelFile) -> None:
    """Compare a request with the ranges its model states.

    Raises:
        RpcError: OUT_OF_RANGE, naming the parameter, its value and what would do; INVALID_PARAMS for a layer or a
            model that is none.
    """
    if model.card.family != FAMILY:
        raise RpcError(Code.INVALID_PARAMS, f"model {model.card.name!r} makes {model.card.family}, not {FAMILY}")
    for name in ("seed", "x", "y", "size", "lod"):
        parameter, value = model.card.parameters[name], getattr(request, name)
        low, high = parameter.minimum, parameter.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            raise RpcError(
                Code.OUT_OF_RANGE,
                f"{name} {value} is out of range; {model.card.name} takes {low} to {high}",
                {"parameter": name, "value": value, "minimum": low, "maximum": high},
            )
    for layer in request.layers:
        if layer not in LAYERS:
            near = did_you_mean(layer, LAYERS) or f"; there are: {', '.join(LAYERS)}"
            raise RpcError(Code.INVALID_PARAMS, f"unknown layer {layer!r:.80}{near}", {"parameter": "layers"})
    if not request.layers:
        raise RpcError(Code.INVALID_PARAMS, f"layers is empty; there are: {', '.join(LAYERS)}")


def chunk(engine: Engine, model: ModelFile, request: TerrainRequest) -> dict[str, Any]:
    """One chunk of a checked request: `height` uint16 (size, size), and what it takes to read it.

    Runs in the engine's thread.
    """
    return {
        "height": heights(engine, model, request),
        "scale": SCALE_M,
        "offset": OFFSET_M,
        "meters_per_pixel": METRES_PER_PIXEL,
        "seed": request.seed,
        "x": request.x,
        "y": request.y,
        "size": request.size,
        "lod": request.lod,
        "provenance": provenance(model, "terrain.chunk", msgspec.to_builtins(request)),
    }


def heights(engine: Engine, model: ModelFile, request: TerrainRequest) -> NDArray[np.uint16]:
    """Heights of a request: uint16 (size, size), quarter metres above -4,096 m. Runs in the engine's thread.

    A large request is made in tiles, which meet exactly, so that memory stays bounded.
    """
    whole = np.empty((request.size, request.size), np.uint16)
    side = math.ceil(request.size / math.ceil(request.size / TILE))
    for top in range(0, request.size, side):
        for left in range(0, request.size, side):
            part = whole[top : top + side, left : left + side]
            tile = _square(engine, model, request, request.x + left, request.y + top, side)
            part[:] = tile[: part.shape[0], : part.shape[1]]
    return whole


def _square(engine: Engine, model: ModelFile, request: TerrainRequest, x: int, y: int, size: int) -> NDArray[np.int32]:
    seed, left, top = (np.array([v], np.int64) for v in (request.seed, x, y))
    if request.control == "noise":
        cells = int(engine.run(model, "cells", left, top, size))
        noises = classic_noise(request.seed, x, y, cells)[None]
        control = engine.run(model, "control_heights", noises)
        square: NDArray[np.int32] = engine.run(model, "window", seed, left, top, size, control)[0]
    else:
        square = engine.run(model, "forward", seed, left, top, size)[0]
    return square


def classic_noise(seed: int, x: int, y: int, cells: int) -> NDArray[np.float64]:
    """fBm of the `noise` package over the control cells of a window, standard deviation about one; (cells, cells).

    Repeats every 16,384 cells (23,593 km). The package computes in float32 with the compiler's choice of
    instructions, so unlike the rest it is not promised to be the same on every machine.
    """
    row, column = (y >> 4) - MARGIN_CELLS, (x >> 4) - MARGIN_CELLS
    # The seed shifts the origin. Not by the package's `base`, with which it reads past the end of its table.
    shift = (seed + 1) * 0x9E3779B97F4A7C15 % 2**64
    row, column = row + (shift >> 32), column + (shift & 0xFFFFFFFF)
    rows, columns = (
        [(first + i) % NOISE_PERIOD_CELLS / NOISE_CELLS_A_LATTICE for i in range(cells)] for first in (row, column)
    )
    values = [[noise.pnoise2(c, r, octaves=NOISE_OCTAVES) for c in columns] for r in rows]
    return np.array(values) / NOISE_DEVIATION
