"""Draws two sets of points over each other, binned in hexagons."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

WIDTH, HEIGHT, MARGIN = 420, 320, 46  # pixels of a picture, and of the margin around the plot
BINS = 24  # hexagons across
PALE, DARK, OURS, INK = (233, 240, 248), (16, 64, 124), (236, 112, 20), (40, 40, 40)


def draw_range(
    title: str, axes: tuple[str, str], corpus: NDArray[np.float64], ours: NDArray[np.float64]
) -> Image.Image:
    """Draw two sets of points.

    Args:
        title: above the plot.
        axes: the names of the two axes.
        corpus: points (N, 2), drawn as blue hexagons, darker where there are more.
        ours: points (N, 2), drawn as orange discs, larger where there are more.
    """
    least, most = _ends(np.concatenate([corpus, ours]))
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    span = np.array([WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN])
    size = span[0] / BINS  # distance between the centres of two hexagons of a row
    shown = [_binned((points - least) / (most - least) * span, size) for points in (corpus, ours)]
    densest = [max(found.values(), default=1) for found in shown]

    def on_picture(x: float, y: float) -> tuple[float, float]:
        return MARGIN + x, HEIGHT - MARGIN - y

    for (x, y), count in shown[0].items():
        depth = (count / densest[0]) ** 0.5
        colour = tuple(round(a + (b - a) * depth) for a, b in zip(PALE, DARK, strict=True))
        draw.regular_polygon((*on_picture(x, y), size / 3**0.5), 6, rotation=0, fill=colour)
    for (x, y), count in shown[1].items():
        radius = max(0.8, size * 0.46 * (count / densest[1]) ** 0.5)
        draw.circle(on_picture(x, y), radius, fill=OURS)
    draw.rectangle((MARGIN - 8, MARGIN - 8, WIDTH - MARGIN + 8, HEIGHT - MARGIN + 8), outline=INK)
    told = f"{title}: {len(corpus)} of the corpus (blue), {len(ours)} generated (orange)"
    draw.text((MARGIN - 8, 10), told, fill=INK, font_size=13)
    draw.text((WIDTH / 2, HEIGHT - 26), axes[0], fill=INK, font_size=12, anchor="mt")
    side = Image.new("RGB", (HEIGHT, 16), "white")
    ImageDraw.Draw(side).text((HEIGHT / 2, 2), axes[1], fill=INK, font_size=12, anchor="mt")
    image.paste(side.rotate(90, expand=True), (3, 0))
    for axis, anchor in ((0, "mt"), (1, "rm")):
        for end, at in ((least[axis], 0), (most[axis], span[axis])):
            place = on_picture(at, -12) if axis == 0 else on_picture(-12, at)
            draw.text(place, f"{end:.1f}", fill=INK, font_size=11, anchor=anchor)
    return image


def _ends(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The range of the points on both axes, rounded outwards to tenths."""
    least, most = np.floor(points.min(0) * 10) / 10, np.ceil(points.max(0) * 10) / 10
    return least, np.maximum(most, least + 0.1)


def _binned(points: NDArray[np.float64], size: float) -> dict[tuple[float, float], int]:
    """The number of points in each hexagon, by its centre; hexagons have a corner at the top and are `size` apart."""
    step = np.array([size, size * 3**0.5])
    middles = np.stack([np.round(points / step) * step, (np.floor(points / step) + 0.5) * step])
    nearest = np.square(middles - points).sum(2).argmin(0)
    chosen, counts = np.unique(middles[nearest, np.arange(len(points))].round(6), axis=0, return_counts=True)
    return {(x, y): count for (x, y), count in zip(chosen.tolist(), counts.tolist(), strict=True)}
