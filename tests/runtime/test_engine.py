"""The engine: proves models on this machine, chooses an exact precision, and gives the same bytes everywhere."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from model_files import card, write_model

from runtime import card as cards
from runtime import sharing
from runtime.card import Golden
from runtime.engine import Abandoned, Engine, digest
from runtime.errors import Code, RpcError
from runtime.registry import ModelFile, Registry


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


def test_the_precision_is_chosen_by_processor_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long other programs keep a precision's runs waiting, what counts is the work that it takes."""
    write_model(tmp_path)
    call = Engine._call

    def delayed(self: Engine, module: torch.nn.Module, *arguments: object, **options: object) -> object:
        if module.precision == 32:
            end = time.thread_time() + 0.02
            while time.thread_time() < end:
                pass
        else:
            time.sleep(0.1)
        return call(self, module, *arguments, **options)

    monkeypatch.setattr(Engine, "_call", delayed)
    with closing(Engine("cpu")) as engine:  # a fresh one: another has chosen for the same bytes already
        assert engine.submit(engine.load, Registry(tmp_path).find("doubler")).result().precision == 16


def test_a_precision_that_fails_a_later_golden_vector_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Golden("forward", [[1]], digest(np.array([2])))
    far = Golden("forward", [[5]], digest(np.array([10])))
    write_model(tmp_path, card_bytes=cards.encode(card(golden=[right, far])))
    call = Engine._call

    def wrong_once(
        self: Engine, module: torch.nn.Module, model: ModelFile, method: str, arguments: list, **options: int
    ) -> np.ndarray:
        result = call(self, module, model, method, arguments, **options)
        return result + 1 if module.precision == 16 and arguments[0][0] == 5 else result

    monkeypatch.setattr(Engine, "_call", wrong_once)
    monkeypatch.setattr(Engine, "_time", lambda *arguments: {32: 2.0, 16: 1.0}[arguments[-1]])
    with closing(Engine("cpu")) as engine:
        assert engine.submit(engine.load, Registry(tmp_path).find("doubler")).result().precision == 32


def test_an_engine_that_shares_gives_way() -> None:
    def niceness(engine: Engine) -> int:
        return engine.submit(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())).result()

    here = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    with closing(Engine("cpu")) as shares, closing(Engine("cpu", share=False)) as alone:
        assert niceness(alone) == here
        if sys.platform == "linux":
            assert niceness(shares) == (here or sharing.NICE)


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


def test_golden_arguments_may_have_more_axes(engine: Engine, tmp_path: Path) -> None:
    square = np.array([[2, 4], [6, 8]])
    write_model(tmp_path, card_bytes=cards.encode(card(golden=[Golden("forward", [[[1, 2], [3, 4]]], digest(square))])))
    assert engine.submit(engine.load, Registry(tmp_path).find("doubler")).result().precision in (16, 32)


def test_devices(engine: Engine) -> None:
    with pytest.raises(ValueError, match="unknown device 'gpu'"):
        Engine("gpu")
    assert str(engine.device) == "cpu"


def test_digest_is_of_little_endian_bytes() -> None:
    assert digest(np.array([1, 2], ">i4")) == digest(np.array([1, 2], "<i4"))


# --- the bundled world ---------------------------------------------------------------------------------------------

DIGESTS: list[dict[str, str]] = []  # by place, one for each instruction set so far

WORLD_SCRIPT = """
import json, numpy as np
from runtime.engine import Abandoned, Engine, digest
from runtime.registry import ModelFile, Registry
places = [(7, 0, 0), (1, -1000, 250), (123456789, 2**31 + 17, -(2**33) - 5), (5, -(2**53), 2**53)]
styles = [(0, 0, 0, 0), (0, 0, 0, 0), (127, 0, 0, 0), (30, 40, 0, 57)]
model, seen = Registry().find("terrain-detail"), {}
for threads in (1, 2):
    engine = Engine("cpu", threads)
    module = engine.submit(engine.load, model).result().module
    def run(method, *arguments):
        return engine.submit(engine.run, model, method, *arguments).result()
    for bits in (32, 16):
        module.use_precision(bits)
        for lod in (0, 2):
            asked = [(*(np.array([v]) for v in p), 64, lod, np.array([s])) for p, s in zip(places, styles)]
            alone = [run("forward", *arguments) for arguments in asked]
            eight = run("forward", *(np.array(v * 2) for v in zip(*places)), 64, lod, np.array(styles * 2))
            for i, (p, a) in enumerate(zip(places, alone)):
                for name, found in (("alone", a[0]), ("eight", eight[i]), ("eight, again", eight[i + 4])):
                    seen[f"{p} lod {lod}: {threads} {bits} {name}"] = digest(found)
        drawn = np.linspace(-900, 2600, 20 * 20).round().reshape(1, 20, 20)
        place = [np.array([v]) for v in (3, -2, 9)]
        for told in ((), (np.array([50]),)):
            seen[f"sketch, {len(told)} grains: {threads} {bits}"] = digest(run("detail", *place, drawn, 0, *told))
    engine.close()
print(json.dumps(seen))
"""


