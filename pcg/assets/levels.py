"""What `pcg level` does: a request from its options, levels to files, and a file's level made again."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

from pcg.assets.existing import Existing, Failed, Request, request_of
from pcg.assets.region import Runtime, other_version
from pcg.progress import progress, reporting
from pcg.writers.files import check_target, locked
from pcg.writers.levels.level import Find, Level
from pcg.writers.levels.tilemap import DECODERS, ENCODERS, WITH_TILESET, check_suffix, read_level, write_level
from pcg.writers.levels.tileset import SUFFIX as TILESET_SUFFIX
from pcg.writers.levels.tileset import check_tileset
from pcg.writers.provenance import read_asset, sidecar_path
from runtime.content.levels.games import GAMES, custom_game, find_game
from runtime.content.levels.rules import Game
from runtime.errors import Code, RpcError, nearest

METHOD = "levels.generate"
DEFAULT_FORM = "tmx"  # of a folder of levels
DEFAULT_GAME = "sokoban"  # the runtime's
TOLD_BESIDE = (".txt", ".csv")  # formats whose sidecar says the rest
CARRIES_OTHERS = (".png", ".json")  # suffixes that other assets have as well


def parse_range(option: str, text: str) -> float | list[float]:
    """LEAST:MOST, or one number.

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
    """NAME=COUNT or NAME=LEAST:MOST, separated by commas.

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
    """Finds games by name: users' own by what the runtime's models carry."""

    def find(name: str) -> Game:
        if name not in GAMES:
            try:
                card = runtime.call("models.describe", name=f"level-{name}")["card"]
            except RpcError:
                return find_game(name)  # which says what there is
            if legend := card["outputs"].get("rows", {}).get("legend"):
                return custom_game(legend)
        return find_game(name)

    return find


def read_rows(runtime: Runtime, path: Path | None, game: str | None) -> tuple[list[str], str | None]:
    """The rows of a level file, "_" where a tile is free, and its game if it is known. Raises ValueError, OSError."""
    if path is None:
        return [], game
    level = read_level(path, game, finder(runtime))
    return list(level.rows), level.game


def resolve_suffixes(out: Path, form: str | None, *, folder: bool) -> tuple[str, ...]:
    """The formats asked for, separated by commas, or the one that OUT's suffix names; as suffixes, each once.

    Raises:
        ValueError: there is no such format, or OUT names another.
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
    """The file of each format: OUT itself, or with its suffix replaced, or with one added where it has none of ours."""
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
    """Write a level to `out`, or `count` of consecutive seeds into the folder `out`; gives each answer and its files.

    A level that is there already in all formats asked for is kept, and its answer is None; with `force` it is made
    again, and what else is there is replaced. With `count`, seeds of which nothing came are put into `failed` if given.

    Raises:
        ValueError: no such format or count; FileExistsError: something else is there; OSError; RpcError: what the
            runtime refused.
    """
    if count is not None and count < 1:
        raise ValueError(f"--count {count}: at least 1")
    suffixes = resolve_suffixes(out, form, folder=count is not None)
    if count is None:
        check_target(out)  # also where its name gets a suffix
    find = functools.cache(finder(runtime))
    existing = Existing(runtime, force=force)
    game = params.get("game", DEFAULT_GAME)
    paths = {
        s: level_paths(out if count is None else out / f"{game}-{s}{suffixes[0]}", suffixes)
        for s in range(seed, seed + (count or 1))
    }
    tilesets = {path.with_name(game + TILESET_SUFFIX) for path in paths[seed] if path.suffix in WITH_TILESET}
    if not force:
        for tileset in tilesets:
            check_tileset(tileset)

    def is_made(s: int) -> bool:
        """Whether all files of a seed's level are there. Raises FileExistsError for other ones."""
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
                elif (answer := _made(runtime, params, s, None if count is None else failed)) is not None:
                    rules = find(answer["game"])
                    custom = None if rules.legend is None else rules
                    level = Level(rules.name, tuple(answer["rows"]), answer["solution"], answer["provenance"], custom)
                    written = [path for file in files for path in write_level(file, level, force=force)]
                    yield answer, list(dict.fromkeys(written))
            advance(1)


