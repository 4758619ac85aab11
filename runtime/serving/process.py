"""`pcg serve`: runs a server in the foreground, and drains it on SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable
from types import FrameType

from runtime.content.levels.solving import warm_up
from runtime.engine import Engine
from runtime.registry import Registry
from runtime.scheduling.dispatcher import Dispatcher
from runtime.scheduling.results import DiskCache, MemoryCache
from runtime.scheduling.workers import Workers, default_count
from runtime.service import Service
from runtime.serving import logs, status
from runtime.serving.access import Tokens, is_loopback, read_tokens
from runtime.serving.metrics import Metrics, Runs
from runtime.serving.server import Server
from runtime.serving.settings import Settings
from runtime.version import VERSION

_EXIT_S = 5.0  # after draining: time for work that can't be interrupted

logger = logging.getLogger(__name__)


def serve_until_stopped(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. Prints the address to stdout when it listens, and then proves the models.

    The first signal drains the server: it takes no new requests, and those that run have `drain_s` to end. The second
    signal ends the process at once.

    Raises:
        OSError: an address is in use, or a file can't be read; the message names it.
        ValueError: there is no model to serve, or a file is not valid.
    """
    logs.start(settings.log, logging.WARNING if settings.quiet else logging.INFO)
    lifeline = _Lifeline() if settings.until_eof else None
    tokens = None if settings.token_file is None else read_tokens(settings.token_file)
    tls = _tls(settings)
    if not is_loopback(settings.host):
        _warn_of_exposure(settings, tokens, tls)
    registry = Registry(settings.models)
    disk = None
    if settings.cache_dir is not None:
        disk = DiskCache(settings.cache_dir, settings.cache_dir_mb << 20, salt=VERSION)
    models_bytes = None if settings.models_mb is None else settings.models_mb << 20
    engine = Engine(
        settings.device,
        settings.threads,
        models_bytes,
        settings.max_batch_ms / 1000,
        share=not settings.dedicated,
    )
    cache, runs = MemoryCache(settings.cache_mb << 20), Runs()
    count = default_count() if settings.workers is None else settings.workers
    workers = Workers(count, settings.worker_mb, warm_up) if count else None
    dispatcher = Dispatcher(
        engine, max_queued=settings.max_queued, cache=cache, disk=disk, observe=runs.observe, workers=workers
    )
    service = Service(registry, engine, dispatcher)
    try:
        if not registry.models:
            _check_models(service)
        asyncio.run(_serve(service, settings, tls, tokens, runs, lifeline))
    finally:
        _close(service)


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except ssl.SSLError as error:
        raise ValueError(
            f"{settings.tls_cert} and {settings.tls_key} are no certificate and its key: {error}"
        ) from error
    return context


def _warn_of_exposure(settings: Settings, tokens: Tokens | None, tls: ssl.SSLContext | None) -> None:
    if tokens is None:
        logger.warning(
            "listening on %s without tokens: everyone who reaches this port may send requests", settings.host
        )
    elif tls is None:
        logger.warning("listening on %s without TLS: tokens can be read on the way", settings.host)


class _Lifeline:
    """Stdin, which the parent process holds open. When it ends, `at_end` is called in another thread."""

    def __init__(self) -> None:
        self.at_end: Callable[[], object] = _end_now  # until there is something to drain
        threading.Thread(target=self._wait, name="stdin", daemon=True).start()

    def _wait(self) -> None:
        with contextlib.suppress(OSError):  # there is no stdin
            while os.read(0, 4096):  # not sys.stdin: its lock would be held when the process exits
                pass
        with contextlib.suppress(RuntimeError):  # the event loop is closed already
            self.at_end()


def _end_now() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


