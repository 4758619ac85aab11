"""Finds the demo's runtime: the given one, the one at the usual port, or one that the demo starts.

The search runs in its own thread, so that the window responds meanwhile.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.address import Address
from runtime.errors import RpcError

READY_S = 180.0  # the timeout for a runtime to load its models
MODEL = "terrain-detail"  # the model that the map needs; the runtime may still load others while the map is shown
_LOOK_AGAIN_S = 0.2
_TAIL_CHARS = 2000  # how much of a failed runtime's output is shown
USUAL = Address()


@dataclass(frozen=True)
class State:
    """The state of the search for a runtime. It ends with either `address` or `error` set."""

    progress: str
    address: Address | None = None
    error: str | None = None


class Runtime:
    """Finds or starts a runtime when `start` is called. `close` stops a runtime that was started here.

    `command` starts a runtime. It gets `--port N --until-eof` and a stdin that is closed when this process ends, so the
    runtime ends with the demo, however that ends.
    """

    def __init__(
        self,
        given: Address | None,
        *,
        usual: Address = USUAL,
        command: tuple[str, ...] = (sys.executable, "-m", "pcg.cli", "serve"),
    ) -> None:
        self.state = State("Looking for a runtime")  # immutable and replaced as a whole, so any thread may read it
        self._given = given
        self._usual = usual
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._search, name="find-runtime", daemon=True)

    def start(self) -> None:
        """Start the search; `state` tells its progress."""
        self._thread.start()

    def death(self) -> str | None:
        """Why the runtime that was started here has ended, and its last output. None while it runs, or if none was."""
        process = self._process
        if process is None or process.poll() is None:
            return None
        return f"the runtime has ended with exit status {process.returncode}\n{self._output()}".rstrip()

    def close(self) -> None:
        """Stop the search, and the runtime if it was started here."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(1.0)  # it may still wait for a response, but starts no runtime any more
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        if self._folder is not None:
            self._folder.cleanup()

    def _search(self) -> None:
        try:
            if self._given is not None:
                self._wait_until_ready(self._given)
            elif _health(self._usual, patient=False) is not None:
                self._wait_until_ready(self._usual)
            else:
                self._start_own()
        except (OSError, ValueError) as error:
            self.state = State("", error=str(error))

    def _start_own(self) -> None:
        if self._closing.is_set():
            return
        address = Address("127.0.0.1", _free_port())
        self._folder = tempfile.TemporaryDirectory(prefix="pcg-demo-")
        # A file, not a pipe: a full pipe that nobody reads would stop the runtime.
        with (Path(self._folder.name) / "output.txt").open("wb") as output:
            self._process = subprocess.Popen(
                [*self._command, "--port", str(address.port), "--until-eof"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._wait_until_ready(address)

    def _wait_until_ready(self, address: Address) -> None:
        began = time.monotonic()
        while not self._closing.is_set():
            if (death := self.death()) is not None:
                self.state = State("", error=death)
                return
            health = _health(address, patient=self._process is None)
            if health is not None and (health.get("ready") is True or MODEL in health.get("models", ())):
                self.state = State("", address)
                return
            seconds = int(time.monotonic() - began)
            if seconds > READY_S:
                self.state = State("", error=f"the runtime at {address} was not ready within {READY_S:.0f} s")
                return
            what = "Starting a runtime" if health is None else f"The runtime at {address} loads its models"
            self.state = State(f"{what} … {seconds} s")
            self._closing.wait(_LOOK_AGAIN_S)

    def _output(self) -> str:
        assert self._folder is not None
        text = (Path(self._folder.name) / "output.txt").read_text("utf-8", "replace")
        return text[-_TAIL_CHARS:]


def _health(address: Address, *, patient: bool) -> dict[str, Any] | None:
    """The response to `server.health`. None where no runtime responds.

    With `patient`, for an address that must be a runtime's, an error is raised instead of None.
    """
    try:
        with address.connect(connect_timeout_s=3.0, timeout_s=10.0 if patient else 3.0) as client:
            health = client.call("server.health")
    except RpcError as error:
        if patient:
            raise ConnectionError(f"the runtime at {address} can't be used: {error}") from error
        return None
    except OSError:
        if patient:
            raise
        return None
    return health if isinstance(health, dict) else {}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
