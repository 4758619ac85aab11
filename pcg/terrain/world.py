"""The whole world as one scripted module: seed and place in, heights out, the same bits everywhere.

Made from a trained float generator by `quantise`: latent hashing, window cutting, control map and detail are all
inside, so a C++ program with LibTorch gets the same land from the same file.
"""

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pcg.exact import (
    ACTIVATION_MAX,
    LEAK,
    IntegerConv,
    IntegerSum,
    crop,
    key,
    latent_field,
    power_of_two_at_least,
    refine_means,
    refine_smooth,
    subtract_block_mean,
)
from pcg.terrain.control import STEPS_A_METRE, GradientNoise
from pcg.terrain.networks import Generator, Stage, control_features

ACTIVATION_QUANTILE = 0.9995  # what lies beyond is clamped
LATENT_STEP = 1 / 128  # what one integer of a latent or a control feature stands for in the float network


class ExactStage(nn.Module):
    """networks.Stage in integers."""

    latents: Final[int]

    def __init__(self, up: IntegerConv, first: IntegerConv, second: IntegerConv, detail: IntegerSum, latents: int):
        super().__init__()
        self.up, self.first, self.second, self.detail, self.latents = up, first, second, detail, latents

    def forward(self, x: Tensor, key: Tensor, row: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
        """x (N, C, m+8, m+8); row, column (N,): pixel of the up-convolution's first output, at this stage's scale."""
        x = self.up(x)
        if self.latents > 0:
            span = torch.arange(x.shape[2], device=x.device)
            z = latent_field(key, row.unsqueeze(1) + span, column.unsqueeze(1) + span, self.latents)
            x = torch.cat([x, z.to(x.dtype)], 1).contiguous(memory_format=torch.channels_last)
        x = crop(self.second(self.first(x)), 1)
        return x, self.detail(x)


class TerrainWorld(nn.Module):
    """forward(seed, x, y, size): heights of chunks of one endless world, in quarter metres above -4,096 m."""

    STEPS_A_METRE: Final[int] = STEPS_A_METRE
    STREAM_LATENTS: Final[int] = 1000
    latents: Final[int]
    precision: int
    amplitude_levels: Tensor
    height_levels: Tensor

    def __init__(
        self,
        noise: GradientNoise,
        generator: Generator,
        first: IntegerConv,
        second: IntegerConv,
        stages: list[ExactStage],
    ) -> None:
        super().__init__()
        self.noise = noise
        self.first, self.second = first, second
        self.stages = nn.ModuleList(stages)
        self.latents = generator.latents[0]
        self.precision = 32
        self.register_buffer("amplitude_levels", generator.amplitude_levels.clone())
        self.register_buffer("height_levels", generator.height_levels.clone())

    @torch.jit.export
    def use_precision(self, bits: int) -> None:
        """Convolve in bfloat16 (16), float32 (32) or float64 (64); the result is the same."""
        self.precision = bits

    @torch.jit.export
    def control_heights(self, noise: Tensor) -> Tensor:
        """Values of any fractal noise of standard deviation one as control heights, float64 metres."""
        return self.noise.heights((noise * 372000.0).round().to(torch.int64)).to(torch.float64) / self.STEPS_A_METRE

    @torch.jit.export
    def control(self, seed: Tensor, row: Tensor, column: Tensor, cells: int) -> Tensor:
        """The control map from cell (row, column): int64 (N,) each, to float64 (N, cells, cells) metres."""
        span = torch.arange(cells, device=seed.device)
        return (
            self.noise(seed, row.unsqueeze(1) + span, column.unsqueeze(1) + span).to(torch.float64) / self.STEPS_A_METRE
        )

    @torch.jit.export
    def detail(self, seed: Tensor, row: Tensor, column: Tensor, control: Tensor) -> Tensor:
        """Land of a control map: seed, row, column int64 (N,), the cell of the land's first pixel; control float64
        (N, n+16, n+16) metres, 8 cells more on every side; to float64 (N, 16n+8, 16n+8) metres, 4 pixels more.
        """
        sea = control.clamp(max=0.0)
        control = control.clamp(min=0.0)
        features, amplitude, _mean = control_features(control, self.amplitude_levels, self.height_levels)
        span = torch.arange(features.shape[2], device=seed.device)
        z = latent_field(
            key(seed, self.STREAM_LATENTS), row.unsqueeze(1) - 6 + span, column.unsqueeze(1) - 6 + span, self.latents
        )
        x = torch.cat([features.to(torch.float32), z], 1)
        if self.precision == 16:
            x = x.to(torch.bfloat16)
        elif self.precision == 64:
            x = x.to(torch.float64)
        x = self.second(self.first(x.contiguous(memory_format=torch.channels_last)))
        height = crop(control, 4) * self.STEPS_A_METRE
        amplitude = amplitude * self.STEPS_A_METRE
        scale = 0
        for stage in self.stages:
            scale += 1
            k = key(seed, self.STREAM_LATENTS + 100 * scale)
            x, detail = stage(x, k, (row << scale) - 7, (column << scale) - 7)
            amplitude = crop(refine_smooth(amplitude), 2)
            # Rounded to 1/64 m at every scale, so that no sum outgrows float64 and each scale is a land of its own.
            height = (refine_means(height) + subtract_block_mean(amplitude * detail)).round()
        if bool((sea < 0).any()):
            sea = crop(sea, 4)
            for _stage in range(scale):
                sea = crop(refine_smooth(sea), 2)
            height = height + sea * self.STEPS_A_METRE
        return height / self.STEPS_A_METRE

    @torch.jit.export
    def window(self, seed: Tensor, x: Tensor, y: Tensor, size: int, control: Tensor) -> Tensor:
        """As forward, from a control map whose first cell is (floor(y / 16) - 8, floor(x / 16) - 8)."""
        height = self.detail(seed, y >> 4, x >> 4, control)
        steps = ((height + 4096.0) * 4.0).round().clamp(0.0, 65535.0).to(torch.int32)
        parts: list[Tensor] = []
        for i in range(seed.shape[0]):
            top, left = int(y[i] & 15) + 4, int(x[i] & 15) + 4
            parts.append(steps[i, top : top + size, left : left + size])
        return torch.stack(parts)

    @torch.jit.export
    def cells(self, x: Tensor, y: Tensor, size: int) -> int:
        """How many control cells a side the chunks need, the margin of 8 on every side included."""
        return (int(torch.max(x & 15, y & 15).max()) + size + 15) // 16 + 16

    def forward(self, seed: Tensor, x: Tensor, y: Tensor, size: int) -> Tensor:
        """seed, x, y: int64 (N,), x and y the world pixel of the top-left corner; int32 (N, size, size), 0 to 65,535.

        Metres are value / 4 - 4,096.
        """
        control = self.control(seed, (y >> 4) - 8, (x >> 4) - 8, self.cells(x, y, size))
        return self.window(seed, x, y, size, control)


def activation_step(activations: Tensor) -> float:
    """The power of two that an integer stands for, so that all but the outermost activations fit in 127 of them."""
    values = activations.detach().float().abs().flatten()
    peak = float(values.kthvalue(max(1, math.ceil(ACTIVATION_QUANTILE * values.numel()))).values)
    return power_of_two_at_least(max(peak, 1e-6) / ACTIVATION_MAX)


def quantise(generator: Generator, noise: GradientNoise, places: int = 24) -> TerrainWorld:
    """Turn a trained float generator into the exact world.

    Each layer's activation step comes from its own outputs in the float network, over places of the endless control
    map. Raises ValueError when a layer's sums could pass what float32 holds exactly.
    """
    generator = generator.eval()
    cells = 8
    seed = torch.arange(places)
    row, column = (key(seed, stream) % 100_000 for stream in (31, 32))
    span = torch.arange(cells + 16)
    control = noise(seed, row.unsqueeze(1) + span, column.unsqueeze(1) + span).double().clamp_min(0) / STEPS_A_METRE
    random = torch.Generator().manual_seed(0)
    latents = generator.draw_latents(places, cells, random)

    def steps(count: int, step: float) -> Tensor:
        return torch.full((count,), step)

    def convert(layer: nn.Module, x: Tensor, input_step: Tensor) -> tuple[IntegerConv, Tensor, float]:
        assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
        assert layer.bias is not None
        y = F.leaky_relu(layer(x), LEAK)
        step = activation_step(y)
        return IntegerConv(layer.weight, layer.bias, input_step, step, isinstance(layer, nn.ConvTranspose2d)), y, step

    with torch.no_grad():
        features, _, _ = control_features(control, generator.amplitude_levels, generator.height_levels)
        x = features.float() * LATENT_STEP
        if latents[0] is not None:
            x = torch.cat([x, latents[0]], 1)
        first, x, step = convert(generator.first, x, steps(x.shape[1], LATENT_STEP))
        second, x, step = convert(generator.second, x, steps(x.shape[1], step))
        stages = []
        for stage, latent in zip(generator.stages, latents[1:], strict=True):
            assert isinstance(stage, Stage)
            up, x, step = convert(stage.up, x, steps(x.shape[1], step))
            input_step = steps(x.shape[1], step)
            if latent is not None:
                x = torch.cat([x, latent], 1)
                input_step = torch.cat([input_step, steps(latent.shape[1], LATENT_STEP)])
            stage_first, x, step = convert(stage.first, x, input_step)
            stage_second, x, step = convert(stage.second, x, steps(x.shape[1], step))
            x = crop(x, 1)
            assert stage.detail.bias is not None
            detail = IntegerSum(stage.detail.weight, stage.detail.bias, step)
            stages.append(ExactStage(up, stage_first, stage_second, detail, stage.latents))
    return TerrainWorld(noise, generator, first, second, stages).eval()
