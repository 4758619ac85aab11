"""Requests for rivers as lines: the coarse level's streams, led through a level's ground, cut at lakes and the sea.

All of it is whole numbers and a function of the place alone: windows that adjoin have rivers that join, and a window's
are those of a larger one that begin in it. docs/layers.md says what a river is here, and what it is not.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from runtime.content.provenance import provenance
from runtime.content.terrain import layers, polylines
from runtime.content.terrain import requests as terrain
from runtime.content.terrain.courses import courses
from runtime.content.terrain.ground import Ground, LearnedControl, Turn, at_once
from runtime.content.terrain.lakes import lakes
from runtime.content.terrain.measures import METRES_PER_PIXEL, MINIMUM_KM2, OFFSET_M, SCALE_M
from runtime.content.terrain.regions import LAKE_DEPTH, LAKE_EXTENT, LAKE_PIXELS
from runtime.content.terrain.streams import LEVEL, CoarseStreams
from runtime.engine import Engine
from runtime.errors import within
from runtime.registry import ModelFile

CELL_KM2 = (METRES_PER_PIXEL * 2**LEVEL / 1000) ** 2
# Bankfull width in metres over catchment in km^2, all of the United States: Bieger, Rathjens, Allen and Arnold 2015,
# "Development and evaluation of bankfull hydraulic geometry relationships for the physiographic regions of the United
# States", Journal of the American Water Resources Association 51, 842-858, table 3.
WIDTH_M, WIDTH_EXPONENT = 2.70, 0.352
WIDEST_DM = 2500
# Catchments in cells from which on a river is a decimetre wider. 12 digits are the same in every libm.
WIDTH_EDGES = np.array(
    [float(f"{((dm - 0.5) / 10 / WIDTH_M) ** (1 / WIDTH_EXPONENT) / CELL_KM2:.11e}") for dm in range(1, WIDEST_DM + 1)]
)


class RiversRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of terrain.rivers: a place as terrain.chunk has it, and how much land the least river drains.

    `width` and `height` count pixels of the level.
    """

    seed: int
    x: int = 0
    y: int = 0
    width: int = 1024
    height: int = 1024
    lod: int = 0
    minimum_km2: float = 25.0
    style: str = "varied"
    control: Literal["learned", "noise"] = "learned"
    model: str = terrain.MODEL


def check(request: RiversRequest, model: ModelFile) -> None:
    """Compare a request with what the model states. Raises RpcError, as terrain.check does."""
    terrain.check_world(request, model)
    terrain.check_side("width", request.width, model)
    terrain.check_side("height", request.height, model)
    within("minimum_km2", request.minimum_km2, *MINIMUM_KM2)


def rivers(
    engine: Engine,
    learned: LearnedControl,
    streams: CoarseStreams,
    model: ModelFile,
    request: RiversRequest,
    turn: Turn = at_once,
) -> dict[str, Any]:
    """The rivers of a checked request, and what it takes to read them. Called as `terrain.chunk`."""
    world = terrain.world(engine, learned, model, request, turn)
    lod, row, column = request.lod, request.y >> request.lod, request.x >> request.lod
    least = math.ceil(request.minimum_km2 / CELL_KM2)
    found = trace(world, streams, lod, row, column, request.height, request.width, least)
    return found | {
        "end_names": list(polylines.ENDS),
        "scale": SCALE_M,
        "offset": OFFSET_M,
        "meters_per_pixel": METRES_PER_PIXEL * 2**lod,
        "seed": request.seed,
        "x": column << lod,
        "y": row << lod,
        "lod": lod,
        "width_pixels": request.width,
        "height_pixels": request.height,
        "style": request.style,
        "minimum_km2": request.minimum_km2,
        "provenance": provenance(model, "terrain.rivers", msgspec.to_builtins(request)),
    }


def trace(
    ground: Ground, streams: CoarseStreams, lod: int, row: int, column: int, height: int, width: int, least: int
) -> dict[str, NDArray[Any]]:
    """Rivers that drain at least `least` cells, in the window (height, width) of a level from pixel (row, column) on.

    `points` float32 (n, 2): x and y in pixels of level 0 from the window's corner; `height` uint16 (n,), the ground, as
    on the wire; `width` float32 (n,) in metres; `catchment` float32 (n,) in km^2; `starts`, `kinds`,
    `ends`: as of polylines.Lines.
    """
    side = 1 << (LEVEL - lod)  # of a cell
    around = -(-((LAKE_EXTENT >> lod) + polylines.CONTEXT) // side) + 1  # cells that decide lakes, lines, and courses
    i, j = row // side - around, column // side - around  # the first cell, and how many
    rows, columns = (row + height - 1) // side + around + 1 - i, (column + width - 1) // side + around + 1 - j
    land = ground(lod, i * side, j * side, rows * side, columns * side)
    sea = land < 0
    lake = ~sea & (lakes(land, sea, LAKE_EXTENT >> lod, LAKE_DEPTH, LAKE_PIXELS) > land)
    to, cells = courses(land, streams.window(ground, i, j, rows, columns), least, i, j)
    top, left = row - i * side, column - j * side
    found = polylines.lines(to, lake, sea, top, left, height, width)
    corner = np.array([left, top]) * polylines.FRACTION
    drained = cells.ravel()[found.pixels]
    return {
        "points": ((found.points - corner) * (2**lod / polylines.FRACTION)).astype(np.float32),
        "height": layers.quarter_metres(land.ravel()[found.pixels]),
        "width": (np.searchsorted(WIDTH_EDGES, drained, side="right") / 10).astype(np.float32),
        "catchment": (drained * CELL_KM2).astype(np.float32),
        "starts": found.starts,
        "kinds": found.kinds,
        "ends": found.ends,
    }
