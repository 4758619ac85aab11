"""Counts how many human-made levels the solvers complete, and why they don't complete the others.

    python -m pcg.levels.corpus.solvable --game platformer --data DIR [--all]

Platformer levels are taken at their full height, not as windows. For a level that isn't completed, one change after
another is tried; the first change after which it can be completed names the cause.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.progress import track

from pcg.levels.corpus.data import CLEAR_LICENCE, Level, read_levels
from pcg.levels.corpus.games import GAMES
from runtime.content.levels.games import find_game
from runtime.content.levels.solving import prove

Change = Callable[[str], str]


def replaced(chars: str, by: str) -> Change:
    """The change that turns each of some tiles into another tile."""
    table = str.maketrans(dict.fromkeys(chars, by))
    return lambda row: row.translate(table)


# Each cause, and the change that removes it; later changes remove more.
CAUSES: Mapping[str, Mapping[str, Change]] = {
    "platformer": {
        "bricks, weak blocks or rocks, which break or are carried": replaced("Bur", "."),
        "spikes, lava or traps": replaced("^Lx", "."),
        "enemies": replaced("efk", "."),
        "hazards and enemies": replaced("^Lxefk", "."),
        "a gap or a wall beyond any jump": replaced(".", "~"),
        "something solid, which a script, a switch or a door opens": replaced("#B?ur", "~"),
    },
    "runner": {
        "a gap that a guard's back bridges": replaced(".E", "-"),
        "a pit that a guard's back leads out of": replaced(".E", "#"),
        "bricks to be dug in a way that isn't found": replaced("b", "#"),
    },
}


def cause(game: str, rows: Sequence[str], budget: int) -> str:
    """Why the solver doesn't complete a level: a name of CAUSES, or "unknown"."""
    for name, change in CAUSES[game].items():
        if prove(find_game(game), [change(row) for row in rows], budget).status == "solved":
            if name.startswith("a gap") and any("m" in row for row in rows):
                return "a gap where there are moving platforms"
            return name
    return "unknown"


def measure(game: str, levels: Iterable[Level], budget: int) -> dict[str, Any]:
    """Counts of the solver's results, and of the causes where the result is not `solved`."""
    answers: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    for level in levels:
        status = prove(find_game(game), level.rows, budget).status
        answers[status] += 1
        if status != "solved":
            causes[cause(game, level.rows, budget)] += 1
    return {
        "levels": answers.total(),
        "solved": round(answers["solved"] / max(1, answers.total()), 3),
        "answers": dict(answers),
        "causes": dict(causes.most_common()),
    }


def main() -> None:
    """Measure a game's levels, as the module's docstring says."""
    parser = argparse.ArgumentParser(description="How many human-made levels the solver completes.")
    parser.add_argument("--game", choices=sorted(CAUSES), required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of the corpora")
    parser.add_argument("--all", action="store_true", help="all levels; by default those held out from training")
    options = parser.parse_args()
    levels = [
        level
        for corpus, licence in GAMES[options.game].corpora.items()
        for level in read_levels(options.data, corpus, licence)
        if (licence or CLEAR_LICENCE.search(level.licence)) and (options.all or level.held_out)
    ]
    shown = track(levels, "solving", disable=not sys.stderr.isatty())
    print(json.dumps(measure(options.game, shown, find_game(options.game).budget), indent=2))


if __name__ == "__main__":
    main()
