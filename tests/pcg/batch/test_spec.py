"""Specifications: what they ask for, and what is wrong with them, with the line."""

from pathlib import Path

import pytest

from pcg.batch.plan import read_plan
from pcg.batch.spec import SpecError
from runtime.registry import Registry

EXAMPLE = Path(__file__).parents[3] / "pcg" / "batch" / "example.toml"


@pytest.fixture(scope="module")
def registry():
    return Registry()


@pytest.fixture
def plan_of(tmp_path, registry):
    def plan(text):
        path = tmp_path / "spec.toml"
        path.write_text(text)
        return read_plan(path, registry)

    return plan


def test_the_example_asks_for_every_kind(registry):
    plan = read_plan(EXAMPLE, registry)
    assert {order.kind for order in plan.orders()} == {"terrain", "character", "monster", "level"}
    assert len({order.id for order in plan.orders()}) == plan.count == 34


def test_a_grid_has_every_combination_and_a_sample_one_value_a_seed(plan_of):
    plan = plan_of(
        """
        [[level]]
        count = 3
        grid.game = ["sokoban", "dungeon"]
        sample.difficulty = { from = 0.2, to = 0.8 }
        name = "{game}_{seed:03d}"
        """
    )
    orders = list(plan.orders())
    assert [order.id for order in orders] == [
        f"{game}_00{seed}" for game in ("sokoban", "dungeon") for seed in range(3)
    ]
    drawn = [order.params["difficulty"] for order in orders]
    assert drawn[:3] == drawn[3:]  # the seed decides, not the place in the grid
    assert len(set(drawn)) == 3
    assert all(0.2 <= value <= 0.8 for value in drawn)


def test_more_of_an_entry_leaves_the_first_ones_as_they_were(plan_of):
    text = "[[character]]\ncount = {count}\nsample.attributes.body = ['male', 'female']\n"
    few, many = (list(plan_of(text.format(count=count)).orders()) for count in (4, 9))
    assert few == many[:4]


FAULTS = {
    "a key that is nearly right": ("[[terrain]]\nstile = 'alpine'\n", 2, "no 'stile'; did you mean 'style'?"),
    "a kind that is nearly right": ("[[terain]]\n", 1, "unknown key 'terain'; did you mean 'terrain'?"),
    "a value that is nearly right": ("[[level]]\ncount = 2\ngame = 'sokobn'\n", 3, "did you mean 'sokoban'?"),
    "a nested value": ("[[character]]\nseed = 1\nattributes.body = 'femal'\n", 3, "did you mean 'female'?"),
    "a nested key": ("[[level]]\n[level.counts]\nboxs = 3\n", 3, "did you mean 'boxes'?"),
    "a value of a grid": ("[[terrain]]\n\ngrid.style = ['alpine', 'platau']\n", 3, "did you mean 'plateau'?"),
    "an empty range": ("[[level]]\nsample.difficulty = { from = 0.8, to = 0.2 }\n", 2, "the range 0.8 to 0.2 is empty"),
    "an empty list": ("[[level]]\ngrid.game = []\n", 2, "the list is empty"),
    "a count of -1": ("[[monster]]\ncount = -1\n", 2, "count -1 is out of range; 1 to"),
    "a size out of range": ("[[terrain]]\nsize = 9000\n", 2, "size 9000 is out of range; 2 to 4096"),
    "a wrong type": ("[[terrain]]\nlod = 'fine'\n", 2, "lod 'fine': expected `int`"),
    "a layer": ("[[terrain]]\nlayers = ['watr']\n", 2, "did you mean 'water'?"),
    "a format": ("[[level]]\nformats = ['tmy']\n", 2, "unknown format 'tmy'; did you mean 'tmx'?"),
    "two files with one name": (
        "name = 'all/{seed}'\n[[monster]]\n[[terrain]]\n",
        1,
        "'all/0' would be an asset of the",
    ),
    "a name without the seed": ("[[monster]]\ncount = 2\nname = 'it'\n", 3, "put {seed} into the name"),
    "a name without the grid": ("[[level]]\ngrid.game = ['sokoban', 'runner']\nname = '{seed}'\n", 3, "put {game}"),
    "a field that is nearly right": ("[[monster]]\nname = '{sed}'\n", 2, "unknown field 'sed'; did you mean 'seed'?"),
    "a name that leaves the folder": ("[[monster]]\nname = '../{seed}'\n", 2, "no path inside a folder"),
    "a filter": ("[[level]]\nkeep.difficultyy = { from = 0.2 }\n", 2, "did you mean 'difficulty'?"),
    "a filter with an empty range": ("[[level]]\nkeep.moves = { from = 9, to = 8 }\n", 2, "is empty"),
    "text that is not TOML": ("[[level]]\ncount = = 2\n", 2, "Invalid value"),
    "a seed too large": ("[[level]]\nseeds = [9007199254740992]\n", 2, "is no seed"),
    "seeds twice": ("[[level]]\nseeds = [1]\ncount = 3\n", 3, "leave out 'count'"),
    "a parameter twice": ("[[level]]\ngame = 'runner'\ngrid.game = ['sokoban']\n", 3, "fixed, and in a grid"),
    "one label twice": ("[[level]]\nlabel = 'a'\n[[monster]]\nlabel = 'a'\n", 4, "label 'a' is that of line 1"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_has_its_line_and_what_would_do(plan_of, name):
    text, line, said = FAULTS[name]
    with pytest.raises(SpecError) as error:
        plan_of(text)
    assert [fault[0] for fault in error.value.faults] == [line]
    assert said in error.value.faults[0][1]
    assert f"spec.toml:{line}: " in str(error.value)


def test_all_faults_are_told_at_once(plan_of):
    with pytest.raises(SpecError) as error:
        plan_of("[[terrain]]\nstile = 'a'\ncount = 0\n[[level]]\ngame = 'chess'\n")
    assert [line for line, _ in error.value.faults] == [2, 3, 5]


def test_a_file_that_asks_for_nothing(plan_of):
    with pytest.raises(SpecError, match="asks for nothing"):
        plan_of("# nothing\n")
