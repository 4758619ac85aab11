"""terrain.rivers: rivers as lines. The coarse level's streams follow a level's ground and are cut at lakes and the sea.

All of it is integer arithmetic and a function of the place alone. So rivers of adjoining windows join, and a window has
the same rivers as any larger one. docs/layers.md defines rivers, and states their limits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from runtime.content.checks import within
from runtime.content.provenance import provenance
from runtime.content.terrain import layers, polylines
from runtime.content.terrain import requests as terrain
from runtime.content.terrain.courses import courses
from runtime.content.terrain.ground import Ground, LearnedControl, Turn, at_once
from runtime.content.terrain.lakes import lakes
from runtime.content.terrain.measures import METRES_PER_PIXEL, MINIMUM_KM2, OFFSET_M, SCALE_M
from runtime.content.terrain.regions import LAKE_DEPTH, LAKE_EXTENT, LAKE_PIXELS
from runtime.content.terrain.streams import LEVEL, CoarseStreams
from runtime.content.terrain.windows import Window, World
from runtime.engine import Engine
from runtime.registry import ModelFile

CELL_KM2 = (METRES_PER_PIXEL * 2**LEVEL / 1000) ** 2
# Bankfull width in metres over catchment in km^2, all of the United States: Bieger, Rathjens, Allen and Arnold 2015,
# "Development and evaluation of bankfull hydraulic geometry relationships for the physiographic regions of the United
# States", Journal of the American Water Resources Association 51, 842-858, table 3.
WIDTH_M, WIDTH_EXPONENT = 2.70, 0.352
WIDEST_DM = 2500
# Catchments in cells at which a river gets a decimetre wider. 12 digits are the same in every libm.
WIDTH_EDGES = np.array(
    [float(f"{((dm - 0.5) / 10 / WIDTH_M) ** (1 / WIDTH_EXPONENT) / CELL_KM2:.11e}") for dm in range(1, WIDEST_DM + 1)]
)


class RiversRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of terrain.rivers. A place as in terrain.chunk; `width` and `height` count pixels of the level.

    `minimum_km2`: the smallest catchment of a river.
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


@dataclass(frozen=True)
class CheckedRivers:
    """A checked terrain.rivers."""

    request: RiversRequest
    world: World
    window: Window


def check(request: RiversRequest, model: ModelFile) -> CheckedRivers:
    """Check a terrain.rivers. Raises RpcError as terrain.check does."""
    world = terrain.check_world(request, model)
    terrain.check_side("width", request.width, model)
    terrain.check_side("height", request.height, model)
    within("minimum_km2", request.minimum_km2, *MINIMUM_KM2)
    row, column = request.y >> request.lod, request.x >> request.lod
    return CheckedRivers(request, world, Window(request.lod, row, column, request.height, request.width))


def rivers(
    engine: Engine, learned: LearnedControl, streams: CoarseStreams, checked: CheckedRivers, turn: Turn = at_once
) -> dict[str, Any]:
    """The result of a terrain.rivers: lines, and what a client needs to read them.

    Args:
        engine: runs the model.
        learned: caches the coarse level's maps.
        streams: caches the coarse level's drainage.
        checked: the request.
        turn: calls a function in the engine's thread.
    """
    request, window = checked.request, checked.window
    lod, row, column = window.lod, window.row, window.column
    land = terrain.land(engine, learned, checked.world, turn)
    least = math.ceil(request.minimum_km2 / CELL_KM2)
    found = trace(land, streams, lod, row, column, window.height, window.width, least)
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
        "provenance": provenance(checked.world.model, "terrain.rivers", msgspec.to_builtins(request)),
    }


def trace(
    ground: Ground, streams: CoarseStreams, lod: int, row: int, column: int, height: int, width: int, least: int
) -> dict[str, NDArray[Any]]:
    """The rivers of a window.

    Args:
        ground: the world's heights.
        streams: caches the coarse level's drainage.
        lod: the level.
        row: the window's first row.
        column: the window's first column.
        height: of the window in pixels of the level.
        width: of the window.
        least: the smallest catchment of a river, in cells.

    Returns:
        `points` float32 (n, 2): x and y in pixels of level 0 from the window's corner; `height` uint16 (n,): the
        ground, as on the wire; `width` float32 (n,) in metres; `catchment` float32 (n,) in km^2; `starts`, `kinds` and
        `ends` as in polylines.Lines.
    """
    side = 1 << (LEVEL - lod)  # of a cell in pixels
    around = -(-((LAKE_EXTENT >> lod) + polylines.CONTEXT) // side) + 1  # cells that lakes, lines and courses depend on
    i, j = row // side - around, column // side - around  # the first cell
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
