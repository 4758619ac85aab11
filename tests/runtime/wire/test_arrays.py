"""Arrays as maps on the wire."""

from __future__ import annotations

import re

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from runtime.wire.arrays import DTYPES, MAX_DIMENSIONS, from_wire, to_wire

arrays = hnp.arrays(
    st.sampled_from(DTYPES).map(np.dtype), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
)


def over_the_wire(value):
    return from_wire(msgpack.unpackb(msgpack.packb(to_wire(value))))


@given(arrays)
def test_an_array_comes_back_as_it_was(array):
    back = over_the_wire(array)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()  # bytes, so that a NaN counts too


@given(arrays.filter(lambda array: array.ndim == 2), st.booleans())
def test_order_and_byte_order_are_made_the_wires(array, big_endian):
    odd = array.T[::-1]
    if big_endian:
        odd = odd.astype(odd.dtype.newbyteorder(">"))
    wire = to_wire(odd)
    assert wire["dtype"] == array.dtype.str
    assert bytes(wire["data"]) == np.ascontiguousarray(array.T[::-1]).tobytes()


def test_golden_bytes():
    wire = to_wire(np.array([[1, 2, 3], [4, 5, 0x1234]], ">u2"))
    assert bytes(wire.pop("data")) == b"\1\0\2\0\3\0\4\0\5\0\x34\x12"
    assert wire == {"dtype": "<u2", "shape": [2, 3]}


def test_arrays_are_found_inside_maps_lists_and_tuples():
    sent = {"layers": [{"height": np.arange(3, dtype="<i4")}, (np.zeros(1), "text")], "size": 3}
    back = over_the_wire(sent)
    assert back["layers"][0]["height"].tolist() == [0, 1, 2]
    assert back["layers"][1][0].dtype == np.float64
    assert back["layers"][1][1] == "text"
    assert back["size"] == 3


def test_numpy_scalars_become_pythons():
    wire = to_wire([np.int64(-5), np.float32(0.5), np.bool_(True)])
    assert wire == [-5, 0.5, True]
    assert [type(value) for value in wire] == [int, float, bool]


def test_data_is_a_view_where_it_can_be():
    array = np.zeros(4, "<u2")
    wire = to_wire(array)
    array[0] = 7
    assert bytes(wire["data"])[:2] == b"\x07\x00"


def test_received_arrays_are_read_only():
    back = over_the_wire(np.zeros(2))
    with pytest.raises(ValueError, match="read-only"):
        back[0] = 1


@pytest.mark.parametrize("array", [np.array([True]), np.array(["a"]), np.array([None]), np.zeros(1, "<f2")])
def test_a_dtype_that_is_not_sent(array):
    with pytest.raises(ValueError, match=r"convert it to one of \|u1"):
        to_wire(array)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dtype": "|O"}, "dtype '|O'"),
        ({"dtype": ">u2"}, "dtype '>u2'"),
        ({"dtype": "u2,u2"}, "dtype"),
        ({"dtype": 5}, "dtype 5"),
        ({"dtype": ["<u2"]}, "dtype"),
        ({"shape": 2}, "shape 2"),
        ({"shape": [-1, -2]}, "shape"),
        ({"shape": [2.0]}, "shape"),
        ({"shape": [True, 2]}, "shape"),
        ({"shape": ["2"]}, "shape"),
        ({"shape": [1] * (MAX_DIMENSIONS + 1)}, "shape"),
        ({"shape": [2**31, 2**40]}, "shape"),
        ({"shape": [3]}, "has 4 bytes; shape [3] of <u2 needs 6"),
        ({"shape": [1]}, "needs 2"),
        ({"shape": []}, "needs 2"),
        ({"shape": [2**31 - 1] * 8}, "needs"),
        ({"data": "text"}, "data is str"),
        ({"data": None}, "data is NoneType"),
        ({"shape": [0, 2**31 - 1, 2**31 - 1, 2**31 - 1], "data": b"", "dtype": "<f8"}, "too big"),
    ],
)
def test_a_malformed_array_map(change, reason):
    good = {"dtype": "<u2", "shape": [2], "data": b"abcd"}
    assert from_wire(good).shape == (2,)
    with pytest.raises(ValueError, match=re.escape(reason)):
        from_wire({"deep": [good | change]})


@pytest.mark.parametrize("almost", [{"dtype": "<u2", "shape": [2]}, {"dtype": 1, "shape": 2, "data": 3, "more": 4}])
def test_a_map_with_other_keys_is_no_array(almost):
    assert from_wire(almost) == almost


@given(
    st.dictionaries(
        st.sampled_from(["dtype", "shape", "data"]),
        st.none() | st.text() | st.binary() | st.integers() | st.lists(st.integers() | st.text(), max_size=9),
    )
)
def test_anything_gives_an_array_or_a_value_error(wire):
    if wire.keys() == {"dtype", "shape", "data"}:
        with pytest.raises(ValueError, match="array"):  # random text is never a dtype
            from_wire(wire)
    else:
        assert from_wire(wire) == wire
