"""What a specification asks for, asset by asset; checked as a whole before anything is made."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from pcg.batch.families.family import Cost, Family
from pcg.batch.families.table import FAMILIES
from pcg.batch.filters import Condition
from pcg.batch.naming import name_of
from pcg.batch.spec import LARGEST_SEED, MOST, Entry, Spec, SpecError, flat, name_fields, read_spec
from runtime.errors import Code, RpcError
from runtime.registry import Registry

AHEAD = 1000  # seeds after the count whose names are checked too, since a filter may need them
MOST_FAULTS = 20

Place = tuple[int, int, int]  # of an order: its entry, its cell, and its number in the cell


@dataclass(frozen=True)
class Order:
    """One request, and what to do with its asset. It can be sent to another process.

    `id`: the asset's name. `params`: the request with its seed. `key`: what the files depend on, hashed.
    """

    place: Place
    id: str
    kind: str
    entry: str
    params: Mapping[str, Any]
    options: Any
    keep: tuple[Condition, ...]
    key: str

    @property
    def family(self) -> Family:
        """The kind of asset."""
        return FAMILIES[self.kind]

    @property
    def seed(self) -> int:
        """The asset's seed."""
        return int(self.params["seed"])


@dataclass(frozen=True)
class Cell:
    """One combination of an entry's grid. `values`: those of the grid, by dotted name."""

    spec: Spec
    place: tuple[int, int]
    values: Mapping[str, Any]
    models: Mapping[str, str]  # SHA-256 by the model's name

    @property
    def entry(self) -> Entry:
        """The entry it belongs to."""
        return self.spec.entries[self.place[0]]

    def seed(self, number: int) -> int | None:
        """The seed of an order; None after the last one."""
        entry = self.entry
        if entry.seeds is not None:
            return int(entry.seeds.at(number)) if number < entry.seeds.count else None
        return entry.first + number if entry.first + number <= LARGEST_SEED else None

    def params(self, seed: int) -> dict[str, Any]:
        """The parameters of a seed's request, by dotted name, without the seed."""
        drawn = {
            name: values.drawn(self.spec.seed, self.entry.label, name, seed)
            for name, values in self.entry.sample.items()
        }
        return {**flat(self.entry.params), **self.values, **drawn}

    def name(self, seed: int) -> str:
        """The name of a seed's asset. Raises ValueError."""
        return name_of(self.entry.template, name_fields(self.entry.family, self.entry.label, seed, self.params(seed)))

    def order(self, number: int) -> Order | None:
        """Order `number`; None after the last one."""
        if (seed := self.seed(number)) is None:
            return None
        entry, name = self.entry, self.name(seed)
        params = nested(self.params(seed), entry.params) | {"seed": seed}
        options = msgspec.to_builtins(entry.options)
        said = [name, entry.family.kind, params, options, sorted(self.models.items())]
        key = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
        return Order(
            (*self.place, number), name, entry.family.kind, entry.label, params, entry.options, entry.keep, key
        )


@dataclass(frozen=True)
class Plan:
    """All cells of a specification, in its order."""

    spec: Spec
    cells: tuple[Cell, ...]
    models: Mapping[str, str]

    @property
    def count(self) -> int:
        """How many assets are wanted."""
        return sum(cell.entry.count for cell in self.cells)

    def orders(self) -> Iterator[Order]:
        """The first orders of each cell: as many as assets are wanted."""
        for cell in self.cells:
            for number in range(cell.entry.count):
                if (order := cell.order(number)) is not None:
                    yield order

    @functools.cached_property
    def cost(self) -> Cost:
        """About what all of it takes. Filters are not counted: nobody knows yet how much they reject."""
        size = seconds = 0.0
        for cell in self.cells:
            entry = cell.entry
            one = entry.family.cost(nested(cell.params(cell.seed(0) or 0), entry.params), entry.options)
            size, seconds = size + one.size * entry.count, seconds + one.seconds * entry.count
        return Cost(size, seconds)


