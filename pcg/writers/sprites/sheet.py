"""Writing characters and monsters: sheets, atlases, frames, animated previews, credits (docs/formats.md)."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pcg.writers.files import replace_file
from pcg.writers.provenance import statement, texts
from runtime.content.characters.atlas import ANIMATIONS, FRAME_MS, FRAME_PX, FRAMES, SHEET_SHAPE, atlas, region
from runtime.content.characters.palettes import indexed as to_indices

Extra = Literal["json-hash", "json-array", "godot", "frames", "gif", "apng"]
EXTRAS: tuple[Extra, ...] = get_args(Extra)
PREVIEW_SCALE = 4


def encode_png(image: NDArray[np.uint8], asset: dict[str, Any], *, indexed: bool = False) -> bytes:
    """A PNG of RGBA (H, W, 4) with its provenance. With `indexed` it has a palette, whose first entry is transparent.

    Raises:
        ValueError: it has too many colours for a palette.
    """
    about = PngInfo()
    for keyword, text in texts(asset).items():
        about.add_itxt(keyword, text)
    file = io.BytesIO()
    if indexed:
        _indexed_picture(image).save(file, "PNG", pnginfo=about, transparency=0)
    else:
        Image.fromarray(image).save(file, "PNG", pnginfo=about)
    return file.getvalue()


def _indexed_picture(image: NDArray[np.uint8]) -> Image.Image:
    indices, palette = to_indices(image)
    picture = Image.fromarray(indices, "P")
    picture.putpalette(palette.tobytes())
    return picture


def decode_picture(data: bytes) -> NDArray[np.uint8]:
    """Decode a picture to RGBA (H, W, 4); transparent pixels become zero. Raises OSError if it can't be decoded."""
    with Image.open(io.BytesIO(data)) as picture:
        pixels = np.array(picture.convert("RGBA"))
    pixels[pixels[..., 3] == 0] = 0
    return pixels


def encode_atlas(
    image: str, asset: dict[str, Any], form: Literal["json-hash", "json-array"], *, indexed: bool
) -> bytes:
    """An atlas in Aseprite's JSON, with the provenance in its meta.

    Args:
        image: the file name of the sheet beside it.
        asset: the metadata.
        form: frames by name or in a list.
        indexed: the sheet has a palette.
    """
    made = atlas(image, form, indexed=indexed)
    made["meta"]["pcg"] = asset
    return json.dumps(made, indent=1).encode()


def encode_sprite_frames(image: str) -> bytes:
    """Godot 4's SpriteFrames (.tres) for a sheet in the file `image` beside it: an animation for every tag.

    The texture's path is relative to the resource.
    """
    count = SHEET_SHAPE[0] // FRAME_PX * FRAMES
    lines = [
        f'[gd_resource type="SpriteFrames" load_steps={count + 2} format=3]',
        f'[ext_resource type="Texture2D" path={json.dumps(image)} id="1"]',
    ]
    for frame in range(count):
        x, y, w, h = region(frame).values()
        part = f'[sub_resource type="AtlasTexture" id="frame_{frame}"]\natlas = ExtResource("1")'
        lines.append(f"{part}\nregion = Rect2({x}, {y}, {w}, {h})")
    animations = []
    for animation in ANIMATIONS:
        numbers = range(animation.first, animation.last + 1)
        frames = ", ".join(f'{{"duration": 1.0, "texture": SubResource("frame_{n}")}}' for n in numbers)
        loop = json.dumps(animation.loop)
        head = f'"loop": {loop}, "name": &"{animation.name}", "speed": {1000 / FRAME_MS:.1f}'
        animations.append(f'{{"frames": [{frames}], {head}}}')
    lines.append("[resource]\nanimations = [" + ",\n".join(animations) + "]\n")
    return "\n\n".join(lines).encode()


def frame_names() -> dict[str, int]:
    """The number of each frame by name: stand_up, walk_up_1 to walk_up_8, stand_left, ..."""
    named = {}
    for animation in ANIMATIONS:
        for k in range(animation.first, animation.last + 1):
            number = f"_{k - animation.first + 1}" if animation.last > animation.first else ""
            named[animation.name + number] = k
    return named


