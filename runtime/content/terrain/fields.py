"""Smooth random fields over the world: integer hashes of lattice points, and gradient noise between them.

Positions are int64 in half pixels of level 0, so that the centre of a pixel of any level is a whole number, and nothing
loses precision far from the origin. Hashes are those of the model files: splitmix64's finaliser (Steele, Lea
and Flood 2014; constants by Stafford, "Mix13") on wrapping 64-bit integers. Everything else is single IEEE operations
in float64, so the fields are the same on every machine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

UInt64s = NDArray[np.uint64]
Int64s = NDArray[np.int64]
Float64s = NDArray[np.float64]

# Twelve gradients of equal length, thanks to 3^2 + 4^2 = 5^2: to the east, and to the south.
_EAST = np.array([5, -5, 0, 0, 4, 4, -4, -4, 3, 3, -3, -3], np.float64)
_SOUTH = np.array([0, 0, 5, -5, 3, -3, 3, -3, 4, -4, 4, -4], np.float64)


def mix(x: UInt64s) -> UInt64s:
    """The splitmix64 finaliser of an array of uint64."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def key(seed: int, stream: int) -> UInt64s:
    """The key (1,) of a stream of random values: a hash of seed and stream."""
    return mix(mix(np.array([seed], np.int64).view(np.uint64)) + np.uint64(stream))


def hash_grid(key: UInt64s, y: Int64s, x: Int64s) -> UInt64s:
    """The hash of (key, row, column): key (1,), y (H,), x (W,) to uint64 (H, W)."""
    rows = mix(key + mix(y.view(np.uint64)) * np.uint64(0x9E3779B97F4A7C15))
    columns = mix(x.view(np.uint64)) * np.uint64(0x5851F42D4C957F2D)
    return mix(rows[:, None] + columns)


def centres(first: int, lod: int, count: int) -> Int64s:
    """The centres of `count` pixels of a level, in half pixels of level 0.

    `first`: the edge of the first of them, in pixels of level 0.
    """
    return 2 * first + ((2 * np.arange(count, dtype=np.int64) + 1) << lod)


def white_noise(key: UInt64s, y: Int64s, x: Int64s) -> Float64s:
    """A number in [-1, 1) for every pair of positions y (H,), x (W,): float64 (H, W)."""
    bits: UInt64s = hash_grid(key, y, x) >> np.uint64(11)
    return bits.astype(np.float64) * 2.0**-52 - 1.0


def gradient_noise(key: UInt64s, y: Int64s, x: Int64s, spacing: int) -> Float64s:
    """Perlin's gradient noise (2002): float64 (H, W), within [-0.8, 0.8], standard deviation about 0.25.

    Args:
        key: of the stream.
        y: positions (H,) in half pixels.
        x: positions (W,) in half pixels.
        spacing: of the lattice in pixels, a power of two; waves are one to two spacings long.
    """
    offset: UInt64s = mix(key + np.array([1, 2], np.uint64)) & np.uint64(2 * spacing - 1)  # else 0 at the origin
    rows, row, v = _lattice(y + offset[:1].view(np.int64), 2 * spacing)
    columns, column, u = _lattice(x + offset[1:].view(np.int64), 2 * spacing)
    which = ((hash_grid(key, rows, columns) >> np.uint64(40)) * np.uint64(12)) >> np.uint64(24)
    east, south = _EAST[which], _SOUTH[which]
    # A corner's ramp is east * u + south * v. Interpolate along rows first: there are only as many as lattice lines.
    left, right = east[:, column] * u, east[:, column + 1] * (u - 1.0)
    eastward = left + (right - left) * _fade(u)
    left, right = south[:, column], south[:, column + 1]
    southward = left + (right - left) * _fade(u)
    v = v[:, None]
    top = eastward[row] + southward[row] * v
    bottom = eastward[row + 1] + southward[row + 1] * (v - 1.0)
    noise: Float64s = (top + (bottom - top) * _fade(v)) / 5.0
    return noise


def _lattice(position: Int64s, spacing: int) -> tuple[Int64s, Int64s, Float64s]:
    """The lattice lines (ascending) around positions, the index of the line before each, and the fraction past it."""
    before = position // spacing
    lines = np.unique(np.concatenate([before, before + 1]))
    return lines, np.searchsorted(lines, before), (position - before * spacing) / spacing


def _fade(t: Float64s) -> Float64s:
    """Perlin's quintic: its first and second derivatives are 0 at 0 and 1."""
    return t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