def nested(params: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters by dotted name as nested tables. `given`: parameters that may be tables with nothing in them.

    >>> nested({"counts.boxes": 3, "game": "sokoban"}, {})
    {'counts': {'boxes': 3}, 'game': 'sokoban'}
    """
    made: dict[str, Any] = {}
    for name, value in params.items():
        *above, last = name.split(".")
        table = made
        for part in above:
            table = table.setdefault(part, {})
        table[last] = value
    return made | {name: value for name, value in given.items() if value == {}}


def read_plan(path: Path, registry: Registry) -> Plan:
    """The plan of a specification, every request checked.

    Raises:
        SpecError: with all faults; OSError: the file can't be read.
    """
    spec, faults = read_spec(path, registry)
    wanted = sum(entry.count * entry.cells for entry in spec.entries)
    if wanted > MOST:
        raise SpecError(spec.file, [(0, f"it asks for {wanted} assets; {MOST} at most, so split it")])
    cells: list[Cell] = []
    models: dict[str, str] = {}
    for number, entry in enumerate(spec.entries):
        axes = [[(name, values.at(k)) for k in range(values.count)] for name, values in entry.grid.items()]
        for index, values in enumerate(itertools.product(*axes)):
            cell = Cell(spec, (number, index), dict(values), {})
            its, faulty = _check_cell(cell, registry, faults)
            cells.append(Cell(spec, cell.place, cell.values, its))
            models |= its
            if faulty and not entry.sample and index > MOST_FAULTS:
                break
    faults = list(dict.fromkeys(faults))
    if not faults:
        faults = _names_twice(spec, cells)
    if faults:
        raise SpecError(spec.file, faults)
    return Plan(spec, tuple(cells), models)


def _check_cell(cell: Cell, registry: Registry, faults: list[tuple[int, str]]) -> tuple[dict[str, str], bool]:
    """Check the requests of a cell. Returns the SHA-256 of its models, and whether there were faults."""
    entry = cell.entry
    models: dict[str, str] = {}
    before = len(faults)
    for number in range(entry.count if entry.sample else 1):
        seed = cell.seed(number)
        if seed is None:
            break
        params = nested(cell.params(seed), entry.params) | {"seed": seed}
        try:
            cell.name(seed)
            for name in entry.family.check(params, entry.options, registry):
                model = registry.find(name)
                models[model.card.name] = model.sha256
        except RpcError as error:
            faults.append(_fault(cell, error))
        except ValueError as error:
            faults.append((cell.spec.line(entry, str(error), "name"), str(error)))
        if len(faults) > before:
            break  # the others would say the same
    return models, len(faults) > before


def _fault(cell: Cell, error: RpcError) -> tuple[int, str]:
    parameter = str(error.details.get("parameter", ""))
    message = error.message
    if error.code in (Code.MODEL_NOT_FOUND, Code.MODEL_REFUSED):
        parameter = parameter or "model"
    return cell.spec.line(cell.entry, message, parameter), message


def _names_twice(spec: Spec, cells: list[Cell]) -> list[tuple[int, str]]:
    """Faults of assets that would have one name. Systems that ignore case are minded."""
    faults: list[tuple[int, str]] = []
    owners: dict[str, Cell] = {}
    for cell in cells:
        entry = cell.entry
        ahead = AHEAD if entry.keep and entry.seeds is None else 0
        for number in range(entry.count + ahead):
            if (seed := cell.seed(number)) is None:
                break
            name = cell.name(seed)
            other = owners.setdefault(name.lower(), cell)
            if other is cell and not _again(cell, number, name):
                continue
            line = spec.line_of_name(entry)
            if other is cell:
                why = f"several assets would be called {name!r}: put {{seed}} into the name"
            elif other.entry is entry:
                missing = [field for field in entry.grid if cell.values[field] != other.values[field]]
                why = f"several assets would be called {name!r}: put {{{missing[0]}}} into the name"
            else:
                there = spec.line(other.entry, "")
                remedy = "give another name, such as {entry}_{seed}"
                why = f"{name!r} would be an asset of the entry at line {there}, too: {remedy}"
            faults.append((line, why))
            break
    return faults


def _again(cell: Cell, number: int, name: str) -> bool:
    """Whether an earlier seed of the same cell gives the name as well: then every name without a seed does."""
    if number == 0:
        return False
    first = cell.seed(0)
    return first is not None and cell.name(first).lower() == name.lower()
