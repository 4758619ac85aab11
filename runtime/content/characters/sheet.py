"""characters.sheet: a sheet of 36 frames from a seed and wishes, or from a front that a user drew.

The front's model chooses the character and draws one standing frame. The walk's model makes all frames from it, in the
front's colours only. Rules repair what the networks draw: stray pixels, gaps in the outline, too many colours.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from runtime.content.characters import fronts, wishes
from runtime.content.characters.atlas import DIRECTIONS, FRAME_PX, FRAMES, atlas
from runtime.content.characters.outlines import close_gaps, gaps
from runtime.content.characters.palettes import LARGEST, indexed, remove_strays
from runtime.content.characters.reconcile import reconcile
from runtime.content.characters.texts import Reading, read_text
from runtime.content.checks import invalid, within
from runtime.content.provenance import provenance, with_model
from runtime.engine import Engine
from runtime.registry import ModelFile, Registry

FRONT_MODEL, WALK_MODEL, FAMILY = "character-front", "character-walk", "characters"
UNIT = 128  # the models' number for a share of 1
FRONT_FRAME = DIRECTIONS.index("down") * FRAMES
FIXED = ("body", "species")  # a variation never changes these, since all else has to fit them
Image = NDArray[np.uint8]
Row = NDArray[np.int64]


class SheetRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of characters.sheet (docs/protocol.md).

    Give either `seed`, with wishes in `attributes` and a description in `text`, or `front`. `seed_b`: the seed of a
    second character to blend with; `blend`: its share. `vary`: the seed of a character to make a variation of;
    `change`: the share of it that is drawn again.
    """

    seed: int | None = None
    attributes: dict[str, str] = {}
    text: str | None = None
    front: Any = None
    seed_b: int | None = None
    blend: float = 0.5
    vary: int | None = None
    change: float = 0.3
    truncation: float = 1.0
    colors: int = fronts.MOST_COLOURS
    palette: list[str] = []
    model: str = FRONT_MODEL
    walk: str = WALK_MODEL


@dataclass(frozen=True)
class Order:
    """A checked request. If the front is given, `front_model` is None; otherwise `front` is. Shares are in 128ths."""

    request: SheetRequest
    front_model: ModelFile | None
    walk_model: ModelFile
    front: Image | None
    palette: NDArray[np.uint8]
    wish: Row
    reading: Reading | None
    blend: int
    change: int
    truncation: int

    @property
    def canonical(self) -> Any:
        """All that the result depends on, ready for MessagePack."""
        shas = [model.sha256 for model in (self.front_model, self.walk_model) if model is not None]
        drawn = None if self.front is None else fronts.digest(self.front)
        return [shas, msgspec.structs.replace(self.request, front=drawn)]


def check(request: SheetRequest, registry: Registry) -> Order:
    """Check a request against the models' cards.

    Raises:
        RpcError: INVALID_PARAMS or OUT_OF_RANGE, with the parameter and which value would do; MODEL_NOT_FOUND.
    """
    if request.front is not None:
        _alone(request)
    elif request.seed is None:
        raise invalid("seed", "give a seed, or a front that is drawn already")
    if request.vary is not None and request.seed_b is not None:
        raise invalid("vary", "a character is either varied or blended with another; leave out vary or seed_b")
    walk = find(registry, request.walk, "front")
    front_model, wish, reading = None, np.zeros(0, np.int64), None
    if request.front is None:
        front_model = find(registry, request.model, "body")
        for name in ("seed", "seed_b", "vary"):
            if (seed := getattr(request, name)) is not None:
                check_seed(name, seed, front_model)
        known = wishes.choices(front_model.card)
        wish = wishes.read_wishes(request.attributes, known)
        reading = None if request.text is None else read_text(request.text, known)
    within("colors", request.colors, 2, fronts.MOST_COLOURS)
    return Order(
        request,
        front_model,
        walk,
        None if request.front is None else fronts.check_front(request.front),
        read_colours(request.palette),
        wish,
        reading,
        share("blend", request.blend),
        share("change", request.change),
        share("truncation", request.truncation),
    )


