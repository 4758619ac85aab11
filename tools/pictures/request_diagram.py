"""Draw the diagram of docs/architecture.md, a request's way through the runtime.

python tools/pictures/request_diagram.py
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

DOCS = Path(__file__).parents[2] / "docs"
SCALE = 2  # pixels per unit of the layout below
WIDTH, HEIGHT = 1160, 640
BOX_WIDTH, BOX_HEIGHT = 180, 104
TITLE_PX, TEXT_PX = 16, 12
INK, FAINT, LINE = "#1f2933", "#6b7785", "#3e5c76"
Point = tuple[float, float]


class Box(NamedTuple):
    """A step: where its left top corner is, what it does, and where its code is."""

    left: float
    top: float
    title: str
    lines: tuple[str, ...]
    code: str

    def at(self, across: float, down: float) -> Point:
        """Return a point of the box; 0 is left and top, 1 is right and bottom."""
        return self.left + across * BOX_WIDTH, self.top + down * BOX_HEIGHT


class Zone(NamedTuple):
    """A thread or process: its rectangle, name and colour."""

    left: float
    top: float
    right: float
    bottom: float
    name: str
    colour: str


COLUMNS = (190, 430, 670, 910)
SOCKET = Box(COLUMNS[0], 50, "Socket", ("TCP, Unix, WebSocket, TLS;", "admission: limits, tokens"), "serving/")
PEER = Box(COLUMNS[1], 50, "Peer and wire", ("bytes to a request;", "limits of one connection"), "serving/, wire/")
SERVICE = Box(COLUMNS[2], 50, "Service", ("the method table;", "options: deadline, priority"), "service.py")
CHECK = Box(
    COLUMNS[3], 50, "Content check", ("parameters to frozen values;", "Work or Search, and its key"), "content/*/"
)
RESPONSE = Box(COLUMNS[0], 240, "Response", ("packed once; outbox:", "sent as the client reads"), "serving/, wire/")
RESULTS = Box(COLUMNS[2], 240, "Result cache", ("memory, then disk;", "a hit skips the queue"), "scheduling/results.py")
SCHEDULER = Box(
    COLUMNS[3], 240, "Scheduler", ("queue, single-flight, priority,", "fair share per client"), "scheduling/"
)
ENGINE = Box(COLUMNS[1], 460, "Engine", ("the only user of torch;", "runs a batch of requests"), "engine.py")
SEARCHES = Box(
    COLUMNS[2], 460, "Searches", ("levels: generate, repair,", "solve; rivers, large regions"), "scheduling/searches.py"
)
WORKERS = Box(COLUMNS[3], 460, "Workers", ("solvers and repairs", "in Python and numba"), "scheduling/workers.py")
BOXES = (SOCKET, PEER, SERVICE, CHECK, RESPONSE, RESULTS, SCHEDULER, ENGINE, SEARCHES, WORKERS)
ZONES = (
    Zone(160, 14, 1130, 376, "event loop of pcg serve", "#e8f1f8"),
    Zone(400, 424, 634, 596, "engine thread", "#fdf0d9"),
    Zone(646, 424, 880, 596, "search threads", "#eef3e2"),
    Zone(892, 424, 1130, 596, "worker processes", "#f6e6ea"),
)


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's own font, so that every machine draws the same."""
    return ImageFont.load_default(size * SCALE)


