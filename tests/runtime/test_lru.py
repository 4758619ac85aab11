"""What is dear to make is made once, whoever asks for it meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from runtime import lru as kept
from runtime.lru import Kept


class Maker:
    """Makes numbers, each when `gate` is open; `made` lists them, and `begun` is set by the first."""

    def __init__(self, error: Exception | None = None) -> None:
        self.made: list[int] = []
        self.begun, self.gate = threading.Event(), threading.Event()
        self._error = error

    def __call__(self) -> int:
        self.begun.set()
        assert self.gate.wait(30)
        error, self._error = self._error, None
        if error is not None:
            raise error
        self.made.append(len(self.made))
        return self.made[-1]


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


def ask(threads: ThreadPoolExecutor, things: Kept[int], maker: Maker) -> list[Future[int]]:
    first = threads.submit(things.once, "a", maker)
    assert maker.begun.wait(30)
    return [first, *(threads.submit(things.once, "a", maker) for _ in range(3))]


def test_those_who_ask_meanwhile_wait_for_the_one_who_makes_it(threads: ThreadPoolExecutor) -> None:
    things, maker = Kept[int](100, lambda _: 1), Maker()
    answers = ask(threads, things, maker)
    assert things.once("b", lambda: 7) == 7
    maker.gate.set()
    assert [answer.result(30) for answer in answers] == [0] * 4
    assert maker.made == [0]


def test_where_it_fails_the_next_makes_it(threads: ThreadPoolExecutor) -> None:
    things, maker = Kept[int](100, lambda _: 1), Maker(ValueError("not today"))
    first, *rest = ask(threads, things, maker)
    maker.gate.set()
    with pytest.raises(ValueError, match="not today"):
        first.result(30)
    assert [answer.result(30) for answer in rest] == [0] * 3
    assert maker.made == [0]


def test_nobody_waits_for_ever(threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "PATIENCE_S", 0.01)
    things, slow = Kept[int](100, lambda _: 1), Maker()
    first = threads.submit(things.once, "a", slow)
    assert slow.begun.wait(30)
    assert things.once("a", lambda: 7) == 7
    slow.gate.set()
    assert first.result(30) == 0  # its own; what was kept first stays
    assert things.once("a", slow) == 7
