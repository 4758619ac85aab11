"""Writing provenance to files and reading it: PNG text chunks and JSON sidecars."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pcg.writers.png import read_text, text_chunk

KEY = "pcg:asset"
SIDECAR_SUFFIX = ".json"


def software(asset: dict[str, Any]) -> str:
    """The program and its version, for the software field of a format."""
    return f"pcg-plugin {asset['provenance']['version']}"


def statement(asset: dict[str, Any]) -> str:
    """A line for people: that the file is generated, by which model, under which licence."""
    made = asset["provenance"]
    return f"{made['statement']}: {made['model']} {made['version']}, {made['licence']}"


def texts(asset: dict[str, Any]) -> dict[str, str]:
    """The text chunks of a PNG by keyword: software, statement, and all of `asset` as JSON."""
    return {"Software": software(asset), "Comment": statement(asset), KEY: json.dumps(asset)}


def text_chunks(asset: dict[str, Any]) -> list[bytes]:
    """The same as PNG chunks."""
    return [text_chunk(keyword, text) for keyword, text in texts(asset).items()]


def sidecar_path(path: Path) -> Path:
    """world.r16 -> world.r16.json"""
    return path.with_name(path.name + SIDECAR_SUFFIX)


def sidecar_bytes(asset: dict[str, Any]) -> bytes:
    """The content of a sidecar."""
    return json.dumps(asset, indent=1).encode()


def read_asset(path: Path) -> dict[str, Any]:
    """Read the metadata of an asset from its text chunk or its sidecar. `path` may also be a sidecar.

    Raises:
        ValueError: the file has no metadata; FileNotFoundError: there is no such file.
    """
    if not path.exists():
        raise FileNotFoundError(f"no file {path}")
    if path.suffix.lower() == ".png":
        text: str | bytes | None = read_text(path, KEY)
        if text is None:
            raise ValueError(f"{path} carries no provenance: it was not written by this project, or was saved again")
    else:
        sidecar = path if path.suffix == SIDECAR_SUFFIX else sidecar_path(path)
        if not sidecar.exists():
            raise ValueError(f"{path} has no sidecar {sidecar.name}, which would say what made it")
        text = sidecar.read_bytes()
    asset = json.loads(text)
    if not isinstance(asset, dict):
        raise ValueError(f"{path} carries no provenance: {text[:40]!r} is not a JSON object")
    return asset
