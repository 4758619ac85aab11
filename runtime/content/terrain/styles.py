"""Parses styles of land: a name, or a blend such as "alpine:0.7,lowland:0.3"."""

from __future__ import annotations

import math
from collections.abc import Sequence

from runtime.content.checks import parameter_error
from runtime.errors import Code, RpcError, nearest, shown

VARIED = "varied"  # the style changes from place to place
WEIGHT_SUM = 127  # of the styles of a model
MOST_SHARE = 1e9


def style_weights(text: str, known: Sequence[str]) -> tuple[int, ...]:
    """Weights of the styles that a model knows, in its order: whole numbers whose sum is WEIGHT_SUM.

    For "varied" all weights are zero. The shares in the text need not sum to one. What rounding down leaves over goes
    to the weights with the largest fractions; of equal fractions the first gets it.

    >>> style_weights("alpine:1,lowland:3", ["varied", "alpine", "lowland"])
    (32, 95)

    Args:
        text: a style, or a blend of styles with their shares.
        known: the styles that the model's card lists; the first is "varied".

    Raises:
        RpcError: INVALID_PARAMS for an unknown style, a style that is given twice, or a share that is not in
            0..MOST_SHARE.
    """
    names = [name for name in known if name != VARIED]
    if text == VARIED:
        return (0,) * len(names)
    shares = dict.fromkeys(names, 0.0)
    for part in text.split(","):
        name, colon, share = (piece.strip() for piece in part.partition(":"))
        if name not in shares:
            raise _invalid(f"unknown style {shown(name)}{nearest(name, known)}")
        if shares[name]:
            raise _invalid(f"style {name!r} is given twice in {shown(text)}")
        try:
            shares[name] = float(share) if colon else 1.0
        except ValueError:
            shares[name] = math.nan
        if not 0 < shares[name] <= MOST_SHARE:
            raise _invalid(f"style {shown(part.strip())}: {shown(share, 40)} is no share; write {name}:0.5")
    total = math.fsum(shares.values())
    exact = [share / total * WEIGHT_SUM for share in shares.values()]
    weights = [math.floor(w) for w in exact]
    for k in sorted(range(len(exact)), key=lambda k: (weights[k] - exact[k], k))[: WEIGHT_SUM - sum(weights)]:
        weights[k] += 1
    return tuple(weights)


def _invalid(message: str) -> RpcError:
    return parameter_error(Code.INVALID_PARAMS, "style", message)
