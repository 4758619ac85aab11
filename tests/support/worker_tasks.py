"""What the tests of workers do in a worker."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from runtime.errors import Code, RpcError


def double(number: int) -> int:
    return 2 * number


def pid() -> int:
    return os.getpid()


def refuse() -> None:
    raise RpcError(Code.OUT_OF_RANGE, "too much", {"maximum": 3})


def fail() -> None:
    raise ValueError("no")


def wait(folder: Path, name: str = "begun", seconds: float = 600) -> str:
    """Say that it has begun, then take its time."""
    (folder / name).write_text(str(os.getpid()))
    time.sleep(seconds)
    return name


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(mark: Path) -> str:
    if mark.exists():
        return "done"
    mark.touch()
    die()
    return "never"


def take(megabytes: int) -> int:
    return len(bytearray(megabytes << 20))
