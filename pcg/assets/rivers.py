"""Rivers of a region of any size as one GeoJSON file: requested window by window, and joined across windows."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcg.assets.existing import Request, request_of
from pcg.assets.region import REQUEST, Region, Runtime
from pcg.writers.files import replace_file
from pcg.writers.provenance import sidecar_bytes, sidecar_path
from pcg.writers.terrain.heightmap import ORIGIN_UNIT
from runtime.content.terrain.measures import MINIMUM_KM2

METHOD = "terrain.rivers"
FORM = "geojson"
SUFFIX = ".rivers.geojson"
LARGEST = 16384  # pixels a side: all lines are in memory at once, about 2 million points


@dataclass(frozen=True)
class Line:
    """A stretch of a river. `points`: easting, northing, height, width in metres, catchment in km^2; float64 (n, 5)."""

    points: NDArray[np.float64]
    kind: str
    end: str


def rivers_path(out: Path) -> Path:
    """world.png -> world.rivers.geojson"""
    return out.with_name(out.stem + SUFFIX)


def rivers_region(region: Region, minimum_km2: float) -> Region:
    """The region to request for the rivers of a region of a world that drain at least `minimum_km2`.

    Raises:
        ValueError: the region is of a sketch or too large, or `minimum_km2` is out of range.
    """
    least, most = MINIMUM_KM2
    if not least <= minimum_km2 <= most:
        raise ValueError(f"--rivers-from {minimum_km2:g} is out of range; {least:g} to {most:g} km^2")
    if region.sketch is not None:
        raise ValueError("--rivers are those of a world: a sketch has no land around it that they could come from")
    if max(region.width, region.height) > LARGEST:
        size = f"{region.width}x{region.height}"
        raise ValueError(f"--rivers of {size} pixels: {LARGEST} a side at most; take parts, or a coarser --lod")
    return dataclasses.replace(region, method=METHOD, params=region.params | {"minimum_km2": minimum_km2})


def rivers_request(region: Region) -> Request:
    """The request in the provenance of the rivers of a `rivers_region`."""
    from runtime.content.terrain.rivers import RiversRequest

    place = {"x": region.x, "y": region.y, "width": region.width, "height": region.height}
    return request_of(METHOD, RiversRequest, region.params | place)


def write_rivers(
    runtime: Runtime, region: Region, path: Path, advance: Callable[[int], None] = lambda _: None
) -> list[Path]:
    """Write the rivers of a `rivers_region` and their sidecar.

    Args:
        runtime: what finds the rivers.
        region: where.
        path: the GeoJSON file.
        advance: called with pixels done.

    Returns:
        The paths written.

    Raises:
        ValueError: the runtime gets another model file meanwhile.
        OSError: the disk is full, ...
        RpcError: the runtime refused a request.
    """
    lines, about = find_rivers(runtime, region, advance)
    asset = {
        "form": FORM,
        "layer": "rivers",
        "width": region.width,
        "height": region.height,
        "unit": "metres: easting, northing, height",
        "lines": len(lines),
        "seed": about["seed"],
        "lod": about["lod"],
        "origin": {"x": region.x, "y": region.y, "unit": ORIGIN_UNIT},
        "provenance": about["provenance"],
    }
    replace_file(path, geojson(lines))
    replace_file(sidecar_path(path), sidecar_bytes(asset))
    return [path, sidecar_path(path)]


def verify_rivers(
    runtime: Runtime, path: Path, asset: dict[str, Any], advance: Callable[[int], None] = lambda _: None
) -> str | None:
    """Find the rivers of a file again and compare them.

    Args:
        runtime: what finds the rivers.
        path: the GeoJSON file.
        asset: its sidecar.
        advance: called with pixels done.

    Returns:
        What is wrong, or None.

    Raises:
        KeyError: the provenance lacks something; RpcError.
    """
    params = asset["provenance"]["params"]
    place = {"x": params["x"], "y": params["y"], "width": params["width"], "height": params["height"]}
    rest = {name: value for name, value in params.items() if name not in place}
    lines, _ = find_rivers(runtime, Region(METHOD, rest, **place), advance)
    expected = geojson(lines)
    found = path.read_bytes()
    if found == expected:
        return None
    pairs = zip(found.splitlines(), expected.splitlines(), strict=False)
    first = next((i for i, (a, b) in enumerate(pairs) if a != b), min(found.count(b"\n"), expected.count(b"\n")))
    return f"its rivers differ, first in line {first + 1}"


def find_rivers(
    runtime: Runtime, region: Region, advance: Callable[[int], None] = lambda _: None
) -> tuple[list[Line], dict[str, Any]]:
    """All lines of a region, and the metadata of a response for the whole region."""
    pieces: list[Line] = []
    about: dict[str, Any] = {}
    for window in _windows(region):
        place = {"x": window.x, "y": window.y, "width": window.width, "height": window.height}
        response = runtime.call(METHOD, **region.params, **place)
        made = response["provenance"]
        if about and made["sha256"] != about["provenance"]["sha256"]:
            raise ValueError(f"the model became another on the way: {made['sha256'][:12]}")
        pieces += _lines(response)
        if not about:
            whole = {"x": region.x, "y": region.y, "width": region.width, "height": region.height}
            about = response | {"provenance": made | {"params": made["params"] | whole}}
        advance(window.width * window.height)
    return joined(pieces), about


def _windows(region: Region) -> Iterator[Region]:
    for top in range(0, region.height, REQUEST):
        for left in range(0, region.width, REQUEST):
            size = min(REQUEST, region.width - left), min(REQUEST, region.height - top)
            yield region.window(left, top, *size)


def _lines(response: dict[str, Any]) -> Iterator[Line]:
    # Points count pixels of level 0, whatever the level.
    pixel_m = response["meters_per_pixel"] / 2 ** response["lod"]
    corner, scale = np.array([response["x"], response["y"]]), np.array([pixel_m, -pixel_m])
    place = (response["points"].astype(np.float64) + corner) * scale
    height = response["height"] * response["scale"] + response["offset"]
    points = np.column_stack([place, height, response["width"], response["catchment"]]).astype(np.float64)
    names, starts = response["end_names"], response["starts"]
    for begin, end, kind, goes_on in zip(starts, starts[1:], response["kinds"], response["ends"], strict=False):
        yield Line(points[begin:end], names[kind], names[goes_on])


def joined(pieces: list[Line]) -> list[Line]:
    """Join lines that windows cut. They are sorted by where they begin, from north to south and from west to east."""
    beginning = {tuple(piece.points[0].tolist()): piece for piece in pieces}
    cut = {tuple(piece.points[-1].tolist()) for piece in pieces if piece.end == "window"}
    lines = []
    for piece in pieces:
        if tuple(piece.points[0].tolist()) in cut:
            continue
        parts, end = [piece.points], piece.end
        while end == "window" and (following := beginning.get(tuple(parts[-1][-1].tolist()))):
            parts.append(following.points[1:])
            end = following.end
        lines.append(Line(np.concatenate(parts), piece.kind, end))
    return sorted(lines, key=lambda line: (-line.points[0, 1], line.points[0, 0], *line.points[1].tolist()))


def geojson(lines: list[Line]) -> bytes:
    """A FeatureCollection of LineStrings (RFC 7946, but in metres of the world instead of degrees)."""
    features = ",\n".join(json.dumps(_feature(line)) for line in lines)
    return f'{{"type": "FeatureCollection", "features": [\n{features}\n]}}\n'.encode()


def _feature(line: Line) -> dict[str, Any]:
    widths = [
        round(width, 1) for width in line.points[:, 3].tolist()
    ]  # decimetres, which float32 does not hold exactly
    return {
        "type": "Feature",
        "geometry": {"type": "LineString", "coordinates": line.points[:, :3].tolist()},
        "properties": {
            "kind": line.kind,
            "goes_on_as": line.end,
            "width_m": widths[-1],
            "catchment_km2": round(float(line.points[-1, 4]), 2),
            "widths_m": widths,
        },
    }
