"""The map in the window: the right pixel at the right place, at every zoom, and no seam."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import pygame
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demos.world.camera import ZOOMS, Camera
from demos.world.streaming import Chunk, Key
from demos.world.view import PLACEHOLDERS, TILE_BYTES, Tile, View, to_tile


@pytest.fixture(autouse=True, scope="module")
def display() -> Iterator[None]:
    pygame.display.init()
    pygame.display.set_mode((320, 200))
    yield
    pygame.display.quit()


@functools.cache
def corner(column: int, row: int, edge: int) -> Tile:
    """A chunk of a world that is red east of `edge` and green south of it, black elsewhere; `edge` a multiple of 4."""
    x, y = np.meshgrid(np.arange(256) + column * 256, np.arange(256) + row * 256)
    whole = np.stack([(x >= edge) * 255, (y >= edge) * 255, x * 0], -1).astype(np.uint8)
    pictures = [np.ascontiguousarray(whole[::step, ::step]) for step in (1, 2, 4)]
    return to_tile(Chunk(Key(7, column, row), np.zeros((256, 256), np.uint16), 0.25, -4096.0, 90.0, pictures))


@settings(max_examples=80, deadline=None)
@given(
    st.floats(-15, 15),
    st.floats(-10, 10),
    st.sampled_from([*ZOOMS, 0.31, 0.87, 1.23, 2.71]),
    st.sampled_from([-512, -20, 0, 4, 256]),
)
def test_an_edge_in_the_world_is_shown_where_it_is(dx: float, dy: float, zoom: float, edge: int) -> None:
    camera = Camera(edge + dx, edge + dy, zoom, 320, 200)
    target = pygame.Surface((320, 200))
    View().draw(target, camera, functools.partial(corner, edge=edge))
    picture = pygame.surfarray.array3d(target)  # (x, y, channel)
    x, y = camera.to_screen((edge, edge))
    tolerance = 1.01 if zoom in ZOOMS else 2  # screen pixels
    for channel, line, at in ((0, picture[:, 99], x), (1, picture[159, :], y)):
        beyond = line[:, channel] > 127
        assert np.count_nonzero(np.diff(beyond)) == 1
        assert abs(np.argmax(beyond) - at) <= tolerance


@functools.cache
def speckle(column: int, row: int, shift: int) -> Tile:
    """A chunk of a world in which no two pixels are alike, moved by `shift` pixels to the west and north."""
    x, y = np.meshgrid(np.arange(256) + column * 256 + shift, np.arange(256) + row * 256 + shift)
    pictures = []
    for level in range(3):
        mixed = ((x >> level) * 7919 + (y >> level) * 104729 + level)[:: 1 << level, :: 1 << level]
        mixed = np.ascontiguousarray(np.stack([mixed * factor >> 3 for factor in (3, 5, 11)], -1).astype(np.uint8))
        pictures.append(mixed)
    return to_tile(Chunk(Key(7, column, row), np.zeros((256, 256), np.uint16), 0.25, -4096.0, 90.0, pictures))


@pytest.mark.parametrize("zoom", [*ZOOMS, 0.31, 1.23])
def test_the_picture_does_not_depend_on_where_chunks_meet(zoom: float) -> None:
    pictures = []
    for shift in (0, 128):
        target = pygame.Surface((320, 200))
        camera = Camera(0.3 - shift, -0.6 - shift, zoom, 320, 200)
        View().draw(target, camera, functools.partial(speckle, shift=shift))
        pictures.append(pygame.surfarray.array3d(target))
    assert pictures[0].std() > 20
    np.testing.assert_array_equal(*pictures)


def test_missing_chunks_are_a_quiet_chessboard() -> None:
    target = pygame.Surface((320, 200))
    View().draw(target, Camera(0, 0, 1.0, 320, 200), lambda *_: None)
    colours = {tuple(target.get_at(at))[:3] for at in ((10, 10), (310, 10), (10, 190), (310, 190))}
    assert colours == set(PLACEHOLDERS)
    assert target.get_at((10, 10)) == target.get_at((310, 190)) != target.get_at((310, 10))


def test_a_tile_knows_its_heights_and_what_it_costs() -> None:
    heights = np.arange(256 * 256, dtype=np.uint32).reshape(256, 256).astype(np.uint16)
    pictures = [np.zeros((side, side, 3), np.uint8) for side in (256, 128, 64)]
    tile = to_tile(Chunk(Key(7, 0, 0), heights, 0.25, -4096.0, 90.0, pictures))
    assert tile.metres(3, 2) == (2 * 256 + 3) * 0.25 - 4096
    used = sum(surface.get_pitch() * surface.get_height() for surface in tile.surfaces) + tile.heights.nbytes
    assert used == TILE_BYTES
