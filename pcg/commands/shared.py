"""What the commands share: the app they belong to, common flags, and the runtime that answers them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Group, Parameter

from runtime.version import VERSION

app = App(
    name="pcg",
    help="Learned procedural content for games: make terrain, serve it to an engine, train your own.",
    version=VERSION,
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
)
SERVING, MAKING, TRAINING = Group("Serve and look"), Group("Make assets"), Group("Train models")

Server = Annotated[
    str | None,
    Parameter(
        help="Running runtime: HOST:PORT, tls://HOST:PORT or unix:PATH; without it, this process is the runtime."
    ),
]
Models = Annotated[Path | None, Parameter(help="Models folder with its SHA256SUMS; by default the bundled models.")]
Device = Literal["auto", "cpu", "cuda"]
Force = Annotated[
    bool, Parameter(negative="", help="Make again what is there already, and replace what holds something else.")
]
DEFAULT_PORT = 7767
INTERRUPTED = 130  # exit code


class UserError(Exception):
    """The command makes no sense as it was given; printed without a traceback, exit code 2."""


def say(text: str) -> None:
    """Progress and notes go to stderr; stdout is for data."""
    print(text, file=sys.stderr)


def report_failed(failed: Mapping[int, str], count: int | None) -> int:
    """Say of which seeds nothing came, and why; gives the exit code."""
    for seed, why in failed.items():
        say(f"seed {seed}: {why}")
    if failed:
        say(f"{len(failed)} of {count} failed: {', '.join(map(str, failed))}")
    return 1 if failed else 0


def parse_address(address: str) -> tuple[str, int]:
    """HOST:PORT, HOST or :PORT. Raises UserError."""
    host, _, port = address.rpartition(":") if ":" in address else (address, "", str(DEFAULT_PORT))
    host = host.strip("[]")  # [::1]:7767
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise UserError(f"--server {address!r}: {port!r} is no port; write HOST:PORT, for example 127.0.0.1:7767")
    return host or "127.0.0.1", int(port)


def open_runtime(server: str | None, models: Path | None = None, device: Device = "auto") -> Any:
    """A runtime to call: the server's client, or this process. Use as a context manager."""
    if server is not None:
        return _connect(server)
    from runtime.local import Local

    return Local(models, device)


def _connect(server: str) -> Any:
    """A client of HOST:PORT, tls://HOST:PORT or unix:PATH. The environment's PCG_TOKEN is given to it."""
    import ssl

    from runtime.client import Client

    token = os.environ.get("PCG_TOKEN")
    if server.startswith("unix:"):
        return Client(unix=server.removeprefix("unix:"), timeout_s=600, token=token)
    tls = ssl.create_default_context() if server.startswith("tls://") else None
    host, port = parse_address(server.removeprefix("tls://"))
    return Client(host, port, timeout_s=600, tls=tls, token=token)
