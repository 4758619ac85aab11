"""Camera maths: what is under the pointer stays there, and no chunk in view is left out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demos.world.camera import CHUNK, LIMIT, LODS, ZOOMS, Camera, next_zoom

cameras = st.builds(
    Camera,
    x=st.floats(-1e9, 1e9),
    y=st.floats(-1e9, 1e9),
    zoom=st.floats(ZOOMS[0], ZOOMS[-1]),
    width=st.integers(1, 4000),
    height=st.integers(1, 4000),
)
points = st.tuples(st.floats(-4000, 8000), st.floats(-4000, 8000))


@settings(deadline=None)
@given(cameras, points)
def test_screen_to_world_and_back(camera: Camera, screen: tuple[float, float]) -> None:
    assert camera.to_screen(camera.to_world(screen)) == pytest.approx(screen, abs=1e-4)


def test_east_is_right_and_south_is_down() -> None:
    camera = Camera(1000, 2000, 2.0, 640, 480)
    assert camera.to_world((640, 480)) == (1160, 2120)
    assert camera.to_screen((1001, 2001)) == (322, 242)


@settings(deadline=None)
@given(cameras, points, st.sampled_from(ZOOMS))
def test_zooming_keeps_what_is_under_the_pointer(camera: Camera, pointer: tuple[float, float], zoom: float) -> None:
    zoomed = camera.zoomed(zoom, pointer)
    assert zoomed.zoom == zoom
    assert zoomed.to_world(pointer) == pytest.approx(camera.to_world(pointer), abs=1e-4)


@settings(deadline=None)
@given(cameras, st.floats(-500, 500), st.floats(-500, 500))
def test_moving_by_screen_pixels_moves_the_world_the_other_way(camera: Camera, dx: float, dy: float) -> None:
    before = camera.to_screen((camera.x, camera.y))
    after = camera.moved(dx, dy).to_screen((camera.x, camera.y))
    assert after == pytest.approx((before[0] - dx, before[1] - dy), abs=1e-4)


def test_the_world_has_an_edge_that_can_be_reached_but_not_crossed() -> None:
    camera = Camera(LIMIT - 5, 0, 1.0, 640, 480).moved(100, 0)
    assert camera.x == LIMIT


@settings(deadline=None)
@given(cameras, st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)))
def test_every_screen_pixel_lies_in_a_chunk_in_view(camera: Camera, part: tuple[float, float]) -> None:
    x, y = camera.to_world((part[0] * camera.width, part[1] * camera.height))
    side = CHUNK << camera.lod
    assert (math.floor(x / side), math.floor(y / side)) in camera.chunks()


@settings(deadline=None)
@given(cameras)
def test_chunks_come_nearest_first_and_once(camera: Camera) -> None:
    chunks = camera.chunks(1)
    side = CHUNK << camera.lod
    distances = [math.hypot((c + 0.5) * side - camera.x, (r + 0.5) * side - camera.y) for c, r in chunks]
    assert distances == pytest.approx(sorted(distances))
    assert len(set(chunks)) == len(chunks)


@settings(deadline=None)
@given(cameras)
def test_a_margin_of_one_is_one_ring_of_chunks(camera: Camera) -> None:
    inner, outer = set(camera.chunks()), set(camera.chunks(1))
    assert outer == {(c + i, r + j) for c, r in inner for i in (-1, 0, 1) for j in (-1, 0, 1)}


def test_zoom_rests_are_walked_one_by_one() -> None:
    zoom, walked = ZOOMS[0], []
    for _ in ZOOMS:
        walked.append(zoom)
        zoom = next_zoom(zoom, 1)
    assert tuple(walked) == ZOOMS


@settings(deadline=None)
@given(cameras)
def test_a_pixel_of_the_level_is_about_a_screen_pixel(camera: Camera) -> None:
    pixel = camera.zoom * 2**camera.lod  # screen pixels
    assert 1 - 1e-6 <= pixel < 2 or camera.lod == 0
    assert pixel <= 4
    assert 0 <= camera.lod < LODS


@settings(deadline=None)
@given(st.floats(ZOOMS[0], ZOOMS[-1]), st.floats(-1e9, 1e9))
def test_a_view_never_needs_more_than_thirty_chunks(zoom: float, x: float) -> None:
    assert len(Camera(x, -x / 3, zoom, 1280, 800).chunks()) <= 30
