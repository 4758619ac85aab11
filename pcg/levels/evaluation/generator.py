"""Generates levels for the evaluation of a model: raw, from the network alone, and as levels.generate returns them."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from runtime.content.levels.games import kit_of
from runtime.content.levels.generate import check, fixed_for, generate, sample
from runtime.content.levels.requests import GenerateRequest, Wishes
from runtime.content.levels.solving import prove
from runtime.engine import Engine
from runtime.errors import Code, RpcError
from runtime.registry import Registry
from runtime.scheduling.searches import InEngine


class LevelGenerator:
    """Generates levels with one model of a registry; `wanted` are parameters of levels.generate (width, ...)."""

    def __init__(self, registry: Registry, name: str) -> None:
        self._registry, self.model = registry, registry.find(name)
        self.game = name.removeprefix("level-")
        self._engine = Engine()
        self._hands = InEngine(self._engine)

    def request(self, seed: int, **wanted: Any) -> GenerateRequest:
        """The request for a level."""
        return GenerateRequest(seed, self.game, model=self.model.card.name, **wanted)

    def wishes(self, seed: int, **wanted: Any) -> Wishes:
        """A checked request.

        Raises:
            RpcError: the request is invalid.
        """
        return check(self.request(seed, **wanted), self._registry)[1]

    def raw(self, wishes: Wishes, numbers: Sequence[int] = (0,)) -> list[list[str]]:
        """The candidates with these numbers, as the network generates them."""
        fixed = [fixed_for(wishes, number) for number in numbers]
        levels = self._engine.submit(sample, self._hands, self.model, wishes, numbers, fixed).result()
        return [wishes.rows(level) for level in levels]

    def statuses(self, seed: int) -> tuple[str, str]:
        """The solver's results for a seed's first candidate: solved, unsolvable, unknown, or "no level".

        Returns:
            The result for the raw level, and for the level with its start and goal placed by rule.
        """
        wishes = self.wishes(seed)
        (rows,) = self.raw(wishes)
        return self._status(rows, wishes), self._status(self.arranged(rows) or rows, wishes)

    def _status(self, rows: list[str], wishes: Wishes) -> str:
        try:
            return prove(wishes.game, rows, wishes.budget).status
        except ValueError:
            return "no level"

    def generate(self, seed: int, **wanted: Any) -> dict[str, Any] | None:
        """The result of levels.generate; None if no candidate meets the request.

        Raises:
            RpcError: any other error.
        """
        request = self.request(seed, **wanted)
        model, wishes = check(request, self._registry)
        try:
            return self._engine.submit(generate, self._hands, model, wishes, request).result()
        except RpcError as error:
            if error.code is not Code.UNSATISFIED:
                raise
            return None

    def arranged(self, rows: Sequence[str]) -> list[str] | None:
        """A level with its start and goal placed as in a generated level; None if there is no place."""
        wishes = self.wishes(0, width=len(rows[0]), height=len(rows))
        try:
            return kit_of(wishes.game).arrange(wishes, 0, rows, frozenset())
        except ValueError:
            return None

    def close(self) -> None:
        """Stop the engine."""
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
