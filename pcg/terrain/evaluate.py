"""How real the generated land is: figures of a terrain model file beside the same figures of real land.

Three times. On the validation regions both sides have the same control maps, cut from real land the model never saw, so
what differs is what the detail level put in: first with a grain that changes from place to place, as in a world, then
told each real patch's grain, which is as much given as its control map. Then whole worlds, as the model lays them out
itself, against real land of like relief from everywhere. Beside each figure stands its floor, real land against real
land: how far it can be from perfect by chance alone.
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
FRAME = 4  # pixels that crops and generated land have beyond the patch on each side
SEA_FRACTION_MAX = 0.02  # the data has no sea floor, so a sea says nothing of land
RELIEF_MIN_M = 300.0  # of a patch; flatter land is mostly the instrument's noise
VOID_FRACTION_MAX = 0.01  # filled voids; a region with a few of them everywhere would else have no patch at all
BATCH = 8  # patches generated at once
TRIES_A_PATCH = 200  # before a region, or a world, is called too flat or too wet

FBM_OCTAVES, FBM_WAVELENGTH = 8, 256.0  # pixels of the longest wave; the shortest is then two pixels


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
    (N, 256, 256) in metres. Patches may overlap. Regions without a whole patch of hilly land are left out.

    Raises:
        ValueError: there is no such region.
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
    """The model's land of each control map (N, 32, 32), each with its own seed: (N, 256, 256), both metres.

    `grains`: (N,) in 1/128, or as the model draws them.
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


def worlds(model: ModelFile, count: int) -> Array:
    """Patches (N, 256, 256) in metres of the model's own worlds, a seed each, dry and hilly as the real ones are.

    Raises:
        ValueError: hardly any place is.
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
    """For each patch wanted the one offered, not taken yet, whose relief is nearest."""
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
    """Measure a terrain model against a data folder's real land, and plain noise for comparison.

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
    """All figures of generated patches against real ones, `paired` if of the same places, and a few of plain noise."""
    say("measuring slopes, spectra and drainage")
    real_measured = measure(real)
    values, floor = compare(measure(land), real_measured), floors(real_measured, rng)
    say("training small CNNs to tell land apart")
    # Real against real: with the same places on both sides where the generated land has them too, else other places.
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
    """Progress goes to stderr."""
    print(f"{text} ...", file=sys.stderr, flush=True)