@pytest.mark.slow
@pytest.mark.parametrize("isa", ["SSE41", "AVX2", "AVX512_CORE", "AVX512_CORE_BF16", None])
def test_one_seed_gives_the_same_bytes_on_every_instruction_set(isa: str | None) -> None:
    """Alone and in a batch of eight, one and two threads, float32 and bfloat16: one SHA-256 for each place and level.

    An instruction set that this processor lacks is capped to what it has, so the test holds there too.
    """
    environment = {k: v for k, v in os.environ.items() if k != "ONEDNN_MAX_CPU_ISA"}
    environment["OMP_WAIT_POLICY"] = "PASSIVE"  # on a busy machine threads that spin take several times as long
    if isa:
        environment["ONEDNN_MAX_CPU_ISA"] = isa
    done = subprocess.run(
        [sys.executable, "-c", WORLD_SCRIPT], env=environment, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout)
    assert len(seen) == 2 * 2 * (4 * 2 * 3 + 2)
    by_place: dict[str, set[str]] = {}
    for where, found in seen.items():
        by_place.setdefault(where.split(":")[0], set()).add(found)
    assert {place: len(found) for place, found in by_place.items()} == dict.fromkeys(by_place, 1)
    # And they are those of the file's golden vectors, where the place is one of them.
    golden = {g.sha256 for g in Registry().find("terrain-detail").card.golden}
    assert by_place["(7, 0, 0) lod 0"] <= golden
    DIGESTS.append({place: found.pop() for place, found in by_place.items()})
    assert all(digests == DIGESTS[0] for digests in DIGESTS)


def test_the_card_has_golden_vectors_from_far_and_negative_places_and_of_every_kind() -> None:
    calls = Registry().find("terrain-detail").card.golden
    places = [g.arguments for g in calls if g.method == "forward"]
    assert any(x[0] < 0 for _, x, *_ in places)
    assert any(x[0] > 2**31 for _, x, *_ in places)
    assert {lod for *_, lod, _ in places} == set(range(5))
    assert len({tuple(style[0]) for *_, style in places}) > 5
    assert any(g.method == "window" for g in calls)


def test_a_large_chunk_is_made_of_the_same_land_as_a_small_one() -> None:
    """Kernels may be chosen by shape, so also at sizes that are served."""
    model = Registry().find("terrain-detail")
    with closing(Engine("cpu")) as engine:
        style = np.array([[0, 0, 0, 0]])

        def run(x: int, y: int, size: int) -> np.ndarray:
            place = (np.array([v]) for v in (9, x, y))
            return engine.submit(engine.run, model, "forward", *place, size, 0, style).result()[0]

        whole = run(-700, 90, 513)
        for left, top, size in ((0, 0, 17), (256, 200, 257), (500, 512, 1)):
            part = run(-700 + left, 90 + top, size)
            rows = min(size, 513 - top)
            columns = min(size, 513 - left)
            assert np.array_equal(part[:rows, :columns], whole[top : top + rows, left : left + columns])


def test_work_that_nobody_wants_stops_at_its_next_run(engine: Engine, tmp_path: Path) -> None:
    write_model(tmp_path)
    model = Registry(tmp_path).find("doubler")
    wanted = [True, True, False]
    runs = []

    def work() -> None:
        while True:
            runs.append(engine.run(model, "forward", np.array([1])))

    with pytest.raises(Abandoned):
        engine.submit(engine.run_unless_abandoned, work, lambda: not wanted.pop(0)).result()
    assert len(runs) == 2
    assert engine.submit(engine.run, model, "forward", np.array([1])).result().tolist() == [2]


def test_a_model_runs_in_no_more_threads_than_its_card_says(tmp_path: Path) -> None:
    write_model(tmp_path, "one", cards.encode(card(name="one", threads=1)))
    write_model(tmp_path, "all", cards.encode(card(name="all")))
    registry = Registry(tmp_path)
    engine = Engine("cpu", threads=2)
    used = []
    for name in ("one", "all", "one"):
        engine.submit(engine.run, registry.find(name), "forward", np.array([1])).result()
        used.append(engine.submit(torch.get_num_threads).result())
    engine.close()
    assert used == [1, 2, 1]
    with pytest.raises(ValueError, match="threads 0"):
        card(threads=0).__post_init__()


# Memory


def models(folder: Path, count: int) -> list[ModelFile]:
    for i in range(count):
        write_model(folder, f"m{i}", cards.encode(card(name=f"m{i}")))
    return list(Registry(folder).models.values())


def test_the_least_recently_used_model_makes_room(tmp_path: Path) -> None:
    first, second, third = models(tmp_path, 3)
    with closing(Engine("cpu", models_bytes=first.unpacked_bytes * 5 // 2)) as engine:

        def run(model: ModelFile) -> None:
            assert engine.submit(engine.run, model, "forward", np.array([4])).result().tolist() == [8]

        for model in (first, second, first, third):
            run(model)
        assert set(engine.loaded) == {first.sha256, third.sha256}
        run(second)
        assert set(engine.loaded) == {second.sha256, third.sha256}
        assert all(engine.is_proved(model) for model in (first, second, third))


def test_one_model_stays_however_little_room_there_is(tmp_path: Path) -> None:
    first, second = models(tmp_path, 2)
    with closing(Engine("cpu", models_bytes=1)) as engine:
        for model in (first, second):
            assert engine.submit(engine.run, model, "forward", np.array([4])).result().tolist() == [8]
        assert set(engine.loaded) == {second.sha256}


def test_a_module_goes_with_the_last_who_holds_its_file(tmp_path: Path) -> None:
    [model] = models(tmp_path, 1)
    with closing(Engine("cpu")) as engine:
        engine.submit(engine.load, model).result()
        assert engine.loaded
        del model
        gc.collect()
        assert not engine.loaded
