"""Metrics of terrain: distributions of land, distances between them, and a classifier two-sample test."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from pcg.learning.critic import rank_auc, small_cnn
from pcg.terrain import data
from runtime.content.terrain.drainage import drain

Array = NDArray[np.float32]

SPLITS = 10  # a floor is the mean over so many random halvings of the real patches
QUANTILES = np.linspace(0.005, 0.995, 100)
FLOW_QUANTILES = np.linspace(0.5, 0.9995, 60)  # half of all pixels are slopes that drain one or two pixels
CROP, CNN_BATCH, CNN_STEPS, TESTED = 64, 32, 400, 400  # pixels; crops of each kind a step; steps; crops tested

SLOPE = "slope distribution (degrees)"
CURVATURE = "curvature distribution (m)"
SPECTRUM = "power spectrum under 1.4 km (log10)"
HYPSOMETRY = "hypsometry (of relief)"
FLOW = "flow accumulation (log10 pixels)"
PITS = "pit pixels (ratio to real)"
FILL = "filled volume (ratio to real)"
RESIDUAL = "relief beyond the control map (ratio)"
AUC = "AUC of a fresh CNN"


@dataclass(frozen=True)
class Measured:
    """Measurements of N patches of S x S pixels, one by one, so that any subset can be compared."""

    slope: Array  # (N, (S-2)^2) degrees
    curvature: Array  # (N, (S-2)^2) metres, the Laplacian over four neighbours
    spectrum: Array  # (N, K) log10 power at 16 pixels and shorter, a value for each whole number of waves a patch
    hypsometry: Array  # (N, S^2) height above the patch's lowest point, over its relief
    flow: Array  # (N, S^2) log10 of flow accumulation in pixels
    pits: Array  # (N,) share of pixels lower than all eight neighbours
    fill: Array  # (N,) mean depth of filled depressions, over relief
    residual: Array  # (N,) mean square of the height less its control cell's, in metres^2

    def part(self, which: NDArray[np.int64]) -> Measured:
        """The measurements of some patches, by index."""
        return Measured(*(getattr(self, f.name)[which] for f in fields(self)))


def measure(heights: Array) -> Measured:
    """Measure patches: float32 (N, S, S) metres at 90 m a pixel, S a multiple of 16."""
    n, side = heights.shape[:2]
    inner = heights[:, 1:-1, 1:-1]
    laplacian = heights[:, :-2, 1:-1] + heights[:, 2:, 1:-1] + heights[:, 1:-1, :-2] + heights[:, 1:-1, 2:] - 4 * inner
    low = heights.min((1, 2), keepdims=True)
    relief = np.maximum(np.ptp(heights, axis=(1, 2)), 1.0)
    drained = [drain(patch) for patch in heights]
    blocks = heights.reshape(n, side // data.PIXELS_PER_CELL, data.PIXELS_PER_CELL, -1, data.PIXELS_PER_CELL)
    return Measured(
        slope=np.degrees(np.arctan(np.hypot(*gradients(heights).swapaxes(0, 1)))).reshape(n, -1),
        curvature=laplacian.reshape(n, -1),
        spectrum=spectra(heights),
        hypsometry=((heights - low) / relief[:, None, None]).reshape(n, -1),
        flow=np.stack([np.log10(d.accumulation, dtype=np.float32).ravel() for d in drained]),
        pits=pits(heights)[:, 1:-1, 1:-1].mean((1, 2), dtype=np.float32),
        fill=np.array([(d.filled - p).mean() for d, p in zip(drained, heights, strict=True)], np.float32) / relief,
        residual=blocks.var((2, 4)).mean((1, 2)),
    )


def pits(heights: Array) -> NDArray[np.bool_]:
    """True for pixels of heightmaps (N, H, W) that are lower than all eight neighbours; False on the border."""
    rows, columns = heights.shape[1] - 2, heights.shape[2] - 2
    shifts = [(i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    around = np.minimum.reduce([heights[:, i : i + rows, j : j + columns] for i, j in shifts])
    return np.pad(heights[:, 1:-1, 1:-1] < around, ((0, 0), (1, 1), (1, 1)))


def gradients(heights: Array) -> Array:
    """Slopes south and east by central differences, metres a metre: (N, S, S) metres to (N, 2, S-2, S-2)."""
    span = 2 * data.METRES_PER_PIXEL
    south = (heights[:, 2:, 1:-1] - heights[:, :-2, 1:-1]) / span
    east = (heights[:, 1:-1, 2:] - heights[:, 1:-1, :-2]) / span
    return np.stack([south, east], 1)


def spectra(heights: Array) -> Array:
    """log10 of the radially averaged power spectrum, (N, S, S) to (N, K): plane removed, Hann window."""
    side = heights.shape[1]
    ramp = np.linspace(-1, 1, side)
    plane = np.stack([np.ones((side, side)), np.broadcast_to(ramp, (side, side)), ramp[:, None].repeat(side, 1)])
    plane /= np.sqrt((plane**2).sum((1, 2), keepdims=True))  # the three are orthogonal
    window = np.hanning(side)[:, None] * np.hanning(side)
    frequency = np.fft.fftfreq(side, 1 / side)
    ring = np.hypot(frequency[:, None], frequency).round().astype(np.int64).ravel()
    size = np.bincount(ring)
    kept = np.arange(side // data.PIXELS_PER_CELL, side // 2)  # waves a patch: wavelengths of a control cell and below
    out = []
    for patch in heights:
        level = patch - np.tensordot(np.tensordot(plane, patch, 2), plane, 1)
        power = np.abs(np.fft.fft2(level * window)) ** 2
        out.append(np.log10((np.bincount(ring, power.ravel()) / size)[kept] + 1e-6))
    return np.array(out, np.float32)


def distance(a: Array, b: Array, at: NDArray[np.float64] = QUANTILES) -> float:
    """Mean absolute difference between the quantiles (nearest rank) of two sets of values, in their unit."""
    first, second = (np.sort(v, axis=None)[np.rint(at * (v.size - 1)).astype(np.int64)] for v in (a, b))
    return float(np.abs(first - second).mean())


def ratio(a: float, b: float) -> float:
    """a / b, also where both are zero."""
    return (a + 1e-9) / (b + 1e-9)


def compare(a: Measured, b: Measured) -> dict[str, float]:
    """Distances between the distributions of two sets of patches (0 = same), and ratios a / b (1 = same)."""
    return {
        SLOPE: distance(a.slope, b.slope),
        CURVATURE: distance(a.curvature, b.curvature),
        SPECTRUM: float(np.abs(a.spectrum.mean(0) - b.spectrum.mean(0)).mean()),
        HYPSOMETRY: distance(a.hypsometry, b.hypsometry),
        FLOW: distance(a.flow, b.flow, FLOW_QUANTILES),
        PITS: ratio(float(a.pits.mean()), float(b.pits.mean())),
        FILL: ratio(float(np.median(a.fill)), float(np.median(b.fill))),
        RESIDUAL: ratio(float(a.residual.mean()), float(b.residual.mean())) ** 0.5,
    }


def floors(real: Measured, rng: np.random.Generator) -> dict[str, float]:
    """`compare` between random halves of the real patches, averaged; a ratio as the larger half over the smaller.

    The halves have half the patches, of different places, so a model that is compared on the same places can be below
    the floor. A ratio of 1.2 means that halves of real land differ by a factor of 1.2.
    """
    n = len(real.pits)
    found = []
    for _ in range(SPLITS):
        order = rng.permutation(n)
        values = compare(real.part(order[: n // 2]), real.part(order[n // 2 :]))
        found.append({k: max(v, 1 / v) if k in (PITS, FILL, RESIDUAL) else v for k, v in values.items()})
    return {k: float(np.mean([f[k] for f in found])) for k in found[0]}


def auc(real: Array, other: Array, seed: int, steps: int = CNN_STEPS) -> float:
    """A classifier two-sample test (Lopez-Paz and Oquab 2017): a small CNN is trained to tell two sets of land apart.

    The CNN sees the two slopes of 64 x 64 crops, so absolute height does not matter. It is trained on two thirds of the
    places and tested on the others. Patch i of both sets is in the same split, so memorising a place does not help.

    Args:
        real, other: patches (N, S, S) in metres.
        seed: of the weights, the split and the crops.
        steps: of the training.

    Returns:
        The AUC on the test places: 0.5 if the CNN can't tell the sets apart, 1 if it always can.
    """
    rng = np.random.default_rng(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    views = [torch.from_numpy(gradients(heights)).to(device) for heights in (real, other)]
    order = rng.permutation(len(real))
    trained, tested = order[: len(order) * 2 // 3], order[len(order) * 2 // 3 :]

    def crops(view: torch.Tensor, places: NDArray[np.int64], count: int) -> torch.Tensor:
        corners = rng.integers(0, view.shape[-1] - CROP + 1, (count, 2))
        chosen = zip(rng.choice(places, count), corners, strict=True)
        return torch.stack([view[i, :, y : y + CROP, x : x + CROP] for i, (y, x) in chosen])

    network = small_cnn(2, seed).to(device)
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=1e-2)
    target = torch.tensor([1.0, 0.0], device=device).repeat_interleave(CNN_BATCH)
    for _ in range(steps):
        logits = network(torch.cat([crops(view, trained, CNN_BATCH) for view in views]))[:, 0]
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(logits, target).backward()
        optimiser.step()
    with torch.no_grad():
        a, b = (network(crops(view, tested, TESTED)).cpu().numpy() for view in views)
    return rank_auc(a, b)


def aucs(rivals: dict[str, tuple[Array, Array]], seeds: int, steps: int) -> dict[str, list[float]]:
    """`auc` of each of several pairs of sets of patches, with `seeds` seeds each.

    Each CNN uses one core. This is faster than all cores for one CNN after the other, and the results don't depend on
    the number of cores.
    """
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(threads, "cnn", torch.set_num_threads, (1,)) as pool:
        jobs = {name: [pool.submit(auc, *pair, k, steps) for k in range(seeds)] for name, pair in rivals.items()}
        found = {name: [job.result() for job in row] for name, row in jobs.items()}
    torch.set_num_threads(threads)
    return found
