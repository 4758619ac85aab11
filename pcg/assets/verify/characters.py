"""Verifying characters and monsters: they are made again from their provenance and compared."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pcg.assets.characters import MONSTER, SHEET
from pcg.assets.region import Runtime, other_version
from pcg.assets.verify.faults import fault_of
from pcg.writers.provenance import read_asset
from pcg.writers.sprites.sheet import decode_picture, frame_files
from runtime.content.characters.atlas import SHEET_SHAPE, AtlasForm, atlas

STANDING = "stand_down"
Picture = NDArray[np.uint8]


def is_sprite(path: Path) -> bool:
    """Whether a file is a character's sheet, a frame or an atlas of one, or a monster, made here."""
    try:
        if path.suffix.lower() == ".json":
            return "pcg" in json.loads(path.read_bytes())["meta"]
        return path.suffix.lower() == ".png" and str(read_asset(path)["provenance"]["method"]).startswith("characters.")
    except (OSError, ValueError, LookupError, TypeError):
        return False


def verify_sprite(runtime: Runtime, path: Path) -> str | None:
    """Make a sprite again and compare its pixels. An atlas stands for the sheet beside it, too.

    Returns:
        What is wrong, or None.

    Raises:
        as `pcg.assets.verify.faults` lists, if the file is damaged.
    """
    if path.suffix.lower() == ".json":
        return _verify_atlas(runtime, path)
    asset = read_asset(path)
    made = asset["provenance"]
    if (other := other_version(runtime, made)) is not None:
        return other
    found = decode_picture(path.read_bytes())
    expected = _make(runtime, path, asset, found)
    if found.shape != expected.shape:
        return f"has {found.shape[1]}x{found.shape[0]} pixels, should have {expected.shape[1]}x{expected.shape[0]}"
    differing = int((found != expected).any(-1).sum())
    return f"{differing} of {found.shape[0] * found.shape[1]} pixels differ" if differing else None


def _make(runtime: Runtime, path: Path, asset: dict[str, Any], found: Picture) -> Picture:
    """The picture that the file should hold."""
    made = asset["provenance"]
    params = dict(made["params"])
    if made["method"] == MONSTER:
        return runtime.call(MONSTER, **params)["image"]
    if made["method"] != SHEET:
        raise ValueError(f"its provenance names {made['method']!r:.40}, which makes no sprites")
    if params.pop("front_sha256", None) is not None:  # a sheet's standing frame is the front that it was made from
        params["front"] = _front(path, asset, found)
    response = runtime.call(SHEET, **params)
    if response["provenance"]["params"] != made["params"]:
        raise ValueError("its standing front is another than it was made of")
    return frame_files(response["image"])[asset["frame"]] if asset["form"] == "frame" else response["image"]


def _front(path: Path, asset: dict[str, Any], found: Picture) -> Picture:
    if asset["form"] == "frame":
        return decode_picture(path.with_name(f"{STANDING}.png").read_bytes())
    if found.shape != SHEET_SHAPE:
        raise ValueError(f"has {found.shape[1]}x{found.shape[0]} pixels, which is not a sheet")
    return np.ascontiguousarray(frame_files(found)[STANDING])


def _verify_atlas(runtime: Runtime, path: Path) -> str | None:
    said = json.loads(path.read_bytes())
    asset, image = said["meta"].pop("pcg"), said["meta"]["image"]
    form: AtlasForm = "json-array" if isinstance(said["frames"], list) else "json-hash"
    if said != atlas(image, form, indexed=asset["indexed"]):
        return "its frames or tags are not those of a sheet"
    sheet = path.with_name(Path(image).name)
    fault = fault_of(functools.partial(verify_sprite, runtime, sheet))
    return None if fault is None else f"{sheet.name}: {fault}"
