"""Terrain requests to terrain: parameters checked against the model's card, the layers asked for, their provenance."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from runtime.content.provenance import provenance
from runtime.content.terrain import climate, layers
from runtime.content.terrain.ground import (
    Ground,
    Land,
    LearnedControl,
    Turn,
    at_once,
    classic_control,
    drawn_control,
)
from runtime.content.terrain.measures import (
    HIGHEST_M,
    LODS,
    LOWEST_M,
    METRES_PER_PIXEL,
    OFFSET_M,
    PIXELS_PER_CELL,
    SCALE_M,
    SKETCH_CELLS,
)
from runtime.content.terrain.regions import Regions
from runtime.content.terrain.styles import style_weights
from runtime.content.terrain.windows import (
    Place,
    Window,
    WorldPlace,
    sketch_window,
    square_window,
    style_of,
    world_key,
)
from runtime.engine import Engine
from runtime.errors import Code, RpcError, did_you_mean, shown, within
from runtime.registry import ModelFile

MODEL, FAMILY = "terrain-detail", "terrain"
GRAIN_STEPS = 127  # in which a model takes a grain of one


class ChunkOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What can be said of a chunk but for its place. `size` counts pixels of its level, which have 90 * 2^lod m."""

    seed: int
    size: int = 256
    lod: int = 0
    layers: list[str] = msgspec.field(default_factory=lambda: ["height"])
    style: str = "varied"
    control: Literal["learned", "noise"] = "learned"
    model: str = MODEL


class TerrainRequest(ChunkOptions, frozen=True, forbid_unknown_fields=True):
    """The parameters of terrain.chunk. `x`, `y`: world pixel of the top-left corner, x east and y south.

    World pixels have 90 m whatever the `lod`.
    """

    x: int = 0
    y: int = 0


class SketchRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of terrain.sketch. `control`: an array of metres, a value for 16 x 16 pixels of 90 m.

    `x`, `y`, `width` and `height` cut a window out of its land; without them all of it is made. Corner in pixels of
    90 m, size in pixels of the level. `grain`: from smooth land to land cut by every brook, -1 to 1.
    """

    seed: int
    control: Any
    grain: float | None = None
    x: int = 0
    y: int = 0
    width: int | None = None
    height: int | None = None
    lod: int = 0
    layers: list[str] = msgspec.field(default_factory=lambda: ["height"])
    model: str = MODEL


def _range(model: ModelFile, name: str, value: int, parameter: str | None = None) -> None:
    """Raises RpcError OUT_OF_RANGE unless the model's card allows the value of a parameter."""
    stated = model.card.parameters[name]
    low, high = stated.minimum, stated.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        raise RpcError(
            Code.OUT_OF_RANGE,
            f"{parameter or name} {value} is out of range; {model.card.name} takes {low} to {high}",
            {"parameter": parameter or name, "value": value, "minimum": low, "maximum": high},
        )


def check_place(request: Place, model: ModelFile) -> None:
    """Compare what all requests have with what the model states.

    Raises:
        RpcError: OUT_OF_RANGE, naming the parameter, its value and what would do; INVALID_PARAMS for a model of
            something else.
    """
    if model.card.family != FAMILY:
        raise RpcError(Code.INVALID_PARAMS, f"model {model.card.name!r} makes {model.card.family}, not {FAMILY}")
    for name in ("seed", "x", "y", "lod"):
        _range(model, name, getattr(request, name))


def check_side(name: str, pixels: int, model: ModelFile) -> None:
    """Compare a window's side with what the model states. Raises RpcError OUT_OF_RANGE."""
    _range(model, "size", pixels, name)


def check_world(request: WorldPlace, model: ModelFile) -> None:
    """As check_place, and the style."""
    check_place(request, model)
    style_weights(request.style, model.card.parameters["style"].choices or [])


def check_layers(request: TerrainRequest | SketchRequest) -> None:
    """Compare the layers asked for with those there are. Raises RpcError INVALID_PARAMS."""
    for layer in request.layers:
        if layer not in layers.LAYERS:
            near = did_you_mean(layer, layers.LAYERS) or f"; there are: {', '.join(layers.LAYERS)}"
            raise RpcError(Code.INVALID_PARAMS, f"unknown layer {shown(layer)}{near}", {"parameter": "layers"})
    if len(request.layers) > len(set(request.layers)):
        what = f"layers {shown(request.layers)} names one twice"
        raise RpcError(Code.INVALID_PARAMS, what, {"parameter": "layers"})
    if not request.layers:
        what = f"layers is empty; there are: {', '.join(layers.LAYERS)}"
        raise RpcError(Code.INVALID_PARAMS, what, {"parameter": "layers"})


def check(request: TerrainRequest, model: ModelFile) -> None:
    """As check_world and check_layers, and the size."""
    check_world(request, model)
    check_side("size", request.size, model)
    check_layers(request)


