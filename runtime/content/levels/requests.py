"""The request of levels.generate, checked against its model and its game."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from runtime.content.checks import invalid, one_of, within
from runtime.content.levels.rules import FREE, Game
from runtime.registry import ModelFile

FAMILY = "levels"
NEAR = 0.15  # the difference from a requested difficulty that is accepted
MOST_CANDIDATES = 4096
MOST_BUDGET = 10  # times the game's own
BUDGET_SHARE = 4  # a candidate's budget is the game's divided by this: another candidate is cheap
Range = tuple[int, int]


class GenerateRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of levels.generate (docs/levels.md, Generating).

    `difficulty` and each of `counts`: one number, or the least and the most. `prefix`, `fixed`, `vary`: rows, "_" where
    the model chooses. `change`: the share of the level in `vary` that is generated again.
    """

    seed: int
    game: str = "sokoban"
    width: int | None = None
    height: int | None = None
    difficulty: float | tuple[float, float] | None = None
    counts: dict[str, int | Range] = {}
    prefix: list[str] = []
    fixed: list[str] = []
    vary: list[str] = []
    change: float = 0.3
    require_solution: bool = True
    temperature: float | None = None
    candidates: int = 64
    budget: int | None = None
    model: str | None = None


@dataclass(frozen=True)
class Wishes:
    """A checked request.

    `tiles`: the model's, by number; `counted`: the tiles of each of the model's counts, in the model's order. `fixed`:
    int64 (height, width), tile numbers, -1 where free; `base`: the level to vary, in the same form. `ranges`: the
    requested counts, least and most. `difficulty`: the least, the most and what the model is told, in hundredths.
    `temperature` in hundredths. `budget`: nodes for each of `candidates`.
    """

    game: Game
    tiles: str
    counted: Mapping[str, str]
    by_columns: bool
    seed: int
    fixed: NDArray[np.int64]
    base: NDArray[np.int64] | None
    change: float
    ranges: Mapping[str, Range]
    difficulty: tuple[int, int, int] | None
    solved: bool
    temperature: int
    candidates: int
    budget: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.fixed.shape[0], self.fixed.shape[1]

    def allows_more(self, name: str, count: int) -> bool:
        """Whether a level may have more than `count` of what is counted under a name."""
        return name not in self.ranges or count < self.ranges[name][1]

    def rows(self, numbers: NDArray[np.integer]) -> list[str]:
        """Tile numbers (height, width) as rows; FREE where there is none."""
        return ["".join(self.tiles[n] if n >= 0 else FREE for n in row) for row in numbers.tolist()]


