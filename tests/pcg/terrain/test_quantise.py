"""Quantisation: the exact layers are close to the float layers."""

import pytest
import torch

from pcg.exact import activation_step, crop, key, latent_field
from pcg.terrain.control import STYLE_SUM, PlanField, classic_table, grain_field
from pcg.terrain.data import MARGIN_CELLS
from pcg.terrain.networks import MARGIN, CoarseGenerator, Generator, Pyramid
from pcg.terrain.quantise import INPUT_STEP, STREAM_COARSE, STREAM_FINE, quantise
from pcg.terrain.world import TerrainWorld

WIDTHS = (24, 16, 12, 12, 8)
CLASSIC = classic_table(torch.linspace(0, 900, 20).double())


@pytest.fixture(scope="module")
def generators() -> tuple[Generator, CoarseGenerator]:
    torch.manual_seed(1)
    return Generator(WIDTHS, (6, 3, 2, 2, 0)), CoarseGenerator(WIDTHS, (5, 3, 2, 2, 1))


@pytest.fixture(scope="module")
def world(generators: tuple[Generator, CoarseGenerator]) -> TerrainWorld:
    return quantise(*generators, CLASSIC, places=2)


def hashed(pyramid: Pyramid, stream: int, seed: int, row: int, column: int, pixels: int) -> list[torch.Tensor | None]:
    """The hashed latents of the world, as inputs of the float network."""
    latents: list[torch.Tensor | None] = []
    for scale, channels in enumerate(pyramid.latents):
        margin = MARGIN if scale == 0 else 7
        span = torch.arange(2**scale * pixels + 2 * margin) - margin
        rows, columns = (row << scale) + span, (column << scale) + span
        k = key(torch.tensor([seed]), stream + 100 * scale)
        latents.append(latent_field(k, rows[None], columns[None], channels) * INPUT_STEP if channels else None)
    return latents


def test_a_step_holds_all_but_the_outermost_activations() -> None:
    assert activation_step(torch.linspace(-1, 1, 10_001)) == 1 / 64  # 127/128 would clamp what is not outermost
    assert activation_step(torch.linspace(0, 0.99, 10_001)) == 1 / 128
    outlier = torch.ones(10_000)
    outlier[0] = 1e6
    assert activation_step(outlier) == 1 / 64
    assert activation_step(torch.zeros(10)) > 0


def test_the_exact_detail_is_that_of_the_float_network(
    generators: tuple[Generator, CoarseGenerator], world: TerrainWorld
) -> None:
    generator, _ = generators
    cells = 4
    random = torch.Generator().manual_seed(2)
    side = cells + 2 * MARGIN_CELLS
    control = (torch.rand(1, side, side, dtype=torch.float64, generator=random) * 800 * 64).round() / 64 + 100
    latents = hashed(generator.pyramid, STREAM_FINE, 5, -7, 30, cells)
    with torch.inference_mode():
        span = torch.arange(side) - MARGIN_CELLS
        grain = grain_field(torch.tensor([5]), -7 + span[None], 30 + span[None]) * INPUT_STEP
        real = generator(torch.stack([control.float(), grain], 1), latents)
        land = world.detail(torch.tensor([5]), torch.tensor([-7]), torch.tensor([30]), control, 0)
    assert land.shape == real.shape
    means = control[:, MARGIN_CELLS:-MARGIN_CELLS, MARGIN_CELLS:-MARGIN_CELLS].repeat_interleave(16, 1)
    relief = crop(real, 4).double() - means.repeat_interleave(16, 2)
    error = (land - real).std() / relief.std()
    assert error < 0.1
    assert torch.corrcoef(torch.stack([land.flatten(), real.flatten().double()]))[0, 1] > 0.999


def test_the_exact_control_map_is_that_of_the_float_network(
    generators: tuple[Generator, CoarseGenerator], world: TerrainWorld
) -> None:
    _, coarse = generators
    style = torch.tensor([[STYLE_SUM, 0, 0, 0]])
    latents = hashed(coarse.pyramid, STREAM_COARSE, 5, -2, 9, 3)
    span = torch.arange(3 + 2 * MARGIN)[None] - MARGIN
    seen = PlanField()(torch.tensor([5]), span - 2, span + 9, style).float() * INPUT_STEP
    with torch.inference_mode():
        real = coarse.signed_roots(seen, latents)[0]
        control = world.control(torch.tensor([5]), torch.tensor([-32]), torch.tensor([144]), 48, style)[0]
    drawn = control.sign() * control.abs().sqrt() / 40
    real = crop(real, (real.shape[-1] - 48) // 2).double()
    # An untrained network's largest activations are far from its usual ones, so eight bits hold them less well.
    assert (drawn - real).std() < 0.15 * real.std()
    assert torch.corrcoef(torch.stack([drawn.flatten(), real.flatten()]))[0, 1] > 0.98


@pytest.mark.slow
def test_layers_too_wide_to_be_exact_are_refused(generators: tuple[Generator, CoarseGenerator]) -> None:
    _, coarse = generators
    wide = Generator((1200, 8, 8, 8, 8), (2, 2, 2, 2, 0))
    for p in wide.parameters():
        p.data = torch.ones_like(p)  # every weight as large as the largest
    with pytest.raises(ValueError, match="16777216"):
        quantise(wide, coarse, CLASSIC, places=2)
