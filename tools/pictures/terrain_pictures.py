"""Makes the pictures of the docs:  python tools/pictures/terrain_pictures.py --data DIR

worlds.png: generated land of 92 km a side on top; below it real land, and plain fBm noise, in the same light.
views.png: the same, 46 km a side, seen from the air.
styles.png: a world of each style, 738 km a side.
rivers.png: rivers of 25 km^2 and more over their land with its lakes, 58 km a side.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import noise
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pcg.terrain import data
from pcg.terrain.networks import STYLES
from pcg.writers.terrain.heightmap import PREVIEW_EXAGGERATION, hillshade
from runtime.local import Local

DOCS = Path(__file__).parents[2] / "docs"
SIZE, SHOWN, VIEWED = 1024, 640, 512
WORLDS = (
    (5, -3000, 2500, "varied"),
    (1, 2048, 2048, "alpine"),
    (12, 0, 0, "alpine:0.6,archipelago:0.4"),
)  # seed, x, y, style
REAL = ("bc_coast_mountains", "andes_aconcagua")
STYLE_LOD, STYLE_SIZE = 3, 1024
RIVERS, RIVER_SIZE = (
    ((5, -3000, 2500, "varied"), (12, 100, 400, "alpine:0.6,archipelago:0.4"), (3, 300, 100, "alpine")),
    640,
)
WATER, STREAM, CROSSING = (72, 134, 186), (24, 60, 200), (150, 200, 235)  # lakes, rivers, their ways through lakes

VIEW_WIDTH, VIEW_HEIGHT, VIEW_EXAGGERATION = 640, 360, 1.3
# Land's colours by height over the sea, and the sea's by depth.
RAMP_M = np.array([0, 150, 600, 1300, 2200, 3000, 4500], np.float32)
RAMP = np.array(
    [
        (112, 140, 88),
        (122, 150, 92),
        (146, 152, 104),
        (150, 138, 112),
        (140, 128, 118),
        (205, 203, 203),
        (245, 245, 248),
    ]
)
SEA = np.array([(120, 168, 196), (36, 74, 124)], np.float32)


def real_land(regions: list[data.Region], name: str) -> NDArray[np.float32]:
    """The middle of a region, 1024x1024 at 90 m."""
    heights = next(r for r in regions if r.name == name).heights
    top, left = ((side - SIZE) // 2 for side in heights.shape)
    return heights[top : top + SIZE, left : left + SIZE]


def fbm(like: NDArray[np.float32]) -> NDArray[np.float32]:
    """Eight octaves of Perlin noise with another land's mean and deviation."""
    rows = [[noise.pnoise2(x / 256, y / 256, octaves=8) for x in range(SIZE)] for y in range(SIZE)]
    heights = np.array(rows, np.float32)
    scaled: NDArray[np.float32] = (heights - heights.mean()) / heights.std() * like.std() + like.mean()
    return scaled


def metres(chunk: dict[str, Any]) -> NDArray[np.float32]:
    """Heights of a chunk, float32."""
    heights: NDArray[np.float32] = chunk["height"] * np.float32(chunk["scale"]) + np.float32(chunk["offset"])
    return heights


def coloured(heights: NDArray[np.float32], metres_per_pixel: float, exaggeration: float) -> NDArray[np.uint8]:
    """Heights in colours, shaded: (H, W) to (H, W, 3)."""
    land = np.stack([np.interp(heights, RAMP_M, RAMP[:, k]) for k in range(3)], -1)
    shade = hillshade(np.maximum(heights, 0), metres_per_pixel, exaggeration)[..., None] / 180
    depth = np.clip(-heights / 1500, 0, 1)[..., None]
    sea = SEA[0] * (1 - depth) + SEA[1] * depth
    picture: NDArray[np.uint8] = np.where((heights < 0)[..., None], sea, land * shade).clip(0, 255).astype(np.uint8)
    return picture


def with_rivers(runtime: Local, seed: int, x: int, y: int, style: str) -> NDArray[np.uint8]:
    """A hillshade with lakes and rivers: (H, W, 3)."""
    place = {"seed": seed, "x": x, "y": y, "style": style}
    chunk = runtime.call("terrain.chunk", **place, size=RIVER_SIZE, layers=["height", "water"])
    shade = hillshade(metres(chunk), chunk["meters_per_pixel"], PREVIEW_EXAGGERATION)
    colours = np.repeat(shade[..., None], 3, axis=2) * 0.7 + 70
    colours[chunk["water"] > 0] = WATER
    image = Image.fromarray(colours.astype(np.uint8))
    draw = ImageDraw.Draw(image)
    found = runtime.call("terrain.rivers", **place, width=RIVER_SIZE, height=RIVER_SIZE)
    for begin, end, kind in zip(found["starts"], found["starts"][1:], found["kinds"], strict=False):
        colour = CROSSING if found["end_names"][kind] == "lake" else STREAM
        line = [(float(a), float(b)) for a, b in found["points"][begin:end]]
        draw.line(line, fill=colour, width=1 + int(found["width"][end - 1] > 15) + int(found["width"][end - 1] > 30))
    return np.asarray(image)


