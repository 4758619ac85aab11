"""characters.sheet and characters.monster with untrained models: the guarantees do not depend on the weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.content.characters import fronts, outlines
from runtime.content.characters import sheet as characters
from runtime.content.characters.atlas import SHEET_SHAPE
from runtime.content.characters.palettes import colours_of, remove_strays
from runtime.errors import Code, RpcError
from runtime.local import Local

INK, SKIN, CLOTH = (20, 12, 30), (230, 180, 150), (60, 90, 200)


@pytest.fixture(scope="module")
def runtime(character_models: Path) -> Iterator[Local]:
    with Local(character_models, "cpu", 1) as runtime:
        yield runtime


def drawn_front() -> np.ndarray:
    """A figure of two boxes with a dark outline."""
    front = np.zeros((64, 64, 4), np.uint8)
    for (top, bottom, left, right), colour in (((14, 34, 22, 42), SKIN), ((33, 62, 25, 39), CLOTH)):
        front[top:bottom, left:right] = (*INK, 255)
        front[top + 1 : bottom - 1, left + 1 : right - 1] = (*colour, 255)
    return front


def frames_of(image: np.ndarray) -> np.ndarray:
    return image.reshape(4, 64, 9, 64, 4).swapaxes(1, 2).reshape(36, 64, 64, 4)


def fault(runtime: Local, method: str, **params: Any) -> RpcError:
    with pytest.raises(RpcError) as caught:
        runtime.call(method, **params)
    return caught.value


def check_promises(image: np.ndarray, colours: int = 64) -> None:
    assert image.shape == SHEET_SHAPE
    assert set(np.unique(image[..., 3])) <= {0, 255}
    assert not image[image[..., 3] == 0].any()
    assert len(colours_of(image)[0]) < colours
    frames = frames_of(image)
    assert np.array_equal(remove_strays(frames), frames)


def test_a_sheet_of_a_seed(runtime: Local) -> None:
    made = runtime.call("characters.sheet", seed=7)
    check_promises(made["image"])
    assert made["image"].any()
    assert not outlines.gaps(frames_of(made["image"])).any()
    assert made["atlas"]["meta"]["size"] == {"w": 576, "h": 256}
    assert made["colors"] == len(colours_of(made["image"])[0]) + 1
    assert "Ann; Bob" in made["credits"]
    said = made["provenance"]
    assert (said["model"], said["with"][0]["model"]) == ("character-front", "character-walk")
    assert said["params"]["seed"] == 7
    again = runtime.call("characters.sheet", seed=7)
    assert np.array_equal(again["image"], made["image"])
    other = runtime.call("characters.sheet", seed=8)
    assert not np.array_equal(other["image"], made["image"])


def test_a_character_from_a_text(runtime: Local) -> None:
    said = "woman in a red cocked hat with a staff and a zorg"
    made = runtime.call("characters.sheet", seed=7, text=said, attributes={"skin_colour": "black"})
    asked = {"body": "female", "hat": "cocked hat", "hat_colour": "red", "skin_colour": "black"}
    assert made["text"]["wishes"] == asked
    assert made["attributes"] | asked == made["attributes"]
    assert "staff" in made["text"]["notes"][0]
    assert "zorg" in made["text"]["unknown"][0]
    assert made["provenance"]["params"]["attributes"] == asked  # so a later vocabulary does not change it
    assert made["provenance"]["params"]["text"] is None
    again = runtime.call("characters.sheet", seed=7, attributes=asked)
    assert np.array_equal(again["image"], made["image"])
    assert "text" not in again
    refused = fault(runtime, "characters.sheet", text="a woman", front=drawn_front())
    assert "text: a front is a whole character already" in refused.message
    assert "say two things of body" in fault(runtime, "characters.sheet", seed=1, text="female man").message


def test_wishes_are_fulfilled_and_results_are_valid_wishes(runtime: Local) -> None:
    asked = {"body": "female", "hat": "cocked hat", "hat_colour": "red", "skin_colour": "black", "hair": "none"}
    made = runtime.call("characters.sheet", seed=3, attributes=asked)
    assert asked.items() <= made["attributes"].items()
    again = runtime.call("characters.sheet", seed=3, attributes=made["attributes"])
    assert again["attributes"] == made["attributes"]


@pytest.mark.parametrize(
    ("attributes", "code", "words"),
    [
        ({"hatt": "none"}, Code.INVALID_PARAMS, "unknown attribute 'hatt'; did you mean 'hat'?"),
        ({"colour": "red"}, Code.INVALID_PARAMS, "unknown attribute 'colour'"),
        ({"hat": "cocked"}, Code.INVALID_PARAMS, "did you mean 'cocked hat'?"),
        ({"hat": "zzz"}, Code.INVALID_PARAMS, "hat has no value 'zzz'; there are: none, cocked hat"),
        ({"hat_colour": "rad"}, Code.INVALID_PARAMS, "did you mean 'red'?"),
        ({"weapon_colour": "red"}, Code.INVALID_PARAMS, "unknown attribute 'weapon_colour'"),
        ({"species": "rat", "hat": "cocked hat"}, Code.INVALID_PARAMS, "never go together"),
        ({"hat": "none", "hat_colour": "red"}, Code.INVALID_PARAMS, "hat is none, so it has no hat_colour"),
        ({"species": "rat", "hat_colour": "red"}, Code.UNSATISFIED, "nothing of hat"),
        ({"hat": 3}, Code.INVALID_PARAMS, "attributes"),
    ],
)
def test_infeasible_wishes_are_refused(runtime: Local, attributes: dict[str, Any], code: Code, words: str) -> None:
    error = fault(runtime, "characters.sheet", seed=1, attributes=attributes)
    assert error.code is code
    assert words in error.message


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ({}, Code.INVALID_PARAMS, "give a seed, or a front"),
        ({"seed": 2**53}, Code.OUT_OF_RANGE, "seed 9007199254740992 is out of range"),
        ({"seed": 1, "seed_b": -1}, Code.OUT_OF_RANGE, "seed_b -1"),
        ({"seed": 1, "vary": 1, "seed_b": 2}, Code.INVALID_PARAMS, "leave out vary or seed_b"),
        ({"seed": 1, "blend": 1.5}, Code.OUT_OF_RANGE, "blend 1.5"),
        ({"seed": 1, "truncation": float("nan")}, Code.OUT_OF_RANGE, "truncation nan"),
        ({"seed": 1, "colors": 1}, Code.OUT_OF_RANGE, "colors 1 is out of range; 2 to 64 would do"),
        ({"seed": 1, "palette": ["red"]}, Code.INVALID_PARAMS, "'red' is no colour of the form rrggbb"),
        ({"seed": 1, "model": "monster"}, Code.INVALID_PARAMS, "'monster' takes no body"),
        ({"seed": 1, "walk": "monster"}, Code.INVALID_PARAMS, "'monster' takes no front"),
        ({"seed": 1, "walk": "character-wolk"}, Code.MODEL_NOT_FOUND, "did you mean 'character-walk'"),
        ({"front": drawn_front(), "vary": 0}, Code.INVALID_PARAMS, "a front is a whole character"),
        ({"front": drawn_front(), "attributes": {"hat": "none"}}, Code.INVALID_PARAMS, "a front is a whole"),
        ({"front": "hero.png"}, Code.INVALID_PARAMS, "front: it is str"),
        ({"front": drawn_front()[..., :3]}, Code.INVALID_PARAMS, "no alpha"),
        ({"front": drawn_front()[:32]}, Code.OUT_OF_RANGE, "64x32 pixels with 4 channels; 64x64 pixels of RGBA"),
        ({"front": np.zeros((10_000, 10, 4), np.uint8)}, Code.OUT_OF_RANGE, "10x10000"),
        ({"front": drawn_front().astype(np.float32)}, Code.INVALID_PARAMS, "float32"),
        ({"front": np.zeros((64, 64, 4), np.uint8)}, Code.INVALID_PARAMS, "it is empty"),
        ({"front": np.full((64, 64, 4), 255, np.uint8)}, Code.INVALID_PARAMS, "no transparent pixel"),
    ],
)
def test_invalid_parameters_are_refused(runtime: Local, params: dict[str, Any], code: Code, words: str) -> None:
    error = fault(runtime, "characters.sheet", **params)
    assert error.code is code
    assert words in error.message


def test_a_drawn_front_walks_in_its_own_colours(runtime: Local) -> None:
    front = drawn_front()
    made = runtime.call("characters.sheet", front=front)
    check_promises(made["image"])
    frames = frames_of(made["image"])
    assert np.array_equal(frames[characters.FRONT_FRAME], front)
    assert {tuple(c) for c in colours_of(made["image"])[0].tolist()} == {INK, SKIN, CLOTH}
    assert not outlines.gaps(frames).any()
    assert made["attributes"] == {}
    assert made["provenance"]["model"] == "character-walk"
    assert made["provenance"]["params"]["front_sha256"] == fronts.digest(front)


def test_soft_edges_of_a_front_become_hard(runtime: Local) -> None:
    soft = drawn_front()
    soft[13, 22:42] = (*INK, 90)
    soft[20, 10] = (*INK, 200)
    front = frames_of(runtime.call("characters.sheet", front=soft)["image"])[characters.FRONT_FRAME]
    assert not front[13].any()
    assert tuple(front[20, 10]) == (*INK, 255)


@pytest.mark.parametrize("colours", [2, 5, 32])
def test_few_colours(runtime: Local, colours: int) -> None:
    check_promises(runtime.call("characters.sheet", seed=5, colors=colours)["image"], colours)


def test_a_sheet_has_only_the_colours_of_the_palette(runtime: Local) -> None:
    palette = ["#101018", "ff8800", "00aa44"]
    made = runtime.call("characters.sheet", seed=5, palette=palette)
    shown = {bytes(colour).hex() for colour in colours_of(made["image"])[0]}
    assert shown <= {text.removeprefix("#") for text in palette}


def test_interpolation_between_two_seeds(runtime: Local) -> None:
    def front(**params: Any) -> np.ndarray:
        return frames_of(runtime.call("characters.sheet", **params)["image"])[characters.FRONT_FRAME]

    assert np.array_equal(front(seed=1, seed_b=2, blend=0), front(seed=1))
    assert np.array_equal(front(seed=1, seed_b=2, blend=1), front(seed=2))
    assert not np.array_equal(front(seed=1, seed_b=2), front(seed=1))


@pytest.mark.slow
def test_a_variation_keeps_what_it_does_not_change(runtime: Local) -> None:
    base = runtime.call("characters.sheet", seed=4)
    same = runtime.call("characters.sheet", seed=9, vary=4, change=0)
    assert np.array_equal(same["image"], base["image"])
    kept = []
    for seed in range(12):
        other = runtime.call("characters.sheet", seed=seed, vary=4, change=0.3)["attributes"]
        assert (other["body"], other["species"]) == (base["attributes"]["body"], base["attributes"]["species"])
        kept.append(sum(other.get(name) == value for name, value in base["attributes"].items()))
    assert len(base["attributes"]) / 2 < np.mean(kept) < len(base["attributes"])


def test_only_equal_requests_are_the_same_work(runtime: Local) -> None:
    def key(**params: Any) -> bytes:
        return runtime.service._scheduled["characters.sheet"](params).key

    assert key(seed=1) == key(seed=1, truncation=1.0, attributes={})
    front, other = drawn_front(), drawn_front()
    other[20, 30, 0] ^= 1
    assert key(front=front) == key(front=front.copy())
    keys = {key(seed=1), key(seed=2), key(front=front), key(front=other), key(seed=1, colors=9)}
    keys |= {key(seed=1, attributes={"hat": "none"}), key(seed=1, palette=["ff0000"])}
    assert len(keys) == 7


def test_monsters(runtime: Local) -> None:
    made = runtime.call("characters.monster", seed=3, category="undead")
    assert made["image"].shape == (32, 32, 4)
    assert made["image"].dtype == np.uint8
    assert set(np.unique(made["image"][..., 3])) <= {0, 255}
    assert made["category"] == "undead"
    assert "CC0" in made["credits"]
    many = runtime.call("characters.monster", seed=0, category="undead", count=5)
    assert many["images"].shape == (5, 32, 32, 4)
    assert many["categories"] == ["undead"] * 5
    assert np.array_equal(many["images"][3], made["image"])
    assert np.array_equal(remove_strays(many["images"]), many["images"])
    assert len(set(runtime.call("characters.monster", seed=0, count=40)["categories"])) > 3


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ({}, Code.INVALID_PARAMS, "seed"),
        ({"seed": -1}, Code.OUT_OF_RANGE, "seed -1"),
        ({"seed": 2**53 - 2, "count": 5}, Code.OUT_OF_RANGE, "seed 9007199254740994"),
        ({"seed": 1, "count": 0}, Code.OUT_OF_RANGE, "count 0 is out of range; 1 to 256 would do"),
        ({"seed": 1, "category": "undeed"}, Code.INVALID_PARAMS, "did you mean 'undead'"),
        ({"seed": 1, "truncation": 2}, Code.OUT_OF_RANGE, "truncation 2"),
        ({"seed": 1, "model": "character-walk"}, Code.INVALID_PARAMS, "takes no category"),
    ],
)
def test_invalid_monster_requests_are_refused(runtime: Local, params: dict[str, Any], code: Code, words: str) -> None:
    error = fault(runtime, "characters.monster", **params)
    assert error.code is code
    assert words in error.message


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_closed_outlines_stay_closed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    picture = np.zeros((1, 16, 16, 4), np.uint8)
    picture[..., :3] = rng.integers(0, 256, (1, 16, 16, 3))
    picture[..., 3] = 255 * (rng.random((1, 16, 16)) < 0.7)
    picture[picture[..., 3] == 0] = 0
    closed = outlines.close_gaps(picture)
    assert not outlines.gaps(closed).any()
    assert np.array_equal(closed[..., 3], picture[..., 3])
    assert {tuple(c) for c in colours_of(closed)[0]} <= {tuple(c) for c in colours_of(picture)[0]}


def test_a_gap_is_closed_in_the_colour_of_the_rim() -> None:
    front = drawn_front()
    front[20, 22] = (255, 255, 255, 255)
    assert np.argwhere(outlines.gaps(front)).tolist() == [[20, 22]]
    assert tuple(outlines.close_gaps(front)[20, 22]) == (*INK, 255)
    assert not outlines.gaps(drawn_front()).any()
