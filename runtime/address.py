"""The address of a runtime as users write it, with the certificate authority and the token that a client needs.

>>> str(parse("localhost")), str(parse("[::1]:9000")), str(parse("tls://game.example:443")), str(parse("unix:/run/pcg"))
('localhost:7767', '[::1]:9000', 'tls://game.example:443', 'unix:/run/pcg')
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from runtime.client import Client

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 7767
FORMS = f"write HOST:PORT, such as {DEFAULT_HOST}:{DEFAULT_PORT}, tls://HOST:PORT or unix:PATH"


@dataclass(frozen=True)
class Address:
    """What a client needs to reach a runtime. `tls_ca` (PEM) replaces the system's certificate authorities."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    unix: Path | None = None
    tls: bool = False
    tls_ca: Path | None = None
    token: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        if self.unix is not None:
            return f"unix:{self.unix}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls://' if self.tls else ''}{host}:{self.port}"

    def connect(self, *, timeout_s: float | None = 60.0, connect_timeout_s: float = 5.0) -> Client:
        """Connect a client to the runtime.

        Raises:
            NoRuntime, RpcError: as `Client`.
            ValueError: `tls_ca` can't be read, or is no certificate.
        """
        context = None
        if self.tls:
            try:
                context = ssl.create_default_context(cafile=self.tls_ca)
            except OSError as error:  # ssl.SSLError is one
                why = error.strerror or error
                raise ValueError(f"the authority's certificate {self.tls_ca} can't be used: {why}") from error
        return Client(
            self.host,
            self.port,
            connect_timeout_s=connect_timeout_s,
            timeout_s=timeout_s,
            unix=self.unix,
            tls=context,
            token=self.token,
        )


def parse(text: str, *, token: str | None = None, tls_ca: Path | None = None) -> Address:
    """Parse an address: HOST:PORT, HOST, :PORT, [IPV6]:PORT, the same after tls://, or unix:PATH.

    Args:
        text: the address.
        token: the token that the client will give.
        tls_ca: file with the certificate authority, for a tls:// address.

    Raises:
        ValueError: `text` is not an address, or `tls_ca` is given and `text` is not tls://.
    """
    tls = text.startswith("tls://")
    if tls_ca is not None and not tls:
        raise ValueError(f"a certificate's authority ({tls_ca}) is for tls://HOST:PORT, and {text!r} is not")
    if text.startswith("unix:"):
        if text == "unix:":
            raise ValueError(f"{text!r} names no socket; {FORMS}")
        return Address(unix=Path(text.removeprefix("unix:")), token=token)
    rest = text.removeprefix("tls://")
    host, colon, port = (rest, "", "") if rest.endswith("]") else rest.rpartition(":")
    if not colon:
        host, port = rest, str(DEFAULT_PORT)
    bracketed = host.startswith("[") and host.endswith("]")
    if bracketed:
        host = host[1:-1]
    if not rest or set(host) & set("/[]") or (":" in host) != bracketed:
        raise ValueError(f"{text!r} is no address of a runtime; {FORMS}")
    if not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r}: {port!r} is no port, which is 1 to 65535; {FORMS}")
    return Address(host or DEFAULT_HOST, int(port), tls=tls, tls_ca=tls_ca, token=token)


def read_token(path: Path) -> str:
    """The first token of a file for `pcg serve --token-file`: one token on each line, "#" begins a comment.

    Raises:
        OSError: the file can't be read.
        ValueError: it holds no token.
    """
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.strip().startswith("#"):
            return line.strip()
    raise ValueError(f"{path} holds no token; write the server's there, on a line of its own")
