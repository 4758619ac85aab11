"""The explorer: the state of a walk over the map, changed by events, time and chunks that arrive."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pygame

from demos.world import themes
from demos.world.camera import CHUNK, LODS, ZOOMS, Camera, Point, approach, next_zoom
from demos.world.hud import Hud, Readout, SeedBox
from demos.world.streaming import METHOD, Ground, Key, Order, Stream, World
from demos.world.view import CHUNK_BYTES, At, Tile, View, to_tile
from runtime.lru import LRU

CACHE_BYTES = 400 << 20  # more only where the window alone needs more
VARIED = "varied"  # the style that changes from place to place
SPEED = 900.0  # screen pixels a second, with a key held; three times as much with Shift
NOTE_S = 4.0  # how long a note stays

_KEYS = {
    pygame.K_LEFT: (-1, 0), pygame.K_a: (-1, 0), pygame.K_RIGHT: (1, 0), pygame.K_d: (1, 0),
    pygame.K_UP: (0, -1), pygame.K_w: (0, -1), pygame.K_DOWN: (0, 1), pygame.K_s: (0, 1),
}  # fmt: skip
_CLOSER = frozenset({pygame.K_PLUS, pygame.K_EQUALS, pygame.K_KP_PLUS})
_FARTHER = frozenset({pygame.K_MINUS, pygame.K_KP_MINUS})


class Explorer:
    """The world, the place in it, and the theme that the map shows. The caller closes `stream`.

    `styles` are the styles to choose from; `style` is the first one shown, one of them or a blend. With `ahead` the
    explorer fetches more than the view: first a coarse picture of it, and last what moving or zooming will show.
    """

    def __init__(
        self,
        stream: Stream,
        seed: int,
        size: tuple[int, int],
        *,
        styles: Sequence[str] = (VARIED,),
        style: str = VARIED,
        theme: str = themes.THEMES[0],
        zoom: float = 1.0,
        ahead: bool = True,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.world = World(seed, style)
        self.theme = theme
        self.camera = Camera(0.0, 0.0, zoom, *size)
        self.box: SeedBox | None = None
        self.seeking = True  # the place to begin at is not known yet
        self.screenshot_wanted = False
        self._stream = stream
        self._ahead = ahead
        self._tiles = LRU[Key, Tile](cache_bytes, lambda _, tile: tile.size_bytes)
        self._cache_bytes = cache_bytes
        self._styles = tuple(styles) if style in styles else (style, *styles)
        self._arrived = 0  # chunks
        self._provenance: dict[str, Any] = {}  # of the last chunk that arrived
        self._meters_per_pixel: float | None = None  # of the world
        self._start = (0.0, 0.0)
        self._zoom = zoom  # what the camera's zoom eases towards
        self._anchor: Point = (0.0, 0.0)  # the screen position that stays put meanwhile
        self._pointer: Point | None = None  # None while outside the window
        self._dragging = False
        self._dragged = (0.0, 0.0)  # screen pixels since the last update
        self._velocity = (0.0, 0.0)  # of the camera, screen pixels a second
        self._asked: tuple[object, ...] = ()  # what the last `want` was for
        self._scene: pygame.Surface | None = None
        self._drawn: tuple[object, ...] = ()  # what `_scene` shows
        self._view = View()
        self._hud = Hud()
        self._hud_shown = True
        self._note, self._note_s = "", 0.0
        stream.find_start(self.world)

    @property
    def seed(self) -> int:
        """The world's seed."""
        return self.world.seed

    @property
    def complete(self) -> bool:
        """Whether all chunks in view have arrived."""
        return not self.seeking and all(key in self._tiles for key in self._visible())

    @property
    def shown(self) -> tuple[int, int]:
        """How many of the chunks in view have arrived, and how many are in view."""
        keys = self._visible()
        return sum(key in self._tiles for key in keys), len(keys)

    @property
    def lod(self) -> int:
        """The level of detail that the view needs when its zoom is at rest."""
        return self._aim().lod

    def provenance(self) -> dict[str, Any]:
        """The provenance of the map in view, ready for JSON: the place, the model and the request."""
        params = {"seed": self.seed, "style": self.world.style, "lod": self.lod}
        return {
            "form": "screenshot",
            "width": self.camera.width,
            "height": self.camera.height,
            "seed": self.seed,
            "center": [self.camera.x, self.camera.y],
            "zoom": self.camera.zoom,
            "view": self.theme,
            "lod": self.lod,
            "meters_per_pixel": None if self._meters_per_pixel is None else self._meters_per_pixel / self.camera.zoom,
            "provenance": self._provenance
            | {"method": METHOD, "params": params | {"layers": ["height", *themes.LAYERS[self.theme]]}},
        }

    def go(self, seed: int) -> None:
        """Go to the start of another world."""
        self.world = self.world._replace(seed=seed)
        self.seeking = True
        self.camera = replace(self.camera, x=0.0, y=0.0)
        self._velocity = (0.0, 0.0)
        self._stream.find_start(self.world)

    def next_style(self) -> None:
        """Go to the same place in the next style."""
        style = self._styles[(self._styles.index(self.world.style) + 1) % len(self._styles)]
        self.world = self.world._replace(style=style)
        if self.seeking:
            self._stream.find_start(self.world)
        self.note(f"Style: {style}")

    def next_theme(self) -> None:
        """Show the next theme."""
        self.theme = themes.THEMES[(themes.THEMES.index(self.theme) + 1) % len(themes.THEMES)]
        self.note(f"View: {self.theme}")

    def note(self, text: str) -> None:
        """Show a note for some seconds."""
        self._note, self._note_s = text, NOTE_S

    def handle(self, event: pygame.event.Event) -> None:
        """Handle an event of pygame."""
        if event.type == pygame.KEYDOWN:
            if self.box is None:
                self._press(event.key)
            else:
                self._type(event.key, event.unicode)
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button == pygame.BUTTON_LEFT:
            if self._hud_shown and self._hud.seed_area.collidepoint(event.pos):
                self.box = SeedBox()
            else:
                self.box = None
                self._dragging = True
        elif event.type == pygame.MOUSEBUTTONUP and event.button == pygame.BUTTON_LEFT:
            self._dragging = False
        elif event.type == pygame.MOUSEMOTION:
            self._pointer = event.pos
            if self._dragging:
                self._dragged = (self._dragged[0] - event.rel[0], self._dragged[1] - event.rel[1])
        elif event.type == pygame.MOUSEWHEEL:
            self._zoom_by(event.y)
        elif event.type == pygame.WINDOWLEAVE:
            self._pointer = None
        elif event.type == pygame.WINDOWSIZECHANGED:
            self.camera = self.camera.resized(event.x, event.y)

    def update(self, seconds: float, held: tuple[int, int] = (0, 0), hurry: bool = False) -> None:
        """Advance by `seconds`: move, zoom, take the chunks that have arrived, and ask for more.

        `held`: the direction of the keys that are held down, east and south. `hurry`: move three times as fast.
        """
        self._note_s -= seconds
        self._move(seconds, held if self.box is None else (0, 0), 3 * SPEED if hurry else SPEED)
        self._ease_zoom(seconds)
        found = self._stream.take_start()
        if found is not None and self.seeking:
            self.seeking = False
            self._start = (float(found[0]), float(found[1]))
            self.camera = replace(self.camera, x=self._start[0], y=self._start[1])
        for chunk in self._stream.take():
            self._meters_per_pixel = chunk.ground.meters_per_pixel / 2**chunk.key.lod
            self._provenance = chunk.provenance
            self._tiles.put(chunk.key, to_tile(chunk))
            self._arrived += 1
        self._ask()

    def draw(self, target: pygame.Surface, trouble: str = "") -> None:
        """Draw the map and the HUD. `trouble` is shown in place of the stream's own trouble."""
        edition = (self.world, self.theme, self._arrived)
        if self._scene is None or self._scene.get_size() != target.get_size():
            self._scene = pygame.Surface(target.get_size()).convert(target)
            self._drawn = ()
        if (self.camera, edition) != self._drawn:
            self._view.draw(self._scene, self.camera, self._best, self._places, edition)
            self._drawn = (self.camera, edition)
        target.blit(self._scene, (0, 0))
        if self._hud_shown:
            self._hud.draw(target, self._readout(trouble))

    def _aim(self) -> Camera:
        """The camera with its zoom at rest."""
        return self.camera if self.camera.zoom == self._zoom else self.camera.zoomed(self._zoom, self._anchor)

    def _visible(self, margin: int = 0) -> list[Key]:
        aim = self._aim()
        return [Key(self.world, aim.lod, *at, self.theme) for at in aim.chunks(margin)]

    def _best(self, lod: int, column: int, row: int) -> Tile | None:
        """The tile of a place that shows the theme, or else the land; None where there is neither."""
        key = Key(self.world, lod, column, row, self.theme)
        return self._tiles.get(key) or self._tiles.get(key._replace(theme=themes.LAND))

    def _places(self) -> list[At]:
        """The level, column and row of all tiles that `_best` can find."""
        themes_shown = (self.theme, themes.LAND)
        return list({key[1:4] for key in self._tiles if key.world == self.world and key.theme in themes_shown})

    def _ground(self, key: Key) -> Ground | None:
        """The ground of a place, from any tile of it."""
        for theme in (themes.LAND, *themes.THEMES):
            tile = self._tiles.get(key._replace(theme=theme))
            if tile is not None:
                return tile.ground
        return None

    def _ask(self) -> None:
        """Tell the stream which chunks are missing, if that has changed.

        In this order: a coarse picture of the whole view; the view; a coarse picture of all that the farthest zoom
        shows, so that zooming out and moving fast never show an empty map; what is near the view. Of each the land
        comes first, then the theme.
        """
        view = [] if self.seeking else self._visible()
        coarse, far, near = ([], [], []) if self.seeking or not self._ahead else self._surroundings()
        asked = (self._arrived, *coarse, *view, *far, *near)
        if asked == self._asked:
            return
        self._asked = asked
        # The cache must hold all of it, or these tiles would drop each other.
        most = max(len(view), len(near)) * CHUNK_BYTES + (len(coarse) + len(far)) * CHUNK_BYTES // 2
        self._tiles.limit_bytes = max(self._cache_bytes, most)
        orders = [order for keys in (coarse, view, far, near) for order in self._orders(keys)]
        self._stream.want(list({order.key: order for order in orders}.values()))

    def _surroundings(self) -> tuple[list[Key], list[Key], list[Key]]:
        """What to fetch beside the view: the coarsest level's land in the view, and in the view at the farthest zoom;
        and the chunks around the view.
        """
        aim = self._aim()
        farthest = aim.zoomed(ZOOMS[0], self._pointer or (aim.width / 2, aim.height / 2))
        coarse, far = (
            [Key(self.world, LODS - 1, *at) for at in places]
            for places in (aim.chunks(lod=LODS - 1), farthest.chunks())
        )
        return coarse, far, self._visible(margin=1)

    def _orders(self, keys: Sequence[Key]) -> list[Order]:
        """The orders for the `keys` whose tiles are missing, land first."""
        land: list[Order] = []
        details: list[Order] = []
        for key in keys:
            if self._tiles.get(key) is not None:
                continue
            ground = self._ground(key)
            if key.theme != themes.LAND and ground is not None:
                details.append(Order(key, ground))
            elif key.theme != themes.LAND or self._best(*key[1:4]) is None:
                land.append(Order(key._replace(theme=themes.LAND)))
        return land + details

    def _move(self, seconds: float, held: tuple[int, int], speed: float) -> None:
        if self._dragging:
            self._shift(*self._dragged)
            if seconds > 0:
                self._velocity = (
                    approach(self._velocity[0], self._dragged[0] / seconds, seconds, 0.05),
                    approach(self._velocity[1], self._dragged[1] / seconds, seconds, 0.05),
                )
            self._dragged = (0.0, 0.0)
            return
        length = math.hypot(*held) or 1.0
        self._velocity = (
            approach(self._velocity[0], speed * held[0] / length, seconds, 0.12),
            approach(self._velocity[1], speed * held[1] / length, seconds, 0.12),
        )
        if math.hypot(*self._velocity) < 2 and held == (0, 0):
            self._velocity = (0.0, 0.0)
        self._shift(self._velocity[0] * seconds, self._velocity[1] * seconds)

    def _shift(self, dx: float, dy: float) -> None:
        if dx or dy:
            self.camera = self.camera.moved(dx, dy)
            self.seeking = False  # a user who moves has chosen a place

    def _ease_zoom(self, seconds: float) -> None:
        if self.camera.zoom == self._zoom:
            return
        zoom = math.exp(approach(math.log(self.camera.zoom), math.log(self._zoom), seconds, 0.06))
        self.camera = self.camera.zoomed(self._zoom if abs(zoom / self._zoom - 1) < 0.004 else zoom, self._anchor)

    def _zoom_by(self, steps: int) -> None:
        self._zoom = next_zoom(self._zoom, steps)
        self._anchor = self._pointer or (self.camera.width / 2, self.camera.height / 2)

    def _press(self, key: int) -> None:
        if key == pygame.K_TAB:
            self.box = SeedBox()
        elif key in _CLOSER or key in _FARTHER:
            self._zoom_by(1 if key in _CLOSER else -1)
        elif key == pygame.K_v:
            self.next_theme()
        elif key == pygame.K_t:
            self.next_style()
        elif key in (pygame.K_p, pygame.K_F12):
            self.screenshot_wanted = True
        elif key == pygame.K_HOME:
            self.camera = replace(self.camera, x=self._start[0], y=self._start[1])
        elif key == pygame.K_h:
            self._hud_shown = not self._hud_shown

    def _type(self, key: int, character: str) -> None:
        assert self.box is not None
        if key in (pygame.K_RETURN, pygame.K_KP_ENTER):
            seed = self.box.seed
            self.box = None
            if seed is not None and seed != self.seed:
                self.go(seed)
        elif key in (pygame.K_ESCAPE, pygame.K_TAB):
            self.box = None
        elif key == pygame.K_BACKSPACE:
            self.box = self.box.erased()
        else:
            self.box = self.box.typed(character)

    def _under(self, at: tuple[int, int]) -> tuple[Tile | None, int, int]:
        """The tile shown at a world pixel, or else the finest that has arrived; the pixel's column and row in it."""
        for lod in (self.camera.lod, *range(LODS)):
            column, row = at[0] >> lod, at[1] >> lod
            tile = self._best(lod, column // CHUNK, row // CHUNK)
            if tile is not None:
                return tile, column % CHUNK, row % CHUNK
        return None, 0, 0

    def _readout(self, trouble: str) -> Readout:
        x, y = self.camera.to_world(self._pointer or (self.camera.width / 2, self.camera.height / 2))
        at = (math.floor(x), math.floor(y))
        lod = self.camera.lod
        tile, column, row = self._under(at)
        status = self._stream.status()
        shown, visible = self.shown
        note = "Looking for land …" if self.seeking else self._note if self._note_s > 0 else ""
        return Readout(
            seed=self.seed,
            box=self.box,
            at=at,
            metres=None if tile is None else tile.ground.metres_at(column, row),
            reading="" if tile is None else tile.reading(column, row),
            style=self.world.style,
            theme=self.theme,
            lod=lod,
            meters_per_pixel=self._meters_per_pixel,
            zoom=self.camera.zoom,
            land=sum(self._ground(key) is not None for key in self._visible()),
            shown=shown,
            visible=visible,
            empty=self._view.empty,
            pending=status.waiting + status.busy,
            note=note,
            trouble=trouble or (f"{status.trouble} (trying again)" if status.trouble else ""),
        )


def keys_held() -> tuple[int, int]:
    """The direction of the keys that are held down: east and south, each -1, 0 or 1."""
    pressed = pygame.key.get_pressed()
    held = [way for key, way in _KEYS.items() if pressed[key]]
    return (sign(sum(way[0] for way in held)), sign(sum(way[1] for way in held)))


def sign(number: int) -> int:
    """The sign of a number: -1, 0 or 1.

    >>> sign(-3)
    -1
    """
    return (number > 0) - (number < 0)
