"""For all tests: examples are not timed, since the machine may be busy with something else; a runtime to talk to."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings
from serving_process import serving

import runtime  # noqa: F401  (before torch: it says how torch's threads wait)
from runtime.client import Client
from runtime.local import Local
from runtime.registry import BUNDLED

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what runs in the background; tests interrupt
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def bundled() -> Iterator[Local]:
    """The bundled models in this process, loaded once for all tests that only read."""
    with Local(device="cpu") as local:
        yield local


@pytest.fixture(scope="session")
def runtime_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """TCP port of a `pcg serve` of the bundled models, one for all tests."""
    with serving(BUNDLED, log=tmp_path_factory.mktemp("runtime") / "log") as server:
        with Client(port=server.port) as client:
            while not client.call("server.health")["ready"]:
                time.sleep(0.1)
        yield server.port
        code, _ = server.stop()
        assert code == 0


@pytest.fixture
def needs() -> Callable[..., None]:
    """`needs("node", "-e", "require('neovim')")` skips the test where that command fails; in CI, the test fails."""

    def needs(*command: str) -> None:
        if shutil.which(command[0]) is None or subprocess.run(command, capture_output=True).returncode != 0:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"not installed: {' '.join(command)}")

    return needs
