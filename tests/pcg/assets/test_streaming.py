"""Maps larger than a request: the same bytes in strips as at once, interrupted or not, in memory that stays small."""

from __future__ import annotations

import errno
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
import tifffile
from fake_terrain import FakeRuntime, contents, make
from PIL import Image

from pcg.assets import region
from pcg.assets.sketch import sketch_sha256
from pcg.assets.tiles import Grid
from pcg.assets.verify.families import verify
from pcg.writers import png
from pcg.writers.terrain import flat
from pcg.writers.terrain.heightmap import preview_path

ALL = ("height", "normal", "slope", "water", "flow", "biome", "splat")


@pytest.fixture
def small_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps of a few hundred pixels in several strips of several requests."""
    monkeypatch.setattr(region, "REQUEST", 64)


def truth(size: int, layer: str = "height", *, x: int = 0, y: int = 0, lod: int = 0) -> np.ndarray:
    return FakeRuntime().call("terrain.chunk", seed=7, x=x, y=y, size=size, lod=lod, layers=[layer])[layer]


def read_exr(path: Path) -> np.ndarray:
    """As the format's own library reads it."""
    with OpenEXR.File(str(path)) as file:
        assert file.header()["type"] == OpenEXR.scanlineimage
        assert list(file.channels()) == ["Y"]
        return file.channels()["Y"].pixels


@pytest.mark.usefixtures("small_requests")
@pytest.mark.parametrize("lod", [0, 2])
@pytest.mark.parametrize("form", ["png", "r16", "raw", "tif", "exr", "npy"])
def test_strips_hold_what_one_request_holds(tmp_path: Path, form: str, lod: int) -> None:
    out = tmp_path / f"a.{form}"
    make(FakeRuntime(), out, x=-100, y=50, lod=lod)
    steps = truth(300, x=-100, y=50, lod=lod)
    sidecar = json.loads((tmp_path / f"a.{form}.json").read_text())
    if form == "png":
        with Image.open(out) as image:
            found = np.asarray(image)
            said = json.loads(image.info["pcg:asset"])
            assert said == {k: v for k, v in sidecar.items() if k not in ("minimum_m", "maximum_m")}
    elif form == "tif":
        found = tifffile.imread(out)
    elif form == "exr":
        found = read_exr(out)
    else:
        found = np.load(out) if form == "npy" else np.frombuffer(out.read_bytes(), "<u2").reshape(300, 300)
    in_metres = steps.astype(np.float32) / 4 - 4096
    if form in ("tif", "exr", "npy"):
        assert found.dtype == np.float32
        assert np.array_equal(found, in_metres)
    else:
        assert np.array_equal(found, steps)
    assert (sidecar["minimum_m"], sidecar["maximum_m"]) == (in_metres.min(), in_metres.max())
    assert (sidecar["width"], sidecar["height"], sidecar["meters_per_pixel"]) == (300, 300, 90 * 2**lod)
    params = sidecar["provenance"]["params"]
    assert {k: params[k] for k in ("seed", "x", "y", "size", "lod")} == {
        "seed": 7,
        "x": -100,
        "y": 50,
        "size": 300,
        "lod": lod,
    }
    assert not list(tmp_path.glob("*.part*"))
    for path in (out, preview_path(out)):
        assert verify(FakeRuntime(), path) is None


def test_one_request_and_many_give_the_same_r16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(FakeRuntime(), tmp_path / "one.r16", layers=ALL)
    monkeypatch.setattr(region, "REQUEST", 70)
    runtime = FakeRuntime()
    make(runtime, tmp_path / "many.r16", layers=ALL)
    assert runtime.calls == 25
    for name in ("{}.r16", "{}.r16.json", "{}.r16.preview.png", "{}.flow.tif"):
        assert (tmp_path / name.format("one")).read_bytes() == (tmp_path / name.format("many")).read_bytes()


