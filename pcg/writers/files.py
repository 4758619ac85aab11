"""Writing a file atomically: a reader finds the old file or the new one, never a part of either.

A file is written under a temporary name and then renamed. If the name is a symbolic link, the file that it leads to is
written and the link stays. Only regular files are replaced, never a folder, a device or a pipe.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

PART_SUFFIX = ".part"
LOCK_SUFFIX = ".part.lock"
SHARED_WAIT_S = 10.0  # to wait for another process that writes a shared file
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISLNK, "a symbolic link"),
)


def target_of(path: Path) -> Path:
    """The file to write for a name: the name itself, or the file that a symbolic link of that name leads to.

    Raises:
        IsADirectoryError: it is a folder.
        OSError: it is a device, a pipe or a socket, or links form a circle.
    """
    if not path.is_symlink():
        _require_plain(path)
        return path
    try:
        target = path.resolve()
        _require_plain(target, path)
    except (RuntimeError, OSError) as error:
        if isinstance(error, RuntimeError) or error.errno == errno.ELOOP:
            raise OSError(f"{path} is a symbolic link that leads to itself; give the name of a file") from error
        raise
    return target


def _require_plain(path: Path, name: Path | None = None) -> None:
    """Raise OSError unless the path is free or a regular file. `name`: the path that the message shows."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISREG(mode):
        return
    kind = next((words for is_kind, words in _KINDS if is_kind(mode)), "no plain file")
    fault = IsADirectoryError if stat.S_ISDIR(mode) else OSError
    raise fault(f"{name or path} is {kind}; give the name of a file")


def part_path(path: Path) -> Path:
    """world.png -> world.png.part, the name of a file until it is complete; beside the file that a link leads to.

    Raises:
        OSError: one of the two is not a regular file.
    """
    target = target_of(path)
    part = target.with_name(target.name + PART_SUFFIX)
    _require_plain(part)
    return part


def check_target(path: Path) -> None:
    """Check, before any work, that a file can be written. Writes nothing.

    Raises:
        OSError: the path is not a regular file, its folder is a file, or the user may not write to the folder.
    """
    folder = part_path(path).parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise _no_folder(folder, path)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{path} can't be written: you have no right to write to the folder {folder}")


def _no_folder(folder: Path, path: Path) -> NotADirectoryError:
    return NotADirectoryError(f"{folder} is a file; {path.name} needs a folder of that name")


def make_folder(path: Path) -> list[Path]:
    """Make the folders that a file needs. Returns those made, the innermost first.

    Raises:
        NotADirectoryError: its folder is a file; OSError.
    """
    folder = target_of(path).parent
    missing = [folder, *folder.parents]
    missing = missing[: next((i for i, one in enumerate(missing) if one.exists()), len(missing))]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        inner = next(one for one in (folder, *folder.parents) if one.exists())
        raise _no_folder(inner, path) from None
    return missing


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Name the file in the error of a write that fails because the disk is full or broken."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(f"no space left for {path}: free some, or write elsewhere") from error
        if error.errno in (errno.EFBIG, errno.EIO) and error.filename is None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` under a temporary name, then rename it to `path`; missing folders are made.

    Raises:
        OSError: the disk is full, `path` is not a regular file, its folder is a file, ...
    """
    make_folder(path)
    temporary = part_path(path)
    try:
        with told(path):
            temporary.write_bytes(data)
        finish_part(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def replace_shared(path: Path, data: bytes) -> None:
    """The same as `replace_file`, for a file that several processes share. Does nothing if it holds `data` already."""
    if not _holds(path, data):
        with locked(path, SHARED_WAIT_S):
            if not _holds(path, data):
                replace_file(path, data)


def _holds(path: Path, data: bytes) -> bool:
    return target_of(path).exists() and path.read_bytes() == data


def finish_part(path: Path) -> None:
    """Rename a complete file from its temporary name to its own."""
    part_path(path).replace(target_of(path))


@contextlib.contextmanager
def locked(asset: Path, wait_s: float = 0.0) -> Iterator[None]:
    """Lock an asset, so that no other process writes it at the same time. All its files begin with the stem of `asset`.

    The lock of a process that was killed is taken over. Folders made for the lock are removed if they stay empty.

    Raises:
        BlockingIOError: another process still holds the lock after `wait_s` seconds; OSError.
    """
    from filelock import SoftFileLock, Timeout

    made = make_folder(asset)
    lock = SoftFileLock(asset.with_name(asset.stem + LOCK_SUFFIX))
    try:
        try:
            lock.acquire(timeout=wait_s)
        except Timeout as error:
            who = "another process" if lock.pid is None else f"process {lock.pid}"
            remedy = f"wait until it has ended; if there is no such process, delete {lock.lock_file}"
            raise BlockingIOError(f"{asset} is being written by {who}: {remedy}") from error
        try:
            yield
        finally:
            lock.release()
    finally:
        with contextlib.suppress(OSError):  # a folder is not empty
            for folder in made:
                folder.rmdir()


def open_part(path: Path, kept: int) -> io.FileIO:
    """Open a partial file to resume after its first `kept` bytes; 0 starts an empty file. Missing folders are made.

    The file is unbuffered: what the writer counted as written is in the file, whenever the process ends.

    Raises:
        ValueError: the file has fewer than `kept` bytes.
    """
    make_folder(path)
    size = path.stat().st_size if kept and path.exists() else 0
    if size < kept:
        raise ValueError(f"{path} is gone or was changed: it has {size} bytes of the {kept} written")
    file = io.FileIO(path, "r+" if kept else "w")
    file.truncate(kept)
    file.seek(kept)
    return file


def write_all(file: io.FileIO, data: bytes | memoryview) -> int:
    """Write all of `data`; an unbuffered file may need several writes. Returns its length in bytes."""
    rest = memoryview(data).cast("B")
    size = len(rest)
    while rest:
        rest = rest[file.write(rest) :]
    return size
