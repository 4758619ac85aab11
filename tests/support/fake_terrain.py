"""Terrain of a function of its pixels, in place of a runtime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from pcg.assets.sketch import sketch_sha256
from pcg.assets.terrain import Land, Output, make_terrain
from runtime.errors import Code, RpcError

LIMIT = 2049
PALETTE = [{"name": "sea", "rgb": [1, 2, 3]}, {"name": "wood", "rgb": [40, 50, 60]}]


class FakeRuntime:
    """Terrain that is a function of the world's pixels, and refuses what the real one would."""

    def __init__(self, stop_after: int | None = None, sha256: str = "ab" * 32) -> None:
        self.stop_after, self.sha256, self.calls = stop_after, sha256, 0

    def call(self, method: str, /, **params: Any) -> Any:
        if method == "models.describe":
            return {"sha256": self.sha256}
        self.calls += 1
        if self.stop_after is not None and self.calls > self.stop_after:
            raise KeyboardInterrupt
        x, y, lod = params["x"], params["y"], params["lod"]
        width, height = (params[k] for k in (("size", "size") if method == "terrain.chunk" else ("width", "height")))
        if not 1 <= max(width, height) <= LIMIT:
            raise RpcError(Code.OUT_OF_RANGE, f"size {width} is out of range")
        rows = y + (np.arange(height, dtype=np.int64) << lod)[:, None]
        columns = x + (np.arange(width, dtype=np.int64) << lod)[None]
        value = rows * 7 + columns * 3 + rows * columns // 977 + params["seed"]
        said = {k: v for k, v in params.items() if k != "control"}
        if method == "terrain.sketch":
            control = params["control"]
            assert 0 <= x <= 16 * control.shape[1] - (width << lod)
            assert 0 <= y <= 16 * control.shape[0] - (height << lod)
            value = value + control[rows // 16, columns // 16].astype(np.int64)
            said["control_sha256"] = sketch_sha256(control)
        made: dict[str, Callable[[], np.ndarray]] = {
            "height": lambda: (value % 65536).astype(np.uint16),
            "normal": lambda: np.stack([value % 255 - 127, value // 9 % 255 - 127, value % 127], -1).astype(np.int8),
            "slope": lambda: (value % 181).astype(np.uint8),
            "water": lambda: (value * 11 % 65536).astype(np.uint16),
            "flow": lambda: (value % 1000 / 8).astype(np.float32),
            "biome": lambda: (value // 50 % 2).astype(np.uint8),
            "splat": lambda: np.stack([value * k % 256 for k in (1, 3, 5, 7)], -1).astype(np.uint8),
        }
        provenance = {
            "statement": "generated",
            "model": "fake",
            "version": "1",
            "licence": "MIT é",
            "sha256": self.sha256,
            "method": method,
            "params": said,
        }
        about = {"scale": 0.25, "offset": -4096.0, "meters_per_pixel": 90.0 * 2**lod, "x": x, "y": y, "lod": lod}
        return {k: made[k]() for k in params["layers"]} | about | {"biome_palette": PALETTE, "provenance": provenance}


def make(runtime: Any, out: Path, size: int | None = 300, seed: int = 7, **options: Any) -> list[Path]:
    """Make a map. `options`: fields of Land and of Output, and lod, count and force."""
    land = {"params": {"lod": options.pop("lod", 0)}, "size": size}
    land |= {field.name: options.pop(field.name) for field in fields(Land) if field.name in options}
    count, force = options.pop("count", None), options.pop("force", False)
    return list(make_terrain(runtime, out, Land(**land), Output(**options), seed, count, force=force))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
