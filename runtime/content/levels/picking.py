"""Choices that a candidate's number makes: a hash, so that they are the same everywhere."""

from __future__ import annotations

import hashlib


def pick(seed: int, number: int, stream: str, choices: int) -> int:
    """One of 0 to choices - 1, the same for a seed, a number and a stream."""
    digest = hashlib.sha256(f"{seed} {number} {stream}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % choices
