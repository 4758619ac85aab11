"""What both clients share: encoding requests, and decoding responses, items and errors."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, TypeGuard

from runtime.errors import RpcError
from runtime.wire import arrays
from runtime.wire.protocol import Connection, Event, Fatal, Notification, Response


class NoRuntime(ConnectionError):
    """Nothing answers at the address."""

    def __init__(self, address: str, why: object) -> None:
        super().__init__(f"no runtime answers at {address} ({why}); start one with 'pcg serve'")


class ConnectionLost(ConnectionError):
    """The connection to the runtime has ended; make a new client."""


def address(host: str, port: int, unix: str | Path | None) -> str:
    """The address as text, for error messages."""
    return f"{host}:{port}" if unix is None else str(unix)


def to_params(params: dict[str, Any]) -> list[Any]:
    """Named parameters as a request carries them."""
    return [arrays.to_wire(params)] if params else []


def is_item(event: Event | None) -> TypeGuard[Notification]:
    """Whether it is an item of a streamed result."""
    match event:
        case Notification("item", [{"msgid": int()}]):
            return True
    return False


def is_progress(event: Event | None) -> TypeGuard[Notification]:
    """Whether it reports the progress of a call."""
    match event:
        case Notification("progress", [{"msgid": int(), "done": int(), "of": int()}]):
            return True
    return False


def is_part(event: Event | None) -> TypeGuard[Response | Notification]:
    """Whether it belongs to a call: a response, an item or a progress report."""
    return isinstance(event, Response) or is_item(event) or is_progress(event)


def progress(notification: Notification) -> tuple[int, int]:
    """How much of a call is done, of how much."""
    params = notification.params[0]
    return params["done"], params["of"]


def msgid_of(event: Response | Notification) -> int:
    """The msgid of the call that it belongs to."""
    msgid: int = event.msgid if isinstance(event, Response) else event.params[0]["msgid"]
    return msgid


def item(item: Notification) -> dict[str, Any]:
    """The content of an item, its array maps as numpy arrays."""
    return {key: arrays.from_wire(value) for key, value in item.params[0].items() if key != "msgid"}


def cancel(wire: Connection, msgid: int) -> bytes:
    """The notification that cancels a call."""
    return wire.send_notification("cancel", [{"msgid": msgid}])


def result(response: Response) -> Any:
    """The result in a response, its array maps as numpy arrays. RpcError if the response has an error."""
    if response.error is not None:
        raise RpcError.from_wire(response.error)
    return arrays.from_wire(response.result)


def farewell(event: Event | None, address: str) -> Exception | None:
    """The reason why the connection has ended, if `event` says that it has; an event of None is its end."""
    match event:
        case None:
            return ConnectionLost(f"the runtime at {address} closed the connection")
        case Fatal(_, message):
            return ConnectionLost(f"what answers at {address} is no runtime that this client understands: {message}")
        case Notification("error", [{"code": code, "message": message}]):
            return RpcError.from_wire([code, message])
    return None


def remaining(deadline: float | None) -> float | None:
    """Seconds until a deadline. TimeoutError if it has passed: a socket takes 0 to mean "do not wait"."""
    if deadline is None:
        return None
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def too_late(method: str, address: str, timeout_s: float | None) -> str:
    """The message of a TimeoutError."""
    return f"{method} had no answer from {address} within {timeout_s} s"
