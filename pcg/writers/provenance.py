"""Provenance in and out of files: PNG text chunks and JSON sidecars."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pcg.writers.png import read_text, text_chunk

KEY = "pcg:asset"
SIDECAR_SUFFIX = ".json"


def software(asset: dict[str, Any]) -> str:
    """Program and version, for the fields that formats have for it."""
    return f"pcg-plugin {asset['provenance']['version']}"


def statement(asset: dict[str, Any]) -> str:
    """What a person should know of the file, in a line."""
    made = asset["provenance"]
    return f"{made['statement']}: {made['model']} {made['version']}, {made['licence']}"


def texts(asset: dict[str, Any]) -> dict[str, str]:
    """What a PNG says of itself, by keyword: the statement in words, and all of `asset` as JSON."""
    return {"Software": software(asset), "Comment": statement(asset), KEY: json.dumps(asset)}


def text_chunks(asset: dict[str, Any]) -> list[bytes]:
    """`texts` as chunks of a PNG."""
    return [text_chunk(keyword, text) for keyword, text in texts(asset).items()]


def sidecar_path(path: Path) -> Path:
    """world.r16 -> world.r16.json"""
    return path.with_name(path.name + SIDECAR_SUFFIX)


def sidecar_bytes(asset: dict[str, Any]) -> bytes:
    """A sidecar's content."""
    return json.dumps(asset, indent=1).encode()


def read_asset(path: Path) -> dict[str, Any]:
    """What a file says of itself, from its text chunks or its sidecar; a sidecar of a whole set is read itself.

    Raises:
        ValueError: it says nothing; FileNotFoundError: there is no such file.
    """
    if not path.exists():
        raise FileNotFoundError(f"no file {path}")
    if path.suffix.lower() == ".png":
        text: str | bytes | None = read_text(path, KEY)
        if text is None:
            raise ValueError(f"{path} carries no provenance: it was not written by this project, or was saved anew")
    else:
        sidecar = path if path.suffix == SIDECAR_SUFFIX else sidecar_path(path)
        if not sidecar.exists():
            raise ValueError(f"{path} has no sidecar {sidecar.name}, which would say what made it")
        text = sidecar.read_bytes()
    asset = json.loads(text)
    if not isinstance(asset, dict):
        raise ValueError(f"{path} carries no provenance: {text[:40]!r} is no JSON object")
    return asset
