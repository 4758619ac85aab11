"""Finds and verifies model files: the folder's SHA256SUMS, the card inside each file.

A model file is code, so it is read only from the folder the operator named, and only when its checksum is listed
there. What is refused stays listed with its reason, so that `pcg models` can show it.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

from runtime import card as cards
from runtime.card import Card
from runtime.errors import Code, RpcError, did_you_mean

BUNDLED = Path(__file__).parent / "models"
SUMS = "SHA256SUMS"
SUFFIX = ".ts"


@dataclass(frozen=True)
class ModelFile:
    """A verified model file. `data` is what was hashed: the engine loads these bytes, not the path again."""

    path: Path
    sha256: str
    card: Card
    data: bytes


class Refused(ValueError):
    """A model file that may not be loaded; the message is the reason."""


def read_sums(folder: Path) -> dict[str, str]:
    """File name to hex SHA-256, as `sha256sum` writes them; empty where there is no SHA256SUMS.

    Raises:
        Refused: a line is not of that form.
    """
    path = folder / SUMS
    if not path.exists():
        return {}
    sums = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        digest, _, name = line.partition(" ")
        name = name.strip().removeprefix("*")
        if not name or len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise Refused(f"{path}, line {number}: not a line of sha256sum: {line!r}")
        sums[name] = digest
    return sums


def read_card(data: bytes) -> Card:
    """The card inside a TorchScript archive's bytes.

    Raises:
        Refused: no archive, no card, or a card that is not valid.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [n for n in archive.namelist() if n.endswith("/extra/card.json")]
            if len(names) != 1:
                raise Refused("holds no card.json")
            return cards.decode(archive.read(names[0]))
    except zipfile.BadZipFile as error:
        raise Refused(f"is not a TorchScript file: {error}") from error
    except ValueError as error:
        raise error if isinstance(error, Refused) else Refused(str(error)) from error


def read_model(path: Path, expected: str | None) -> ModelFile:
    """Read and verify one file; `expected` is its line in SHA256SUMS.

    Raises:
        Refused: the checksum is missing or differs, or the card is.
    """
    if expected is None:
        raise Refused(f"{path.name} is not in {SUMS}; add it with 'sha256sum {path.name} >> {SUMS}' if you trust it")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Refused(f"{path.name} can't be read: {error}") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != expected:
        raise Refused(f"{path.name} has SHA-256 {digest}, but {SUMS} says {expected}: damaged, or not the file it was")
    try:
        return ModelFile(path, digest, read_card(data), data)
    except Refused as error:
        raise Refused(f"{path.name} {error}") from error


class Registry:
    """The models of one folder, by name; read once, at construction.

    Raises:
        FileNotFoundError: there is no such folder.
        Refused: the folder's SHA256SUMS is malformed.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or BUNDLED
        if not self.folder.is_dir():
            raise FileNotFoundError(f"no models folder {self.folder}")
        self.models: dict[str, ModelFile] = {}
        self.refused: dict[str, str] = {}
        sums = read_sums(self.folder)
        for path in sorted(self.folder.glob("*" + SUFFIX)):
            try:
                model = read_model(path, sums.get(path.name))
            except Refused as error:
                self.refused[path.stem] = str(error)
                continue
            if model.card.name in self.models:
                self.refused[path.stem] = f"{path.name}: another file is named {model.card.name!r} already"
                continue
            self.models[model.card.name] = model
        for name in sums:
            if name.endswith(SUFFIX) and not (self.folder / name).exists():
                self.refused[name.removesuffix(SUFFIX)] = f"{name} is in {SUMS} but not in the folder"

    def find(self, name: str) -> ModelFile:
        """The model of that name.

        Raises:
            RpcError: MODEL_REFUSED with the reason, or MODEL_NOT_FOUND with the nearest name.
        """
        if name in self.models:
            return self.models[name]
        if name in self.refused:
            raise RpcError(Code.MODEL_REFUSED, f"model {name!r} is refused: {self.refused[name]}")
        near = did_you_mean(name, self.models) or "; there are: " + (", ".join(self.models) or "none")
        refused = f"; refused: {', '.join(self.refused)}" if self.refused else ""
        raise RpcError(Code.MODEL_NOT_FOUND, f"unknown model {name!r:.80}{near}{refused}")