async def _serve(
    service: Service,
    settings: Settings,
    tls: ssl.SSLContext | None,
    tokens: Tokens | None,
    runs: Runs,
    lifeline: _Lifeline | None,
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        signal.signal(number, signal.SIG_DFL)  # the next signal ends the process at once
        loop.call_soon_threadsafe(stopped.set)

    for number in (signal.SIGINT, signal.SIGTERM):  # not add_signal_handler, which Windows lacks
        signal.signal(number, stop)
    if lifeline is not None:
        lifeline.at_end = lambda: loop.call_soon_threadsafe(stopped.set)
    server = Server(
        service,
        settings.host,
        settings.port,
        limits=settings.limits,
        unix=settings.unix,
        websocket_port=settings.websocket_port,
        tls=tls,
        tokens=tokens,
        origins=settings.origins,
    )
    await server.start()  # before a model is loaded, so that an address in use is an error at once
    monitoring = None
    if settings.metrics_port is not None:
        try:
            monitoring = await status.listen(
                settings.metrics_host,
                settings.metrics_port,
                Metrics(server, service, runs).page,
                lambda: service.ready and not server.closing,
            )
        except OSError:
            await server.close(0)
            raise
    print(f"serving {', '.join(service.registry.models)} on {settings.host}:{server.port}", flush=True)
    if settings.unix is not None:
        print(f"and on {settings.unix}", flush=True)
    if server.websocket_port is not None:
        print(f"and on {'ws' if tls is None else 'wss'}://{settings.host}:{server.websocket_port}", flush=True)
    if monitoring is not None:
        print(f"metrics on http://{settings.metrics_host}:{monitoring.port}/metrics", flush=True)
    _tell_systemd("READY=1")
    warming_stops = threading.Event()
    warming = asyncio.create_task(_warm_up_then_reload(service, warming_stops, settings.reload_s))
    warming.add_done_callback(lambda _: stopped.set())
    await stopped.wait()
    warming_stops.set()
    warming.cancel()
    _tell_systemd("STOPPING=1")
    logger.info("stopping; what runs has %g s to end", settings.drain_s)
    await server.close(settings.drain_s)
    if monitoring is not None:
        await monitoring.stop()
    with contextlib.suppress(asyncio.CancelledError):
        await warming  # raises the error that ended it


async def _warm_up_then_reload(service: Service, stop: threading.Event, every_s: float) -> None:
    """Prove the models, then reload their folder whenever it changes, without end.

    Raises:
        ValueError: no model is usable.
    """
    await asyncio.to_thread(_warm_up, service, stop)
    await _keep_reloading(service, every_s)


def _warm_up(service: Service, stop: threading.Event) -> None:
    service.warm_up(stop)
    if stop.is_set():
        return
    _check_models(service)
    logger.info("all models are ready: %s", ", ".join(service.registry.models))
    gc.collect()
    gc.freeze()  # what is loaded stays; collecting through all of it would stop every thread for 0.1 s


def _check_models(service: Service) -> None:
    """Log the refused models. ValueError if none is left."""
    _log_refused(service)
    if not service.registry.models:
        raise ValueError(f"no usable model in {service.registry.folder}")


async def _keep_reloading(service: Service, every_s: float) -> None:
    """Reload the models folder whenever it changes."""
    logged = service.registry.refused
    if not every_s:
        await asyncio.Event().wait()
    while True:
        await asyncio.sleep(every_s)
        try:
            if await asyncio.to_thread(service.reload):
                names = [f"{m.card.name}@{m.card.version}" for m in service.registry.models.values()]
                logger.info("the models folder has changed; serving %s", ", ".join(names) or "nothing")
        except (OSError, ValueError) as error:
            logger.warning("the models folder can't be read, and the models stay as they were: %s", error)
        if service.registry.refused != logged:
            logged = service.registry.refused
            _log_refused(service)


def _log_refused(service: Service) -> None:
    for name, reason in service.registry.refused.items():
        logger.warning("model %s is refused: %s", name, reason)


def _tell_systemd(state: str) -> None:
    """Send a state as sd_notify(3) does: one datagram, if a service manager asks for it."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
            link.connect("\0" + address[1:] if address.startswith("@") else address)
            link.sendall(state.encode())


def _close(service: Service) -> None:
    """Finish what runs, but wait _EXIT_S at most, then end the process."""
    closing = threading.Thread(target=service.close, daemon=True)
    closing.start()
    closing.join(_EXIT_S)
    if closing.is_alive():
        logger.warning("some work still runs and can't be interrupted; ending without it")
        logging.shutdown()
        os._exit(0)