class Canvas:
    """A picture drawn in units of the layout."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), "white")
        self.draw = ImageDraw.Draw(self.image)

    def zone(self, zone: Zone) -> None:
        """Draw the background of a thread or process."""
        corners = [SCALE * value for value in zone[:4]]
        self.draw.rounded_rectangle(corners, 10 * SCALE, fill=zone.colour)
        self.text((zone.left + 12, zone.top + 6), zone.name, TEXT_PX, FAINT)

    def box(self, box: Box) -> None:
        """Draw a step with its text."""
        corners = [SCALE * value for value in (*box.at(0, 0), *box.at(1, 1))]
        self.draw.rounded_rectangle(corners, 6 * SCALE, fill="white", outline=LINE, width=SCALE)
        self.text((box.left + 10, box.top + 8), box.title, TITLE_PX, INK)
        for number, line in enumerate(box.lines):
            self.text((box.left + 10, box.top + 34 + 17 * number), line, TEXT_PX, INK)
        self.text((box.left + 10, box.top + 80), box.code, TEXT_PX, FAINT)

    def text(self, at: Point, words: str, size: int, colour: str) -> None:
        """Write words; `at` is their left top corner."""
        self.draw.text((SCALE * at[0], SCALE * at[1]), words, fill=colour, font=font(size))

    def arrow(self, *points: Point, words: str = "", at: Point = (0, 0), both: bool = False) -> None:
        """Draw a line through the points with a head at its end, or at both ends, and words at a place."""
        scaled = [(SCALE * x, SCALE * y) for x, y in points]
        self.draw.line(scaled, fill=LINE, width=2 * SCALE)
        self._head(scaled[-2], scaled[-1])
        if both:
            self._head(scaled[1], scaled[0])
        self.text(at, words, TEXT_PX, LINE)

    def _head(self, start: Point, end: Point) -> None:
        angle = math.atan2(end[1] - start[1], end[0] - start[0])
        sides = [
            (end[0] - 9 * SCALE * math.cos(angle + turn), end[1] - 9 * SCALE * math.sin(angle + turn))
            for turn in (-0.45, 0.45)
        ]
        self.draw.polygon([end, *sides], fill=LINE)


def diagram() -> Image.Image:
    """Return the whole picture."""
    canvas = Canvas()
    for zone in ZONES:
        canvas.zone(zone)
    for box in BOXES:
        canvas.box(box)
    canvas.text((22, 150), "Game", TITLE_PX, INK)
    canvas.text((22, 174), "any client of", TEXT_PX, INK)
    canvas.text((22, 190), "MessagePack-RPC", TEXT_PX, INK)
    canvas.arrow((60, 140), (60, 102), SOCKET.at(0, 0.5), words="request", at=(84, 82))
    canvas.arrow(RESPONSE.at(0, 0.5), (60, 292), (60, 216), words="response", at=(84, 298))
    canvas.arrow(SOCKET.at(1, 0.5), PEER.at(0, 0.5))
    canvas.arrow(PEER.at(1, 0.5), SERVICE.at(0, 0.5))
    canvas.arrow(SERVICE.at(1, 0.5), CHECK.at(0, 0.5))
    canvas.arrow(
        CHECK.at(0.2, 1),
        (CHECK.at(0.2, 1)[0], 197),
        (RESULTS.at(0.5, 0)[0], 197),
        RESULTS.at(0.5, 0),
        words="key",
        at=(800, 179),
    )
    canvas.arrow(RESULTS.at(1, 0.5), SCHEDULER.at(0, 0.5), words="miss", at=(862, 273))
    canvas.arrow(RESULTS.at(0, 0.5), RESPONSE.at(1, 0.5), words="hit", at=(500, 273))
    canvas.arrow(
        SCHEDULER.at(0.2, 1),
        (SCHEDULER.at(0.2, 1)[0], 410),
        (SEARCHES.at(0.75, 0)[0], 410),
        SEARCHES.at(0.75, 0),
        words="a Search",
        at=(812, 392),
    )
    canvas.arrow(
        SCHEDULER.at(0.05, 1),
        (SCHEDULER.at(0.05, 1)[0], 386),
        (ENGINE.at(0.75, 0)[0], 386),
        ENGINE.at(0.75, 0),
        words="Work",
        at=(690, 388),
    )
    canvas.arrow(ENGINE.at(1, 0.5), SEARCHES.at(0, 0.5), both=True)
    canvas.arrow(SEARCHES.at(1, 0.5), WORKERS.at(0, 0.5), both=True)
    canvas.arrow(ENGINE.at(0.45, 0), (ENGINE.at(0.45, 0)[0], 320), RESPONSE.at(1, 0.77), words="result", at=(519, 350))
    canvas.arrow(
        SEARCHES.at(0.5, 1),
        (SEARCHES.at(0.5, 1)[0], 618),
        (RESPONSE.at(0.5, 1)[0], 618),
        RESPONSE.at(0.5, 1),
        words="result",
        at=(290, 598),
    )
    canvas.text((612, 560 - 42), "turns", TEXT_PX, LINE)
    canvas.text((862, 560 - 42), "tasks", TEXT_PX, LINE)
    return canvas.image


def main() -> None:
    """Draw the diagram and save it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DOCS / "pictures")
    path = parser.parse_args().out / "request.png"
    diagram().quantize(64).save(path, optimize=True)
    print(path)


if __name__ == "__main__":
    main()
