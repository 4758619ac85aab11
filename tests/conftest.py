"""For all tests: examples are not timed, since the machine may be busy with something else; a runtime to talk to."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings

import runtime  # noqa: F401  (before torch: it says how torch's threads wait)

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def runtime_port() -> Iterator[int]:
    """TCP port of a `pcg serve` of the bundled models, one for all tests."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pcg.cli", "serve", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    yield int(re.search(r":(\d+)$", line)[1])
    process.terminate()
    assert process.wait(20) == 0


@pytest.fixture
def needs() -> Callable[..., None]:
    """`needs("node", "-e", "require('neovim')")` skips the test where that command fails; in CI, the test fails."""

    def needs(*command: str) -> None:
        if shutil.which(command[0]) is None or subprocess.run(command, capture_output=True).returncode != 0:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"not installed: {' '.join(command)}")

    return needs
