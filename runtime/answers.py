"""From what a call gave to the bytes of its response, and from a request's params to a call's."""

from __future__ import annotations

import logging
from typing import Any

from runtime import arrays
from runtime.errors import Code, RpcError
from runtime.protocol import Connection, MessageTooLarge, Packed, Request

logger = logging.getLogger(__name__)

_MAX_ERROR_CHARS = 1000
_TEXT = {str}


def one_map(params: list[Any]) -> dict[str, Any]:
    """The map that a request's params hold, its array maps as arrays.

    Raises:
        RpcError: INVALID_PARAMS where they hold something else, or an array that can't be.
    """
    match params:
        case []:
            return {}
        case [dict(named)] if set(map(type, named)) <= _TEXT:
            try:
                for name, value in named.items():
                    if isinstance(value, dict | list):
                        named[name] = arrays.from_wire(value)
                return named
            except ValueError as error:
                raise RpcError(Code.INVALID_PARAMS, str(error)) from error
    raise RpcError(Code.INVALID_PARAMS, f"params are [] or one map, [{{name: value, …}}], not {params!r:.80}")


def success(wire: Connection, request: Request, result: object) -> bytes:
    """The response with a result, or with the error that it can't be sent."""
    try:
        return wire.send_response(
            request.msgid, result=result if isinstance(result, Packed) else arrays.to_wire(result)
        )
    except MessageTooLarge as error:
        message = f"the result has {error.size} bytes; a message holds {error.limit}: ask for less at a time"
        return failure(wire, request, RpcError(Code.OUT_OF_RANGE, message))
    except Exception:
        logger.exception("the result of %r can't be sent", request.method)
        what = "the result can't be sent; the server's log says why"
        return failure(wire, request, RpcError(Code.INTERNAL_ERROR, what))


def failure(wire: Connection, request: Request, error: BaseException) -> bytes:
    """The response with an error. One that is no RpcError is logged, and its text stays here."""
    if not isinstance(error, RpcError):
        logger.error("%r failed", request.method, exc_info=error)
        error = RpcError(Code.INTERNAL_ERROR, f"{request.method} failed; the server's log says why")
    return refusal(wire, request.msgid, error)


def refusal(wire: Connection, msgid: int, error: RpcError) -> bytes:
    """The response with an error, without its details where they can't be sent."""
    try:
        return wire.send_response(msgid, error=arrays.to_wire(error.to_wire()))
    except (TypeError, ValueError, OverflowError):
        logger.exception("the details of an error can't be sent")
        short = RpcError(error.code, error.message[:_MAX_ERROR_CHARS])
        return wire.send_response(msgid, error=short.to_wire())
