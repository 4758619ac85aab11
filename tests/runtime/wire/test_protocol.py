"""MessagePack-RPC in both framings: bytes to events and back."""

from __future__ import annotations

import itertools
import struct

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import Code
from runtime.wire.extent import MAX_DEPTH, MAX_VALUES
from runtime.wire.protocol import (
    MAX_MESSAGE_BYTES,
    MAX_METHOD_CHARS,
    MAX_MSGID,
    Connection,
    Fatal,
    Framing,
    Invalid,
    MessageTooLarge,
    Notification,
    Request,
    Response,
    pack,
)

FRAMINGS = [Framing.STREAM, Framing.PREFIXED]

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=40)
    | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=8), inner, max_size=20),
    max_leaves=30,
)
msgids = st.integers(0, MAX_MSGID)
methods = st.text(max_size=MAX_METHOD_CHARS)
events = st.one_of(
    st.builds(Request, msgids, methods, st.lists(values, max_size=3)),
    st.builds(Response, msgids, st.none(), values),
    st.builds(Response, msgids, values.filter(lambda error: error is not None), st.none()),
    st.builds(Notification, methods, st.lists(values, max_size=3)),
)


def encode(wire: Connection, event: Request | Response | Notification) -> bytes:
    match event:
        case Request(msgid, method, params):
            return wire.send_request(msgid, method, params)
        case Response(msgid, error, result):
            return wire.send_response(msgid, error=error, result=result)
        case Notification(method, params):
            return wire.send_notification(method, params)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def fed(wire: Connection, pieces: list[bytes]) -> list:
    return [event for piece in pieces for event in wire.receive_data(piece)]


