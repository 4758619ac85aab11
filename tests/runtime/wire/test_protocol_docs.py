"""docs/protocol.md against the code: its bytes, its tables and its client."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import numpy as np
import pytest

from runtime.errors import Code
from runtime.serving.access import Tokens
from runtime.serving.limits import Limits
from runtime.serving.server import Server
from runtime.wire import protocol
from runtime.wire.arrays import DTYPES, from_wire, to_wire
from runtime.wire.protocol import Connection, Framing, Notification, Request, Response

PAGE = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text()
BLOCKS = dict(re.findall(r"^```(?:hex|python) (\w+)\n(.*?)^```$", PAGE, re.M | re.S))

HEIGHT = np.array([[16384, 16788], [16500, 17000]], "<u2")
REQUEST = Request(1, "terrain.chunk", [{"seed": 7, "x": 0, "y": -256, "size": 2}])
TOO_LARGE = (
    "size 4096 is out of range; terrain-detail takes 1 to 2049",
    {"parameter": "size", "value": 4096, "minimum": 1, "maximum": 2049},
)
NO_LENGTH = "a length prefix of 0 bytes; a message has 1 to 16777215"
EXAMPLES = {
    "request": (Framing.STREAM, REQUEST),
    "prefixed": (Framing.PREFIXED, REQUEST),
    "response": (Framing.STREAM, Response(1, None, {"height": HEIGHT, "scale": 0.25, "offset": -4096.0})),
    "error": (Framing.STREAM, Response(2, [Code.OUT_OF_RANGE, *TOO_LARGE], None)),
    "hello": (Framing.STREAM, Request(0, "server.hello", [{"token": "0123456789abcdef"}])),
    "cancel": (Framing.STREAM, Notification("cancel", [{"msgid": 1}])),
    "item": (
        Framing.STREAM,
        Notification("item", [{"msgid": 3, "index": 0, "chunk": {"x": -256, "y": 0}}]),
    ),
    "fatal": (
        Framing.PREFIXED,
        Notification("error", [{"code": Code.PARSE_ERROR, "message": NO_LENGTH}]),
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
        limits.max_unsent_total_bytes,
        limits.max_connections,
        limits.max_unauthorised,
        limits.max_unauthorised_per_address,
        limits.handshake_timeout_s,
        limits.idle_timeout_s,
        limits.message_timeout_s,
        limits.send_timeout_s,
    ]
    assert limits.max_message_bytes == protocol.MAX_MESSAGE_BYTES


def test_dtypes_are_those_of_the_code():
    [dtype] = [meaning for key, meaning in table("Arrays") if key == "`dtype`"]
    assert tuple(re.findall(r"`\\?([|<]\w\d)`", dtype)) == DTYPES


class ExampleService:
    """Answers as the page's examples do, where a model would be asked for."""

    async def call(self, method, params, *, connection):
        match method, params:
            case "server.hello", {"token": "0123456789abcdef"}:
                return {"protocol": 1}
            case "terrain.chunk", {"seed": 7, "x": 0, "y": -256, "size": 2}:
                return {"height": HEIGHT, "scale": 0.25, "offset": -4096.0}
            case "terrain.chunks", _:
                await connection.notify("item", {"index": 0, "chunk": {"x": -256, "y": 0}})
                return {"count": 1}
            case "wait", _:
                await asyncio.Event().wait()
        raise AssertionError((method, params))


async def conversation(port: int, sent: bytes, expected: bytes) -> None:
    """What a server on a port answers to bytes, and nothing before it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    answer = await asyncio.wait_for(reader.readexactly(len(expected)), 60)
    writer.close()
    assert answer.hex(" ") == expected.hex(" ")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (dumped("request"), dumped("response")),
        (dumped("prefixed"), len(dumped("response")).to_bytes(4, "big") + dumped("response")),
        (bytes.fromhex("94 00 03 ae") + b"terrain.chunks" + bytes.fromhex("90"), dumped("item")),
        (
            bytes.fromhex("94 00 01 a4") + b"wait" + bytes.fromhex("90") + dumped("cancel"),
            bytes.fromhex("94010193cd044d"),
        ),
    ],
)
async def test_a_server_takes_and_sends_the_dumps(sent, expected):
    async with Server(ExampleService(), port=0) as server:
        await conversation(server.port, sent, expected)
        await server.close(grace_s=0)


async def test_a_server_with_tokens_takes_the_hello():
    async with Server(ExampleService(), port=0, tokens=Tokens(["0123456789abcdef"])) as server:
        await conversation(server.port, dumped("request"), bytes.fromhex("94010193cd04b0"))  # UNAUTHORIZED
        await conversation(server.port, dumped("hello"), bytes.fromhex("940100c081a870726f746f636f6c01"))
        await server.close(grace_s=0)


async def test_the_runtime_sends_the_errors(runtime_port):
    too_large = Connection(Framing.STREAM).send_request(2, "terrain.chunk", [{"seed": 7, "size": 4096}])
    await conversation(runtime_port, too_large, dumped("error"))
    await conversation(runtime_port, bytes(4), dumped("fatal"))


def test_every_first_byte_is_told_once():
    told = []
    for bytes_, *_ in table("MessagePack"):
        for part in re.split(", ", bytes_):
            first, _, last = part.partition(" to ")
            told += range(int(first, 16), int(last or first, 16) + 1)
    assert sorted(told) == list(range(256))


async def test_the_client_on_the_page_works(server):
    namespace: dict = {}
    exec(BLOCKS["client"], namespace)
    assert await asyncio.to_thread(namespace["call"], "127.0.0.1", server.port, "echo", seed=7) == {"seed": 7}
    with pytest.raises(RuntimeError, match="did you mean 'echo'"):
        await asyncio.to_thread(namespace["call"], "127.0.0.1", server.port, "ehco")
