"""Listening sockets, and the loop that accepts on them.

asyncio's own servers accept every connection; one that runs out of file descriptors logs a traceback for each
connection that waits, and accepts none for a second. Here every accepted socket is handed over at once, before any
handshake. If file descriptors run out, the connections that wait at that moment are refused, and a warning is logged
once in LOG_EVERY_S.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

logger = logging.getLogger(__name__)

BACKLOG = 1024  # connections that may wait to be accepted; the system may allow fewer
BACK_OFF_S = 0.05  # pause after the system had no descriptor or memory for a connection
LOG_EVERY_S = 60.0  # between two warnings about it
_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


async def tcp_sockets(host: str, port: int) -> list[socket.socket]:
    """Non-blocking sockets that listen on every address of `host`; all of them, or OSError if one is not available."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    sockets: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
            sockets.append(socket.create_server(address, family=family, backlog=BACKLOG))
            sockets[-1].setblocking(False)
    except OSError as error:
        for each in sockets:
            each.close()
        raise OSError(error.errno, (error.strerror or str(error)).replace("Address", "address")) from error
    return sockets


async def unix_socket(path: Path) -> socket.socket:
    """A listening socket for this user only. OSError if another server uses it, or the path is not a socket."""
    if path.is_socket():  # left behind by a process that has ended, unless a server answers
        try:
            _, writer = await asyncio.open_unix_connection(path)
        except OSError:
            path.unlink(missing_ok=True)
        else:
            writer.close()
            raise OSError(errno.EADDRINUSE, f"another server listens on {path}")
    listening = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listening.bind(str(path))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise OSError(error.errno, f"{path} can't be listened on: {error.strerror or error}") from error
    finally:
        os.umask(before)
    listening.setblocking(False)
    return listening


class Listener:
    """Accepts connections on `sockets` until it is stopped, and passes each accepted socket to `take`."""

    def __init__(self, sockets: Sequence[socket.socket], take: Callable[[socket.socket], None]) -> None:
        self._sockets, self._take = sockets, take
        self._spare: int | None = None  # a descriptor to free, so that a connection can be accepted and refused
        self._refused = 0  # since the last warning
        self._told = float("-inf")
        self._stopping = False
        self._keep_spare()
        self._tasks = [asyncio.create_task(self._accept(listening)) for listening in sockets]

    @property
    def port(self) -> int:
        """The port of the first socket."""
        port: int = self._sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Accept the connections that wait, so that none is reset, and stop listening."""
        self._stopping = True
        await asyncio.sleep(0)  # sockets that were just accepted are still passed on
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for listening in self._sockets:
            with contextlib.suppress(OSError):  # BlockingIOError: none waits any more
                for _ in range(BACKLOG):
                    self._take(listening.accept()[0])
            listening.close()
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopping:
            try:
                accepted, _ = await loop.sock_accept(listening)
            except OSError as error:
                if error.errno in _SHORTAGES:
                    self._refuse_waiting(listening, error)
                    await asyncio.sleep(BACK_OFF_S)
                else:  # the connection ended before it was accepted
                    await asyncio.sleep(0)
                continue
            self._take(accepted)
            await asyncio.sleep(0)  # serve open connections before accepting the next one

    def _refuse_waiting(self, listening: socket.socket, error: OSError) -> None:
        """Close the connections that wait: clients that are refused at once can go elsewhere, or try again."""
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
            with contextlib.suppress(OSError):  # BlockingIOError: none waits any more
                for _ in range(BACKLOG):
                    listening.accept()[0].close()
                    self._refused += 1
            self._keep_spare()
        now = asyncio.get_running_loop().time()
        if now - self._told >= LOG_EVERY_S:
            logger.warning(
                "connections can't be accepted, and those that waited were closed (%d since this was last said): %s",
                self._refused,
                error,
            )
            self._told, self._refused = now, 0

    def _keep_spare(self) -> None:
        with contextlib.suppress(OSError):  # no descriptor is free: then connections are not refused, but wait
            self._spare = os.open(os.devnull, os.O_RDONLY)
