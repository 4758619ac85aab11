"""Where a terrain request points: a window of a level of a world. And whether a window takes long to make."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from typing import Literal

from runtime.content.terrain import layers
from runtime.content.terrain.ground import TILE
from runtime.registry import ModelFile


@dataclass(frozen=True)
class World:
    """An endless world: all that its ground depends on beside the place.

    `style`: a weight for each style of the model, as `style_weights` gives them.
    """

    model: ModelFile
    seed: int
    style: tuple[int, ...]
    control: Literal["learned", "noise"]

    @property
    def key(self) -> Hashable:
        """Equal for equal worlds, in any process."""
        return self.model.sha256, self.seed, self.style, self.control


@dataclass(frozen=True)
class Window:
    """The pixels of a level from (row, column) on, height by width of them."""

    lod: int
    row: int
    column: int
    height: int
    width: int

    def takes_long(self, names: Collection[str]) -> bool:
        """Whether these layers of it need more than one tile, or water, whose regions may not be cached yet."""
        return max(self.height, self.width) > TILE or not layers.NEED_WATER.isdisjoint(names)
