"""Verifying a file of any family: the asset is made again from its provenance, and the decoded content is compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pcg.assets.region import Runtime
from pcg.assets.verify.characters import is_sprite, verify_sprite
from pcg.assets.verify.faults import fault_of
from pcg.assets.verify.levels import is_level, verify_level
from pcg.assets.verify.terrain import verify_map


@dataclass(frozen=True)
class Family:
    """`recognises`: whether a file is an asset of the family. `verify`: what is wrong with it, None if nothing is.

    `verify` is called with the runtime, the file and `advance`, and may raise for a damaged file.
    """

    recognises: Callable[[Path], bool]
    verify: Callable[[Runtime, Path, Callable[[int], None]], str | None]


# The first that recognises a file verifies it; terrain takes what is left, and says what is wrong with other files.
FAMILIES = (
    Family(is_sprite, lambda runtime, path, _: verify_sprite(runtime, path)),
    Family(is_level, lambda runtime, path, _: verify_level(runtime, path)),
    Family(lambda _: True, verify_map),
)


def verify(runtime: Runtime, path: Path, advance: Callable[[int], None] = lambda _: None) -> str | None:
    """Make an asset again and compare it with its file.

    `advance` is called with the pixels of a map that were compared. The sidecar of a set of tiles stands for all of
    them; an atlas stands for the sheet beside it, too.

    Returns:
        What is wrong, or None if the file holds what it says.

    Raises:
        ConnectionError: the server is gone.
    """
    family = next(one for one in FAMILIES if one.recognises(path))
    return fault_of(lambda: family.verify(runtime, path, advance))
