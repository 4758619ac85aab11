"""A map as a grid of tiles, named as engines expect it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pcg.job import Job, read_journal, say_kept, write
from pcg.region import PLACE, Runtime
from pcg.writers.files import part_path, replace_file
from pcg.writers.heightmap import ORIGIN_UNIT
from pcg.writers.provenance import sidecar_bytes, sidecar_path

Naming = Literal["plain", "unity", "unreal"]
SET_SUFFIX = ".tiles.json"
LARGEST = 64  # tiles along a side; the journal is written anew for each


@dataclass(frozen=True)
class Grid:
    """Columns and rows of square tiles, `side` pixels each.

    Tiles of an odd side (2^n + 1, Unreal's 505, 1009, …) share their edge row and column with their neighbours: engines
    that give every tile its own mesh need it. Tiles of an even side do not.
    """

    columns: int
    rows: int
    side: int
    naming: Naming

    @property
    def shared(self) -> int:
        """Pixels that neighbours have in common, 1 or 0."""
        return self.side % 2

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the whole, in pixels."""
        width, height = (n * (self.side - self.shared) + self.shared for n in (self.columns, self.rows))
        return width, height

    def path(self, out: Path, column: int, row: int) -> Path:
        """File of the tile in a column from the west and a row from the north, both from 0.

        unity: NAME_X_Z, Z from the south, since Unity's z goes north; padded with zeros, since the Terrain Toolbox
        sorts names as text. unreal: NAME_xX_yY, Y from the north, as Unreal's y goes. plain: NAME_cC_rR, from the
        north.
        """
        if self.naming == "unity":
            x, z = str(column), str(self.rows - 1 - row)
            name = f"_{x.zfill(len(str(self.columns - 1)))}_{z.zfill(len(str(self.rows - 1)))}"
        else:
            name = f"_x{column}_y{row}" if self.naming == "unreal" else f"_c{column}_r{row}"
        return out.with_name(out.stem + name + out.suffix)


def set_path(out: Path) -> Path:
    """world.r16 -> world.tiles.json. Not world.json: Unreal takes a file of the tiles' common name for a tile too."""
    return out.with_name(out.stem + SET_SUFFIX)


def write_tiles(runtime: Runtime, job: Job, grid: Grid, advance: Callable[[int], None]) -> Iterator[Path]:
    """Write each tile of the job's region, which is as large as the grid, then the sidecar of the set; gives paths.

    An interrupted set goes on after the tiles that are whole.

    Raises:
        as `write` does.
    """
    about = set_path(job.out)
    journal = sidecar_path(part_path(about))
    identity = job.identity() | json.loads(json.dumps(dataclasses.asdict(grid)))
    state = read_journal(journal, identity) or {"identity": identity, "tiles": []}
    done = {(tile["column"], tile["row"]): tile for tile in state["tiles"]}
    for row in range(grid.rows):
        for column in range(grid.columns):
            path = grid.path(job.out, column, row)
            if (column, row) in done and path.exists():
                advance(grid.side**2)
                continue
            step = grid.side - grid.shared
            region = job.region.window(column * step, row * step, grid.side, grid.side)
            note = {"tile": {"column": column, "row": row, "columns": grid.columns, "rows": grid.rows}}
            one = dataclasses.replace(job, region=region, out=path, note=job.note | note)
            try:
                model = state["of_all"]["provenance"]["sha256"] if done else None
                yield from write(runtime, one, advance, model)
            except (Exception, KeyboardInterrupt):
                if done:
                    say_kept(journal)
                raise
            tile = json.loads(sidecar_path(path).read_bytes())
            place = {"file": path.name, "column": column, "row": row, "x": region.x, "y": region.y}
            done[column, row] = place | {k: tile[k] for k in ("minimum_m", "maximum_m")}
            state |= {"tiles": list(done.values()), "of_all": _of_all(tile)}
            replace_file(journal, json.dumps(state).encode())
    replace_file(about, sidecar_bytes(_describe(job, grid, list(done.values()), state["of_all"])))
    journal.unlink()
    yield about


def _of_all(tile: dict[str, Any]) -> dict[str, Any]:
    """What a tile's sidecar says that holds for all tiles."""
    made = tile["provenance"]
    params = {k: v for k, v in made["params"].items() if k not in PLACE}
    one = ("form", "layer", "width", "height", "tile", "minimum_m", "maximum_m", "origin")
    return {k: v for k, v in tile.items() if k not in one} | {"provenance": made | {"params": params}}


def _describe(job: Job, grid: Grid, tiles: list[dict[str, Any]], of_all: dict[str, Any]) -> dict[str, Any]:
    """The sidecar of the set."""
    width, height = grid.size
    return {
        "form": "tiles",
        "width": width,
        "height": height,
        "columns": grid.columns,
        "tile_rows": grid.rows,
        "tile_size": grid.side,
        "shared_pixels": grid.shared,
        "naming": grid.naming,
        "layers": list(job.layers),
        "minimum_m": min(tile["minimum_m"] for tile in tiles),
        "maximum_m": max(tile["maximum_m"] for tile in tiles),
        "origin": {"x": job.region.x, "y": job.region.y, "unit": ORIGIN_UNIT},
        **of_all,
        "tiles": tiles,
    }
