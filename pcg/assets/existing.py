"""Files that are there already: kept if they hold the asset asked for, and replaced only with --force."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from pcg.assets.region import Runtime, other_version
from pcg.writers.files import check_target
from pcg.writers.provenance import read_asset
from runtime.content.provenance import STATEMENT
from runtime.errors import RpcError

Provenance = Mapping[str, Any]
Failed = dict[int, str]  # seeds whose wishes could not be met, and why
REMEDY = "give another name, or --force to replace it"


@dataclass(frozen=True)
class Request:
    """The method and the parameters that an asset is made from.

    `defaults`: values of parameters that an older provenance may lack. `ignored`: parameters that do not change the
    asset.
    """

    method: str
    params: Mapping[str, Any]
    defaults: Mapping[str, Any]
    ignored: tuple[str, ...] = ()

    def difference(self, made: Provenance) -> str | None:
        """How the request of another asset differs, in words; None if its provenance is of this request."""
        if made.get("method") != self.method:
            return f"an asset of {made.get('method')!r:.40}, not of {self.method}"
        params = made.get("params")
        if not isinstance(params, Mapping):
            return "an asset that does not say what it was made of"
        pairs = {name: (params.get(name, self.defaults.get(name)), value) for name, value in self.params.items()}
        other = [
            f"{name} {_plain(was)!r:.40}, now {_plain(now)!r:.40}"
            for name, (was, now) in pairs.items()
            if name not in self.ignored and _plain(was) != _plain(now)
        ]
        return f"another asset ({'; '.join(other)})" if other else None


def request_of(
    method: str, struct: type[msgspec.Struct], params: Mapping[str, Any], ignored: tuple[str, ...] = ()
) -> Request:
    """A request with its defaults. Nothing is checked: the method refuses what is wrong.

    Args:
        method: the method's name.
        struct: the class of the method's parameters.
        params: the parameters given.
        ignored: parameters that do not change the asset.
    """
    known = {field.name for field in msgspec.structs.fields(struct)}
    defaults = {
        field.name: field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        for field in msgspec.structs.fields(struct)
        if not field.required
    }
    names = sorted(known | params.keys())
    return Request(method, {name: params.get(name, defaults.get(name)) for name in names}, defaults, ignored)


def _plain(value: Any) -> Any:
    """A value as it comes back from JSON, which has no tuples."""
    return json.loads(json.dumps(value))


def provenance_of(path: Path) -> Provenance | None:
    """The provenance in a file: a picture, a file with a sidecar, a level in JSON, an atlas. None if it has none."""
    try:
        said = read_asset(path)
        said = said["meta"]["pcg"] if "meta" in said else said
        made = said["provenance"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return made if isinstance(made, Mapping) else None


class Existing:
    """Checks files before they are written. With `force` no file is kept, and every file is replaced."""

    def __init__(self, runtime: Runtime, *, force: bool = False) -> None:
        self._runtime, self.force = runtime, force
        self._version = functools.cache(self._other_version)

    def holds(
        self, path: Path, request: Callable[[], Request], read: Callable[[Path], Provenance | None] = provenance_of
    ) -> bool:
        """Whether a file is there and holds the asset that the request gives with the models of this runtime.

        `request` is called only if there is a file; `read` gives the provenance in a file.

        Raises:
            FileExistsError: the file holds something else; OSError: it can't be written.
        """
        check_target(path)
        if self.force or not path.exists():
            return False
        if (made := read(path)) is None:
            raise FileExistsError(f"{path} is there, and was not written by pcg (or was saved again): {REMEDY}")
        fault = request().difference(made) or self._version(json.dumps(_models(made)))
        if fault is not None:
            raise FileExistsError(f"{path} holds {fault}: {REMEDY}")
        return True

    def spare(self, path: Path, data: bytes, request: Callable[[], Request]) -> None:
        """Check that `data` may replace a file beside an asset.

        It may if there is no file, if the file holds the same, or if its provenance is of the request. Credits may be
        replaced if they are of any asset made here.

        Raises:
            FileExistsError: the file holds something else; OSError: it can't be written.
        """
        check_target(path)
        if self.force or not path.exists():
            return
        found = path.read_bytes()
        if found == data or (path.suffix == ".txt" and found.startswith(STATEMENT.encode())):
            return
        self.holds(path, request)

    def is_same(self, path: Path, data: bytes) -> bool:
        """Whether a file is there and holds `data`.

        Raises:
            FileExistsError: the file holds something else; OSError: it can't be written.
        """
        check_target(path)
        if self.force or not path.exists():
            return False
        if path.read_bytes() != data:
            raise FileExistsError(f"{path} is there, and holds something else: {REMEDY}")
        return True

    def _other_version(self, models: str) -> str | None:
        try:
            return other_version(self._runtime, json.loads(models))
        except RpcError as error:
            return f"what can't be compared: {error}"


def _models(made: Provenance) -> dict[str, Any]:
    """The names of the models in a provenance, and the SHA-256 of their files."""
    names = ("model", "sha256")
    return {name: made.get(name) for name in names} | {
        "with": [{name: model.get(name) for name in names} for model in made.get("with", ())]
    }
