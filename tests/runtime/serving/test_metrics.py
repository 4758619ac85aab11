"""What is counted and logged, and how machines read it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from runtime.errors import Code
from runtime.scheduling.jobs import Flow
from runtime.scheduling.results import MemoryCache
from runtime.scheduling.scheduler import Scheduler
from runtime.scheduling.work import Work
from runtime.serving import logs, status
from runtime.serving.counts import OTHER, Counts
from runtime.serving.metrics import Metrics, Runs
from runtime.serving.server import Server
from runtime.wire.protocol import pack


class Watched:
    """The part of a Service that metrics read."""

    methods = ("echo", "refuse")
    ready = True
    cache_misses = 7

    def __init__(self) -> None:
        self.cache = MemoryCache()

    workers = None

    def queue_depths(self) -> dict[str, int]:
        return {"terrain-detail": 3}

    def caches(self) -> dict[str, MemoryCache]:
        return {"memory": self.cache}


def read(page: bytes) -> dict[str, dict[tuple[str, ...], float]]:
    """Samples by name and the values of their labels, these in the alphabetical order of the labels."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


async def test_what_connections_do_is_counted(service, connect):
    service.methods = ("echo", "refuse", "wait")
    async with Server(service, port=0) as server:
        metrics = Metrics(server, Watched(), Runs())
        first, second = await connect(server), await connect(server)
        for msgid in range(3):
            await first.call(msgid, "echo", [])
        await first.call(3, "refuse", [])
        for name in ("made up", "made up again", "x" * 128):
            await second.call(4, name, [])
        await first.call(5, "echo", [7])
        sent = server.counts.sent_bytes
        found = read(metrics.page())
        requests = found["pcg_requests_total"]
        assert requests == {
            ("0", "echo"): 3,
            (str(int(Code.OUT_OF_RANGE)), "refuse"): 1,
            (str(int(Code.METHOD_NOT_FOUND)), OTHER): 3,
            (str(int(Code.INVALID_PARAMS)), "echo"): 1,
        }
        assert found["pcg_connections_total"][()] == 2
        assert found["pcg_open_connections"][()] == 2
        assert found["pcg_unsent_bytes"][()] == 0
        assert found["pcg_sent_bytes_total"][()] == sent > 100
        assert found["pcg_received_bytes_total"][()] > 100
        assert found["pcg_queue_depth"] == {("terrain-detail",): 3}
        assert found["pcg_cache_misses_total"][()] == 7
        assert found["pcg_ready"][()] == 1
        assert found["process_resident_memory_bytes"][()] > 1e6


def test_made_up_methods_take_no_memory() -> None:
    counts = Counts(["echo"])
    for i in range(1000):
        counts.add(f"made up {i}", Code.METHOD_NOT_FOUND)
    assert dict(counts.requests) == {(OTHER, Code.METHOD_NOT_FOUND): 1000}


def test_cache_hits_by_tier() -> None:
    watched = Watched()
    watched.cache.put(b"a", pack(1))
    for key in (b"a", b"a", b"b"):
        watched.cache.get(key)

    class Nobody:
        counts, connections, unsent_bytes = Counts(), 0, 0

    found = read(Metrics(Nobody(), watched, Runs()).page())
    assert found["pcg_cache_hits_total"] == {("memory",): 2}
    assert found["pcg_cache_bytes"][("memory",)] == watched.cache.bytes


def test_runs_are_observed_with_the_number_of_calls() -> None:
    runs, tickets = Runs(), []
    scheduler = Scheduler(tickets.append, lambda job: job.work.run(), observe=runs.observe)
    for key in (b"a", b"a", b"a", b"b"):
        scheduler.submit(Work("model", key, lambda: None), Flow())
    for ticket in tickets:
        ticket()
    found = read(generate_latest(runs.registry))
    assert found["pcg_requests_per_run_sum"] == {("model",): 4}
    assert found["pcg_requests_per_run_count"] == {("model",): 2}
    assert found["pcg_run_seconds_count"] == {("model",): 2}
    assert 0 <= found["pcg_queue_seconds_sum"][("model",)] < 10


