"""The command that verifies assets: verify."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pcg.commands.shared import MAKING, Models, Server, UserError, app, open_runtime


@app.command(group=MAKING)
def verify(
    *files: Path, server: Server = None, models: Models = None, json_: Annotated[bool, Parameter("--json")] = False
) -> int:
    """Make assets again from what they say of themselves, and compare.

    Examples:

        pcg verify world.png heights.r16 heights.normal.png
        pcg verify unity/world.tiles.json
        pcg verify warehouse.tmx crypt.png
        pcg verify hero.png hero/walk_down_3.png beast.png

    :param files: Assets this project wrote, of any format, with their sidecars; NAME.tiles.json for all its tiles.
    :param json_: One JSON object a file.
    """
    from pcg.assets.verify.families import verify as fault_of_file
    from pcg.progress import progress

    if not files:
        raise UserError("verify needs at least one file")
    failed = 0
    with open_runtime(server, models) as runtime:
        for path in files:
            with progress(path.name, None) as advance:
                fault = fault_of_file(runtime, path, advance)
            failed += fault is not None
            if json_:
                print(json.dumps({"file": str(path), "verified": fault is None, "fault": fault}))
            else:
                print(f"{path}: {'verified' if fault is None else 'FAILED: ' + fault}")
    return 1 if failed else 0
