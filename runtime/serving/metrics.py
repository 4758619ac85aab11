"""The metrics of the runtime, for Prometheus.

Requests are counted in plain numbers (`runtime.serving.counts`), which become metrics when Prometheus asks for them.
Runs of models are observed in histograms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from runtime.service import Service
from runtime.serving.server import Server

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
COUNTS = (1, 2, 4, 8, 16, 32, 64)


class Runs:
    """Histograms of runs, by queue. `observe` is for the scheduler."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def histogram(name: str, what: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(name, what, ["queue"], registry=self.registry, buckets=buckets)

        self._waited = histogram("pcg_queue_seconds", "From a request's arrival to its run", SECONDS)
        self._ran = histogram("pcg_run_seconds", "Of a run", SECONDS)
        self._jobs = histogram("pcg_batch_size", "Pieces of work that a run does together", COUNTS)
        self._calls = histogram("pcg_requests_per_run", "Requests that a run answers", COUNTS)

    def observe(self, queue: str, waited_s: float, ran_s: float, jobs: int, calls: int) -> None:
        """Record one run: its queue, seconds waited and run, jobs that it did, and calls that waited for them."""
        self._waited.labels(queue).observe(waited_s)
        self._ran.labels(queue).observe(ran_s)
        self._jobs.labels(queue).observe(jobs)
        self._calls.labels(queue).observe(calls)


class Metrics:
    """All metrics of a server and its service."""

    def __init__(self, server: Server, service: Service, runs: Runs) -> None:
        self._server, self._service = server, service
        self._registry = runs.registry
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def page(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """The current metrics, for prometheus_client."""
        counts, service = self._server.counts, self._service
        requests = CounterMetricFamily(
            "pcg_requests", "Requests answered, by method and error code (0: none)", labels=["method", "code"]
        )
        for (method, code), count in counts.requests.items():
            requests.add_metric([method, str(int(code))], count)
        yield requests
        yield _counter("pcg_connections", "Connections accepted", lambda: counts.connections)
        yield _counter("pcg_received_bytes", "Bytes received", lambda: counts.received_bytes)
        yield _counter("pcg_sent_bytes", "Bytes of messages sent", lambda: counts.sent_bytes)
        yield GaugeMetricFamily("pcg_open_connections", "Connections open", value=self._server.connections)
        unsent = "Bytes of responses that are made and that clients have not taken"
        yield GaugeMetricFamily("pcg_unsent_bytes", unsent, value=self._server.unsent_bytes)
        depths = GaugeMetricFamily("pcg_queue_depth", "Requests that wait, by queue", labels=["queue"])
        for queue, depth in service.queue_depths().items():
            depths.add_metric([queue], depth)
        yield depths
        yield from self._caches()
        yield from self._workers()
        yield GaugeMetricFamily("pcg_ready", "1 if requests that need a model are answered", value=service.ready)

    def _workers(self) -> Iterator[Metric]:
        if (workers := self._service.workers) is not None:
            yield GaugeMetricFamily("pcg_workers", "Worker processes", value=workers.count)
            yield GaugeMetricFamily("pcg_workers_busy", "Worker processes that work", value=workers.busy)
            restarts = "Worker processes that ended and were replaced"
            yield _counter("pcg_worker_restarts", restarts, lambda: workers.restarts)

    def _caches(self) -> Iterator[Metric]:
        hits = CounterMetricFamily("pcg_cache_hits", "Results found, by tier", labels=["tier"])
        size = GaugeMetricFamily("pcg_cache_bytes", "Bytes of kept results, by tier", labels=["tier"])
        for tier, cache in self._service.caches().items():
            hits.add_metric([tier], cache.hits)
            size.add_metric([tier], cache.bytes)
        yield hits
        yield size
        yield _counter("pcg_cache_misses", "Results found in no tier", lambda: self._service.cache_misses)


def _counter(name: str, what: str, value: Callable[[], int]) -> CounterMetricFamily:
    return CounterMetricFamily(name, what, value=value())
