"""What a server grants each client."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.wire.extent import MAX_DEPTH, MAX_VALUES
from runtime.wire.protocol import MAX_MESSAGE_BYTES


@dataclass(frozen=True)
class Limits:
    """Of every connection, but for those of all connections. None for a time: without end.

    Raises:
        ValueError: a limit is not positive, or a message's is over what a length prefix can say.
    """

    max_message_bytes: int = MAX_MESSAGE_BYTES
    """A message that a client sends."""
    max_result_bytes: int = MAX_MESSAGE_BYTES
    """A message that a client is sent."""
    max_depth: int = MAX_DEPTH
    """Arrays and maps inside each other, the message itself counted."""
    max_values: int = MAX_VALUES
    """Values in a message, keys counted."""
    max_in_flight: int = 64
    """Requests that wait or run, and answers that the client has not taken, at the same time."""
    max_in_flight_bytes: int = 32 << 20
    """Of those requests together. A single one may have more."""
    max_unsent_bytes: int = 8 << 20
    """Of answers that the client has not taken; while there are more, nothing more is begun for it."""
    max_unsent_total_bytes: int = 256 << 20
    """Of all connections together. From half of it on nothing is begun for those that do not read; past it, those of
    them that have the most are closed."""
    max_connections: int = 128
    """Of the whole server, counted from when they are accepted."""
    max_unauthorised: int = 32
    """Of those, how many may be at their TLS or WebSocket handshake, or have a token still to give."""
    max_unauthorised_per_address: int | None = 16
    """Of those, how many of one client address. Not for addresses of this machine; None: as many as there are."""
    handshake_timeout_s: float | None = 10.0
    """For TLS and WebSocket to be agreed on, and for a token to be given where one is needed."""
    idle_timeout_s: float | None = 3600.0
    """No request in flight and nothing received."""
    message_timeout_s: float | None = 60.0
    """From a message's first byte to its last."""
    send_timeout_s: float | None = 60.0
    """For one message to be taken by the client."""

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} {value} is not positive")
        for name in ("max_message_bytes", "max_result_bytes"):
            if getattr(self, name) > MAX_MESSAGE_BYTES:
                raise ValueError(f"{name} {getattr(self, name)} is over {MAX_MESSAGE_BYTES}, the most a prefix can say")
