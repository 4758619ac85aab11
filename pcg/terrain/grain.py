"""Grain: how rough land is for its relief, as a number from -1 (smooth) to 1 (cut by every brook).

It depends on rock, climate and ice, and on the survey (a smoothed map, a speckled radar); the control map does not have
it. Without it as an input, a generator learns the mean. So each crop's grain is an input of the network, and in a world
the grain varies slowly by place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pcg.terrain import data
from pcg.terrain.networks import amplitude_thresholds, control_features, height_thresholds

LEVELS = 127  # steps of the grain on either side of the median
CROPS, CROP_CELLS = 512, 6  # number and side of the crops that a scale is fitted to


def roughness(heights: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
    """log2 of the root mean square Laplacian, and log2 of the mean amplitude, of crops; float64 (N,) each.

    `heights` (N, S, S) and `control`, their control maps with margins, both in metres.
    """
    _, amplitude, _ = control_features(control.double(), amplitude_thresholds(), height_thresholds())
    z = heights.double()
    laplacian = z[:, :-2, 1:-1] + z[:, 2:, 1:-1] + z[:, 1:-1, :-2] + z[:, 1:-1, 2:] - 4 * z[:, 1:-1, 1:-1]
    # The data is in whole metres, so a Laplacian below 1/4 m means nothing.
    fine = (laplacian.square().mean((1, 2)) + 1 / 16).sqrt()
    return fine.log2(), amplitude[:, 4:-4, 4:-4].mean((1, 2)).log2()


@dataclass(frozen=True)
class GrainScale:
    """The scale of the grain: the rank of a crop's roughness, beyond the one expected for its amplitude."""

    slope: float
    intercept: float
    quantiles: NDArray[np.float64]  # of the excess, ascending, evenly spaced in probability

    def grain(self, heights: Tensor, control: Tensor) -> Tensor:
        """The grain of crops, (N,) float32 in 1/128; uniform in [-127/128, 127/128] on the land of the fit."""
        fine, amplitude = roughness(heights, control)
        excess = (fine - self.slope * amplitude - self.intercept).numpy()
        rank = np.interp(excess, self.quantiles, np.linspace(-LEVELS, LEVELS, len(self.quantiles)))
        return torch.from_numpy(rank).round().float() / 128


def fit(heights: Tensor, control: Tensor) -> GrainScale:
    """Fit a scale to crops: a line of roughness over amplitude, and the quantiles of the residuals."""
    fine, amplitude = (a.numpy() for a in roughness(heights, control))
    slope, intercept = np.polyfit(amplitude, fine, 1) if np.ptp(amplitude) > 0 else (0.0, float(fine.mean()))
    excess = fine - slope * amplitude - intercept
    return GrainScale(float(slope), float(intercept), np.quantile(excess, np.linspace(0, 1, 65)))


def fit_regions(regions: list[data.Region], cells: int = CROP_CELLS) -> GrainScale:
    """Fit a scale to regions, by crops of cells x cells control cells; deterministic."""
    batch = data.draw_batch(regions, cells, CROPS, np.random.default_rng(0))
    return fit(torch.from_numpy(batch.heights), torch.from_numpy(batch.control))
