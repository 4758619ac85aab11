"""What fuzzing begins with: the corpus of attacks, as a target reads it."""

from __future__ import annotations

import random
from pathlib import Path

ATTACKS = Path(__file__).parents[1] / "attacks"
MOST_BYTES = 4096
MOST_TIMES = 40


def of(target: str) -> list[bytes]:
    """Inputs for a target."""
    if target != "protocol":
        chance = random.Random(1)
        return [chance.randbytes(n) for n in range(1, 150)]
    return [how + data for data in attacks() for how in (b"\x08\0", b"\0\0")]


def attacks() -> list[bytes]:
    """The bytes of all attacks, their repetitions cut short."""
    found = []
    for path in sorted(ATTACKS.glob("*.hex")):
        lines = [line.partition(" x") for line in path.read_text().splitlines() if not line.startswith("#")]
        data = b"".join(bytes.fromhex(piece) * min(int(times or 1), MOST_TIMES) for piece, _, times in lines)
        found.append(data[:MOST_BYTES])
    return found
