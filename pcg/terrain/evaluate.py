"""How real the generated land is: figures of a terrain model file beside the same figures of held-out real land.

Both sides have the same control maps, cut from real land the model never saw, so what differs is what the model put
in. Beside each figure stands its floor, real land against real land: how far it can be from perfect by chance alone.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

import noise
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from pcg.terrain import data
from pcg.terrain.drainage import drain, pits
from runtime.card import Quality
from runtime.engine import Engine
from runtime.registry import ModelFile

Array = NDArray[np.float32]

CELLS = 16  # a patch is 16 control cells, 256 pixels, 23 km a side
SIDE = CELLS * data.PIXELS_PER_CELL
FRAME = 4  # pixels that crops and generated land have beyond the patch on each side
SEA_FRACTION_MAX = 0.02  # the data has no sea floor, so a sea says nothing of land
VOID_FRACTION_MAX = 0.01  # filled voids; a region with a few of them everywhere would else have no patch at all
BATCH = 8  # patches generated at once
SPLITS = 10  # random halvings of the real patches that a floor is averaged over
QUANTILES = np.linspace(0.005, 0.995, 100)
FLOW_QUANTILES = np.linspace(0.5, 0.9995, 60)  # the lower half of any land is slopes that drain a pixel or two

FBM_OCTAVES, FBM_WAVELENGTH = 8, 256.0  # pixels of the longest wave; the shortest is then two pixels
CROP, CNN_BATCH, CNN_STEPS, JUDGED = 64, 32, 400, 400  # pixels; crops of each kind a step; steps; crops judged

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
        figures = compare(real.part(order[: n // 2]), real.part(order[n // 2 :]))
        found.append({k: max(v, 1 / v) if k in (PITS, FILL, RESIDUAL) else v for k, v in figures.items()})
    return {k: float(np.mean([f[k] for f in found])) for k in found[0]}


def auc(real: Array, other: Array, seed: int, steps: int = CNN_STEPS) -> float:
    """How well a freshly trained small CNN tells two sets of patches (N, S, S) apart: 0.5 not at all, 1 always.

    A classifier two-sample test (Lopez-Paz and Oquab 2017). It sees the two gradients of 64 x 64 crops, so absolute
    height says nothing, trains on two thirds of the places and is judged on the others. Patch i of both sets keeps to
    one side: where it is one place, knowing the place by heart helps in neither direction.
    """
    rng = np.random.default_rng(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    views = [torch.from_numpy(gradients(heights)).to(device) for heights in (real, other)]
    order = rng.permutation(len(real))
    taught, judged = order[: len(order) * 2 // 3], order[len(order) * 2 // 3 :]

    def crops(view: torch.Tensor, places: NDArray[np.int64], count: int) -> torch.Tensor:
        corners = rng.integers(0, view.shape[-1] - CROP + 1, (count, 2))
        chosen = zip(rng.choice(places, count), corners, strict=True)
        return torch.stack([view[i, :, y : y + CROP, x : x + CROP] for i, (y, x) in chosen])

    network = small_cnn(seed).to(device)
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=1e-2)
    target = torch.tensor([1.0, 0.0], device=device).repeat_interleave(CNN_BATCH)
    for _ in range(steps):
        logits = network(torch.cat([crops(view, taught, CNN_BATCH) for view in views]))[:, 0]
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(logits, target).backward()
        optimiser.step()
    with torch.no_grad():
        a, b = (network(crops(view, judged, JUDGED)).cpu().numpy() for view in views)
    return float((a > b.T).mean() + 0.5 * (a == b.T).mean())  # Mann-Whitney U over the number of pairs


def small_cnn(seed: int) -> nn.Sequential:
    """(N, 2, 64, 64) to logits (N, 1); 0.14 M parameters, their first values a function of the seed alone."""
    layers: list[nn.Module] = []
    for channels, width, kernel in ((2, 24, 5), (24, 48, 3), (48, 96, 3), (96, 96, 3)):
        layers += [nn.Conv2d(channels, width, kernel, 2, kernel // 2), nn.LeakyReLU(0.2)]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(96, 1)]
    random = torch.Generator().manual_seed(seed)  # the global generator is shared between threads
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            bound = layer.weight[0].numel() ** -0.5
            for parameter in layer.parameters():
                nn.init.uniform_(parameter, -bound, bound, random)
    return nn.Sequential(*layers)


def aucs(real: Array, others: dict[str, Array], seeds: int, steps: int) -> dict[str, list[float]]:
    """`auc` against each of several sets of patches, `seeds` times each.

    One core a CNN: quicker than all cores for one after another, and the figures don't depend on how many there are.
    """
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(threads, "cnn", torch.set_num_threads, (1,)) as pool:
        jobs = {name: [pool.submit(auc, real, land, k, steps) for k in range(seeds)] for name, land in others.items()}
        found = {name: [job.result() for job in row] for name, row in jobs.items()}
    torch.set_num_threads(threads)
    return found


def places(region: data.Region) -> NDArray[np.int64]:
    """Where a patch without sea and almost without filled voids can start: (K, 2) rows and columns."""
    rows, columns = region.bad.shape
    pad = data.MARGIN_CELLS * data.PIXELS_PER_CELL
    sea = region.heights[pad : pad + rows, pad : pad + columns] == 0

    def share(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        sums = np.pad(mask.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
        return (sums[SIDE:, SIDE:] - sums[:-SIDE, SIDE:] - sums[SIDE:, :-SIDE] + sums[:-SIDE, :-SIDE]) / SIDE**2

    return np.argwhere((share(sea) < SEA_FRACTION_MAX) & (share(region.bad) < VOID_FRACTION_MAX))


def draw_patches(regions: list[data.Region], count: int, rng: np.random.Generator) -> tuple[list[str], Array, Array]:
    """Real land, from each region equally much: the regions' names, control maps (N, 32, 32) and heights
    (N, 256, 256) in metres. Regions without a whole patch of land are left out.

    Raises:
        ValueError: there is no such region.
    """
    found = [(region, places(region)) for region in data.fitting(regions, CELLS)]
    found = [(region, corners) for region, corners in found if len(corners)]
    if not found:
        raise ValueError(f"{', '.join(r.name for r in regions)}: no patch of {SIDE} px without sea and filled voids")
    controls, heights = [], []
    for i in range(count):
        region, corners = found[i % len(found)]
        row, column = (int(k) for k in rng.choice(corners))
        control, framed = data.crop_at(region, row, column, CELLS)
        controls.append(control)
        heights.append(framed[FRAME:-FRAME, FRAME:-FRAME])
    return [region.name for region, _ in found], np.stack(controls), np.stack(heights)


def generate(model: ModelFile, controls: Array) -> Array:
    """The model's land of each control map (N, 32, 32), each with its own seed: (N, 256, 256), both metres."""
    engine = Engine()
    parts = []
    try:
        for first in range(0, len(controls), BATCH):
            seeds = np.arange(first, min(first + BATCH, len(controls)))
            zeros = np.zeros_like(seeds)
            control = controls[seeds].astype(np.float64)
            parts.append(engine.submit(engine.run, model, "detail", seeds, zeros, zeros, control).result())
    finally:
        engine.close()
    land = np.concatenate(parts)[:, FRAME:-FRAME, FRAME:-FRAME]
    return land.astype(np.float32)  # loses nothing: heights are whole 1/64 m below 2^18 m