# The port


@pytest.fixture
async def watched() -> AsyncIterator[dict[str, Any]]:
    state: dict[str, Any] = {"ready": True}
    listener = await status.listen("127.0.0.1", 0, lambda: b"metrics\n", lambda: state["ready"])
    state["port"] = listener.port
    yield state
    await listener.stop()


async def ask(state: dict[str, Any], text: str) -> tuple[int, str]:
    """Status and body of one request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", state["port"])
    writer.write(text.encode())
    answer = (await reader.read()).decode()
    writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    assert f"Content-Length: {len(body)}\r\n" in head or not body
    return int(head.split()[1]), body


async def test_pages(watched):
    assert await ask(watched, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") == (200, "metrics\n")
    assert await ask(watched, "GET /metrics?x=1 HTTP/1.0\r\n\r\n") == (200, "metrics\n")
    assert await ask(watched, "GET /healthz HTTP/1.1\r\n\r\n") == (200, "alive\n")
    assert await ask(watched, "GET /readyz HTTP/1.1\r\n\r\n") == (200, "ready\n")
    watched["ready"] = False
    assert await ask(watched, "GET /readyz HTTP/1.1\r\n\r\n") == (503, "not ready\n")
    assert await ask(watched, "HEAD /healthz HTTP/1.1\r\n\r\n") == (200, "")
    assert (await ask(watched, "GET /../etc/passwd HTTP/1.1\r\n\r\n"))[0] == 404
    assert (await ask(watched, "POST /metrics HTTP/1.1\r\n\r\n"))[0] == 405


@pytest.mark.parametrize("text", ["nonsense\r\n\r\n", "GET /" + "x" * 10_000, "\r\n\r\n", "GET /metrics HTTP/1.1\r\n"])
async def test_bytes_that_are_not_a_request_close_the_connection(watched, text, monkeypatch):
    monkeypatch.setattr(status, "_TIMEOUT_S", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", watched["port"])
    writer.write(text.encode())
    with contextlib.suppress(ConnectionResetError):  # as good
        assert await reader.read() == b""
    writer.close()
    assert (await ask(watched, "GET /healthz HTTP/1.1\r\n\r\n"))[0] == 200


# The log


def record(level: int = logging.INFO, **fields: Any) -> logging.LogRecord:
    return logging.getLogger("x").makeRecord(
        "runtime.x", level, "f", 1, "%s happened", ("it",), None, extra=logs.about(**fields)
    )


def test_text_and_json() -> None:
    assert logs.TextFormatter().format(record(id="1-2", code=0)) == "INFO runtime.x: it happened id=1-2 code=0"
    forged = logs.TextFormatter().format(record(method="a\nERROR forged\x1b[2J"))
    assert forged == r"INFO runtime.x: it happened method='a\nERROR forged\x1b[2J'"
    event = json.loads(logs.JsonFormatter().format(record(id="1-2", odd=object)))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event.pop("time"))
    assert event == {
        "level": "INFO",
        "logger": "runtime.x",
        "message": "it happened",
        "id": "1-2",
        "odd": "<class 'object'>",
    }


def test_an_exception_stays_on_its_line_in_json() -> None:
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError as error:
        raised = record()
        raised.exc_info = (type(error), error, error.__traceback__)
    text = logs.JsonFormatter().format(raised)
    assert "\n" not in text
    assert "ZeroDivisionError" in json.loads(text)["exception"]
    assert logs.TextFormatter().format(raised).endswith("ZeroDivisionError: division by zero")


async def test_a_run_is_logged_with_the_id_of_its_request(service, connect, caplog):
    caplog.set_level(logging.INFO)
    async with Server(service, port=0) as server:
        await connect(server)
        peer = await connect(server)
        service.gate.set()
        await peer.call(17, "wait", [{"name": 1}])
    [event] = [record for record in caplog.records if record.getMessage() == "request"]
    assert event.fields["id"] in ("1-17", "2-17")
    assert (event.fields["method"], event.fields["code"]) == ("wait", 0)
    assert event.fields["ms"] >= 0
