"""A map as a grid of tiles, named as game engines expect."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pcg.assets.existing import Existing, Request
from pcg.assets.job import Job, interrupted, is_made, read_journal, say_kept, write
from pcg.assets.region import PLACE, Runtime
from pcg.writers.files import part_path, replace_file
from pcg.writers.provenance import sidecar_bytes, sidecar_path
from pcg.writers.terrain.heightmap import ORIGIN_UNIT

Naming = Literal["plain", "unity", "unreal"]
SET_SUFFIX = ".tiles.json"
LARGEST = 64  # tiles a side; the journal is rewritten after each tile


@dataclass(frozen=True)
class Grid:
    """Columns and rows of square tiles, `side` pixels each.

    Tiles of an odd side (2^n + 1, Unreal's 505, 1009, ...) share their edge row and column with their neighbours, for
    engines that give every tile its own mesh. Tiles of an even side do not.
    """

    columns: int
    rows: int
    side: int
    naming: Naming

    @property
    def shared(self) -> int:
        """Pixels that neighbours share: 1 or 0."""
        return self.side % 2

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the whole, in pixels."""
        width, height = (n * (self.side - self.shared) + self.shared for n in (self.columns, self.rows))
        return width, height

    def path(self, out: Path, column: int, row: int) -> Path:
        """The file of a tile: `column` counts from the west, `row` from the north, both from 0.

        unity: NAME_X_Z; Z counts from the south, since Unity's z goes north. The numbers are padded with zeros, since
        the Terrain Toolbox sorts names as text. unreal: NAME_xX_yY; Y counts from the north, as Unreal's y goes. plain:
        NAME_cC_rR; R counts from the north.
        """
        if self.naming == "unity":
            x, z = str(column), str(self.rows - 1 - row)
            name = f"_{x.zfill(len(str(self.columns - 1)))}_{z.zfill(len(str(self.rows - 1)))}"
        else:
            name = f"_x{column}_y{row}" if self.naming == "unreal" else f"_c{column}_r{row}"
        return out.with_name(out.stem + name + out.suffix)


def set_path(out: Path) -> Path:
    """world.r16 -> world.tiles.json. Not world.json: Unreal would take a file of that name for a tile."""
    return out.with_name(out.stem + SET_SUFFIX)


def set_is_made(job: Job, grid: Grid, existing: Existing) -> bool:
    """Whether all tiles of a set and its sidecar are there. Raises the same errors as `is_made`."""
    about = set_path(job.out)
    if not existing.force and read_journal(_journal_path(job.out), _identity(job, grid)) is not None:
        return False
    tiles = [_tile(job, grid, column, row) for row in range(grid.rows) for column in range(grid.columns)]
    done = [is_made(tile, existing) for tile in tiles]
    if not (existing.holds(about, lambda: _of_set(job.request())) and all(done)):
        return False
    said = json.loads(about.read_bytes())
    place = {"x": job.region.x, "y": job.region.y, "unit": ORIGIN_UNIT}
    return bool(said["origin"] == place and len(said["tiles"]) == len(tiles))


def _journal_path(out: Path) -> Path:
    return sidecar_path(part_path(set_path(out)))


def _identity(job: Job, grid: Grid) -> dict[str, Any]:
    return job.identity | json.loads(json.dumps(dataclasses.asdict(grid)))


def _of_set(request: Request) -> Request:
    """The part of a request that is the same for all tiles."""
    return dataclasses.replace(request, params={k: v for k, v in request.params.items() if k not in PLACE})


def _tile(job: Job, grid: Grid, column: int, row: int) -> Job:
    """The job of one tile."""
    step = grid.side - grid.shared
    region = job.region.window(column * step, row * step, grid.side, grid.side)
    note = {"tile": {"column": column, "row": row, "columns": grid.columns, "rows": grid.rows}}
    return dataclasses.replace(job, region=region, out=grid.path(job.out, column, row), note=job.note | note)


def write_tiles(
    runtime: Runtime, job: Job, grid: Grid, advance: Callable[[int], None], *, force: bool = False
) -> Iterator[Path]:
    """Write each tile, then the sidecar of the set; yields the paths. An interrupted set is resumed.

    Args:
        runtime: what makes the land.
        job: the whole map, whose region is as large as the grid.
        grid: the tiles.
        advance: called with pixels made, or found made.
        force: delete the journal of another interrupted set.

    Raises:
        The same errors as `write`.
    """
    about = set_path(job.out)
    journal, identity = _journal_path(job.out), _identity(job, grid)
    state = interrupted(journal, identity, force=force) or {"identity": identity, "tiles": []}
    done = {(tile["column"], tile["row"]): tile for tile in state["tiles"]}
    for row in range(grid.rows):
        for column in range(grid.columns):
            one = _tile(job, grid, column, row)
            path, region = one.out, one.region
            if (column, row) in done and path.exists():
                advance(grid.side**2)
                continue
            try:
                model = state["of_all"]["provenance"]["sha256"] if done else None
                yield from write(runtime, one, advance, model, force=force)
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
    """The part of a tile's sidecar that is the same for all tiles."""
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
