"""The exported module of a whole world: seed and place to heights, the same bits on every machine.

`quantise` makes it from the two trained float generators. It includes the hashing of latents, the cutting of windows,
the coarse level and the detail level, so a C++ program with LibTorch gets the same land from the same file.
"""

from typing import Final

import torch
from torch import Tensor, nn

from pcg.exact import (
    ExactConv,
    IntegerConv,
    IntegerUp,
    crop,
    key,
    latent_field,
    refine_means,
    refine_smooth,
    subtract_block_mean,
)
from pcg.terrain.control import PlanField, classic_heights, grain_field
from pcg.terrain.networks import COARSE_UNIT, MARGIN, Generator, control_features

STEPS_A_METRE = 64  # heights are whole multiples of 1/64 m
SCALES = 4  # doublings, from the control map's 1,440 m to 90 m


class ExactStage(nn.Module):
    """networks.Stage in integers."""

    latents: Final[int]

    def __init__(self, up: IntegerUp, first: IntegerConv, second: IntegerConv, detail: ExactConv, latents: int):
        super().__init__()
        self.up, self.first, self.second, self.detail, self.latents = up, first, second, detail, latents

    def forward(self, x: Tensor, key: Tensor, row: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
        """One stage; row, column (N,): pixel of the up-convolution's first output, at this stage's scale.

        x (N, C, m+8, m+8) to features (N, C', 2m+8, 2m+8) and detail (N, 2m+8, 2m+8).
        """
        side = 2 * x.shape[2] - 2
        z = torch.empty([x.shape[0], 0, side, side], device=x.device)
        if self.latents > 0:
            span = torch.arange(side, device=x.device)
            z = latent_field(key, row.unsqueeze(1) + span, column.unsqueeze(1) + span, self.latents)
        x = crop(self.second(self.first(self.up(x, z))), 1)
        return x, self.detail(x)[:, 0]


class ExactPyramid(nn.Module):
    """networks.Pyramid in integers, with hashed latent fields."""

    MARGIN: Final[int] = MARGIN
    latents: Final[int]
    stream: Final[int]

    def __init__(
        self, first: IntegerConv, second: IntegerConv, stages: list[ExactStage], latents: int, stream: int
    ) -> None:
        super().__init__()
        self.first, self.second = first, second
        self.stages = nn.ModuleList(stages)
        self.latents, self.stream = latents, stream

    def forward(
        self, x: Tensor, seed: Tensor, row: Tensor, column: Tensor, precision: int, scales: int
    ) -> list[Tensor]:
        """The detail planes of the first `scales` stages, coarsest first: bfloat16 (N, 2^s m + 8, ...).

        Args:
            x: integers as float32 (N, C, m + 12, ...).
            seed: int64 (N,).
            row, column: int64 (N,), the first output pixel at the coarsest scale.
            precision: 16, 32 or 64 bits, see TerrainWorld.use_precision.
            scales: how many stages.
        """
        span = torch.arange(x.shape[2], device=x.device) - self.MARGIN
        z = latent_field(key(seed, self.stream), row.unsqueeze(1) + span, column.unsqueeze(1) + span, self.latents)
        x = torch.cat([x, z], 1)
        if precision == 16:
            x = x.to(torch.bfloat16)
        elif precision == 64:
            x = x.to(torch.float64)
        x = self.second(self.first(x.contiguous(memory_format=torch.channels_last)))
        added: list[Tensor] = []
        for scale, stage in enumerate(self.stages, 1):
            if scale <= scales:
                x, plane = stage(x, key(seed, self.stream + 100 * scale), (row << scale) - 7, (column << scale) - 7)
                added.append(plane)
        return added


class TerrainWorld(nn.Module):
    """forward(seed, x, y, size, lod, style): heights of chunks of one endless world, in 1/64 m."""

    STEPS_A_METRE: Final[int] = STEPS_A_METRE
    SCALES: Final[int] = SCALES
    COARSE_UNIT: Final[float] = COARSE_UNIT
    precision: int
    amplitude_levels: Tensor
    height_levels: Tensor
    classic: Tensor

    def __init__(self, generator: Generator, coarse: ExactPyramid, fine: ExactPyramid, classic: Tensor) -> None:
        super().__init__()
        self.plan = PlanField()
        self.coarse, self.fine = coarse, fine
        self.precision = 32
        self.register_buffer("amplitude_levels", generator.amplitude_levels.clone())
        self.register_buffer("height_levels", generator.height_levels.clone())
        self.register_buffer("classic", classic)

    @torch.jit.export
    def use_precision(self, bits: int) -> None:
        """Convolve in bfloat16 (16), float32 (32) or float64 (64) from now on; the results are the same."""
        self.precision = bits

    @torch.jit.export
    def control_heights(self, noise: Tensor) -> Tensor:
        """Map fractal noise of standard deviation 1 to control heights, float64 metres."""
        return classic_heights(noise, self.classic)

    @torch.jit.export
    def control(self, seed: Tensor, row: Tensor, column: Tensor, cells: int, style: Tensor) -> Tensor:
        """The control map, float64 (N, cells, cells) metres; a negative height is the depth of the sea.

        Args:
            seed: int64 (N,).
            row, column: int64 (N,), the first cell.
            cells: the side of the map.
            style: int64 (N, 4), the weight of each style; all zero for styles that vary by place.
        """
        base_row, base_column = row >> 4, column >> 4
        reach = int(torch.max(row & 15, column & 15).max()) + cells
        count = max(1, (reach + 15) >> 4)
        margin = self.coarse.MARGIN
        span = torch.arange(count + 2 * margin, device=seed.device) - margin
        plan = self.plan(seed, base_row.unsqueeze(1) + span, base_column.unsqueeze(1) + span, style)
        added = self.coarse(plan.to(torch.float32), seed, base_row, base_column, self.precision, self.SCALES)
        u = added[0].to(torch.float64)
        for scale in range(1, len(added)):
            u = crop(refine_smooth(u), 2) + added[scale].to(torch.float64)
        parts: list[Tensor] = []
        for i in range(seed.shape[0]):
            top, left = int(row[i] & 15) + 4, int(column[i] & 15) + 4
            parts.append(u[i, top : top + cells, left : left + cells])
        u = torch.stack(parts) * self.COARSE_UNIT
        return (u * u.abs() * self.STEPS_A_METRE).round() / self.STEPS_A_METRE

    @torch.jit.export
    def detail(
        self, seed: Tensor, row: Tensor, column: Tensor, control: Tensor, lod: int, grain: Tensor | None = None
    ) -> Tensor:
        """Land of a control map: float64 (N, p+8, p+8) metres, with p = n * 2^(4-lod) and 4 more pixels on every side.

        Args:
            seed: int64 (N,).
            row, column: int64 (N,), the cell of the land's first pixel.
            control: float64 (N, n+16, n+16) metres, with 8 more cells on every side.
            lod: the level of detail.
            grain: int64 (N,) in [-127, 127]; None for a grain that varies by place.
        """
        return self.ground(seed, row, column, control, lod, grain) / self.STEPS_A_METRE

    def ground(
        self, seed: Tensor, row: Tensor, column: Tensor, control: Tensor, lod: int, grain: Tensor | None
    ) -> Tensor:
        """As detail, but in whole 1/64 m."""
        scales = self.SCALES - lod
        control = (control * self.STEPS_A_METRE).round() / self.STEPS_A_METRE
        sea = crop(control, 4).clamp(max=0.0)
        control = control.clamp(min=0.0)
        height = crop(control, 4) * self.STEPS_A_METRE
        if scales > 0:
            features, amplitude, _mean = control_features(control, self.amplitude_levels, self.height_levels)
            span = torch.arange(features.shape[2], device=seed.device) - self.fine.MARGIN
            if grain is None:
                grains = grain_field(seed, row.unsqueeze(1) + span, column.unsqueeze(1) + span)
            else:
                grains = grain.to(torch.float32).view(-1, 1, 1).expand_as(features[:, 0])
            seen = torch.cat([features.to(torch.float32), grains.unsqueeze(1)], 1)
            details = self.fine(seen, seed, row, column, self.precision, scales)
            amplitude = crop(amplitude, 2) * self.STEPS_A_METRE
            for detail in details:
                amplitude = crop(refine_smooth(amplitude), 2)
                # Rounded to 1/64 m at every scale, so that sums stay exact and every scale is a level of detail.
                height = (refine_means(height) + subtract_block_mean(amplitude * detail.to(torch.float64))).round()
        if bool((sea < 0).any()):
            near = sea
            for _scale in range(scales):
                sea, near = refine_means(sea), crop(refine_smooth(near), 2)
            # Near the sea, pixels at sea level are sea and higher ones are land. The threshold rises with the depth of
            # the sea; otherwise ripples of a level floor would become islets in mid-ocean.
            sunk = height + (torch.minimum(sea, near) * self.STEPS_A_METRE).clamp(max=-float(self.STEPS_A_METRE))
            drowned = (near < 0) & (height < (0.5 - 0.5 * near) * self.STEPS_A_METRE)
            height = torch.where(drowned, sunk.round(), height)
        return height

    @torch.jit.export
    def window(
        self,
        seed: Tensor,
        x: Tensor,
        y: Tensor,
        size: int,
        lod: int,
        control: Tensor,
        grain: Tensor | None = None,
    ) -> Tensor:
        """As forward, but from a control map: int32 (N, size, size) heights in 1/64 m.

        Args:
            seed, x, y, size, lod: as for forward.
            control: (N, cells, cells) metres; its first cell is 8 cells before that of the chunk's first pixel.
            grain: as for detail.
        """
        steps = self.ground(seed, y >> 4, x >> 4, control.to(torch.float64), lod, grain).to(torch.int32)
        parts: list[Tensor] = []
        for i in range(seed.shape[0]):
            top, left = (int(y[i] & 15) >> lod) + 4, (int(x[i] & 15) >> lod) + 4
            parts.append(steps[i, top : top + size, left : left + size])
        return torch.stack(parts)

    @torch.jit.export
    def cells(self, x: Tensor, y: Tensor, size: int, lod: int) -> int:
        """The side of the control map that the chunks need, in cells, with the margin of 8 on every side."""
        first = int(torch.max(x & 15, y & 15).max()) >> lod
        return (((first + size) << lod) + 15) // 16 + 16

    def forward(self, seed: Tensor, x: Tensor, y: Tensor, size: int, lod: int, style: Tensor) -> Tensor:
        """Chunks of the world: int32 (N, size, size) heights in 1/64 m.

        Args:
            seed: int64 (N,).
            x, y: int64 (N,), a world pixel of 90 m. The chunk's first pixel, of 90 * 2^lod m, contains it.
            size: the side of a chunk in its pixels.
            lod: the level of detail.
            style: int64 (N, 4), as for control.
        """
        control = self.control(seed, (y >> 4) - 8, (x >> 4) - 8, self.cells(x, y, size, lod), style)
        return self.window(seed, x, y, size, lod, control, None)
