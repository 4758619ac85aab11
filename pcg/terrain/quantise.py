"""Quantise the trained float generators to the exact world: the integers of every layer, and their steps."""

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pcg.exact import LEAK, WIDE_MAX, ExactConv, IntegerConv, IntegerUp, activation_steps, crop, key, steps_of
from pcg.terrain.control import STYLE_SUM, PlanField
from pcg.terrain.networks import MARGIN, CoarseGenerator, Generator, Pyramid, Stage, control_features
from pcg.terrain.world import ExactPyramid, ExactStage, TerrainWorld

INPUT_STEP = 1 / 128  # the step of latents, styles and control features in the float network
PLACES = 24  # activations are measured at so many places; half of them have one style
STREAM_FINE, STREAM_COARSE = 1000, 2000
T = TypeVar("T", IntegerConv, IntegerUp)


def quantise_pyramid(pyramid: Pyramid, x: Tensor, latents: list[Tensor | None], stream: int) -> ExactPyramid:
    """Quantise every layer of a pyramid; the activation step of each channel is measured on these inputs.

    Activations are integers in [-255, 255]. With 127, and one step for all channels, the rounding noise was as large as
    the detail of smooth land, and was what CNNs recognised generated land by.

    Args:
        pyramid: the float network.
        x: inputs (N, C, m + 12, ...).
        latents: as draw_latents gives them.
        stream: of the hashed latents.

    Raises:
        ValueError: a layer's sums could pass what float32 holds exactly.
    """

    def convert(kind: type[T], layer: nn.Module, x: Tensor, input_step: Tensor) -> tuple[T, Tensor, Tensor]:
        assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
        assert layer.bias is not None
        y = F.leaky_relu(layer(x), LEAK)
        step = activation_steps(y, WIDE_MAX)
        return kind(layer.weight, layer.bias, input_step, step, WIDE_MAX), y, step

    if latents[0] is not None:
        x = torch.cat([x, latents[0]], 1)
    first, x, step = convert(IntegerConv, pyramid.first, x, steps_of(x, INPUT_STEP))
    second, x, step = convert(IntegerConv, pyramid.second, x, step)
    stages = []
    for stage, latent in zip(pyramid.stages, latents[1:], strict=True):
        assert isinstance(stage, Stage)
        up, x, step = convert(IntegerUp, stage.up, x, step)
        input_step = step
        if latent is not None:
            x = torch.cat([x, latent], 1)
            input_step = torch.cat([step, steps_of(latent, INPUT_STEP)])
        stage_first, x, step = convert(IntegerConv, stage.first, x, input_step)
        stage_second, x, step = convert(IntegerConv, stage.second, x, step)
        x = crop(x, 1)
        assert stage.detail.bias is not None
        detail = ExactConv(stage.detail.weight, stage.detail.bias, step, 1.0, WIDE_MAX)
        stages.append(ExactStage(up, stage_first, stage_second, detail, stage.latents))
    return ExactPyramid(first, second, stages, pyramid.latents[0], stream)


def random_places(seed: Tensor) -> tuple[Tensor, Tensor]:
    """A random row and column for each seed, below 100,000."""
    row, column = (key(seed, stream) % 100_000 for stream in (31, 32))
    return row, column


def quantise(generator: Generator, coarse: CoarseGenerator, classic: Tensor, places: int = PLACES) -> TerrainWorld:
    """Quantise the trained float generators to the exact world.

    Args:
        generator, coarse: the float generators.
        classic: the height table of classic noise.
        places: activations are measured at so many.

    Raises:
        ValueError: a layer's sums could pass what float32 holds exactly.
    """
    random = torch.Generator().manual_seed(0)
    seed = torch.arange(places)
    row, column = random_places(seed)
    pixels = 2
    span = torch.arange(pixels + 2 * MARGIN)
    with torch.no_grad():
        varied = torch.zeros(places, 4, dtype=torch.int64)
        varied[::2] = torch.eye(4, dtype=torch.int64)[torch.arange(places // 2) % 4] * STYLE_SUM
        plan = PlanField()(seed, row.unsqueeze(1) + span, column.unsqueeze(1) + span, varied)
        latents = coarse.pyramid.draw_latents(places, pixels, random)
        control = coarse(plan.float() * INPUT_STEP, latents).double().clamp_min(0)
        exact_coarse = quantise_pyramid(coarse.pyramid, plan.float() * INPUT_STEP, latents, STREAM_COARSE)
        cells = control.shape[-1] - 16
        latents = generator.pyramid.draw_latents(places, cells, random)
        features, _, _ = control_features(control, generator.amplitude_levels, generator.height_levels)
        grain = torch.linspace(-127, 127, places).round().view(-1, 1, 1).expand_as(features[:, 0])
        features = torch.cat([features, grain.unsqueeze(1)], 1)
        fine = quantise_pyramid(generator.pyramid, features.float() * INPUT_STEP, latents, STREAM_FINE)
    return TerrainWorld(generator, exact_coarse, fine, classic).eval()