def _alone(request: SheetRequest) -> None:
    """Raises RpcError for a request that has a front and describes the character as well."""
    for name in ("attributes", "text", "seed_b", "vary"):
        if getattr(request, name) not in (None, {}):
            raise invalid(name, "a front is a whole character already; leave one of the two out")


def find(registry: Registry, name: str, parameter: str) -> ModelFile:
    """The model of that name. Raises RpcError unless it is a model of characters that takes the parameter."""
    model = registry.find(name)
    if model.card.family != FAMILY:
        raise invalid("model", f"{name!r} makes {model.card.family}, not {FAMILY}")
    if parameter not in model.card.parameters:
        raise invalid("model", f"{name!r} takes no {parameter}; another model is needed here")
    return model


def check_seed(name: str, seed: int, model: ModelFile) -> None:
    """Compare a seed with the model's card. Raises RpcError OUT_OF_RANGE."""
    stated = model.card.parameters["seed"]
    within(name, seed, stated.minimum or 0, stated.maximum or 0)


def share(name: str, value: float) -> int:
    """A share in 128ths. Raises RpcError OUT_OF_RANGE unless it is in 0..1."""
    return round(within(name, value, 0, 1) * UNIT)


def read_colours(palette: list[str]) -> NDArray[np.uint8]:
    """Parse colours written as rrggbb, with or without a #: uint8 (n, 3). Raises RpcError."""
    within("palette", len(palette), 0, LARGEST)
    colours = np.zeros((len(palette), 3), np.uint8)
    for k, text in enumerate(palette):
        try:
            red, green, blue = bytes.fromhex(text.removeprefix("#"))
        except ValueError:
            raise invalid("palette", f"{text!r:.40} is no colour of the form rrggbb") from None
        colours[k] = red, green, blue
    return colours


def sheet(engine: Engine, order: Order) -> dict[str, Any]:
    """The result of a characters.sheet: image, atlas, attributes, provenance. Call it in the engine's thread.

    Raises:
        RpcError: INVALID_PARAMS for wishes that contradict each other; UNSATISFIED for a colour that nothing comes in.
    """
    colours = (order.request.colors, order.palette)
    attributes: dict[str, str] = {}
    said: dict[str, Any] = {}
    if order.front_model is not None and (reading := order.reading) is not None:
        order, notes = _reconciled(engine, order.front_model, order, reading)
        said = {"text": {"wishes": order.request.attributes, "unknown": reading.unknown, "notes": notes}}
    if order.front_model is None:
        assert order.front is not None
        front = fronts.in_colours(order.front, *colours)
    else:
        picture, attributes = draw_front(engine, order.front_model, order)
        front = close_gaps(fronts.in_colours(remove_strays(picture), *colours))
    frames = walk(engine, order.walk_model, front)
    made = frames.reshape(len(DIRECTIONS), FRAMES, FRAME_PX, FRAME_PX, 4).swapaxes(1, 2)
    image = made.reshape(len(DIRECTIONS) * FRAME_PX, FRAMES * FRAME_PX, 4)
    return {
        "image": image,
        "atlas": atlas("character.png"),
        "attributes": attributes,
        "colors": fronts.colour_count(front),  # the other frames have no further colours
        "provenance": _provenance(order, front),
        "credits": (order.front_model or order.walk_model).card.credits,
        **said,
    }


def _reconciled(engine: Engine, model: ModelFile, order: Order, reading: Reading) -> tuple[Order, list[str]]:
    """The order with its text turned into wishes; and notes on what the wishes leave out.

    Provenance holds the wishes and not the text, so that the same character is made again after the vocabulary grows.
    """
    known, seed = wishes.choices(model.card), order.request.seed
    assert seed is not None

    def make(wish: Row) -> Row:
        values: Row = engine.run(model, "values", _cast(engine, model, seed, wish))[0]
        return values

    wished, notes = reconcile(reading, order.request.attributes, known, engine.run(model, "never"), make)
    request = msgspec.structs.replace(order.request, attributes=wished, text=None)
    return replace(order, request=request, wish=wishes.read_wishes(wished, known)), notes


def _provenance(order: Order, front: Image) -> dict[str, Any]:
    params = {name: getattr(order.request, name) for name in order.request.__struct_fields__ if name != "front"}
    if order.front_model is None:
        params["front_sha256"] = fronts.digest(front)
        return provenance(order.walk_model, "characters.sheet", params)
    return with_model(provenance(order.front_model, "characters.sheet", params), order.walk_model)


