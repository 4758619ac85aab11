"""Characters and monsters from requests to files: what `pcg character` and `pcg monster` do."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pcg.assets.existing import REMEDY, Existing, Failed, Request, request_of
from pcg.assets.region import Runtime, other_version
from pcg.progress import progress
from pcg.writers.files import check_target, locked, replace_file, replace_shared
from pcg.writers.provenance import read_asset
from pcg.writers.sprites.sheet import EXTRAS, Extra, credits_text, encode_png, sheet_paths, write_sheet
from runtime.content.characters.atlas import SHEET_SHAPE
from runtime.content.characters.palettes import read_palette
from runtime.content.provenance import STATEMENT
from runtime.errors import Code, RpcError, nearest

SHEET, MONSTER = "characters.sheet", "characters.monster"
PNG = "png"
SUFFIXES: Mapping[str, Extra | None] = {".png": None, ".json": "json-hash", ".tres": "godot", ".gif": "gif"}
AT_A_TIME = 64  # monsters in a request


def parse_wishes(given: Sequence[str]) -> dict[str, str]:
    """Read wishes, each NAME=VALUE; the last one of a name counts.

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
    """Read the colours of a palette file as rrggbb. Raises ValueError, OSError."""
    return [bytes(colour).hex() for colour in read_palette(path.read_text(encoding="utf-8"), path.name)]


def parse_formats(text: str | None, out: Path, *, folder: bool) -> tuple[Path, tuple[Extra, ...]]:
    """Read which files to write.

    `text`: formats, separated by commas. `out`: the sheet's file, whose suffix may name one more format, or with
    `folder` the folder of the sheets.

    Returns:
        The path of the sheet (or the folder), and the formats to write beside it.

    Raises:
        ValueError: a format is unknown, or OUT's suffix names no format.
    """
    named = [name.strip() for name in (text or "").split(",") if name.strip()]
    for name in named:
        if name not in (PNG, *EXTRAS):
            raise ValueError(f"unknown format {name!r}{nearest(name, (PNG, *EXTRAS))}")
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
    force: bool = False,
    failed: Failed | None = None,
) -> Iterator[tuple[dict[str, Any] | None, list[Path]]]:
    """Write a sheet to `out`, or `count` sheets of consecutive seeds into the folder `out`.

    A sheet that is there already, of the same request and the same models, is kept.

    Args:
        runtime: what makes the sheets.
        out: the sheet's file, or with `count` a folder.
        params: the request, without the seed.
        seed: of the sheet, or of the first sheet.
        count: how many sheets.
        formats: what to write beside each sheet, separated by commas.
        indexed: write PNG files with a palette.
        force: make sheets again that are there, and replace other files.
        failed: with `count`, takes the seeds whose wishes can't be met, and why.

    Yields:
        The response, or None if the sheet was kept; and the files.

    Raises:
        ValueError: a format is unknown, or the count is below 1.
        FileExistsError: another file is there.
        OSError: a file can't be written.
        RpcError: the runtime refused the request.
    """
    seeds = _seeds(seed, count)
    path, extras = parse_formats(formats, out, folder=count is not None)
    if "front" in params and count is not None:
        raise ValueError("--count makes characters of several seeds; a drawn front has one sheet")
    files = {s: path if count is None else path / f"character-{s}.png" for s in seeds}
    if count is None:
        check_target(out)  # OUT may name the atlas
    for file in files.values():
        for one in sheet_paths(file, extras):
            check_target(one)
    existing = Existing(runtime, force=force)
    provenance: dict[str, Any] | None = None  # of the first sheet; that of the others differs in the seed
    options = {
        "form": "sheet",
        "width": SHEET_SHAPE[1],
        "height": SHEET_SHAPE[0],
        "formats": list(extras),
        "indexed": indexed,
    }
    with progress("characters", len(seeds)) as advance:
        for s, file in files.items():
            with locked(file):
                if provenance is not None and _is_kept(existing, sheet_paths(file, extras), provenance, s, options):
                    yield None, [file]
                elif (response := _sheet(runtime, params, s, None if count is None else failed)) is not None:
                    made = response["provenance"]
                    if provenance is None and "text" not in params:  # what a text means depends on the seed
                        provenance = made
                        for other, its in files.items():
                            existing.holds(its, functools.partial(_request, SHEET, provenance, other))
                    if _is_kept(existing, sheet_paths(file, extras), made, s, options):
                        yield None, [file]
                    else:
                        asset = options | {"attributes": response["attributes"], "provenance": made}
                        check = functools.partial(existing.spare, request=functools.partial(_request, SHEET, made, s))
                        about = response["image"], asset, response["credits"], extras
                        yield response, write_sheet(file, *about, indexed=indexed, check=check)
            advance(1)


def _sheet(runtime: Runtime, params: Mapping[str, Any], seed: int, failed: Failed | None) -> dict[str, Any] | None:
    try:
        given = {} if "front" in params else {"seed": seed}
        response: dict[str, Any] = runtime.call(SHEET, **params, **given)
        return response
    except RpcError as error:
        if error.code != Code.UNSATISFIED or failed is None:
            raise
        failed[seed] = error.message
        return None


