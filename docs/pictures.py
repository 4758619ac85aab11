"""Makes the pictures of the README:  python docs/pictures.py --data DIR

worlds.png: three seeds of 1024x1024 pixels on top; below them real land, and plain fBm noise, in the same light.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import noise
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pcg.terrain import data
from pcg.writers.heightmap import PREVIEW_EXAGGERATION, hillshade, metres
from runtime.local import Local

SIZE, SHOWN = 1024, 640
WORLDS = ((1, 2048, 2048), (4, 5120, 3072), (21, 0, 0))  # seed, x, y
REAL = ("bc_coast_mountains", "sierra_nevada")


def real_land(regions: list[data.Region], name: str) -> NDArray[np.float32]:
    """The middle of a region, 1024x1024 at 90 m."""
    heights = next(r for r in regions if r.name == name).heights
    top, left = ((side - SIZE) // 2 for side in heights.shape)
    return heights[top : top + SIZE, left : left + SIZE]


def fbm(relief_m: float) -> NDArray[np.float32]:
    """Eight octaves of Perlin noise with the standard deviation given."""
    rows = [[noise.pnoise2(x / 256, y / 256, octaves=8) for x in range(SIZE)] for y in range(SIZE)]
    heights = np.array(rows, np.float32)
    return heights / heights.std() * np.float32(relief_m)


def panel(heights: NDArray[np.float32], title: str) -> Image.Image:
    """A hillshade, smaller, with its title in a corner."""
    shade = hillshade(heights, data.METRES_PER_PIXEL, PREVIEW_EXAGGERATION)
    image = Image.fromarray(shade).resize((SHOWN, SHOWN), Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(image)
    box = draw.textbbox((10, SHOWN - 26), title, font_size=16)
    draw.rectangle((box[0] - 6, box[1] - 4, box[2] + 6, box[3] + 4), fill=20)
    draw.text((10, SHOWN - 26), title, fill=235, font_size=16)
    return image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of elevation data")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "pictures")
    arguments = parser.parse_args()
    arguments.out.mkdir(exist_ok=True)
    regions = data.load_regions(arguments.data) + data.load_regions(arguments.data, validation=True)
    with Local() as runtime:
        worlds = [
            (metres(runtime.call("terrain.chunk", seed=s, x=x, y=y, size=SIZE)), f"generated, seed {s}")
            for s, x, y in WORLDS
        ]
    lands = [(real_land(regions, name), f"real: {name.replace('_', ' ')}") for name in REAL]
    panels = [panel(h, t) for h, t in [*worlds, *lands, (fbm(float(worlds[0][0].std())), "fBm noise, 8 octaves")]]
    sheet = Image.new("L", (3 * SHOWN + 8, 2 * SHOWN + 4), 255)
    for i, image in enumerate(panels):
        sheet.paste(image, (i % 3 * (SHOWN + 4), i // 3 * (SHOWN + 4)))
    sheet.save(arguments.out / "worlds.png", optimize=True)


if __name__ == "__main__":
    main()
