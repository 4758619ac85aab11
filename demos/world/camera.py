"""The camera: converts between world pixels and screen pixels. Pure functions, without pygame.

World x goes east and y south. World pixel i covers [i, i + 1), screen pixel likewise. A pixel of level of detail `lod`
covers 2^lod world pixels a side. A chunk has the same number of pixels at every level, so a window needs about the same
number of chunks at every zoom.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

CHUNK = 256  # pixels a side, of its level
LODS = 5  # levels of detail
# The zooms at which zooming rests, in screen pixels a world pixel. Those up to 1 show the pixels of a level unscaled.
ZOOMS = (0.0625, 0.125, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
LIMIT = 2.0**52  # world pixels; beyond 2^53 the world has no coordinates, and floats have no fractions

Point = tuple[float, float]


@dataclass(frozen=True)
class Camera:
    """The centre in world pixels, the zoom in screen pixels a world pixel, the window's size in screen pixels.

    >>> Camera(100.0, 50.0, 2.0, 640, 480).to_world((320, 240))
    (100.0, 50.0)
    """

    x: float
    y: float
    zoom: float
    width: int
    height: int

    def to_world(self, screen: Point) -> Point:
        """The world position under a screen position."""
        return self.x + (screen[0] - self.width / 2) / self.zoom, self.y + (screen[1] - self.height / 2) / self.zoom

    def to_screen(self, world: Point) -> Point:
        """The screen position of a world position."""
        return (world[0] - self.x) * self.zoom + self.width / 2, (world[1] - self.y) * self.zoom + self.height / 2

    def moved(self, dx: float, dy: float) -> Camera:
        """The camera moved by screen pixels; its centre stays within LIMIT of the origin."""
        x, y = self.x + dx / self.zoom, self.y + dy / self.zoom
        return replace(self, x=min(max(x, -LIMIT), LIMIT), y=min(max(y, -LIMIT), LIMIT))

    def zoomed(self, zoom: float, anchor: Point) -> Camera:
        """The camera at another zoom, with the same world position under the screen position `anchor`."""
        x, y = self.to_world(anchor)
        return replace(
            self,
            zoom=zoom,
            x=x - (anchor[0] - self.width / 2) / zoom,
            y=y - (anchor[1] - self.height / 2) / zoom,
        )

    def resized(self, width: int, height: int) -> Camera:
        """The camera in a window of another size, with the same centre."""
        return replace(self, width=width, height=height)

    @property
    def lod(self) -> int:
        """The level of detail whose pixels have 1 to 2 screen pixels a side; more only at level 0, where none is finer.

        >>> [Camera(0, 0, zoom, 640, 480).lod for zoom in (4.0, 1.0, 0.99, 0.5, 0.0625)]
        [0, 0, 1, 1, 4]
        """
        return min(max(math.ceil(-math.log2(self.zoom) - 1e-9), 0), LODS - 1)

    def chunks(self, margin: int = 0, lod: int | None = None) -> list[tuple[int, int]]:
        """The (column, row) of the chunks in view, the nearest to the centre first.

        `margin`: so many chunks more on every side. `lod`: the level; by default the camera's.
        """
        side = CHUNK << (self.lod if lod is None else lod)  # world pixels
        left, top = self.to_world((0, 0))
        right, bottom = self.to_world((self.width, self.height))
        columns = range(math.floor(left / side) - margin, math.ceil(right / side) + margin)
        rows = range(math.floor(top / side) - margin, math.ceil(bottom / side) + margin)
        centre_column, centre_row = self.x / side - 0.5, self.y / side - 0.5
        return sorted(
            ((column, row) for row in rows for column in columns),
            key=lambda at: ((at[0] - centre_column) ** 2 + (at[1] - centre_row) ** 2, at),
        )


def next_zoom(zoom: float, steps: int) -> float:
    """The zoom that is `steps` steps closer in ZOOMS; negative steps are farther.

    >>> next_zoom(1.0, 1), next_zoom(1.0, -99), next_zoom(4.0, 1)
    (1.5, 0.0625, 4.0)
    """
    index = min(range(len(ZOOMS)), key=lambda i: abs(math.log(ZOOMS[i] / zoom))) + steps
    return ZOOMS[min(max(index, 0), len(ZOOMS) - 1)]


def approach(value: float, target: float, seconds: float, time_constant: float) -> float:
    """`value` after `seconds` of easing towards `target`: after `time_constant` seconds 37 % of the way remains.

    >>> approach(0.0, 10.0, 0.0, 0.1)
    0.0
    """
    return target + (value - target) * math.exp(-seconds / time_constant)
