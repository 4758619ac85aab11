"""Writing a file so that it is either the old one or the new one, never half of either."""

from __future__ import annotations

import io
from pathlib import Path

PART_SUFFIX = ".part"


def part_path(path: Path) -> Path:
    """world.png -> world.png.part, the name a file has until it is whole."""
    return path.with_name(path.name + PART_SUFFIX)


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` under a temporary name beside `path`, then rename it; missing folders are made.

    Raises:
        NotADirectoryError: what should be its folder is a file; OSError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(f"{path.parent} is a file; {path.name} needs a folder of that name") from None
    temporary = part_path(path)
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def open_part(path: Path, kept: int) -> io.FileIO:
    """Open a half-written file to go on after its first `kept` bytes; 0 begins anew. Missing folders are made.

    Unbuffered: what the writer has counted as written is then in the file, whenever the process ends.

    Raises:
        ValueError: the file has fewer than `kept` bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    size = path.stat().st_size if kept and path.exists() else 0
    if size < kept:
        raise ValueError(f"{path} is gone or was changed: it has {size} bytes of the {kept} written")
    file = io.FileIO(path, "r+" if kept else "w")
    file.truncate(kept)
    file.seek(kept)
    return file


def write_all(file: io.FileIO, data: bytes | memoryview) -> int:
    """Write all of `data`, which an unbuffered file may take in several turns; gives its length in bytes."""
    rest = memoryview(data).cast("B")
    size = len(rest)
    while rest:
        rest = rest[file.write(rest) :]
    return size
