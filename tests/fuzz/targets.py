"""What is fuzzed: any bytes in, and either everything that should hold does, or an exception says what does not."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgpack

from runtime.errors import Code, RpcError
from runtime.parameters import Options
from runtime.serving.connection.responses import Responses, one_map
from runtime.serving.counts import Counts
from runtime.wire import arrays
from runtime.wire.protocol import Connection, Event, Fatal, Framing, Invalid, Request

FRAMINGS = (None, Framing.STREAM, Framing.PREFIXED, Framing.FRAMES)
NARROW = {"max_message_bytes": 64, "max_depth": 4, "max_values": 24}
MAX_ERROR_BYTES = 4096  # of an error's response: what is wrong is told, not sent back


def protocol(data: bytes) -> None:
    """A connection that gets these bytes, at once and in pieces; each request is answered by an echo.

    The first byte chooses the framing, the limits and whether it comes in pieces too, the second their size.
    """
    if len(data) < 2:
        return
    choice, step, data = data[0], data[1] + 1, data[2:]
    framing, limits = FRAMINGS[choice & 3], NARROW if choice & 4 else {}
    wire = Connection(framing, **limits)
    events = wire.receive_data(data)
    if choice & 8 and framing is not Framing.FRAMES:
        other = Connection(framing, **limits)
        pieces = [other.receive_data(data[i : i + step]) for i in range(0, len(data), step)]
        in_pieces = [event for piece in pieces for event in piece]
        assert in_pieces == events or repr(in_pieces) == repr(events), (in_pieces, events)  # NaN is not equal to NaN
        assert other.buffered == wire.buffered <= len(data)
    assert not any(isinstance(event, Fatal) for event in events[:-1])
    failed = bool(events) and isinstance(events[-1], Fatal)
    assert not (failed and wire.receive_data(data))
    responses = Responses(wire, Counts())
    for event in events:
        _answer(wire, responses, event)


def _answer(wire: Connection, responses: Responses, event: Event) -> None:
    if isinstance(event, Fatal):
        _read(wire.framing, wire.send_fatal(event.code, event.message))
        return
    if isinstance(event, Invalid):
        answer = responses.refusal(event.msgid, RpcError(Code.INVALID_REQUEST, event.message))
    elif isinstance(event, Request):
        try:
            answer = responses.success(event, one_map(event.params))
        except RpcError as error:
            answer = responses.failure(event, error)
            assert len(answer) < MAX_ERROR_BYTES, answer
    else:
        return
    response = _read(wire.framing, answer)
    assert response.msgid == event.msgid
    assert response.error is None or response.error[0] != Code.INTERNAL_ERROR, response


def _read(framing: Framing | None, message: bytes) -> Any:
    """A message as a client reads it, who knows no limits but the largest message."""
    [event] = Connection(framing or Framing.STREAM, max_depth=500, max_values=1 << 24).receive_data(message)
    return event


# Parameters

OPTIONS = Options.__struct_fields__
INTEGERS = [*range(-2, 18), 32, 64, 255, 256, 257, 1024, 2048, 2049, 2050, 4096, 4097]
INTEGERS += [sign * (2**n + d) for sign in (1, -1) for n in (16, 31, 32, 52, 53, 62) for d in (-1, 0, 1)]
INTEGERS += [2**63 - 1, -(2**63), 2**63, 2**64 - 1]
FLOATS = (
    0.0,
    -0.0,
    0.1,
    0.5,
    1.0,
    1.5,
    3.99,
    4.0,
    -1.0,
    math.nan,
    math.inf,
    -math.inf,
    5e-324,
    1.8e308,
    1e300,
    2.0**63,
)
WORDS = (
    *("height", "normal", "slope", "water", "flow", "biome", "splat", "varied", "alpine", "plateau", "lowland"),
    *("archipelago", "learned", "noise", "terrain-detail", "terrain-detail@1", "level-sokoban", "level-dungeon"),
    *("sokoban", "dungeon", "platformer", "runner", "boxes", "keys", "doors", "monsters", "treasure", "normal", "high"),
    *("low", "", "_", "#", "@", "*", ":", ",", "alpine:0.5", "nan", "1e400", "-1", "x" * 70, "\0", "../x", "heigth"),
)
TILES = "_#.@$*+-<>KD%? "
DTYPES = (*arrays.DTYPES, "<f2", ">u2", "|O", "|b1", "<U4", "u2", "")


class Draw:
    """Values from bytes: what is left decides, and when nothing is left, all is zero."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken.ljust(count, b"\0")

    def below(self, count: int) -> int:
        return self.take(1)[0] % count

    def one_of(self, values: Any) -> Any:
        return values[self.below(len(values))]

    def value(self, depth: int = 3) -> Any:
        """Anything that a message can carry."""
        match self.below(14 if depth else 9):
            case 0:
                return self.one_of(INTEGERS)
            case 1:
                return struct.unpack("<q", self.take(8))[0]
            case 2:
                return self.one_of(FLOATS)
            case 3:
                return struct.unpack("<d", self.take(8))[0]
            case 4 | 5:
                return self.one_of(WORDS)
            case 6:
                return self.one_of((None, True, False, b"", b"height"))
            case 7:
                return self.take(self.below(40)).decode("utf-8", "replace")
            case 8:
                return self.one_of((",", ":", "")).join(self.one_of(WORDS) for _ in range(self.below(5)))
            case 9 | 10:
                return [self.value(depth - 1) for _ in range(self.below(6))]
            case 11:
                return {self.one_of(WORDS): self.value(depth - 1) for _ in range(self.below(5))}
            case 12:
                width = self.below(14)
                return ["".join(self.one_of(TILES) for _ in range(width)) for _ in range(self.below(14))]
            case _:
                return self._array()

    def _array(self) -> dict[str, Any]:
        shape = [self.below(7) for _ in range(self.below(4))]
        size = math.prod(shape) * self.one_of((1, 2, 4, 8))
        data = bytes(size) if self.below(2) else self.take(size)
        return {"dtype": self.one_of(DTYPES), "shape": self.one_of((shape, shape, self.value(1))), "data": data}

    def params(self, kind: type) -> dict[str, Any]:
        """Some of a method's parameters, now and then one that it does not have."""
        names = [name for name in (*kind.__struct_fields__, *OPTIONS) if self.below(3)]  # type: ignore[attr-defined]
        if not self.below(16):
            names.append(self.one_of(WORDS))
        return {name: self.value() for name in names}


