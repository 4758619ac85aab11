"""pcg character and pcg monster: from drawings to files, and their verification."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pcg import cli
from pcg.assets.characters import make_characters, make_monsters, parse_formats, parse_wishes, read_colours
from pcg.assets.drawing import read_front
from pcg.assets.verify_characters import holds_sprite, verify_sprite
from pcg.writers.sprites.sheet import decode_picture
from runtime.local import Local


@pytest.fixture(scope="module")
def runtime(character_models: Path) -> Iterator[Local]:
    with Local(character_models, "cpu", 1) as runtime:
        yield runtime


def run(*arguments: str | Path) -> int:
    """Exit code of one command, in this process."""
    with pytest.raises(SystemExit) as caught:
        cli.main([str(a) for a in arguments])
    return caught.value.code or 0


def draw_hero(path: Path) -> None:
    """A drawing as a user could make it, with Pillow."""
    image = Image.new("RGBA", (64, 64))
    pen = ImageDraw.Draw(image)
    ink = (24, 16, 32)
    pen.ellipse((20, 12, 43, 36), fill=(232, 184, 144), outline=ink)
    pen.pieslice((19, 9, 44, 34), 180, 360, fill=(150, 60, 30), outline=ink)
    pen.rectangle((27, 24, 28, 27), fill=ink)
    pen.rectangle((35, 24, 36, 27), fill=ink)
    pen.rectangle((24, 36, 39, 50), fill=(40, 90, 170), outline=ink)
    pen.rectangle((20, 37, 24, 48), fill=(232, 184, 144), outline=ink)
    pen.rectangle((39, 37, 43, 48), fill=(232, 184, 144), outline=ink)
    pen.rectangle((25, 50, 31, 61), fill=(80, 60, 50), outline=ink)
    pen.rectangle((32, 50, 38, 61), fill=(80, 60, 50), outline=ink)
    image.save(path)


def test_a_drawing_becomes_a_sheet_that_a_game_loads(character_models: Path, tmp_path: Path) -> None:
    draw_hero(tmp_path / "hero.png")
    out = tmp_path / "game" / "hero.json"
    assert run("character", out, "--from", tmp_path / "hero.png", "--models", character_models, "--device", "cpu") == 0
    assert sorted(p.name for p in out.parent.iterdir()) == ["hero.CREDITS.txt", "hero.json", "hero.png"]
    assert "Ann; Bob" in (out.parent / "hero.CREDITS.txt").read_text()

    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    pygame = pytest.importorskip("pygame")
    sheet = pygame.image.load(out.with_suffix(".png"))
    said = json.loads(out.read_text())
    tags = {tag["name"]: range(tag["from"], tag["to"] + 1) for tag in said["meta"]["frameTags"]}
    assert len(tags["walk_down"]) == 8
    shown = []
    for number in [*tags["stand_down"], *tags["walk_down"]]:
        at = said["frames"][str(number)]["frame"]
        shown.append(pygame.surfarray.array3d(sheet.subsurface((at["x"], at["y"], at["w"], at["h"]))).swapaxes(0, 1))
    with Image.open(tmp_path / "hero.png") as drawn:
        assert np.array_equal(shown[0], np.array(drawn.convert("RGBA"))[..., :3])
    assert {tuple(c) for c in np.concatenate(shown[1:]).reshape(-1, 3)} <= {tuple(c) for c in shown[0].reshape(-1, 3)}


@pytest.mark.parametrize(("side", "times"), [(16, 4), (32, 2), (20, 3), (48, 1)])
def test_a_small_drawing_is_enlarged_and_set_on_its_feet(side: int, times: int, tmp_path: Path) -> None:
    drawn = np.zeros((side, side, 4), np.uint8)
    drawn[2:-3, 4:-4] = (200, 100, 50, 255)
    drawn[3, 5] = (0, 0, 0, 255)
    Image.fromarray(drawn).save(tmp_path / "small.png")
    front = read_front(tmp_path / "small.png")
    assert front.shape == (64, 64, 4)
    assert (front[..., 3] > 0).sum() == times**2 * (side - 5) * (side - 8)
    rows = np.flatnonzero(front[..., 3].any(1))
    columns = np.flatnonzero(front[..., 3].any(0))
    assert rows[-1] == 61 or times * side == 64
    assert abs((columns[0] + columns[-1]) - 63) <= 1
    black = (front[..., 3] > 0) & (front[..., 0] == 0)
    assert black.sum() == times**2


def test_files_that_are_no_drawings_are_refused(tmp_path: Path) -> None:
    def fault(name: str) -> str:
        with pytest.raises((ValueError, OSError)) as caught:
            read_front(tmp_path / name)
        return str(caught.value)

    Image.new("RGB", (64, 64), "red").save(tmp_path / "opaque.png")
    assert "has no alpha" in fault("opaque.png")
    Image.new("RGBA", (64, 64)).save(tmp_path / "empty.png")
    assert "is empty" in fault("empty.png")
    Image.new("RGBA", (100, 64)).save(tmp_path / "wide.png")
    assert "has 100x64 pixels; a front has at most 64x64 pixels" in fault("wide.png")
    Image.new("1", (10_000, 10_000)).save(tmp_path / "huge.png")
    assert "far too large" in fault("huge.png")
    (tmp_path / "text.png").write_text("no picture")
    assert "is no picture" in fault("text.png")
    assert "gone.png" in fault("gone.png")


def test_options_are_parsed() -> None:
    assert parse_wishes(["hair=long", "hat=wizard hat"]) == {"hair": "long", "hat": "wizard hat"}
    with pytest.raises(ValueError, match="write NAME=VALUE"):
        parse_wishes(["hair"])
    assert parse_formats("gif, json-array", Path("a/b.json"), folder=False) == (Path("a/b.png"), ("json-array", "gif"))
    assert parse_formats(None, Path("b.tres"), folder=False) == (Path("b.png"), ("godot",))
    assert parse_formats("png", Path("b.PNG"), folder=False) == (Path("b.png"), ())
    with pytest.raises(ValueError, match="did you mean 'godot'"):
        parse_formats("godott", Path("b.png"), folder=False)
    with pytest.raises(ValueError, match="end it in one of"):
        parse_formats(None, Path("b.bmp"), folder=False)


def test_a_sheet_has_only_the_colours_of_the_palette_file(runtime: Local, tmp_path: Path) -> None:
    (tmp_path / "two.hex").write_text("102030\nffcc88\n")
    params = {"palette": read_colours(tmp_path / "two.hex")}
    _ = list(make_characters(runtime, tmp_path / "a.png", params, 1, None, indexed=True))
    sheet = decode_picture((tmp_path / "a.png").read_bytes())
    assert {bytes(c).hex() for c in sheet[sheet[..., 3] > 0][:, :3]} <= {"102030", "ffcc88"}
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "P"


@pytest.mark.slow
def test_an_interrupted_batch_resumes(runtime: Local, tmp_path: Path) -> None:
    calls = []

    class Counted:
        def call(self, method: str, /, **params: Any) -> Any:
            calls.extend([params["seed"]] if "seed" in params else [])
            return runtime.call(method, **params)

    def batch(formats: str = "gif", *, force: bool = False, **params: Any) -> list[str]:
        calls.clear()
        made = make_characters(Counted(), tmp_path, params, 5, 4, formats, force=force)
        return [paths[0].name for _, paths in made]

    assert batch() == [f"character-{seed}.png" for seed in range(5, 9)]
    assert calls == [5, 6, 7, 8]
    before = (tmp_path / "character-7.png").read_bytes()
    (tmp_path / "character-7.png").unlink()
    batch()
    assert calls == [5, 7]  # the first file has the provenance of all
    assert (tmp_path / "character-7.png").read_bytes() == before
    with pytest.raises(FileExistsError, match="colors 64, now 9"):
        batch(colors=9)
    batch(colors=9, force=True)
    assert calls == [5, 6, 7, 8]
    batch("frames", colors=9)
    assert calls == [5, 6, 7, 8]
    assert len(list((tmp_path / "character-8").iterdir())) == 36


def test_written_files_are_verified(runtime: Local, tmp_path: Path) -> None:
    draw_hero(tmp_path / "hero.png")
    params = {"front": read_front(tmp_path / "hero.png")}
    _ = list(make_characters(runtime, tmp_path / "drawn.json", params, 0, None, "frames"))
    _ = list(make_characters(runtime, tmp_path / "made.png", {"colors": 20}, 3, None, indexed=True))
    _ = list(make_monsters(runtime, tmp_path, {"category": "demon"}, 7, 2))
    names = ["drawn.png", "drawn.json", "drawn/walk_left_2.png", "made.png", "monster-8.png"]
    for name in names:
        assert holds_sprite(tmp_path / name)
        assert verify_sprite(runtime, tmp_path / name) is None
    assert not holds_sprite(tmp_path / "hero.png")
    assert not holds_sprite(tmp_path / "made.CREDITS.txt")
    with Image.open(tmp_path / "monster-8.png") as picture:
        text = picture.info["pcg:asset"]
    assert json.loads(text)["provenance"]["params"]["seed"] == 8

    for name, place in (("drawn.png", (20, 20)), ("drawn.png", (150, 30)), ("monster-8.png", (3, 3))):
        _spoil(tmp_path / name, *place)
        assert verify_sprite(runtime, tmp_path / name) is not None
    assert "drawn.png: " in str(verify_sprite(runtime, tmp_path / "drawn.json"))


def _spoil(path: Path, row: int, column: int) -> None:
    """Change one pixel, and keep the metadata."""
    from PIL.PngImagePlugin import PngInfo

    with Image.open(path) as picture:
        pixels, about = np.array(picture.convert("RGBA")), PngInfo()
        about.add_itxt("pcg:asset", picture.info["pcg:asset"])
    pixels[row, column] = (1, 2, 3, 255)
    Image.fromarray(pixels).save(path, pnginfo=about)


def test_monsters_are_written_to_a_folder(runtime: Local, tmp_path: Path) -> None:
    made = list(make_monsters(runtime, tmp_path, {}, 3, 70, indexed=True))
    assert len(made) == 70
    assert len(list(tmp_path.glob("monster-*.png"))) == 70
    assert "CC0" in (tmp_path / "CREDITS.txt").read_text()
    single = list(make_monsters(runtime, tmp_path / "one.png", {}, 70, None, indexed=True))
    assert single[0][0] == made[67][0]
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "monster-70.png").read_bytes()


def test_a_character_from_a_text_with_unknown_words(
    character_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("character", tmp_path / "cast", "--text", "woman with a spear and a zorg", "--count", "2")
    assert run(*command, "--models", character_models, "--device", "cpu") == 0
    told = capsys.readouterr().err
    assert told.count("not understood: 'zorg' is not known") == 1
    assert told.count("left out: spear: it turns in side views") == 1
    assert told.count("body female") == 2


def test_a_folder_of_monsters_is_no_file(runtime: Local, tmp_path: Path) -> None:
    draw_hero(tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    with pytest.raises(NotADirectoryError, match=r"a\.png is a file; monster-0\.png needs a folder of that name"):
        list(make_monsters(runtime, tmp_path / "a.png", {}, 0, 2))
    assert (tmp_path / "a.png").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("character", "a.png", "--from", "x.png", "--set", "hat=none"), "leave out --seed, --set"),
        (("character", "a.png", "--blend", "0.3"), "add --seed-b"),
        (("character", "a.png", "--change", "0.3"), "add --vary"),
    ],
)
def test_invalid_options_are_refused(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    assert words in capsys.readouterr().err


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("character", "monster"):
        assert run(verb, "--help") == 0
        assert f"pcg {verb}" in capsys.readouterr().out.split("Examples:")[1]
