"""Training data of the coarse level: land at 1,440 m a pixel, and its plan, which has each place's style and strike.

There are three kinds of source. Fine files, and files with pixels of some hundred metres, are averaged down. A map of
the whole Earth at 1/12 degree (9.3 km a pixel) has the coasts and islands that the others lack. It is read as if its
pixels were 1,440 m, with lowered heights, so these coasts have the shapes of real ones at a sixth of their size.

No source has a sea floor. Here the sea gets a depth that increases with the distance from land.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pcg.terrain.control import STYLE_SUM
from pcg.terrain.data import VALIDATION, resample
from pcg.terrain.networks import COARSE_UNIT, MARGIN, STYLES

METRES_PER_PIXEL = 1440.0
PIXELS_PER_BASE = 16  # one pixel of the coarse network's coarsest scale is 23 km
FRAME = 4  # cells that the network generates beyond a crop on each side
MARGIN_BASE = MARGIN  # pixels of the plan that the network needs beyond a crop on each side
CROP_SIDE_MIN = 128

WORLD_PIXEL_M = 5000.0  # a file with larger pixels is read as a rescaled world map
WORLD_HEIGHT = 0.4  # land is self-affine: at a sixth of the size it is about 0.4 times as high
WORLD_LATITUDES = range(-55, 75, 10)  # centres of the bands, each of which gets square pixels
WORLD_ROWS = 240  # of 1/12 degree: 20 degrees a band
ZOOMS = (0.75, 1.0, 1.3)  # a large sheet is used at several scales, since ranges have many sizes

STYLE_WINDOW = 3 * PIXELS_PER_BASE  # the style of a place is computed from 69 km around it
SEA_SHARE, LOWLAND_ROUGHNESS_M, PLATEAU_ROUGHNESS_M, PLATEAU_HEIGHT_M = 0.2, 12.0, 55.0, 1500.0
STRIKE_BLUR = 12.0  # cells: the strike of a place is computed from some 50 km around it
STRIKE_GAIN = 1.5  # the coherence of real land is rarely above two thirds
WEIGHTS = {"world": 0.45, "sheet": 0.55}


@dataclass(frozen=True)
class Sheet:
    """One map: `roots` float32 (H, W), signed roots of metres in COARSE_UNIT; `plan` float32 (6, H, W)."""

    name: str
    licence: str
    roots: NDArray[np.float32]
    plan: NDArray[np.float32]
    weight: float
    world: bool


def sea_floor(land: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Depth of the sea in metres: 8 m a cell of distance from land, more beyond some 15 km; at most 2,500 m."""
    distance = ndimage.distance_transform_edt(~land).astype(np.float32)
    depth = 8 * distance + 1.2 * np.maximum(distance - 8, 0) ** 1.6
    return np.minimum(ndimage.gaussian_filter(depth, 1.0), 2500.0)


def signed_root(metres: NDArray[np.float32]) -> NDArray[np.float32]:
    """The signed root u of heights: u |u| COARSE_UNIT^2 = metres."""
    return (np.sign(metres) * np.sqrt(np.abs(metres)) / COARSE_UNIT).astype(np.float32)


