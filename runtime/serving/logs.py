"""The log: one event on each line, as text or as JSON. An event has a message and, after it, fields.

`logger.info("request", extra=about(id="3-17", method="terrain.chunk"))`
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any, Literal

import msgspec


def about(**fields: Any) -> dict[str, Any]:
    """The fields of an event, for a logger's `extra`."""
    return {"fields": fields}


class TextFormatter(logging.Formatter):
    """`INFO runtime.serving.connection.peer: request id=3-17 method=terrain.chunk`"""

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {})
        line = f"{record.levelname} {record.name}: {record.getMessage()}"
        line += "".join(f" {name}={_printable(value)}" for name, value in fields.items())
        return line + _trace(self, record, "\n")


class JsonFormatter(logging.Formatter):
    """One object on each line: time (UTC), level, logger, message, the fields, and the traceback of an exception."""

    def format(self, record: logging.LogRecord) -> str:
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        event = {
            "time": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        } | getattr(record, "fields", {})
        if trace := _trace(self, record, ""):
            event["exception"] = trace
        return msgspec.json.encode(event, enc_hook=str).decode()


def _printable(value: object) -> str:
    """The text of a field. Line breaks and control sequences, which a client may have sent, are escaped."""
    text = str(value)
    return text if text.isprintable() else repr(text)


def _trace(formatter: logging.Formatter, record: logging.LogRecord, before: str) -> str:
    return before + formatter.formatException(record.exc_info) if record.exc_info else ""


def start(form: Literal["text", "json"], level: int) -> None:
    """Log to stderr, from `level` on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler])
