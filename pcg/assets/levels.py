"""Levels from requests to files: what `pcg level` does."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

from pcg.assets.existing import Existing, Failed, Request, request_of
from pcg.assets.region import Runtime
from pcg.progress import progress, reporting
from pcg.writers.files import check_target, locked
from pcg.writers.levels.level import Find, Level
from pcg.writers.levels.tilemap import ENCODERS, WITH_TILESET, check_suffix, read_level, write_level
from pcg.writers.levels.tileset import SUFFIX as TILESET_SUFFIX
from pcg.writers.levels.tileset import check_tileset
from pcg.writers.provenance import read_asset, sidecar_path
from runtime.content.levels.games import GAMES, custom_game, find_game
from runtime.content.levels.requests import GenerateRequest
from runtime.content.levels.rules import Game
from runtime.errors import Code, RpcError, nearest

METHOD = "levels.generate"
DEFAULT_FORM = "tmx"  # of a folder of levels
TOLD_BESIDE = (".txt", ".csv")  # formats whose sidecar holds what the file can't


def parse_range(option: str, text: str) -> float | list[float]:
    """Read LEAST:MOST, or one number.

    >>> parse_range("--difficulty", "0.2:0.5")
    [0.2, 0.5]
    """
    ends = text.split(":")
    try:
        numbers = [int(end) if end.strip().isdecimal() else float(end) for end in ends]
    except ValueError as error:
        raise ValueError(f"{option} {text!r}: write a number, or LEAST:MOST") from error
    if len(numbers) > 2:
        raise ValueError(f"{option} {text!r}: write a number, or LEAST:MOST")
    return numbers[0] if len(numbers) == 1 else numbers


def parse_counts(text: str) -> dict[str, float | list[float]]:
    """Read NAME=COUNT or NAME=LEAST:MOST, separated by commas.

    >>> parse_counts("boxes=4,enemies=2:6")
    {'boxes': 4, 'enemies': [2, 6]}
    """
    counts = {}
    for part in filter(None, text.split(",")):
        name, equals, number = part.partition("=")
        if not equals:
            raise ValueError(f"--counts {part!r}: write NAME=COUNT or NAME=LEAST:MOST")
        counts[name.strip()] = parse_range("--counts", number)
    return counts


def finder(runtime: Runtime) -> Find:
    """A function that finds games by name; custom games by the legends of the runtime's models."""

    def find(name: str) -> Game:
        if name not in GAMES:
            try:
                card = runtime.call("models.describe", name=f"level-{name}")["card"]
            except RpcError:
                return find_game(name)  # its error lists the games
            if legend := card["outputs"].get("rows", {}).get("legend"):
                return custom_game(legend)
        return find_game(name)

    return find


def read_rows(runtime: Runtime, path: Path | None, game: str | None) -> tuple[list[str], str | None]:
    """The rows of a level file, with "_" for free tiles, and its game if it is known. Raises ValueError, OSError."""
    if path is None:
        return [], game
    level = read_level(path, game, finder(runtime))
    return list(level.rows), level.game


def resolve_suffixes(out: Path, form: str | None, *, folder: bool) -> tuple[str, ...]:
    """The suffixes of the formats to write, each once.

    `form`: formats, separated by commas; None takes the one that OUT's suffix names, or of a `folder` the default.

    Raises:
        ValueError: a format is unknown, or OUT's suffix names another one.
    """
    named = list(dict.fromkeys(name.strip() for name in (form or "").split(",") if name.strip()))
    for name in named:
        if f".{name}" not in ENCODERS:
            names = [suffix[1:] for suffix in ENCODERS]
            raise ValueError(f"unknown format {name!r}{nearest(name, names)}")
    if folder:
        return tuple(f".{name}" for name in named or [DEFAULT_FORM])
    if not named:
        return (check_suffix(out),)
    if out.suffix.lower() in ENCODERS and out.suffix.lower()[1:] not in named:
        raise ValueError(f"{out} ends in {out.suffix}, but --format says {','.join(named)}")
    return tuple(f".{name}" for name in named)


def level_paths(out: Path, suffixes: Sequence[str]) -> list[Path]:
    """The file of each format: OUT itself, or OUT with its level suffix replaced, or with a suffix added."""
    stem = out.with_suffix("") if out.suffix.lower() in ENCODERS else out
    return [out if out.suffix.lower() == suffix else stem.with_name(stem.name + suffix) for suffix in suffixes]


