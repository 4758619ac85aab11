"""Evaluate a terrain model file: metrics of generated land beside the same metrics of real land.

There are three comparisons. On the validation regions, generated and real land have the same control maps, so only the
detail level is measured: first with the grain of a world, which varies by place, then with each real patch's grain. The
third compares whole worlds with real land of similar relief from all regions. Each metric has a floor, which is real
land against real land: the distance from perfect that is due to chance.
"""

from __future__ import annotations

import sys
from itertools import zip_longest
from pathlib import Path

import noise
import numpy as np
import torch
from numpy.typing import NDArray

from pcg.terrain import data, grain
from pcg.terrain.metrics import AUC, CNN_STEPS, FILL, PITS, Array, aucs, compare, floors, measure
from pcg.terrain.world import STEPS_A_METRE
from runtime.card import Quality
from runtime.engine import Engine
from runtime.registry import ModelFile

CELLS = 16  # a patch is 16 control cells, 256 pixels, 23 km a side
SIDE = CELLS * data.PIXELS_PER_CELL
FRAME = 4  # crops and generated land have so many more pixels on each side of the patch
SEA_FRACTION_MAX = 0.02  # the data has no sea floor, so sea can't be compared
RELIEF_MIN_M = 300.0  # of a patch; the heights of flatter land are mostly noise of the instrument
VOID_FRACTION_MAX = 0.01  # share of filled voids in a patch; some regions have a few voids everywhere
BATCH = 8  # patches generated at once
TRIES_A_PATCH = 200  # after so many tries a region, or a world, counts as too flat or too wet

FBM_OCTAVES, FBM_WAVELENGTH = 8, 256.0  # pixels of the longest wave; the shortest is then two pixels


