"""Made-up elevation data to train on:  python tests/support/made_dem.py FOLDER"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np


def write_dem(path: Path, size: int = 240, *, dx: float = 90.0, sea: bool = False, seed: int = 0) -> None:
    """A DEM of rolling hills on a slope, in the data folder's format."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] * (dx / 90.0)
    z = 400 + 2 * x + 150 * np.sin(x / 17) * np.cos(y / 23) + 20 * np.sin(x / 3) + rng.normal(0, 2, (size, size))
    if sea:
        z[:, : size // 2] = 0
    meta = {"region": path.stem, "dx_m": dx, "dy_m": dx, "licence": "made for a test"}
    np.savez_compressed(path, z=z.astype(np.float32), meta=json.dumps(meta))


def write_world(path: Path) -> None:
    """A world map of 9.3 km pixels, all of it round islands, and narrow, since only its rows stand for latitudes."""
    y, x = np.mgrid[0:1800, 0:240]
    z = 900 * np.sin(x / 11) * np.cos(y / 13) + 60 * np.sin(x / 2.3) - 200
    meta = {"region": path.stem, "dx_m": 9277.0, "dy_m": 9277.0, "licence": "made for a test"}
    np.savez_compressed(path, z=np.maximum(z, 0).astype(np.float32), meta=json.dumps(meta))


def write_folder(folder: Path) -> None:
    """Two training regions, a validation region, and two files for the coarse level only: a sheet and a world map."""
    write_dem(folder / "hills.npz", seed=1)
    write_dem(folder / "more_hills.npz", dx=45.0, size=480, seed=2)
    write_dem(folder / "bc_coast_mountains.npz", seed=3)
    write_dem(folder / "sheet.npz", dx=1440.0, size=160, seed=4)
    write_world(folder / "world.npz")


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    write_folder(out)