def check_sketch(request: SketchRequest, model: ModelFile) -> NDArray[np.float32]:
    """As check_place and check_layers; the control map of a terrain.sketch, float32 (H, W) metres.

    Raises:
        RpcError: also INVALID_PARAMS for a control map that is none, and OUT_OF_RANGE for its size or heights.
    """
    check_place(request, model)
    check_layers(request)
    if request.grain is not None:
        if "grain" not in model.card.parameters:
            what = f"model {model.card.name!r} {model.card.version} takes no grain; leave it out, or export it anew"
            raise RpcError(Code.INVALID_PARAMS, what, {"parameter": "grain"})
        within("grain", request.grain, -1, 1)
    control = request.control
    where = {"parameter": "control"}
    if not isinstance(control, np.ndarray) or control.ndim != 2 or control.dtype.kind not in "fiu":
        array = isinstance(control, np.ndarray)
        what = f"an array of shape {control.shape}, {control.dtype}" if array else type(control).__name__
        raise RpcError(
            Code.INVALID_PARAMS, f"control is {what}; it must be an array of rows and columns, in metres", where
        )
    low, high = SKETCH_CELLS
    if not all(low <= side <= high for side in control.shape):
        raise RpcError(
            Code.OUT_OF_RANGE,
            f"control has {control.shape[1]}x{control.shape[0]} values; a side may have {low} to {high}",
            {"parameter": "control", "value": list(control.shape), "minimum": low, "maximum": high},
        )
    with np.errstate(over="ignore"):  # what float32 can't hold becomes infinite, and is refused as such
        heights = control.astype(np.float32)
    bad = np.argwhere(~np.isfinite(heights))
    if len(bad):
        raise RpcError(
            Code.INVALID_PARAMS,
            f"control has {len(bad)} values that are no number, the first in row {bad[0][0]}, column {bad[0][1]}",
            where,
        )
    if heights.min() < LOWEST_M or heights.max() > HIGHEST_M:
        raise RpcError(
            Code.OUT_OF_RANGE,
            f"control goes from {heights.min():g} to {heights.max():g} m; {LOWEST_M:g} to {HIGHEST_M:g} m can be sent",
            {"parameter": "control", "minimum": LOWEST_M, "maximum": HIGHEST_M},
        )
    window = sketch_window(model, request, control.shape, "")
    for name, size in (("height", window.height), ("width", window.width)):
        check_side(name, size, model)
    whole = [side * PIXELS_PER_CELL >> request.lod for side in control.shape]
    if not (
        0 <= window.row <= window.row + window.height <= whole[0]
        and 0 <= window.column <= window.column + window.width <= whole[1]
    ):
        raise RpcError(
            Code.OUT_OF_RANGE,
            f"the window of {window.width}x{window.height} pixels at x {request.x}, y {request.y} reaches beyond the "
            f"sketch, which has {whole[1]}x{whole[0]} pixels at lod {request.lod}",
        )
    return heights


def world(engine: Engine, learned: LearnedControl, model: ModelFile, request: WorldPlace, turn: Turn = at_once) -> Land:
    """The endless land that a checked request is about."""
    style, seed = style_of(request, model), request.seed
    classic = request.control == "noise"
    control = classic_control(engine, model, seed) if classic else learned.of(engine, model, seed, style)
    return Land(engine, model, seed, control, world_key(request, model), turn)


def chunk(
    engine: Engine,
    learned: LearnedControl,
    regions: Regions,
    model: ModelFile,
    request: TerrainRequest,
    turn: Turn = at_once,
) -> dict[str, Any]:
    """One chunk of a checked request: the layers asked for, and what it takes to read them.

    In the engine's thread, or in another with a `turn` that calls functions there.
    """
    window = square_window(model, request)
    params = msgspec.to_builtins(request)
    return _made(world(engine, learned, model, request, turn), regions, window, request) | {
        "size": request.size,
        "style": request.style,
        "provenance": provenance(model, "terrain.chunk", params),
    }


def digest(control: NDArray[np.float32]) -> str:
    """The SHA-256 of a control map, hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(control, "<f4").tobytes()).hexdigest()


def sketch(
    engine: Engine,
    regions: Regions,
    model: ModelFile,
    request: SketchRequest,
    control: NDArray[np.float32],
    turn: Turn = at_once,
) -> dict[str, Any]:
    """The land of a checked sketch, or a window of it. Called as `chunk`."""
    params = {name: getattr(request, name) for name in request.__struct_fields__ if name != "control"}
    params["control_sha256"] = digest(control)
    window = sketch_window(model, request, control.shape, params["control_sha256"])
    grain = None if request.grain is None else round(request.grain * GRAIN_STEPS)
    land = Land(engine, model, request.seed, drawn_control(control), window.world, turn, grain)
    return _made(land, regions, window, request) | {
        "provenance": provenance(model, "terrain.sketch", params),
    }


def _made(ground: Ground, regions: Regions, window: Window, request: TerrainRequest | SketchRequest) -> dict[str, Any]:
    lod, row, column, height, width = window.lod, window.row, window.column, window.height, window.width
    wanted = set(request.layers)
    x, y = column << lod, row << lod
    made: dict[str, Any] = {
        "scale": SCALE_M,
        "offset": OFFSET_M,
        "meters_per_pixel": METRES_PER_PIXEL * 2**lod,
        "seed": request.seed,
        "x": x,
        "y": y,
        "lod": lod,
    }
    if wanted == {"height"}:
        return made | {"height": layers.quarter_metres(ground(lod, row, column, height, width))}
    frame = ground(lod, row - 1, column - 1, height + 2, width + 2)
    waters = None
    if wanted & layers.NEED_WATER:
        waters = regions.water(ground.key, ground, lod, row, column, height, width, coarsest_lod=LODS - 1)
    if "height" in wanted:
        made["height"] = layers.quarter_metres(frame[1:-1, 1:-1])
    if "biome" in wanted:
        made["biome_palette"] = [{"name": b.name, "rgb": list(b.rgb)} for b in climate.PALETTE]
    return made | layers.compute(wanted, request.seed, x, y, lod, frame, waters)
