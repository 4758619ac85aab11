"""Drawing 16x16 tiles with integers only, so that a tileset has the same bytes on every machine."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from runtime.content.levels.rules import TILE

Colour = tuple[int, int, int]


def shade(colour: Colour, percent: int) -> Colour:
    """A colour made lighter (over 100) or darker."""
    red, green, blue = (min(255, part * percent // 100) for part in colour)
    return red, green, blue


class Canvas:
    """One tile: `pixels` uint8 (16, 16, 4), RGBA, transparent at first. Positions are x, y from the top left."""

    def __init__(self) -> None:
        self.pixels: NDArray[np.uint8] = np.zeros((TILE, TILE, 4), np.uint8)

    def fill(self, colour: Colour) -> Canvas:
        """Fill the whole tile."""
        return self.rect(0, 0, TILE, TILE, colour)

    def rect(self, x: int, y: int, width: int, height: int, colour: Colour) -> Canvas:
        """Draw a filled rectangle; its part outside the tile is ignored."""
        self.pixels[max(y, 0) : y + height, max(x, 0) : x + width] = (*colour, 255)
        return self

    def points(self, places: Iterable[tuple[int, int]], colour: Colour) -> Canvas:
        """Draw single pixels."""
        for x, y in places:
            self.rect(x, y, 1, 1, colour)
        return self

    def disc(self, x: int, y: int, diameter: int, colour: Colour) -> Canvas:
        """Draw a filled disc in the square whose top left is x, y."""
        down, right = np.mgrid[0:diameter, 0:diameter] * 2 - (diameter - 1)
        inside = down * down + right * right <= diameter * diameter - 2
        self.pixels[y : y + diameter, x : x + diameter][inside] = (*colour, 255)
        return self

    def triangle(self, x: int, y: int, width: int, height: int, colour: Colour) -> Canvas:
        """Draw a filled triangle with its tip at the top middle of the rectangle and its base below."""
        for row in range(height):
            half = (row + 1) * width // (2 * height)
            self.rect(x + width // 2 - half, y + row, 2 * half, 1, colour)
        return self

    def speckle(self, colour: Colour, every: int, seed: int = 1) -> Canvas:
        """Recolour about one in `every` of the pixels drawn so far, scattered."""
        for i in range(TILE * TILE):
            mixed = (i * 2654435761 + seed * 40503) & 0xFFFFFFFF
            mixed = ((mixed ^ (mixed >> 15)) * 2246822519) & 0xFFFFFFFF
            if (mixed >> 16) % every == 0 and self.pixels[i // TILE, i % TILE, 3]:
                self.rect(i % TILE, i // TILE, 1, 1, colour)
        return self

    def mask(self, shape: Iterable[str], x: int, y: int, colours: dict[str, Colour]) -> Canvas:
        """Draw a picture of characters, each a colour; other characters change nothing."""
        for row, line in enumerate(shape):
            for column, char in enumerate(line):
                if char in colours:
                    self.rect(x + column, y + row, 1, 1, colours[char])
        return self
