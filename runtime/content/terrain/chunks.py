"""terrain.chunks: many chunks in one request, as a list of places or as rings around a point."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runtime.content.checks import parameter_error
from runtime.content.terrain.measures import LODS
from runtime.content.terrain.requests import ChunkOptions
from runtime.errors import Code

MAX_CHUNKS = 1024  # in one request
FARTHEST = 1 << 53  # from the world's origin


class ChunksRequest(ChunkOptions, frozen=True, forbid_unknown_fields=True):
    """The parameters of terrain.chunks: those that all chunks share, and the places of the chunks.

    Give either `places`, the corners of the chunks in the order they are wanted; or `around`, a world pixel (x, y). The
    chunks are then the rings of the grid around it, from ring `inner` (ring 0 is the chunk that holds the pixel) to
    ring `radius`.
    """

    places: list[tuple[int, int]] | None = None
    around: tuple[int, int] | None = None
    radius: int = 1
    inner: int = 0


def chunks(request: ChunksRequest) -> list[dict[str, Any]]:
    """The parameters of each terrain.chunk that a terrain.chunks stands for; of rings the nearest chunk is the first.

    Raises:
        RpcError: INVALID_PARAMS unless exactly one of `places` and `around` is given; OUT_OF_RANGE for more than
            MAX_CHUNKS, or for rings that do not exist.
    """
    if (request.places is None) == (request.around is None):
        what = "neither places nor around" if request.places is None else "both places and around"
        raise parameter_error(Code.INVALID_PARAMS, "around", f"{what}: say which chunks by one of them")
    if request.places is not None:
        count, places = len(request.places), iter(request.places)
    else:
        if not 0 <= request.inner <= request.radius:
            message = f"there are no rings from inner {request.inner} to radius {request.radius}; 0 <= inner <= radius"
            raise parameter_error(Code.OUT_OF_RANGE, "inner", message)
        if any(abs(place) > FARTHEST for place in request.around or ()):
            message = f"around {list(request.around or ())} is out of range; {-FARTHEST} to {FARTHEST} would do"
            raise parameter_error(Code.OUT_OF_RANGE, "around", message, minimum=-FARTHEST, maximum=FARTHEST)
        count = (2 * request.radius + 1) ** 2 - max(2 * request.inner - 1, 0) ** 2
        places = _rings(request)
    if count > MAX_CHUNKS:
        parameter = "radius" if request.places is None else "places"
        message = f"{parameter} asks for {count} chunks; {MAX_CHUNKS} may be asked for at a time"
        raise parameter_error(Code.OUT_OF_RANGE, parameter, message)
    common = {name: getattr(request, name) for name in ChunkOptions.__struct_fields__}
    return [common | {"x": x, "y": y} for x, y in places]


def _rings(request: ChunksRequest) -> Iterator[tuple[int, int]]:
    """The corners of the chunks around a pixel, sorted by the distance between the chunk's centre and the pixel's."""
    assert request.around is not None
    x, y = request.around
    # The check of each chunk refuses a size or lod out of range. Here they only must not make huge numbers.
    side = min(max(request.size, 1), 1 << 16) << min(max(request.lod, 0), LODS)
    column, row = x // side, y // side
    span = range(-request.radius, request.radius + 1)
    places = [(column + i, row + j) for j in span for i in span if max(abs(i), abs(j)) >= request.inner]

    def distance(place: tuple[int, int]) -> int:
        across, down = ((2 * k + 1) * side - (2 * at + 1) for k, at in zip(place, (x, y), strict=True))
        return across**2 + down**2

    for i, j in sorted(places, key=distance):
        yield i * side, j * side
