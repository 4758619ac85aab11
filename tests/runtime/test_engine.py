"""The engine: proves models on this machine, chooses an exact precision, and gives the same bytes everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from model_files import card, write_model

from runtime import card as cards
from runtime.card import Golden
from runtime.engine import Engine, digest
from runtime.errors import Code, RpcError
from runtime.registry import Registry


@pytest.fixture(scope="module")
def engine():
    engine = Engine("cpu")
    yield engine
    engine.close()


def test_runs_a_model(engine: Engine, tmp_path: Path) -> None:
    write_model(tmp_path)
    model = Registry(tmp_path).find("doubler")
    result = engine.submit(engine.run, model, "forward", np.array([3, 5])).result()
    assert result.tolist() == [6, 10]
    assert engine.loaded[model.sha256].precision in (16, 32)


def test_a_precision_that_is_not_exact_is_not_used(engine: Engine, tmp_path: Path) -> None:
    write_model(tmp_path, broken=(16,))
    assert engine.submit(engine.load, Registry(tmp_path).find("doubler")).result().precision == 32


def test_falls_back_to_float64(engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_model(tmp_path, broken=(16, 32))
    assert engine.submit(engine.load, Registry(tmp_path).find("doubler")).result().precision == 64
    assert "falls back to float64" in caplog.text


def test_a_model_that_is_never_exact_is_refused(engine: Engine, tmp_path: Path) -> None:
    write_model(tmp_path, card_bytes=cards.encode(card(golden=[Golden("forward", [[1]], "0" * 64)])))
    with pytest.raises(RpcError, match="golden") as caught:
        engine.submit(engine.load, Registry(tmp_path).find("doubler")).result()
    assert caught.value.code is Code.MODEL_REFUSED


def test_a_card_that_does_not_fit_its_module_is_refused(engine: Engine, tmp_path: Path) -> None:
    for golden in (Golden("backward", [[1]], "0" * 64), Golden("forward", [[2**70]], "0" * 64)):
        write_model(tmp_path, card_bytes=cards.encode(card(golden=[golden])))
        (tmp_path / "SHA256SUMS").write_text((tmp_path / "SHA256SUMS").read_text().splitlines()[-1] + "\n")
        with pytest.raises(RpcError, match="does not do what its card says") as caught:
            engine.submit(engine.load, Registry(tmp_path).find("doubler")).result()
        assert caught.value.code is Code.MODEL_REFUSED


def test_devices(engine: Engine) -> None:
    with pytest.raises(ValueError, match="unknown device 'gpu'"):
        Engine("gpu")
    assert str(engine.device) == "cpu"


def test_digest_is_of_little_endian_bytes() -> None:
    assert digest(np.array([1, 2], ">i4")) == digest(np.array([1, 2], "<i4"))


# --- the bundled world ---------------------------------------------------------------------------------------------

WORLD_SCRIPT = """
import json, sys, numpy as np
from runtime.engine import Engine, digest
from runtime.registry import Registry
import torch
places = [(7, 0, 0), (1, -1000, 250), (123456789, 2**31 + 17, -(2**33) - 5), (5, -(2**53), 2**53)]
model, seen = Registry().find("terrain-detail"), {}
for threads in (1, 2):
    engine = Engine("cpu", threads)
    module = engine.submit(engine.load, model).result().module
    for bits in (32, 16):
        module.use_precision(bits)
        forward = lambda *place: engine.submit(engine.run, model, "forward", *place, 64).result()
        alone = [forward(*(np.array([v]) for v in p))[0] for p in places]
        eight = forward(*(np.array(v * 2) for v in zip(*places)))
        for i, (p, a) in enumerate(zip(places, alone)):
            seen[f"{p} {threads} {bits} alone"] = digest(a)
            seen[f"{p} {threads} {bits} eight"] = digest(eight[i])
            seen[f"{p} {threads} {bits} eight, again"] = digest(eight[i + 4])
    engine.close()
print(json.dumps(seen))
"""


@pytest.mark.parametrize("isa", ["SSE41", "AVX2", "AVX512_CORE", None])
def test_one_seed_gives_the_same_bytes_on_every_instruction_set(isa: str | None) -> None:
    """Alone and in a batch of eight, one and two threads, float32 and bfloat16: one SHA-256 for each place.

    An instruction set that this processor lacks is capped to what it has, so the test holds there too.
    """
    environment = {k: v for k, v in os.environ.items() if k != "ONEDNN_MAX_CPU_ISA"}
    if isa:
        environment["ONEDNN_MAX_CPU_ISA"] = isa
    done = subprocess.run(
        [sys.executable, "-c", WORLD_SCRIPT], env=environment, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout)
    assert len(seen) == 4 * 2 * 2 * 3
    by_place: dict[str, set[str]] = {}
    for where, found in seen.items():
        by_place.setdefault(where.split(")")[0], set()).add(found)
    assert {place: len(found) for place, found in by_place.items()} == dict.fromkeys(by_place, 1)
    # And they are those of the file's golden vectors, where the place is one of them.
    golden = {g.sha256 for g in Registry().find("terrain-detail").card.golden}
    assert by_place["(7, 0, 0"] <= golden


def test_the_card_has_golden_vectors_from_far_and_negative_places() -> None:
    places = [g.arguments for g in Registry().find("terrain-detail").card.golden]
    assert any(x[0] < 0 for _, x, _, _ in places)
    assert any(x[0] > 2**31 for _, x, _, _ in places)
