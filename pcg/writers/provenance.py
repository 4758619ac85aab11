"""Provenance in and out of files: PNG text chunks and JSON sidecars."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

KEY = "pcg:asset"
SIDECAR_SUFFIX = ".json"


def png_text(asset: dict[str, Any]) -> PngInfo:
    """Text chunks for a PNG: the statement in words, and all of `asset` as JSON."""
    info = PngInfo()
    made = asset["provenance"]
    info.add_text("Software", f"pcg-plugin {made['version']}")
    info.add_text("Comment", f"{made['statement']}: {made['model']} {made['version']}, {made['licence']}")
    info.add_itxt(KEY, json.dumps(asset))
    return info


def sidecar_path(path: Path) -> Path:
    """world.r16 -> world.r16.json"""
    return path.with_name(path.name + SIDECAR_SUFFIX)


def read_asset(path: Path) -> dict[str, Any]:
    """What a file says of itself, from its text chunks or its sidecar.

    Raises:
        ValueError: it says nothing; FileNotFoundError: there is no such file.
    """
    if not path.exists():
        raise FileNotFoundError(f"no file {path}")
    if path.suffix.lower() == ".png":
        with Image.open(path) as image:
            text = image.info.get(KEY)
        if text is None:
            raise ValueError(f"{path} carries no provenance: it was not written by this project, or was saved anew")
        asset: dict[str, Any] = json.loads(text)
        return asset
    sidecar = sidecar_path(path)
    if not sidecar.exists():
        raise ValueError(f"{path} has no sidecar {sidecar.name}, which would say what made it")
    described: dict[str, Any] = json.loads(sidecar.read_bytes())
    return described
