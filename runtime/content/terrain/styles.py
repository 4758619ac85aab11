"""Styles of land as users write them: a name, or a blend such as "alpine:0.7,lowland:0.3"."""

from __future__ import annotations

import math
from collections.abc import Sequence

from runtime.errors import Code, RpcError, did_you_mean, shown

VARIED = "varied"  # styles change from place to place
WEIGHT_SUM = 127  # what a model's styles add up to
MOST_SHARE = 1e9


def style_weights(text: str, known: Sequence[str]) -> tuple[int, ...]:
    """Whole weights of the styles a model knows, in its order; they sum to WEIGHT_SUM, or are all zero for "varied".

    `known` begins with "varied". Shares need not sum to one. A remainder goes to the largest fractions, the first
    first.

    >>> style_weights("alpine:1,lowland:3", ["varied", "alpine", "lowland"])
    (32, 95)

    Raises:
        RpcError: INVALID_PARAMS for a style that is none, one given twice, or a share not in 0..MOST_SHARE.
    """
    names = [name for name in known if name != VARIED]
    if text == VARIED:
        return (0,) * len(names)
    shares = dict.fromkeys(names, 0.0)
    for part in text.split(","):
        name, colon, share = (piece.strip() for piece in part.partition(":"))
        if name not in shares:
            near = did_you_mean(name, known) or f"; there are: {', '.join(known)}"
            raise RpcError(Code.INVALID_PARAMS, f"unknown style {shown(name)}{near}", {"parameter": "style"})
        if shares[name]:
            what = f"style {name!r} is given twice in {shown(text)}"
            raise RpcError(Code.INVALID_PARAMS, what, {"parameter": "style"})
        try:
            shares[name] = float(share) if colon else 1.0
        except ValueError:
            shares[name] = math.nan
        if not 0 < shares[name] <= MOST_SHARE:
            raise RpcError(
                Code.INVALID_PARAMS,
                f"style {shown(part.strip())}: {shown(share, 40)} is no share; write {name}:0.5",
                {"parameter": "style"},
            )
    total = math.fsum(shares.values())
    exact = [share / total * WEIGHT_SUM for share in shares.values()]
    weights = [math.floor(w) for w in exact]
    for k in sorted(range(len(exact)), key=lambda k: (weights[k] - exact[k], k))[: WEIGHT_SUM - sum(weights)]:
        weights[k] += 1
    return tuple(weights)
