"""The exact front: integer layers, casts that follow the rules, equal pictures in every precision and batch."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from pcg.characters import exact_layers
from pcg.characters.blends import UNIT
from pcg.characters.data import rules
from pcg.characters.data.attributes import NONE
from pcg.characters.front.cast import colour_names, read_catalogue
from pcg.characters.front.module import FrontModule
from pcg.characters.front.networks import FrontGenerator, from_blocks
from pcg.characters.front.objective import FrontObjective
from pcg.exact import ACTIVATION_MAX, LEAK
from runtime.engine import make_deterministic

PRECISIONS = (32, 16, 64)


def random_layer(kind: type[nn.Conv2d] | type[nn.ConvTranspose2d], size: int, stride: int) -> Any:
    torch.manual_seed(3)
    return kind(12, 16, size, stride, padding=(size - 1) // 2)


@pytest.mark.parametrize(
    ("kind", "size", "stride", "side"),
    [(nn.Conv2d, 3, 1, 8), (nn.Conv2d, 4, 2, 4), (nn.Conv2d, 1, 1, 8), (nn.ConvTranspose2d, 4, 2, 16)],
)
def test_integer_layers_are_close_to_float_layers(kind: Any, size: int, stride: int, side: int) -> None:
    layer = random_layer(kind, size, stride)
    integers = torch.randint(-127, 128, (2, 12, 8, 8), generator=torch.Generator().manual_seed(0)).float()
    x = integers / ACTIVATION_MAX
    with torch.no_grad():
        exact, y, step = exact_layers.integer_layer(layer, x, exact_layers.steps_of(x, 1 / ACTIVATION_MAX))
        assert torch.equal(y, F.leaky_relu(layer(x), LEAK))
        results = [exact(exact_layers.in_precision(integers, bits)).double() for bits in PRECISIONS]
    assert results[0].shape == (2, 16, side, side)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])
    scale = float(step[0])
    inside = y.abs() < 126 * scale
    assert (results[0] * scale - y)[inside].abs().max() < 2 * scale


def test_the_first_of_equal_logits_wins() -> None:
    logits = torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [0.0, -1.0, 5.0]]).to(torch.bfloat16)
    assert exact_layers.first_largest(logits).tolist() == [1, 0, 2]


@pytest.fixture(scope="module")
def described(characters_folder: Path) -> dict[str, Any]:
    """A run's data.json, after a round trip through JSON."""
    return json.loads(json.dumps(FrontObjective(characters_folder).describe()))


@pytest.fixture(scope="module")
def generator(described: dict[str, Any]) -> FrontGenerator:
    torch.manual_seed(0)
    known = read_catalogue(described)
    made = FrontGenerator(len(known.rows), len(known.attributes), hidden=48, widths=(16, 32, 24))
    made.head.weight.data *= 8  # so that the logits of an untrained network differ
    return made


@pytest.fixture(scope="module")
def module(described: dict[str, Any], generator: FrontGenerator) -> Any:
    make_deterministic()
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(FrontModule(described, generator)), file)
    file.seek(0)
    return torch.jit.load(file)


def wishes(described: dict[str, Any], count: int = 1, **given: str) -> torch.Tensor:
    """Wishes by name: attributes, ATTRIBUTE_colour, and the whole character's skin_, hair_ and eyes_colour."""
    known, names = read_catalogue(described), colour_names(described)
    size = len(known.attributes)
    row = torch.full((2 * size + 3,), -1)
    for name, value in given.items():
        if name in known.attributes:
            row[known.attributes.index(name)] = known.values.index((name, value))
        else:
            what = name.removesuffix("_colour")
            shared = ("skin", "hair", "eyes")
            place = 2 * size + shared.index(what) if what in shared else size + known.attributes.index(what)
            row[place] = names.index(value)
    return row.repeat(count, 1)


def values(described: dict[str, Any], module: Any, casts: torch.Tensor) -> list[dict[str, str]]:
    known = read_catalogue(described)
    return [dict(known.values[v] for v in row[: len(known.attributes)]) for row in module.values(casts).tolist()]


def test_casts_follow_the_rules(described: dict[str, Any], module: Any) -> None:
    known = read_catalogue(described)
    casts = module.cast(torch.arange(500), wishes(described, 500))
    rows = casts[:, : 4 * len(known.attributes)].view(500, -1, 4)
    made = values(described, module, casts)
    for worn, row in zip(made, rows, strict=True):
        for attribute, those, other, its_values in rules.NEVER:
            if attribute in worn and worn.get(other) in its_values:
                assert worn[attribute] == NONE or (those and worn[attribute] not in those)
        body = ("male", "female", "teen", "child").index(worn["body"])
        assert known.fits[row[:, :2], body].all()
        assert np.array_equal(known.value_of[row[:, 0]], known.value_of[row[:, 1]])
    assert {worn["hat"] for worn in made} == {NONE, "cocked hat"}
    assert 0.3 < np.mean([worn["body"] == "male" for worn in made]) < 0.45
    assert 0.2 < np.mean([worn["hat"] != NONE for worn in made]) < 0.4
    assert len({tuple(row.flatten().tolist()) for row in rows}) > 490


