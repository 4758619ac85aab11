"""The model card: what a model file says about itself. JSON in, a frozen record out; needs neither torch nor a file.

A card that lacks a field, or whose field has the wrong type, is refused with the field's name.
"""

from __future__ import annotations

from typing import Any

import msgspec

MODULE_FORMAT = "torchscript-1"  # the file's format; others may be added


class Parameter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One parameter of a model's requests. `minimum` and `maximum` are inclusive."""

    type: str
    description: str
    default: Any = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    choices: list[str] | None = None
    unit: str | None = None


class TrainingData(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One data set a model was trained on."""

    name: str
    licence: str
    count: int
    unit: str


class Training(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a model was trained. `wall_s`: seconds in total, also after resuming."""

    device: str
    steps: int
    wall_s: float
    commit: str
    config: dict[str, Any] = {}


class Quality(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One measured value, and what it is measured against."""

    metric: str
    value: float
    against: str
    floor: float | None = None  # the same metric of real data against real data


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call of the module, and the SHA-256 of its result's little-endian bytes.

    `arguments`: a list is an int64 tensor, nested lists are one with more axes, an integer is an integer.
    """

    method: str
    arguments: list[list[Any] | int]
    sha256: str


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole card. `threads`: more CPU threads do not make the model faster; None: it uses all."""

    name: str
    version: str
    family: str
    format: str
    description: str
    licence: str
    parameters: dict[str, Parameter]
    outputs: dict[str, dict[str, Any]]
    training_data: list[TrainingData]
    training: Training
    quality: list[Quality]
    limits: list[str]
    golden: list[Golden]
    threads: int | None = None
    credits: str = ""  # the people that an asset of this model must name, as text

    def __post_init__(self) -> None:
        if self.format != MODULE_FORMAT:
            raise ValueError(f"format {self.format!r} is not known; this runtime reads {MODULE_FORMAT!r}")
        if not self.golden:
            raise ValueError("needs at least one golden vector")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads {self.threads}: at least 1")


def decode(data: bytes) -> Card:
    """The card in JSON bytes.

    Raises:
        ValueError: not JSON, or not a card; the message names the field.
    """
    try:
        return msgspec.json.decode(data, type=Card)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a valid model card: {error}") from error


def encode(card: Card) -> bytes:
    """The card as JSON bytes, indented for a reader."""
    return msgspec.json.format(msgspec.json.encode(card), indent=1)


def to_dict(card: Card) -> dict[str, Any]:
    """The card as plain values, as the wire carries it."""
    plain: dict[str, Any] = msgspec.to_builtins(card)
    return plain