def places(region: data.Region) -> NDArray[np.int64]:
    """Top-left corners (K, 2), row and column, of patches without sea and almost without filled voids."""
    rows, columns = region.bad.shape
    pad = data.MARGIN_CELLS * data.PIXELS_PER_CELL
    sea = region.heights[pad : pad + rows, pad : pad + columns] == 0

    def share(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        sums = np.pad(mask.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
        return (sums[SIDE:, SIDE:] - sums[:-SIDE, SIDE:] - sums[SIDE:, :-SIDE] + sums[:-SIDE, :-SIDE]) / SIDE**2

    return np.argwhere((share(sea) < SEA_FRACTION_MAX) & (share(region.bad) < VOID_FRACTION_MAX))


def draw_patches(regions: list[data.Region], count: int, rng: np.random.Generator) -> tuple[list[str], Array, Array]:
    """Draw patches of real land, equally many from each region. Patches may overlap.

    Returns:
        The regions' names, control maps (N, 32, 32) and heights (N, 256, 256), both in metres. Regions without a patch
        of hilly land are left out.

    Raises:
        ValueError: no region has such a patch.
    """
    found: dict[str, list[tuple[Array, Array]]] = {}
    fit = [(region, corners) for region in data.fitting(regions, CELLS) if len(corners := places(region))]
    for region, corners in fit:
        for _ in range(TRIES_A_PATCH * -(-count // len(fit))):
            row, column = (int(k) for k in rng.choice(corners))
            control, framed = data.crop_at(region, row, column, CELLS)
            heights = framed[FRAME:-FRAME, FRAME:-FRAME]
            if np.ptp(heights) >= RELIEF_MIN_M:
                found.setdefault(region.name, []).append((control, heights))
            if len(found.get(region.name, ())) == -(-count // len(fit)):
                break
    if not found:
        raise ValueError(
            f"{', '.join(r.name for r in regions)}: no patch of {SIDE} px with a relief of {RELIEF_MIN_M:g} m and "
            "without sea and filled voids"
        )
    patches = [patch for turn in zip_longest(*found.values()) for patch in turn if patch is not None][:count]
    return list(found), np.stack([c for c, _ in patches]), np.stack([h for _, h in patches])


def generate(model: ModelFile, controls: Array, grains: NDArray[np.int64] | None = None) -> Array:
    """Generate land for control maps (N, 32, 32), each with its own seed: (N, 256, 256), both in metres.

    `grains`: int64 (N,) in 1/128; None for the model's own grain, which varies by place.
    """
    engine = Engine()
    parts = []
    try:
        for first in range(0, len(controls), BATCH):
            seeds = np.arange(first, min(first + BATCH, len(controls)))
            zeros = np.zeros_like(seeds)
            control = controls[seeds].astype(np.float64)
            told = () if grains is None else (grains[seeds],)
            arguments = (seeds, zeros, zeros, control, 0, *told)
            parts.append(engine.submit(engine.run, model, "detail", *arguments).result())
    finally:
        engine.close()
    land = np.concatenate(parts)[:, FRAME:-FRAME, FRAME:-FRAME]
    return land.astype(np.float32)  # exact: heights are whole 1/64 m below 2^18 m


def fbm(like: Array, rng: np.random.Generator) -> Array:
    """Patches of plain fractal noise, with the lowest and highest height of those of `like` (N, S, S), in metres."""
    span = np.arange(like.shape[1]) / FBM_WAVELENGTH
    patches = []
    for land in like:
        x, y = ((span + offset).tolist() for offset in rng.uniform(0, 100, 2))
        z = np.array([[noise.pnoise2(c, r, octaves=FBM_OCTAVES) for c in x] for r in y])
        patches.append(land.min() + (z - z.min()) / np.ptp(z) * np.ptp(land))
    return np.array(patches, np.float32)


def worlds(model: ModelFile, count: int) -> Array:
    """Patches (N, 256, 256) in metres of the model's worlds, one a seed, as dry and hilly as the real patches.

    Raises:
        ValueError: almost no place is dry and hilly.
    """
    engine = Engine()
    found: list[Array] = []
    style = np.zeros((BATCH, len(model.card.parameters["style"].choices or [()]) - 1), np.int64)
    try:
        for first in range(0, TRIES_A_PATCH * count, BATCH):
            seeds = np.arange(first, first + BATCH)
            x = seeds * 100_003 % 1_000_000
            land = engine.submit(engine.run, model, "forward", seeds, x, -x, SIDE, 0, style).result() / STEPS_A_METRE
            dry = (land <= 0).mean((1, 2)) < SEA_FRACTION_MAX
            found += list(land[dry & (np.ptp(land, axis=(1, 2)) >= RELIEF_MIN_M)].astype(np.float32))
            if len(found) >= count:
                return np.stack(found[:count])
    finally:
        engine.close()
    raise ValueError(
        f"only {len(found)} of {TRIES_A_PATCH * count} places are dry land with {RELIEF_MIN_M:g} m of relief"
    )


def of_like_relief(wanted: Array, offered: Array) -> Array:
    """For each patch of `wanted` the one of `offered` with the nearest relief; each is used once."""
    relief = np.ptp(offered, axis=(1, 2))
    left = np.ones(len(offered), bool)
    chosen = []
    for patch in wanted:
        off = np.abs(np.log(relief / np.ptp(patch)))
        best = int(np.where(left, off, np.inf).argmin())
        left[best] = False
        chosen.append(best)
    return offered[chosen]


def evaluate_terrain(
    model: ModelFile, data_folder: Path, patches: int = 48, seeds: int = 5, steps: int = CNN_STEPS
) -> list[Quality]:
    """Measure a terrain model, and plain noise for comparison, against the real land of a data folder.

    The same call gives the same numbers on one machine.

    Args:
        model: the model file.
        data_folder: has the elevation files.
        patches: the number of patches to compare.
        seeds: the number of CNNs to train.
        steps: of the training of each CNN.

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
    against = f"real land of {', '.join(names)}; {patches} patches of {SIDE} px"
    rows = against_real(generate(model, controls), real, against, seeds, steps, rng, paired=True, plain=fbm(real, rng))

    try:
        training = data.load_regions(data_folder)
    except FileNotFoundError:
        say("no training regions in the folder: grain has no scale, and whole worlds are compared with these alone")
    else:
        scale = grain.fit_regions(data.fitting(training, grain.CROP_CELLS))
        grains = scale.grain(torch.from_numpy(real), torch.from_numpy(controls))
        say(f"generating {patches} patches, told their grain")
        land = generate(model, controls, (grains * 128).long().numpy())
        told = against_real(land, real, f"{against}, grain told", seeds, steps, rng, paired=True)
        floor = {row.metric: row.floor for row in rows}  # of the same patches
        rows += [Quality(f"grain told: {row.metric}", row.value, row.against, floor[row.metric]) for row in told]
        regions = training + regions

    say(f"generating {patches} patches of whole worlds")
    _, _, offered = draw_patches(regions, 4 * patches, rng)
    land = worlds(model, patches)
    real = of_like_relief(land, offered)
    against = f"real land of like relief, all regions; {patches} patches of {SIDE} px"
    return rows + [
        Quality(f"worlds: {row.metric}", row.value, row.against, row.floor)
        for row in against_real(land, real, against, seeds, steps, rng, paired=False)
    ]


def against_real(
    land: Array,
    real: Array,
    against: str,
    seeds: int,
    steps: int,
    rng: np.random.Generator,
    *,
    paired: bool,
    plain: Array | None = None,
) -> list[Quality]:
    """All metrics of generated patches against real ones.

    Args:
        land, real: patches (N, S, S) in metres.
        against: what they are compared with, for the card.
        seeds, steps: of the CNNs.
        rng: for the floors.
        paired: whether patch i of both is of the same place.
        plain: patches of plain noise, for a few more metrics.
    """
    say("measuring slopes, spectra and drainage")
    real_measured = measure(real)
    values, floor = compare(measure(land), real_measured), floors(real_measured, rng)
    say("training small CNNs to tell land apart")
    # Floor: real against real, with the same places on both sides if the generated land has the same places too.
    half = len(real) // 2
    rivals = {
        "generated": (real, land),
        "real": (real, real) if paired else (real[:half], real[half : 2 * half]),
    }
    if plain is not None:
        rivals["fBm"] = (real, plain)
    told = aucs(rivals, seeds, steps)
    floor[AUC], values[AUC] = (float(np.mean(told[k])) for k in ("real", "generated"))
    rows = [Quality(metric, value, against, floor[metric]) for metric, value in values.items()]
    spread, spread_floor = (float(np.std(told[k])) for k in ("generated", "real"))
    rows.append(Quality(f"{AUC}, deviation of {seeds} seeds", spread, against, spread_floor))
    if plain is not None:
        plain_values = compare(measure(plain), real_measured) | {AUC: float(np.mean(told["fBm"]))}
        rows += [Quality(f"fBm: {k}", plain_values[k], against, floor[k]) for k in (PITS, FILL, AUC)]
    return rows


def say(text: str) -> None:
    """Print progress to stderr."""
    print(f"{text} ...", file=sys.stderr, flush=True)
