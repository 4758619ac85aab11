"""Figures of terrain: distributions that land has, distances between them, a classifier that tells two sets apart."""

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

SPLITS = 10  # random halvings of the real patches that a floor is averaged over
QUANTILES = np.linspace(0.005, 0.995, 100)
FLOW_QUANTILES = np.linspace(0.5, 0.9995, 60)  # the lower half of any land is slopes that drain a pixel or two
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
    """What was measured of N patches of S x S pixels, patch by patch, so that any half of them costs nothing more."""

    slope: Array  # (N, (S-2)^2) degrees
    curvature: Array  # (N, (S-2)^2) metres, the Laplacian over four neighbours
    spectrum: Array  # (N, K) log10 power at 16 pixels and shorter, a value for each whole number of waves a patch
    hypsometry: Array  # (N, S^2) height above the patch's lowest point, over its relief
    flow: Array  # (N, S^2) log10 of flow accumulation in pixels
    pits: Array  # (N,) share of pixels lower than all eight neighbours
    fill: Array  # (N,) mean depth of filled depressions, over relief
    residual: Array  # (N,) mean square of the height less its control cell's, in metres^2

    def part(self, which: NDArray[np.int64]) -> Measured:
        """Some of the patches, by index."""
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
    """Where a pixel of heightmaps (N, H, W) is lower than all eight neighbours; nowhere on a border."""
    rows, columns = heights.shape[1] - 2, heights.shape[2] - 2
    shifts = [(i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    around = np.minimum.reduce([heights[:, i : i + rows, j : j + columns] for i, j in shifts])
    return np.pad(heights[:, 1:-1, 1:-1] < around, ((0, 0), (1, 1), (1, 1)))


def gradients(heights: Array) -> Array:
    """Central differences southward and eastward, metres a metre: (N, S, S) metres to (N, 2, S-2, S-2)."""
    span = 2 * data.METRES_PER_PIXEL
    south = (heights[:, 2:, 1:-1] - heights[:, :-2, 1:-1]) / span
    east = (heights[:, 1:-1, 2:] - heights[:, 1:-1, :-2]) / span
    return np.stack([south, east], 1)


def spectra(heights: Array) -> Array:
    """log10 of the radially averaged power spectrum, less the patch's plane, Hann window; (N, S, S) to (N, K)."""
    side = heights.shape[1]
    ramp = np.linspace(-1, 1, side)
    plane = np.stack([np.ones((side, side)), np.broadcast_to(ramp, (side, side)), ramp[:, None].repeat(side, 1)])
    plane /= np.sqrt((plane**2).sum((1, 2), keepdims=True))  # the three are orthogonal
    window = np.hanning(side)[:, None] * np.hanning(side)
    frequency = np.fft.fftfreq(side, 1 / side)
    ring = np.hypot(frequency[:, None], frequency).round().astype(np.int64).ravel()
    size = np.bincount(ring)
    kept = np.arange(side // data.PIXELS_PER_CELL, side // 2)  # waves a patch: a control cell's length and shorter
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
    """a / b, where both may be zero."""
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

    Halves hold half the patches and different places, so a model compared on the same places may come out lower.
    A ratio of 1.2 says that halves of real land differ by a factor of 1.2, either way.
    """
    n = len(real.pits)
    found = []
    for _ in range(SPLITS):
        order = rng.permutation(n)
        values = compare(real.part(order[: n // 2]), real.part(order[n // 2 :]))
        found.append({k: max(v, 1 / v) if k in (PITS, FILL, RESIDUAL) else v for k, v in values.items()})
    return {k: float(np.mean([f[k] for f in found])) for k in found[0]}


def auc(real: Array, other: Array, seed: int, steps: int = CNN_STEPS) -> float:
    """How well a freshly trained small CNN tells two sets of patches (N, S, S) apart: 0.5 not at all, 1 always.

    A classifier two-sample test (Lopez-Paz and Oquab 2017). It sees the two gradients of 64 x 64 crops, so absolute
    height says nothing, trains on two thirds of the places and is tested on the others. Patch i of both sets keeps to
    one side: where it is one place, knowing the place by heart helps in neither direction.
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
    """`auc` of each of several pairs of sets of patches, `seeds` times each.

    One core a CNN: quicker than all cores for one after another, and the figures don't depend on how many there are.
    """
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(threads, "cnn", torch.set_num_threads, (1,)) as pool:
        jobs = {name: [pool.submit(auc, *pair, k, steps) for k in range(seeds)] for name, pair in rivals.items()}
        found = {name: [job.result() for job in row] for name, row in jobs.items()}
    torch.set_num_threads(threads)
    return found