def draw_front(engine: Engine, model: ModelFile, order: Order) -> tuple[Image, dict[str, str]]:
    """The standing front of a request with a seed, RGBA (64, 64, 4), without repair; and the character's attributes."""
    known, request = wishes.choices(model.card), order.request
    if (order.wish != wishes.OPEN).any():
        wishes.check_together(order.wish, known, engine.run(model, "never"))
    assert request.seed is not None
    if request.vary is not None:
        cast = _varied(engine, model, order, known)
    else:
        cast = _cast(engine, model, request.seed, order.wish)
    made = engine.run(model, "values", cast)[0]
    wishes.check_met(order.wish, made, known)
    other, part = cast, 0
    if request.seed_b is not None:
        other, part = _cast(engine, model, request.seed_b, order.wish), order.blend
        its = engine.run(model, "values", other)[0]
        wishes.check_met(order.wish, its, known)
        made = its if 2 * part > UNIT else made
    picture = engine.run(model, "forward", cast, other, np.array([part]), order.truncation)[0]
    return picture, wishes.names_of(made, known)


def _cast(engine: Engine, model: ModelFile, seed: int, wish: Row) -> Row:
    """The character of a seed and wishes, (1, numbers)."""
    return engine.run(model, "cast", np.array([seed]), wish[None])


def _varied(engine: Engine, model: ModelFile, order: Order, known: wishes.Choices) -> Row:
    """A variation of the character `vary`: a share `change` of its attributes and colours comes from `seed` instead.

    Attributes that are not drawn again keep their item, its blend and its variant; the new ones go with them.
    """
    request = order.request
    assert request.vary is not None
    assert request.seed is not None
    base = _cast(engine, model, request.vary, order.wish)
    values = engine.run(model, "values", base)[0]
    count = len(known.attributes)
    anew = np.array([drawn_anew(request.seed, name, order.change) for name in (*known.attributes, *wishes.SHARED)])
    anew[[known.attributes.index(name) for name in FIXED if name in known.attributes]] = False
    row = order.wish.copy()
    for k in np.flatnonzero(~anew):
        if k >= count:
            row[count + k] = values[count + k]
        elif row[k] == wishes.OPEN:
            row[k] = values[k]
    wished = order.wish != wishes.OPEN
    row[wished] = order.wish[wished]
    cast = _cast(engine, model, request.seed, row)
    for k in np.flatnonzero(~anew[:count]):
        cast[:, 4 * k : 4 * k + 4] = base[:, 4 * k : 4 * k + 4]
    cast[:, -1] = base[:, -1]
    return cast


def drawn_anew(seed: int, name: str, change: int) -> bool:
    """Whether a variation draws an attribute or colour again: true for `change` of 128 seeds, by a hash."""
    drawn = hashlib.sha256(f"{seed} {name}".encode()).digest()[0]
    return drawn // 2 < change


def walk(engine: Engine, model: ModelFile, front: Image) -> Image:
    """All frames (36, 64, 64, 4) of a front, RGBA (64, 64, 4) in at most 63 colours. The standing frame is the front.

    No frame but the front has stray pixels. If the front's outline has no gaps, no frame has.
    """
    indices, shown = indexed(front)
    palette = np.zeros((1, fronts.MOST_COLOURS, 3), np.int64)
    palette[0, : len(shown)] = shown
    drawn = engine.run(model, "forward", indices[None].astype(np.int64), palette)[0]
    frames = remove_strays(_paint(drawn, shown))
    if not gaps(front).any():
        frames = close_gaps(frames)
    frames[FRONT_FRAME] = front
    return frames


def _paint(drawn: Image, shown: Image) -> Image:
    """Indices (...) of colours (n, 3), 0 for transparent, to RGBA (..., 4). Each pixel is copied as one uint32."""
    colours = np.zeros((len(shown), 4), np.uint8)
    colours[1:, :3], colours[1:, 3] = shown[1:], 255
    return colours.view(np.uint32)[:, 0].take(drawn).view(np.uint8).reshape(*drawn.shape, 4)
