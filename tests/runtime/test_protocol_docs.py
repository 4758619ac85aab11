"""docs/protocol.md against the code: its bytes, its tables and its client."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import numpy as np
import pytest

from runtime import protocol
from runtime.arrays import DTYPES, from_wire, to_wire
from runtime.errors import Code
from runtime.limits import Limits
from runtime.protocol import Connection, Framing, Notification, Request, Response

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
BLOCKS = dict(re.findall(r"^```(?:hex|python) (\w+)\n(.*?)^```$", PAGE, re.M | re.S))

HEIGHT = np.array([[16384, 16788], [16500, 17000]], "<u2")
REQUEST = Request(1, "terrain.chunk", [{"seed": 7, "x": 0, "y": -256, "size": 2}])
EXAMPLES = {
    "request": (Framing.STREAM, REQUEST),
    "prefixed": (Framing.PREFIXED, REQUEST),
    "response": (Framing.STREAM, Response(1, None, {"height": HEIGHT, "scale": 0.25, "offset": -4096.0})),
    "error": (
        Framing.STREAM,
        Response(2, [Code.OUT_OF_RANGE, "size 4096 is not in 1..2049", {"parameter": "size"}], None),
    ),
    "hello": (Framing.STREAM, Request(0, "server.hello", [{"token": "0123456789abcdef"}])),
    "cancel": (Framing.STREAM, Notification("cancel", [{"msgid": 1}])),
    "item": (
        Framing.STREAM,
        Notification("item", [{"msgid": 3, "index": 0, "chunk": {"x": -256, "y": 0}}]),
    ),
    "fatal": (
        Framing.STREAM,
        Notification("error", [{"code": Code.PARSE_ERROR, "message": "a length prefix of 0 bytes"}]),
    ),
}


def dumped(name: str) -> bytes:
    """The bytes of a dump: each line has hex pairs, and after two spaces what they mean."""
    return bytes.fromhex(" ".join(line.split("  ")[0] for line in BLOCKS[name].splitlines()))


def table(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1]
    rows = re.search(r"(?:^\|.*\n)+", section, re.M)[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def test_every_dump_has_an_example():
    assert set(BLOCKS) == {*EXAMPLES, "client"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_dump(name):
    framing, event = EXAMPLES[name]
    wire = Connection(framing)
    match event:
        case Request(msgid, method, params):
            sent = wire.send_request(msgid, method, params)
        case Response(msgid, error, result):
            sent = wire.send_response(msgid, error=error, result=to_wire(result))
        case Notification(method, params):
            sent = wire.send_notification(method, params)
    assert dumped(name).hex(" ") == sent.hex(" ")
    server = Connection()
    [received] = server.receive_data(sent)
    assert server.framing is framing
    if name == "response":
        np.testing.assert_array_equal(from_wire(received.result)["height"], HEIGHT)
    else:
        assert received == event


def test_errors_are_those_of_the_code():
    assert [(int(code), name) for code, name, _ in table("Errors")] == [(code.value, code.name) for code in Code]


def test_limits_are_those_of_the_code():
    limits = Limits()
    assert [float(value) for _, value, _ in table("Limits")] == [
        limits.max_message_bytes,
        limits.max_result_bytes,
        limits.max_depth,
        limits.max_values,
        protocol.MAX_METHOD_CHARS,
        limits.max_in_flight,
        limits.max_in_flight_bytes,
        limits.max_unsent_bytes,
        limits.max_connections,
        limits.handshake_timeout_s,
        limits.idle_timeout_s,
        limits.message_timeout_s,
        limits.send_timeout_s,
    ]
    assert limits.max_message_bytes == protocol.MAX_MESSAGE_BYTES


def test_dtypes_are_those_of_the_code():
    [dtype] = [meaning for key, meaning in table("Arrays") if key == "`dtype`"]
    assert tuple(re.findall(r"`\\?([|<]\w\d)`", dtype)) == DTYPES


async def test_the_client_on_the_page_works(server):
    namespace: dict = {}
    exec(BLOCKS["client"], namespace)
    assert await asyncio.to_thread(namespace["call"], "127.0.0.1", server.port, "echo", seed=7) == {"seed": 7}
    with pytest.raises(RuntimeError, match="did you mean 'echo'"):
        await asyncio.to_thread(namespace["call"], "127.0.0.1", server.port, "ehco")
