"""Draws the map: pastes chunks onto a canvas and scales it once, so that no seam can show.

The chunks are those of the level of detail that fits the zoom. The canvas is scaled by 1 to 2, or more where one looks
closer than the finest level; never by less than 1, since smooth shrinking takes ten times as long. Where a chunk has
not arrived yet, other levels stand in for it: the smaller pictures of finer chunks (a mip pyramid; Williams 1983,
"Pyramidal parametrics"), and under them an enlarged part of a coarser chunk. So a place is empty only while no level
has it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import pygame

from demos.world import themes
from demos.world.camera import CHUNK, LODS, Camera
from demos.world.streaming import PYRAMID, Chunk, Ground
from runtime.lru import LRU

PLACEHOLDERS = ((30, 38, 48), (33, 42, 53))  # a chessboard where no level has a picture
STAND_IN_BYTES = 64 << 20

_PICTURES = sum((CHUNK >> level) ** 2 for level in range(PYRAMID)) * 4 + (CHUNK + 2) ** 2 * 2  # and the ground
CHUNK_BYTES = 2 * _PICTURES + 6 * CHUNK**2  # of a chunk's two tiles, the land's and a theme's: at most

# Canvases begin at a multiple of this. So at a resting zoom (where a canvas pixel has a multiple of 1/2 screen pixels)
# each pixel is scaled alike wherever the canvas begins, and the picture does not shimmer when it moves.
_ALIGN = 4


@dataclass(frozen=True)
class Tile:
    """A chunk that is ready to draw: surfaces of 256, 128, 64, 32 and 16 pixels, and the layers of its pixels."""

    theme: str
    surfaces: list[pygame.Surface]
    ground: Ground
    layers: themes.Layers
    biomes: tuple[str, ...]

    @property
    def size_bytes(self) -> int:
        """The memory that it takes."""
        pictures = sum(surface.get_pitch() * surface.get_height() for surface in self.surfaces)
        return pictures + self.ground.heights.nbytes + sum(layer.nbytes for layer in self.layers.values())

    def reading(self, column: int, row: int) -> str:
        """What the theme tells of a pixel of the chunk, as text."""
        if not self.layers:
            return ""
        return themes.reading(self.theme, self.layers, self.biomes, self.ground.meters_per_pixel, column, row)


def to_tile(chunk: Chunk) -> Tile:
    """A chunk's pictures as surfaces in the display's format."""
    surfaces = [
        pygame.image.frombuffer(picture.data, (picture.shape[1], picture.shape[0]), "RGB").convert()
        for picture in chunk.pictures
    ]
    return Tile(chunk.key.theme, surfaces, chunk.ground, chunk.layers, chunk.biomes)


At = tuple[int, int, int]  # level, column and row
Find = Callable[[int, int, int], Tile | None]  # the tile of a level, column and row, if it has arrived


class View:
    """Draws the map. Caches the canvas and the stand-ins between frames.

    `empty`: whether the last picture had a place of which no level has a picture.
    """

    def __init__(self) -> None:
        self.empty = True
        self._canvas: pygame.Surface | None = None
        self._edition: Hashable = None
        self._stand_ins = _stand_ins()
        self._finer: dict[At, list[At]] | None = None  # of this edition, made when it is needed

    def draw(
        self, target: pygame.Surface, camera: Camera, find: Find, here: Callable[[], Iterable[At]], edition: Hashable
    ) -> None:
        """Fill `target` with what the camera sees.

        Args:
            target: the surface to fill.
            camera: the place and zoom.
            find: returns the tile of a place, if it has arrived.
            here: returns the places of all tiles that `find` may find.
            edition: a value that changes whenever `find` or `here` may return something else than before.
        """
        if edition != self._edition:
            self._edition, self._stand_ins, self._finer = edition, _stand_ins(), None
        self.empty = False
        self._draw(target, camera, lambda *at: self._surface(at, find, here))

    def _draw(self, target: pygame.Surface, camera: Camera, surface: Callable[..., pygame.Surface | None]) -> None:
        lod = camera.lod
        ratio = camera.zoom * 2**lod  # target pixels a canvas pixel
        left, top = (position / 2**lod for position in camera.to_world((0, 0)))
        if abs(ratio - 1) < 1e-9:
            paste(target, round(left), round(top), lod, surface)
            return
        # Smoothscale interpolates from the first source pixel to the last: n + 1 pixels make n intervals.
        x, y = (math.floor(edge / _ALIGN - 1) * _ALIGN for edge in (left, top))
        width, height = (
            math.ceil((side / ratio + 3 * _ALIGN) / _ALIGN) * _ALIGN for side in (camera.width, camera.height)
        )
        canvas = self._sized_canvas(width + 1, height + 1)
        paste(canvas, x, y, lod, surface)
        scaled = pygame.transform.smoothscale(canvas, (round(width * ratio), round(height * ratio)))
        # The first interval begins at the first pixel's middle, which belongs half a source pixel further on.
        shift = (ratio - 1) / 2
        target.blit(scaled, (round((x - left) * ratio + shift), round((y - top) * ratio + shift)))

    def _sized_canvas(self, width: int, height: int) -> pygame.Surface:
        if self._canvas is None or self._canvas.get_size() != (width, height):
            self._canvas = pygame.Surface((width, height))
        return self._canvas

    def _surface(self, at: At, find: Find, here: Callable[[], Iterable[At]]) -> pygame.Surface | None:
        tile = find(*at)
        if tile is not None:
            return tile.surfaces[0]
        if at not in self._stand_ins:
            if self._finer is None:
                self._finer = finer(here())
            self._stand_ins.put(at, stand_in(*at, find, self._finer.get(at, ())))
        surface = self._stand_ins.get(at)
        self.empty |= surface is None
        return surface


def _stand_ins() -> LRU[At, pygame.Surface | None]:
    return LRU(STAND_IN_BYTES, lambda *_: CHUNK * CHUNK * 4)


def paste(
    target: pygame.Surface, x: int, y: int, lod: int, surface: Callable[[int, int, int], pygame.Surface | None]
) -> None:
    """Fill `target` with chunks, unscaled.

    Args:
        target: the surface to fill.
        x: the column of its top-left pixel in the level.
        y: the row of its top-left pixel in the level.
        lod: the level.
        surface: returns the picture of a level, column and row; None for a placeholder.
    """
    width, height = target.get_size()
    for row in range(y // CHUNK, (y + height - 1) // CHUNK + 1):
        for column in range(x // CHUNK, (x + width - 1) // CHUNK + 1):
            at = (column * CHUNK - x, row * CHUNK - y)
            picture = surface(lod, column, row)
            if picture is None:
                target.fill(placeholder(column, row), (*at, CHUNK, CHUNK))
            else:
                target.blit(picture, at)


def placeholder(column: int, row: int) -> tuple[int, int, int]:
    """The colour of a chunk of which no level has a picture."""
    return PLACEHOLDERS[(column + row) % 2]


def finer(here: Iterable[At]) -> dict[At, list[At]]:
    """For each place the places of finer levels inside it, of those that are `here`; the finest first.

    >>> finer([(1, 0, 1), (0, 1, 2)])[2, 0, 0]
    [(0, 1, 2), (1, 0, 1)]
    """
    within: dict[At, list[At]] = defaultdict(list)
    for lod, column, row in sorted(here):
        for up in range(1, LODS - lod):
            within[lod + up, column >> up, row >> up].append((lod, column, row))
    return within


def stand_in(lod: int, column: int, row: int, find: Find, finer_here: Sequence[At]) -> pygame.Surface | None:
    """A picture of a chunk that has not arrived, from other levels; None if they have nothing of it.

    The nearest coarser level that has it is drawn first. The finer chunks (`finer_here`, the finest first) are drawn
    over it, each over those that are finer still.
    """
    picture = pygame.Surface((CHUNK, CHUNK))
    picture.fill(placeholder(column, row))
    known = False
    for up in range(1, LODS - lod):
        tile = find(lod + up, column >> up, row >> up)
        if tile is not None:
            enlarge(tile.surfaces[0], up, column % (1 << up), row % (1 << up), picture)
            known = True
            break
    for level, tile_column, tile_row in finer_here:
        tile = find(level, tile_column, tile_row)
        if tile is not None:
            down = lod - level
            side = CHUNK >> down
            corner = ((tile_column - (column << down)) * side, (tile_row - (row << down)) * side)
            picture.blit(tile.surfaces[down], corner)
            known = True
    return picture if known else None


def enlarge(coarse: pygame.Surface, up: int, column: int, row: int, target: pygame.Surface) -> None:
    """Fill `target` with one of the 2^up by 2^up parts of a chunk's picture, 2^up times as large.

    The pixels around the part are scaled with it, so that neighbouring parts meet without a seam.

    Args:
        coarse: the chunk's picture.
        up: how many levels coarser it is.
        column: of the part.
        row: of the part.
        target: the surface to fill.
    """
    side, scale = CHUNK >> up, 1 << up
    left, top = column * side, row * side
    pygame.transform.scale(coarse.subsurface((left, top, side, side)), (CHUNK, CHUNK), target)  # for the chunk's rim
    wide = pygame.Rect(left - 1, top - 1, side + 2, side + 2).clip(coarse.get_rect())
    # n + 1 source pixels make n * scale pixels, which begin at the first source pixel's middle: see View._draw.
    smooth = pygame.transform.smoothscale(
        coarse.subsurface(wide), ((wide.width - 1) * scale, (wide.height - 1) * scale)
    )
    target.blit(smooth, ((wide.x - left) * scale + scale // 2, (wide.y - top) * scale + scale // 2))
