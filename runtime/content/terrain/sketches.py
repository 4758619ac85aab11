"""terrain.sketch: the land of a control map that a designer drew, or a window of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from runtime.content.checks import parameter_error, within
from runtime.content.provenance import provenance
from runtime.content.terrain import requests as terrain
from runtime.content.terrain.ground import Land, Turn, at_once, drawn_control
from runtime.content.terrain.measures import HIGHEST_M, LOWEST_M, PIXELS_PER_CELL, SKETCH_CELLS
from runtime.content.terrain.regions import Regions
from runtime.content.terrain.windows import Window
from runtime.engine import Engine
from runtime.errors import Code, RpcError
from runtime.registry import ModelFile

GRAIN_STEPS = 127  # the model's number for a grain of 1


class SketchRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of terrain.sketch. `control`: an array of metres, a value for 16 x 16 pixels of 90 m.

    `x`, `y`, `width` and `height` select a window of the sketch's land; the default is all of it. The corner is in
    pixels of 90 m, the size in pixels of the level. `grain`: -1 for smooth land to 1 for land that every brook cuts.
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
    model: str = terrain.MODEL


@dataclass(frozen=True)
class CheckedSketch:
    """A checked terrain.sketch. `control`: float32 (H, W) metres; `control_sha256`: its digest."""

    request: SketchRequest
    model: ModelFile
    control: NDArray[np.float32]
    control_sha256: str
    window: Window

    @property
    def slow(self) -> bool:
        """Whether it takes long to make."""
        return self.window.takes_long(self.request.layers)

    @property
    def canonical(self) -> SketchRequest:
        """All that the result depends on beside the model."""
        return msgspec.structs.replace(self.request, control=[self.control.shape, self.control_sha256])


def check(request: SketchRequest, model: ModelFile) -> CheckedSketch:
    """Check a terrain.sketch.

    Raises:
        RpcError: as terrain.check_place and terrain.check_layers do; INVALID_PARAMS for a control map that is no array
            of numbers; OUT_OF_RANGE for its size or heights, and for a window that reaches beyond it.
    """
    terrain.check_place(request, model)
    terrain.check_layers(request.layers)
    if request.grain is not None:
        if "grain" not in model.card.parameters:
            what = f"model {model.card.name!r} {model.card.version} takes no grain; leave it out, or export it anew"
            raise parameter_error(Code.INVALID_PARAMS, "grain", what)
        within("grain", request.grain, -1, 1)
    control = _check_control(request.control)
    window = _check_window(request, model, control)
    return CheckedSketch(request, model, control, digest(control), window)


def _check_control(control: Any) -> NDArray[np.float32]:
    """The control map as float32 (H, W) metres. Raises RpcError."""
    if not isinstance(control, np.ndarray) or control.ndim != 2 or control.dtype.kind not in "fiu":
        array = isinstance(control, np.ndarray)
        what = f"an array of shape {control.shape}, {control.dtype}" if array else type(control).__name__
        message = f"control is {what}; it must be an array of rows and columns, in metres"
        raise parameter_error(Code.INVALID_PARAMS, "control", message)
    low, high = SKETCH_CELLS
    if not all(low <= side <= high for side in control.shape):
        message = f"control has {control.shape[1]}x{control.shape[0]} values; a side may have {low} to {high}"
        shape = list(control.shape)
        raise parameter_error(Code.OUT_OF_RANGE, "control", message, value=shape, minimum=low, maximum=high)
    with np.errstate(over="ignore"):  # what float32 can't hold becomes infinite, and is refused as such
        heights = control.astype(np.float32)
    bad = np.argwhere(~np.isfinite(heights))
    if len(bad):
        row, column = bad[0]
        message = f"control has {len(bad)} values that are no number, the first in row {row}, column {column}"
        raise parameter_error(Code.INVALID_PARAMS, "control", message)
    lowest, highest = heights.min(), heights.max()
    if lowest < LOWEST_M or highest > HIGHEST_M:
        message = f"control goes from {lowest:g} to {highest:g} m; {LOWEST_M:g} to {HIGHEST_M:g} m can be sent"
        raise parameter_error(Code.OUT_OF_RANGE, "control", message, minimum=LOWEST_M, maximum=HIGHEST_M)
    return heights


def _check_window(request: SketchRequest, model: ModelFile, control: NDArray[np.float32]) -> Window:
    """The window of a sketch: by default all that is left of it from its corner on. Raises RpcError OUT_OF_RANGE."""
    row, column = request.y >> request.lod, request.x >> request.lod
    rows, columns = (side * PIXELS_PER_CELL >> request.lod for side in control.shape)
    height = rows - row if request.height is None else request.height
    width = columns - column if request.width is None else request.width
    terrain.check_side("height", height, model)
    terrain.check_side("width", width, model)
    if not (0 <= row <= row + height <= rows and 0 <= column <= column + width <= columns):
        raise RpcError(
            Code.OUT_OF_RANGE,
            f"the window of {width}x{height} pixels at x {request.x}, y {request.y} reaches beyond the "
            f"sketch, which has {columns}x{rows} pixels at lod {request.lod}",
        )
    return Window(request.lod, row, column, height, width)


def digest(control: NDArray[np.float32]) -> str:
    """The SHA-256 of a control map, hexadecimal."""
    return hashlib.sha256(np.ascontiguousarray(control, "<f4").tobytes()).hexdigest()


def sketch(engine: Engine, regions: Regions, checked: CheckedSketch, turn: Turn = at_once) -> dict[str, Any]:
    """The result of a terrain.sketch. Arguments as of `terrain.chunk`."""
    request, model, control = checked.request, checked.model, checked.control
    params = {name: getattr(request, name) for name in request.__struct_fields__ if name != "control"}
    params["control_sha256"] = checked.control_sha256
    grain = None if request.grain is None else round(request.grain * GRAIN_STEPS)
    key = (model.sha256, request.seed, control.shape, checked.control_sha256, request.grain)
    ground = Land(engine, model, request.seed, drawn_control(control), key, turn, grain)
    return terrain.layers_of(ground, regions, checked.window, request.seed, request.layers) | {
        "provenance": provenance(model, "terrain.sketch", params),
    }
