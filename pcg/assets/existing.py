"""What is there already: kept where it is what was asked for, and never replaced by another asset unasked."""

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
Failed = dict[int, str]  # seeds of which nothing came that was asked for, and why
REMEDY = "give another name, or --force to replace it"


@dataclass(frozen=True)
class Request:
    """What an asset is made of: a method and its parameters. `defaults`: of those that a provenance may lack, since the
    version that wrote it had none of that name. `ignored`: parameters that make no other asset.
    """

    method: str
    params: Mapping[str, Any]
    defaults: Mapping[str, Any]
    ignored: tuple[str, ...] = ()

    def difference(self, made: Provenance) -> str | None:
        """What another asset is of, in words; None for this request's own."""
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
    """A request with its defaults, from the parameters given. What the method would refuse is left for it to refuse.

    `struct`: the method's parameters.
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
    """As JSON gives it back, where 1.0 is 1 and a tuple a list."""
    return json.loads(json.dumps(value))


def provenance_of(path: Path) -> Provenance | None:
    """What a file says made it: a picture, a sidecar or what has one, a level in JSON, an atlas. None if nothing."""
    try:
        said = read_asset(path)
        said = said["meta"]["pcg"] if "meta" in said else said
        made = said["provenance"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return made if isinstance(made, Mapping) else None


class Existing:
    """Looks at files before they are written. With `force` none is kept, and what isn't ours is replaced, too."""

    def __init__(self, runtime: Runtime, *, force: bool = False) -> None:
        self._runtime, self.force = runtime, force
        self._version = functools.cache(self._other_version)

    def holds(
        self, path: Path, request: Callable[[], Request], read: Callable[[Path], Provenance | None] = provenance_of
    ) -> bool:
        """Whether a file is there, and holds what the request gives here and now. It is asked for only if there is one.

        Raises:
            FileExistsError: it holds something else; OSError: it can't be written.
        """
        check_target(path)
        if self.force or not path.exists():
            return False
        if (made := read(path)) is None:
            raise FileExistsError(f"{path} is there, and was not written by pcg (or was saved anew): {REMEDY}")
        fault = request().difference(made) or self._version(json.dumps(_models(made)))
        if fault is not None:
            raise FileExistsError(f"{path} holds {fault}: {REMEDY}")
        return True

    def spare(self, path: Path, data: bytes, request: Callable[[], Request]) -> None:
        """See that a file beside an asset may be replaced by `data`: one that isn't there, is the same, or says that it
        is of the request; credits, if they are of any asset made here.

        Raises:
            FileExistsError: it is something else; OSError: it can't be written.
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
            FileExistsError: it holds something else; OSError: it can't be written.
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
    """The models that a provenance names, and their files."""
    names = ("model", "sha256")
    return {name: made.get(name) for name in names} | {
        "with": [{name: model.get(name) for name in names} for model in made.get("with", ())]
    }
