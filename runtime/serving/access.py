"""Access control: tokens, compared in constant time, and the origins (sites) that may use the WebSocket."""

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

LEAST_CHARS = 16  # of a token; a shorter one could be guessed
ANY_ORIGIN = "*"
_PLAIN_ORIGIN = re.compile(r"https?://(?:\[([0-9a-fA-F:]+)\]|([a-z0-9.-]+))(?::[0-9]{1,5})?")


class Tokens:
    """The tokens that a server accepts. Only their SHA-256 digests are stored."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._digests = [_digest(token) for token in tokens]

    def allow(self, token: object) -> bool:
        """Whether `token` is one of them. The time it takes does not depend on how much of a token is right."""
        given = _digest(token if isinstance(token, str) else "")
        found = False
        for digest in self._digests:
            found |= hmac.compare_digest(given, digest)
        return found


class WrongToken(RpcError):
    """The client gave a wrong token, or none."""


class Authentication:
    """Whether one client has given a token. `complete` from the start if the server has no tokens."""

    def __init__(self, tokens: Tokens | None) -> None:
        self.complete = tokens is None
        self._tokens = tokens

    def check(self, method: str, params: dict[str, Any]) -> None:
        """Check a request. A `server.hello` with the right token completes the authentication.

        Args:
            method: the request's method.
            params: the request's parameters, `token` among them.

        Raises:
            RpcError: UNAUTHORIZED, for any other method before the token was given.
            WrongToken: the token of a `server.hello` is wrong or missing.
        """
        if self._tokens is None:
            return
        if method != "server.hello":
            if not self.complete:
                raise RpcError(Code.UNAUTHORIZED, "give this server's token first: server.hello with token")
        elif self._tokens.allow(params.get("token")):
            self.complete = True
        else:
            raise WrongToken(Code.UNAUTHORIZED, "the token is missing or wrong")


class Origins:
    """The sites whose pages may use the WebSocket of a server that listens on `host`.

    These are the sites in `named`; ANY_ORIGIN allows all. If `named` is empty and `host` is a loopback address, pages
    from this machine's own addresses are allowed (http://localhost:8000, http://127.0.0.1:8000, http://[::1]:8000):
    the program that serves them can reach the host without a browser. A foreign site can't pretend to be one: the
    browser sends the site's name as the origin even if that name resolves to a loopback address (DNS rebinding).
    """

    def __init__(self, named: Iterable[str], host: str) -> None:
        self._named = frozenset(named)
        self._local = not self._named and is_loopback(host)

    def allow(self, origin: str | None) -> bool:
        """Whether a client with this `Origin` header is allowed. None: it sent none, so it is not a browser."""
        if origin is None or ANY_ORIGIN in self._named or origin in self._named:
            return True
        found = _PLAIN_ORIGIN.fullmatch(origin)
        return self._local and found is not None and is_loopback(found[1] or found[2])


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`. False for names but localhost: they may resolve to anything."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_tokens(path: Path) -> Tokens:
    """The tokens of a file, one on each line. Empty lines and lines that begin with # are skipped.

    Raises:
        OSError: the file can't be read.
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
