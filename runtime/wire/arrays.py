"""Array maps, the encoding of numpy arrays in MessagePack: `{"dtype": "<u2", "shape": [257, 257], "data": bytes}`.

Little-endian, C order. A map is an array map exactly if it has these three keys.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from runtime.errors import shown

DTYPES = ("|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f4", "<f8")
MAX_DIMENSIONS = 8
_KEYS = frozenset({"dtype", "shape", "data"})
_MAX_EDGE = (1 << 31) - 1


def to_wire(value: Any) -> Any:
    """`value` with every numpy array replaced by an array map, in nested dicts, lists and tuples too.

    numpy scalars become Python numbers, tuples become lists. `data` is a view of the array's memory if that is already
    little-endian and in C order: pack it before the array changes. ValueError for a dtype that is not in `DTYPES`.

    >>> to_wire({"height": np.array([[1, 2]], "<u2")})["height"]["shape"]
    [1, 2]
    """
    if isinstance(value, np.ndarray):
        return _array_to_wire(value)
    if isinstance(value, dict):
        return {key: to_wire(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_wire(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value


def from_wire(value: Any) -> Any:
    """`value` with every array map replaced by a numpy array: the inverse of `to_wire`.

    The arrays are read-only views of the received bytes; use `.copy()` to write to one. ValueError if the dtype, shape
    or data of an array map is not valid; the message says which.

    >>> from_wire([{"dtype": "|u1", "shape": [2], "data": b"ab"}])
    [array([97, 98], dtype=uint8)]
    """
    if isinstance(value, dict):
        if value.keys() == _KEYS:
            return _array_from_wire(value["dtype"], value["shape"], value["data"])
        return {key: from_wire(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_wire(item) for item in value]
    return value


def _array_to_wire(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    dtype = array.dtype.newbyteorder("<")
    if dtype.str not in DTYPES:
        raise ValueError(f"an array of dtype {array.dtype} can't be sent; convert it to one of {', '.join(DTYPES)}")
    flat = np.ascontiguousarray(array, dtype).reshape(-1)
    return {"dtype": dtype.str, "shape": list(array.shape), "data": flat.view(np.uint8).data}


def _array_from_wire(dtype: Any, shape: Any, data: Any) -> np.ndarray[Any, Any]:
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"array dtype {shown(dtype, 40)} is not one of {', '.join(DTYPES)}")
    if (
        not isinstance(shape, list)
        or len(shape) > MAX_DIMENSIONS
        or not all(type(edge) is int and 0 <= edge <= _MAX_EDGE for edge in shape)
    ):
        raise ValueError(f"array shape {shown(shape)} is not a list of at most {MAX_DIMENSIONS} integers from 0 up")
    if not isinstance(data, bytes):
        raise ValueError(f"array data is {type(data).__name__}, not binary")
    wanted = math.prod(shape) * np.dtype(dtype).itemsize
    if len(data) != wanted:
        raise ValueError(f"array data has {len(data)} bytes; shape {shape} of {dtype} needs {wanted}")
    return np.frombuffer(data, dtype).reshape(shape)
