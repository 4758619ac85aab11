"""What the HUD says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pygame
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demos.world.hud import MAX_SEED, PANEL_PIXELS, Hud, Readout, SeedBox, fit, lines, scale_bar
from demos.world.themes import THEMES

READOUT = Readout(
    seed=7, box=None, at=(1234, -20000), metres=812.3, reading="taiga", style="alpine", theme="biome", lod=1,
    meters_per_pixel=90.0, zoom=0.5, land=12, shown=3, visible=20, empty=False, pending=9,
)  # fmt: skip


@pytest.fixture(autouse=True)
def font() -> Iterator[None]:
    pygame.display.init()
    pygame.font.init()
    yield
    pygame.quit()


def test_lines_say_where_how_high_and_how_much() -> None:
    assert lines(READOUT) == [
        "x 1,234   y -20,000",
        "111 km east, 1,800 km north of the origin",
        "812 m above the sea",
        "taiga",
        "Land: 12 of 20 chunks, the rest blurred",
        "Biomes: 3 of 20 chunks",
        "Waiting for 9 chunks",
        "180 m a screen pixel, level 1",
        "View: biome   Style: alpine",
    ]


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (
            {"land": 2, "shown": 0, "empty": True},
            ["Land: 2 of 20 chunks, some places empty", "Biomes: 0 of 20 chunks", "Waiting for 9 chunks"],
        ),
        (
            {"land": 20, "shown": 0},
            ["Land: 20 of 20 chunks", "Biomes: 0 of 20 chunks", "Waiting for 9 chunks"],
        ),
        (
            {"land": 20, "shown": 20, "theme": "relief"},
            [
                "Land: 20 of 20 chunks",
                "Lakes and rivers: 20 of 20 chunks",
                "View complete, 9 more around it",
            ],
        ),
        (
            {"land": 20, "shown": 20, "pending": 0},
            ["Land: 20 of 20 chunks", "Biomes: 20 of 20 chunks", "View complete"],
        ),
    ],
)
def test_what_is_here_and_what_is_to_come(state: dict[str, Any], told: list[str]) -> None:
    assert lines(replace(READOUT, **state))[4:7] == told


def test_every_line_fits_the_panel() -> None:
    font = pygame.font.Font(None, 20)
    longest = replace(READOUT, visible=30, land=28, shown=28, pending=188, meters_per_pixel=90.0, zoom=0.0625)
    for state in ({"empty": True}, {"empty": False}, {"land": 30, "shown": 30}):
        for theme in THEMES:
            for line in lines(replace(longest, theme=theme, **state)):
                assert font.size(line)[0] <= PANEL_PIXELS, line


@settings(deadline=None)
@given(st.text("0123456789aé٣", max_size=30))
def test_a_seed_box_holds_only_seeds(text: str) -> None:
    box = SeedBox()
    for character in text:
        box = box.typed(character)
    assert box.seed is None or 0 <= box.seed <= MAX_SEED
    assert box.text.isascii()


def test_the_largest_seed_can_be_typed() -> None:
    box = SeedBox()
    for character in f"{MAX_SEED}0":
        box = box.typed(character)
    assert box.seed == MAX_SEED
    assert SeedBox("4").erased().erased().seed is None


@settings(deadline=None)
@given(st.floats(5, 2000))
def test_a_scale_bar_is_as_long_as_it_says(meters_per_screen_pixel: float) -> None:
    length, name = scale_bar(meters_per_screen_pixel)
    assert length <= 160
    assert abs(length * meters_per_screen_pixel - float(name.removesuffix(" km")) * 1000) <= meters_per_screen_pixel


@pytest.mark.parametrize("size", [(1280, 800), (60, 40)])
def test_trouble_and_an_open_box_can_be_seen(size: tuple[int, int]) -> None:
    hud = Hud()
    pictures = []
    for box, trouble in ((None, ""), (SeedBox("12"), ""), (None, "the connection is lost")):
        target = pygame.Surface(size)
        hud.draw(target, Readout(**{**vars(READOUT), "box": box, "trouble": trouble}))
        pictures.append(pygame.image.tobytes(target, "RGB"))
    assert len(set(pictures)) == 3


def test_text_is_cut_to_what_fits() -> None:
    font = pygame.font.Font(None, 20)
    assert fit("one\ntwo", font, 500) == "one"
    cut = fit("a long sentence that goes on", font, 80)
    assert cut.endswith("…")
    assert font.size(cut)[0] <= 80
