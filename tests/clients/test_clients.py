"""MessagePack-RPC clients that nobody here wrote, as their authors publish them, against a whole runtime.

Each is a program that takes a port, and prints what it got: a result, the number of an error, and a chunk. One more,
with_no_library.js, was written from docs/protocol.md alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.client import Client
from runtime.errors import Code
from runtime.wire.arrays import to_wire

HERE = Path(__file__).parent
LANGUAGES = {".py": sys.executable, ".js": "node", ".lua": "lua5.1"}
NEEDS = {
    "with_no_library.js": ["node", "--version"],
    "with_msgpack5rpc.js": ["node", "-e", "require('msgpack5rpc')"],
    "with_neovim.js": ["node", "-e", "require('neovim')"],
    "with_mpack.lua": ["lua5.1", "-e", "require 'mpack' require 'socket'"],
}


@pytest.fixture
def expected(runtime_port: int) -> dict[str, object]:
    """What every program must have got."""
    with Client("127.0.0.1", runtime_port) as client:
        height = to_wire(client.call("terrain.chunk", seed=7, x=-40, size=16)["height"])
    return {"ready": True, "code": Code.OUT_OF_RANGE, "shape": height["shape"], "data": bytes(height["data"]).hex()}


@pytest.mark.parametrize("name", sorted(path.name for path in HERE.glob("with_*")))
def test_client(name: str, runtime_port: int, expected: dict[str, object], needs: Callable[..., None]) -> None:
    if name in NEEDS:
        needs(*NEEDS[name])
    program = [LANGUAGES[Path(name).suffix], str(HERE / name), str(runtime_port)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60)
    assert done.stdout, done.stderr
    assert json.loads(done.stdout) == expected
