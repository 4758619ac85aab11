"""A rectangle of terrain of any size, made strip by strip from requests that are small enough for the runtime."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pcg.writers.terrain.layers import LAYERS
from runtime.wire.protocol import MAX_MESSAGE_BYTES

REQUEST = 1024  # pixels a side, at most
RESPONSE_BYTES = MAX_MESSAGE_BYTES >> 20 << 20  # of a response's arrays; the rest of a message is for the metadata
STRIP_BYTES = 256 << 20  # one strip of rows, all layers together
STRIP_PIXELS = 1 << 20  # one strip, about a second of work: the most that an interruption loses
LOW_STRIP = 256  # rows; with fewer there would be too many requests
PLACE = ("x", "y", "size", "width", "height")  # the parameters of a region's place


class Runtime(Protocol):
    """What assets are made with: a client of a server, or the runtime in this process."""

    def call(self, method: str, /, **params: Any) -> Any: ...

    def call_reporting(self, method: str, report: Callable[[int, int], None], /, **params: Any) -> Any: ...


@dataclass(frozen=True)
class Region:
    """A rectangle of land.

    `params`: what every request says besides place and layers. `x`, `y`: the top-left corner in pixels of level of
    detail 0, of the world or of the sketch. `width`, `height`: in pixels of its own level. `sketch`: heights in metres,
    float32 (H, W), for terrain.sketch.
    """

    method: str
    params: dict[str, Any]
    x: int
    y: int
    width: int
    height: int
    sketch: NDArray[np.float32] | None = None

    def window(self, left: int, top: int, width: int, height: int) -> Region:
        """A part of this region; all arguments in pixels of its level."""
        lod = self.params.get("lod", 0)
        return dataclasses.replace(self, x=self.x + (left << lod), y=self.y + (top << lod), width=width, height=height)

    @functools.cached_property
    def place(self) -> dict[str, int]:
        """The region's place as parameters of its method. Chunks are square, so it may be larger than the region."""
        if self.sketch is None:
            return {"x": self.x, "y": self.y, "size": max(self.width, self.height)}
        return {"x": self.x, "y": self.y, "width": self.width, "height": self.height}

    def call(self, runtime: Runtime, layers: Sequence[str]) -> dict[str, Any]:
        """The response to one request for the whole region; it may go beyond it, to the right and below."""
        sketch = {} if self.sketch is None else {"control": self.sketch}
        result: dict[str, Any] = runtime.call(self.method, **self.params, **self.place, **sketch, layers=list(layers))
        return result


@dataclass(frozen=True)
class Strip:
    """Rows of a region over its whole width. `layers`: arrays (rows, width, ...); `chunk`: a response's metadata."""

    layers: dict[str, NDArray[Any]]
    chunk: dict[str, Any]

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return len(next(iter(self.layers.values())))


def other_version(runtime: Runtime, made: Mapping[str, Any]) -> str | None:
    """Which model of an asset's provenance the runtime has in another version, in words; None if it has them all.

    Raises:
        LookupError: the provenance lacks something.
        RpcError: the runtime has no such model.
    """
    for model in (made, *made.get("with", ())):
        name, sha = model["model"], model["sha256"]
        if (known := runtime.call("models.describe", name=name)["sha256"]) != sha:
            return f"made by {name} {sha[:12]}, here that model is {known[:12]}: another version"
    return None


def from_provenance(provenance: dict[str, Any], sketch: NDArray[np.float32] | None) -> Region:
    """The region that an asset shows, from its provenance and the sketch beside it.

    Raises:
        KeyError: the provenance lacks something; ValueError: it names a method that makes no heightmap.
    """
    method, params = provenance["method"], provenance["params"]
    if method != ("terrain.chunk" if sketch is None else "terrain.sketch"):
        raise ValueError(f"its provenance names the method {method!r}, which makes no heightmap")
    # The region, the layer asked for and the sketch take the place of these parameters.
    replaced = {*PLACE, "layers", *(("control",) if sketch is not None else ())}
    rest = {k: v for k, v in params.items() if k not in replaced and not k.endswith("sha256")}
    width, height = (params[k] for k in (("size", "size") if sketch is None else ("width", "height")))
    return Region(method, rest, params["x"], params["y"], width, height, sketch)


def strips(
    runtime: Runtime,
    region: Region,
    layers: Sequence[str],
    *,
    flip: bool = False,
    first: int = 0,
    model: str | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Iterator[Strip]:
    """Make a region strip by strip.

    Args:
        runtime: what makes the land.
        region: what is made.
        layers: the layers of each strip.
        flip: from the bottom up instead of from the top down, the rows within each strip, too.
        first: the row to begin at, where a strip begins.
        model: the SHA-256 of the model file that made the rows before `first`.
        advance: called with pixels made.

    Raises:
        ValueError: the runtime has another model file, or gets one meanwhile.
        RpcError: the runtime refused a request.
    """
    limit = request_side(region, layers)
    rows, columns = _even(region.height, limit), _even(region.width, limit)
    for start in range(first, region.height, rows):
        count = min(rows, region.height - start)
        top = region.height - start - count if flip else start
        made: dict[str, NDArray[Any]] = {}
        for left in range(0, region.width, columns):
            width = min(columns, region.width - left)
            chunk = region.window(left, top, width, count).call(runtime, layers)
            sha256 = chunk["provenance"]["sha256"]
            if sha256 != (model := model or sha256):
                raise ValueError(f"the rows before were made by the model file {model[:12]}, here it is {sha256[:12]}")
            for layer in layers:
                part = chunk[layer][:count, :width]
                if layer not in made:
                    made[layer] = np.empty((count, region.width, *part.shape[2:]), part.dtype)
                made[layer][:, left : left + width] = part
            advance(width * count)
        if flip:
            made = {layer: array[::-1] for layer, array in made.items()}
        yield Strip(made, {k: v for k, v in chunk.items() if not isinstance(v, np.ndarray)})


def request_side(region: Region, layers: Sequence[str]) -> int:
    """The most pixels that a request has a side, and the most rows that a strip has.

    They are fewer if the response would not fit into a message, or the strip of a very wide region into its memory.
    """
    pixel_bytes = sum(LAYERS[layer].pixel_bytes for layer in layers)
    strip = max(1, STRIP_BYTES // (region.width * pixel_bytes))
    soon = max(LOW_STRIP, STRIP_PIXELS // region.width)
    return min(REQUEST, math.isqrt(RESPONSE_BYTES // pixel_bytes), strip, soon)


def _even(total: int, limit: int) -> int:
    """The length of each part if `total` is cut into the fewest equal parts of at most `limit`."""
    return math.ceil(total / math.ceil(total / limit))
