"""The command line. Commands are in pcg/commands/, one function each, with heavy imports inside the functions, so that
--help answers at once.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

from pcg.commands import characters, condensing, making, serving, training  # noqa: F401  (each adds its commands)
from pcg.commands.shared import INTERRUPTED, UserError, app, say

EXTRAS = {"pygame": "demo", "scipy": "train", "torchmetrics": "train"}  # what an optional module is installed with

LIKE_A_FILE = re.compile(r"-[^=]*\.[A-Za-z]\w*")  # and like an option


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
    except BrokenPipeError:  # what reads our output, such as `head`, has had enough: that needs no words
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if interrupted and arguments is None:
        sys.stderr.flush()
        os._exit(status)  # at once: a solver that still runs in a thread can't be stopped, and nobody waits for it
    sys.exit(status)


def _report(error: Exception, arguments: Sequence[str]) -> int:
    """Print what the user can mend in one line; anything else is ours, and keeps its traceback."""
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
    if isinstance(error, RuntimeError) and "no locator available" in str(error):  # numba's words
        say("pcg: compiled solvers can be kept nowhere; set NUMBA_CACHE_DIR to a folder that you may write to")
        return 1
    if isinstance(error, UserError | RpcError | OSError | ValueError):
        say(f"pcg: {error}")
        return 2 if isinstance(error, UserError) else 1
    raise error


if __name__ == "__main__":
    main()