def make_monsters(
    runtime: Runtime,
    out: Path,
    params: Mapping[str, Any],
    seed: int,
    count: int | None,
    *,
    indexed: bool = False,
    force: bool = False,
) -> Iterator[tuple[str | None, list[Path]]]:
    """Write a monster to `out`, or `count` monsters of consecutive seeds into the folder `out`.

    A monster that is there already is kept. A folder has one CREDITS.txt.

    Args:
        runtime: what makes the monsters.
        out: the monster's file, or with `count` a folder.
        params: the request, without the seed.
        seed: of the monster, or of the first monster.
        count: how many monsters.
        indexed: write PNG files with a palette.
        force: make monsters again that are there, and replace other files.

    Yields:
        The monster's category, or None if it was kept; and the files.

    Raises:
        ValueError: OUT does not end in .png, or the count is below 1.
        FileExistsError: another file is there.
        OSError: a file can't be written.
        RpcError: the runtime refused the request.
    """
    seeds = _seeds(seed, count)
    if count is None and out.suffix.lower() != ".png":
        raise ValueError(f"{out}: a monster's file ends in .png")
    files = {s: out if count is None else out / f"monster-{s}.png" for s in seeds}
    credits = out / "CREDITS.txt" if count is not None else out.with_name(f"{out.stem}.CREDITS.txt")
    existing = Existing(runtime, force=force)
    options = {"form": "monster", "width": 32, "height": 32, "indexed": indexed}
    asked = {"params": dict(params)}
    kept = {s: _is_kept(existing, [file, credits], asked, s, options, MONSTER) for s, file in files.items()}
    if credits.exists() and not force and not credits.read_bytes().startswith(STATEMENT.encode()):
        raise FileExistsError(f"{credits} is there, and was not written by pcg: {REMEDY}")
    with progress("monsters", len(seeds)) as advance:
        for first in range(0, len(seeds), AT_A_TIME):
            part = seeds[first : first + AT_A_TIME]
            wanted = [s for s in part if not kept[s]]
            response = runtime.call(MONSTER, seed=part[0], count=len(part), **params) if wanted else {}
            for s in part:
                if kept[s]:
                    yield None, [files[s], credits]
                else:
                    made, number = _for(response["provenance"], s), s - part[0]
                    made["params"]["count"] = None
                    category: str = response["categories"][number]
                    asset = options | {"category": category, "provenance": made}
                    with locked(files[s]):
                        replace_file(files[s], encode_png(response["images"][number], asset, indexed=indexed))
                        replace_shared(credits, credits_text(asset, response["credits"]).encode())
                    yield category, [files[s], credits]
                advance(1)


def read_monster(runtime: Runtime, path: Path) -> dict[str, Any]:
    """The parameters that ask for variations of the monster in a file.

    Raises:
        ValueError: the file holds no monster made here, or a variation, or one of another version of the model.
        OSError: the file can't be read.
    """
    made = read_asset(path)["provenance"]
    if made["method"] != MONSTER:
        raise ValueError(f"{path} holds no monster, but an asset of {made['method']!r:.40}")
    params = made["params"]
    if (base := params.get("vary")) is not None:
        raise ValueError(
            f"{path} is itself a variation, of the monster of seed {base}: vary that one, or --change less"
        )
    if (other := other_version(runtime, made)) is not None:
        raise ValueError(f"{path} was {other}; its seed means another monster here")
    kept = {name: params[name] for name in ("category", "truncation", "model") if params.get(name) is not None}
    return {"vary": params["seed"], **kept}


def _seeds(seed: int, count: int | None) -> range:
    if count is not None and count < 1:
        raise ValueError(f"--count {count}: at least 1")
    return range(seed, seed + (count or 1))


def _for(provenance: dict[str, Any], seed: int) -> dict[str, Any]:
    """The provenance of the same request with another seed."""
    return provenance | {"params": provenance["params"] | {"seed": seed}}


def _request(method: str, provenance: Mapping[str, Any], seed: int) -> Request:
    """The same request with another seed."""
    from runtime.content.characters.monsters import MonsterRequest
    from runtime.content.characters.sheet import SheetRequest

    params = provenance["params"]
    params = params if "front_sha256" in params else params | {"seed": seed}
    return request_of(method, SheetRequest if method == SHEET else MonsterRequest, params)


def _is_kept(
    existing: Existing,
    paths: Sequence[Path],
    provenance: Mapping[str, Any],
    seed: int,
    options: Mapping[str, Any],
    method: str = SHEET,
) -> bool:
    """Whether the picture paths[0] and the files beside it are there already.

    The picture must be of the same request with this seed, and be written with the same options.

    Raises:
        FileExistsError: it is another picture.
    """
    path, *others = paths
    if not existing.holds(path, functools.partial(_request, method, provenance, seed)):
        return False
    found = read_asset(path)
    return all(found.get(name) == value for name, value in options.items()) and all(o.exists() for o in others)


def remarks(response: Mapping[str, Any]) -> list[str]:
    """Lines about the words of a text that were not understood, and about wishes that were left out."""
    said = response.get("text", {"unknown": [], "notes": []})
    return [*(f"not understood: {word}" for word in said["unknown"]), *(f"left out: {note}" for note in said["notes"])]


def summary(response: Mapping[str, Any]) -> str:
    """A line about a character that was made."""
    worn = {name: value for name, value in response["attributes"].items() if value != "none"}
    said = ", ".join(f"{name} {value}" for name, value in worn.items()) or "from a drawing"
    return f"{response['colors']} colours: {said}"