def test_wishes_are_fulfilled(described: dict[str, Any], module: Any) -> None:
    names = colour_names(described)
    asked = {"body": "female", "hat": "cocked hat", "legs": NONE, "weapon": "mace", "hair": "wavy"}
    colours = {"hat_colour": "red", "skin_colour": "black", "hair_colour": "blue", "eyes_colour": "green"}
    casts = module.cast(torch.arange(50), wishes(described, 50, **asked, **colours))
    for worn in values(described, module, casts):
        assert asked.items() <= worn.items()
        assert worn["species"] == "human"  # no rat has hair or hats
    known = read_catalogue(described)
    looks = module.values(casts)[:, len(known.attributes) :]
    assert (looks[:, known.attributes.index("hat")] == names.index("red")).all()
    assert looks[:, -3:].tolist() == [[names.index(name) for name in ("black", "blue", "green")]] * 50
    shared = described["shared"]
    ramps = [shared["skin"]["black"], shared["hair"]["blue"], shared["eyes"]["green"]]
    assert casts[:, -4:-1].tolist() == [ramps] * 50


def test_a_wished_colour_is_worn(described: dict[str, Any], module: Any) -> None:
    known, names = read_catalogue(described), colour_names(described)
    casts = module.cast(torch.arange(60), wishes(described, 60, hat_colour="white"))
    assert {worn["hat"] for worn in values(described, module, casts)} == {"cocked hat"}
    looks = module.values(casts)[:, len(known.attributes) :]
    assert (looks[:, known.attributes.index("hat")] == names.index("white")).all()
    never = module.cast(torch.arange(60), wishes(described, 60, hat_colour="blue"))
    assert {worn["hat"] for worn in values(described, module, never)} == {NONE}  # there is no blue one


def test_the_wishes_of_a_cast_give_the_same_character(described: dict[str, Any], module: Any) -> None:
    casts = module.cast(torch.arange(60), wishes(described, 60))
    again = module.cast(torch.arange(60) + 500, module.values(casts))
    assert torch.equal(module.values(again), module.values(casts))


def test_contradicting_values_are_listed(described: dict[str, Any], module: Any) -> None:
    known, never = read_catalogue(described), module.never()
    rat, hat = known.values.index(("species", "rat")), known.values.index(("hat", "cocked hat"))
    assert never[rat, hat] == never[hat, rat] == 1
    assert never[rat, known.values.index(("hat", NONE))] == 0


def draw(module: Any, casts: torch.Tensor, truncation: int = UNIT) -> torch.Tensor:
    with torch.inference_mode():
        return module(casts, casts, torch.zeros(len(casts), dtype=torch.int64), truncation)


def test_pictures_are_the_same_in_every_precision_and_batch(described: dict[str, Any], module: Any) -> None:
    casts = module.cast(torch.arange(6) + 2**50, wishes(described, 6))
    pictures = []
    for bits in PRECISIONS:
        module.use_precision(bits)
        pictures += [draw(module, casts), torch.cat([draw(module, casts[k : k + 1]) for k in range(6)])]
    module.use_precision(32)
    assert pictures[0].shape == (6, 64, 64, 4)
    assert all(torch.equal(pictures[0], picture) for picture in pictures)
    alpha = pictures[0][..., 3]
    assert ((alpha == 0) | (alpha == 255)).all()
    assert not pictures[0][alpha == 0].any()
    assert len(pictures[0][alpha > 0].unique(dim=0)) > 20


def test_the_exact_front_is_close_to_the_float_network(described: dict[str, Any], generator: FrontGenerator) -> None:
    module = FrontModule(described, generator)
    casts = module.cast(torch.arange(8), wishes(described, 8))
    code = module.embed(casts, UNIT)
    with torch.no_grad():
        logits = generator(code.float() / ACTIVATION_MAX)
        drawn = module.network(code, 32) // 8
    assert (from_blocks(logits[..., :35].argmax(-1)) == drawn).float().mean() > 0.9


def test_truncation_leads_from_items_to_blends(described: dict[str, Any], generator: FrontGenerator) -> None:
    module = FrontModule(described, generator)
    casts = module.cast(torch.arange(40), wishes(described, 40))
    rows = casts[:, :-4].view(40, -1, 4)[:, :, 0]
    items = module.items[rows]
    assert torch.equal(module.embed(casts, 0), items)
    far = (module.embed(casts, UNIT) - items).float()
    half = (module.embed(casts, UNIT // 2) - items).float()
    assert far.abs().max() > 40
    assert 0.3 < half.abs().mean() / far.abs().mean() < 0.7


@given(st.integers(0, 2**53 - 1), st.integers(0, 2**53 - 1))
@settings(max_examples=5, deadline=None)
def test_interpolation_between_two_characters(described: dict[str, Any], module: Any, seed: int, other: int) -> None:
    one, two = module.cast(torch.tensor([seed, other]), wishes(described, 2)).split(1)
    share = lambda k: torch.tensor([k])  # noqa: E731
    assert torch.equal(module(one, two, share(0), UNIT), draw(module, one))
    assert torch.equal(module(one, two, share(UNIT), UNIT), draw(module, two))