def prefixed(payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + payload


def framed(framing: Framing, payload: bytes) -> bytes:
    return prefixed(payload) if framing is Framing.PREFIXED else payload


# What is sent arrives, however it is cut


@given(st.sampled_from(FRAMINGS), st.lists(events, max_size=6), st.lists(st.integers(0, 10**6), max_size=12))
def test_messages_arrive_whole_and_in_order_however_they_are_cut(framing, messages, places):
    data = b"".join(encode(Connection(framing), message) for message in messages)
    assert fed(Connection(framing), cut(data, places)) == messages


@given(st.sampled_from(FRAMINGS), st.lists(events, min_size=1, max_size=3))
def test_one_byte_at_a_time(framing, messages):
    data = b"".join(encode(Connection(framing), message) for message in messages)
    wire = Connection(framing)
    assert fed(wire, [data[i : i + 1] for i in range(len(data))]) == messages
    assert wire.receive_eof() == []


@given(
    st.one_of(
        st.binary(max_size=80),
        st.builds(lambda head, tail: head + tail, st.sampled_from([b"\x93", b"\x94", b"\x00\x00\x00"]), st.binary()),
        st.builds(lambda value, tail: b"\x94\x00\x07\xa1m\x90" + msgpack.packb(value) + tail, values, st.binary()),
    ),
    st.lists(st.integers(0, 10**6), max_size=12),
)
def test_any_bytes_give_events_and_the_same_events_however_they_are_cut(data, places):
    at_once = Connection().receive_data(data)
    assert fed(Connection(), cut(data, places)) == at_once
    assert not any(isinstance(event, Fatal) for event in at_once[:-1])


@given(st.sampled_from(FRAMINGS), st.lists(st.tuples(methods, values), min_size=1, max_size=5), st.data())
def test_client_and_server_joined_by_a_link_that_cuts_at_will(framing, calls, data):
    """An echo server; what the client gets back is what it sent."""
    client, server = Connection(framing), Connection()
    to_server = b"".join(client.send_request(i, *_call(call)) for i, call in enumerate(calls))
    answers = []
    for piece in cut(to_server, data.draw(st.lists(st.integers(0, 10**6), max_size=8))):
        for request in server.receive_data(piece):
            response = server.send_response(request.msgid, result=[request.method, *request.params])
            answers += fed(client, cut(response, data.draw(st.lists(st.integers(0, 10**6), max_size=3))))
    assert answers == [Response(i, None, list(call)) for i, call in enumerate(calls)]
    assert server.framing is framing


def _call(call):
    method, value = call
    return method, [value]


# Every kind of MessagePack value ends where the specification says


def _samples() -> dict[int, bytes]:
    """A value for every first byte but 0xc1, written from the specification's "Overview" and "formats"."""
    samples = {byte: bytes([byte]) for byte in [*range(0x80), *range(0xE0, 0x100), 0xC0, 0xC2, 0xC3]}
    for n in range(16):
        samples[0x80 + n] = bytes([0x80 + n]) + b"".join(bytes([0xA1, 0x41 + i, i]) for i in range(n))
        samples[0x90 + n] = bytes([0x90 + n]) + bytes(range(n))
    for n in range(32):
        samples[0xA0 + n] = bytes([0xA0 + n]) + b"s" * n
    for first, payload in {0xC4: b"\x03abc", 0xC5: b"\x01\x00" + bytes(256), 0xC6: b"\0\0\0\x02ab"}.items():
        samples[first] = bytes([first]) + payload
    for first, payload in {0xC7: b"\x03\x05abc", 0xC8: b"\0\x01\x05a", 0xC9: b"\0\0\0\0\x05"}.items():
        samples[first] = bytes([first]) + payload
    for first, size in {
        0xCA: 4,
        0xCB: 8,
        0xCC: 1,
        0xCD: 2,
        0xCE: 4,
        0xCF: 8,
        0xD0: 1,
        0xD1: 2,
        0xD2: 4,
        0xD3: 8,
    }.items():
        samples[first] = bytes([first]) + b"\x01" * size
    for i in range(5):
        samples[0xD4 + i] = bytes([0xD4 + i, 0x05]) + b"e" * 2**i
    for first, payload in {0xD9: b"\x21" + b"s" * 33, 0xDA: b"\0\x01s", 0xDB: b"\0\0\0\x01s"}.items():
        samples[first] = bytes([first]) + payload
    for first, payload in {0xDC: b"\0\x02\x01\xc0", 0xDD: b"\0\0\0\x01\x90", 0xDE: b"\0\x01\xa1k\x80"}.items():
        samples[first] = bytes([first]) + payload
    samples[0xDF] = b"\xdf\0\0\0\x02\xa1a\x01\xa1b\x92\x01\x02"
    return samples


@pytest.mark.parametrize("first", [byte for byte in range(256) if byte != 0xC1])
def test_every_first_byte_of_a_value(first):
    value = _samples()[first]
    message = b"\x93\x02\xa1m\x92" + value + b"\xa5after"
    wire = Connection(Framing.STREAM)
    pieces = [bytes([byte]) for byte in message * 2]
    assert fed(wire, pieces) == [Notification("m", [msgpack.unpackb(value), "after"])] * 2
    assert wire.receive_eof() == []


def test_golden_bytes():
    stream, framed_wire = Connection(Framing.STREAM), Connection(Framing.PREFIXED)
    assert stream.send_request(1, "a", []).hex(" ") == "94 00 01 a1 61 90"
    assert stream.send_response(MAX_MSGID, result=None).hex(" ") == "94 01 ce ff ff ff ff c0 c0"
    assert stream.send_response(0, error=[1], result="dropped").hex(" ") == "94 01 00 91 01 c0"
    assert stream.send_notification("a", [{}]).hex(" ") == "93 02 a1 61 91 80"
    assert framed_wire.send_request(1, "a", []).hex(" ") == "00 00 00 06 94 00 01 a1 61 90"
    assert Connection().send_fatal(Code.PARSE_ERROR, "x") == (
        b"\x93\x02\xa5error\x91\x82\xa4code\xd1\x80\x44\xa7message\xa1x"
    )


def test_a_method_may_be_binary():
    wire = Connection(Framing.STREAM)
    assert wire.receive_data(bytes.fromhex("94 00 01 c4 01 61 90")) == [Request(1, "a", [])]
    assert wire.receive_data(bytes.fromhex("93 02 c4 02 c3 a9 90")) == [Notification("é", [])]
    [not_text] = wire.receive_data(bytes.fromhex("94 00 01 c4 01 ff 90"))
    assert isinstance(not_text, Invalid)
    [too_long] = wire.receive_data(bytes.fromhex("94 00 01 c4 81") + b"a" * 129 + b"\x90")
    assert isinstance(too_long, Invalid)
    [not_text] = wire.receive_data(bytes.fromhex("93 02 c4 01 ff 90"))
    assert not_text.code is Code.INVALID_REQUEST


# Framing is detected from the first byte


@pytest.mark.parametrize("first", range(256))
def test_detection(first):
    wire = Connection()
    events = wire.receive_data(bytes([first]))
    if first == 0x00:
        assert (events, wire.framing) == ([], Framing.PREFIXED)
    elif first in (0x93, 0x94, 0xDC):
        assert (events, wire.framing) == ([], Framing.STREAM)
    else:
        [event] = events
        assert event.code is Code.PARSE_ERROR
        assert f"0x{first:02x}" in event.message
        assert wire.receive_data(b"\x94\x00\x01\xa1a\x90") == []


def test_no_bytes_detect_nothing():
    wire = Connection()
    assert wire.receive_data(b"") == []
    assert wire.framing is None
    assert wire.receive_eof() == []


def test_responses_use_the_framing_of_the_peer():
    server = Connection()
    server.receive_data(bytes.fromhex("00 00 00 06 94 00 01 a1 61 90"))
    assert server.send_response(1, result=5) == bytes.fromhex("00 00 00 05 94 01 01 c0 05")


# Limits


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("before", [0, 3])
def test_a_message_of_the_limit_passes_and_one_byte_more_does_not(framing, before):
    small = framed(framing, b"\x94\x00\x01\xa1a\x90")
    fits = b"\x93\x02\xa1m\x91\xc4\x0d" + bytes(13)  # 20 bytes
    wire = Connection(framing, max_message_bytes=20)
    assert len(fed(wire, [small] * before + [framed(framing, fits)])) == before + 1
    over = b"\x93\x02\xa1m\x91\xc4\x0e"  # announces 21 bytes; the payload is never sent
    start = struct.pack(">I", 21) if framing is Framing.PREFIXED else over
    [event] = wire.receive_data(start)
    assert event.code is Code.PARSE_ERROR
    assert "21 bytes" in event.message
    assert wire.receive_data(small) == []


def test_many_small_messages_may_exceed_the_limit_together():
    wire = Connection(Framing.STREAM, max_message_bytes=6)
    assert len(wire.receive_data(b"\x94\x00\x01\xa1a\x90" * 1000)) == 1000


def test_a_message_that_grows_past_the_limit_without_announcing_it():
    """Containers announce values, not bytes: the bytes are counted as they come."""
    wire = Connection(Framing.STREAM, max_message_bytes=100)
    events = fed(wire, [b"\x93\x02\xa1m\xdc\x01\x00"] + [b"\xc0"] * 256)
    assert [type(event) for event in events] == [Fatal]


@pytest.mark.parametrize("length", [0, MAX_MESSAGE_BYTES + 1, 2**32 - 1])
@pytest.mark.parametrize("before", [0, 1])
def test_length_prefixes_out_of_range(length, before):
    wire = Connection(Framing.PREFIXED)
    small = prefixed(b"\x94\x00\x01\xa1a\x90")
    events = wire.receive_data(small * before + struct.pack(">I", length))
    assert [type(event) for event in events] == [Request] * before + [Fatal]


def test_the_largest_prefix_begins_with_the_byte_that_is_detected():
    assert struct.pack(">I", MAX_MESSAGE_BYTES)[0] == 0x00
    wire = Connection()
    assert wire.receive_data(struct.pack(">I", MAX_MESSAGE_BYTES)) == []
    assert wire.framing is Framing.PREFIXED


@pytest.mark.parametrize(
    "head", ["dd ff ff ff ff", "df ff ff ff ff", "c6 ff ff ff ff", "db ff ff ff ff", "c9 ff ff ff ff"]
)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_head_that_announces_gigabytes_is_refused_by_itself(head, framing):
    payload = b"\x94\x00\x01\xa1m" + bytes.fromhex(head)
    [event] = Connection().receive_data(framed(framing, payload))
    assert isinstance(event, Fatal)
    assert event.code is Code.PARSE_ERROR


def test_the_number_of_values():
    inner = b"\x94\x00\x01\xa1m\x91\xdd"  # 1 + 4 + 1 values before the array's own
    wire = Connection()
    [event] = wire.receive_data(inner + struct.pack(">I", MAX_VALUES - 6) + b"\xc0" * (MAX_VALUES - 6))
    assert len(event.params[0]) == MAX_VALUES - 6
    [event] = wire.receive_data(inner + struct.pack(">I", MAX_VALUES - 5))
    assert isinstance(event, Fatal)
    assert str(MAX_VALUES) in event.message


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("nest", [b"\x91", b"\x81\xa1k"])
def test_nesting(framing, nest):
    def message(depth: int) -> bytes:  # the message, its params, and `depth` more
        return framed(framing, b"\x93\x02\xa1m\x91" + nest * depth + b"\xc0")

    [event] = Connection().receive_data(message(MAX_DEPTH - 2))
    assert isinstance(event, Notification)
    for depth in (MAX_DEPTH - 1, 600, 5000):  # msgpack's own limit is 1024, and Python's recursion ends sooner
        [event] = Connection().receive_data(message(depth))
        assert event == Fatal(Code.PARSE_ERROR, "arrays and maps nested more than 64 deep")


@pytest.mark.parametrize("limit", [0, -1, MAX_MESSAGE_BYTES + 1])
def test_a_limit_out_of_range(limit):
    for name in ("max_message_bytes", "max_sent_bytes"):
        with pytest.raises(ValueError, match=f"{name} {limit}"):
            Connection(**{name: limit})


@pytest.mark.parametrize("framing", FRAMINGS)
def test_stricter_limits_of_depth_and_values(framing):
    def after(params: bytes) -> list:
        wire = Connection(max_depth=3, max_values=8)
        return wire.receive_data(framed(framing, b"\x94\x00\x01\xa1m" + params))

    assert isinstance(after(b"\x91\x91\xc0")[0], Request)
    assert "nested more than 3" in after(b"\x91\x91\x91\xc0")[0].message
    assert isinstance(after(b"\x93\xc0\xc0\xc0")[0], Request)
    assert "the limit is 8" in after(b"\x94\xc0\xc0\xc0\xc0")[0].message


@pytest.mark.parametrize(
    ("data", "words"), [(b"GET / HTTP/1.1\r\n", "like HTTP"), (b"\x16\x03\x01", "like TLS"), (b"\xc1", "0xc1; M")]
)
def test_foreign_protocols_are_named(data, words):
    [event] = Connection().receive_data(data)
    assert words in event.message


# Frames


@given(st.lists(events, max_size=6))
def test_frames_hold_one_message_each(messages):
    wire = Connection(Framing.FRAMES)
    assert fed(wire, [encode(Connection(Framing.FRAMES), message) for message in messages]) == messages
    assert wire.receive_eof() == []


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", "a frame of 0 bytes; a message has 1 to"),
        (b"\x94\x00\x01", "a frame of 3 bytes, but the message goes on"),
        (b"\x94\x00\x01\xa1a\x90" * 2, "a frame of 12 bytes, but the message ends after 6"),
        (bytes(21), "a frame of 21 bytes; a message has 1 to 20"),
    ],
)
def test_frames_that_do_not(frame, reason):
    [event] = Connection(Framing.FRAMES, max_message_bytes=20).receive_data(frame)
    assert event.code is Code.PARSE_ERROR
    assert reason in event.message


