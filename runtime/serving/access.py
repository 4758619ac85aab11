"""Who may ask: tokens, compared in constant time, and the sites whose pages are let in."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from runtime.errors import Code, RpcError

logger = logging.getLogger(__name__)

LEAST_CHARS = 16  # of a token; shorter ones can be guessed
ANY_ORIGIN = "*"
_PLAIN_ORIGIN = re.compile(r"https?://(?:\[([0-9a-fA-F:]+)\]|([a-z0-9.-]+))(?::[0-9]{1,5})?")


class Tokens:
    """Tokens that open the door. Only their SHA-256 digests are kept."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._digests = [_digest(token) for token in tokens]

    def allow(self, token: object) -> bool:
        """Whether it is one of them. Takes the same time whichever it is, and however much of one is right."""
        given = _digest(token if isinstance(token, str) else "")
        found = False
        for digest in self._digests:
            found |= hmac.compare_digest(given, digest)
        return found


class WrongToken(RpcError):
    """A token was asked for, and this is none."""


class Door:
    """Whether one client is let in. Without tokens it is open to all."""

    def __init__(self, tokens: Tokens | None) -> None:
        self.open = tokens is None
        self._tokens = tokens

    def check(self, method: str, params: dict[str, Any]) -> None:
        """Look at a request: `server.hello` opens the door with a token.

        Raises:
            RpcError: UNAUTHORIZED where it is shut, or as WrongToken.
        """
        if self._tokens is None:
            return
        if method != "server.hello":
            if not self.open:
                raise RpcError(Code.UNAUTHORIZED, "give this server's token first: server.hello with token")
        elif self._tokens.allow(params.get("token")):
            self.open = True
        else:
            raise WrongToken(Code.UNAUTHORIZED, "the token is missing or wrong")


class Origins:
    """The sites whose pages may use the WebSocket, of a server that listens on `host`.

    Those that are named; ANY_ORIGIN names all. Where none is named and only this machine reaches the host, pages of
    this machine's own addresses (http://localhost:8000, http://127.0.0.1:8000, http://[::1]:8000): whoever serves them
    can reach the host without a browser. A foreign site can't pass for one: its pages have its name as their origin,
    also while that name resolves to a loopback address (DNS rebinding).
    """

    def __init__(self, named: Iterable[str], host: str) -> None:
        self._named = frozenset(named)
        self._local = not self._named and is_loopback(host)

    def allow(self, origin: str | None) -> bool:
        """Whether a client is let in that came with this `Origin` header; None: with none, so it is no browser."""
        if origin is None or ANY_ORIGIN in self._named or origin in self._named:
            return True
        found = _PLAIN_ORIGIN.fullmatch(origin)
        return self._local and found is not None and is_loopback(found[1] or found[2])


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address. A name other than localhost may be anything, so it is not."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_tokens(path: Path) -> Tokens:
    """The tokens of a file, one a line; empty lines and those that begin with # do not count.

    Raises:
        OSError: it can't be read.
        ValueError: it holds no token, or one that is too short.
    """
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    tokens = [line for line in lines if line and not line.startswith("#")]
    if not tokens:
        raise ValueError(f"{path} holds no token; write one a line, for example what 'openssl rand -hex 32' prints")
    for number, line in enumerate(lines, 1):
        if line in tokens and len(line) < LEAST_CHARS:
            raise ValueError(f"{path}, line {number}: a token of {len(line)} characters; it needs {LEAST_CHARS}")
    if path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        logger.warning("%s can be read by others; 'chmod 600 %s' keeps it to you", path, path)
    return Tokens(tokens)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
