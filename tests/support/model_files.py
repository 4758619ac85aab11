"""A model file that needs no training: a module of two lines, and its card."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import msgspec
import torch

from runtime import card as cards
from runtime.card import Card, Golden, Parameter, Training, TrainingData
from runtime.engine import digest


class Doubler(torch.nn.Module):
    """Twice its input; in the precisions named by `broken` one more than that."""

    def __init__(self, broken: list[int]) -> None:
        super().__init__()
        self.precision = 32
        self.broken = broken

    @torch.jit.export
    def use_precision(self, bits: int) -> None:
        self.precision = bits

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wrong = 1 if self.precision in self.broken else 0
        return x * 2 + wrong


def card(**changes: Any) -> Card:
    """A valid card of a Doubler."""
    result = torch.tensor([2, 4]).numpy()
    return msgspec.structs.replace(
        Card(
            name="doubler",
            version="1",
            family="test",
            format=cards.MODULE_FORMAT,
            description="doubles",
            licence="MIT",
            parameters={"x": Parameter("integer", "what to double")},
            outputs={},
            training_data=[TrainingData("none", "none", 0, "items")],
            training=Training("cpu", 0, 0.0, "unknown"),
            quality=[],
            limits=[],
            golden=[Golden("forward", [[1, 2]], digest(result))],
        ),
        **changes,
    )


def write_model(
    folder: Path,
    name: str = "doubler",
    card_bytes: bytes | None = None,
    broken: tuple[int, ...] = (99,),
    *,
    module: torch.nn.Module | None = None,
    listed: bool = True,
) -> Path:
    """A Doubler, or another module, as a model file, listed in the folder's SHA256SUMS unless told otherwise."""
    buffer = io.BytesIO()
    extra = {} if card_bytes == b"" else {"card.json": cards.encode(card()) if card_bytes is None else card_bytes}
    torch.jit.save(torch.jit.script(module or Doubler(list(broken))), buffer, _extra_files=extra)
    path = folder / f"{name}.ts"
    path.write_bytes(buffer.getvalue())
    if listed:
        with (folder / "SHA256SUMS").open("a") as sums:
            sums.write(f"{hashlib.sha256(buffer.getvalue()).hexdigest()}  {path.name}\n")
    return path
