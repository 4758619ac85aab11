"""The layout of a character's sheet, its animations, and its atlas as Aseprite writes it.

A sheet is 4 rows of 9 frames of 64x64 pixels: up, left, down, right; frame 0 stands, frames 1 to 8 are the walk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

DIRECTIONS = ("up", "left", "down", "right")
FRAMES, FRAME_PX = 9, 64
SHEET_SHAPE = (len(DIRECTIONS) * FRAME_PX, FRAMES * FRAME_PX, 4)
FRAME_MS = 100
AtlasForm = Literal["json-hash", "json-array"]


@dataclass(frozen=True)
class Animation:
    """Frames `first` to `last` of a sheet, counted row by row. Standing is an animation of one frame."""

    name: str
    first: int
    last: int
    loop: bool


ANIMATIONS = tuple(
    animation
    for row, direction in enumerate(DIRECTIONS)
    for animation in (
        Animation(f"stand_{direction}", row * FRAMES, row * FRAMES, False),
        Animation(f"walk_{direction}", row * FRAMES + 1, row * FRAMES + FRAMES - 1, True),
    )
)


def region(frame: int) -> dict[str, int]:
    """The rectangle of a frame on the sheet, in pixels."""
    row, column = divmod(frame, FRAMES)
    return {"x": column * FRAME_PX, "y": row * FRAME_PX, "w": FRAME_PX, "h": FRAME_PX}


def atlas(image: str, form: AtlasForm = "json-hash", *, indexed: bool = False) -> dict[str, Any]:
    """The sheet's atlas in Aseprite's JSON format.

    Frames are named by their numbers, "0" to "35", as Phaser's createFromAseprite expects. A tag has the numbers of its
    first and last frame.

    Args:
        image: the sheet's file name.
        form: frames as a map or as a list.
        indexed: whether the sheet has a palette.
    """
    size = {"w": FRAME_PX, "h": FRAME_PX}
    frames = {
        str(frame): {
            "frame": region(frame),
            "rotated": False,
            "trimmed": False,
            "spriteSourceSize": {"x": 0, "y": 0} | size,
            "sourceSize": size,
            "duration": FRAME_MS,
        }
        for frame in range(len(DIRECTIONS) * FRAMES)
    }
    meta = {
        "app": "pcg-plugin",
        "version": "1.3",  # of Aseprite's format
        "image": image,
        "format": "I8" if indexed else "RGBA8888",
        "size": {"w": SHEET_SHAPE[1], "h": SHEET_SHAPE[0]},
        "scale": "1",
        "frameTags": [
            {"name": a.name, "from": a.first, "to": a.last, "direction": "forward", "color": "#000000ff"}
            for a in ANIMATIONS
        ],
        "layers": [],
        "slices": [],
    }
    if form == "json-hash":
        return {"frames": frames, "meta": meta}
    return {"frames": [{"filename": name} | frame for name, frame in frames.items()], "meta": meta}
