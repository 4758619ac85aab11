"""Pictures to stand for monsters."""

import numpy as np


def made_tile(seed: int, colours: int) -> np.ndarray:
    """A picture of 32x32 pixels, RGBA."""
    rng = np.random.default_rng(seed)
    palette = np.full((colours, 4), 255)
    palette[:, :3] = rng.integers(0, 256, (colours, 3))
    picture = palette[rng.integers(0, colours, (32, 32))].astype(np.uint8)
    picture[rng.random((32, 32)) < 0.4] = 0
    return picture
