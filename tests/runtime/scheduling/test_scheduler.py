"""What runs next, and what does not run at all. Tickets are called by hand, so every order here is exact."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from bench import Bench
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import Code, RpcError
from runtime.scheduling.jobs import Call, Flow, Job, Priority
from runtime.scheduling.scheduler import RETRY_MS, Scheduler
from runtime.scheduling.work import Work


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_call_gets_its_result(bench: Bench) -> None:
    call = bench.submit("a")
    assert not call.future.done()
    bench.run()
    assert call.future.result(0) == "a"
    assert bench.scheduler.busy == 0


def test_the_next_work_runs_before_the_last_response_is_sent() -> None:
    answers: list[Callable[[], None]] = []
    bench = Bench(hand_back=answers.append)
    first, second = bench.submit("a", finish=str.upper), bench.submit("b")
    assert bench.run() == ["a", "b"]
    assert not first.future.done()
    late = bench.submit("a", finish=str.upper)  # finds it made, if not yet answered
    assert bench.scheduler.busy == 2
    for answer in answers:
        answer()
    assert [call.future.result(0) for call in (first, late, second)] == ["A", "A", "b"]
    assert (bench.run(), bench.scheduler.busy) == ([], 0)


def test_a_result_that_can_not_be_finished_is_an_error_of_its_own(bench: Bench) -> None:
    bad, good = bench.submit("a", finish=int), bench.submit("b", finish=str.upper)
    bench.run()
    with pytest.raises(ValueError, match="'a'"):
        bad.future.result(0)
    assert (good.future.result(0), bench.scheduler.busy) == ("B", 0)


def test_an_error_reaches_all_calls_of_a_job(bench: Bench) -> None:
    def fail() -> None:
        raise ValueError("no")

    calls = [bench.submit("a", run=fail) for _ in range(3)]
    after = bench.submit("b")
    bench.run()
    for call in calls:
        with pytest.raises(ValueError, match="no"):
            call.future.result(0)
    assert after.future.result(0) == "b"


def test_calls_of_one_connection_run_in_order(bench: Bench) -> None:
    flow = Flow()
    for name in "abcdef":
        bench.submit(name, flow)
    assert bench.run() == list("abcdef")


def test_a_higher_priority_goes_first_though_it_comes_last(bench: Bench) -> None:
    flow = Flow()
    for name, priority in (("low", Priority.LOW), ("normal", Priority.NORMAL), ("high", Priority.HIGH)):
        bench.submit(name, flow, priority)
    assert bench.run() == ["high", "normal", "low"]


def test_a_newcomer_does_not_wait_behind_a_long_queue(bench: Bench) -> None:
    greedy, modest = Flow(), Flow()
    for i in range(20):
        bench.submit(f"g{i}", greedy)
    bench.run(5)
    bench.submit("m", modest)
    assert "m" in bench.run(2)


def test_time_is_shared_and_not_the_number_of_requests(bench: Bench) -> None:
    """Four short works of one connection go to one long work of another."""
    slow, quick = Flow(), Flow()
    for i in range(5):
        bench.submit(f"s{i}", slow, run=lambda: time.sleep(0.02))
    for i in range(40):
        bench.submit(f"q{i}", quick, run=lambda: time.sleep(0.002))
    order = bench.run()
    third = order.index("s3")  # 60 ms of the slow one's; about 30 of the quick one's works fit beside them
    assert sum(name.startswith("q") for name in order[:third]) >= 12


def test_time_can_not_be_saved_up(bench: Bench) -> None:
    """A connection that was idle for long gets no more than its share when it comes back."""
    busy, idle = Flow(), Flow()
    bench.submit("i", idle)
    for i in range(30):
        bench.submit(f"b{i}", busy, run=lambda: time.sleep(0.002))
    bench.run(21)
    for i in range(20):
        bench.submit(f"j{i}", idle, run=lambda: time.sleep(0.002))
    assert sum(name.startswith("b") for name in bench.run(10)) >= 3


def test_a_full_queue_says_when_to_come_back() -> None:
    full = Bench(max_queued=3)
    for name in "abc":
        full.submit(name)
    with pytest.raises(RpcError, match="3 requests of normal priority wait for model already") as caught:
        full.submit("d")
    assert caught.value.code is Code.OVERLOADED
    assert RETRY_MS[0] <= caught.value.details["retry_after_ms"] <= RETRY_MS[1]
    full.submit("d", queue="another model")
    full.submit("e", priority=Priority.HIGH)
    assert full.scheduler.depths() == {"model": 4, "another model": 1}
    assert full.run(2) == ["e", "a"]
    full.submit("f")
    assert full.run() == ["b", "c", "d", "f"]


def test_the_time_to_wait_grows_with_the_work_that_waits() -> None:
    bench = Bench(max_queued=20)
    bench.submit("warm", run=lambda: time.sleep(0.02))
    bench.run()
    for i in range(20):
        bench.submit(f"w{i}")
    with pytest.raises(RpcError) as caught:
        bench.submit("more")
    assert 300 <= caught.value.details["retry_after_ms"] <= 5000


def test_the_time_to_wait_is_that_of_the_work_ahead_divided_by_the_threads() -> None:
    def told(bench: Bench, priority: Priority) -> int:
        bench.submit("slow", run=lambda: time.sleep(0.2))
        bench.submit("quick", queue="another model", run=lambda: time.sleep(0.02))
        bench.run()
        for i in range(10):
            bench.submit(f"urgent {i}", priority=Priority.HIGH)
            bench.submit(f"small {i}", queue="another model")
        with pytest.raises(RpcError) as caught:
            bench.submit("more", priority=priority, queue="model" if priority is Priority.HIGH else "another model")
        wait: int = caught.value.details["retry_after_ms"]
        return wait

    alone = Bench(max_queued=10)
    urgent, normal = told(alone, Priority.HIGH), told(Bench(max_queued=10), Priority.NORMAL)
    assert 2000 <= urgent < 3000  # 10 of 0.2 s
    assert 2200 <= normal < 3300  # and 10 of 0.02 s
    assert 500 <= told(Bench(max_queued=10, at_once=4), Priority.HIGH) < 750


def test_equal_work_is_done_once(bench: Bench) -> None:
    calls = [bench.submit("same") for _ in range(5)]
    bench.submit("other")
    assert sorted(bench.run()) == ["other", "same"]
    assert [call.future.result(0) for call in calls] == ["same"] * 5
    bench.submit("same")
    assert bench.run() == ["same"]


def test_equal_work_that_runs_already_is_joined(bench: Bench) -> None:
    joined: list[Call] = []
    bench.submit("same", run=lambda: joined.append(bench.submit("same")))
    assert bench.run() == ["same"]
    assert joined[0].future.result(0) == "same"
    assert bench.scheduler.busy == 0


def test_a_high_call_pulls_equal_low_work_forward(bench: Bench) -> None:
    low = bench.submit("same", priority=Priority.LOW)
    bench.submit("normal")
    bench.submit("same", priority=Priority.HIGH)
    assert bench.run() == ["same", "normal"]
    assert low.future.result(0) == "same"


def test_cancelled_work_is_not_done(bench: Bench) -> None:
    calls = [bench.submit(name) for name in "abc"]
    calls[1].future.cancel()
    assert bench.scheduler.depths() == {"model": 2}
    assert bench.run() == ["a", "c"]


def test_work_that_another_still_waits_for_is_done(bench: Bench) -> None:
    leaver, stayer = bench.submit("same"), bench.submit("same")
    leaver.future.cancel()
    assert bench.run() == ["same"]
    assert stayer.future.result(0) == "same"


def test_a_running_job_is_marked_abandoned_when_nobody_waits(bench: Bench) -> None:
    seen: list[bool] = []

    def run() -> None:
        seen.append(bench.jobs[-1].abandoned)
        first.future.cancel()
        seen.append(bench.jobs[-1].abandoned)
        second.future.cancel()
        seen.append(bench.jobs[-1].abandoned)
        again.append(bench.submit("same"))

    again: list[Call] = []
    first, second = bench.submit("same", run=run), bench.submit("same")
    bench.run(1)
    assert seen == [False, False, True]
    assert not again[0].future.done(), "abandoned work must not be joined"
    bench.run()
    assert again[0].future.result(0) == "same"


def test_expired_work_is_dropped_before_it_runs(bench: Bench) -> None:
    late = bench.submit("late", deadline_s=0.001)
    soon = bench.submit("soon", deadline_s=60)
    time.sleep(0.002)
    assert bench.run() == ["soon"]
    assert soon.future.result(0) == "soon"
    with pytest.raises(RpcError, match="within the 1 ms") as caught:
        late.future.result(0)
    assert caught.value.code is Code.DEADLINE_EXCEEDED


def test_a_call_may_expire_while_its_work_runs(bench: Bench) -> None:
    calls = [bench.submit("a", run=lambda: calls[0].expire(), deadline_s=60)]
    bench.run()
    with pytest.raises(RpcError, match="within"):
        calls[0].future.result(0)


def test_a_congested_connection_is_passed_over_until_it_reads(bench: Bench) -> None:
    slow, other = Flow(), Flow()
    slow.congested = True
    bench.submit("s", slow)
    bench.submit("o", other)
    assert bench.run() == ["o"]
    assert bench.scheduler.depths() == {"model": 1}
    slow.clear()
    assert bench.run() == ["s"]


def test_equal_work_of_a_congested_and_a_free_connection_is_done(bench: Bench) -> None:
    slow, other = Flow(), Flow()
    slow.congested = True
    stuck = bench.submit("same", slow)
    assert bench.run() == []
    bench.submit("same", other)
    assert bench.run() == ["same"]
    assert stuck.future.result(0) == "same"


def test_close_fails_waiting_calls_and_refuses_new_ones(bench: Bench) -> None:
    waiting = bench.submit("a")
    bench.scheduler.close()
    with pytest.raises(RpcError) as caught:
        waiting.future.result(0)
    assert caught.value.code is Code.SHUTTING_DOWN
    with pytest.raises(RpcError, match="shutting down"):
        bench.submit("b")
    assert bench.run() == []


def test_tickets_do_not_pile_up(bench: Bench) -> None:
    """A client that asks and cancels for ever costs no memory while the engine is busy."""
    for _ in range(1000):
        bench.submit("a").future.cancel()
    assert len(bench.tickets) <= 2
    bench.submit("b")
    assert bench.run() == ["b"]


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["submit", "submit", "cancel", "run", "congest", "wake"]),
        st.integers(0, 3),
        st.integers(0, 5),
        st.sampled_from(Priority),
    ),
    max_size=60,
)


@given(ACTIONS)
def test_every_call_completes_and_nothing_is_left(
    actions: list[tuple[str, int, int, Priority]],
) -> None:
    bench = Bench(max_queued=6)
    flows = [Flow() for _ in range(4)]
    calls: list[Call] = []
    for what, which, name, priority in actions:
        flow = flows[which]
        if what == "submit":
            with contextlib.suppress(RpcError):  # full
                calls.append(bench.submit(str(name), flow, priority))
        elif what == "cancel" and calls:
            calls[name % len(calls)].future.cancel()
        elif what == "run":
            bench.run(1)
        elif what == "congest":
            flow.congested = True
        elif what == "wake":
            flow.clear()
        assert bench.scheduler.busy == sum(bench.scheduler.depths().values()) <= 18
    for flow in flows:
        flow.clear()
    bench.run()
    for call in calls:
        assert call.future.cancelled() or call.future.result(0) == call.job.work.key.decode()
    assert bench.scheduler.busy == 0
    assert bench.scheduler.depths() == {}


def test_from_many_threads_at_once() -> None:
    """Every call is answered, and equal works never run beside each other."""
    running: set[bytes] = set()

    def run(job: Job) -> bytes:
        assert job.work.key not in running
        running.add(job.work.key)
        time.sleep(0.0001)
        running.discard(job.work.key)
        return job.work.key

    with ThreadPoolExecutor(1) as engine:
        scheduler = Scheduler(engine.submit, run, max_queued=10_000)
        wrong: list[Any] = []

        def ask(number: int) -> None:
            flow = Flow()
            for i in range(100):
                key = str((number * i) % 17).encode()
                call = scheduler.submit(Work("model", key, lambda: None), flow, Priority(i % 3))
                if i % 5 == 0:
                    call.future.cancel()
                elif call.future.result(10) != key:
                    wrong.append(key)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
    assert scheduler.busy == 0