# Events when they are wanted, and results packed before


def test_events_may_be_taken_one_by_one():
    wire = Connection()
    wire.feed(b"\x94\x00\x01\xa1a\x90" * 3 + b"\x94")
    assert wire.next_event() == Request(1, "a", [])
    assert wire.buffered == 13
    assert isinstance(wire.next_event(), Request)
    assert wire.message_bytes == 6
    wire.max_message_bytes = 5
    assert isinstance(wire.next_event(), Fatal)
    wire.feed(b"\x94")
    assert wire.next_event() is None


@given(st.sampled_from(FRAMINGS), msgids, values)
def test_a_packed_result_is_sent_as_the_value_it_holds(framing, msgid, value):
    wire = Connection(framing)
    assert wire.send_response(msgid, result=pack(value)) == wire.send_response(msgid, result=value)


def test_a_packed_result_over_the_limit():
    with pytest.raises(MessageTooLarge):
        Connection(Framing.STREAM, max_sent_bytes=20).send_response(1, result=pack(bytes(20)))


# Malformed


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\x94\x00\x01\xa1a\xc1", "0xc1"),
        (b"\x94\x00\x01\xa1\xff\x90", "utf-8"),
        (b"\x94\x00\x01\xa1a\x91\x81\x01\x02", "map key"),
        (b"\x94\x00\x01\xa1a\x91\x81\x90\x02", "map key"),
        (b"\x94\x00\x01\xa1a\x91\xc7\x03\xff123", "timestamp"),
    ],
)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_bytes_that_are_no_message(payload, reason, framing):
    good = framed(framing, b"\x94\x00\x01\xa1a\x90")
    request, fatal = Connection().receive_data(good + framed(framing, payload) + good)
    assert request == Request(1, "a", [])
    assert fatal.code is Code.PARSE_ERROR
    assert reason in fatal.message


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\x94\x00\x01\xa1a\x90\xc0", "ends after 6"),
        (b"\x94\x00\x01\xa1a", "goes on"),
        (b"\x94\x00\x01\xc4\x09a", "limit is 6"),
    ],
)
def test_a_length_prefix_that_does_not_fit_its_message(payload, reason):
    [event] = Connection().receive_data(prefixed(payload))
    assert event.code is Code.PARSE_ERROR
    assert reason in event.message


