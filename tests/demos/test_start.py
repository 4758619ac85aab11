"""Where a walk begins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from demos.world.start import nearest_land, places


class Islands:
    """Sea with land to the east of `x` and south of `y`."""

    def __init__(self, x: int, y: int) -> None:
        self.x, self.y, self.calls = x, y, 0

    def call(self, method: str, /, *, seed: int, style: str, x: int, y: int, size: int) -> Any:
        assert (method, seed, style) == ("terrain.chunk", 5, "alpine")
        assert 16 <= size <= 32
        self.calls += 1
        columns, rows = np.meshgrid(np.arange(x, x + size), np.arange(y, y + size))
        metres = np.where((columns >= self.x) & (rows >= self.y), 20.0, -20.0)
        return {"height": np.rint((metres + 4096) * 4).astype("<u2"), "scale": 0.25, "offset": -4096.0}


@pytest.mark.parametrize(
    ("islands", "place", "calls"),
    [
        (Islands(-100, -100), (0, 0), 1),
        (Islands(200, -100), (256, 0), 2),
        (Islands(600, 600), (1024, 1024), 19),
        (Islands(10**6, 0), (0, 0), 41),
    ],
)
def test_the_nearest_land_that_is_looked_at(islands: Islands, place: tuple[int, int], calls: int) -> None:
    assert nearest_land(islands.call, 5, "alpine") == place
    assert islands.calls == calls


def test_places_go_outwards_on_every_side() -> None:
    all_places = list(places())
    distances = [max(abs(x), abs(y)) for x, y in all_places]
    assert len(set(all_places)) == 41
    assert distances == sorted(distances)
    assert {(np.sign(x), np.sign(y)) for x, y in all_places[1:9]} == {
        (i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)
    }
