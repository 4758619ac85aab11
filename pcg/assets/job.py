"""Writing one map and its layers to disk strip by strip, so that an interrupted job can be resumed.

While a job runs, each file is called NAME.part. After each strip the journal NAME.part.json is written: it says what
the job is, which model makes it, and how much of each file is written; after the last strip, that the files are being
renamed. The same job reads the journal and resumes; another job is refused.
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

BLOCK_BYTES = 4 << 20  # rows encoded and compressed at a time
REREAD_ROWS = 64  # of the heights at a time, for the preview


@dataclass(frozen=True)
class Job:
    """A map to write.

    `out`: the file of the heights; other layers stand beside it. `layers`: "height" first. `flip`: rows from the south.
    `note`: what every file's sidecar and text chunk say besides.
    """

    region: Region
    out: Path
    form: Form
    layers: tuple[str, ...]
    flip: bool
    preview: bool
    note: dict[str, Any]

    @functools.cached_property
    def identity(self) -> dict[str, Any]:
        """What must be the same for a job to resume another one's files, as it comes back from JSON."""
        region = self.region
        sketch = {} if region.sketch is None else {"sketch": sketch_sha256(region.sketch)}
        about = region.params | region.place | sketch
        about |= {"method": region.method, "layers": list(self.layers), "format": self.form, "flip": self.flip}
        return json.loads(json.dumps(about))

    @functools.cached_property
    def files(self) -> dict[str, tuple[Path, Form]]:
        """The path and the file format of each layer."""
        forms = {layer: layer_form(layer, self.form, flip=self.flip) for layer in self.layers}
        return {layer: (layer_path(self.out, layer, form), form) for layer, form in forms.items()}

    @functools.cached_property
    def paths(self) -> list[Path]:
        """All files that are written, the heights first: each layer and its sidecar, and the preview."""
        made = [path for file, _ in self.files.values() for path in (file, sidecar_path(file))]
        return [*made, preview_path(self.out)] if self.preview else made

    def request(self) -> Request:
        """The request in the files' provenance; which layers were asked for together does not matter."""
        from runtime.content.terrain.requests import TerrainRequest
        from runtime.content.terrain.sketches import SketchRequest

        region = self.region
        params: dict[str, Any] = region.params | region.place
        if region.sketch is None:
            return request_of(region.method, TerrainRequest, params, ("layers",))
        params |= {"control_sha256": sketch_sha256(region.sketch)}
        return request_of(region.method, SketchRequest, params, ("layers",))


def is_made(job: Job, existing: Existing) -> bool:
    """Whether all files of a job are there and complete. Nothing is changed.

    False without a check of the files if the job was interrupted: then it resumes.

    Raises:
        ValueError: another job was interrupted.
        FileExistsError: a file holds something else.
        OSError: a file can't be written.
    """
    if not existing.force and read_journal(journal_path(job.out), job.identity) is not None:
        return False
    found = [existing.holds(path, job.request) for path in job.paths]  # check every file
    if not all(found):
        return False
    for layer, (path, form) in job.files.items():
        asset = read_asset(path)
        if asset["form"] != form or (asset.get("rows") == "south to north") != job.flip:
            rows = f"{asset['form']}, rows from {asset.get('rows')}"
            raise FileExistsError(f"{path} holds the same {layer} in another order or form ({rows}): {REMEDY}")
        try:
            open_rows(path, asset, (job.region.width, job.region.height)).close()
        except (OSError, ValueError):  # truncated or damaged
            return False
    return True


def journal_path(out: Path) -> Path:
    """world.png -> world.png.part.json"""
    return sidecar_path(part_path(out))


def read_journal(path: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """The journal of an interrupted job, or None if there is none.

    Raises:
        ValueError: it is the journal of another job.
    """
    if not path.exists():
        return None
    remedy = f"delete {path} to start over"
    try:
        journal: dict[str, Any] = json.loads(path.read_bytes())
        begun = journal["identity"]
        other = {k for k in begun.keys() | identity if begun.get(k) != identity.get(k)}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not a journal of an interrupted job; {remedy}") from error
    if other:
        differences = ", ".join(f"{k} {begun.get(k)!r:.40}, now {identity.get(k)!r:.40}" for k in sorted(other))
        raise ValueError(
            f"{path} is of an interrupted job with {differences}: run that one again to finish it, or {remedy}"
        )
    return journal


def say_kept(journal: Path) -> None:
    """Tell the user that the same command resumes."""
    print(f"{journal} keeps what is done: the same command goes on; delete it to start over", file=sys.stderr)


def interrupted(path: Path, identity: dict[str, Any], *, force: bool) -> dict[str, Any] | None:
    """The same as `read_journal`, but with `force` the journal of another job is deleted."""
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
    """Write a map, or resume it.

    Args:
        runtime: what makes the land.
        job: the map.
        advance: called with pixels made, or found in files of an interrupted job.
        model: the SHA-256 of the model file that must make it, if that matters.
        force: delete the journal of another interrupted job.

    Returns:
        The paths written.

    Raises:
        ValueError: another job was interrupted, or this one was begun with another model.
        OSError: the disk is full, ...
        RpcError: the runtime refused a request.
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
    """Rename all files from their temporary names, and write the preview. Files renamed before stay as they are.

    Raises:
        ValueError: a file is gone.
    """
    for file, _ in job.files.values():
        for path in (file, sidecar_path(file)):
            if part_path(path).exists():
                finish_part(path)
            elif not path.exists():
                raise ValueError(f"{path} is gone, written as it was: delete {journal_path(job.out)} to start over")
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
                writer.sync()  # the journal must not say more than the files hold
                state["files"][layer] = writer.state
            replace_file(journal_path(job.out), json.dumps(state).encode())
    for writer in writers.values():
        writer.finish()
        writer.sync()
    return state, assets


def _whole(region: Region, chunk: dict[str, Any]) -> dict[str, Any]:
    """The metadata of a response for the whole region, from those of a response for a part of it."""
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
    """Write the hillshade of the heights that were written."""
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