def _made(runtime: Runtime, params: Mapping[str, Any], seed: int, failed: Failed | None) -> dict[str, Any] | None:
    """One seed's level, or None: `failed` says why. Without `failed` there is one level only, whose candidates are what
    there is to wait for, and an error is raised.
    """
    answer: dict[str, Any]
    try:
        if failed is not None:
            answer = runtime.call(METHOD, seed=seed, **params)
        else:
            with reporting("candidates") as report:
                answer = runtime.call_reporting(METHOD, report, seed=seed, **params)
        return answer
    except RpcError as error:
        if error.code != Code.UNSATISFIED or failed is None:
            raise
        failed[seed] = error.message
        return None


def _request(params: Mapping[str, Any], seed: int) -> Request:
    """What the provenance of a level says."""
    from runtime.content.levels.requests import GenerateRequest

    return request_of(METHOD, GenerateRequest, {"seed": seed, **params})


def provenance_of(path: Path, find: Find) -> Mapping[str, Any] | None:
    """What made the level in a file, or None: it is no level, or was not generated."""
    try:
        if path.suffix.lower() in TOLD_BESIDE:
            return cast(Mapping[str, Any] | None, read_asset(path).get("provenance"))
        return read_level(path, find=find).provenance
    except (OSError, ValueError):
        return None


def summary(answer: Mapping[str, Any]) -> str:
    """What to tell of a level that was made, in a line."""
    moves = f"completed in {len(answer['solution'])} moves" if answer["proved"] else "no solver has looked at it"
    hard = "" if answer["difficulty"] is None else f", difficulty {answer['difficulty']:.2f}"
    repaired = f", {answer['repaired']} tiles repaired" if answer["repaired"] else ""
    return f"{answer['game']} {answer['seed']}: {moves}{hard}, candidate {answer['candidate']}{repaired}"


def holds_level(path: Path) -> bool:
    """Whether a file is a level, made here or not, and no asset of another kind."""
    suffix = path.suffix.lower()
    if suffix not in CARRIES_OTHERS:
        return suffix in DECODERS
    try:
        return str(read_asset(path)["provenance"]["method"]).startswith("levels.")
    except (OSError, ValueError, LookupError, TypeError):
        return False


def verify_level(runtime: Runtime, path: Path) -> str | None:
    """Make a level again and compare its tiles and its solution; None when it is what it says, else what is wrong.

    Raises:
        ConnectionError: the server is gone.
    """
    try:
        level = read_level(path, find=finder(runtime))
        said = read_asset(path) if path.suffix.lower() in TOLD_BESIDE else {}
        made = said.get("provenance", level.provenance)
        if made is None:
            return f"{path} carries no provenance: it was not generated, or not by this project"
        if made["method"] != METHOD:
            return f"its provenance names {made['method']!r:.40}, which makes no levels"
        if (other := other_version(runtime, made)) is not None:
            return other
        again = runtime.call(METHOD, **made["params"])
    except ConnectionError:
        raise
    except LookupError as error:
        return f"its provenance lacks {error}"
    except (OSError, ValueError, TypeError, AttributeError, RpcError) as error:
        return str(error)
    found, rows = list(level.rows), list(again["rows"])
    if path.suffix.lower() == ".txt":  # whose reader drops rows of nothing but spaces at both ends
        while not rows[0].strip():
            rows.pop(0)
        while not rows[-1].strip():
            rows.pop()
    if [len(row) for row in found] != [len(row) for row in rows]:
        return f"has {len(found)} rows, should have {len(rows)}, or they are of another length"
    differing = sum(a != b for old, new in zip(found, rows, strict=True) for a, b in zip(old, new, strict=True))
    if differing:
        return f"{differing} of {sum(map(len, rows))} tiles differ"
    return None if said.get("solution", level.solution) == again["solution"] else "its solution differs"
