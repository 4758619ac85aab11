"""What the commands share: the app, common flags, and the runtime that they call."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Group, Parameter

from runtime.version import VERSION

if TYPE_CHECKING:
    from runtime.address import Address

app = App(
    name="pcg",
    help="Learned procedural content for games: make terrain, serve it to an engine, train your own.",
    version=VERSION,
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
)
SERVING, MAKING, TRAINING = Group("Serve and look"), Group("Make assets"), Group("Train models")


@dataclass(frozen=True)
class Remote:
    """The flags that choose a running runtime. Every command that calls a runtime has them."""

    server: Annotated[
        str | None,
        Parameter(help="Running runtime to use: HOST:PORT, tls://HOST:PORT or unix:PATH; by default none."),
    ] = None
    token_file: Annotated[
        Path | None,
        Parameter(help="File whose first token the --server is given; by default PCG_TOKEN in the environment."),
    ] = None
    tls_ca: Annotated[
        Path | None,
        Parameter(help="Certificate (PEM) of the authority to trust with a tls:// --server; by default the system's."),
    ] = None


Server = Annotated[Remote | None, Parameter(name="*")]
Models = Annotated[Path | None, Parameter(help="Models folder with its SHA256SUMS; by default the bundled models.")]
Device = Literal["auto", "cpu", "cuda"]
Force = Annotated[
    bool, Parameter(negative="", help="Make again what is there already, and replace what holds something else.")
]
INTERRUPTED = 130  # exit code
CALL_S = 600.0  # the longest that one call to a server may take
EXAMPLE = "127.0.0.1:7767"


class UserError(Exception):
    """The flags contradict each other or can't be read; printed without a traceback, exit code 2."""


def say(text: str) -> None:
    """Print progress or a note to stderr; stdout is for data."""
    print(text, file=sys.stderr)


def report_failed(failed: Mapping[int, str], count: int | None) -> int:
    """Print the seeds that gave no asset, and why. Returns the exit code."""
    for seed, why in failed.items():
        say(f"seed {seed}: {why}")
    if failed:
        say(f"{len(failed)} of {count} failed: {', '.join(map(str, failed))}")
    return 1 if failed else 0


def address(remote: Remote | None) -> Address | None:
    """The address of the runtime that the flags name; None if they name none. Raises UserError."""
    if remote is None:
        return None
    from runtime.address import parse, read_token

    if remote.server is None:
        flag = "--token-file" if remote.token_file is not None else "--tls-ca"
        raise UserError(f"{flag} says how to reach a running runtime: add --server, for example --server {EXAMPLE}")
    try:
        token = os.environ.get("PCG_TOKEN") if remote.token_file is None else read_token(remote.token_file)
    except (OSError, ValueError) as error:
        raise UserError(f"--token-file: {error}") from error
    try:
        return parse(remote.server, token=token, tls_ca=remote.tls_ca)
    except ValueError as error:
        raise UserError(f"--server: {error}") from error


def open_runtime(remote: Remote | None, models: Path | None = None, device: Device = "auto") -> Any:
    """Open a runtime to call: a client of the server that the flags name, or a runtime in this process.

    Use it as a context manager. `models` and `device` are for a runtime in this process.

    Raises:
        UserError: the flags name no server that can be called.
    """
    where = address(remote)
    if where is not None:
        try:
            return where.connect(timeout_s=CALL_S)
        except ValueError as error:
            raise UserError(str(error)) from error
    from runtime.local import Local

    return Local(models, device)
