"""What the exports of all families share: measuring golden vectors, reading a run, writing a model file.

pcg export runs/00003-terrain-detail runtime/models/terrain-detail.ts --coarse runs/00004-terrain-coarse

The export.py of a family has the rest: its networks, the calls of its golden vectors, and its card.
"""

from __future__ import annotations

import hashlib
import io
import json
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import torch

from pcg.learning import checkpoint
from pcg.writers.files import replace_file
from runtime import card as cards
from runtime.card import Card, Golden, Quality
from runtime.engine import digest
from runtime.registry import SUMS, Registry, read_sums

CARD_FILE = "card.json"
FIRST_MODEL = "terrain-detail"  # the model of old runs whose config.toml names none
SEED_MAX = 2**53 - 1


def measure_golden(module: Any, calls: Iterable[tuple[str, list[Any]]]) -> list[Golden]:
    """Compute the golden vectors of a scripted module on this machine, in float32 and bfloat16.

    Args:
        module: the scripted module.
        calls: (method, arguments), with arguments as in `runtime.card.Golden`.

    Raises:
        ValueError: the two precisions differ, so the module is not exact.
    """
    golden = []
    for method, arguments in calls:
        digests = set()
        for precision in (32, 16):
            module.use_precision(precision)
            with torch.inference_mode():
                tensors = [a if isinstance(a, int) else torch.tensor(a) for a in arguments]
                digests.add(digest(getattr(module, method)(*tensors).numpy()))
        if len(digests) != 1:
            raise ValueError(f"not exact: float32 and bfloat16 differ at {method}{tuple(arguments[:5])}")
        golden.append(Golden(method, arguments, digests.pop()))
    module.use_precision(32)
    return golden


def read_quality(run: Path) -> list[Quality]:
    """The metrics that `pcg eval` wrote to the run's quality.json; none if the checkpoint is newer."""
    path = run / "quality.json"
    if not path.exists() or path.stat().st_mtime < (run / checkpoint.NAME).stat().st_mtime:
        return []
    return msgspec.json.decode(path.read_bytes(), type=list[Quality])


def run_model(run: Path) -> str:
    """The name of the model that a run trains. Raises FileNotFoundError when the folder is no run."""
    path = run / "config.toml"
    if not path.exists():
        raise FileNotFoundError(f"{run} holds no config.toml; give the folder of a run that has started")
    return str(tomllib.loads(path.read_text()).get("model", FIRST_MODEL))


def read_run(run: Path, model: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The checkpoint, config.toml and data.json of a run. Raises ValueError when it is a run of another model."""
    state = checkpoint.load(run)
    trained = run_model(run)
    if trained != model:
        raise ValueError(f"{run} is a run of {trained}; here one of {model} is needed")
    config = tomllib.loads((run / "config.toml").read_text())
    config.pop("model", None)
    return state, config, json.loads((run / "data.json").read_text())


def write_model(module: Any, card: Card, out: Path) -> None:
    """Save module and card to `out` atomically, and write its checksum to the SHA256SUMS beside it."""
    sums = read_sums(out.parent)
    buffer = io.BytesIO()
    torch.jit.save(module, buffer, _extra_files={CARD_FILE: cards.encode(card)})
    data = deflated(buffer.getvalue())
    sums[out.name] = hashlib.sha256(data).hexdigest()
    replace_file(out, data)
    replace_file(out.parent / SUMS, "".join(f"{sha}  {name}\n" for name, sha in sorted(sums.items())).encode())


def deflated(archive: bytes) -> bytes:
    """A zip archive with its entries compressed. torch.jit.save does not compress, but torch.jit.load reads both.

    The weights are 8-bit integers times a power of two in bfloat16, so they compress to half the size.
    """
    smaller = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as stored, zipfile.ZipFile(smaller, "w") as made:
        for entry in stored.infolist():
            # ZipInfo has a fixed date, so that the same model gives the same bytes.
            made.writestr(zipfile.ZipInfo(entry.filename), stored.read(entry), zipfile.ZIP_DEFLATED)
    return smaller.getvalue()


@contextmanager
def registry_of(
    model: str, models: Path | None, run: Path | None, export: Callable[[Path, Path], Card]
) -> Iterator[Registry]:
    """A registry of the models of a folder, or of one run's model alone.

    Args:
        model: the name that the run must have.
        models: the folder of models; None for the bundled ones.
        run: the folder of a run, or None.
        export: writes the model file of a run.

    Raises:
        ValueError: `run` trains another model.
    """
    if run is None:
        yield Registry(models)
        return
    if (trained := run_model(run)) != model:
        raise ValueError(f"{run} is a run of {trained}, not of {model}")
    with TemporaryDirectory() as folder:
        export(run, Path(folder) / f"{model}.ts")
        yield Registry(Path(folder))
