"""What is there already: kept where it is what was asked for, never replaced by another asset unasked."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_terrain import FakeRuntime, contents, make
from PIL import Image

from pcg.assets import region
from pcg.assets.characters import make_characters, make_monsters
from pcg.assets.levels import level_paths, make_levels, resolve_suffixes
from pcg.assets.tiles import Grid
from pcg.assets.verify.families import verify
from pcg.cli import main
from pcg.writers.levels.tilemap import read_level
from runtime.errors import Code, RpcError


@pytest.fixture
def small_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps of a few hundred pixels in several strips of several requests."""
    monkeypatch.setattr(region, "REQUEST", 64)


class Killed(BaseException):
    """The process ended."""


@pytest.mark.usefixtures("small_requests")
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("size", [60, 300])
def test_killed_at_any_rename_the_same_command_completes(
    tmp_path: Path, size: int, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a map in one strip and of one in several; before the rename, and after it."""
    options: dict[str, Any] = {"size": size, "layers": ("normal", "flow")}
    whole = tmp_path / "whole"
    renames = 0
    rename = Path.replace

    def count(path: Path, target: Path) -> Path:
        nonlocal renames
        renames += 1
        if renames != left:
            return rename(path, target)
        if after:
            rename(path, target)
        raise Killed

    monkeypatch.setattr(Path, "replace", count)
    left = 0
    make(FakeRuntime(), whole / "a.png", **options)
    expected, total = contents(whole), renames
    assert total >= 8  # three files and their sidecars, the preview, and a journal
    for left in range(1, total + 1):
        renames, cut = 0, tmp_path / f"cut{left}"
        with pytest.raises(Killed):
            make(FakeRuntime(), cut / "a.png", **options)
        renames = -1000
        make(FakeRuntime(), cut / "a.png", **options)
        assert contents(cut) == expected, left


@pytest.mark.usefixtures("small_requests")
def test_a_map_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options: dict[str, Any] = {"layers": ("normal", "flow")}
    made = make(FakeRuntime(), tmp_path / "a.png", **options)
    before = contents(tmp_path)
    for layers in (("normal", "flow"), ("flow",)):
        runtime = FakeRuntime()
        again = make(runtime, tmp_path / "a.png", layers=layers)
        assert (runtime.calls, contents(tmp_path)) == (0, before)
        assert "a.png is there already" in capsys.readouterr().err
        assert set(again) <= set(made)
    runtime = FakeRuntime()
    make(runtime, tmp_path / "a.png", force=True, **options)
    assert (runtime.calls, contents(tmp_path)) == (25, before)
    (tmp_path / "a.normal.png").unlink()
    make(FakeRuntime(), tmp_path / "a.png", **options)
    assert contents(tmp_path) == before
    make(FakeRuntime(), tmp_path / "a.png", layers=("slope",))
    assert verify(FakeRuntime(), tmp_path / "a.slope.png") is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": 8}, r"a\.r16 holds another asset \(seed 7, now 8\): give another name, or --force"),
        ({"x": 5}, "x 0, now 5"),
        ({"size": 301}, "size 300, now 301"),
        ({"flip": True}, "the same height in another order"),
        ({"sha256": "cd" * 32}, "abababababab, here that model is cdcdcdcdcdcd: another version"),
    ],
)
def test_another_map_is_not_replaced(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    make(FakeRuntime(), tmp_path / "a.r16")
    before = contents(tmp_path)
    runtime = FakeRuntime(sha256=options.pop("sha256", "ab" * 32))
    with pytest.raises(FileExistsError, match=words):
        make(runtime, tmp_path / "a.r16", **options)
    assert (runtime.calls, contents(tmp_path)) == (0, before)
    make(runtime, tmp_path / "a.r16", force=True, **options)
    assert contents(tmp_path) != before
    assert verify(runtime, tmp_path / "a.r16") is None


def test_two_styles_into_one_folder(tmp_path: Path) -> None:
    def batch(style: str, runtime: Any, **options: Any) -> list[Path]:
        params = {"lod": 0, "style": style}
        return make(runtime, tmp_path, 40, 3, count=3, params=params, form="r16", preview=False, **options)

    batch("alpine", FakeRuntime())
    (tmp_path / "terrain-3.r16").unlink()
    before = contents(tmp_path)
    runtime = FakeRuntime()
    with pytest.raises(FileExistsError, match=r"terrain-3\.r16\.json holds .*style 'alpine', now 'lowland'"):
        batch("lowland", runtime)
    assert (runtime.calls, contents(tmp_path)) == (0, before)  # not even the seeds before
    batch("alpine", runtime)
    assert runtime.calls == 1  # the one that was missing


@pytest.mark.parametrize("name", ["a.png", "a.png.json", "a.preview.png", "a.normal.png", "a.sketch.npy"])
def test_a_users_own_file_is_not_replaced(tmp_path: Path, name: str) -> None:
    if name.endswith(".png"):
        Image.new("L", (4, 4)).save(tmp_path / name)
    else:
        (tmp_path / name).write_bytes(b"{}")
    before, runtime = contents(tmp_path), FakeRuntime()
    options: dict[str, Any] = {"layers": ("normal",), "sketch": np.zeros((4, 4), np.float32)}
    with pytest.raises(FileExistsError, match=f"{name} is there"):
        make(runtime, tmp_path / "a.png", **options)
    assert (runtime.calls, contents(tmp_path)) == (0, before)
    make(runtime, tmp_path / "a.png", force=True, **options)
    assert verify(runtime, tmp_path / "a.png") is None


def test_formats_of_one_name_have_previews_of_their_own(tmp_path: Path) -> None:
    make(FakeRuntime(), tmp_path / "world.png", 30)
    make(FakeRuntime(), tmp_path / "world.r16", 40)
    for name, side in (("world.preview.png", 30), ("world.r16.preview.png", 40)):
        with Image.open(tmp_path / name) as picture:
            assert picture.size == (side, side)


def test_a_set_of_tiles_is_kept(tmp_path: Path) -> None:
    make(FakeRuntime(), tmp_path / "w.r16", None, grid=Grid(2, 2, 33, "plain"))
    runtime, before = FakeRuntime(), contents(tmp_path)
    make(runtime, tmp_path / "w.r16", None, grid=Grid(2, 2, 33, "plain"))
    assert (runtime.calls, contents(tmp_path)) == (0, before)
    with pytest.raises(FileExistsError, match=r"w_c0_r0\.r16 holds .*seed 7, now 8"):
        make(runtime, tmp_path / "w.r16", None, seed=8, grid=Grid(2, 2, 33, "plain"))
    (tmp_path / "w_c1_r0.r16").unlink()
    make(runtime, tmp_path / "w.r16", None, grid=Grid(2, 2, 33, "plain"))
    assert contents(tmp_path) == before


def test_another_interrupted_job_is_given_up_with_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(region, "REQUEST", 64)
    with pytest.raises(KeyboardInterrupt):
        make(FakeRuntime(12), tmp_path / "a.png")
    with pytest.raises(ValueError, match="seed 7, now 8"):
        make(FakeRuntime(), tmp_path / "a.png", seed=8)
    make(FakeRuntime(), tmp_path / "a.png", seed=8, force=True)
    assert verify(FakeRuntime(), tmp_path / "a.png") is None
    assert not list(tmp_path.glob("*.part*"))


PROVENANCE = {
    "statement": "generated by a machine-learning model",
    "model": "fake",
    "version": "1",
    "licence": "MIT",
    "training_data": [{"name": "n", "licence": "l"}],
}


class FakeAssets:
    """Levels, sheets and monsters at once; of the seeds in `unsatisfied` none."""

    def __init__(self, sha256: str = "ab" * 32, unsatisfied: tuple[int, ...] = ()) -> None:
        self.sha256, self.unsatisfied = sha256, unsatisfied
        self.seeds: list[int] = []

    def call(self, method: str, /, **params: Any) -> Any:
        if method == "models.describe":
            return {"sha256": self.sha256}
        seed = params["seed"]
        self.seeds.append(seed)
        if seed in self.unsatisfied:
            raise RpcError(Code.UNSATISFIED, f"nothing like that of seed {seed}")
        made = {
            "provenance": PROVENANCE | {"sha256": self.sha256, "method": method, "params": params},
            "credits": "Art",
        }
        rng = np.random.default_rng(seed)
        if method == "levels.generate":
            gap = " " * (1 + seed % 9)
            rows, moves = [f"{'#' * (6 + len(gap))}", f"#@{gap}$ .#", f"{'#' * (6 + len(gap))}"], "r" * len(gap) + "RR"
            more = {"proved": True, "difficulty": 0.5, "candidate": 0, "repaired": 0, "seed": seed}
            return made | more | {"game": "sokoban", "rows": rows, "solution": moves}
        if method == "characters.sheet":
            image = np.where(rng.random((256, 576, 1)) < 0.5, 255, 0).astype(np.uint8).repeat(4, 2)
            return made | {"image": image, "attributes": {"hair": "long"}, "colors": 2}
        images = rng.integers(0, 2, (params["count"], 32, 32, 1), np.uint8).repeat(4, 3) * 255
        return made | {"images": images, "categories": ["demon"] * params["count"]}

    def call_reporting(self, method: str, report: Any, /, **params: Any) -> Any:
        report(0, 64)
        return self.call(method, **params)


def levels(
    runtime: FakeAssets, out: Path, seed: int = 1, count: int | None = None, form: str | None = None, **o: Any
) -> Any:
    options = {name: o.pop(name) for name in ("force", "failed") if name in o}
    return list(make_levels(runtime, out, o, seed, count, form, **options))


def sheets(
    runtime: FakeAssets, out: Path, seed: int = 1, count: int | None = None, form: str | None = None, **o: Any
) -> Any:
    options = {name: o.pop(name) for name in ("force", "failed") if name in o}
    return list(make_characters(runtime, out, o, seed, count, form, **options))


def monsters(
    runtime: FakeAssets, out: Path, seed: int = 1, count: int | None = None, form: str | None = None, **o: Any
) -> Any:
    options = {name: o.pop(name) for name in ("force",) if name in o}
    assert form is None
    return list(make_monsters(runtime, out, o, seed, count, **options))


FAMILIES: dict[str, tuple[Any, dict[str, Any]]] = {
    "level": (levels, {"width": 9}),
    "character": (sheets, {"colors": 9}),
    "monster": (monsters, {"category": "demon"}),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_keeps_what_is_there(tmp_path: Path, family: str) -> None:
    make_all, _ = FAMILIES[family]
    runtime = FakeAssets()
    first = make_all(runtime, tmp_path, 3, 4)
    before = contents(tmp_path)
    again = make_all(runtime, tmp_path, 3, 4)
    assert [answer for answer, _ in again] == [None] * 4
    assert contents(tmp_path) == before
    lost = first[2][1][0]
    lost.unlink()
    runtime.seeds.clear()
    again = make_all(runtime, tmp_path, 3, 4)
    assert [answer is None for answer, _ in again] == [True, True, False, True]
    assert contents(tmp_path) == before
    if family == "level":
        assert runtime.seeds == [5]
    forced = make_all(runtime, tmp_path, 3, 4, force=True)
    assert not [answer for answer, _ in forced if answer is None]
    assert contents(tmp_path) == before


@pytest.mark.parametrize("family", FAMILIES)
def test_no_family_replaces_what_is_another(tmp_path: Path, family: str) -> None:
    make_all, other = FAMILIES[family]
    for folder, count in ((tmp_path / "many", 3), (tmp_path / "one", None)):
        out = folder / "a.png" if count is None else folder
        made = make_all(FakeAssets(), out, 3, count)
        before = contents(folder)
        with pytest.raises(FileExistsError, match=rf"{next(iter(other))} None, now|{next(iter(other))} \d+, now"):
            make_all(FakeAssets(), out, 3, count, **other)
        with pytest.raises(FileExistsError, match="another version"):
            make_all(FakeAssets("cd" * 32), out, 3, count)
        assert contents(folder) == before
        make_all(FakeAssets(), out, 3, count, force=True, **other)
        assert contents(folder) != before
        made[-1][1][0].write_bytes(b"mine")
        with pytest.raises(FileExistsError, match="was not written by pcg"):
            make_all(FakeAssets(), out, 3, count, **other)
        assert made[-1][1][0].read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("family", "name", "form"),
    [
        ("character", "hero.CREDITS.txt", None),
        ("character", "hero.json", "json-hash"),
        ("character", "hero.tres", "godot"),
        ("character", "hero.preview.gif", "gif"),
        ("character", "hero/stand_up.png", "frames"),
        ("monster", "hero.CREDITS.txt", None),
        ("level", "hero.json", "png,json"),
        ("level", "hero.txt.json", "png,txt"),
        ("level", "sokoban-tiles.png", "png,tmx"),
    ],
)
def test_what_lies_beside_is_not_replaced(tmp_path: Path, family: str, name: str, form: str | None) -> None:
    make_all, _ = FAMILIES[family]
    own = tmp_path / name
    own.parent.mkdir(exist_ok=True)
    own.write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=f"{own.name} is there"):
        make_all(FakeAssets(), tmp_path / "hero.png", 3, None, form)
    assert contents(tmp_path) == {name: b"mine"}
    make_all(FakeAssets(), tmp_path / "hero.png", 3, None, form, force=True)
    assert own.read_bytes() != b"mine"


def test_a_sheet_goes_on_after_a_batch_that_was_killed(tmp_path: Path) -> None:
    sheets(FakeAssets(), tmp_path, 1, 2, "godot,gif,frames,json-hash")
    before = contents(tmp_path)
    (tmp_path / "character-2.png").unlink()  # which is written last
    sheets(FakeAssets(), tmp_path, 1, 2, "godot,gif,frames,json-hash")
    assert contents(tmp_path) == before
    sheets(FakeAssets(), tmp_path, 1, 2, "apng")  # the same sheets in another form need no force
    assert (tmp_path / "character-2.preview.png").exists()


@pytest.mark.parametrize(("verb", "module"), [("level", "levels"), ("character", "characters")])
def test_a_seed_of_which_nothing_comes_ends_no_batch(
    tmp_path: Path, verb: str, module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runtime = FakeAssets(unsatisfied=(2, 5))
    monkeypatch.setattr(f"pcg.commands.{module}.open_runtime", lambda *_: nullcontext(runtime))

    def run(*arguments: str) -> Any:
        with pytest.raises(SystemExit) as caught:
            main([verb, *arguments])
        return caught.value.code

    assert run(str(tmp_path), "--count", "6") == 1
    told = capsys.readouterr()
    assert "seed 5: nothing like that of seed 5" in told.err
    assert told.err.rstrip().endswith("2 of 6 failed: 2, 5")
    game = "sokoban" if verb == "level" else "character"
    suffix = "tmx" if verb == "level" else "png"
    assert sorted(p.name for p in tmp_path.glob(f"{game}-?.{suffix}")) == [f"{game}-{s}.{suffix}" for s in (0, 1, 3, 4)]
    assert run(str(tmp_path / "one.png"), "--seed", "2") == 1
    assert "nothing like that of seed 2" in capsys.readouterr().err
    runtime.unsatisfied = ()
    assert run(str(tmp_path), "--count", "6") == 0


def test_a_level_in_several_formats(tmp_path: Path) -> None:
    [(_, written)] = levels(FakeAssets(), tmp_path / "a.tmx", form="tmx,png, txt")
    names = ["a.tmx", "sokoban-tiles.png", "a.png", "a.txt", "a.txt.json"]
    assert [p.name for p in written] == names
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(names)
    assert len({read_level(tmp_path / f"a.{form}").rows for form in ("tmx", "png", "txt")}) == 1
    runtime = FakeAssets()
    levels(runtime, tmp_path / "a.tmx", form="tmx,png,txt")
    levels(runtime, tmp_path / "a.png")
    assert runtime.seeds == []
    levels(runtime, tmp_path / "a.tmx", form="tmx,json")
    assert runtime.seeds == [1]


def test_formats_are_looked_at_before_anything_is_made(tmp_path: Path) -> None:
    for form, words in (("tmx,pngg", "did you mean 'png'"), ("json", r"ends in \.tmx, but --format says json")):
        runtime = FakeAssets()
        with pytest.raises(ValueError, match=words):
            levels(runtime, tmp_path / "a.tmx", form=form)
        assert runtime.seeds == []
    assert resolve_suffixes(Path("many"), None, folder=True) == (".tmx",)
    assert resolve_suffixes(Path("x"), "txt,tmx,txt", folder=False) == (".txt", ".tmx")
    assert level_paths(Path("x.y"), (".txt", ".tmx")) == [Path("x.y.txt"), Path("x.y.tmx")]
    assert level_paths(Path("x.TMX"), (".tmx", ".png")) == [Path("x.TMX"), Path("x.png")]
    assert not list(tmp_path.iterdir())
