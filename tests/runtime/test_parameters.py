"""Parameters become records: also where whole numbers come as floats, as JavaScript and others send them."""

from __future__ import annotations

import struct

import msgpack
import msgspec
import numpy as np
import pytest

from runtime.content.levels.requests import GenerateRequest
from runtime.content.terrain.chunks import ChunksRequest
from runtime.content.terrain.requests import TerrainRequest
from runtime.content.terrain.sketches import SketchRequest
from runtime.errors import Code, RpcError
from runtime.parameters import Options, parse, take_options
from runtime.serving.connection.responses import one_map


def float64(value: float) -> bytes:
    return b"\xcb" + struct.pack(">d", value)


def float32(value: float) -> bytes:
    return b"\xca" + struct.pack(">f", value)


WHOLE = [0, -0.0, 1, -256, 1 << 24, -(1 << 40), -(1 << 53)]


@pytest.mark.parametrize(
    ("form", "x"), [*((form, x) for form in (float64, float32) for x in WHOLE), (float64, (1 << 53) - 1)]
)
def test_a_whole_float_is_the_integer(form, x):
    sent = b"\x91\x82\xa4seed\x07\xa1x" + form(x)
    request = parse(one_map(msgpack.unpackb(sent)), TerrainRequest)
    assert type(request.x) is int
    assert request == TerrainRequest(seed=7, x=int(x))
    # what results are cached by
    assert msgspec.msgpack.encode(request) == msgspec.msgpack.encode(
        TerrainRequest(seed=7, x=int(x))
    )  # the cache's key


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1.5, "x 1.5: expected `int`, got `float`"),
        (2.0**53 + 2, "beyond 2^53 a float does not say which whole number is meant, so send it as an integer"),
        (-1e300, "beyond 2^53"),
        (float("inf"), "x inf: expected `int`"),
        (float("nan"), "x nan: expected `int`"),
        (True, "x True: expected `int`, got `bool`"),
        ("7", "x '7': expected `int`, got `str`"),
    ],
)
def test_what_is_no_whole_number_is_refused(value, words):
    with pytest.raises(RpcError, match=r"^.*$") as caught:
        parse({"seed": 7, "x": value}, TerrainRequest)
    assert caught.value.code is Code.INVALID_PARAMS
    assert words in caught.value.message
    assert caught.value.details == {"parameter": "x"}


def test_whole_floats_deep_in_a_request_and_integers_for_numbers():
    given = {"seed": 1.0, "width": 20.0, "difficulty": [0.0, 1], "counts": {"box": [1.0, 2.0]}, "temperature": 1}
    wanted = {"seed": 1, "width": 20, "difficulty": [0, 1.0], "counts": {"box": [1, 2]}, "temperature": 1.0}
    encoded = [msgspec.msgpack.encode(parse(params, GenerateRequest)) for params in (given, wanted)]
    assert encoded[0] == encoded[1]
    assert parse(given, GenerateRequest).temperature == 1.0
    assert parse({"seed": 1, "places": [[0.0, -512.0]]}, ChunksRequest).places == [(0, -512)]
    assert take_options({"deadline_ms": 250.0, "seed": 1})[0] == Options(deadline_ms=250)


def test_an_array_stays_as_it_is():
    values = np.array([[0.5, 1.0], [2.0, 3.0]], "<f4")
    params = one_map([{"seed": 1.0, "control": {"dtype": "<f4", "shape": [2, 2], "data": values.tobytes()}}])
    np.testing.assert_array_equal(parse(params, SketchRequest).control, values)
