"""A program that calls the runtime in its own process can be interrupted."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

from runtime.content.execution import Executor
from runtime.engine import Abandoned, Engine, Loaded
from runtime.local import Local
from runtime.parameters import Options
from runtime.scheduling.dispatcher import Dispatcher
from runtime.scheduling.work import Search, Work


def interrupt(started: threading.Event) -> None:
    """As Ctrl-C does, once the work has started."""

    def press() -> None:
        started.wait(60)
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()


@pytest.mark.parametrize("compiled", [False, True])
def test_a_search_is_abandoned_when_its_caller_is_interrupted(compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    started, ended = threading.Event(), threading.Event()
    engine = Engine("cpu", 1)

    def search(executor: Executor) -> None:
        started.set()
        try:
            while True:
                executor.turn("some-model", lambda: None)
                if not compiled:  # which has the engine's thread for itself
                    engine.run(None, "forward")  # type: ignore[arg-type]
        except Abandoned:
            ended.set()
            raise

    if not compiled:
        monkeypatch.setattr(engine, "load", lambda _: Loaded(None, 32, {}))
        monkeypatch.setattr(engine, "_call", lambda *_: None)
    dispatcher = Dispatcher(engine)
    interrupt(started)
    with pytest.raises(KeyboardInterrupt):
        dispatcher.run(Search("search", b"key", search, compiled=compiled), Options())
    assert ended.wait(60)
    assert dispatcher.run(Work("next", b"other", lambda: 5), Options()) == 5
    dispatcher.close()


def test_an_interrupt_does_not_wait_for_work_that_can_not_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on, closed = threading.Event(), threading.Event()
    runtime = Local(device="cpu", threads=1)
    close = runtime.service.close

    def slowly() -> None:
        goes_on.wait(60)
        close()
        closed.set()

    monkeypatch.setattr(runtime.service, "close", slowly)

    def used(fault: type[BaseException]) -> Any:
        with runtime:
            raise fault

    with pytest.raises(KeyboardInterrupt):
        used(KeyboardInterrupt)
    assert not closed.is_set()
    goes_on.set()
    assert closed.wait(60)