@pytest.mark.parametrize("framing", FRAMINGS)
def test_an_end_inside_a_message(framing):
    wire = Connection()
    whole = framed(framing, b"\x94\x00\x01\xa1a\x90")
    assert wire.receive_data(whole + whole[:-1]) == [Request(1, "a", [])]
    [event] = wire.receive_eof()
    assert event.code is Code.PARSE_ERROR
    assert wire.receive_data(whole[-1:]) == []
    assert wire.receive_eof() == []


# MessagePack, but not MessagePack-RPC


@pytest.mark.parametrize(
    "message",
    [
        [0, 7],
        [0, 7, "m"],
        [0, 7, "m", [], None],
        [0, 7, "m", {}],
        [0, 7, "m", None],
        [0, 7, None, []],
        [0, 7, b"\xff", []],
        [0, 7, "m" * (MAX_METHOD_CHARS + 1), []],
    ],
)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_an_invalid_request_with_a_msgid_gets_a_response_and_the_next_is_read(message, framing):
    good = framed(framing, b"\x94\x00\x01\xa1a\x90")
    events = Connection().receive_data(good + framed(framing, msgpack.packb(message)) + good)
    assert events[0] == events[2] == Request(1, "a", [])
    assert isinstance(events[1], Invalid)
    assert events[1].msgid == 7


