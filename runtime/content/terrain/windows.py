"""The places that terrain requests ask for: windows of a level of a world, and whether what lies there takes long."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from runtime.content.terrain import layers
from runtime.content.terrain.ground import TILE
from runtime.content.terrain.measures import PIXELS_PER_CELL
from runtime.content.terrain.styles import style_weights
from runtime.registry import ModelFile

if TYPE_CHECKING:
    from runtime.content.terrain.requests import SketchRequest, TerrainRequest


class Place(Protocol):
    """What all requests have."""

    @property
    def seed(self) -> int: ...
    @property
    def x(self) -> int: ...
    @property
    def y(self) -> int: ...
    @property
    def lod(self) -> int: ...


class WorldPlace(Place, Protocol):
    """What requests for a part of an endless world have."""

    @property
    def style(self) -> str: ...
    @property
    def control(self) -> Literal["learned", "noise"]: ...


@dataclass(frozen=True)
class Window:
    """A place that a request asks for: pixel (row, column) of its level on, height by width pixels.

    `world`: what the ground there depends on beside the place.
    """

    world: Hashable
    lod: int
    row: int
    column: int
    height: int
    width: int


def style_of(request: WorldPlace, model: ModelFile) -> tuple[int, ...]:
    """The weights of a request's style."""
    return style_weights(request.style, model.card.parameters["style"].choices or [])


def world_key(request: WorldPlace, model: ModelFile) -> Hashable:
    """What the ground of an endless land depends on beside the place."""
    return model.sha256, request.seed, style_of(request, model), request.control


def square_window(model: ModelFile, request: TerrainRequest) -> Window:
    """What a terrain.chunk asks for."""
    place = request.lod, request.y >> request.lod, request.x >> request.lod, request.size, request.size
    return Window(world_key(request, model), *place)


def sketch_window(model: ModelFile, request: SketchRequest, shape: tuple[int, ...], control_sha256: str) -> Window:
    """What a terrain.sketch asks for: by default all that is left of the sketch from its corner on."""
    row, column = request.y >> request.lod, request.x >> request.lod
    height, width = (side * PIXELS_PER_CELL >> request.lod for side in shape)
    return Window(
        (model.sha256, request.seed, shape, control_sha256, request.grain),
        request.lod,
        row,
        column,
        height - row if request.height is None else request.height,
        width - column if request.width is None else request.width,
    )


def takes_long(height: int, width: int, names: Collection[str]) -> bool:
    """Whether so many pixels are more than a tile, or the layers need water, which may be that of a region not kept."""
    return max(height, width) > TILE or not layers.NEED_WATER.isdisjoint(names)
