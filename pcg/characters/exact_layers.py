"""The character networks' layers in integers: padded convolutions, doublings, and what turns float layers into them;
from their results to pixels.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pcg.exact import LEAK, ExactConv, IntegerConv, IntegerUp, activation_step, crop, steps_of


class Doubling(nn.Module):
    """IntegerUp of a transposed convolution to twice the size (kernel 4, stride 2, padding 1)."""

    def __init__(self, up: IntegerUp) -> None:
        super().__init__()
        self.up = up

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, n, n) to (N, C', 2n, 2n)."""
        side = 2 * x.shape[2] + 2
        no_latent = torch.empty([x.shape[0], 0, side, side], device=x.device)
        y = self.up(F.pad(x, [1, 1, 1, 1]), no_latent)
        return crop(y, 1).contiguous(memory_format=torch.channels_last)


class Halving(nn.Module):
    """IntegerConv of a convolution to half the size (kernel 4, stride 2, padding 1), on 2x2 pixels folded to one."""

    def __init__(self, conv: IntegerConv) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, n, n) to (N, C', n/2, n/2)."""
        folded = F.pixel_unshuffle(F.pad(x, [1, 1, 1, 1]), 2)
        return self.conv(folded.contiguous(memory_format=torch.channels_last))


class Rounded(nn.Module):
    """ExactConv of a 1x1 convolution, rounded to integers in [-limit, limit], with no leaky slope."""

    limit: Final[float]

    def __init__(self, conv: ExactConv, limit: int) -> None:
        super().__init__()
        self.conv, self.limit = conv, float(limit)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H, W) in x's dtype."""
        return self.conv(x).round_().clamp_(-self.limit, self.limit).to(x.dtype)


def in_precision(x: Tensor, precision: int) -> Tensor:
    """Integers in the dtype that holds `precision` bits."""
    if precision == 16:
        return x.to(torch.bfloat16)
    if precision == 64:
        return x.to(torch.float64)
    return x.to(torch.float32)


def first_largest(logits: Tensor) -> Tensor:
    """The index of the largest value along the last axis; of equal ones the first, as torch.max promises."""
    return logits.max(dim=-1)[1]


def paint(codes: Tensor, colours: Tensor) -> Tensor:
    """Numbers of colours, int64 (N, H, W), 0 for nothing, with colours int64 (N, K, 3), to uint8 RGBA (N, H, W, 4)."""
    flat = codes.flatten(1).unsqueeze(2)
    figure = (flat > 0).to(torch.int64)
    pixels = torch.cat([colours.gather(1, flat.expand(-1, -1, 3)) * figure, 255 * figure], 2)
    return pixels.view(codes.shape[0], codes.shape[1], codes.shape[2], 4).to(torch.uint8)


def folded(weight: Tensor) -> Tensor:
    """The 2x2 convolution of pixels folded by pixel_unshuffle that is one of 4x4 and stride 2: (O, C, 4, 4) to
    (O, 4 C, 2, 2).
    """
    outputs, inputs = weight.shape[:2]
    taps = weight.view(outputs, inputs, 2, 2, 2, 2)  # (out, in, row, y in it, column, x in it)
    return taps.permute(0, 1, 3, 5, 2, 4).reshape(outputs, 4 * inputs, 2, 2)


def padded(conv: IntegerConv | ExactConv) -> nn.Sequential:
    """An exact convolution of 3x3 that keeps the picture's size: (N, C, H, W) to (N, C', H, W)."""
    return nn.Sequential(nn.ZeroPad2d(1), conv)


def weights_of(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight, of a linear layer as a 1x1 convolution's, and bias."""
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)
    assert layer.bias is not None
    weight = layer.weight[:, :, None, None] if isinstance(layer, nn.Linear) else layer.weight
    return weight.detach(), layer.bias.detach()


def integer_layer(layer: nn.Module, x: Tensor, input_step: Tensor) -> tuple[nn.Module, Tensor, Tensor]:
    """A layer with its leaky slope in integers, what the float layer gives for x, and the steps of that.

    A convolution of 3x3 is padded, one of 4x4 halves, a transposed one doubles; a linear layer takes and gives
    (N, C, 1, 1).
    """
    weight, bias = weights_of(layer)
    y = F.leaky_relu(layer(x.flatten(1))[:, :, None, None] if isinstance(layer, nn.Linear) else layer(x), LEAK)
    step = activation_step(y)
    exact: nn.Module
    if isinstance(layer, nn.ConvTranspose2d):
        exact = Doubling(IntegerUp(weight, bias, input_step, step))
    elif weight.shape[2] == 4:
        exact = Halving(IntegerConv(folded(weight), bias, input_step.repeat_interleave(4), step))
    else:
        exact = IntegerConv(weight, bias, input_step, step)
        if weight.shape[2] == 3:
            exact = padded(exact)
    return exact, y, steps_of(y, step)


def integer_chain(layers: list[nn.Module], x: Tensor, input_step: Tensor) -> tuple[nn.Sequential, Tensor, Tensor]:
    """Layers one after the other, as integer_layer gives them."""
    exact = []
    for layer in layers:
        made, x, input_step = integer_layer(layer, x, input_step)
        exact.append(made)
    return nn.Sequential(*exact), x, input_step
