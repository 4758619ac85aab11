"""The map in the window: the right pixel at the right place, at every zoom, and no seam."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pygame
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demos.world.camera import LODS, ZOOMS, Camera
from demos.world.streaming import Chunk, Ground, Key, World
from demos.world.view import CHUNK_BYTES, PLACEHOLDERS, At, Tile, View, finer, to_tile


@pytest.fixture(autouse=True, scope="module")
def display() -> Iterator[None]:
    pygame.display.init()
    pygame.display.set_mode((320, 200))
    yield
    pygame.display.quit()


GROUND = Ground(np.zeros((258, 258), np.uint16), 0.25, -4096.0, 90.0)


def tile_of(pictures: list[np.ndarray], **layers: np.ndarray) -> Tile:
    pictures = [np.ascontiguousarray(picture.astype(np.uint8)) for picture in pictures]
    return to_tile(Chunk(Key(World(7, "varied"), 0, 0, 0, "biome"), GROUND, pictures, layers, ("sea", "moor"), {}))


@functools.cache
def corner(lod: int, column: int, row: int, edge: int) -> Tile:
    """A chunk of a world that is red east of world pixel `edge` and green south of it; `edge` a multiple of 64."""
    x, y = np.meshgrid((np.arange(256) + column * 256) << lod, (np.arange(256) + row * 256) << lod)
    whole = np.stack([(x >= edge) * 255, (y >= edge) * 255, x * 0], -1)
    return tile_of([whole[::step, ::step] for step in (1, 2, 4, 8, 16)])


def nothing() -> Iterable[At]:
    """What is here of a world whose every chunk can be found, so that none has to be stood in for."""
    return ()


@settings(max_examples=80, deadline=None)
@given(
    st.floats(-15, 15),
    st.floats(-10, 10),
    st.sampled_from([*ZOOMS, 0.31, 0.87, 1.23, 2.71]),
    st.sampled_from([-4096, -64, 0, 64, 256]),
)
def test_an_edge_in_the_world_is_shown_where_it_is(dx: float, dy: float, zoom: float, edge: int) -> None:
    camera = Camera(edge + dx, edge + dy, zoom, 320, 200)
    target = pygame.Surface((320, 200))
    View().draw(target, camera, functools.partial(corner, edge=edge), nothing, 0)
    picture = pygame.surfarray.array3d(target)  # (x, y, channel)
    x, y = camera.to_screen((edge, edge))
    tolerance = 1.01 if zoom in ZOOMS else 2  # screen pixels
    for channel, line, at in ((0, picture[:, 99], x), (1, picture[159, :], y)):
        beyond = line[:, channel] > 127
        assert np.count_nonzero(np.diff(beyond)) == 1
        assert abs(np.argmax(beyond) - at) <= tolerance


@functools.cache
def speckle(lod: int, column: int, row: int, shift: int) -> Tile:
    """A chunk of a world in which no two pixels are alike, moved by `shift` pixels to the west and north."""
    x, y = np.meshgrid(*(np.arange(256) + at * 256 + (shift >> lod) for at in (column, row)))
    mixed = x * 7919 + y * 104729 + lod
    return tile_of([np.stack([mixed * factor >> 3 for factor in (3, 5, 11)], -1)])


@pytest.mark.parametrize("zoom", [*ZOOMS, 0.31, 1.23])
def test_the_picture_does_not_depend_on_where_chunks_meet(zoom: float) -> None:
    pictures = []
    for shift in (0, 2048 + 64):
        target = pygame.Surface((320, 200))
        camera = Camera(0.3 - shift, -0.6 - shift, zoom, 320, 200)
        View().draw(target, camera, functools.partial(speckle, shift=shift), nothing, 0)
        pictures.append(pygame.surfarray.array3d(target))
    assert pictures[0].std() > 20
    np.testing.assert_array_equal(*pictures)


def test_missing_chunks_are_a_quiet_chessboard() -> None:
    target = pygame.Surface((320, 200))
    View().draw(target, Camera(0, 0, 1.0, 320, 200), lambda *_: None, nothing, 0)
    colours = {tuple(target.get_at(at))[:3] for at in ((10, 10), (310, 10), (10, 190), (310, 190))}
    assert colours == set(PLACEHOLDERS)
    assert target.get_at((10, 10)) == target.get_at((310, 190)) != target.get_at((310, 10))


def only(*levels: int) -> Callable[[int, int, int], Tile | None]:
    """Finds chunks of these levels, of the world with its corner at 64."""
    return lambda lod, column, row: corner(lod, column, row, 64) if lod in levels else None


def around(*levels: int) -> Callable[[], Iterable[At]]:
    """The places of these levels within 8,192 world pixels of the origin."""
    sides = {lod: range(-(8192 >> 8 >> lod), 8192 >> 8 >> lod) for lod in levels}
    return lambda: [(lod, column, row) for lod in levels for column in sides[lod] for row in sides[lod]]


@pytest.mark.parametrize(("zoom", "level"), [(zoom, level) for zoom in ZOOMS[:5] for level in range(LODS)])
def test_other_levels_stand_in_for_a_chunk(zoom: float, level: int) -> None:
    target, exact = pygame.Surface((320, 200)), pygame.Surface((320, 200))
    camera = Camera(70, 90, zoom, 320, 200)
    View().draw(target, camera, only(level), around(level), 0)
    View().draw(exact, camera, only(camera.lod), around(camera.lod), 0)
    difference = pygame.surfarray.array3d(target).astype(int) - pygame.surfarray.array3d(exact)
    width = 2.0 ** max(level - camera.lod, 0) + 1  # of what is blurred about the two edges
    assert (np.abs(difference).max(2) > 40).sum() <= width * (320 + 200)


@functools.cache
def white() -> Tile:
    return tile_of([np.full((side, side, 3), 255) for side in (256, 128, 64, 32, 16)])


PLACES = st.integers(0, LODS - 1).flatmap(
    lambda lod: st.tuples(st.just(lod), *[st.integers(-(40 >> lod) - 1, 40 >> lod)] * 2)
)


@settings(max_examples=150, deadline=None)
@given(
    st.sets(PLACES, max_size=12),
    st.sampled_from([*ZOOMS, 0.07, 0.31, 0.87, 1.23]),
    st.floats(-2000, 2000),
    st.floats(-2000, 2000),
)
def test_no_pixel_is_dark_that_any_level_covers(here: set[At], zoom: float, x: float, y: float) -> None:
    target, camera = pygame.Surface((320, 200)), Camera(x, y, zoom, 320, 200)
    view = View()
    view.draw(target, camera, lambda *at: white() if at in here else None, lambda: here, 0)
    picture = pygame.surfarray.array3d(target)[..., 0]
    covered = np.zeros(picture.shape, bool)
    for lod, column, row in here:
        corners = [camera.to_screen(((column + i) * 256 << lod, (row + i) * 256 << lod)) for i in (0, 1)]
        # Where a tile ends, its last pixels are mixed with what is beside it.
        blur = 2 * max(zoom * 2**camera.lod, 1)
        (left, top), (right, bottom) = ([int(at) for at in corner] for corner in corners)
        covered[
            max(left + int(blur) + 1, 0) : max(right - int(blur), 0),
            max(top + int(blur) + 1, 0) : max(bottom - int(blur), 0),
        ] = True
    assert (picture[covered] > 250).all()
    assert view.empty or (picture > 250).all()


def test_finer_places_are_told_of_every_coarser_one() -> None:
    assert finer([(0, -1, 5)]) == {
        (1, -1, 2): [(0, -1, 5)], (2, -1, 1): [(0, -1, 5)], (3, -1, 0): [(0, -1, 5)], (4, -1, 0): [(0, -1, 5)],
    }  # fmt: skip


def test_parts_of_a_coarse_chunk_meet_without_a_seam() -> None:
    ramp = np.repeat(np.arange(256)[None, :, None], 256, 0).repeat(3, 2)  # brighter by 1 with each pixel to the east
    coarse = tile_of([ramp[:: 1 << i, :: 1 << i] for i in range(LODS)])
    target = pygame.Surface((320, 200))
    View().draw(target, Camera(2048, 2048, 1.0, 320, 200), lambda *at: coarse if at == (4, 0, 0) else None, nothing, 0)
    line = pygame.surfarray.array3d(target)[:, 50, 0].astype(int)
    assert (np.abs(line - (2048 - 160 + np.arange(320)) / 16) <= 1.5).all()


def test_the_right_level_is_preferred_then_finer_ones() -> None:
    grey = {
        lod: tile_of([np.full((side, side, 3), 40 * lod + 40) for side in (256, 128, 64, 32, 16)]) for lod in range(5)
    }
    camera = Camera(512, 512, 0.25, 256, 256)  # one chunk of level 2

    def seen(*here: tuple[int, int, int]) -> set[int]:
        target = pygame.Surface((256, 256))
        View().draw(target, camera, lambda *at: grey[at[0]] if at in here else None, lambda: here, 0)
        return set(np.unique(pygame.surfarray.array3d(target)[..., 0]).tolist())

    assert seen((2, 0, 0), (1, 0, 0), (3, 0, 0)) == {120}
    assert seen((3, 0, 0), (4, 0, 0)) == {160}
    assert seen((1, 0, 0), (1, 1, 0), (1, 0, 1), (1, 1, 1), (3, 0, 0)) == {80}
    assert seen((1, 0, 0), (0, 3, 3), (4, 0, 0)) == {80, 40, 200}
    assert seen((1, 0, 0), (0, 0, 0), (4, 0, 0)) == {80, 200}


def test_what_stands_in_is_kept_until_there_may_be_better() -> None:
    view, target = View(), pygame.Surface((320, 200))
    looked: list[tuple[int, int, int]] = []

    def find(*at: int) -> Tile | None:
        looked.append(at)
        return only(1)(*at)

    for edition, lods in ((0, {0, 1}), (0, {0}), (1, {0, 1})):
        looked.clear()
        view.draw(target, Camera(0, 0, 1.0, 320, 200), find, around(1), edition)
        assert {lod for lod, _, _ in looked} == lods


def test_a_tile_knows_what_it_shows_and_costs() -> None:
    pictures = [np.zeros((side, side, 3)) for side in (256, 128, 64, 32, 16)]
    biome = np.zeros((256, 256), np.uint8)
    biome[9, 5] = 1
    tile = tile_of(pictures, biome=biome)
    assert (tile.reading(5, 9), tile.reading(9, 5)) == ("moor", "sea")
    assert tile_of(pictures).reading(5, 9) == ""
    largest = tile_of(pictures, water=np.zeros((256, 256), np.uint16), flow=np.zeros((256, 256), np.float32))
    assert tile_of(pictures).size_bytes + largest.size_bytes == CHUNK_BYTES
