"""`pcg serve`: a runtime in the foreground, drained when it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path

from runtime.engine import Engine
from runtime.registry import Registry
from runtime.server import Server
from runtime.service import Service

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def serve_until_stopped(
    host: str, port: int, models: Path | None, device: str, threads: int | None, *, quiet: bool
) -> None:
    """Serve until SIGINT or SIGTERM; the address is printed to stdout once it answers.

    Raises:
        OSError: the address is taken, naming it.
        ValueError: there is no model to serve.
    """
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING if quiet else logging.INFO,
        format="%(levelname)s %(name)s: %(message)s",
    )
    if host not in LOOPBACK:
        logging.warning("listening on %s: whoever reaches this port may ask; there is no authentication", host)
    registry = Registry(models)
    engine = Engine(device, threads)
    service = Service(registry, engine)
    try:
        service.warm_up()
        for name, reason in registry.refused.items():
            logging.warning("model %s is refused: %s", name, reason)
        if not registry.models:
            raise ValueError(f"no usable model in {registry.folder}")
        asyncio.run(_serve(service, host, port))
    finally:
        service.close()


async def _serve(service: Service, host: str, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):  # not add_signal_handler, which Windows lacks
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopped.set))
    async with Server(service, host, port) as server:
        print(f"serving {', '.join(service.registry.models)} on {host}:{server.port}", flush=True)
        await stopped.wait()
        logging.info("stopping")
