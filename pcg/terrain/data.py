"""Real elevation data: regions of square 90 m pixels, and random crops of them with their control maps.

A data folder holds `.npz` files with `z` (elevation in metres, row 0 = north), `meta` (JSON: region, dx_m, dy_m,
licence, ...) and, where the source had gaps, `void` (True = filled in; never sampled).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

METRES_PER_PIXEL = 90.0
PIXELS_PER_CELL = 16  # one control cell is 1,440 m
MARGIN_CELLS = 8  # cells of the control map that the generator needs beyond a crop on each side

# Never trained on: both are for validation, and one states no licence.
VALIDATION = ("nz_southern_alps_75m", "bc_coast_mountains")
FINE_PIXEL_MAX_M = 120.0  # a coarser file has no detail at 90 m to learn from
SEA_FRACTION_MAX = 0.6  # of a crop; there is nothing to learn from open sea
TRIES_A_CROP = 2000  # after so many tries the data counts as unusable
LARGE_REGION_PX = 1_000_000  # a larger region has the weight of one of this size
# Factors on a region's weight. Speckle (rainforest canopy, towns) and filled voids are errors of the instrument, so
# such regions are drawn less often; ranges with well-drained valleys are drawn more often.
WEIGHT = {
    "gabon_woleu_ntem": 0.25,
    "mount_st_helens_30m": 0.3,
    "california_coast_ranges": 0.6,
    "england_downs": 0.6,
    "andes_aconcagua": 1.5,
    "maritime_alps": 1.5,
    "provence_prealps": 1.5,
    "alps_lepontine": 1.5,
}


@dataclass(frozen=True)
class Region:
    """One DEM at 90 m: `heights` float32 (H, W) metres, padded by reflection; `bad`: pixels not to be sampled."""

    name: str
    licence: str
    heights: NDArray[np.float32]
    bad: NDArray[np.bool_]
    weight: float


@dataclass(frozen=True)
class Batch:
    """`control`: float32 (N, cells + 16, cells + 16) metres, block means; `heights`: (N, 16 cells + 8, ...) metres."""

    control: NDArray[np.float32]
    heights: NDArray[np.float32]


def resample(
    z: NDArray[np.float32], dx: float, dy: float, metres_per_pixel: float = METRES_PER_PIXEL
) -> NDArray[np.float32]:
    """Resample heights to square pixels.

    A Gaussian against aliasing where the size shrinks, then a cubic spline: it keeps a plane a plane. A windowed filter
    (bicubic, Lanczos, area) leaves a periodic ripple in the slopes.

    Args:
        z: heights (H, W).
        dx, dy: width and height of a pixel in metres.
        metres_per_pixel: of the result.
    """
    rows, columns = (max(1, round(n * d / metres_per_pixel)) for n, d in zip(z.shape, (dy, dx), strict=True))
    blur = [0.35 * metres_per_pixel / d if d < 0.95 * metres_per_pixel else 0.0 for d in (dy, dx)]
    smooth = ndimage.gaussian_filter(z, blur, mode="nearest")
    shape = (rows / z.shape[0], columns / z.shape[1])
    out = ndimage.zoom(smooth, shape, order=3, mode="nearest", grid_mode=True)
    out[np.abs(out) < 0.02] = 0.0  # the spline's ringing beside a flat sea
    return out


def load_region(path: Path) -> Region | None:
    """Read and resample one file; None for one whose pixels are too coarse to learn detail at 90 m from.

    Raises:
        ValueError: a field is missing or wrong; the message names the file.
    """
    with np.load(path) as file:
        if "z" not in file.files or "meta" not in file.files:
            raise ValueError(f"{path}: needs the arrays 'z' and 'meta', has {', '.join(file.files)}")
        meta = json.loads(str(file["meta"]))
        if not {"dx_m", "dy_m"} <= set(meta):
            raise ValueError(f"{path}: its 'meta' needs dx_m and dy_m, the size of a pixel in metres")
        if float(meta["dy_m"]) > FINE_PIXEL_MAX_M:
            return None
        z = file["z"].astype(np.float32)
        void = file["void"].astype(np.float32) if "void" in file.files else np.zeros_like(z)
    if not np.isfinite(z).all():
        raise ValueError(
            f"{path}: {int((~np.isfinite(z)).sum())} heights are not finite; fill them and mark them in 'void'"
        )
    dx, dy = float(meta["dx_m"]), float(meta["dy_m"])
    heights = resample(z, dx, dy)
    bad = resample(void, dx, dy) > 0.02
    pad = MARGIN_CELLS * PIXELS_PER_CELL
    # Land beyond the edge is used only for the control map, so reflection is good enough.
    area = float((~bad & (heights != 0)).sum())
    weight = min(area, LARGE_REGION_PX) ** 0.5 * WEIGHT.get(path.stem, 1.0)
    return Region(path.stem, str(meta.get("licence", "not stated")), np.pad(heights, pad, "symmetric"), bad, weight)


def load_regions(folder: Path, *, validation: bool = False) -> list[Region]:
    """The training regions of a data folder, or the validation regions.

    Raises:
        FileNotFoundError: the folder holds no region of that kind.
    """
    regions = []
    for path in sorted(folder.glob("*.npz")):
        if (path.stem in VALIDATION) != validation:
            continue
        region = load_region(path)
        if region is not None:
            regions.append(region)
    if not regions:
        kind = "validation" if validation else "training"
        raise FileNotFoundError(f"no {kind} elevation files (*.npz with 'z' and 'meta') in {folder}")
    return regions


def crop_at(region: Region, row: int, column: int, cells: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Control map and heights of the crop whose top-left pixel is (row, column) of the unpadded region."""
    span = (cells + 2 * MARGIN_CELLS) * PIXELS_PER_CELL
    window = region.heights[row : row + span, column : column + span]
    side = cells + 2 * MARGIN_CELLS
    control = window.reshape(side, PIXELS_PER_CELL, side, PIXELS_PER_CELL).mean((1, 3), dtype=np.float32)
    edge = MARGIN_CELLS * PIXELS_PER_CELL - 4  # four more pixels, for slopes at the border
    return control, window[edge : span - edge, edge : span - edge]


