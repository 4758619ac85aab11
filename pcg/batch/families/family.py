"""What a batch needs to know of a kind of asset. A new kind is one `Family`, and its line in `table.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from pcg.assets.region import Runtime
from runtime.content.checks import invalid
from runtime.registry import Registry

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Written:
    """A file of an asset, and its role (docs/batch.md). `shared`: several assets may have it."""

    path: Path
    role: str

    @property
    def shared(self) -> bool:
        """Whether other assets of the folder may have the same file."""
        return self.role in ("shared", "credits")


@dataclass(frozen=True)
class Made:
    """An asset that was made and is not written yet.

    `response`: what `Family.write` needs. `measures`, `tags`, `details`, `latents`: as docs/batch.md says.
    """

    response: Any
    provenance: Mapping[str, Any]
    measures: dict[str, float]
    tags: dict[str, str] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    latents: list[float] | None = None


@dataclass(frozen=True)
class Cost:
    """About what one asset takes: bytes on the disk, and seconds of one processor core."""

    size: float
    seconds: float


@dataclass(frozen=True)
class Family:
    """One kind of asset.

    kind: the table of the specification, and the verb of the command line.
    family: the family of models.
    request: the parameters of a request.
    own: parameters that a specification can't give, such as the seed.
    options: how an asset is written.
    measures, tags: what can be filtered by, and what it means. A name that ends in ".*" stands for several.
    more_tags: tags that depend on the models.
    check: raises RpcError or ValueError for parameters (the seed among them) and options that can't be met, and returns
        the names of the models.
    make: makes the asset of a request.
    write: writes it, under the given path without an ending; the first file is the main one.
    cost: about what one asset takes.
    """

    kind: str
    family: str
    request: type[msgspec.Struct]
    options: type[msgspec.Struct]
    measures: Mapping[str, str]
    tags: Mapping[str, str]
    check: Callable[[Params, Any, Registry], list[str]]
    make: Callable[[Runtime, Params, Any], Made]
    write: Callable[[Made, Path, Any], list[Written]]
    cost: Callable[[Params, Any], Cost]
    own: frozenset[str] = frozenset({"seed"})
    more_tags: Callable[[Registry], Iterable[str]] = lambda _: ()

    @property
    def parameters(self) -> list[str]:
        """The parameters that a specification may give."""
        return [name for name in self.request.__struct_fields__ if name not in self.own]

    @property
    def option_names(self) -> list[str]:
        """The options that a specification may give."""
        return [name for name in self.options.__struct_fields__ if name not in self.parameters]


def is_known(name: str, names: Mapping[str, str]) -> bool:
    """Whether a measure or a tag has a name.

    >>> is_known("counts.boxes", {"counts.*": ""}), is_known("boxes", {"counts.*": ""})
    (True, False)
    """
    return name in names or any(known.endswith(".*") and name.startswith(known[:-1]) for known in names)


@contextmanager
def about(parameter: str) -> Iterator[None]:
    """Turn a ValueError into an RpcError that names the parameter."""
    try:
        yield
    except ValueError as error:
        raise invalid(parameter, str(error)) from error
