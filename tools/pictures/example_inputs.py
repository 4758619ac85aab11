"""Makes the examples that the README's commands take:  python tools/pictures/example_inputs.py

sketch.png: the large forms of an island, 8 bits of grey, 48x32 values of 1,440 m.
front.png: a standing figure seen from the front, RGBA of 64x64 pixels, of the build that the character models know.

Both are drawn by the formulas and shapes below, and are in the public domain (CC0).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

DOCS = Path(__file__).parents[2] / "docs"
WIDTH, HEIGHT = 48, 32  # of the sketch, values
SEA_M, LOW_M, HIGH_M = -180.0, -200.0, 2500.0  # the floor around the island; what black and white stand for

FRAME = 64  # of the front, pixels a side
OUTLINE = (38, 28, 40)
# Shape by shape, from back to front: a colour, and the corners of its right half, counted from the middle and the top.
SHAPES: tuple[tuple[tuple[int, int, int], tuple[tuple[int, int], ...]], ...] = (
    ((88, 48, 34), ((0, 16), (6, 16), (10, 20), (10, 33), (7, 36), (0, 36))),  # hair, behind the face
    ((92, 64, 44), ((1, 47), (7, 47), (7, 56), (1, 56))),  # trousers
    ((72, 50, 36), ((5, 48), (7, 48), (7, 56), (5, 56))),
    ((62, 44, 36), ((1, 55), (8, 55), (8, 60), (1, 60))),  # boots
    ((92, 68, 52), ((2, 56), (5, 56), (5, 57), (2, 57))),
    ((46, 98, 84), ((0, 35), (8, 35), (9, 38), (8, 49), (0, 49))),  # tunic
    ((70, 134, 108), ((0, 36), (5, 36), (5, 42), (0, 42))),
    ((36, 76, 72), ((8, 35), (11, 37), (12, 43), (9, 43), (8, 40))),  # sleeves
    ((52, 108, 90), ((9, 37), (10, 37), (11, 41), (10, 41))),
    ((226, 168, 128), ((9, 44), (12, 44), (12, 47), (9, 47))),  # hands
    ((198, 156, 62), ((0, 45), (8, 45), (8, 46), (0, 46))),  # belt
    ((242, 212, 120), ((0, 44), (1, 44), (1, 47), (0, 47))),
    ((232, 176, 134), ((0, 21), (7, 21), (8, 24), (8, 30), (5, 34), (0, 34))),  # face
    ((206, 146, 110), ((4, 33), (5, 33), (7, 31), (7, 30), (3, 33))),
    ((128, 74, 46), ((0, 17), (5, 17), (9, 21), (9, 26), (7, 26), (6, 22), (2, 23), (0, 22))),  # fringe
    ((168, 104, 62), ((1, 18), (4, 18), (6, 20), (2, 20))),
    ((250, 246, 240), ((3, 27), (5, 27), (5, 29), (3, 29))),  # eyes
    ((46, 70, 122), ((3, 27), (4, 27), (4, 29), (3, 29))),
    ((176, 104, 84), ((0, 32), (1, 32), (1, 32), (0, 32))),  # mouth
)


def sketch() -> NDArray[np.uint8]:
    """Grey (32, 48): an island with a range along it, a plain in the south and a bay in the west; sea all around."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    u, v = (x - WIDTH / 2 + 0.5) / (WIDTH / 2), (y - HEIGHT / 2 + 0.5) / (HEIGHT / 2)  # -1 to 1
    shore = 0.72 + 0.09 * np.sin(3 * np.arctan2(v, u) + 1) + 0.05 * np.sin(5 * np.arctan2(v, u))
    inland = np.clip((shore - np.hypot(u, v)) / 0.35, -1, 1)
    bay = np.exp(-(((u + 0.62) / 0.22) ** 2 + ((v - 0.05) / 0.3) ** 2))
    inland -= 1.2 * bay
    ridge = np.exp(-(((v + 0.22 + 0.18 * np.sin(2.4 * u)) / 0.26) ** 2)) * np.clip(1.1 - np.abs(u - 0.08), 0, 1)
    peaks = 0.75 + 0.25 * np.cos(9 * u + 2 * v)
    land = 60 + 220 * np.clip(inland, 0, 1) + 1900 * ridge * peaks * np.clip(inland, 0, 1)
    metres = np.where(inland > 0, land, SEA_M * np.clip(-2 * inland, 0.15, 1))
    grey: NDArray[np.uint8] = np.rint((metres - LOW_M) / (HIGH_M - LOW_M) * 255).astype(np.uint8)
    return grey


def front() -> NDArray[np.uint8]:
    """RGBA (64, 64, 4): a figure 46 pixels high, feet on the 62nd row, with a dark outline."""
    image = Image.new("RGBA", (FRAME, FRAME))
    draw = ImageDraw.Draw(image)
    middle = FRAME // 2
    for colour, corners in SHAPES:
        draw.polygon([(middle + x, y) for x, y in corners], fill=colour)
        draw.polygon([(middle - 1 - x, y) for x, y in corners], fill=colour)
    pixels: NDArray[np.uint8] = np.array(image)
    solid = np.pad(pixels[..., 3] > 0, 1)
    beside = solid[:-2, 1:-1] | solid[2:, 1:-1] | solid[1:-1, :-2] | solid[1:-1, 2:]
    pixels[beside & ~solid[1:-1, 1:-1]] = (*OUTLINE, 255)
    return pixels


def main() -> None:
    """Draw the pictures that the arguments name, and save them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DOCS / "examples")
    out = parser.parse_args().out
    out.mkdir(exist_ok=True)
    for name, picture in (("sketch", sketch()), ("front", front())):
        Image.fromarray(picture).save(out / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