@pytest.mark.usefixtures("small_requests")
@pytest.mark.parametrize("flip", [False, True])
def test_layers_stand_beside_the_heights(tmp_path: Path, flip: bool) -> None:
    made = make(FakeRuntime(), tmp_path / "a.png", layers=ALL[1:], flip=flip)
    flow = "a.flow.npy" if flip else "a.flow.tif"
    names = ["a.png", *(f"a.{n}.png" for n in ("normal", "slope", "water", "biome", "splat", "preview")), flow]
    assert sorted(p.name for p in made) == sorted([*names, *(f"{n}.json" for n in names if "preview" not in n)])
    order = slice(None, None, -1) if flip else slice(None)
    for layer in ("slope", "water", "biome", "splat"):
        with Image.open(tmp_path / f"a.{layer}.png") as image:
            assert np.array_equal(np.asarray(image), truth(300, layer)[order]), layer
            assert json.loads(image.info["pcg:asset"])["layer"] == layer
            if layer == "biome":
                assert image.getpalette() == [1, 2, 3, 40, 50, 60]
    with Image.open(tmp_path / "a.normal.png") as image:
        assert np.array_equal(np.asarray(image).astype(int) - 128, truth(300, "normal")[order])
    found = np.load(tmp_path / flow) if flip else tifffile.imread(tmp_path / flow)
    assert np.array_equal(found, truth(300, "flow")[order])
    for name in names:
        assert verify(FakeRuntime(), tmp_path / name) is None, name
    with Image.open(tmp_path / "a.preview.png") as image:
        north_up = np.asarray(image)
    make(FakeRuntime(), tmp_path / "b.png")
    with Image.open(tmp_path / "b.preview.png") as image:
        assert np.array_equal(np.asarray(image), north_up)


@pytest.mark.usefixtures("small_requests")
@pytest.mark.parametrize(("name", "at"), [("a.png", -900), ("a.flow.tif", -9), ("a.splat.png", -500), ("a.r16", 99)])
def test_verify_sees_a_change(tmp_path: Path, name: str, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    make(FakeRuntime(), tmp_path / ("a.r16" if name == "a.r16" else "a.png"), layers=("flow", "splat"))
    monkeypatch.setattr("pcg.writers.terrain.rows.WHOLE_PIXELS", 0)
    assert verify(FakeRuntime(), tmp_path / name) is None
    data = bytearray((tmp_path / name).read_bytes())
    data[at] ^= 1
    (tmp_path / name).write_bytes(data)
    assert verify(FakeRuntime(), tmp_path / name) is not None
    assert "another version" in (verify(FakeRuntime(sha256="cd" * 32), tmp_path / name) or "")


@pytest.mark.usefixtures("small_requests")
@pytest.mark.parametrize("form", ["png", "r16", "tif", "exr"])
@pytest.mark.parametrize("stop_after", [3, 5, 17, 24])
def test_an_interrupted_job_gives_the_same_bytes(
    tmp_path: Path, form: str, stop_after: int, capsys: pytest.CaptureFixture[str]
) -> None:
    options: dict[str, Any] = {"layers": ALL, "flip": form == "r16"}
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    make(FakeRuntime(), whole / f"a.{form}", **options)
    with pytest.raises(KeyboardInterrupt):
        make(FakeRuntime(stop_after), cut / f"a.{form}", **options)
    assert not (cut / f"a.{form}").exists()
    kept = stop_after // 5
    assert ("the same command goes on" in capsys.readouterr().err) == bool(kept)
    assert bool(list(cut.glob("*"))) == bool(kept)
    if kept:  # what was being written when the process was killed, and what no journal knows
        for part in cut.glob("*.part"):
            part.write_bytes(part.read_bytes() + b"half a strip")
    runtime = FakeRuntime()
    make(runtime, cut / f"a.{form}", **options)
    assert runtime.calls == 25 - 5 * kept
    assert contents(cut) == contents(whole)


@pytest.mark.usefixtures("small_requests")
def test_another_job_is_not_gone_on_with(tmp_path: Path) -> None:
    out = tmp_path / "a.png"
    with pytest.raises(KeyboardInterrupt):
        make(FakeRuntime(12), out)
    before = contents(tmp_path)
    with pytest.raises(
        ValueError, match=r"seed 7, now 8.*run that one again to finish it, or delete .*a\.png\.part\.json"
    ):
        make(FakeRuntime(), out, seed=8)
    with pytest.raises(ValueError, match="size 300, now 301"):
        make(FakeRuntime(), out, size=301)
    with pytest.raises(ValueError, match="made by the model file abababababab, here it is cdcdcdcdcdcd"):
        make(FakeRuntime(sha256="cd" * 32), out)
    assert contents(tmp_path) == before
    (tmp_path / "a.png.part").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"gone or was changed"):
        make(FakeRuntime(), out)
    (tmp_path / "a.png.part.json").write_text("[]")
    with pytest.raises(ValueError, match=r"not a journal .*delete"):
        make(FakeRuntime(), out)
    (tmp_path / "a.png.part.json").unlink()
    make(FakeRuntime(), out, seed=8)
    assert not list(tmp_path.glob("*.part*"))