NAMES = ("protocol", "parameters")


def find(name: str) -> Callable[[bytes], None]:
    """The target of that name. ValueError if there is none."""
    if name not in NAMES:
        raise ValueError(f"there is no target {name!r}; there are: {', '.join(NAMES)}")
    return protocol if name == "protocol" else checker()


def checker() -> Callable[[bytes], None]:
    """A target: a method and parameters for it, out of bytes, against the checks of a service that runs nothing."""
    from runtime.content.characters import monsters
    from runtime.content.characters import sheet as characters
    from runtime.content.levels import requests as level_requests
    from runtime.content.levels import solving
    from runtime.content.terrain import chunks, rivers, sketches
    from runtime.content.terrain import requests as terrain
    from runtime.registry import Registry
    from runtime.service import Hello, Name, Service

    methods: dict[str, type] = {
        "terrain.chunk": terrain.TerrainRequest,
        "terrain.chunks": chunks.ChunksRequest,
        "terrain.sketch": sketches.SketchRequest,
        "terrain.rivers": rivers.RiversRequest,
        "characters.sheet": characters.SheetRequest,
        "characters.monster": monsters.MonsterRequest,
        "levels.generate": level_requests.GenerateRequest,
        "levels.solve": solving.SolveRequest,
        "server.hello": Hello,
        "models.describe": Name,
    }
    runner: Any = SimpleNamespace(run=lambda work, options: (work.key, options))
    service = Service(Registry(), SimpleNamespace(), runner)  # type: ignore[arg-type]

    def parameters(data: bytes) -> None:
        draw = Draw(data)
        method = draw.one_of(list(methods))
        sent = msgpack.packb(draw.params(methods[method]))
        first, second = (_ask(service, method, msgpack.unpackb(sent)) for _ in range(2))
        assert first == second, (first, second)

    return parameters


def _ask(service: Any, method: str, params: dict[str, Any]) -> object:
    """What the work would be kept under, or the error's response."""
    try:
        return service.call_blocking(method, one_map([params]))
    except RpcError as error:
        response = msgpack.packb(arrays.to_wire(error.to_wire()))
        assert len(response) < MAX_ERROR_BYTES, response
        return response
