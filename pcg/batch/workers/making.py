"""One order: its asset is made, judged, written to a staging folder, described, and moved to its place."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pcg.assets.region import Runtime
from pcg.batch.families.family import Made, Written
from pcg.batch.filters import first_fault
from pcg.batch.plan import Order, Place
from pcg.writers.files import told
from runtime.errors import Code, RpcError

CREDITS = "credits"  # folder of the credits, which assets of one model share


@dataclass(frozen=True)
class Finished:
    """An asset is made. `record`: its line of the manifest."""

    place: Place
    record: dict[str, Any]


@dataclass(frozen=True)
class Rejected:
    """An asset is not kept, or its wishes can't be met. `record`: its line of the rejected ones."""

    place: Place
    record: dict[str, Any]


@dataclass(frozen=True)
class Failed:
    """An order failed for a reason that another try may not have; `why` for a person."""

    place: Place
    why: str


def attempt(runtime: Runtime, order: Order) -> Made | Rejected:
    """Make an asset and judge it.

    Raises:
        RpcError: the runtime failed, which says nothing of the order; ConnectionError, TimeoutError.
    """
    try:
        made = order.family.make(runtime, order.params, order.options)
    except RpcError as error:
        if error.code in (Code.UNSATISFIED, Code.INVALID_PARAMS, Code.OUT_OF_RANGE):
            return Rejected(order.place, _rejected(order) | {"why": error.message})
        raise
    fault = first_fault(order.keep, made.measures, made.tags)
    if fault is None:
        return made
    about = {"why": fault, "measures": made.measures, "tags": made.tags}
    return Rejected(order.place, _rejected(order) | about)


def _rejected(order: Order) -> dict[str, Any]:
    return {"id": order.id, "kind": order.kind, "entry": order.entry, "seed": order.seed, "key": order.key}


def write(made: Made, order: Order, staging: Path) -> tuple[dict[str, Any], list[Written]]:
    """Write an asset's files into an empty staging folder, under the paths that they will have.

    Returns:
        The record of the manifest, and the files in the staging folder, the main one first.

    Raises:
        OSError: the disk is full, ...
    """
    files = order.family.write(made, staging / order.id, order.options)
    files = [_shared_credits(file, made, staging) if file.role == "credits" else file for file in files]
    described = [_describe(file, staging) for file in files]
    main = described[0]
    return {
        "id": order.id,
        "kind": order.kind,
        "family": order.family.family,
        "entry": order.entry,
        "seed": order.seed,
        "params": {name: value for name, value in order.params.items() if name != "seed"},
        "options": {name: getattr(order.options, name) for name in order.options.__struct_fields__},
        "file": main["path"],
        "picture": _picture(described),
        "files": described,
        "sha256": main["sha256"],
        "measures": made.measures,
        "tags": made.tags,
        "details": made.details,
        "latents": made.latents,
        "provenance": dict(made.provenance),
        "key": order.key,
    }, files


def _shared_credits(file: Written, made: Made, staging: Path) -> Written:
    """Credits of one model are the same for all its assets: one file for all, named for what is in it."""
    digest = hashlib.sha256(file.path.read_bytes()).hexdigest()
    path = staging / CREDITS / f"{made.provenance['model']}-{digest[:8]}.txt"
    path.parent.mkdir(exist_ok=True)
    file.path.rename(path)
    return Written(path, file.role)


def _describe(file: Written, staging: Path) -> dict[str, Any]:
    data = file.path.read_bytes()
    path = file.path.relative_to(staging).as_posix()
    return {"path": path, "role": file.role, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _picture(files: Sequence[Mapping[str, Any]]) -> str | None:
    """The picture that shows an asset: a preview, else the main file, else the same asset in another format."""
    pictures = {role: f["path"] for f in reversed(files) if f["path"].endswith(".png") for role in [f["role"]]}
    return next((pictures[role] for role in ("preview", "main", "format") if role in pictures), None)


def move(files: Sequence[Written], staging: Path, out: Path) -> None:
    """Move files from the staging folder to their places, the main one last. A file that is there is replaced."""
    for file in (*files[1:], files[0]):
        target = out / file.path.relative_to(staging)
        with told(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            file.path.replace(target)


def clear(staging: Path) -> None:
    """Remove a staging folder, whatever is left in it."""
    shutil.rmtree(staging, ignore_errors=True)
