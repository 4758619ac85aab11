"""Changes inputs at random, without watching what they reach: many more a second than run.py.

    python tests/fuzz/mutate.py protocol|parameters COUNT [--seed N] [FOLDER of inputs, such as run.py kept]

An input that a target does not survive, or over which it takes more than a minute, is left in crash.bin.
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import seeds
import targets

MOST_BYTES = 80
PATIENCE_S = 60
TELL_EVERY = 100_000
BYTES = (
    0x00,
    0x01,
    0x7F,
    0x80,
    0x90,
    0x91,
    0x93,
    0x94,
    0xA0,
    0xC0,
    0xC1,
    0xC4,
    0xC6,
    0xCA,
    0xCF,
    0xD4,
    0xDB,
    0xDD,
    0xFF,
)


def mutated(chance: random.Random, inputs: Sequence[bytes]) -> bytes:
    """One of the inputs with one to four changes."""
    data = bytearray(chance.choice(inputs))
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0:
                data[at : at + 1] = chance.randbytes(1)
            case 1:
                data[at : at + 1] = bytes([chance.choice(BYTES)])
            case 2:
                data[at:at] = bytes([chance.choice(BYTES)])
            case 3:
                del data[at : at + chance.randrange(1, 5)]
            case 4:
                data[at:at] = data[at : at + chance.randrange(1, 17)]
            case _:
                other = chance.choice(inputs)
                data[at:] = other[chance.randrange(len(other) + 1) :]
    return bytes(data[:MOST_BYTES])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=targets.NAMES)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("folder", type=Path, nargs="?")
    asked = parser.parse_intermixed_args()
    target, chance = targets.find(asked.target), random.Random(asked.seed)
    inputs = seeds.of(asked.target)
    if asked.folder is not None:
        inputs += [path.read_bytes()[:MOST_BYTES] for path in sorted(asked.folder.iterdir())]
    last = b""
    try:
        for number in range(asked.count):
            if number % 1000 == 0:
                faulthandler.dump_traceback_later(PATIENCE_S, exit=True)
            if number % TELL_EVERY == 0:
                print(f"{number} of {asked.count}", file=sys.stderr, flush=True)
            last = mutated(chance, inputs)
            target(last)
    except BaseException:
        Path("crash.bin").write_bytes(last)
        raise
    faulthandler.cancel_dump_traceback_later()
    print(f"{asked.count} executions of {asked.target}, from {len(inputs)} inputs and seed {asked.seed}")


if __name__ == "__main__":
    main()
