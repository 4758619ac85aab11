"""Events, motion and what is asked of the stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pygame
import pytest

from demos.world import start, themes
from demos.world.camera import LODS
from demos.world.explorer import Explorer
from demos.world.streaming import Stream, World
from demos.world.view import CHUNK_BYTES, PLACEHOLDERS

Wait = Callable[[Callable[[], object]], None]
SIZE = (640, 480)


@pytest.fixture(autouse=True)
def display() -> Iterator[None]:
    pygame.display.init()
    pygame.font.init()
    pygame.display.set_mode(SIZE)
    yield
    pygame.quit()


@pytest.fixture
def stream(connection: Any) -> Iterator[Stream]:
    stream = Stream(lambda: connection, workers=1, retry_s=0.001)
    yield stream
    connection.gate.set()
    stream.close()


@pytest.fixture
def explorer(stream: Stream) -> Explorer:
    return Explorer(stream, 7, SIZE, styles=("varied", "flat"))


def settle(explorer: Explorer, wait: Wait) -> None:
    """Let all arrive that is in view."""

    def complete() -> bool:
        explorer.update(1 / 60)
        return explorer.complete

    wait(complete)


def settle_all(explorer: Explorer, wait: Wait) -> None:
    """Let all arrive that is asked for, around the view too."""
    settle(explorer, wait)
    status = explorer._stream.status
    wait(lambda: explorer.update(1 / 60) or status().waiting + status().busy == 0)
    explorer.update(1 / 60)


def dark(explorer: Explorer) -> int:
    """Screen pixels that show no land of any level."""
    shown = picture(explorer)
    return sum(np.count_nonzero((shown == colour).all(2)) for colour in PLACEHOLDERS)


def press(explorer: Explorer, key: int, character: str = "") -> None:
    explorer.handle(pygame.event.Event(pygame.KEYDOWN, key=key, unicode=character))


def type_seed(explorer: Explorer, text: str) -> None:
    press(explorer, pygame.K_TAB)
    for character in text:
        press(explorer, ord(character), character)


def mouse(explorer: Explorer, what: int, **how: Any) -> None:
    explorer.handle(pygame.event.Event(what, **how))


def picture(explorer: Explorer) -> np.ndarray:
    target = pygame.Surface(SIZE)
    explorer.draw(target)
    return pygame.surfarray.array3d(target)


def test_it_begins_on_land_and_shows_it(explorer: Explorer, connection: Any, wait: Wait) -> None:
    press(explorer, pygame.K_h)
    empty = picture(explorer)
    settle(explorer, wait)
    assert (explorer.camera.x, explorer.camera.y) == start.nearest_land(connection.call, 7, "varied")
    assert explorer.shown[0] == explorer.shown[1] == len(explorer.camera.chunks())
    full = picture(explorer)
    assert len(np.unique(empty.reshape(-1, 3), axis=0)) == 2
    assert len(np.unique(full.reshape(-1, 3), axis=0)) > 2000


def test_dragging_moves_the_land_with_the_pointer(explorer: Explorer, wait: Wait) -> None:
    settle(explorer, wait)
    before = explorer.camera.to_world((400, 300))
    mouse(explorer, pygame.MOUSEBUTTONDOWN, button=1, pos=(400, 300))
    for i in range(5):
        mouse(explorer, pygame.MOUSEMOTION, pos=(400 + 10 * i, 300 - 4 * i), rel=(10, -4), buttons=(1, 0, 0))
    explorer.update(1 / 60)
    assert explorer.camera.to_world((450, 280)) == pytest.approx(before)


def test_a_held_key_moves_smoothly_and_its_motion_fades(explorer: Explorer, wait: Wait) -> None:
    settle(explorer, wait)
    places, y = [explorer.camera.x], explorer.camera.y
    for held in [(1, 0)] * 20 + [(0, 0)] * 120:
        explorer.update(1 / 60, held)
        places.append(explorer.camera.x)
    steps = np.diff(places)
    assert (np.diff(steps[:20]) > 0).all()  # faster and faster, after a gentle start
    assert steps[0] < 3
    assert (np.diff(steps[20:]) <= 0).all()
    assert steps[-1] == 0
    assert explorer.camera.y == y


def test_the_wheel_zooms_around_the_pointer(explorer: Explorer, wait: Wait) -> None:
    settle(explorer, wait)
    mouse(explorer, pygame.MOUSEMOTION, pos=(500, 100), rel=(0, 0), buttons=(0, 0, 0))
    under = explorer.camera.to_world((500, 100))
    mouse(explorer, pygame.MOUSEWHEEL, y=2)
    zooms = []
    for _ in range(60):
        explorer.update(1 / 60)
        zooms.append(explorer.camera.zoom)
        assert explorer.camera.to_world((500, 100)) == pytest.approx(under)
    assert zooms == sorted(zooms)
    assert 1 < zooms[0] < 2 == zooms[-1]
    press(explorer, pygame.K_MINUS)
    for _ in range(60):
        explorer.update(1 / 60)
    assert explorer.camera.zoom == 1.5


def test_the_cache_is_bounded_and_holds_what_the_window_needs(stream: Stream, wait: Wait) -> None:
    explorer = Explorer(stream, 7, SIZE, cache_bytes=5 * CHUNK_BYTES)
    needed = 7 * 6 * CHUNK_BYTES + (4 + 5 * 4) * CHUNK_BYTES // 2  # at most, with what is beside the view
    for _ in range(4):
        for _ in range(40):
            explorer.update(1 / 30, (1, 0), hurry=True)
        settle(explorer, wait)
        assert explorer._tiles.bytes <= explorer._tiles.limit_bytes <= needed


def test_zooming_out_asks_for_coarser_chunks_only_at_rest(explorer: Explorer, connection: Any, wait: Wait) -> None:
    settle(explorer, wait)
    connection.asked.clear()
    mouse(explorer, pygame.MOUSEWHEEL, y=-50)
    settle(explorer, wait)
    for _ in range(120):
        explorer.update(1 / 60)
    assert explorer.camera.zoom == 0.0625
    assert explorer.lod == explorer.camera.lod == 4
    assert explorer.complete
    assert explorer.shown[1] <= 12
    assert {params["lod"] for params in connection.asked} <= {0, 4}  # 0: beside the view, before it was left


def test_a_coarse_picture_of_the_view_comes_first(explorer: Explorer, connection: Any, wait: Wait) -> None:
    settle(explorer, wait)
    coarse = len(explorer.camera.chunks(lod=LODS - 1))
    lods = [params["lod"] for params in connection.asked if "lod" in params]
    assert lods[: coarse + explorer.shown[1]] == [LODS - 1] * coarse + [0] * explorer.shown[1]


def test_once_all_is_here_no_zoom_and_no_drag_is_dark(explorer: Explorer, connection: Any, wait: Wait) -> None:
    press(explorer, pygame.K_h)
    mouse(explorer, pygame.MOUSEMOTION, pos=(120, 400), rel=(0, 0), buttons=(0, 0, 0))
    settle_all(explorer, wait)
    connection.gate.clear()  # from here on nothing comes any more
    began = explorer.camera
    for steps in (-99, 99, -3, 1, -2, 99):
        mouse(explorer, pygame.MOUSEWHEEL, y=steps)
        while explorer.camera.zoom != explorer._aim().zoom:
            explorer.update(1 / 30)
            assert dark(explorer) == 0
    mouse(explorer, pygame.MOUSEWHEEL, y=-5)
    for _ in range(40):
        explorer.update(1 / 30)
    assert explorer.camera.zoom == 0.5
    mouse(explorer, pygame.MOUSEBUTTONDOWN, button=1, pos=(400, 300))
    for way in (1500, -3000, 1500):
        mouse(explorer, pygame.MOUSEMOTION, pos=(400, 300), rel=(way, way // 2), buttons=(1, 0, 0))
        explorer.update(1 / 60)
        assert dark(explorer) == 0
    assert explorer.camera != began


def test_unattended_nothing_but_the_view_is_asked_for(stream: Stream, connection: Any, wait: Wait) -> None:
    explorer = Explorer(stream, 7, SIZE, ahead=False)
    settle_all(explorer, wait)
    asked = [(params["lod"], params["layers"]) for params in connection.asked if "lod" in params]
    view = explorer.shown[1]
    assert asked == [(0, ["height"])] * view + [(0, ["water", "flow"])] * view


def test_the_readout_says_what_is_here_and_what_is_not(explorer: Explorer, connection: Any, wait: Wait) -> None:
    picture(explorer)
    readout = explorer._readout("")
    assert (readout.land, readout.shown, readout.empty) == (0, 0, True)

    def land_is_here() -> bool:
        explorer.update(1 / 60)
        return explorer._readout("").land == explorer.shown[1]

    call = connection.call

    def no_layers(method: str, /, **params: Any) -> Any:
        if params.get("layers", ["height"]) != ["height"]:
            raise TimeoutError("the lakes are not ready")
        return call(method, **params)

    connection.call = no_layers
    wait(land_is_here)
    picture(explorer)
    readout = explorer._readout("")
    assert readout.land == readout.visible > 0
    assert (readout.shown, readout.empty) == (0, False)
    connection.call = call
    settle_all(explorer, wait)
    readout = explorer._readout("")
    assert (readout.shown, readout.pending) == (readout.visible, 0)


def test_where_only_another_level_is_here_its_height_is_told(explorer: Explorer, connection: Any, wait: Wait) -> None:
    settle_all(explorer, wait)
    connection.gate.clear()
    mouse(explorer, pygame.MOUSEWHEEL, y=-99)
    for _ in range(60):
        explorer.update(1 / 30)
    mouse(explorer, pygame.MOUSEMOTION, pos=(10, 300), rel=(0, 0), buttons=(0, 0, 0))
    assert explorer._readout("").metres is not None


def test_while_a_level_loads_the_one_before_is_shown(explorer: Explorer, connection: Any, wait: Wait) -> None:
    settle(explorer, wait)
    settle_all(explorer, wait)
    connection.gate.clear()
    press(explorer, pygame.K_MINUS)
    for _ in range(60):
        explorer.update(1 / 60)
    assert (explorer.lod, explorer.shown[0]) == (1, 0)
    stand_in = picture(explorer)[320:, :400].astype(int)
    connection.gate.set()
    settle(explorer, wait)
    assert np.abs(picture(explorer)[320:, :400] - stand_in).mean() < 12


def test_a_key_shows_each_view_in_turn(explorer: Explorer, connection: Any, wait: Wait) -> None:
    seen, pictures = [], []
    for _ in themes.THEMES:
        settle(explorer, wait)
        seen.append(explorer.theme)
        pictures.append(picture(explorer)[320:].tobytes())
        before = len(connection.asked)
        press(explorer, pygame.K_v)
    assert tuple(seen) == themes.THEMES
    assert len(set(pictures)) == len(themes.THEMES)
    assert explorer.theme == seen[0]
    assert all(params["layers"] != ["height"] for params in connection.asked[before:])  # the ground is known


def test_the_land_comes_before_its_water(explorer: Explorer, connection: Any, wait: Wait) -> None:
    settle(explorer, wait)
    layers = [params["layers"] for params in connection.asked if params.get("lod") == 0]
    visible = explorer.shown[1]
    assert layers[:visible] == [["height"]] * visible
    assert layers[visible : 2 * visible] == [["water", "flow"]] * visible


def test_a_key_changes_the_style_at_the_same_place(explorer: Explorer, connection: Any, wait: Wait) -> None:
    settle(explorer, wait)
    place, varied = explorer.camera, picture(explorer)
    press(explorer, pygame.K_t)
    assert not explorer.complete
    settle(explorer, wait)
    assert (explorer.camera, explorer.world) == (place, World(7, "flat"))
    assert (picture(explorer)[320:] != varied[320:]).any()
    assert {params["style"] for params in connection.asked} == {"varied", "flat"}
    press(explorer, pygame.K_t)
    assert explorer.world.style == "varied"
    assert explorer.complete


def test_a_blend_is_one_of_the_styles(stream: Stream) -> None:
    explorer = Explorer(stream, 7, SIZE, styles=("varied", "flat"), style="flat:1")
    seen = []
    for _ in range(4):
        seen.append(explorer.world.style)
        press(explorer, pygame.K_t)
    assert seen == ["flat:1", "varied", "flat", "flat:1"]


def test_provenance_says_what_is_in_view(explorer: Explorer, wait: Wait) -> None:
    settle(explorer, wait)
    press(explorer, pygame.K_v)
    settle(explorer, wait)
    said = explorer.provenance()
    assert said["provenance"]["model"] == "formula"
    assert said["provenance"]["params"] == {
        "seed": 7, "style": "varied", "lod": 0, "layers": ["height", "biome", "water"],
    }  # fmt: skip
    assert said["center"] == [explorer.camera.x, explorer.camera.y]


def test_a_typed_seed_is_another_world(explorer: Explorer, connection: Any, wait: Wait) -> None:
    settle(explorer, wait)
    before = picture(explorer)
    type_seed(explorer, "12x3")
    assert explorer.box is not None
    press(explorer, pygame.K_BACKSPACE)
    press(explorer, pygame.K_RETURN)
    assert (explorer.seed, explorer.box) == (12, None)
    settle(explorer, wait)
    assert {params["seed"] for params in connection.asked} == {7, 12}
    assert (picture(explorer)[300:] != before[300:]).any()


def test_escape_leaves_the_seed_as_it_was(explorer: Explorer) -> None:
    type_seed(explorer, "99")
    press(explorer, pygame.K_ESCAPE)
    assert (explorer.seed, explorer.box) == (7, None)


def test_a_click_on_the_seed_opens_the_box_and_one_beside_closes_it(explorer: Explorer) -> None:
    mouse(explorer, pygame.MOUSEBUTTONDOWN, button=1, pos=(60, 30))
    assert explorer.box is not None
    mouse(explorer, pygame.MOUSEBUTTONDOWN, button=1, pos=(400, 300))
    assert explorer.box is None


def test_keys_do_not_move_while_a_seed_is_typed(explorer: Explorer, wait: Wait) -> None:
    settle(explorer, wait)
    before = explorer.camera
    type_seed(explorer, "")
    for _ in range(10):
        explorer.update(1 / 60, (1, 1))
    assert explorer.camera == before


def test_what_was_seen_is_not_fetched_again(explorer: Explorer, connection: Any, wait: Wait) -> None:
    settle_all(explorer, wait)
    count = len(connection.asked)
    mouse(explorer, pygame.MOUSEBUTTONDOWN, button=1, pos=(400, 300))
    for way in (-3000, 3000):
        mouse(explorer, pygame.MOUSEMOTION, pos=(400, 300), rel=(way, 0), buttons=(1, 0, 0))
        explorer.update(1 / 60)
        settle(explorer, wait)
    asked = [str(params) for params in connection.asked]
    assert count < len(asked) == len(set(asked))


def test_home_is_where_it_began(explorer: Explorer, wait: Wait) -> None:
    settle(explorer, wait)
    began = explorer.camera
    for _ in range(5):
        explorer.update(1 / 60, (1, 1))
    press(explorer, pygame.K_HOME)
    assert (explorer.camera.x, explorer.camera.y) == (began.x, began.y)


def test_who_moves_while_land_is_looked_for_stays(explorer: Explorer, connection: Any, wait: Wait) -> None:
    connection.gate.clear()
    explorer.go(8)
    for _ in range(10):
        explorer.update(1 / 60, (1, 0))
    connection.gate.set()
    settle(explorer, wait)
    assert 0 < explorer.camera.x < 256


def test_it_asks_only_for_what_is_in_view_or_beside_it(explorer: Explorer, connection: Any, wait: Wait) -> None:
    settle(explorer, wait)
    near = {(0, *at) for at in explorer.camera.chunks(1)}
    far = {(LODS - 1, *at) for at in explorer.camera.zoomed(0.0625, (320, 240)).chunks()}
    asked = {
        (params["lod"], *((params[axis] + (1 << params["lod"])) // (256 << params["lod"]) for axis in "xy"))
        for params in connection.asked
        if "lod" in params
    }
    assert asked <= near | far


def test_a_new_window_size_keeps_the_centre(explorer: Explorer, wait: Wait) -> None:
    settle(explorer, wait)
    before = explorer.camera
    mouse(explorer, pygame.WINDOWSIZECHANGED, x=900, y=700)
    assert (explorer.camera.width, explorer.camera.height) == (900, 700)
    assert (explorer.camera.x, explorer.camera.y) == (before.x, before.y)


def test_a_lost_connection_is_told_until_it_is_back(explorer: Explorer, connection: Any, wait: Wait) -> None:
    settle(explorer, wait)
    connection.errors = [ConnectionResetError("gone")] * 3
    connection.gate.clear()
    explorer.go(9)
    connection.gate.set()
    troubles = []
    wait(lambda: troubles.append(explorer._readout("").trouble) or not connection.errors)
    settle(explorer, wait)
    assert set(troubles) <= {"", "gone (trying again)"}
    assert explorer._readout("").trouble == ""
    assert explorer._readout("the runtime has ended").trouble == "the runtime has ended"


def test_the_height_told_is_that_under_the_pointer(explorer: Explorer, land: Any, wait: Wait) -> None:
    settle(explorer, wait)
    mouse(explorer, pygame.MOUSEMOTION, pos=(123, 321), rel=(0, 0), buttons=(0, 0, 0))
    readout = explorer._readout("")
    x, y = readout.at
    assert (x, y) == tuple(int(np.floor(at)) for at in explorer.camera.to_world((123, 321)))
    assert readout.metres == land(7, x, y, 1)[0, 0] * 0.25 - 4096