def style_map(heights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Style weights of every cell, which sum to one: heights (H, W) in metres, the sea negative, to (4, H, W).

    Cells near the sea are archipelago; smooth land is lowland, or plateau if it is high; other land is alpine.
    """
    land = np.maximum(heights, 0)
    mean = ndimage.uniform_filter(land, STYLE_WINDOW, mode="reflect")
    fine = np.abs(land - ndimage.gaussian_filter(land, 1.0, mode="reflect"))
    roughness = ndimage.uniform_filter(fine, STYLE_WINDOW, mode="reflect")
    sea = ndimage.uniform_filter((heights < 0).astype(np.float32), STYLE_WINDOW, mode="reflect")
    chosen = np.full(heights.shape, STYLES.index("alpine"))
    chosen[(mean > PLATEAU_HEIGHT_M) & (roughness < PLATEAU_ROUGHNESS_M)] = STYLES.index("plateau")
    chosen[(roughness < LOWLAND_ROUGHNESS_M) & (mean < PLATEAU_HEIGHT_M)] = STYLES.index("lowland")
    chosen[sea > SEA_SHARE] = STYLES.index("archipelago")
    one_hot = np.stack([chosen == k for k in range(len(STYLES))]).astype(np.float32)
    return ndimage.gaussian_filter(one_hot, (0, 10, 10), mode="reflect")


def strike_map(roots: NDArray[np.float32]) -> NDArray[np.float32]:
    """The strike, the direction of ranges and valleys, of every cell: signed roots (H, W) to (2, H, W) in [-1, 1].

    It is coherence times cosine and sine of twice the angle, clockwise from east, from the structure tensor of the
    slopes (Bigun & Granlund 1987, "Optimal orientation detection of linear symmetry").
    """
    south, east = np.gradient(ndimage.gaussian_filter(np.maximum(roots, 0), 0.7, mode="reflect"))
    products = (east * east, south * south, east * south)
    ee, ss, es = (ndimage.gaussian_filter(p, STRIKE_BLUR, mode="reflect") for p in products)
    # Slopes are perpendicular to the strike, so both components change sign.
    along = np.stack([ss - ee, -2 * es]) / (ee + ss + 1e-5)
    return np.clip(along * STRIKE_GAIN, -1, 1).astype(np.float32)


def make_sheet(name: str, licence: str, metres: NDArray[np.float32], weight: float, *, world: bool) -> Sheet:
    """A sheet from heights, with the sea at exactly 0. It is padded by reflection; crops read only the plan there."""
    land = metres != 0
    heights = np.where(land, np.maximum(metres, 1.0), -sea_floor(land)).astype(np.float32)
    pad = MARGIN_BASE * PIXELS_PER_BASE
    roots = signed_root(heights)
    plan = np.concatenate([style_map(heights) * np.float32(STYLE_SUM / 128), strike_map(roots)])
    plan = np.pad(plan, ((0, 0), (pad, pad), (pad, pad)), "symmetric")
    return Sheet(name, licence, np.pad(roots, FRAME, "symmetric"), plan, weight, world)


def load_sheets(folder: Path) -> list[Sheet]:
    """All sheets of a data folder that are large enough for crops, without the validation regions.

    Raises:
        FileNotFoundError: there is no such sheet.
    """
    sheets = []
    for path in sorted(folder.glob("*.npz")):
        if path.stem in VALIDATION:
            continue
        with np.load(path) as file:
            meta = json.loads(str(file["meta"]))
            z = file["z"].astype(np.float32)
        licence, dx, dy = str(meta.get("licence", "not stated")), float(meta["dx_m"]), float(meta["dy_m"])
        if dy > WORLD_PIXEL_M:
            sheets += world_sheets(path.stem, licence, z, dy)
            continue
        for zoom in ZOOMS:
            metres = resample(z, dx, dy, METRES_PER_PIXEL * zoom)
            if min(metres.shape) >= CROP_SIDE_MIN:
                sheets.append(make_sheet(path.stem, licence, metres, float(metres.size), world=False))
    if not sheets:
        raise FileNotFoundError(
            f"no elevation files in {folder} cover {CROP_SIDE_MIN * METRES_PER_PIXEL / 1000:.0f} km a side"
        )
    return sheets


def world_sheets(name: str, licence: str, z: NDArray[np.float32], dy: float) -> list[Sheet]:
    """Bands of a world map in degrees, each with square pixels at its middle latitude, and lowered heights."""
    sheets = []
    degree = 111_320 / dy  # rows
    for latitude in WORLD_LATITUDES:
        first = round(z.shape[0] / 2 - latitude * degree) - WORLD_ROWS // 2
        band = z[max(0, first) : first + WORLD_ROWS]
        sea = band == 0
        columns = np.cos(np.radians(latitude))
        heights = ndimage.zoom(np.maximum(band, 1.0), (1, columns), order=1, mode="nearest", grid_mode=True)
        shore = ndimage.zoom(sea.astype(np.float32), (1, columns), order=1, mode="nearest", grid_mode=True) > 0.5
        metres = np.where(shore, 0, np.maximum(heights * WORLD_HEIGHT, 0.5)).astype(np.float32)
        sheets.append(make_sheet(name, licence, metres, float((~shore).sum()), world=True))
    return sheets


def draw_crops(
    sheets: list[Sheet], base: int, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw random crops of `base` x `base` pixels of 23 km, rotated and mirrored at random.

    Crops of world maps have a coast.

    Returns:
        Plans (N, 6, base + 12, ...) and signed roots (N, 16 base + 8, ...).

    Raises:
        ValueError: fewer than one crop in 200 is usable, or no sheet is large enough.
    """
    size = base * PIXELS_PER_BASE
    kinds = [
        [s for s in sheets if s.world is world and min(s.roots.shape) >= size + 2 * FRAME] for world in (True, False)
    ]
    shares = np.array([WEIGHTS["world"] if kinds[0] else 0, WEIGHTS["sheet"] if kinds[1] else 0])
    if not shares.any():
        raise ValueError(f"no map is as large as a crop of {size} cells")
    plans: list[NDArray[np.float32]] = []
    roots: list[NDArray[np.float32]] = []
    for _ in range(count * 200):
        if len(roots) == count:
            break
        kind = kinds[rng.choice(2, p=shares / shares.sum())]
        weights = np.array([s.weight**0.5 for s in kind])
        sheet = kind[rng.choice(len(kind), p=weights / weights.sum())]
        row, column = (int(rng.integers(0, side - size - 2 * FRAME + 1)) for side in sheet.roots.shape)
        crop = sheet.roots[row : row + size + 2 * FRAME, column : column + size + 2 * FRAME]
        sea = float((crop < 0).mean())
        if sea > 0.9 or (sheet.world and sea < 0.08):
            continue
        span = (base + 2 * MARGIN_BASE) * PIXELS_PER_BASE
        half = PIXELS_PER_BASE // 2
        plan = sheet.plan[:, row + half : row + span : PIXELS_PER_BASE, column + half : column + span : PIXELS_PER_BASE]
        turn, mirror = int(rng.integers(4)), bool(rng.integers(2))
        for kept, a in ((plans, plan), (roots, crop)):
            kept.append(np.rot90(a[..., ::-1] if mirror else a, turn, (-2, -1)))
        # A mirror negates the strike's angle; a quarter turn adds a half turn to twice the angle.
        signs = [1, 1, 1, 1, (-1) ** turn, (-1) ** (turn + mirror)]
        plans[-1] = plans[-1] * np.array(signs, np.float32)[:, None, None]
    if len(roots) < count:
        raise ValueError(f"only {len(roots)} of {200 * count} crops of {size} cells are land, or have a coast")
    return np.stack(plans), np.stack(roots)