def make_levels(
    runtime: Runtime,
    out: Path,
    params: Mapping[str, Any],
    seed: int,
    count: int | None,
    form: str | None,
    *,
    force: bool = False,
    failed: Failed | None = None,
) -> Iterator[tuple[dict[str, Any] | None, list[Path]]]:
    """Write a level to `out`, or `count` levels of consecutive seeds into the folder `out`.

    A level that is there already in all formats asked for is kept.

    Args:
        runtime: what makes the levels.
        out: the level's file, or with `count` a folder.
        params: the request, without the seed.
        seed: of the level, or of the first level.
        count: how many levels.
        form: the file formats, separated by commas.
        force: make levels again that are there, and replace other files.
        failed: with `count`, takes the seeds whose wishes can't be met, and why.

    Yields:
        The response, or None if the level was kept; and the files.

    Raises:
        ValueError: a format is unknown, or the count is below 1.
        FileExistsError: another file is there.
        OSError: a file can't be written.
        RpcError: the runtime refused the request.
    """
    if count is not None and count < 1:
        raise ValueError(f"--count {count}: at least 1")
    suffixes = resolve_suffixes(out, form, folder=count is not None)
    if count is None:
        check_target(out)  # even if a suffix is added to its name
    find = functools.cache(finder(runtime))
    existing = Existing(runtime, force=force)
    game = _request(params, seed).params["game"]
    paths = {
        s: level_paths(out if count is None else out / f"{game}-{s}{suffixes[0]}", suffixes)
        for s in range(seed, seed + (count or 1))
    }
    tilesets = {path.with_name(game + TILESET_SUFFIX) for path in paths[seed] if path.suffix in WITH_TILESET}
    if not force:
        for tileset in tilesets:
            check_tileset(tileset)

    def is_made(s: int) -> bool:
        """Whether all files of a seed's level are there. Raises FileExistsError if one holds something else."""
        request = functools.partial(_request, params, s)
        read = functools.partial(provenance_of, find=find)
        found = [existing.holds(path, request, read) for path in paths[s]]
        found += [existing.holds(sidecar_path(path), request) for path in paths[s] if path.suffix in TOLD_BESIDE]
        return all(found) and all(tileset.exists() for tileset in tilesets)

    for s in paths:
        is_made(s)
    with nullcontext(lambda _: None) if count is None else progress("levels", len(paths)) as advance:
        for s, files in paths.items():
            with locked(files[0]):
                if is_made(s):
                    yield None, files
                elif (response := _made(runtime, params, s, None if count is None else failed)) is not None:
                    rules = find(response["game"])
                    custom = None if rules.legend is None else rules
                    rows, made = tuple(response["rows"]), response["provenance"]
                    level = Level(rules.name, rows, response["solution"], made, custom)
                    written = [path for file in files for path in write_level(file, level, force=force)]
                    yield response, list(dict.fromkeys(written))
            advance(1)


def _made(runtime: Runtime, params: Mapping[str, Any], seed: int, failed: Failed | None) -> dict[str, Any] | None:
    """The response for one seed, or None if its wishes can't be met and `failed` takes the reason.

    Without `failed` the error is raised, and a progress bar counts the candidates.
    """
    response: dict[str, Any]
    try:
        if failed is not None:
            response = runtime.call(METHOD, seed=seed, **params)
        else:
            with reporting("candidates") as report:
                response = runtime.call_reporting(METHOD, report, seed=seed, **params)
        return response
    except RpcError as error:
        if error.code != Code.UNSATISFIED or failed is None:
            raise
        failed[seed] = error.message
        return None


def _request(params: Mapping[str, Any], seed: int) -> Request:
    """The request in the provenance of a level."""
    return request_of(METHOD, GenerateRequest, {"seed": seed, **params})


def provenance_of(path: Path, find: Find) -> Mapping[str, Any] | None:
    """The provenance of the level in a file; None if it holds no level, or one that was not generated."""
    try:
        if path.suffix.lower() in TOLD_BESIDE:
            return cast(Mapping[str, Any] | None, read_asset(path).get("provenance"))
        return read_level(path, find=find).provenance
    except (OSError, ValueError):
        return None


def summary(response: Mapping[str, Any]) -> str:
    """A line about a level that was made."""
    moves = f"completed in {len(response['solution'])} moves" if response["proved"] else "no solver has looked at it"
    hard = "" if response["difficulty"] is None else f", difficulty {response['difficulty']:.2f}"
    repaired = f", {response['repaired']} tiles repaired" if response["repaired"] else ""
    return f"{response['game']} {response['seed']}: {moves}{hard}, candidate {response['candidate']}{repaired}"