def fbm(like: Array, rng: np.random.Generator) -> Array:
    """Plain fractal noise, each patch (S, S) with the highest and lowest point of its like, in metres."""
    span = np.arange(like.shape[1]) / FBM_WAVELENGTH
    patches = []
    for land in like:
        x, y = ((span + offset).tolist() for offset in rng.uniform(0, 100, 2))
        z = np.array([[noise.pnoise2(c, r, octaves=FBM_OCTAVES) for c in x] for r in y])
        patches.append(land.min() + (z - z.min()) / np.ptp(z) * np.ptp(land))
    return np.array(patches, np.float32)


def evaluate_terrain(
    model: ModelFile, data_folder: Path, patches: int = 48, seeds: int = 5, steps: int = CNN_STEPS
) -> list[Quality]:
    """Measure a terrain model on the validation regions of a data folder, and plain noise for comparison.

    `seeds`: how many CNNs are trained, for `steps` steps each. The same call gives the same figures on one machine.

    Raises:
        FileNotFoundError: the folder holds no validation region.
        ValueError: too few patches or seeds were asked for, or the regions hold too little land.
        RpcError: the model can't be loaded.
    """
    if patches < 4 or seeds < 1:
        raise ValueError(f"needs at least 4 patches and 1 seed, not {patches} and {seeds}")
    rng = np.random.default_rng(0)
    regions = data.load_regions(data_folder, validation=True)
    names, controls, real = draw_patches(regions, patches, rng)
    say(f"generating {patches} patches")
    land, plain = generate(model, controls), fbm(real, rng)
    say("measuring slopes, spectra and drainage")
    real_measured = measure(real)
    figures, plain_figures = compare(measure(land), real_measured), compare(measure(plain), real_measured)
    floor = floors(real_measured, rng)
    say(f"training {3 * seeds} small CNNs to tell land apart")
    told = aucs(real, {"generated": land, "real": real, "fBm": plain}, seeds, steps)

    against = f"real land of {', '.join(names)}; {patches} patches of {SIDE} px"
    floor[AUC] = float(np.mean(told["real"]))
    figures[AUC], plain_figures[AUC] = float(np.mean(told["generated"])), float(np.mean(told["fBm"]))
    rows = [Quality(metric, value, against, floor[metric]) for metric, value in figures.items()]
    spread, spread_floor = (float(np.std(told[k])) for k in ("generated", "real"))
    rows.append(Quality(f"{AUC}, deviation of {seeds} seeds", spread, against, spread_floor))
    return rows + [Quality(f"fBm: {k}", plain_figures[k], against, floor[k]) for k in (PITS, FILL, AUC)]


def say(text: str) -> None:
    """Progress goes to stderr."""
    print(f"{text} ...", file=sys.stderr, flush=True)
