"""One map and its layers to disk: streamed, renamed when whole, and gone on with after an interruption.

While a job runs, each file is NAME.part. After each strip, NAME.part.json says what the job is, which model makes it,
and how far each file has come; after the last, that all is written and the files are being renamed. The same job finds
it and goes on, whenever it was ended; another is refused.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pcg.assets.existing import REMEDY, Existing, Request, request_of
from pcg.assets.region import Region, Runtime, strips
from pcg.assets.sketch import sketch_sha256
from pcg.writers.files import finish_part, part_path, replace_file, told
from pcg.writers.provenance import read_asset, sidecar_bytes, sidecar_path
from pcg.writers.terrain import heightmap
from pcg.writers.terrain.heightmap import describe, preview_path, preview_step
from pcg.writers.terrain.layers import Form, encode, layer_form, layer_path
from pcg.writers.terrain.rows import RowWriter, open_rows, open_writer, write_picture

BLOCK_BYTES = 4 << 20  # of rows encoded and compressed at a time
REREAD_ROWS = 64  # of the heights at a time, for the preview


@dataclass(frozen=True)
class Job:
    """What to write: `out` holds the heights, other layers stand beside it. `flip`: rows from the south up. `note` goes
    into every file's sidecar and text."""

    region: Region
    out: Path
    form: Form
    layers: tuple[str, ...]  # "height" first
    flip: bool
    preview: bool
    note: dict[str, Any]

    @functools.cached_property
    def identity(self) -> dict[str, Any]:
        """What must be the same for a half-written file to be gone on with, as JSON gives it back."""
        region = self.region
        sketch = {} if region.sketch is None else {"sketch": sketch_sha256(region.sketch)}
        about = region.params | region.place | sketch
        about |= {"method": region.method, "layers": list(self.layers), "format": self.form, "flip": self.flip}
        return json.loads(json.dumps(about))

    @functools.cached_property
    def files(self) -> dict[str, tuple[Path, Form]]:
        """Path and form of each layer."""
        forms = {layer: layer_form(layer, self.form, flip=self.flip) for layer in self.layers}
        return {layer: (layer_path(self.out, layer, form), form) for layer, form in forms.items()}

    @functools.cached_property
    def paths(self) -> list[Path]:
        """All that is written, the heights first: each file and its sidecar, and the preview."""
        made = [path for file, _ in self.files.values() for path in (file, sidecar_path(file))]
        return [*made, preview_path(self.out)] if self.preview else made

    def request(self) -> Request:
        """What the files' provenance says, whichever layers were asked for together."""
        from runtime.content.terrain.requests import TerrainRequest
        from runtime.content.terrain.sketches import SketchRequest

        region = self.region
        params: dict[str, Any] = region.params | region.place
        if region.sketch is None:
            return request_of(region.method, TerrainRequest, params, ("layers",))
        params |= {"control_sha256": sketch_sha256(region.sketch)}
        return request_of(region.method, SketchRequest, params, ("layers",))


def is_made(job: Job, existing: Existing) -> bool:
    """Whether all of a job's files are there and whole. Nothing is changed, and where the job was interrupted before,
    nothing is looked at: it goes on.

    Raises:
        ValueError: another job was interrupted; FileExistsError: a file holds something else; OSError: one can't be
            written.
    """
    if not existing.force and read_journal(journal_path(job.out), job.identity) is not None:
        return False
    found = [existing.holds(path, job.request) for path in job.paths]  # each is looked at
    if not all(found):
        return False
    for layer, (path, form) in job.files.items():
        asset = read_asset(path)
        if asset["form"] != form or (asset.get("rows") == "south to north") != job.flip:
            rows = f"{asset['form']}, rows from {asset.get('rows')}"
            raise FileExistsError(f"{path} holds the same {layer} in another order or form ({rows}): {REMEDY}")
        try:
            open_rows(path, asset, (job.region.width, job.region.height)).close()
        except (OSError, ValueError):  # cut short or damaged by somebody
            return False
    return True


def journal_path(out: Path) -> Path:
    """world.png -> world.png.part.json"""
    return sidecar_path(part_path(out))


