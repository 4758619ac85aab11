"""Requests for many chunks to requests for each: a list of places, or rings around a point, the nearest first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runtime.content.terrain.measures import LODS
from runtime.content.terrain.requests import ChunkOptions
from runtime.errors import Code, RpcError

MAX_CHUNKS = 1024  # in one request
FARTHEST = 1 << 53  # from the world's origin


class ChunksRequest(ChunkOptions, frozen=True, forbid_unknown_fields=True):
    """The parameters of terrain.chunks: what chunks have in common, and where they are.

    Either `places`, corners of chunks in the order they are wanted; or `around`, a world pixel (x, y), and rings of the
    chunks of the grid about it, from `inner` (0 is the chunk that holds it) to `radius`.
    """

    places: list[tuple[int, int]] | None = None
    around: tuple[int, int] | None = None
    radius: int = 1
    inner: int = 0


def chunks(request: ChunksRequest) -> list[dict[str, Any]]:
    """The parameters of each terrain.chunk that a terrain.chunks asks for, the nearest first.

    Raises:
        RpcError: INVALID_PARAMS unless exactly one of `places` and `around` is given; OUT_OF_RANGE for more than
            MAX_CHUNKS, or rings that there are not.
    """
    if (request.places is None) == (request.around is None):
        what = "neither places nor around" if request.places is None else "both places and around"
        raise RpcError(Code.INVALID_PARAMS, f"{what}: say which chunks by one of them", {"parameter": "around"})
    if request.places is not None:
        count, places = len(request.places), iter(request.places)
    else:
        if not 0 <= request.inner <= request.radius:
            raise RpcError(
                Code.OUT_OF_RANGE,
                f"there are no rings from inner {request.inner} to radius {request.radius}; 0 <= inner <= radius",
                {"parameter": "inner"},
            )
        if any(abs(place) > FARTHEST for place in request.around or ()):
            raise RpcError(
                Code.OUT_OF_RANGE,
                f"around {list(request.around or ())} is out of range; {-FARTHEST} to {FARTHEST} would do",
                {"parameter": "around", "minimum": -FARTHEST, "maximum": FARTHEST},
            )
        count = (2 * request.radius + 1) ** 2 - max(2 * request.inner - 1, 0) ** 2
        places = _rings(request)
    if count > MAX_CHUNKS:
        parameter = "radius" if request.places is None else "places"
        raise RpcError(
            Code.OUT_OF_RANGE,
            f"{parameter} asks for {count} chunks; {MAX_CHUNKS} may be asked for at a time",
            {"parameter": parameter},
        )
    common = {name: getattr(request, name) for name in ChunkOptions.__struct_fields__}
    return [common | {"x": x, "y": y} for x, y in places]


def _rings(request: ChunksRequest) -> Iterator[tuple[int, int]]:
    """Corners of the chunks around a point, by the distance of their middles from its, in whole numbers."""
    assert request.around is not None
    x, y = request.around
    # What is out of range is refused with its chunk; here it must only not grow beyond what a message can hold.
    side = min(max(request.size, 1), 1 << 16) << min(max(request.lod, 0), LODS)
    column, row = x // side, y // side
    span = range(-request.radius, request.radius + 1)
    places = [(column + i, row + j) for j in span for i in span if max(abs(i), abs(j)) >= request.inner]

    def distance(place: tuple[int, int]) -> int:
        across, down = ((2 * k + 1) * side - (2 * at + 1) for k, at in zip(place, (x, y), strict=True))
        return across**2 + down**2

    for i, j in sorted(places, key=distance):
        yield i * side, j * side