@pytest.mark.usefixtures("small_requests")
@pytest.mark.parametrize("form", ["png", "tif", "exr"])
@pytest.mark.parametrize(("share", "strips"), [(0.1, 0), (0.7, 3)])
def test_a_full_disk_loses_nothing(
    tmp_path: Path, form: str, share: float, strips: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / f"a.{form}"
    make(FakeRuntime(), out, seed=1, layers=("normal",))
    old = contents(tmp_path)
    left = [share * sum(len(old[name]) for name in (out.name, "a.normal.png"))]

    def limited(file: Any, data: Any) -> int:
        left[0] -= len(memoryview(data).cast("B"))
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data)

    write: Callable[[Any, Any], int] = png.write_all
    with monkeypatch.context() as patch:
        for module in (png, flat):
            patch.setattr(module, "write_all", limited)
        with pytest.raises(OSError, match=r"no space left for .*free some") as caught:
            make(FakeRuntime(), out, seed=7, layers=("normal",), force=True)
    assert caught.value.errno is None
    assert {k: v for k, v in contents(tmp_path).items() if ".part" not in k} == old
    runtime = FakeRuntime()
    make(runtime, out, seed=7, layers=("normal",), force=True)
    assert runtime.calls == 25 - 5 * strips
    assert verify(runtime, out) is None
    assert not list(tmp_path.glob("*.part*"))


@pytest.mark.parametrize("form", ["png", "tif", "exr"])
def test_memory_does_not_grow_with_the_map(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(region, "REQUEST", 256)
    for module in ("pcg.assets.job.BLOCK_BYTES", "pcg.writers.terrain.rows.WHOLE_PIXELS"):
        monkeypatch.setattr(module, 1 << 18)
    out = tmp_path / f"a.{form}"
    make(FakeRuntime(), tmp_path / f"warm.{form}")
    tracemalloc.start()
    make(FakeRuntime(), out, size=4096, preview=False)
    _, written = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    assert verify(FakeRuntime(), out) is None
    _, verified = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert written < 4096 * 4096  # half of the heights
    assert verified < 4096 * 4096 * 1.5  # with a strip of each, expected and found, as floats


def test_geotiff_tags(tmp_path: Path) -> None:
    make(FakeRuntime(), tmp_path / "a.tif", size=64, x=-10, y=20, lod=1)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        page = tiff.pages.first
        assert page.tags["ModelPixelScaleTag"].value == (180.0, 180.0, 0.0)
        assert page.tags["ModelTiepointTag"].value == (0.0, 0.0, 0.0, -900.0, -1800.0, 0.0)
        assert tiff.geotiff_metadata["GTModelTypeGeoKey"] == 32767
        assert tiff.geotiff_metadata["GTRasterTypeGeoKey"] == 1
        assert tiff.geotiff_metadata["ProjLinearUnitsGeoKey"] == 9001
        assert json.loads(page.description)["provenance"]["params"]["seed"] == 7
        assert page.software == "pcg-plugin 1"
        assert not tiff.is_bigtiff


def test_an_exr_says_what_made_it_and_where_its_lines_are(tmp_path: Path) -> None:
    out = tmp_path / "a.exr"
    make(FakeRuntime(), out, size=64, x=-10, y=20, lod=1, preview=False)
    with OpenEXR.File(str(out)) as file:
        header = dict(file.header())  # which the library empties when the file is closed
    assert json.loads(header["pcg:asset"])["provenance"]["params"]["seed"] == 7
    assert header["software"] == "pcg-plugin 1"
    assert header["compression"] == OpenEXR.NO_COMPRESSION
    data = out.read_bytes()
    begin = len(data) - 64 * (8 + 4 * 64)
    offsets = np.frombuffer(data[begin - 8 * 64 : begin], "<u8")
    assert offsets.tolist() == [begin + i * (8 + 4 * 64) for i in range(64)]


def test_an_exr_of_another_program_is_told_from_ours(tmp_path: Path) -> None:
    out = tmp_path / "a.exr"
    make(FakeRuntime(), out, size=64, preview=False)
    pixels = read_exr(out)
    plain = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.NO_COMPRESSION}
    for header, channels, fault in (
        (plain, {"Y": pixels}, None),  # what it holds counts, not who wrote it
        (plain, {"Y": pixels + 1}, "4096 of 4096 pixels differ"),
        (plain, {"Y": pixels[:, :9]}, "holds <f4 (64, 9)"),
        (plain, {"Z": pixels}, "saved again by another program"),
        (plain, {"Y": pixels.astype(np.float16)}, "saved again by another program"),
        (plain | {"compression": OpenEXR.ZIP_COMPRESSION}, {"Y": pixels}, "saved again by another program"),
    ):
        with OpenEXR.File(dict(header), channels) as file:
            file.write(str(out))
        found = verify(FakeRuntime(), out)
        assert found == fault if fault is None else fault in str(found)
    for data, fault in ((b"v/1", "ends within its header"), (b"\x89PNG\r\n\x1a\n", "not an OpenEXR file")):
        out.write_bytes(data)
        assert fault in str(verify(FakeRuntime(), out))