@pytest.mark.parametrize(
    "message",
    [
        None,
        7,
        {"method": "m"},
        "m",
        [],
        ["m"],
        [0],
        [3, 7, "m", []],
        [-1, 7, "m", []],
        [False, 7, "m", []],
        [0.0, 7, "m", []],
        [0, -1, "m", []],
        [0, MAX_MSGID + 1, "m", []],
        [0, True, "m", []],
        [0, 7.0, "m", []],
        [0, "7", "m", []],
        [1, 7, None],
        [1, -7, None, None],
        [2, "m"],
        [2, 5, []],
        [2, "m", {}],
        [2, "m", [], []],
    ],
)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_message_without_a_msgid_to_respond_to_ends_the_connection(message, framing):
    good = framed(framing, b"\x94\x00\x01\xa1a\x90")
    request, fatal = Connection().receive_data(good + framed(framing, msgpack.packb(message)) + good)
    assert request == Request(1, "a", [])
    assert fatal.code is Code.INVALID_REQUEST


# Sending


@pytest.mark.parametrize("msgid", [-1, MAX_MSGID + 1, True, 1.0, None])
def test_a_msgid_to_send_out_of_range(msgid):
    with pytest.raises(ValueError, match="msgid"):
        Connection(Framing.STREAM).send_request(msgid, "m", [])


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_message_to_send_over_the_limit(framing):
    wire = Connection(framing, max_sent_bytes=20)
    assert len(wire.send_response(1, result=bytes(14))) in (20, 24)
    with pytest.raises(MessageTooLarge) as caught:
        wire.send_response(1, result=bytes(15))
    assert (caught.value.size, caught.value.limit) == (21, 20)


@pytest.mark.parametrize("value", [object(), 2**64, {1, 2}])
def test_a_value_that_messagepack_can_not_hold(value):
    with pytest.raises((TypeError, OverflowError)):
        Connection(Framing.STREAM).send_response(1, result=value)
