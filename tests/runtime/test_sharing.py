"""Threads that wait sleep, in every way in, unless an operator says otherwise."""

from __future__ import annotations

import ast
import os
import subprocess
import sys

import pytest

from runtime import sharing

ENTRIES = {
    "the command line": "import pcg.cli",
    "in process": "from runtime.local import Local",
    "a server": "from runtime.serving.process import serve_until_stopped",
    "the engine": "import runtime.engine",
    "a client": "from runtime.client import Client",
    "the demo": "import demos.world.app",
    "training": "import pcg.terrain.train",
}


def environment(**more: str) -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in sharing.SPIN_VARIABLES} | more


def seen(code: str, env: dict[str, str]) -> dict[str, str | None]:
    """What the environment says of waiting once `code` has run, and whether torch was there before it was said."""
    script = f"""
import os, sys, importlib.abc
class Watch(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "torch":
            print("torch finds", {{v: os.environ.get(v) for v in {sharing.SPIN_VARIABLES!r}}})
sys.meta_path.insert(0, Watch())
{code}
print("now", {{v: os.environ.get(v) for v in {sharing.SPIN_VARIABLES!r}}})
"""
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = [ast.literal_eval("{" + line.partition("{")[2]) for line in done.stdout.splitlines()]
    assert all(each == found[0] for each in found), done.stdout
    return found[0]


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_way_in_says_how_to_wait_before_torch_is_loaded(entry: str) -> None:
    assert seen(ENTRIES[entry], environment()) == {"OMP_WAIT_POLICY": None, **sharing.SHARED}


@pytest.mark.parametrize(
    "own",
    [{"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": "PASSIVE"}, {"GOMP_SPINCOUNT": "7"}, {"KMP_BLOCKTIME": "1"}],
)
def test_settings_of_the_operator_are_not_changed(own: dict[str, str]) -> None:
    said = dict(own)
    sharing.sleep_while_waiting(said)
    assert said == own
    sharing.spin_while_waiting(said)
    assert said == own


def test_a_dedicated_machine_spins() -> None:
    said: dict[str, str] = {}
    sharing.sleep_while_waiting(said)
    assert said == sharing.SHARED
    sharing.spin_while_waiting(said)
    assert said == sharing.DEDICATED


def test_new_threads_inherit_the_lower_priority() -> None:
    script = """
import os, threading
from runtime import sharing
def niceness():
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
seen = []
def work():
    sharing.give_way()
    inner = threading.Thread(target=lambda: seen.append(niceness()))
    inner.start()
    inner.join()
outer = threading.Thread(target=work)
before = niceness()
outer.start()
outer.join()
print(before, seen[0], niceness())
"""
    if sys.platform != "linux":
        pytest.skip("niceness of threads is Linux's")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    before, inner, after = map(int, done.stdout.split())
    assert inner == (before or sharing.NICE)
    assert after == before