def view(heights: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A bird's view of the land towards its first row, in perspective; far columns of pixels are drawn first."""
    side = heights.shape[0]
    colours = coloured(heights, data.METRES_PER_PIXEL, PREVIEW_EXAGGERATION)
    ground = np.maximum(heights, 0) / data.METRES_PER_PIXEL * VIEW_EXAGGERATION
    eye = float(ground.mean()) + side * 0.42
    sky = np.linspace((150, 180, 215), (225, 232, 238), VIEW_HEIGHT).astype(np.uint8)
    picture = np.broadcast_to(sky[:, None], (VIEW_HEIGHT, VIEW_WIDTH, 3)).copy()
    across = np.linspace(-0.5, 0.5, VIEW_WIDTH)
    rows = np.arange(VIEW_HEIGHT)[:, None]
    for row in np.arange(0, side - 1, 0.5):
        distance = side * 1.25 - row
        column = side / 2 + across * distance * 0.75
        seen = (column >= 0) & (column <= side - 1)
        i, j = int(row), column.clip(0, side - 1).astype(int)
        horizon = VIEW_HEIGHT * -0.33 + (eye - ground[i, j]) / distance * VIEW_WIDTH * 0.85
        haze = (distance / side - 0.25) * 0.45
        colour = colours[i, j] * (1 - haze) + np.array([205, 218, 232]) * haze
        mask = (rows >= horizon) & seen
        picture[mask] = np.broadcast_to(colour, (VIEW_HEIGHT, VIEW_WIDTH, 3))[mask].astype(np.uint8)
    return picture


def titled(picture: NDArray[np.uint8], title: str) -> Image.Image:
    """A picture with its title in a corner."""
    image = Image.fromarray(picture).convert("RGB")
    draw = ImageDraw.Draw(image)
    box = draw.textbbox((10, image.height - 26), title, font_size=16)
    draw.rectangle((box[0] - 6, box[1] - 4, box[2] + 6, box[3] + 4), fill=(20, 20, 20))
    draw.text((10, image.height - 26), title, fill=(235, 235, 235), font_size=16)
    return image


def sheet(images: list[Image.Image], columns: int, path: Path) -> None:
    """Pictures of one size in rows."""
    width, height = images[0].size
    rows = -(-len(images) // columns)
    whole = Image.new("RGB", (columns * (width + 4) - 4, rows * (height + 4) - 4), "white")
    for i, image in enumerate(images):
        whole.paste(image, (i % columns * (width + 4), i // columns * (height + 4)))
    whole.save(path, optimize=True)


def main() -> None:
    """Draw the pictures that the arguments name, and save them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of elevation data")
    parser.add_argument("--out", type=Path, default=DOCS / "pictures")
    arguments = parser.parse_args()
    arguments.out.mkdir(exist_ok=True)
    regions = data.load_regions(arguments.data) + data.load_regions(arguments.data, validation=True)
    with Local() as runtime:
        lands = [
            (metres(runtime.call("terrain.chunk", seed=s, x=x, y=y, size=SIZE, style=style)), f"generated, seed {s}")
            for s, x, y, style in WORLDS
        ]
        large = [
            runtime.call("terrain.chunk", seed=3, x=0, y=0, size=STYLE_SIZE, lod=STYLE_LOD, style=style)
            for style in (*STYLES, "varied")
        ]
        rivers = [titled(with_rivers(runtime, *world), f"seed {world[0]}, {world[3]}") for world in RIVERS]
    sheet(rivers, 3, arguments.out / "rivers.png")
    lands += [(real_land(regions, name), f"real: {name.replace('_', ' ')}") for name in REAL]
    lands.append((fbm(lands[0][0]), "fBm noise, 8 octaves"))
    shaded = [Image.fromarray(hillshade(land, data.METRES_PER_PIXEL, PREVIEW_EXAGGERATION)) for land, _ in lands]
    small = [image.resize((SHOWN, SHOWN), Image.Resampling.LANCZOS) for image in shaded]
    maps = [titled(np.asarray(image), title) for image, (_, title) in zip(small, lands, strict=True)]
    sheet(maps, 3, arguments.out / "worlds.png")
    sheet([titled(view(land[:VIEWED, :VIEWED]), title) for land, title in lands], 3, arguments.out / "views.png")
    styles = []
    for chunk in large:
        picture = Image.fromarray(coloured(metres(chunk), chunk["meters_per_pixel"], 3.0))
        styles.append(titled(np.asarray(picture.resize((SHOWN, SHOWN), Image.Resampling.LANCZOS)), chunk["style"]))
    sheet(styles, 3, arguments.out / "styles.png")


if __name__ == "__main__":
    main()