def read_wishes(request: GenerateRequest, game: Game, model: ModelFile) -> Wishes:
    """Check a request against the model's card.

    Raises:
        RpcError: OUT_OF_RANGE or INVALID_PARAMS, with the parameter and what it accepts.
    """
    card = model.card
    about = card.outputs.get("rows", {})
    tiles, counted = str(about.get("tiles", "")), dict(about.get("counts", {}))
    if card.family != FAMILY:
        raise invalid("model", f"{card.name!r} makes {card.family}, not {FAMILY}")
    if not tiles or not set(tiles) <= game.tiles.keys():
        raise invalid("model", f"{card.name!r} writes {tiles!r}, which are not the tiles of {game.name}")
    by_columns = str(about.get("order", "")).startswith("columns")
    height, width = _size(request, model, by_columns)
    fixed = np.full((height, width), -1)
    for name, rows in (("fixed", request.fixed), ("prefix", request.prefix)):
        if rows:
            _lay(fixed, read_tiles(name, rows, tiles, game), name)
    base = read_tiles("vary", request.vary, tiles, game) if request.vary else None
    if base is not None and (base < 0).any():
        raise invalid("vary", f"it has {FREE!r}; give a whole level, and in `change` how much of it to write anew")
    most = MOST_BUDGET * game.budget
    return Wishes(
        game=game,
        tiles=tiles,
        counted=counted,
        by_columns=by_columns,
        seed=within("seed", request.seed, *_limits(model, "seed")),
        fixed=fixed,
        base=base,
        change=within("change", request.change, 0.01, 1.0),
        ranges=_ranges(request, counted),
        difficulty=_difficulty(request.difficulty),
        solved=request.require_solution,
        temperature=_temperature(request, model),
        candidates=within("candidates", request.candidates, 1, MOST_CANDIDATES),
        budget=within("budget", game.budget // BUDGET_SHARE if request.budget is None else request.budget, 1, most),
    )


def read_tiles(name: str, rows: Sequence[str], tiles: str, game: Game) -> NDArray[np.int64]:
    """Rows as tile numbers (height, width), -1 where FREE.

    Raises:
        RpcError: INVALID_PARAMS, with the wrong row and column.
    """
    if not rows[0]:
        raise invalid(name, "its first row is empty")
    numbers = {char: number for number, char in enumerate(tiles)} | {FREE: -1}
    for y, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise invalid(name, f"row {y} has {len(row)} tiles, row 0 has {len(rows[0])}; all rows are as long")
        if unknown := set(row) - numbers.keys():
            x = next(x for x, char in enumerate(row) if char in unknown)
            what = "one that this model does not write" if row[x] in game.tiles else f"no tile of {game.name}"
            raise invalid(
                name, f"row {y}, column {x}: {row[x]!r} is {what}; there are: {tiles!r}, and {FREE!r} for free"
            )
    return np.array([[numbers[char] for char in row] for row in rows], np.int64)


def _limits(model: ModelFile, name: str) -> tuple[float, float]:
    stated = model.card.parameters[name]
    return (
        stated.minimum if stated.minimum is not None else -np.inf,
        stated.maximum if stated.maximum is not None else np.inf,
    )


def _size(request: GenerateRequest, model: ModelFile, by_columns: bool) -> tuple[int, int]:
    """Height and width: as requested, else those of the given rows, else the model's default."""
    sizes = {"height": request.height, "width": request.width}
    if request.prefix:  # it has as many rows, or columns, as the level
        along, across = ("width", "height") if by_columns else ("height", "width")
        prefix = {"height": len(request.prefix), "width": len(request.prefix[0])}
        if sizes[across] is None:
            sizes[across] = prefix[across]
        unit = "rows" if by_columns else "columns"
        least, most = _limits(model, across)
        if prefix[across] != sizes[across] or not least <= prefix[across] <= most:
            would = f"{least:g}" if least == most else f"{least:g} to {most:g}"
            raise invalid(
                "prefix",
                f"it has {prefix[across]} {unit}; the level has {sizes[across]}, and this model writes {would}",
            )
        if sizes[along] is not None and prefix[along] > sizes[along]:  # type: ignore[operator]
            raise invalid("prefix", f"it is {prefix[along]} long, the level only {sizes[along]}")
    for name, rows in (("fixed", request.fixed), ("vary", request.vary)):
        if rows:
            for side, given in (("height", len(rows)), ("width", len(rows[0]))):
                if sizes[side] is None:
                    sizes[side] = given
                elif sizes[side] != given:
                    raise invalid(name, f"its {side} is {given}; that of the level is {sizes[side]}")
    found = {}
    for side, size in sizes.items():
        stated = model.card.parameters[side]
        least, most = _limits(model, side)
        default = min(max(stated.default, least), most)  # some model files state one that is out of their own range
        if size is None and request.prefix:  # what goes on is longer than what there is
            default = max(default, len(request.prefix) if side == "height" else len(request.prefix[0]))
        found[side] = within(side, default if size is None else size, least, most)
    return found["height"], found["width"]


def _lay(fixed: NDArray[np.int64], part: NDArray[np.int64], name: str) -> None:
    """Add tiles to the fixed ones, from the top left corner."""
    place = fixed[: part.shape[0], : part.shape[1]]
    both = (place >= 0) & (part >= 0) & (place != part)
    if both.any():
        y, x = np.argwhere(both)[0].tolist()
        raise invalid(name, f"row {y}, column {x} is fixed as another tile as well")
    np.copyto(place, part, where=part >= 0)


def _ranges(request: GenerateRequest, counted: Mapping[str, str]) -> dict[str, Range]:
    ranges = {}
    for name, asked in request.counts.items():
        one_of("counts", name, counted, "counts: unknown count")
        least, most = (asked, asked) if isinstance(asked, int) else asked
        if not 0 <= least <= most:
            raise invalid("counts", f"{name} {least} to {most}: give the least, 0 or more, and then the most")
        ranges[name] = least, most
    return ranges


def _difficulty(asked: float | tuple[float, float] | None) -> tuple[int, int, int] | None:
    """The least, the most and their middle, in hundredths."""
    if asked is None:
        return None
    low, high = (asked, asked) if isinstance(asked, int | float) else asked
    for end in (low, high):
        within("difficulty", _finite("difficulty", end), 0, 1)
    if low > high:
        raise invalid("difficulty", f"{low:g} to {high:g}: give the least first")
    told = round(50 * (low + high))
    if isinstance(asked, int | float):
        low, high = max(0.0, low - NEAR), min(1.0, high + NEAR)
    return round(100 * low), round(100 * high), told


def _temperature(request: GenerateRequest, model: ModelFile) -> int:
    """In hundredths; the model's default if the request has none."""
    if request.temperature is None:
        return int(model.card.parameters["temperature"].default)
    least, most = (limit / 100 for limit in _limits(model, "temperature"))
    return round(100 * within("temperature", _finite("temperature", request.temperature), least, most))


def _finite(name: str, value: float) -> float:
    if not np.isfinite(value):
        raise invalid(name, f"{value} is no number")
    return value
