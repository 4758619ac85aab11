"""Encodes responses, counts and logs them; and decodes the params of a request."""

from __future__ import annotations

import logging
from typing import Any

from runtime.errors import Code, RpcError, shown
from runtime.serving.counts import Counts
from runtime.serving.logs import about
from runtime.wire import arrays
from runtime.wire.protocol import Connection, MessageTooLarge, Packed, Request

logger = logging.getLogger(__name__)

_MAX_ERROR_CHARS = 1000
_TEXT = {str}


def one_map(params: list[Any]) -> dict[str, Any]:
    """The parameters of a request: the one map in `params`, its array maps as numpy arrays.

    Raises:
        RpcError: INVALID_PARAMS if `params` is anything else, or an array map is not valid.
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
    raise RpcError(Code.INVALID_PARAMS, f"params are [] or one map, [{{name: value, …}}], not {shown(params)}")


class Responses:
    """The responses of one connection. `connection` is its number: the first part of a request's id in the log."""

    def __init__(self, wire: Connection, counts: Counts) -> None:
        self.connection = 0
        self._wire, self._counts = wire, counts

    def success(self, request: Request, result: object, seconds: float | None = None) -> bytes:
        """The response with a result, or with an error if that can't be sent. `seconds`: how long the request took."""
        try:
            packed = result if isinstance(result, Packed) else arrays.to_wire(result)
            response = self._wire.send_response(request.msgid, result=packed)
        except MessageTooLarge as error:
            what = f"the result has {error.size} bytes; a message holds {error.limit}: ask for less at a time"
            return self.failure(request, RpcError(Code.OUT_OF_RANGE, what), seconds)
        except Exception as error:
            what = "the result can't be sent; the server's log says why"
            return self.failure(request, self._internal(request, error, what), seconds)
        self._note(request, 0, seconds, len(response))
        return response

    def failure(self, request: Request, error: BaseException, seconds: float | None = None) -> bytes:
        """The response with an error. If it is not an RpcError, it is logged, and the client does not see its text."""
        if not isinstance(error, RpcError):
            error = self._internal(request, error, f"{request.method} failed; the server's log says why")
        response = self.refusal(request.msgid, error)
        self._note(request, error.code, seconds, len(response))
        return response

    def refusal(self, msgid: int, error: RpcError) -> bytes:
        """The response with an error; without its details if these can't be sent."""
        try:
            return self._wire.send_response(msgid, error=arrays.to_wire(error.to_wire()))
        except (TypeError, ValueError, OverflowError):
            logger.exception("the details of an error can't be sent", extra=about(id=self._id(msgid)))
            short = RpcError(error.code, error.message[:_MAX_ERROR_CHARS])
            return self._wire.send_response(msgid, error=short.to_wire())

    def _internal(self, request: Request, error: BaseException, what: str) -> RpcError:
        identity = self._id(request.msgid)
        logger.error("a request failed", exc_info=error, extra=about(id=identity, method=request.method))
        return RpcError(Code.INTERNAL_ERROR, what, {"request": identity})

    def _id(self, msgid: int) -> str:
        return f"{self.connection}-{msgid}"

    def _note(self, request: Request, code: int, seconds: float | None, size: int) -> None:
        self._counts.add(request.method, code)
        level = logging.DEBUG if seconds is None else logging.INFO  # cached responses: thousands a second
        if logger.isEnabledFor(level):
            fields = {"id": self._id(request.msgid), "method": request.method, "code": int(code), "bytes": size}
            ms = {} if seconds is None else {"ms": round(1000 * seconds, 1)}
            logger.log(level, "request", extra=about(**fields, **ms))
