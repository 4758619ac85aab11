"""terrain.chunk: its parameters, checked against the model's card; its layers and provenance. And what all share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import msgspec

from runtime.content.checks import one_of, parameter_error, within
from runtime.content.provenance import provenance
from runtime.content.terrain import climate, layers
from runtime.content.terrain.ground import Ground, Land, LearnedControl, Turn, at_once, classic_control
from runtime.content.terrain.measures import LODS, METRES_PER_PIXEL, OFFSET_M, SCALE_M
from runtime.content.terrain.regions import Regions
from runtime.content.terrain.styles import style_weights
from runtime.content.terrain.windows import Window, World
from runtime.engine import Engine
from runtime.errors import Code, RpcError, shown
from runtime.registry import ModelFile

MODEL, FAMILY = "terrain-detail", "terrain"


class ChunkOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All parameters of a chunk but its place. `size`: pixels of the level, which have 90 * 2^lod m."""

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


class Place(Protocol):
    """The parameters that all terrain requests have."""

    @property
    def seed(self) -> int: ...
    @property
    def x(self) -> int: ...
    @property
    def y(self) -> int: ...
    @property
    def lod(self) -> int: ...


class WorldPlace(Place, Protocol):
    """The parameters of requests for a part of an endless world."""

    @property
    def style(self) -> str: ...
    @property
    def control(self) -> Literal["learned", "noise"]: ...


@dataclass(frozen=True)
class CheckedChunk:
    """A checked terrain.chunk."""

    request: TerrainRequest
    world: World
    window: Window

    @property
    def slow(self) -> bool:
        """Whether it takes long to make."""
        return self.window.takes_long(self.request.layers)


def check_place(request: Place, model: ModelFile) -> None:
    """Compare the parameters that all requests have with the model's card.

    Raises:
        RpcError: OUT_OF_RANGE, with the parameter, its value and its range; INVALID_PARAMS for a model of another
            family.
    """
    if model.card.family != FAMILY:
        raise RpcError(Code.INVALID_PARAMS, f"model {model.card.name!r} makes {model.card.family}, not {FAMILY}")
    for name in ("seed", "x", "y", "lod"):
        _in_range(name, getattr(request, name), model, name)


def check_side(parameter: str, pixels: int, model: ModelFile) -> None:
    """Compare a side of a window with the card's `size`. Raises RpcError OUT_OF_RANGE."""
    _in_range(parameter, pixels, model, "size")


def _in_range(parameter: str, value: int, model: ModelFile, stated: str) -> None:
    """`stated`: what the model's card calls the parameter."""
    bounds = model.card.parameters[stated]
    within(parameter, value, bounds.minimum, bounds.maximum, taker=model.card.name)


def check_world(request: WorldPlace, model: ModelFile) -> World:
    """The world of a request. Raises RpcError as check_place and style_weights do."""
    check_place(request, model)
    style = style_weights(request.style, model.card.parameters["style"].choices or [])
    return World(model, request.seed, style, request.control)


def check_layers(names: list[str]) -> None:
    """Check the names of the layers asked for. Raises RpcError INVALID_PARAMS."""
    for name in names:
        one_of("layers", name, layers.LAYERS, "unknown layer")
    if len(names) > len(set(names)):
        raise parameter_error(Code.INVALID_PARAMS, "layers", f"layers {shown(names)} names one twice")
    if not names:
        message = f"layers is empty; there are: {', '.join(layers.LAYERS)}"
        raise parameter_error(Code.INVALID_PARAMS, "layers", message)


def check(request: TerrainRequest, model: ModelFile) -> CheckedChunk:
    """Check a terrain.chunk. Raises RpcError as check_world, check_side and check_layers do."""
    world = check_world(request, model)
    check_side("size", request.size, model)
    check_layers(request.layers)
    row, column = request.y >> request.lod, request.x >> request.lod
    return CheckedChunk(request, world, Window(request.lod, row, column, request.size, request.size))


def land(engine: Engine, learned: LearnedControl, world: World, turn: Turn = at_once) -> Land:
    """The land of an endless world.

    Args:
        engine: runs the model.
        learned: caches the coarse level's maps.
        world: which world.
        turn: calls a function in the engine's thread.
    """
    model, seed = world.model, world.seed
    classic = world.control == "noise"
    control = classic_control(engine, model, seed) if classic else learned.of(engine, model, seed, world.style)
    return Land(engine, model, seed, control, world.key, turn)


def chunk(
    engine: Engine, learned: LearnedControl, regions: Regions, checked: CheckedChunk, turn: Turn = at_once
) -> dict[str, Any]:
    """The result of a terrain.chunk: the layers asked for, and what a client needs to read them.

    Call it in the engine's thread, or in another thread with a `turn` that calls functions in the engine's.

    Args:
        engine: runs the model.
        learned: caches the coarse level's maps.
        regions: caches lakes and drainage.
        checked: the request.
        turn: calls a function in the engine's thread.
    """
    request = checked.request
    ground = land(engine, learned, checked.world, turn)
    return layers_of(ground, regions, checked.window, request.seed, request.layers) | {
        "size": request.size,
        "style": request.style,
        "provenance": provenance(checked.world.model, "terrain.chunk", msgspec.to_builtins(request)),
    }


def layers_of(ground: Ground, regions: Regions, window: Window, seed: int, names: list[str]) -> dict[str, Any]:
    """The layers of a window, and what a client needs to read them.

    Args:
        ground: the world's heights.
        regions: caches lakes and drainage.
        window: which part of the world.
        seed: the world's.
        names: which of layers.LAYERS.
    """
    lod, row, column, height, width = window.lod, window.row, window.column, window.height, window.width
    wanted = set(names)
    x, y = column << lod, row << lod
    made: dict[str, Any] = {
        "scale": SCALE_M,
        "offset": OFFSET_M,
        "meters_per_pixel": METRES_PER_PIXEL * 2**lod,
        "seed": seed,
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
    return made | layers.compute(wanted, seed, x, y, lod, frame, waters)
