"""The specification of a batch: a TOML file, read and checked as a whole, every fault with its line (docs/batch.md)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pcg.batch import statements
from pcg.batch.families.family import Family, is_known
from pcg.batch.families.table import FAMILIES
from pcg.batch.filters import Condition, read_condition
from pcg.batch.naming import check_template
from pcg.batch.values import Values, read_values
from runtime.errors import RpcError, nearest
from runtime.parameters import parse
from runtime.registry import Registry

LARGEST_SEED = (1 << 53) - 1
MOST = 1_000_000  # assets of a specification
TRIES = 50
TOP = ("seed", "name")
OF_ENTRY = ("label", "count", "seed", "seeds", "name", "tries", "grid", "sample", "keep")
ABOUT = ("kind", "family", "entry", "seed")  # what every name may hold


class SpecError(ValueError):
    """A specification is wrong. `faults`: line (0 for the file as a whole) and message of each fault, by line."""

    def __init__(self, file: str, faults: list[tuple[int, str]]) -> None:
        self.file, self.faults = file, sorted(faults)
        super().__init__(
            "\n".join(f"{file}:{line}: {said}" if line else f"{file}: {said}" for line, said in self.faults)
        )


@dataclass(frozen=True)
class Entry:
    """One entry: assets of one kind.

    `params`: what every request of it says; `grid`: parameters of which every combination is made; `sample`: parameters
    that are drawn for each seed. Names of nested parameters are joined by dots. `seeds`: the seeds to make, each once;
    or `first`, of consecutive seeds until `count` assets are kept, at most `tries` seeds in a row without one.
    """

    family: Family
    label: str
    place: statements.Path
    params: Mapping[str, Any]
    options: Any
    grid: Mapping[str, Values]
    sample: Mapping[str, Values]
    keep: tuple[Condition, ...]
    template: str
    first: int
    count: int
    seeds: Values | None
    tries: int

    @property
    def cells(self) -> int:
        """How many combinations the grid has."""
        cells = 1
        for values in self.grid.values():
            cells *= values.count
        return cells


@dataclass(frozen=True)
class Spec:
    """A specification that was read. `seed`: of all that is drawn. `lines`: where each key stands."""

    file: str
    text: str
    seed: int
    entries: tuple[Entry, ...]
    lines: Mapping[statements.Path, int]

    def line(self, entry: Entry, message: str, parameter: str = "") -> int:
        """The line that a fault of an entry is about: of the parameter, or of a nested one that the message names."""
        head = parameter.partition(".")[0]
        found = [self.lines[entry.place]] if entry.place in self.lines else [1]
        for path, line in self.lines.items():
            rest = path[len(entry.place) :]
            if path[: len(entry.place)] != entry.place or not rest:
                continue
            rest = rest[1:] if rest[0] in ("grid", "sample", "keep") and len(rest) > 1 else rest
            if head and rest[0] == head and (len(rest) == 1 or str(rest[-1]) in message):
                found.append(line)
        return found[-1]

    def line_of_name(self, entry: Entry) -> int:
        """The line of the template of an entry's names."""
        return self.lines.get((*entry.place, "name")) or self.lines.get(("name",)) or self.line(entry, "")


