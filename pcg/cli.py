"""The command line. Each command is a function in pcg/commands/, with its heavy imports inside the function.

So --help needs none of them and takes less than 0.3 s.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

from pcg.commands import batch, characters, condensing, levels, serving, terrain, training, verify  # noqa: F401
from pcg.commands.shared import INTERRUPTED, UserError, app, say

EXTRAS = {
    "pygame": "demo",
    "scipy": "train",
    "torchmetrics": "train",
    "pyarrow": "parquet",
    "ray": "ray",
}  # the extra that installs an optional module

LIKE_A_FILE = re.compile(r"-[^=]*\.[A-Za-z]\w*")  # and also like an option


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exits 0, 1 (failed), 2 (wrong usage) or 130 (interrupted)."""
    interrupted = False
    try:
        result = app(arguments, exit_on_error=False, print_error=True, result_action="return_value")
        status = result if isinstance(result, int) else 0
    except KeyboardInterrupt:
        say("interrupted")
        status, interrupted = INTERRUPTED, True
    except BrokenPipeError:
        status = 1
    except Exception as error:
        status = _report(error, sys.argv[1:] if arguments is None else arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of the output, such as `head`, has closed it: not an error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if interrupted and arguments is None:
        sys.stderr.flush()
        os._exit(status)  # a solver that still runs in a thread can't be stopped, so do not wait for it
    sys.exit(status)


def _report(error: Exception, arguments: Sequence[str]) -> int:
    """Print an error that the user can correct in one line and return the exit code; raise any other error again."""
    from cyclopts import CycloptsError

    from runtime.errors import RpcError

    if isinstance(error, CycloptsError):
        for argument in filter(LIKE_A_FILE.fullmatch, arguments):
            say(f"pcg: if {argument} is a file, write ./{argument}, or put it last, after --")
        return 2
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
        extra = EXTRAS[error.name]
        say(f"pcg: this needs {error.name}, which the extra {extra!r} brings: pip install 'pcg-plugin[{extra}]'")
        return 1
    if isinstance(error, RuntimeError) and "no locator available" in str(error):  # the message of numba
        say("pcg: compiled solvers can be kept nowhere; set NUMBA_CACHE_DIR to a folder that you may write to")
        return 1
    if isinstance(error, UserError | RpcError | OSError | ValueError):
        say(f"pcg: {error}")
        return 2 if isinstance(error, UserError) else 1
    raise error


if __name__ == "__main__":
    main()