def frame_files(sheet: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    """The frames of a sheet by name."""
    named = {}
    for name, k in frame_names().items():
        x, y, w, h = region(k).values()
        named[name] = sheet[y : y + h, x : x + w]
    return named


def encode_preview(sheet: NDArray[np.uint8], form: Literal["gif", "apng"], scale: int = PREVIEW_SCALE) -> bytes:
    """An animated preview: the four directions side by side, walking in a loop, enlarged by `scale`."""
    frames = sheet.reshape(-1, FRAME_PX, FRAMES, FRAME_PX, 4).transpose(2, 1, 0, 3, 4)[1:]
    steps = frames.reshape(FRAMES - 1, FRAME_PX, -1, 4).repeat(scale, 1).repeat(scale, 2)
    file = io.BytesIO()
    if form == "apng":
        first, *rest = (Image.fromarray(np.ascontiguousarray(step)) for step in steps)
        first.save(file, "PNG", save_all=True, append_images=rest, duration=FRAME_MS, loop=0, disposal=1)
        return file.getvalue()
    indices, palette = to_indices(steps)
    pictures = []
    for step in indices:
        picture = Image.fromarray(np.ascontiguousarray(step), "P")
        picture.putpalette(palette.tobytes())
        pictures.append(picture)
    moving = {"append_images": pictures[1:], "duration": FRAME_MS, "loop": 0, "disposal": 2, "transparency": 0}
    pictures[0].save(file, "GIF", save_all=True, optimize=False, **moving)
    return file.getvalue()


def credits_text(asset: dict[str, Any], credits: str) -> str:
    """The text that a game with the asset must include: it is generated, and whose work the model was trained on."""
    made = asset["provenance"]
    learned = "\n".join(f"- {data['name']}: {data['licence']}" for data in made["training_data"])
    said = f"{statement(asset)}.\n\nThe model was trained on:\n{learned}\n"
    return f"{said}\n{credits}" if credits else said


def sheet_paths(path: Path, extras: Sequence[Extra] = ()) -> list[Path]:
    """All files of a sheet, the sheet first.

    NAME.png, NAME.CREDITS.txt; json-hash and json-array NAME.json; godot NAME.tres; frames NAME/walk_up_1.png, ...; gif
    NAME.preview.gif; apng NAME.preview.png.

    Raises:
        ValueError: both forms of atlas were asked for.
    """
    if "json-hash" in extras and "json-array" in extras:
        raise ValueError(f"json-hash and json-array would both be {path.stem}.json; ask for one")
    paths = [path, path.with_name(f"{path.stem}.CREDITS.txt")]
    for extra in extras:
        paths += [path.with_suffix("") / f"{name}.png" for name in frame_names()] if extra == "frames" else []
        paths += [_beside(path, extra)] if extra != "frames" else []
    return paths


def _beside(path: Path, extra: Extra) -> Path:
    if extra == "gif" or extra == "apng":
        return path.with_name(f"{path.stem}.preview.{'gif' if extra == 'gif' else 'png'}")
    return path.with_suffix(".tres" if extra == "godot" else ".json")


def write_sheet(
    path: Path,
    sheet: NDArray[np.uint8],
    asset: dict[str, Any],
    credits: str,
    extras: Sequence[Extra] = (),
    *,
    indexed: bool = False,
    check: Callable[[Path, bytes], None] = lambda *_: None,
) -> list[Path]:
    """Write the files of `sheet_paths`. The sheet is written last, so if it is there, the other files are there, too.

    Args:
        path: the sheet's file.
        sheet: RGBA (H, W, 4).
        asset: the metadata.
        credits: the names of artists.
        extras: what to write beside the sheet.
        indexed: write PNG files with a palette.
        check: called with each path and its content before any file is written; may raise.

    Returns:
        The paths written, the sheet first.

    Raises:
        ValueError: both forms of atlas were asked for, or the picture has too many colours; OSError.
    """
    _, credits_path, *_ = sheet_paths(path, extras)
    files = {credits_path: credits_text(asset, credits).encode()}
    for extra in extras:
        if extra == "json-hash" or extra == "json-array":
            files[_beside(path, extra)] = encode_atlas(path.name, asset, extra, indexed=indexed)
        elif extra == "godot":
            files[_beside(path, extra)] = encode_sprite_frames(path.name)
        elif extra == "frames":
            for frame_name, frame in frame_files(sheet).items():
                about = asset | {"form": "frame", "frame": frame_name, "width": FRAME_PX, "height": FRAME_PX}
                files[path.with_suffix("") / f"{frame_name}.png"] = encode_png(frame, about, indexed=indexed)
        else:
            files[_beside(path, extra)] = encode_preview(sheet, extra)
    whole = encode_png(sheet, asset, indexed=indexed)
    for name, data in (*files.items(), (path, whole)):
        check(name, data)
    for name, data in (*files.items(), (path, whole)):
        replace_file(name, data)
    return [path, *files]
