"""Fuzzes one target with atheris:  python tests/fuzz/run.py protocol|parameters [libFuzzer's options] [FOLDER]"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["runtime"]):
    import seeds
    import targets


def main() -> None:
    name, *options = sys.argv[1:]
    target = targets.find(name)
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(seeds.of(name)):
            Path(folder, str(number)).write_bytes(data)
        atheris.Setup([sys.argv[0], f"-max_len={seeds.MOST_BYTES}", "-timeout=60", *options, folder], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
