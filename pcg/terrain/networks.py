"""The terrain networks in float, as they are trained: padding-free generators and their discriminators.

Scales: the control map has one cell for 1,440 m. Each of four stages doubles the resolution, down to 90 m a pixel, and
adds its detail to the land of the previous stage:

    height[s+1] = refine_means(height[s]) + amplitude * detail, less its mean over each 2x2 block

so the mean of every 16x16 block of pixels *is* the control map, and the land of each scale is the block mean of the
next: levels of detail need no extra work and agree with each other. `amplitude` is computed from the control map's
relief around each cell. It keeps plains flat and mountains rough, so that 8-bit activations suffice for both.

Windows: for n cells, the control map has n + 16 (8 more on each side), and the land has 4 more pixels on each side. No
layer pads.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pcg.convolutions import downsampling_body, initialise
from pcg.exact import ACTIVATION_MAX, LEAK, binomial, crop, refine_means, refine_smooth, subtract_block_mean

WIDTHS = (96, 64, 48, 32, 16)  # channels at 1,440, 720, 360, 180 and 90 m
LATENTS = (13, 4, 4, 4, 0)  # channels of the latent field at each scale
MARGIN = 6  # pixels of input that the pyramid needs on each side beyond its output, at the coarsest scale

AMPLITUDE_FLOOR_M = 2.0
AMPLITUDE_STEPS_AN_OCTAVE = 12.0
HEIGHT_TOP_M = 6000.0
COARSE_WIDTHS = (96, 80, 64, 48, 24)  # channels at 23, 11.5, 5.8, 2.9 and 1.4 km
COARSE_LATENTS = (12, 8, 4, 4, 2)
STYLES = ("alpine", "plateau", "lowland", "archipelago")
# The plan of a world, the input of the coarse level: the weight of each style, and the strike (the direction of the
# ranges): coherence times the cosine and the sine of twice its angle, clockwise from east.
PLAN_CHANNELS = len(STYLES) + 2
COARSE_UNIT = 40.0  # the coarse networks' unit is a signed root: u stands for u |u| 40^2 metres

RELIEF_GAIN = 40.0  # scales relief over amplitude, which is within about +-2, to 8 bits
CONTROL_CHANNELS = 4  # relief over amplitude, amplitude byte, height byte, grain


def amplitude_thresholds() -> Tensor:
    """127 thresholds of the amplitude in metres; the amplitude byte is the number of those reached."""
    return torch.tensor(
        [AMPLITUDE_FLOOR_M * 2.0 ** (k / AMPLITUDE_STEPS_AN_OCTAVE) for k in range(1, ACTIVATION_MAX + 1)],
        dtype=torch.float64,
    )


def height_thresholds() -> Tensor:
    """127 thresholds of the height in metres, dense near sea level; the height byte is the number of those reached."""
    return torch.tensor([HEIGHT_TOP_M * (k / 127.0) ** 2 for k in range(1, ACTIVATION_MAX + 1)], dtype=torch.float64)


def control_features(
    control: Tensor,
    amplitude_levels: Tensor,
    height_levels: Tensor,
    floor: float = AMPLITUDE_FLOOR_M,
    gain: float = RELIEF_GAIN,
) -> tuple[Tensor, Tensor, Tensor]:
    """The network's features of the control map.

    For a control map in whole 1/64 m every sum is exact in float64 in any order, and the one division is correctly
    rounded, so the features are the same on every machine.

    Args:
        control: float64 (N, m, m) metres, nowhere below the sea.
        amplitude_levels, height_levels: the thresholds of the bytes.
        floor: the smallest amplitude, metres.
        gain: see RELIEF_GAIN.

    Returns:
        Features, integers in [-127, 127] as float64 (N, 3, m-4, m-4): relief over amplitude, amplitude byte, height
        byte; then amplitude and local mean, (N, m-4, m-4) metres each.
    """
    mean = binomial(control)
    n = mean.shape[-1]
    # |control - mean| over every cell's 5x5 neighbourhood, with binomial weights
    around = control.unfold(-2, n, 1).unfold(-2, n, 1)  # (N, 5, 5, n, n): shift before place
    weights = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], dtype=control.dtype, device=control.device) / 16
    weights = (weights.unsqueeze(1) * weights).view(1, 5, 5, 1, 1)
    deviation = ((around - mean.unsqueeze(1).unsqueeze(1)).abs() * weights).sum(dim=[1, 2])
    amplitude = deviation + floor
    centre = crop(control, 2).contiguous()
    relief = ((centre - mean) / amplitude * gain).round().clamp(-127.0, 127.0)
    amplitude_byte = torch.bucketize(amplitude, amplitude_levels, right=True).to(torch.float64)
    height_byte = torch.bucketize(centre, height_levels, right=True).to(torch.float64)
    return torch.stack([relief, amplitude_byte, height_byte], dim=1), amplitude, mean


class Stage(nn.Module):
    """Doubles the resolution: (N, C, m+8, m+8) to (N, C', 2m+8, 2m+8), and the detail plane (N, 2m+8, 2m+8)."""

    def __init__(self, width_in: int, width: int, latents: int) -> None:
        super().__init__()
        self.latents = latents
        self.up = nn.ConvTranspose2d(width_in, width - latents, 4, stride=2, padding=2)
        self.first = nn.Conv2d(width, width, 3)
        self.second = nn.Conv2d(width, width, 3)
        self.detail = nn.Conv2d(width, 1, 1)

    def forward(self, x: Tensor, latent: Tensor | None) -> tuple[Tensor, Tensor]:
        x = F.leaky_relu(self.up(x), LEAK)  # (N, C' - Z, 2m+14, 2m+14), Z latents
        if latent is not None:
            x = torch.cat([x, latent.to(x.dtype)], 1)  # (N, C', 2m+14, 2m+14)
        x = F.leaky_relu(self.first(x), LEAK)  # (N, C', 2m+12, 2m+12)
        x = crop(F.leaky_relu(self.second(x), LEAK), 1)  # (N, C', 2m+8, 2m+8)
        return x, self.detail(x)[:, 0]  # plane (N, 2m+8, 2m+8)


class Pyramid(nn.Module):
    """Features from the coarsest scale to the finest, and the detail plane of each stage.

    From (N, inputs, m + 2 MARGIN, ...), for m pixels at the coarsest scale, to planes (N, 2^s m + 8, ...).
    """

    def __init__(self, inputs: int, widths: tuple[int, ...], latents: tuple[int, ...]) -> None:
        super().__init__()
        self.latents = latents
        self.first = nn.Conv2d(inputs + latents[0], widths[0], 3)
        self.second = nn.Conv2d(widths[0], widths[0], 3)
        self.stages = nn.ModuleList(Stage(a, b, z) for (a, b), z in zip(pairwise(widths), latents[1:], strict=True))
        initialise(self)
        for stage in self.stages:
            stage.get_submodule("detail").get_parameter("weight").data *= 0.3

    def draw_latents(self, count: int, pixels: int, random: torch.Generator) -> list[Tensor | None]:
        """Random latents for training, one tensor a scale: integers in [-127, 127] over 128, as the hash gives."""
        sizes = [pixels + 2 * MARGIN] + [2**s * pixels + 14 for s in range(1, len(self.latents))]
        device = self.first.weight.device
        return [
            torch.randint(-127, 128, (count, z, m, m), generator=random, device=device).float() / 128 if z else None
            for z, m in zip(self.latents, sizes, strict=True)
        ]

    def forward(self, x: Tensor, latents: list[Tensor | None]) -> list[Tensor]:
        """The detail plane of each stage, coarsest first: (N, 2^s m + 8, ...)."""
        if latents[0] is not None:
            x = torch.cat([x, latents[0]], 1)  # (N, inputs + Z, m+12, m+12)
        x = x.contiguous(memory_format=torch.channels_last)
        x = F.leaky_relu(self.second(F.leaky_relu(self.first(x), LEAK)), LEAK)  # (N, widths[0], m+8, m+8)
        added = []
        for stage, latent in zip(self.stages, latents[1:], strict=True):
            x, plane = stage(x, latent)  # (N, C, 2^s m + 8, ...), (N, 2^s m + 8, ...)
            added.append(plane)
        return added


class Generator(nn.Module):
    """Control map, grain and latent field to land. 0.40 M parameters at the standard widths."""

    amplitude_levels: Tensor
    height_levels: Tensor

    def __init__(self, widths: tuple[int, ...] = WIDTHS, latents: tuple[int, ...] = LATENTS) -> None:
        super().__init__()
        self.pyramid = Pyramid(CONTROL_CHANNELS, widths, latents)
        self.register_buffer("amplitude_levels", amplitude_thresholds(), persistent=False)
        self.register_buffer("height_levels", height_thresholds(), persistent=False)

    def forward(self, condition: Tensor, latents: list[Tensor | None]) -> Tensor:
        """Land (N, 16n+8, 16n+8) in metres.

        Args:
            condition: float32 (N, 2, n+16, n+16), the control map in metres and the grain in [-1, 1].
            latents: as draw_latents gives them.
        """
        control, grain = condition.unbind(1)  # (N, n+16, n+16) each
        # (N, 3, n+12, n+12), (N, n+12, n+12)
        features, amplitude, _ = control_features(control.double(), self.amplitude_levels, self.height_levels)
        height, amplitude = crop(control, 4).float(), crop(amplitude, 2).float()  # (N, n+8, n+8) each
        seen = torch.cat([features.float() / 128, crop(grain, 2).unsqueeze(1)], 1)  # (N, 4, n+12, n+12)
        for detail in self.pyramid(seen, latents):  # (N, 2^s n + 8, ...) at s = 1, 2, 3, 4
            amplitude = crop(refine_smooth(amplitude), 2)  # (N, 2^s n + 8, ...)
            height = refine_means(height) + subtract_block_mean(amplitude * detail.float())  # (N, 2^s n + 8, ...)
        return height


class Discriminator(nn.Module):
    """A view of land, its control map and its grain to one logit. The view has slopes, which show the drainage."""

    amplitude_levels: Tensor
    height_levels: Tensor

    def __init__(self, size: int, widths: tuple[int, ...] = (32, 64, 96, 128, 128)) -> None:
        super().__init__()
        self.register_buffer("amplitude_levels", amplitude_thresholds(), persistent=False)
        self.register_buffer("height_levels", height_thresholds(), persistent=False)
        self.body = downsampling_body(7, size, widths)
        self.head = nn.Linear(widths[-1], 1)

    def view(self, heights: Tensor, condition: Tensor) -> Tensor:
        """The discriminator's view (N, 7, S, S), float32, each channel of order one.

        Args:
            heights: (N, S+8, S+8) metres.
            condition: as for Generator; the grain is constant in a crop.
        """
        control, grain = condition.unbind(1)  # (N, S/16 + 16, S/16 + 16) each
        with torch.no_grad():
            _, amplitude, mean = control_features(control.double(), self.amplitude_levels, self.height_levels)
            base, amplitude, mean = (crop(p, k).float() for p, k in ((control, 4), (amplitude, 2), (mean, 2)))
            while base.shape[-1] < heights.shape[-1]:  # from S/16 + 8 to S + 8 a side
                base = refine_means(base)
                amplitude, mean = crop(refine_smooth(amplitude), 2), crop(refine_smooth(mean), 2)
            relief = (base - mean) / amplitude
            roughness = torch.log2(amplitude) / 4 - 1
            altitude = base.clamp_min(0).sqrt() / 32
        residual = (heights - base) * 2 / amplitude  # (N, S+8, S+8)
        inner = heights / 2
        east = inner[:, 4:-4, 5:-3] - inner[:, 4:-4, 3:-5]  # (N, S, S)
        south = inner[:, 5:-3, 4:-4] - inner[:, 3:-5, 4:-4]  # (N, S, S)
        steep = 5 / crop(amplitude, 4)  # (N, S, S)
        planes = [crop(residual, 4), east * steep, south * steep, *(crop(p, 4) for p in (relief, roughness, altitude))]
        planes.append(grain[:, :1, :1].expand_as(east))
        return torch.stack(planes, 1).contiguous(memory_format=torch.channels_last)

    def forward(self, view: Tensor) -> Tensor:
        """(N, 7, S, S) to logits (N,)."""
        return self.head(self.body(view).flatten(1))[:, 0]  # (N, widths[-1], 1, 1), (N, 1), (N,)


def in_metres(roots: Tensor) -> Tensor:
    """Signed roots in COARSE_UNIT to metres."""
    u = roots * COARSE_UNIT
    return u * u.abs()


class CoarseGenerator(nn.Module):
    """Plan and latent field to the control map, as signed roots. 0.6 M parameters at the standard widths.

    One pixel of its coarsest scale is 23 km, sixteen control cells.
    """

    def __init__(self, widths: tuple[int, ...] = COARSE_WIDTHS, latents: tuple[int, ...] = COARSE_LATENTS) -> None:
        super().__init__()
        self.pyramid = Pyramid(PLAN_CHANNELS, widths, latents)

    def signed_roots(self, plan: Tensor, latents: list[Tensor | None]) -> Tensor:
        """Plan (N, 6, m+12, m+12) to signed roots (N, 16m+8, 16m+8), with 4 more cells on each side.

        The plan has style weights that sum to 127/128, and the strike in [-1, 1].
        """
        added = [plane.float() for plane in self.pyramid(plan, latents)]  # (N, 2^s m + 8, ...) at s = 1, 2, 3, 4
        u = added[0]
        for more in added[1:]:
            u = crop(refine_smooth(u), 2) + more  # (N, 2^s m + 8, ...)
        return u

    def forward(self, plan: Tensor, latents: list[Tensor | None]) -> Tensor:
        """As signed_roots, in metres."""
        return in_metres(self.signed_roots(plan, latents))


class CoarseDiscriminator(nn.Module):
    """A view of a control map and its plan to one logit. The view has heights, slopes, curvature and coasts."""

    def __init__(self, size: int, widths: tuple[int, ...] = (32, 64, 96, 128, 128)) -> None:
        super().__init__()
        self.body = downsampling_body(5 + PLAN_CHANNELS, size, widths)
        self.head = nn.Linear(widths[-1], 1)

    def view(self, u: Tensor, plan: Tensor) -> Tensor:
        """The discriminator's view (N, 11, S, S) of signed roots u (N, S+8, S+8) and plan (N, 6, S/16+12, S/16+12)."""
        side = u.shape[-1] - 8
        inner = crop(u, 3)  # (N, S+2, S+2)
        north, south, west, east = inner[:, :-2, 1:-1], inner[:, 2:, 1:-1], inner[:, 1:-1, :-2], inner[:, 1:-1, 2:]
        centre = crop(u, 4)  # (N, S, S), as its neighbours
        bend = (north + south + west + east - 4 * centre) * 4
        land = torch.tanh(centre * 12)
        planes = torch.stack([centre, (east - west) * 4, (south - north) * 4, land, bend], 1)  # (N, 5, S, S)
        planned = F.interpolate(crop(plan, MARGIN), size=(side, side), mode="bilinear")  # (N, 6, S, S)
        return torch.cat([planes, planned], 1).contiguous(memory_format=torch.channels_last)

    def forward(self, view: Tensor) -> Tensor:
        """(N, 11, S, S) to logits (N,)."""
        return self.head(self.body(view).flatten(1))[:, 0]  # (N, widths[-1], 1, 1), (N, 1), (N,)