def test_a_tiff_over_four_gigabytes_is_a_bigtiff(tmp_path: Path) -> None:
    asset = {"meters_per_pixel": 90.0, "provenance": {"version": "1"}}
    assert flat.tiff_header(tmp_path / "s", 40000, 40000, asset, (0, 0))[2] == 43
    assert flat.tiff_header(tmp_path / "s", 20000, 20000, asset, (0, 0))[2] == 42
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("naming", "names"),
    [
        ("unity", ["w_0_1", "w_1_1", "w_2_1", "w_0_0", "w_1_0", "w_2_0"]),
        ("unreal", ["w_x0_y0", "w_x1_y0", "w_x2_y0", "w_x0_y1", "w_x1_y1", "w_x2_y1"]),
        ("plain", ["w_c0_r0", "w_c1_r0", "w_c2_r0", "w_c0_r1", "w_c1_r1", "w_c2_r1"]),
    ],
)
@pytest.mark.parametrize("side", [33, 32])
@pytest.mark.usefixtures("small_requests")
def test_tiles(tmp_path: Path, naming: Any, names: list[str], side: int) -> None:
    flip = naming == "unity"
    grid = Grid(3, 2, side, naming)
    made = make(FakeRuntime(), tmp_path / "w.raw", None, x=5, y=-9, grid=grid, layers=("slope",), flip=flip)
    assert made[-1] == tmp_path / "w.tiles.json"
    assert not list(tmp_path.glob("*.part*"))
    shared = side % 2
    width, height = (n * (side - shared) + shared for n in (3, 2))
    whole = truth(width, x=5, y=-9)[:height]
    tiles = [np.frombuffer((tmp_path / f"{n}.raw").read_bytes(), "<u2").reshape(side, side) for n in names]
    tiles = [tile[::-1] for tile in tiles] if flip else tiles
    for index, tile in enumerate(tiles):
        top, left = index // 3 * (side - shared), index % 3 * (side - shared)
        assert np.array_equal(tile, whole[top : top + side, left : left + side])
    if shared:
        assert np.array_equal(tiles[0][:, -1], tiles[1][:, 0])
        assert np.array_equal(tiles[0][-1], tiles[3][0])
    said = json.loads(made[-1].read_text())
    assert (said["width"], said["height"], said["columns"], said["tile_rows"]) == (width, height, 3, 2)
    assert said["minimum_m"] == whole.min() / 4 - 4096
    assert [tile["file"] for tile in said["tiles"]] == [f"{n}.raw" for n in names]
    assert json.loads((tmp_path / f"{names[1]}.raw.json").read_text())["tile"]["column"] == 1
    assert verify(FakeRuntime(), made[-1]) is None
    (tmp_path / f"{names[4]}.raw").unlink()
    assert verify(FakeRuntime(), made[-1]) == f"{names[4]}.raw: no file {tmp_path / names[4]}.raw"


def test_unity_names_sort_as_text() -> None:
    grid = Grid(12, 11, 33, "unity")
    names = [grid.path(Path("w.raw"), column, row).name for column in range(12) for row in reversed(range(11))]
    assert names == sorted(names)
    assert names[0] == "w_00_00.raw"


