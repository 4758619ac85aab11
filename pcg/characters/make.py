"""What `pcg character` and `pcg monster` do: a request from their options, sheets and monsters to files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pcg.progress import progress
from pcg.region import Runtime
from pcg.writers.files import replace_file
from pcg.writers.provenance import read_asset
from pcg.writers.spritesheet import EXTRAS, Extra, credits_text, encode_png, write_sheet
from runtime.content.palettes import read_palette
from runtime.errors import did_you_mean

SHEET, MONSTER = "characters.sheet", "characters.monster"
PNG = "png"
SUFFIXES: Mapping[str, Extra | None] = {".png": None, ".json": "json-hash", ".tres": "godot", ".gif": "gif"}
AT_A_TIME = 64  # monsters in a request


def parse_wishes(given: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE each, the last of a name counts.

    >>> parse_wishes(["hair=long", "hat = wizard hat"])
    {'hair': 'long', 'hat': 'wizard hat'}
    """
    wishes = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--set {text!r}: write NAME=VALUE, for example hair=long")
        wishes[name.strip()] = value.strip()
    return wishes


def read_colours(path: Path) -> list[str]:
    """The colours of a palette file as rrggbb. Raises ValueError, OSError."""
    return [bytes(colour).hex() for colour in read_palette(path.read_text(encoding="utf-8"), path.name)]


def parse_formats(text: str | None, out: Path, *, folder: bool) -> tuple[Path, tuple[Extra, ...]]:
    """Where the sheet goes, and what is written beside it: the formats named, and the one that OUT's suffix names.

    Raises:
        ValueError: there is no such format, or OUT's suffix names none.
    """
    named = [name.strip() for name in (text or "").split(",") if name.strip()]
    for name in named:
        if name not in (PNG, *EXTRAS):
            near = did_you_mean(name, (PNG, *EXTRAS)) or f"; there are: {', '.join((PNG, *EXTRAS))}"
            raise ValueError(f"unknown format {name!r}{near}")
    extras = tuple(extra for extra in EXTRAS if extra in named)
    if folder:
        return out, extras
    suffix = out.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{out}: end it in one of {', '.join(SUFFIXES)}; --format says what else to write")
    own = SUFFIXES[suffix]
    if own is not None and own not in extras and not (own == "json-hash" and "json-array" in extras):
        extras = (own, *extras)
    return out.with_suffix(".png"), extras


def make_characters(
    runtime: Runtime,
    out: Path,
    params: Mapping[str, Any],
    seed: int,
    count: int | None,
    formats: str | None = None,
    *,
    indexed: bool = False,
) -> Iterator[tuple[dict[str, Any] | None, list[Path]]]:
    """Write a sheet to `out`, or `count` of consecutive seeds into the folder `out`; gives each answer and its files.

    Of a folder, sheets after the first that are there already, from the same request to the same models, are kept; for
    these the answer is None.

    Raises:
        ValueError: no such format or count; OSError; RpcError: what the runtime refused.
    """
    seeds = _seeds(seed, count)
    path, extras = parse_formats(formats, out, folder=count is not None)
    if "front" in params and count is not None:
        raise ValueError("--count makes characters of several seeds; a drawn front has one sheet")
    provenance: dict[str, Any] | None = None
    with progress("characters", len(seeds)) as advance:
        for s in seeds:
            given = {} if "front" in params else {"seed": s}
            file = path if count is None else path / f"character-{s}.png"
            about = {"form": "sheet", "width": 576, "height": 256, "formats": list(extras), "indexed": indexed}
            if provenance is not None and _is_made(file, about | {"provenance": _for(provenance, s)}):
                yield None, [file]
            else:
                answer = runtime.call(SHEET, **params, **given)
                provenance = answer["provenance"]
                asset = about | {"attributes": answer["attributes"], "provenance": provenance}
                yield answer, write_sheet(file, answer["image"], asset, answer["credits"], extras, indexed=indexed)
            advance(1)


def make_monsters(
    runtime: Runtime, out: Path, params: Mapping[str, Any], seed: int, count: int | None, *, indexed: bool = False
) -> Iterator[tuple[str, list[Path]]]:
    """Write a monster to `out`, or `count` of consecutive seeds into the folder `out`; gives each one's kind and files.

    A folder has one CREDITS.txt.

    Raises:
        ValueError: OUT is no .png, or no such count; OSError; RpcError: what the runtime refused.
    """
    seeds = _seeds(seed, count)
    if count is None and out.suffix.lower() != ".png":
        raise ValueError(f"{out}: a monster's file ends in .png")
    with progress("monsters", len(seeds)) as advance:
        for first in range(0, len(seeds), AT_A_TIME):
            part = seeds[first : first + AT_A_TIME]
            answer = runtime.call(MONSTER, seed=part[0], count=len(part), **params)
            for s, image, category in zip(part, answer["images"], answer["categories"], strict=True):
                made = _for(answer["provenance"], s)
                made["params"]["count"] = None
                asset = {"form": "monster", "width": 32, "height": 32, "category": category, "indexed": indexed}
                asset |= {"provenance": made}
                file = out if count is None else out / f"monster-{s}.png"
                credits = out / "CREDITS.txt" if count is not None else file.with_name(f"{file.stem}.CREDITS.txt")
                replace_file(file, encode_png(image, asset, indexed=indexed))
                replace_file(credits, credits_text(asset, answer["credits"]).encode())
                yield category, [file, credits]
                advance(1)


def _seeds(seed: int, count: int | None) -> range:
    if count is not None and count < 1:
        raise ValueError(f"--count {count}: at least 1")
    return range(seed, seed + (count or 1))


def _for(provenance: dict[str, Any], seed: int) -> dict[str, Any]:
    """What the same request says with another seed."""
    return provenance | {"params": provenance["params"] | {"seed": seed}}


def _is_made(path: Path, asset: Mapping[str, Any]) -> bool:
    """Whether a file is there and says of itself what `asset` does, whatever else it says."""
    try:
        found = read_asset(path)
    except (OSError, ValueError):
        return False
    return all(found.get(name) == value for name, value in asset.items())


def remarks(answer: Mapping[str, Any]) -> list[str]:
    """What to tell of a text: words that say nothing, and what can't be had; a line each."""
    said = answer.get("text", {"unknown": [], "notes": []})
    return [*(f"not understood: {word}" for word in said["unknown"]), *(f"left out: {note}" for note in said["notes"])]


def summary(answer: Mapping[str, Any]) -> str:
    """What to tell of a character that was made, in a line."""
    worn = {name: value for name, value in answer["attributes"].items() if value != "none"}
    said = ", ".join(f"{name} {value}" for name, value in worn.items()) or "from a drawing"
    return f"{answer['colors']} colours: {said}"
