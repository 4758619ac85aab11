"""Export of character models to files that the runtime verifies and runs."""

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pcg import cli
from pcg.characters.blends import UNIT
from pcg.characters.data.attributes import NONE
from pcg.characters.data.catalogue import Catalogue
from pcg.characters.data.monsters import KINDS
from pcg.characters.export import _front_parameters
from pcg.characters.train import PRESETS, train
from pcg.learning import checkpoint
from runtime.engine import Engine
from runtime.registry import Registry

MODELS = ("character-front", "character-walk", "monster")


@pytest.fixture(scope="module")
def models(character_models: Path) -> Registry:
    return Registry(character_models)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with closing(Engine("cpu", 1)) as engine:
        yield engine


def test_golden_vectors_of_exported_models_are_right(models: Registry, engine: Engine) -> None:
    assert not models.refused
    for name in MODELS:
        model = models.find(name)
        assert set(engine.submit(engine.load, model).result().seconds) == {16, 32}
        assert model.card.family == "characters"
        assert model.card.training.steps == 1
        assert model.card.training_data[0].count > 0


def test_a_card_has_the_wishes_and_the_credits(models: Registry) -> None:
    card = models.find("character-front").card
    assert card.parameters["hat"].choices == [NONE, "cocked hat"]
    assert card.parameters["hat_colour"].choices == ["red", "white"]
    assert card.parameters["skin_colour"].choices is not None
    assert "light" in card.parameters["skin_colour"].choices
    assert "weapon_colour" not in card.parameters  # has one colourway
    assert "Ann; Bob (OGA-BY 3.0):\n  x\n  y\n  z\n" in card.credits
    assert "OGA-BY 3.0" in card.licence
    assert models.find("monster").card.parameters["category"].choices == list(KINDS)
    assert "CC0" in models.find("monster").card.credits


def run(engine: Engine, models: Registry, name: str, method: str, *arguments: Any) -> np.ndarray:
    given = [a if isinstance(a, int) else np.asarray(a, np.int64) for a in arguments]
    return engine.submit(engine.run, models.find(name), method, *given).result()


def test_a_front_comes_from_a_seed_and_wishes_by_the_card(models: Registry, engine: Engine) -> None:
    """Wishes are numbered as the card lists them: values of the attributes in order, colours by `colours`."""
    card = models.find("character-front").card
    attributes = [n for n in card.parameters if n not in ("seed", "truncation", "colours") and "_colour" not in n]
    values = [(a, value) for a in attributes for value in card.parameters[a].choices or []]
    wishes = np.full((1, 2 * len(attributes) + 3), -1)
    wishes[0, attributes.index("hat")] = values.index(("hat", "cocked hat"))
    red = (card.parameters["colours"].choices or []).index("red")
    wishes[0, len(attributes) + attributes.index("hat")] = red
    cast = run(engine, models, "character-front", "cast", [7], wishes)
    made = run(engine, models, "character-front", "values", cast)[0]
    assert values[made[attributes.index("hat")]] == ("hat", "cocked hat")
    assert made[len(attributes) + attributes.index("hat")] == red
    picture = run(engine, models, "character-front", "forward", cast, cast, [0], UNIT)
    assert picture.shape == (1, 64, 64, 4)
    assert picture.dtype == np.uint8


def test_a_walk_comes_from_a_front(models: Registry, engine: Engine) -> None:
    front, palette = np.zeros((1, 64, 64)), np.zeros((1, 64, 3))
    front[0, 20:50, 20:40], palette[0, 1:3] = 1, 200
    front[0, 30:35] = front[0, 30:35] * 2
    sheet = run(engine, models, "character-walk", "forward", front, palette)
    assert sheet.shape == (1, 36, 64, 64)
    assert set(np.unique(sheet)) <= {0, 1, 2}


def test_a_monster_comes_from_a_seed_and_a_kind(models: Registry, engine: Engine) -> None:
    cast = run(engine, models, "monster", "cast", [3], [2])
    assert cast[0, 3] == 2
    assert run(engine, models, "monster", "forward", cast, cast, [0], UNIT).shape == (1, 32, 32, 4)


def test_the_command_line_exports(monsters_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = dataclasses.replace(PRESETS["monster"]["smoke"], steps=1, adversarial_from=9)
    train(config, monsters_folder, tmp_path / "run", "cpu")
    assert checkpoint.load(tmp_path / "run")["step"] == 1
    command = ["export", str(tmp_path / "run"), str(tmp_path / "monster.ts")]
    with pytest.raises(SystemExit) as exit_:
        cli.main([*command, "--coarse", "x"])
    assert exit_.value.code == 2
    assert "--coarse goes with a run of terrain-detail" in capsys.readouterr().err
    with pytest.raises(SystemExit) as exit_:
        cli.main(command)
    assert exit_.value.code == 0
    assert Registry(tmp_path).find("monster").card.name == "monster"


def test_only_values_with_several_colourways_have_a_colour_parameter() -> None:
    rows = (("body", "male", "body"), ("species", "human", "a"), ("species", "skeleton", "b"))
    rows += (("hat", "none", "none"), ("hat", "cap", "c"), ("hat", "hood", "d"))
    names = [["base"], ["base"], ["skeleton"], [], ["red", "blue"], ["hood_black"]]
    colourways = [[{"name": name, "ramps": {"hat": 0}} for name in own] for own in names]
    asked = _front_parameters(Catalogue(rows, np.ones((len(rows), 1), bool)), {"looks": colourways, "shared": {}})
    assert list(asked) == ["body", "species", "hat", "hat_colour"]
    assert asked["hat_colour"].choices == ["blue", "red"]
