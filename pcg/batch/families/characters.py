"""Characters and monsters in a batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from pcg.assets.characters import MONSTER, SHEET
from pcg.assets.region import Runtime
from pcg.batch.families import pictures
from pcg.batch.families.family import Cost, Family, Made, Params, Written, about
from pcg.writers.files import replace_file
from pcg.writers.sprites.sheet import EXTRAS, Extra, credits_text, encode_png, sheet_paths, write_sheet
from runtime.content.characters import monsters, sheet
from runtime.content.characters.atlas import FRAME_PX, FRAMES, SHEET_SHAPE
from runtime.content.characters.sheet import FRONT_FRAME, FRONT_MODEL
from runtime.content.characters.wishes import choices
from runtime.content.checks import one_of
from runtime.parameters import parse
from runtime.registry import Registry

ROLES = {"json-hash": "atlas", "json-array": "atlas", "godot": "atlas", "gif": "animation", "apng": "animation"}


class SheetOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`formats`: what is written beside the sheet. `indexed`: PNG files with a palette."""

    formats: list[str] = []
    indexed: bool = False


class MonsterOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`indexed`: a PNG with a palette."""

    indexed: bool = False


def _check_sheet(params: Params, options: SheetOptions, registry: Registry) -> list[str]:
    for name in options.formats:
        one_of("formats", name, EXTRAS, "unknown format")
    with about("formats"):
        sheet_paths(Path("any.png"), _extras(options))
    order = sheet.check(parse(dict(params), sheet.SheetRequest), registry)
    return [order.request.model, order.request.walk]


def _extras(options: SheetOptions) -> tuple[Extra, ...]:
    return tuple(extra for extra in EXTRAS if extra in options.formats)


def _make_sheet(runtime: Runtime, params: Params, options: SheetOptions) -> Made:
    del options
    response = runtime.call(SHEET, **params)
    row, column = divmod(FRONT_FRAME, FRAMES)
    front = response["image"][row * FRAME_PX :, column * FRAME_PX :][:FRAME_PX, :FRAME_PX]
    measures, tags = pictures.measure(front)
    measures["colours"] = float(response["colors"])
    worn = {name: value for name, value in response["attributes"].items() if value != "none"}
    measures["items"] = float(len(worn))
    return Made(response, response["provenance"], measures, tags | response["attributes"])


def _write_sheet(made: Made, path: Path, options: SheetOptions) -> list[Written]:
    response, extras = made.response, _extras(options)
    asset = {
        "form": "sheet",
        "width": SHEET_SHAPE[1],
        "height": SHEET_SHAPE[0],
        "formats": list(extras),
        "indexed": options.indexed,
        "attributes": response["attributes"],
        "provenance": response["provenance"],
    }
    file = path.with_name(path.name + ".png")
    files = write_sheet(file, response["image"], asset, response["credits"], extras, indexed=options.indexed)
    roles = {file: "main", sheet_paths(file)[1]: "credits"}
    for extra in extras:
        role = ROLES.get(extra, "frame")
        roles |= dict.fromkeys(sheet_paths(file, (extra,))[2:], role)
    return [Written(one, roles[one]) for one in files]


def _check_monster(params: Params, options: MonsterOptions, registry: Registry) -> list[str]:
    del options
    request = parse(dict(params), monsters.MonsterRequest)
    monsters.check(request, registry)
    return [request.model]


def _make_monster(runtime: Runtime, params: Params, options: MonsterOptions) -> Made:
    del options
    response = runtime.call(MONSTER, **params)
    measures, tags = pictures.measure(response["image"])
    return Made(response, response["provenance"], measures, tags | {"category": response["category"]})


def _write_monster(made: Made, path: Path, options: MonsterOptions) -> list[Written]:
    response = made.response
    form = {"form": "monster", "width": 32, "height": 32, "indexed": options.indexed}
    asset: dict[str, Any] = form | {"category": response["category"], "provenance": response["provenance"]}
    file, credits = path.with_name(path.name + ".png"), path.with_name(path.name + ".CREDITS.txt")
    replace_file(file, encode_png(response["image"], asset, indexed=options.indexed))
    replace_file(credits, credits_text(asset, response["credits"]).encode())
    return [Written(file, "main"), Written(credits, "credits")]


CHARACTER = Family(
    kind="character",
    family="characters",
    request=sheet.SheetRequest,
    options=SheetOptions,
    measures={**pictures.MEASURES, "items": "how many attributes are not none"},
    tags=pictures.TAGS,
    more_tags=lambda registry: choices(registry.find(FRONT_MODEL).card).attributes,
    check=_check_sheet,
    make=_make_sheet,
    write=_write_sheet,
    cost=lambda _, options: Cost(25e3 + 12e3 * len(options.formats), 0.1),
    own=frozenset({"seed", "front"}),
)
MONSTER_FAMILY = Family(
    kind="monster",
    family="characters",
    request=monsters.MonsterRequest,
    options=MonsterOptions,
    measures=pictures.MEASURES,
    tags={**pictures.TAGS, "category": "its kind"},
    check=_check_monster,
    make=_make_monster,
    write=_write_monster,
    cost=lambda _params, _options: Cost(3e3, 0.005),
    own=frozenset({"seed", "count"}),
)
