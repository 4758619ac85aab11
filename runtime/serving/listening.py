"""Listening sockets, and the loop that accepts on them.

asyncio's own servers accept without asking whether there is room, and one that runs out of file descriptors logs a
traceback for each connection that waits, then takes none for a second. Here every accepted socket is handed over at
once, before any handshake, and a shortage is logged once in a while and refuses only those that wait at that moment.
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
BACK_OFF_S = 0.05  # after the system had no descriptor or memory for a connection
TELL_S = 60.0  # between two lines of the log about that
_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


async def tcp_sockets(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen on every address of a host, not blocking. OSError if one can't be had; then there is none."""
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
    """A socket that only this user may open. OSError if another server answers on it, or the path is something else."""
    if path.is_socket():  # left behind, unless somebody answers
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
    """Accepts on sockets until it is stopped, and gives each accepted socket to `take`."""

    def __init__(self, sockets: Sequence[socket.socket], take: Callable[[socket.socket], None]) -> None:
        self._sockets, self._take = sockets, take
        self._spare: int | None = None  # a descriptor to give up, so that a connection can be accepted and refused
        self._refused = 0  # since the log was told
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
        """Take what waits to be accepted, so that none of it is reset, and listen no more."""
        self._stopping = True
        await asyncio.sleep(0)  # what has been accepted in this moment is still handed over
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
                else:  # that connection ended before it was accepted
                    await asyncio.sleep(0)
                continue
            self._take(accepted)
            await asyncio.sleep(0)  # those that are in have their turn before the next one

    def _refuse_waiting(self, listening: socket.socket, error: OSError) -> None:
        """Close what waits to be accepted: a client that is refused at once can look elsewhere, or try again."""
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
            with contextlib.suppress(OSError):  # BlockingIOError: none waits any more
                for _ in range(BACKLOG):
                    listening.accept()[0].close()
                    self._refused += 1
            self._keep_spare()
        now = asyncio.get_running_loop().time()
        if now - self._told >= TELL_S:
            logger.warning(
                "connections can't be accepted, and those that waited were closed (%d since this was last said): %s",
                self._refused,
                error,
            )
            self._told, self._refused = now, 0

    def _keep_spare(self) -> None:
        with contextlib.suppress(OSError):  # there is none now; then nothing is refused, but waits for its turn
            self._spare = os.open(os.devnull, os.O_RDONLY)
