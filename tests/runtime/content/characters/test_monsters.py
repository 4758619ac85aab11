"""Monsters: the repair of what the network draws."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.content.characters import outlines
from runtime.content.characters.monsters import repair

INK, SKIN, GLOW, SHADE = (16, 8, 24), (200, 120, 80), (250, 250, 200), (120, 60, 40)


def blob() -> np.ndarray:
    """A filled square with an outline, (1, 12, 12, 4)."""
    picture = np.zeros((1, 12, 12, 4), np.uint8)
    picture[0, 2:10, 2:10] = (*INK, 255)
    picture[0, 3:9, 3:9] = (*SKIN, 255)
    return picture


pictures = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).integers(0, 256, (2, 9, 9, 4)).astype(np.uint8)
)


def test_an_outline_is_completed() -> None:
    drawn = blob()
    drawn[0, 2, 3:6] = (*SKIN, 255)
    assert not outlines.gaps(drawn).any()  # a gap of three pixels is none of one
    assert np.array_equal(outlines.complete_outlines(drawn), blob())


def test_a_rim_that_is_mostly_light_has_no_outline_to_complete() -> None:
    drawn = blob()
    drawn[0, 2:7, 2:10] = (*SKIN, 255)
    assert np.array_equal(outlines.complete_outlines(drawn), drawn)


def test_what_is_cut_off_by_the_edge_has_no_rim_there() -> None:
    drawn = blob()[:, 3:]
    assert tuple(drawn[0, 0, 5]) == (*SKIN, 255)
    assert np.array_equal(outlines.complete_outlines(drawn), drawn)


def test_a_pinhole_takes_the_second_darkest_colour_around_it() -> None:
    drawn = blob()
    drawn[0, 4, 5], drawn[0, 6, 5], drawn[0, 5, 4], drawn[0, 5, 6] = [(*c, 255) for c in (GLOW, INK, SHADE, SKIN)]
    drawn[0, 5, 5] = 0
    drawn[0, 7, 7:9] = 0  # two pixels are a hole that was meant
    filled = outlines.fill_pinholes(drawn)
    assert tuple(filled[0, 5, 5]) == (*SHADE, 255)
    assert (filled != drawn).any(-1).sum() == 1


def test_crumbs_go_but_a_monster_of_crumbs_stays() -> None:
    drawn = np.concatenate([blob(), np.zeros_like(blob())])
    drawn[:, 0, 0:8] = (*INK, 255)
    repaired = repair(drawn)
    assert np.array_equal(repaired[:1], blob())
    assert np.array_equal(repaired[1], drawn[1])


@given(pictures, st.integers(0, 200))
@settings(max_examples=60, deadline=None)
def test_repaired_monsters_are_whole(drawn: np.ndarray, clear: int) -> None:
    solid = drawn[..., 3] > clear
    drawn = np.where(solid[..., None], drawn | np.array([0, 0, 0, 255], np.uint8), 0).astype(np.uint8)
    repaired = repair(drawn)
    assert not outlines.gaps(repaired).any()
    assert set(np.unique(repaired[..., 3])) <= {0, 255}
    for before, after in zip(drawn, repaired, strict=True):
        assert {tuple(c) for c in after.reshape(-1, 4)} <= {tuple(c) for c in before.reshape(-1, 4)}
        assert after[..., 3].any() == before[..., 3].any()
    assert all(np.array_equal(repair(drawn[k : k + 1])[0], repaired[k]) for k in range(2))