def usable(region: Region, row: int, column: int, cells: int) -> bool:
    """Whether the crop has no filled voids and is not mostly sea."""
    size = cells * PIXELS_PER_CELL
    if region.bad[row : row + size, column : column + size].any():
        return False
    pad = MARGIN_CELLS * PIXELS_PER_CELL
    land = region.heights[row + pad : row + pad + size, column + pad : column + pad + size]
    return float((land == 0).mean()) <= SEA_FRACTION_MAX


def fitting(regions: list[Region], cells: int) -> list[Region]:
    """The regions that are at least as large as a crop of cells x cells. Raises ValueError when there is none."""
    size = cells * PIXELS_PER_CELL
    fit = [r for r in regions if min(r.bad.shape) >= size]
    if not fit:
        raise ValueError(f"no region is as large as a crop of {size} pixels; use fewer cells than {cells}")
    return fit


def draw_batch(regions: list[Region], cells: int, count: int, rng: np.random.Generator) -> Batch:
    """Draw `count` random crops of cells x cells control cells, rotated and mirrored; regions by their weight.

    Raises:
        ValueError: almost no crop is usable.
    """
    size = cells * PIXELS_PER_CELL
    weights = np.array([r.weight for r in regions])
    weights /= weights.sum()
    controls: list[NDArray[np.float32]] = []
    heights: list[NDArray[np.float32]] = []
    tries = 0
    while len(controls) < count:
        tries += 1
        if tries > TRIES_A_CROP * count:
            raise ValueError(f"only {len(controls)} of {tries} crops of {size} pixels are land without voids")
        region = regions[rng.choice(len(regions), p=weights)]
        row, column = (int(rng.integers(0, side - size + 1)) for side in region.bad.shape)
        if not usable(region, row, column, cells):
            continue
        turn, mirror = int(rng.integers(4)), bool(rng.integers(2))
        control, land = crop_at(region, row, column, cells)
        for kept, a in ((controls, control), (heights, land)):
            kept.append(np.rot90(a[:, ::-1] if mirror else a, turn))
    return Batch(np.stack(controls), np.stack(heights))


def control_quantiles(regions: list[Region], count: int = 257) -> NDArray[np.float64]:
    """Quantiles of the heights of real land at control scale, in metres, evenly spaced; regions by weight."""
    heights, weights = [], []
    pad = MARGIN_CELLS * PIXELS_PER_CELL
    for region in regions:
        rows, columns = (side // PIXELS_PER_CELL for side in region.bad.shape)
        inner = region.heights[pad : pad + rows * PIXELS_PER_CELL, pad : pad + columns * PIXELS_PER_CELL]
        means = inner.reshape(rows, PIXELS_PER_CELL, columns, PIXELS_PER_CELL).mean((1, 3), dtype=np.float64)
        land = means[means > 0]
        heights.append(land)
        weights.append(np.full(land.shape, region.weight / max(1, land.size)))
    order = np.argsort(np.concatenate(heights))
    rank = np.cumsum(np.concatenate(weights)[order])
    return np.interp(np.linspace(0, 1, count), rank / rank[-1], np.concatenate(heights)[order])
