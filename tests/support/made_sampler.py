"""A level sampler with random weights, and hashes of its levels:  python made_sampler.py prints them as JSON.

Run by test_level_sampler.py in processes of their own, where the instruction set is limited from outside.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import torch

from pcg.exact import mix
from pcg.levels.corpus.games import Alphabet
from pcg.levels.model.context import Context
from pcg.levels.model.networks import LevelNetwork
from pcg.levels.model.quantise import quantise
from pcg.levels.model.sampler import make_sampler
from runtime.engine import digest, make_deterministic

ALPHABET = Alphabet("#.oe~GS", {"coins": "o", "enemies": "e", "starts": "S"})
WIDTH, HEIGHT = 9, 6
FREE = -1


def made_network(memory: int = 64) -> LevelNetwork:
    """A network with random hashed weights, large enough that distant tiles matter."""
    network = LevelNetwork(Context(len(ALPHABET.tiles), len(ALPHABET.counts)).rows, len(ALPHABET.tiles), 40, memory)
    number = 0
    with torch.no_grad():
        for parameter in network.parameters():
            bits = mix(torch.arange(parameter.numel()) + (number << 32))
            number += 1
            parameter.copy_(((bits & 1023) / 1023 - 0.5).view(parameter.shape) * 0.8)
        network.head.weight.mul_(4)
    return network.eval()


def made_sampler(*, by_columns: bool = False, joined: str = "", due: Sequence[str] = ()) -> Any:
    """The scripted module."""
    make_deterministic()
    sampler = make_sampler(quantise(made_network()), ALPHABET, by_columns=by_columns, joined=joined, due=due)
    return torch.jit.script(sampler)


def generate(
    sampler: Any,
    seeds: list[int],
    candidates: list[int],
    *,
    width: int = WIDTH,
    height: int = HEIGHT,
    difficulty: list[int] | None = None,
    counts: list[int] | None = None,
    fixed: torch.Tensor | None = None,
    temperature: int = 100,
    top_k: int = 0,
) -> torch.Tensor:
    """Generate levels, by default without conditions."""
    n = len(seeds)
    with torch.inference_mode():
        return sampler(
            torch.tensor(seeds),
            torch.tensor(candidates),
            width,
            height,
            torch.tensor(difficulty or [FREE] * n),
            torch.tensor([counts or [FREE] * len(ALPHABET.counts)] * n),
            torch.full((n, height, width), FREE) if fixed is None else fixed.expand(n, height, width).clone(),
            temperature,
            top_k,
        )


def fixed_tiles() -> torch.Tensor:
    """Given tiles: a floor, a wall and a goal."""
    fixed = torch.full((HEIGHT, WIDTH), FREE)
    fixed[-1, :5] = 0
    fixed[2, 4] = 0
    fixed[0, -1] = 5
    return fixed


def hashes(sampler: Any) -> dict[str, str]:
    """SHA-256 of levels of every kind, each alone and in a batch, in each precision."""
    seeds, candidates = [7, 2**53 - 1, 0, 7], [0, 3, 2**31 - 1, 1]
    found = {}
    for bits in (32, 16, 64):
        sampler.use_precision(bits)
        for name, options in (
            ("free", {}),
            ("told", {"difficulty": [0, 50, 100, 30], "counts": [3, 2, 1], "temperature": 140}),
            ("fixed", {"fixed": fixed_tiles(), "top_k": 3}),
        ):
            together = generate(sampler, seeds, candidates, **options)
            alone = [
                generate(
                    sampler,
                    [s],
                    [c],
                    **{k: [v[i]] if k == "difficulty" else v for k, v in options.items()},
                )
                for i, (s, c) in enumerate(zip(seeds, candidates, strict=True))
            ]
            found[f"{name} {bits} batch"] = digest(together.numpy())
            found[f"{name} {bits} alone"] = digest(torch.cat(alone).numpy())
    return found


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[1]))
    print(json.dumps(hashes(made_sampler())))