def read_spec(path: Path, registry: Registry) -> tuple[Spec, list[tuple[int, str]]]:
    """Read a specification and check everything but the requests, which `plan` checks.

    Returns:
        The specification without the entries that have faults, and the faults: line and message.

    Raises:
        SpecError: it is not TOML; OSError: the file can't be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document, lines = statements.read_toml(text)
    except UnicodeDecodeError as error:
        raise SpecError(str(path), [(0, f"it is not text in UTF-8: {error}")]) from error
    except tomllib.TOMLDecodeError as error:
        raise SpecError(str(path), [_of_syntax(str(error), text)]) from error
    reader = _Reader(str(path), document, lines, registry)
    return reader.read(text), reader.faults


def _of_syntax(message: str, text: str) -> tuple[int, str]:
    """The line and the rest of a message of tomllib: "Expected '=' (at line 3, column 5)"."""
    what, _, place = message.partition(" (at ")
    words = place.rstrip(")").replace(",", "").split()
    if words[:1] == ["line"]:
        return int(words[1]), f"{what}, at column {words[3]}"
    return text.count("\n") + 1, f"{what}, at the end of the file"


class _Reader:
    """Reads a document and collects its faults."""

    def __init__(
        self, file: str, document: Mapping[str, Any], lines: Mapping[statements.Path, int], registry: Registry
    ) -> None:
        self.file, self.document, self.lines, self.registry = file, document, lines, registry
        self.faults: list[tuple[int, str]] = []

    def fault(self, path: statements.Path, message: str) -> None:
        """Note a fault at the line of a path."""
        self.faults.append((statements.line_of(self.lines, path), message))

    def read(self, text: str) -> Spec:
        """The specification; what has faults is left out."""
        known = (*TOP, *FAMILIES)
        for name in self.document:
            if name not in known:
                self.fault((name,), f"unknown key {name!r}{nearest(name, known)}")
        seed = self.whole((), self.document, "seed", 0, 0, LARGEST_SEED)
        entries: list[Entry] = []
        for kind, family in FAMILIES.items():
            given = self.document.get(kind, [])
            if isinstance(given, dict):
                given, places = [given], [(kind,)]
            elif isinstance(given, list) and all(isinstance(one, dict) for one in given):
                places = [(kind, number) for number in range(len(given))]  # type: ignore[misc]
            else:
                self.fault((kind,), f"{kind} is not a table; write [[{kind}]] on a line, and its keys below it")
                continue
            read = [self.entry(family, table, place) for table, place in zip(given, places, strict=True)]
            entries += [entry for entry in read if entry is not None]
        if not entries and not self.faults:
            self.faults.append((0, f"it asks for nothing; add one of {', '.join(f'[[{kind}]]' for kind in FAMILIES)}"))
        entries.sort(key=lambda entry: statements.line_of(self.lines, entry.place))
        labels: dict[str, Entry] = {}
        for entry in entries:
            if entry.label in labels:
                first = statements.line_of(self.lines, labels[entry.label].place)
                self.fault(
                    (*entry.place, "label"), f"label {entry.label!r} is that of line {first} as well; give another"
                )
            labels[entry.label] = entry
        return Spec(self.file, text, seed, tuple(entries), self.lines)

    def entry(self, family: Family, table: Mapping[str, Any], place: statements.Path) -> Entry | None:
        """An entry, or None if it has faults."""
        before = len(self.faults)
        known = (*OF_ENTRY, *family.parameters, *family.option_names)
        for name in table:
            if name not in known:
                why = f"a {family.kind} has no {name!r}{nearest(name, known)}"
                if name in family.own:
                    why = f"{name!r} can't be given for a {family.kind} here"
                self.fault((*place, name), why)
        label = self.label(family, table, place)
        options = self.options(family, table, place)
        params = {name: table[name] for name in family.parameters if name in table}
        grid = self.axes(family, table, place, "grid")
        sample = self.axes(family, table, place, "sample")
        fixed = set(flat(params))
        for which, name in (*(("grid", name) for name in grid), *(("sample", name) for name in sample)):
            if name in fixed or any(
                f"{other}.".startswith(f"{name}.") or name.startswith(f"{other}.") for other in fixed
            ):
                self.fault(
                    (*place, which, *name.split(".")),
                    f"{name} is fixed, and in a grid or a sample as well; leave one out",
                )
            if name in grid and name in sample:
                self.fault(
                    (*place, "sample", *name.split(".")), f"{name} is in the grid and in the sample; leave one out"
                )
        first, count, seeds = self.seeds(table, place)
        tries = self.whole(place, table, "tries", TRIES, 1, MOST)
        keep = self.keep(family, table, place)
        template = self.template(family, table, place, params, grid, sample)
        if len(self.faults) > before:
            return None
        return Entry(family, label, place, params, options, grid, sample, keep, template, first, count, seeds, tries)

    def label(self, family: Family, table: Mapping[str, Any], place: statements.Path) -> str:
        """The entry's label: its own, or the kind and its number."""
        if "label" not in table:
            return family.kind if place == (family.kind,) or place[-1] == 0 else f"{family.kind}{int(place[-1]) + 1}"
        label = table["label"]
        if not isinstance(label, str) or not label.strip():
            self.fault((*place, "label"), f"label {label!r:.40} is not a text")
            return family.kind
        return label

    def options(self, family: Family, table: Mapping[str, Any], place: statements.Path) -> Any:
        """How the entry's assets are written."""
        try:
            return parse({name: table[name] for name in family.option_names if name in table}, family.options)
        except RpcError as error:
            self.fault((*place, *str(error.details.get("parameter", "")).split(".")), error.message)
            return None

    def seeds(self, table: Mapping[str, Any], place: statements.Path) -> tuple[int, int, Values | None]:
        """The first seed, the count, and the list of seeds if there is one."""
        if "seeds" not in table:
            count = self.whole(place, table, "count", 1, 1, MOST)
            first = self.whole(place, table, "seed", 0, 0, LARGEST_SEED - count + 1)
            return first, count, None
        for name in ("seed", "count"):
            if name in table:
                self.fault((*place, name), f"`seeds` says which seeds; leave out {name!r}, or write seed and count")
        path = (*place, "seeds")
        try:
            seeds = read_values(table["seeds"], grid=True)
        except ValueError as error:
            self.fault(path, f"seeds: {error}")
            return 0, 1, None
        ends = seeds.listed or (seeds.at(0), seeds.at(seeds.count - 1))
        for seed in ends:
            if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= LARGEST_SEED:
                self.fault(path, f"seeds: {seed!r:.40} is no seed; a whole number from 0 to {LARGEST_SEED} would do")
        return 0, seeds.count, seeds

    def axes(self, family: Family, table: Mapping[str, Any], place: statements.Path, which: str) -> dict[str, Values]:
        """The parameters of a grid or a sample, by dotted name."""
        given = table.get(which, {})
        path = (*place, which)
        if not isinstance(given, dict):
            self.fault(path, f"{which} is not a table; write {which}.NAME = [a, b], or {{ from = 1, to = 9 }}")
            return {}
        axes = {}
        for name, value in flat(given).items():
            where = (*path, *name.split("."))
            head = name.partition(".")[0]
            if head in family.option_names or head in OF_ENTRY:
                self.fault(where, f"{head} is the same for all assets of an entry; give it outside of `{which}`")
            elif head not in family.parameters:
                self.fault(where, f"a {family.kind} has no {head!r}{nearest(head, family.parameters)}")
            else:
                try:
                    axes[name] = read_values(value, grid=which == "grid")
                except ValueError as error:
                    self.fault(where, f"{name}: {error}")
        return axes

    def keep(self, family: Family, table: Mapping[str, Any], place: statements.Path) -> tuple[Condition, ...]:
        """The conditions on what is kept."""
        given = table.get("keep", {})
        if not isinstance(given, dict):
            self.fault((*place, "keep"), "keep is not a table; write keep.NAME = { from = 0.2, to = 0.8 }")
            return ()
        tags = {**family.tags, **dict.fromkeys(family.more_tags(self.registry), "")}
        found = []
        for name, value in flat(given).items():
            where = (*place, "keep", *name.split("."))
            measure = is_known(name, family.measures)
            if not measure and not is_known(name, tags):
                near = nearest(name, [*family.measures, *tags])
                self.fault(where, f"nothing of a {family.kind} is measured as {name!r}{near}")
                continue
            try:
                found.append(read_condition(name, value, measure=measure))
            except ValueError as error:
                self.fault(where, f"{name}: {error}")
        return tuple(found)

    def template(
        self,
        family: Family,
        table: Mapping[str, Any],
        place: statements.Path,
        params: Mapping[str, Any],
        grid: Mapping[str, Values],
        sample: Mapping[str, Values],
    ) -> str:
        """The template of names: the entry's, the file's, or one with the label, the seed and the grid's values."""
        default = "{entry}/{entry}_{seed:05d}" + "".join(f"_{{{name}}}" for name in grid)
        own = "name" in table
        given = table["name"] if own else self.document.get("name", default)
        path: statements.Path = (*place, "name") if own else ("name",)
        if not isinstance(given, str) or not given:
            self.fault(path, f'name {given!r:.40} is not a text; write for example name = "{{kind}}_{{seed:05d}}"')
            return default
        try:
            check_template(given, example_fields(family, params, grid, sample))
        except ValueError as error:
            self.fault(path, f"name {error}")
            return default
        return given

    def whole(
        self, place: statements.Path, table: Mapping[str, Any], name: str, default: int, least: int, most: int
    ) -> int:
        """A whole number of a table, or its default."""
        value = table.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            self.fault((*place, name), f"{name} {value!r:.40} is not a whole number")
            return default
        if not least <= value <= most:
            self.fault((*place, name), f"{name} {value} is out of range; {least} to {most} would do")
            return default
        return value


