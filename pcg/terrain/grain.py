"""Grain: how fine-wrought land is for its relief, as a number from -1 (smooth) to 1 (cut by every brook).

Rock, climate and ice decide it, and so does the survey (a smoothed map, a speckled radar); the control map knows
nothing of it. Left to chance, a generator settles on the mean of all. So it is told each crop's grain, and in a world
the grain changes slowly from place to place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pcg.terrain import data
from pcg.terrain.networks import amplitude_thresholds, control_features, height_thresholds

LEVELS = 127  # of a grain, on either side of the median
CROPS, CROP_CELLS = 512, 6  # that the scale of a body of land is fitted to


def roughness(heights: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
    """Of crops (N, S, S) and their control maps, metres: log2 of the root mean square Laplacian, and of the mean
    amplitude; float64 (N,) each.
    """
    _, amplitude, _ = control_features(control.double(), amplitude_thresholds(), height_thresholds())
    z = heights.double()
    laplacian = z[:, :-2, 1:-1] + z[:, 2:, 1:-1] + z[:, 1:-1, :-2] + z[:, 1:-1, 2:] - 4 * z[:, 1:-1, 1:-1]
    # Data comes in whole metres, so less than a quarter of one says nothing.
    fine = (laplacian.square().mean((1, 2)) + 1 / 16).sqrt()
    return fine.log2(), amplitude[:, 4:-4, 4:-4].mean((1, 2)).log2()


@dataclass(frozen=True)
class GrainScale:
    """What grain means in a body of land: its roughness beyond what its amplitude lets expect, as a rank."""

    slope: float
    intercept: float
    quantiles: NDArray[np.float64]  # of the excess, ascending, evenly spaced in probability

    def grain(self, heights: Tensor, control: Tensor) -> Tensor:
        """(N,) float32 in whole 1/128, uniform in [-127/128, 127/128] over the land that the scale was fitted to."""
        fine, amplitude = roughness(heights, control)
        excess = (fine - self.slope * amplitude - self.intercept).numpy()
        rank = np.interp(excess, self.quantiles, np.linspace(-LEVELS, LEVELS, len(self.quantiles)))
        return torch.from_numpy(rank).round().float() / 128


def fit(heights: Tensor, control: Tensor) -> GrainScale:
    """The scale of a sample of crops: a straight line through roughness over amplitude, and ranks about it."""
    fine, amplitude = (a.numpy() for a in roughness(heights, control))
    slope, intercept = np.polyfit(amplitude, fine, 1) if np.ptp(amplitude) > 0 else (0.0, float(fine.mean()))
    excess = fine - slope * amplitude - intercept
    return GrainScale(float(slope), float(intercept), np.quantile(excess, np.linspace(0, 1, 65)))


def fit_regions(regions: list[data.Region], cells: int = CROP_CELLS) -> GrainScale:
    """The scale of regions, from crops of cells x cells control cells; always the same for the same regions."""
    batch = data.draw_batch(regions, cells, CROPS, np.random.default_rng(0))
    return fit(torch.from_numpy(batch.heights), torch.from_numpy(batch.control))
