"""Rivers as GeoJSON: joined over windows, in the coordinates of the GeoTIFF, verified."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from fake_terrain import make

from pcg.assets import rivers
from pcg.assets.region import Region
from pcg.assets.rivers import find_rivers, geojson, rivers_path, rivers_region
from pcg.assets.verify.families import verify
from runtime.local import Local

KM2 = 8.0


@pytest.fixture(scope="module")
def runtime(bundled: Local) -> Local:
    return bundled


@pytest.fixture(scope="module")
def region(runtime: Local) -> Region:
    """Land with rivers, whatever the model makes."""
    for x in range(0, 16 * 4096, 4096):
        region = rivers_region(Region("terrain.chunk", {"seed": 3, "lod": 1}, x + 2, -64, 230, 150), KM2)
        if len(find_rivers(runtime, region)[0]) > 30:
            return region
    raise AssertionError("no rivers anywhere")


@pytest.mark.parametrize("request_side", [64, 101])
def test_a_large_map_has_the_lines_that_one_request_has(
    runtime: Local, region: Region, request_side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, about = find_rivers(runtime, region)
    monkeypatch.setattr(rivers, "REQUEST", request_side)
    done: list[int] = []
    parts, same = find_rivers(runtime, region, done.append)
    assert len(done) > 3
    assert sum(done) == region.width * region.height
    assert geojson(parts) == geojson(whole)
    assert same["provenance"] == about["provenance"]


def write(runtime: Local, out: Path, region: Region, **more: Any) -> list[Path]:
    return make(runtime, out, seed=3, lod=1, x=region.x, y=region.y, rivers_km2=KM2, **more)


def test_rivers_lie_where_the_geotiff_has_their_ground(runtime: Local, region: Region, tmp_path: Path) -> None:
    out = tmp_path / "world.tif"
    path = rivers_path(out)
    assert path in write(runtime, out, region, size=200, preview=False)
    with tifffile.TiffFile(out) as tiff:
        tags = tiff.pages.first.tags
        heights, pixel_m = tiff.asarray(), tags["ModelPixelScaleTag"].value[0]
        east, north = tags["ModelTiepointTag"].value[3:5]
    collection = json.loads(path.read_bytes())
    assert collection["type"] == "FeatureCollection"
    ends = 0
    for feature in collection["features"]:
        assert feature["geometry"]["type"] == "LineString"
        line = np.array(feature["geometry"]["coordinates"])
        said = feature["properties"]
        assert len(line) == len(said["widths_m"]) > 1
        assert said["width_m"] == said["widths_m"][-1] > 0
        assert said["catchment_km2"] >= KM2
        for x, y, height in line[[0, -1]]:
            column, row = (x - east) / pixel_m, (north - y) / pixel_m
            if column % 1 == row % 1 == 0.5 and min(row, column) >= 0 and max(row, column) < 200:
                assert heights[int(row), int(column)] == height
                ends += 1
    assert ends > 20
    about = json.loads(path.with_name(path.name + ".json").read_bytes())
    assert about["provenance"]["method"] == "terrain.rivers"
    assert about["lines"] == len(collection["features"])
    assert about["provenance"]["params"]["minimum_km2"] == KM2


def test_rivers_are_verified(runtime: Local, region: Region, tmp_path: Path) -> None:
    out = tmp_path / "world.r16"
    write(runtime, out, region, size=120, preview=False)
    path = rivers_path(out)
    assert verify(runtime, path) is None
    text = path.read_bytes()
    path.write_bytes(text.replace(b'"width_m": ', b'"width_m": 1', 1))
    assert verify(runtime, path) == "its rivers differ, first in line 2"
    path.write_bytes(text[: len(text) // 2])
    assert "its rivers differ" in str(verify(runtime, path))
    sidecar = path.with_name(path.name + ".json")
    about = json.loads(sidecar.read_bytes())
    about["provenance"]["sha256"] = "0" * 64
    sidecar.write_bytes(json.dumps(about).encode())
    assert "another version" in str(verify(runtime, path))


def test_no_rivers_are_an_empty_collection() -> None:
    assert json.loads(geojson([])) == {"type": "FeatureCollection", "features": []}


def test_rivers_that_there_can_not_be_are_refused_before_anything_is_made(runtime: Local, tmp_path: Path) -> None:
    sketch = np.full((4, 4), 500, np.float32)
    for more, words in (
        ({"sketch": sketch}, "--rivers are those of a world"),
        ({"size": 16385}, "--rivers of 16385x16385 pixels: 16384 a side at most"),
        ({"size": 64, "rivers_km2": 2.0}, "--rivers-from 2 is out of range; 5 to 500"),
    ):
        with pytest.raises(ValueError, match=words):
            make(runtime, tmp_path / "a.png", **{"size": None, "seed": 1, "params": {}, "rivers_km2": 20.0} | more)
        assert not list(tmp_path.iterdir())


def test_the_model_may_not_become_another_on_the_way(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    class Changing:
        calls = 0

        def call(self, method: str, /, **params: Any) -> Any:
            assert method == "terrain.rivers"
            self.calls += 1
            nothing = {name: np.zeros(0) for name in ("height", "width", "catchment", "kinds", "ends")}
            place = {"x": params["x"], "y": params["y"], "lod": 1, "meters_per_pixel": 180.0, "scale": 1, "offset": 0}
            made = {"sha256": f"{self.calls}" * 64, "params": params}
            return nothing | place | {"points": np.zeros((0, 2)), "starts": [0], "end_names": [], "provenance": made}

    monkeypatch.setattr(rivers, "REQUEST", 100)
    with pytest.raises(ValueError, match="the model became another on the way: 222222222222"):
        find_rivers(Changing(), region)
