"""A `pcg serve` of its own, and what its process can be asked from outside."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil


class Process:
    """A `pcg serve`, and what it printed to say that it serves."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.lines = [process.stdout.readline().strip()]
        found = re.search(r":(\d+)$", self.lines[0])
        assert found, process.communicate(timeout=10)
        self.port = int(found[1])

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Exit code, and what was logged."""
        self.process.send_signal(number)
        _, log = self.process.communicate(timeout=30)
        return self.process.returncode, log

    def resident_bytes(self) -> int:
        """Memory that it and its workers have now."""
        process = psutil.Process(self.process.pid)
        found = 0
        for each in (process, *process.children()):
            with contextlib.suppress(psutil.NoSuchProcess):
                found += each.memory_info().rss
        return found

    def peak_bytes(self) -> int:
        """The most memory that it ever had; where the system does not say, what it has now."""
        status = Path(f"/proc/{self.process.pid}/status")
        if not status.exists():
            return self.resident_bytes()
        return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1])


@contextlib.contextmanager
def serving(
    models: Path, *flags: object, log: Path | None = None, descriptors: int | None = None, **environment: str
) -> Iterator[Process]:
    """A server of a folder's models on a free port. `log`: where its log goes; else `stop` gives it.

    It ends with this process, however that ends: its stdin is a pipe that only this process holds open.
    `descriptors`: how many file descriptors it may have, where that is to be bounded.
    """

    def bound() -> None:
        import resource  # not on Windows

        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    with contextlib.ExitStack() as files:
        command = [sys.executable, "-m", "pcg.cli", "serve", "--port", "0", "--until-eof", "--models", models]
        process = subprocess.Popen(
            [*command, *map(str, flags)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if log is None else files.enter_context(log.open("w")),
            text=True,
            env=os.environ | environment,
            preexec_fn=None if descriptors is None else bound,
        )
        try:
            yield Process(process)
        finally:
            process.kill()
            process.communicate()
