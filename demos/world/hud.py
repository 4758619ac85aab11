"""The HUD: the text over the map, and the box in which a seed is typed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pygame

from demos.world.themes import DETAILS

MAX_SEED = 2**53 - 1
HELP = (
    "drag or WASD: move    wheel or + -: zoom    V: view    T: style    Tab: seed    Home: back to the start    "
    "P: screenshot    H: hide this"
)

_PANEL = (16, 22, 30, 176)
_TEXT = (236, 240, 244)
_DIM = (168, 180, 192)
_ALARM = (255, 196, 92)
_BOX = (60, 78, 98)
_PAD = 10  # screen pixels, like the following
_LINE = 20
_WIDTH = 290
PANEL_PIXELS = _WIDTH - 2 * _PAD  # the width of a line in the panel


@dataclass(frozen=True)
class SeedBox:
    """The digits typed so far.

    >>> SeedBox().typed("1").typed("x").typed("2").erased().seed
    1
    """

    text: str = ""

    @property
    def seed(self) -> int | None:
        """The seed typed so far; None for no digits."""
        return int(self.text) if self.text else None

    def typed(self, character: str) -> SeedBox:
        """The box with one more digit; unchanged for any other character, and where the seed would be too large."""
        if len(character) != 1 or character not in "0123456789" or int(self.text + character) > MAX_SEED:
            return self
        return replace(self, text=self.text + character)

    def erased(self) -> SeedBox:
        """The box without its last digit."""
        return replace(self, text=self.text[:-1])


@dataclass(frozen=True)
class Readout:
    """What the HUD shows. Positions in world pixels, heights in metres; None where a value is not known yet."""

    seed: int
    box: SeedBox | None  # None while closed
    at: tuple[int, int]  # the world pixel under the pointer
    metres: float | None  # there
    reading: str  # what the theme tells of it; may be empty
    style: str
    theme: str  # the view: what the map shows
    lod: int  # the level of detail shown
    meters_per_pixel: float | None  # of the world
    zoom: float  # screen pixels a world pixel
    land: int  # chunks in view whose land has arrived
    shown: int  # chunks in view whose theme has arrived too
    visible: int  # chunks in view
    empty: bool  # whether a place in view has no picture yet, not even of another level of detail
    pending: int  # chunks asked for that have not arrived, in view or near it
    note: str = ""  # what was just done
    trouble: str = ""  # what is wrong


def lines(readout: Readout) -> list[str]:
    """The lines of text below the seed."""
    x, y = readout.at
    scale = readout.meters_per_pixel
    result = [f"x {x:,}   y {y:,}"]
    if scale is not None:
        east, south = x * scale / 1000, y * scale / 1000
        result.append(f"{abs(east):,.0f} km {'east' if x >= 0 else 'west'}, {abs(south):,.0f} km "
                      f"{'south' if y >= 0 else 'north'} of the origin")  # fmt: skip
    result.append(height_text(readout.metres))
    result.append(readout.reading)
    result += arrivals(readout)
    if scale is not None:
        result.append(f"{scale / readout.zoom:,.4g} m a screen pixel, level {readout.lod}")
    result.append(f"View: {readout.theme}   Style: {readout.style}")
    return result


def arrivals(readout: Readout) -> list[str]:
    """How much of the view has arrived, and what is still to come."""
    land = f"Land: {readout.land} of {readout.visible} chunks"
    if readout.land < readout.visible:
        land += ", some places empty" if readout.empty else ", the rest blurred"
    details = f"{DETAILS[readout.theme]}: {readout.shown} of {readout.visible} chunks"
    if readout.shown < readout.visible:
        return [land, details, f"Waiting for {readout.pending} chunks"]
    around = f", {readout.pending} more around it" if readout.pending else ""
    return [land, details, f"View complete{around}"]


def height_text(metres: float | None) -> str:
    """A height as text.

    >>> height_text(1234.25), height_text(-56.0), height_text(None)
    ('1,234 m above the sea', 'sea, 56 m deep', 'height not known yet')
    """
    if metres is None:
        return "height not known yet"
    return f"{metres:,.0f} m above the sea" if metres >= 0 else f"sea, {-metres:,.0f} m deep"


def scale_bar(meters_per_screen_pixel: float, longest: int = 160) -> tuple[int, str]:
    """The longest round distance of at most `longest` screen pixels: its length in screen pixels, and its name.

    >>> scale_bar(90.0)
    (111, '10 km')
    """
    kilometres = [step * 10.0**power for power in range(-1, 4) for step in (1, 2, 5)]
    fits = [distance for distance in kilometres if distance * 1000 / meters_per_screen_pixel <= longest]
    distance = max(fits, default=kilometres[0])
    return round(distance * 1000 / meters_per_screen_pixel), f"{distance:g} km"


class Hud:
    """Draws a readout. pygame.font must be initialised."""

    def __init__(self) -> None:
        self._font = pygame.font.Font(None, 20)
        self._large = pygame.font.Font(None, 26)
        self.seed_area = pygame.Rect(_PAD * 2, _PAD * 2 - 4, _WIDTH - 2 * _PAD, 28)  # where a click opens the box

    def draw(self, target: pygame.Surface, readout: Readout) -> None:
        """Draw the panel, the scale bar, the help line and a message."""
        self._draw_panel(target, readout)
        if readout.meters_per_pixel is not None:
            self._draw_scale(target, *scale_bar(readout.meters_per_pixel / readout.zoom))
        self._draw_bar(target, HELP, _DIM, target.get_height() - _LINE - _PAD)
        message = readout.trouble or readout.note
        if message:
            self._draw_bar(target, message, _ALARM if readout.trouble else _TEXT, _PAD)

    def _draw_panel(self, target: pygame.Surface, readout: Readout) -> None:
        texts = lines(readout)
        _panel(target, pygame.Rect(_PAD, _PAD, _WIDTH, 2 * _PAD + 28 + _LINE * len(texts)))
        pygame.draw.rect(target, _BOX, self.seed_area, border_radius=4)
        if readout.box is None:
            text, colour = f"Seed  {readout.seed}", _TEXT
        elif readout.box.text:
            text, colour = f"Seed  {readout.box.text}|", _TEXT
        else:
            text, colour = "Seed  type digits, then Enter", _DIM
        if readout.box is not None:
            pygame.draw.rect(target, _ALARM, self.seed_area, width=1, border_radius=4)
        target.blit(self._large.render(text, True, colour), (self.seed_area.x + 8, self.seed_area.y + 6))
        for i, line in enumerate(texts):
            place = (self.seed_area.x, self.seed_area.bottom + 8 + _LINE * i)
            target.blit(self._font.render(line, True, _TEXT), place)

    def _draw_scale(self, target: pygame.Surface, length: int, name: str) -> None:
        width, height = target.get_size()
        text = self._font.render(name, True, _TEXT)
        area = pygame.Rect(0, 0, max(length, text.get_width()) + 2 * _PAD, 38)
        area.bottomright = (width - _PAD, height - _PAD)
        _panel(target, area)
        y, x = area.bottom - 10, area.right - _PAD
        pygame.draw.lines(target, _TEXT, False, [(x - length, y - 5), (x - length, y), (x, y), (x, y - 5)], 2)
        target.blit(text, text.get_rect(midbottom=(area.centerx, y - 5)))

    def _draw_bar(self, target: pygame.Surface, text: str, colour: tuple[int, int, int], top: int) -> None:
        """Draw one centred line, cut to the room beside the panel."""
        room = target.get_width() - 2 * (_WIDTH + 3 * _PAD) if top == _PAD else target.get_width() - 4 * _PAD
        shown = fit(text, self._font, max(room, 200))
        picture = self._font.render(shown, True, colour)
        area = picture.get_rect(centerx=target.get_width() // 2, top=top + 3)
        _panel(target, area.inflate(2 * _PAD, 10))
        target.blit(picture, area)


def draw_message(target: pygame.Surface, title: str, text: str = "") -> None:
    """Draw a message in an otherwise empty window: its title in the middle, its text below."""
    target.fill((24, 31, 40))
    width, height = target.get_size()
    heading = pygame.font.Font(None, 30).render(title, True, _TEXT)
    area = heading.get_rect(centerx=width // 2, centery=height // 3)
    target.blit(heading, area)
    font = pygame.font.Font(None, 20)
    for i, line in enumerate(text.splitlines()):
        target.blit(font.render(line.expandtabs(4), True, _DIM), (4 * _PAD, area.bottom + 24 + i * _LINE))


def fit(text: str, font: pygame.font.Font, width: int) -> str:
    """The first line of a text, cut with an ellipsis where it is wider than `width` screen pixels."""
    line = (text.splitlines() or [""])[0]
    if font.size(line)[0] <= width:
        return line
    while line and font.size(line + "…")[0] > width:
        line = line[:-1]
    return line + "…"


def _panel(target: pygame.Surface, area: pygame.Rect) -> None:
    panel = pygame.Surface(area.size, pygame.SRCALPHA)
    pygame.draw.rect(panel, _PANEL, panel.get_rect(), border_radius=8)
    target.blit(panel, area)
