"""The limits of a server: what one client may use, and all clients together."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.wire.extent import MAX_DEPTH, MAX_VALUES
from runtime.wire.protocol import MAX_MESSAGE_BYTES


@dataclass(frozen=True)
class Limits:
    """The limits. Each is for one connection, unless it says otherwise. A time of None means no limit.

    Raises:
        ValueError: a limit is not positive, or a message limit is more than a length prefix can express.
    """

    max_message_bytes: int = MAX_MESSAGE_BYTES
    """Largest message from a client."""
    max_result_bytes: int = MAX_MESSAGE_BYTES
    """Largest message to a client."""
    max_depth: int = MAX_DEPTH
    """Depth of nested arrays and maps; the message itself counts."""
    max_values: int = MAX_VALUES
    """Values in one message; map keys count."""
    max_in_flight: int = 64
    """Requests that wait or run, plus responses that the client has not read, at the same time."""
    max_in_flight_bytes: int = 32 << 20
    """Bytes of those requests together. A single request may be larger."""
    max_unsent_bytes: int = 8 << 20
    """Bytes of responses that the client has not read. Over it, the server starts no more work for this client."""
    max_unsent_total_bytes: int = 256 << 20
    """The same, for all connections together. Over half of it, the server starts no more work for connections that do
    not read. Over all of it, it closes those of them that hold the most."""
    max_connections: int = 128
    """Connections of the whole server; a connection counts as soon as it is accepted."""
    max_unauthorised: int = 32
    """Connections whose TLS or WebSocket handshake is not done, or whose token is missing."""
    max_unauthorised_per_address: int | None = 16
    """The same, for one client address. Addresses of this machine have no such limit; None: nobody has."""
    handshake_timeout_s: float | None = 10.0
    """Time for the TLS and WebSocket handshakes, and for the token if one is needed."""
    idle_timeout_s: float | None = 3600.0
    """Time without a request in flight and without a byte received."""
    message_timeout_s: float | None = 60.0
    """Time from a message's first byte to its last."""
    send_timeout_s: float | None = 60.0
    """Time for the client to read one message."""

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} {value} is not positive")
        for name in ("max_message_bytes", "max_result_bytes"):
            if getattr(self, name) > MAX_MESSAGE_BYTES:
                raise ValueError(f"{name} {getattr(self, name)} is over {MAX_MESSAGE_BYTES}, the most a prefix can say")
