"""What tests of terrain requests share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.content.terrain import layers
from runtime.errors import RpcError
from runtime.local import Local

ALL_LAYERS = list(layers.LAYERS)
QUARTER = 0.125 + 0.125 + 0.05  # metres: both sides are rounded to a quarter, and each level to 1/64


def metres(result: dict[str, Any]) -> NDArray[np.float64]:
    heights: NDArray[np.float64] = result["height"] * result["scale"] + result["offset"]
    return heights


def fault(runtime: Local, method: str, **params: Any) -> RpcError:
    with pytest.raises(RpcError) as caught:
        runtime.call(method, **params)
    return caught.value