def example_fields(
    family: Family, params: Mapping[str, Any], grid: Mapping[str, Values], sample: Mapping[str, Values]
) -> Mapping[str, Any]:
    """What a name may hold, with values of an example."""
    drawn = {name: values.at(0) for axes in (grid, sample) for name, values in axes.items()}
    return name_fields(family, "entry", 0, {**flat(params), **drawn})


def name_fields(family: Family, label: str, seed: int, params: Mapping[str, Any]) -> dict[str, Any]:
    """What a name may hold. `params`: by dotted name; the last part stands for the whole where it is the only one."""
    short: dict[str, Any] = {}
    for name in params:
        last = name.rpartition(".")[2]
        if sum(other.rpartition(".")[2] == last for other in params) == 1:
            short[last] = params[name]
    return {**short, **params, "kind": family.kind, "family": family.family, "entry": label, "seed": seed}


def flat(table: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested tables as one, names joined by dots. A range {from, to, step} is a value.

    >>> flat({"a": {"b": [1], "c": {"from": 1, "to": 2}}})
    {'a.b': [1], 'a.c': {'from': 1, 'to': 2}}
    """
    found: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict) and value and not value.keys() & {"from", "to", "step"}:
            found |= flat(value, f"{above}{name}.")
        else:
            found[above + name] = value
    return found
