"""The manifest of a folder of assets, and the journal from which it is written (docs/batch.md).

While a batch runs, each record is appended to a journal as soon as its files are in place; at the end the records are
written in the order of the specification. So a batch that was killed at any moment knows what it has made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pcg.writers.files import finish_part, part_path, told

MANIFEST, REJECTED, SPEC, PARQUET = "manifest.jsonl", "rejected.jsonl", "manifest.spec.toml", "manifest.parquet"
STATE = ".pcg-batch"  # folder that is there while a batch is not finished
JOURNAL = "journal.jsonl"


def read_manifest(folder: Path) -> Iterator[dict[str, Any]]:
    """The records of a folder's manifest, one for each asset.

    Raises:
        FileNotFoundError: it has none; ValueError: a line is no record.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise FileNotFoundError(f"{folder} has no {MANIFEST}; `pcg batch` writes one")
    for number, line in enumerate(path.open(encoding="utf-8"), 1):
        record = _record(line)
        if record is None:
            raise ValueError(f"{path}, line {number}: no record of an asset: {line[:40]!r}")
        yield record


def _record(line: str | bytes) -> dict[str, Any] | None:
    """A record, or None if the line is none: that of a batch that was killed while it wrote."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("id"), str) and "key" in record else None


def known_records(folder: Path) -> Iterator[dict[str, Any]]:
    """The records of a folder's manifest and of the journal of a batch that was interrupted; nothing is changed."""
    for path in (folder / MANIFEST, folder / STATE / JOURNAL):
        if path.exists():
            with path.open("rb") as file:
                yield from (record for line in file if (record := _record(line)) is not None)


def encode(record: Mapping[str, Any]) -> bytes:
    """A line of the manifest."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def fault_of(record: Mapping[str, Any], folder: Path) -> str | None:
    """What is wrong with the files of an asset: one is missing or was changed. None if nothing is."""
    for file in record["files"]:
        path = folder / file["path"]
        try:
            if path.stat().st_size != file["bytes"]:
                return f"{file['path']} has another size"
            with path.open("rb") as opened:
                if hashlib.file_digest(opened, "sha256").hexdigest() != file["sha256"]:
                    return f"{file['path']} fails its checksum"
        except OSError as error:
            return f"{file['path']}: {error.strerror}"
    return None


class Journal:
    """The records of a batch on the disk; in memory, only where each of them is."""

    def __init__(self, out: Path) -> None:
        """Open the journal of a folder, with the records of an earlier run and of the folder's manifest.

        Raises:
            OSError: the folder can't be written to.
        """
        self.out = out
        path = out / STATE / JOURNAL
        path.parent.mkdir(parents=True, exist_ok=True)
        self.begun: dict[str, tuple[int, int]] = {}  # records that were there before: offset and length by id
        self._file = path.open("a+b")
        self._index()
        for old in (out / MANIFEST, out / REJECTED):
            if old.exists():
                for line in old.open("rb"):
                    record = _record(line)
                    if record is not None and record["id"] not in self.begun:
                        self.begun[record["id"]] = self._append(line)
        self._file.flush()

    def _index(self) -> None:
        self._file.seek(0)
        begin = 0
        for line in self._file:
            record = _record(line)
            if record is not None:
                self.begun[record["id"]] = begin, len(line)
            begin += len(line)
        self._file.seek(0, 2)
        if begin and not line.endswith(b"\n"):
            self._file.write(b"\n")

    def _append(self, line: bytes) -> tuple[int, int]:
        begin = self._file.tell()
        with told(self.out / STATE / JOURNAL):
            self._file.write(line)
        return begin, len(line)

    def add(self, record: Mapping[str, Any]) -> tuple[int, int]:
        """Append a record; returns where it is."""
        where = self._append(encode(record))
        with told(self.out / STATE / JOURNAL):
            self._file.flush()
        return where

    def line(self, where: tuple[int, int]) -> bytes:
        """A line as it was written."""
        self._file.seek(where[0])
        data = self._file.read(where[1])
        self._file.seek(0, 2)
        return data

    def record(self, name: str) -> dict[str, Any] | None:
        """The record of an asset's name that was there before."""
        return _record(self.line(self.begun[name])) if name in self.begun else None

    def write(self, name: str, places: Iterable[tuple[int, int]]) -> None:
        """Write a file of the folder from lines of the journal; none where there is no line."""
        path, empty = self.out / name, True
        with told(path):
            with part_path(path).open("wb") as file:
                for where in places:
                    file.write(self.line(where))
                    empty = False
            if empty:
                part_path(path).unlink()
                path.unlink(missing_ok=True)
            else:
                finish_part(path)

    def close(self) -> None:
        self._file.close()


def write_parquet(folder: Path) -> Path:
    """Write a manifest as Parquet: measures and tags are columns, tables are JSON.

    Raises:
        ModuleNotFoundError: pyarrow is missing; OSError.
    """
    import pyarrow
    from pyarrow import parquet

    rows: list[dict[str, Any]] = []
    for record in read_manifest(folder):
        plain = {name: value for name, value in record.items() if name not in ("measures", "tags")}
        row: dict[str, Any] = {
            name: v if isinstance(v, str | int | None) else json.dumps(v) for name, v in plain.items()
        }
        row |= {f"measure.{name}": float(value) for name, value in record["measures"].items()}
        rows.append(row | {f"tag.{name}": value for name, value in record["tags"].items()})
    names = dict.fromkeys(name for row in rows for name in row)
    table = pyarrow.table({name: [row.get(name) for row in rows] for name in names})
    path = folder / PARQUET
    with told(path):
        parquet.write_table(table, part_path(path))
    finish_part(path)
    return path
