"""Worker processes: what they do, and what happens when one dies, is ended, or wants too much."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import worker_tasks
from processes import alive, until

from runtime.errors import Code, RpcError
from runtime.scheduling import workers as module
from runtime.scheduling.workers import Workers

PATIENCE_S = 60


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers(1, 512)
    yield workers
    workers.close()


def test_a_result_and_an_error_come_back(workers: Workers) -> None:
    assert workers.submit(worker_tasks.double, 21).result(PATIENCE_S) == 42
    with pytest.raises(RpcError, match="too much") as caught:
        workers.submit(worker_tasks.refuse).result(PATIENCE_S)
    assert caught.value.to_wire() == [Code.OUT_OF_RANGE, "too much", {"maximum": 3}]
    with pytest.raises(ValueError, match="no"):
        workers.submit(worker_tasks.fail).result(PATIENCE_S)
    assert workers.restarts == 0


def test_all_of_them_work(tmp_path: Path) -> None:
    workers = Workers(2)
    try:
        tasks = [workers.submit(worker_tasks.wait, tmp_path, f"{i}", 0.2) for i in range(4)]
        assert [task.result(PATIENCE_S) for task in tasks] == ["0", "1", "2", "3"]
        until(lambda: len(workers.pids()) == 2)
        assert {int(path.read_text()) for path in tmp_path.iterdir()} <= set(workers.pids())
    finally:
        workers.close()


def test_a_task_whose_worker_dies_is_done_once_more(workers: Workers, tmp_path: Path) -> None:
    task, after = workers.submit(worker_tasks.die_once, tmp_path / "mark"), workers.submit(worker_tasks.double, 4)
    assert task.result(PATIENCE_S) == "done"
    assert after.result(PATIENCE_S) == 8
    assert workers.restarts == 1


def test_a_task_that_kills_two_workers_fails(workers: Workers) -> None:
    task, after = workers.submit(worker_tasks.die), workers.submit(worker_tasks.double, 4)
    with pytest.raises(RpcError, match=r"two processes ended while they worked on this \(in die\)") as caught:
        task.result(PATIENCE_S)
    assert caught.value.code is Code.WORKER_FAILED
    assert after.result(PATIENCE_S) == 8
    assert workers.restarts == module.TRIES


def test_a_worker_that_dies_with_nothing_to_do_is_replaced(workers: Workers) -> None:
    first = workers.submit(worker_tasks.pid).result(PATIENCE_S)
    os.kill(first, signal.SIGKILL)
    until(lambda: not alive(first))
    assert workers.submit(worker_tasks.pid).result(PATIENCE_S) != first


def test_an_abandoned_task_is_stopped(workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.05)
    task, waits = workers.submit(worker_tasks.wait, tmp_path), workers.submit(worker_tasks.wait, tmp_path, "other")
    until(lambda: (tmp_path / "begun").exists())
    after = workers.submit(worker_tasks.double, 4)
    assert waits.cancel()
    assert task.cancel()
    assert after.result(PATIENCE_S) == 8
    assert not (tmp_path / "other").exists()
    assert workers.restarts == 1


def test_a_cancelled_task_that_stops_by_itself_keeps_its_worker(workers: Workers, tmp_path: Path) -> None:
    task = workers.submit(worker_tasks.wait, tmp_path, "begun", 0.2)
    until(lambda: (tmp_path / "begun").exists())
    assert task.cancel()
    until(lambda: workers.busy == 0)
    assert workers.submit(worker_tasks.pid).result(PATIENCE_S) == int((tmp_path / "begun").read_text())
    assert workers.restarts == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds it")
def test_a_task_that_wants_too_much_memory(workers: Workers) -> None:
    assert workers.submit(worker_tasks.take, 100).result(PATIENCE_S) == 100 << 20
    with pytest.raises(RpcError, match="more than the 512 MB") as caught:
        workers.submit(worker_tasks.take, 600).result(PATIENCE_S)
    assert caught.value.code is Code.WORKER_FAILED


def test_closing_fails_all_tasks_and_leaves_no_process(tmp_path: Path) -> None:
    workers = Workers(1)
    tasks = [workers.submit(worker_tasks.wait, tmp_path) for _ in range(3)]
    until(lambda: (tmp_path / "begun").exists())
    pid = int((tmp_path / "begun").read_text())
    workers.close()
    for task in (*tasks, workers.submit(worker_tasks.pid)):
        with pytest.raises(RpcError) as caught:
            task.result(PATIENCE_S)
        assert caught.value.code is Code.SHUTTING_DOWN
    until(lambda: not alive(pid))


PARENT = """
import pathlib, sys, worker_tasks
from runtime.scheduling.workers import Workers
if __name__ == "__main__":
    Workers(1).submit(worker_tasks.wait, pathlib.Path(sys.argv[1])).result()
"""


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script, environment = tmp_path / "parent.py", os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, script, tmp_path], env=environment)
    until(lambda: (tmp_path / "begun").exists())
    pid = int((tmp_path / "begun").read_text())
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(pid, number)  # these it leaves to its parent
    assert alive(pid)
    parent.kill()
    parent.wait(PATIENCE_S)
    until(lambda: not alive(pid))
