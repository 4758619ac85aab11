"""The map in the window: chunks pasted together, then scaled once, so that no seam can show.

Each chunk is kept in three sizes, made by averaging (a mip pyramid; Williams 1983, "Pyramidal parametrics"). The
smallest that is not smaller than needed is pasted onto a canvas, and the canvas is scaled by a factor above 1/2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pygame
from numpy.typing import NDArray

from demos.world.camera import CHUNK, Camera
from demos.world.streaming import PYRAMID, Chunk

PLACEHOLDERS = ((30, 38, 48), (33, 42, 53))  # of chunks that are not here yet, as on a chessboard
TILE_BYTES = sum((CHUNK >> level) ** 2 for level in range(PYRAMID)) * 4 + CHUNK**2 * 2

# Canvases begin at a multiple of this, so that at a resting zoom (a multiple of 1/4) each pixel is scaled alike
# wherever the canvas begins, and the picture does not shimmer as it moves.
_ALIGN = 4

# Shrinking, smoothscale rounds down, twice; what that takes away is seen when the zoom comes to rest.
_ROUNDED_OFF = (2, 2, 2)


@dataclass(frozen=True)
class Tile:
    """A chunk, ready to draw: surfaces of 256, 128 and 64 pixels, and heights, metres = value * scale + offset."""

    surfaces: list[pygame.Surface]
    heights: NDArray[np.uint16]
    scale: float
    offset: float

    def metres(self, x: int, y: int) -> float:
        """The height at a pixel of the chunk."""
        return float(self.heights[y, x]) * self.scale + self.offset


def to_tile(chunk: Chunk) -> Tile:
    """A chunk's pictures as surfaces in the display's format."""
    surfaces = [
        pygame.image.frombuffer(picture.data, (picture.shape[1], picture.shape[0]), "RGB").convert()
        for picture in chunk.pictures
    ]
    return Tile(surfaces, chunk.heights, chunk.scale, chunk.offset)


Find = Callable[[int, int], Tile | None]  # the tile of a column and row, if it is here


class View:
    """Draws the map; keeps the canvas between frames."""

    def __init__(self) -> None:
        self._canvas: pygame.Surface | None = None

    def draw(self, target: pygame.Surface, camera: Camera, find: Find) -> None:
        """Fill `target` with what the camera sees."""
        level = pyramid_level(camera.zoom)
        ratio = camera.zoom * 2**level  # target pixels a canvas pixel
        left, top = (position / 2**level for position in camera.to_world((0, 0)))
        if abs(ratio - 1) < 1e-9:
            paste(target, round(left), round(top), level, find)
            return
        # Growing, smoothscale draws straight lines from the first source pixel to the last: n + 1 of them make n.
        extra = 1 if ratio > 1 else 0
        x, y = (math.floor(edge / _ALIGN - 1) * _ALIGN for edge in (left, top))
        width, height = (
            math.ceil((side / ratio + 3 * _ALIGN) / _ALIGN) * _ALIGN for side in (camera.width, camera.height)
        )
        canvas = self._sized_canvas(width + extra, height + extra)
        paste(canvas, x, y, level, find)
        scaled = pygame.transform.smoothscale(canvas, (round(width * ratio), round(height * ratio)))
        if extra == 0:
            scaled.fill(_ROUNDED_OFF, special_flags=pygame.BLEND_RGB_ADD)
        # The lines begin at the first pixel's middle, which belongs half a source pixel further on.
        shift = (ratio - 1) / 2 * extra
        target.blit(scaled, (round((x - left) * ratio + shift), round((y - top) * ratio + shift)))

    def _sized_canvas(self, width: int, height: int) -> pygame.Surface:
        if self._canvas is None or self._canvas.get_size() != (width, height):
            self._canvas = pygame.Surface((width, height))
        return self._canvas


def pyramid_level(zoom: float) -> int:
    """The smallest of a chunk's pictures that need not grow for `zoom`; the largest where all would.

    >>> [pyramid_level(zoom) for zoom in (0.25, 0.375, 0.5, 0.75, 1.0, 4.0)]
    [2, 1, 1, 0, 0, 0]
    """
    return min(max(math.floor(-math.log2(zoom) + 1e-9), 0), PYRAMID - 1)


def paste(target: pygame.Surface, x: int, y: int, level: int, find: Find) -> None:
    """Fill `target` with chunks, unscaled, its top-left corner at pixel (x, y) of the world at a pyramid level."""
    side = CHUNK >> level
    width, height = target.get_size()
    for row in range(y // side, (y + height - 1) // side + 1):
        for column in range(x // side, (x + width - 1) // side + 1):
            at = (column * side - x, row * side - y)
            tile = find(column, row)
            if tile is None:
                target.fill(PLACEHOLDERS[(column + row) % 2], (*at, side, side))
            else:
                target.blit(tile.surfaces[level], at)