@pytest.mark.usefixtures("small_requests")
def test_an_interrupted_set_goes_on(tmp_path: Path) -> None:
    grid = Grid(2, 2, 129, "unreal")  # 9 requests a tile
    make(FakeRuntime(), tmp_path / "whole" / "w.r16", None, grid=grid)
    with pytest.raises(KeyboardInterrupt):
        make(FakeRuntime(9 + 7), tmp_path / "cut" / "w.r16", None, grid=grid)
    with pytest.raises(ValueError, match="seed 7, now 8"):
        make(FakeRuntime(), tmp_path / "cut" / "w.r16", None, seed=8, grid=grid)
    with pytest.raises(ValueError, match="made by the model file abababababab, here it is cdcdcdcdcdcd"):
        make(FakeRuntime(sha256="cd" * 32), tmp_path / "cut" / "w.r16", None, grid=grid)
    runtime = FakeRuntime()
    make(runtime, tmp_path / "cut" / "w.r16", None, grid=grid)
    assert runtime.calls == 36 - 9 - 6
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


@pytest.mark.usefixtures("small_requests")
@pytest.mark.parametrize("lod", [0, 1])
def test_sketches(tmp_path: Path, lod: int) -> None:
    sketch = np.arange(12 * 9, dtype=np.float32).reshape(9, 12)
    made = make(FakeRuntime(), tmp_path / "a.png", None, sketch=sketch, lod=lod)
    assert [p.name for p in made] == ["a.png", "a.png.json", "a.preview.png", "a.sketch.npy"]
    whole = FakeRuntime().call(
        "terrain.sketch",
        seed=7,
        control=sketch,
        lod=lod,
        layers=["height"],
        x=0,
        y=0,
        width=192 >> lod,
        height=144 >> lod,
    )
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image), whole["height"])
    assert np.array_equal(np.load(tmp_path / "a.sketch.npy"), sketch)
    said = json.loads((tmp_path / "a.png.json").read_text())
    assert said["sketch"] == {"file": "a.sketch.npy", "sha256": sketch_sha256(sketch)}
    assert said["provenance"]["params"]["control_sha256"] == sketch_sha256(sketch)
    for name in ("a.png", "a.preview.png"):
        assert verify(FakeRuntime(), tmp_path / name) is None
    np.save(tmp_path / "a.sketch.npy", sketch + 1)
    assert "another sketch" in (verify(FakeRuntime(), tmp_path / "a.png") or "")
    (tmp_path / "a.sketch.npy").unlink()
    assert "a.sketch.npy, is not beside it" in (verify(FakeRuntime(), tmp_path / "a.png") or "")


@pytest.mark.usefixtures("small_requests")
def test_tiles_of_a_sketch(tmp_path: Path) -> None:
    sketch = np.zeros((9, 12), np.float32)
    made = make(FakeRuntime(), tmp_path / "w.r16", None, sketch=sketch, grid=Grid(2, 2, 65, "unreal"))
    assert made[-1].name == "w.sketch.npy"
    assert verify(FakeRuntime(), tmp_path / "w.tiles.json") is None
    with pytest.raises(ValueError, match="3x2 tiles of 65 are 193x129 pixels from 0, 0, the sketch makes 192x144"):
        make(FakeRuntime(), tmp_path / "w.r16", None, sketch=sketch, grid=Grid(3, 2, 65, "unreal"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 0}, "--size 0 is out of range; 1 to 262144"),
        ({"size": 262145}, "--size 262145 is out of range"),
        ({"layers": ("hieght",)}, "unknown layer 'hieght'; did you mean 'height'"),
        ({"grid": Grid(0, 2, 33, "plain")}, "--tiles 0x2"),
        ({"grid": Grid(2, 2, 1, "plain")}, "--size 1 is out of range for a tile"),
        ({"grid": Grid(2, 2, 33, "unity")}, "end OUT in .raw"),
        ({"flip": True, "form": "tif", "count": 1}, "--flip-y with .tif"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    runtime = FakeRuntime()
    with pytest.raises(ValueError, match=words):
        make(runtime, tmp_path / "a.r16", **options)
    assert not runtime.calls
    assert not list(tmp_path.iterdir())


def test_requests_fit_into_a_message_and_strips_into_memory() -> None:
    def side(width: int, *layers: str) -> int:
        return region.request_side(region.Region("terrain.chunk", {}, 0, 0, width, 262144), layers)

    assert side(1000, "height") == 1024
    assert side(2048, "height") == 512  # a second's work
    assert side(16384, *ALL[:3]) == region.LOW_STRIP
    assert side(1000, *ALL) ** 2 * 17 < 2**24
    assert side(262144, "height") == region.LOW_STRIP
    assert side(262144, *ALL) * 262144 * 17 <= region.STRIP_BYTES