def read_journal(path: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """What an interrupted job left, or None.

    Raises:
        ValueError: that was another job.
    """
    if not path.exists():
        return None
    remedy = f"delete {path} to begin anew"
    try:
        journal: dict[str, Any] = json.loads(path.read_bytes())
        begun = journal["identity"]
        other = {k for k in begun.keys() | identity if begun.get(k) != identity.get(k)}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no journal of an interrupted job; {remedy}") from error
    if other:
        differences = ", ".join(f"{k} {begun.get(k)!r:.40}, now {identity.get(k)!r:.40}" for k in sorted(other))
        raise ValueError(
            f"{path} is of an interrupted job with {differences}: run that one again to finish it, or {remedy}"
        )
    return journal


def say_kept(journal: Path) -> None:
    """Tell the user that an interruption is no loss."""
    print(f"{journal} keeps what is done: the same command goes on; delete it to begin anew", file=sys.stderr)


def interrupted(path: Path, identity: dict[str, Any], *, force: bool) -> dict[str, Any] | None:
    """As `read_journal`. With `force` another job's journal is deleted."""
    try:
        return read_journal(path, identity)
    except ValueError:
        if not force:
            raise
        path.unlink()
        return None


def write(
    runtime: Runtime, job: Job, advance: Callable[[int], None], model: str | None = None, *, force: bool = False
) -> list[Path]:
    """Make the map; gives the paths written. `advance` is told of pixels made, or found made; `model` is the sha256 of
    the model file that must make it, where that matters. `force`: another job that was interrupted is given up.

    Raises:
        ValueError: an interrupted job is in the way, or is of another model; OSError: the disk is full, …; RpcError.
    """
    region, journal = job.region, journal_path(job.out)
    state = interrupted(journal, job.identity, force=force)
    if state:
        advance(state["rows"] * region.width)
        print(f"{job.out}: going on at row {state['rows']} of {region.height}", file=sys.stderr)
    try:
        with told(job.out):
            if not (state and state.get("renaming")):
                with ExitStack() as stack:
                    state, assets = _write_layers(runtime, job, state, advance, model, stack)
                _write_sidecars(job, state, assets)
                replace_file(journal, json.dumps(state | {"renaming": True}).encode())
            _finish(job, state["chunk"])
    except BaseException:
        if journal.exists():
            say_kept(journal)
        else:
            for path in job.paths:
                part_path(path).unlink(missing_ok=True)
        raise
    journal.unlink(missing_ok=True)
    return job.paths


def _finish(job: Job, chunk: dict[str, Any]) -> None:
    """Give all files their names, and write the preview. What was done already when the job was ended stays done.

    Raises:
        ValueError: a file is gone.
    """
    for file, _ in job.files.values():
        for path in (file, sidecar_path(file)):
            if part_path(path).exists():
                finish_part(path)
            elif not path.exists():
                raise ValueError(f"{path} is gone, written as it was: delete {journal_path(job.out)} to begin anew")
    if job.preview:
        _write_preview(job, chunk)


def _write_layers(
    runtime: Runtime,
    job: Job,
    begun: dict[str, Any] | None,
    advance: Callable[[int], None],
    model: str | None,
    stack: ExitStack,
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Write all pixels of all layers into files under their temporary names.

    `begun`: the journal of an interrupted job; `stack` closes the files.

    Returns:
        The journal's last state, and what each layer's file says of itself.
    """
    region = job.region
    state: dict[str, Any] = begun or {"identity": job.identity, "rows": 0, "low": 65535, "high": 0, "files": {}}
    writers: dict[str, RowWriter] = {}
    assets: dict[str, dict[str, Any]] = {}

    def open_all() -> None:
        for layer, (path, form) in job.files.items():
            assets[layer] = _asset(job, layer, form, state["chunk"])
            writers[layer] = open_writer(part_path(path), assets[layer], state["chunk"], state["files"].get(layer))
            stack.callback(writers[layer].close)

    if begun:
        open_all()
        model = state["chunk"]["provenance"]["sha256"]
    made = strips(runtime, region, job.layers, flip=job.flip, first=state["rows"], model=model, advance=advance)
    for strip in made:
        if not writers:
            state["chunk"] = _whole(region, strip.chunk)
            open_all()
        for layer, (_, form) in job.files.items():
            writers[layer].append(encode(layer, form, block, strip.chunk) for block in _blocks(strip.layers[layer]))
        state["rows"] += strip.rows
        heights = strip.layers["height"]
        state["low"], state["high"] = min(state["low"], int(heights.min())), max(state["high"], int(heights.max()))
        if state["rows"] < region.height:
            for layer, writer in writers.items():
                writer.sync()  # the journal must not be ahead of what it tells of
                state["files"][layer] = writer.state
            replace_file(journal_path(job.out), json.dumps(state).encode())
    for writer in writers.values():
        writer.finish()
        writer.sync()
    return state, assets


def _whole(region: Region, chunk: dict[str, Any]) -> dict[str, Any]:
    """What a request for the whole region would have said, from what one for a part of it said."""
    made = chunk["provenance"]
    return chunk | region.place | {"provenance": made | {"params": made["params"] | region.place}}


def _asset(job: Job, layer: str, form: Form, chunk: dict[str, Any]) -> dict[str, Any]:
    return describe(layer, form, chunk, (job.region.width, job.region.height), flip=job.flip) | job.note


def _blocks(rows: NDArray[Any]) -> Iterator[NDArray[Any]]:
    count = max(1, BLOCK_BYTES // (rows.nbytes // len(rows)))
    return (rows[i : i + count] for i in range(0, len(rows), count))


def _write_sidecars(job: Job, state: dict[str, Any], assets: dict[str, dict[str, Any]]) -> None:
    """Write the sidecar of each layer under its temporary name; that of the heights says their range, too."""
    chunk = state["chunk"]
    span = {
        f"{name}_m": state[key] * chunk["scale"] + chunk["offset"]
        for name, key in (("minimum", "low"), ("maximum", "high"))
    }
    for layer, (path, _) in job.files.items():
        about = assets[layer] | (span if layer == "height" else {})
        part_path(sidecar_path(path)).write_bytes(sidecar_bytes(about))


def _write_preview(job: Job, chunk: dict[str, Any]) -> None:
    """From the heights that were written."""
    region, picture = job.region, preview_path(job.out)
    about = _asset(job, "height", job.form, chunk)
    with closing(open_rows(job.out, about, (region.width, region.height))) as rows:
        blocks = (rows.read(min(REREAD_ROWS, region.height - i)) for i in range(0, region.height, REREAD_ROWS))
        shade = heightmap.preview(blocks, region.width, region.height, chunk, flip=job.flip)
    step = preview_step(region.width, region.height)
    about |= {"form": "preview", "width": shade.shape[1], "height": shade.shape[0], "step": step}
    about |= {"rows": "north to south", "dtype": "|u1", "meters_per_pixel": chunk["meters_per_pixel"] * step}
    about = {name: said for name, said in about.items() if name not in ("scale", "offset", "unit")}
    write_picture(part_path(picture), shade, about)
    finish_part(picture)
