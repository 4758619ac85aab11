"""Variations of maps and of monsters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_terrain import FakeRuntime, make
from PIL import Image

from pcg.assets.characters import make_monsters, read_monster
from pcg.assets.terrain import Output, make_terrain
from pcg.assets.variation import vary_terrain
from pcg.assets.verify.families import verify
from pcg.cli import main
from pcg.writers.provenance import read_asset
from runtime.errors import Code, RpcError
from runtime.local import Local


def make_varied(
    runtime: Any, path: Path, out: Path, count: int | None = None, seed: int = 50, **options: Any
) -> list[Path]:
    return list(make_terrain(runtime, out, vary_terrain(runtime, path), Output(**options), seed, count))


@pytest.mark.parametrize(("x", "y", "size", "lod"), [(-100, 37, 70, 0), (48, -64, 40, 2), (0, 0, 1025, 0)])
def test_a_variation_has_the_large_forms_of_its_map(tmp_path: Path, x: int, y: int, size: int, lod: int) -> None:
    runtime = FakeRuntime()
    make(runtime, tmp_path / "a.r16", size, x=x, y=y, lod=lod)
    for name in ("a.r16", "a.r16.preview.png"):
        one = vary_terrain(runtime, tmp_path / name)
        rows, columns = one.sketch.shape
        left, top = x // 16 * 16, y // 16 * 16
        asked = {"seed": 7, "x": left, "y": top, "size": max(rows, columns), "lod": 4, "layers": ["height"]}
        coarse = runtime.call("terrain.chunk", **asked)["height"]
        assert np.array_equal(one.sketch, coarse[:rows, :columns].astype(np.float32) / 4 - 4096)
        assert (left + one.x, top + one.y) == (x, y)
        assert one.window == (size, size)
        assert 16 * columns >= one.x + (size << lod) > 16 * (columns - 1)
    make_varied(runtime, tmp_path / "a.r16", tmp_path / "many", 2)
    said = read_asset(tmp_path / "many" / "terrain-51.png")
    assert (said["width"], said["height"], said["lod"], said["seed"]) == (size, size, lod, 51)
    assert said["variation_of"]["params"]["seed"] == 7
    assert verify(runtime, tmp_path / "many" / "terrain-51.png") is None


def test_a_variation_of_a_sketchs_map_is_of_the_sketch(tmp_path: Path) -> None:
    sketch = np.arange(12, dtype=np.float32).reshape(3, 4)
    runtime = FakeRuntime()
    make(runtime, tmp_path / "a.png", None, 1, params={"lod": 1, "grain": 0.5}, sketch=sketch)
    make_varied(runtime, tmp_path / "a.png", tmp_path / "b.png")
    again = vary_terrain(runtime, tmp_path / "b.png")
    assert np.array_equal(again.sketch, sketch)
    assert (again.window, again.params) == ((32, 24), {"lod": 1, "grain": 0.5})


def test_what_can_not_be_varied(tmp_path: Path) -> None:
    make(FakeRuntime(), tmp_path / "small.png", 15)
    with pytest.raises(ValueError, match=r"15x15 pixels of level 0, which are 1x1 large forms .* takes 2 to 1024"):
        vary_terrain(FakeRuntime(), tmp_path / "small.png")
    with pytest.raises(ValueError, match="another version; its seed means other land here"):
        vary_terrain(FakeRuntime(sha256="cd" * 32), tmp_path / "small.png")
    Image.new("L", (4, 4)).save(tmp_path / "mine.png")
    with pytest.raises(ValueError, match="carries no provenance"):
        vary_terrain(FakeRuntime(), tmp_path / "mine.png")
    (tmp_path / "other.r16.json").write_text(json.dumps({"provenance": {"method": "levels.generate"}}))
    (tmp_path / "other.r16").touch()
    with pytest.raises(ValueError, match="holds no map made here"):
        vary_terrain(FakeRuntime(), tmp_path / "other.r16")


@pytest.mark.parametrize("option", ["--style=alpine", "--size=9", "--lod=1", "--x=5", "--tiles=2x2", "--grain=0.5"])
def test_a_variation_takes_its_place_from_its_map(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["terrain", "b.png", "--vary", "a.png", option])
    assert caught.value.code == 2
    assert "leave out --sketch, --style" in capsys.readouterr().err


def test_large_forms_stay_and_detail_does_not(tmp_path: Path) -> None:
    """On the model that is shipped."""
    with Local(device="cpu", threads=1) as runtime:
        params: dict[str, Any] = {"style": "alpine"}
        make(runtime, tmp_path / "a.npy", 128, params=params, preview=False)
        make_varied(runtime, tmp_path / "a.npy", tmp_path / "b.npy", preview=False)
        make_varied(runtime, tmp_path / "a.npy", tmp_path / "c.npy", seed=51, preview=False)
    forms, details = [], []
    for name in "abc":
        heights = np.load(tmp_path / f"{name}.npy").astype(np.float64)
        means = heights.reshape(8, 16, 8, 16).mean((1, 3))
        forms.append(means.ravel())
        details.append((heights - means.repeat(16, 0).repeat(16, 1)).ravel())
    assert np.corrcoef(forms)[np.triu_indices(3, 1)].min() > 0.95
    assert np.corrcoef(details)[1, 2] < 0.9


@pytest.fixture(scope="module")
def runtime(character_models: Path) -> Iterator[Local]:
    with Local(character_models, "cpu", 1) as runtime:
        yield runtime


def monster(runtime: Local, **params: Any) -> Any:
    return runtime.call("characters.monster", **params)


@pytest.mark.slow
def test_a_monsters_variations_are_between_it_and_others_of_its_kind(runtime: Local) -> None:
    base = monster(runtime, seed=7)
    same = monster(runtime, seed=20, count=6, vary=7, change=0.0)
    assert all(np.array_equal(image, base["image"]) for image in same["images"])
    assert set(same["categories"]) == {base["category"]}
    others = monster(runtime, seed=20, count=6, category=base["category"])
    whole = monster(runtime, seed=20, count=6, vary=7, change=1.0)
    assert np.array_equal(whole["images"], others["images"])
    some = monster(runtime, seed=22, vary=7)
    assert np.array_equal(some["image"], monster(runtime, seed=20, count=6, vary=7, change=0.3)["images"][2])
    assert some["provenance"]["params"]["vary"] == 7
    for params, parameter in (({"vary": -1}, "vary"), ({"vary": 7, "change": 1.5}, "change")):
        with pytest.raises(RpcError) as caught:
            monster(runtime, seed=1, **params)
        assert (caught.value.code, caught.value.details["parameter"]) == (Code.OUT_OF_RANGE, parameter)


def test_a_monsters_file_is_varied_and_verified(runtime: Local, tmp_path: Path) -> None:
    list(make_monsters(runtime, tmp_path / "beast.png", {"category": "slime", "truncation": 0.5}, 7, None))
    params = read_monster(runtime, tmp_path / "beast.png")
    assert params == {"vary": 7, "category": "slime", "truncation": 0.5, "model": "monster"}
    list(make_monsters(runtime, tmp_path / "litter", params | {"change": 0.2}, 1, 3))
    assert verify(runtime, tmp_path / "litter" / "monster-2.png") is None
    with pytest.raises(ValueError, match="itself a variation, of the monster of seed 7"):
        read_monster(runtime, tmp_path / "litter" / "monster-2.png")
    with pytest.raises(FileExistsError, match=r"change 0\.2, now 0\.3"):
        list(make_monsters(runtime, tmp_path / "litter", params, 1, 3))
