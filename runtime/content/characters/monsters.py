"""characters.monster: monsters of 32x32 pixels."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from runtime.content.characters.outlines import close_gaps, complete_outlines, fill_pinholes
from runtime.content.characters.palettes import remove_strays
from runtime.content.characters.sheet import check_seed, find, share
from runtime.content.checks import one_of, within
from runtime.content.provenance import provenance
from runtime.engine import Engine
from runtime.registry import ModelFile, Registry

MODEL = "monster"
MOST = 256  # in one request
ANY = -1
STRAY = 8  # the most pixels of a stray piece; one hand-drawn monster in thirteen has one


class MonsterRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of characters.monster. `count`: how many monsters, with consecutive seeds.

    `vary`: the seed of a monster to make variations of, which are of the same kind. `change`: how far they are from it.
    """

    seed: int
    category: str | None = None
    count: int | None = None
    truncation: float = 1.0
    vary: int | None = None
    change: float = 0.3
    model: str = MODEL


def check(request: MonsterRequest, registry: Registry) -> ModelFile:
    """Check a request against its model's card, and return the model.

    Raises:
        RpcError: INVALID_PARAMS or OUT_OF_RANGE, with the parameter and which value would do; MODEL_NOT_FOUND.
    """
    model = find(registry, request.model, "category")
    check_seed("seed", request.seed, model)
    if request.count is not None:
        within("count", request.count, 1, MOST)
        check_seed("seed", request.seed + request.count - 1, model)
    kinds = _kinds(model)
    if request.category is not None:
        one_of("category", request.category, kinds, "category: there is no")
    share("truncation", request.truncation)
    if request.vary is not None:
        check_seed("vary", request.vary, model)
    share("change", request.change)
    return model


def _kinds(model: ModelFile) -> list[str]:
    return model.card.parameters["category"].choices or []


def repair(drawn: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Remove stray pieces, pinholes and gaps in the outline from monsters (N, 32, 32, 4) that the network drew."""
    whole = remove_strays(drawn, STRAY)
    lost = ~whole[..., 3].any((1, 2))
    whole[lost] = drawn[lost]  # a monster that consists of stray pieces only
    return close_gaps(complete_outlines(fill_pinholes(whole)))


def monsters(engine: Engine, model: ModelFile, request: MonsterRequest) -> dict[str, Any]:
    """The monsters of a checked request. In the engine's thread."""
    kinds = _kinds(model)
    seeds = request.seed + np.arange(request.count or 1)
    kind = np.full(len(seeds), ANY if request.category is None else kinds.index(request.category))
    casts = engine.run(model, "cast", seeds, kind)
    truncation = share("truncation", request.truncation)
    others, part = casts, 0
    if request.vary is not None:  # part of the way from the varied monster to the seed's monster of the same kind
        base = engine.run(model, "cast", np.full(len(seeds), request.vary), kind)
        others, part = engine.run(model, "cast", seeds, base[:, 3]), share("change", request.change)
        casts = base
    images = repair(engine.run(model, "forward", casts, others, np.full(len(seeds), part), truncation))
    names = [kinds[number] for number in casts[:, 3].tolist()]
    made = (
        {"image": images[0], "category": names[0]} if request.count is None else {"images": images, "categories": names}
    )
    params = {name: getattr(request, name) for name in request.__struct_fields__}
    return made | {
        "provenance": provenance(model, "characters.monster", params),
        "credits": model.card.credits,
    }
