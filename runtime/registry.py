"""Finds and verifies model files: the folder's SHA256SUMS, the card inside each file.

A model file is code. So it is read only from the folder that the operator named, and only if the folder's SHA256SUMS
lists its checksum. Refused files are listed with the reason, so that `pcg models` can show them.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from runtime import card as cards
from runtime.card import Card
from runtime.errors import Code, RpcError, nearest, shown

BUNDLED = Path(__file__).parent / "models"
SUMS = "SHA256SUMS"
SUFFIX = ".ts"


@dataclass(frozen=True, eq=False)
class ModelFile:
    """A verified model file. `data` is what was hashed: the engine loads these bytes, and does not read the file again.

    Two records are equal only if they are the same object, even if their bytes are equal.
    """

    path: Path
    sha256: str
    card: Card
    data: bytes

    @property
    def unpacked_bytes(self) -> int:
        """The size of the file's content, decompressed: about the memory that the model takes."""
        with zipfile.ZipFile(io.BytesIO(self.data)) as archive:
            return sum(entry.file_size for entry in archive.infolist())


class Refused(ValueError):
    """A model file must not be loaded; the message is the reason."""


def read_sums(folder: Path) -> dict[str, str]:
    """Hex SHA-256 by file name, as `sha256sum` writes them; empty if there is no SHA256SUMS.

    Raises:
        Refused: a line has another form.
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
        Refused: it is not an archive, or has no valid card.
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
        Refused: the checksum is missing or wrong, or the card is not valid.
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
    """The models of one folder, by name. If it has several versions of a model, NAME is the newest, and NAME@VERSION
    is each of them.

    `models` and `refused` are replaced as a whole and never changed, so a reader sees one state of the folder.

    Raises:
        FileNotFoundError: there is no such folder.
        Refused: the folder's SHA256SUMS is malformed.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or BUNDLED
        if not self.folder.is_dir():
            raise FileNotFoundError(f"no models folder {self.folder}")
        self.models: Mapping[str, ModelFile] = {}
        self.refused: Mapping[str, str] = {}
        self._seen = ""
        self._adopt(*self._read())

    def reload(self, prove: Callable[[ModelFile], object] = lambda _: None) -> bool:
        """Read the folder again if it has changed; returns whether the models changed.

        A new file is proved before it is served. If it is refused, by `read_model` or by an RpcError of `prove`, the
        model that it would replace stays, and `refused` says why.

        Raises:
            OSError: the folder can't be read; nothing changes.
            Refused: SHA256SUMS is malformed; nothing changes.
        """
        if self._signature() == self._seen:
            return False
        files, refused = self._read()
        before = {model.path: model for model in self.models.values()}
        for path, model in list(files.items()):
            try:
                if model not in before.values():
                    prove(model)
            except RpcError as error:
                refused[path.stem] = error.message
                del files[path]
        for path, model in before.items():
            if path.stem in refused and path.exists():
                files.setdefault(path, model)
        return self._adopt(files, refused)

    def withdraw(self, model: ModelFile, reason: str) -> None:
        """Stop serving a model, and list it as refused with `reason`."""
        files = {other.path: other for other in self.models.values() if other is not model}
        self._adopt(files, {**self.refused, model.path.stem: reason})

    def _signature(self) -> str:
        """The names, times and sizes of the folder's files: it differs when a file changes."""
        paths = [self.folder / SUMS, *sorted(self.folder.glob("*" + SUFFIX))]
        return repr([(p.name, s.st_mtime_ns, s.st_size, s.st_ino) for p in paths if p.exists() and (s := p.stat())])

    def _read(self) -> tuple[dict[Path, ModelFile], dict[str, str]]:
        """The folder's valid models by path (the same record if unchanged), and why others are refused."""
        self._seen = self._signature()
        known = {(model.path, model.sha256): model for model in self.models.values()}
        sums = read_sums(self.folder)
        files, refused = {}, {}
        for path in sorted(self.folder.glob("*" + SUFFIX)):
            try:
                model = read_model(path, sums.get(path.name))
            except Refused as error:
                refused[path.stem] = str(error)
            else:
                files[path] = known.get((path, model.sha256), model)
        for name in sums:
            if name.endswith(SUFFIX) and not (self.folder / name).exists():
                refused[name.removesuffix(SUFFIX)] = f"{name} is in {SUMS} but not in the folder"
        return files, refused

    def _adopt(self, files: dict[Path, ModelFile], refused: dict[str, str]) -> bool:
        models: dict[str, ModelFile] = {}
        versions: dict[str, Path] = {}
        for path, model in sorted(files.items(), key=lambda item: _version(item[1]), reverse=True):  # newest first
            name = f"{model.card.name}@{model.card.version}"
            if name in versions:
                refused[path.stem] = f"{path.name}: {versions[name].name} is {name} already"
                continue
            versions[name] = path
            models[name if model.card.name in models else model.card.name] = model
        changed = models != self.models
        self.models, self.refused = dict(sorted(models.items())), refused
        return changed

    def find(self, name: str) -> ModelFile:
        """The model of that name.

        Raises:
            RpcError: MODEL_REFUSED with the reason, or MODEL_NOT_FOUND with the nearest name.
        """
        if name in self.models:
            return self.models[name]
        plain, _, version = name.partition("@")
        if version and plain in self.models and self.models[plain].card.version == version:
            return self.models[plain]
        if name in self.refused:
            raise RpcError(Code.MODEL_REFUSED, f"model {name!r} is refused: {self.refused[name]}")
        refused = f"; refused: {', '.join(self.refused)}" if self.refused else ""
        raise RpcError(Code.MODEL_NOT_FOUND, f"unknown model {shown(name)}{nearest(name, self.models)}{refused}")


def _version(model: ModelFile) -> list[tuple[int, str]]:
    """A sort key for versions that puts 1.9 before 1.10."""
    parts = re.findall(r"\d+|\D+", model.card.version)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
