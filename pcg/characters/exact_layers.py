"""The integer layers of the character networks, the conversion of float layers to them, and painting."""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pcg.exact import LEAK, ExactConv, IntegerConv, IntegerUp, activation_step, crop, steps_of


class Doubling(nn.Module):
    """IntegerUp for a transposed convolution that doubles the size (kernel 4, stride 2, padding 1)."""

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
    """IntegerConv for a convolution that halves the size (kernel 4, stride 2, padding 1), after pixel_unshuffle."""

    def __init__(self, conv: IntegerConv) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, n, n) to (N, C', n/2, n/2)."""
        folded = F.pixel_unshuffle(F.pad(x, [1, 1, 1, 1]), 2)
        return self.conv(folded.contiguous(memory_format=torch.channels_last))


class Rounded(nn.Module):
    """ExactConv for a 1x1 convolution without activation, rounded to integers in [-limit, limit]."""

    limit: Final[float]

    def __init__(self, conv: ExactConv, limit: int) -> None:
        super().__init__()
        self.conv, self.limit = conv, float(limit)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H, W) in x's dtype."""
        return self.conv(x).round_().clamp_(-self.limit, self.limit).to(x.dtype)


def in_precision(x: Tensor, precision: int) -> Tensor:
    """x in the float dtype of `precision` bits: bfloat16 (16), float32 (32) or float64 (64)."""
    if precision == 16:
        return x.to(torch.bfloat16)
    if precision == 64:
        return x.to(torch.float64)
    return x.to(torch.float32)


def first_largest(logits: Tensor) -> Tensor:
    """The index of the largest value along the last axis; of equal values the first, as torch.max guarantees."""
    return logits.max(dim=-1)[1]


def paint(codes: Tensor, colours: Tensor) -> Tensor:
    """Colour indices int64 (N, H, W), 0 for transparent, and colours int64 (N, K, 3), to uint8 RGBA (N, H, W, 4)."""
    flat = codes.flatten(1).unsqueeze(2)
    figure = (flat > 0).to(torch.int64)
    pixels = torch.cat([colours.gather(1, flat.expand(-1, -1, 3)) * figure, 255 * figure], 2)
    return pixels.view(codes.shape[0], codes.shape[1], codes.shape[2], 4).to(torch.uint8)


def folded(weight: Tensor) -> Tensor:
    """Weights (O, C, 4, 4) of stride 2 to weights (O, 4 C, 2, 2) that do the same after pixel_unshuffle."""
    outputs, inputs = weight.shape[:2]
    taps = weight.view(outputs, inputs, 2, 2, 2, 2)  # (out, in, row, y in it, column, x in it)
    return taps.permute(0, 1, 3, 5, 2, 4).reshape(outputs, 4 * inputs, 2, 2)


def padded(conv: IntegerConv | ExactConv) -> nn.Sequential:
    """A 3x3 exact convolution with zero padding: (N, C, H, W) to (N, C', H, W)."""
    return nn.Sequential(nn.ZeroPad2d(1), conv)


def weights_of(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias of a layer; the weight of a linear layer as that of a 1x1 convolution."""
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)
    assert layer.bias is not None
    weight = layer.weight[:, :, None, None] if isinstance(layer, nn.Linear) else layer.weight
    return weight.detach(), layer.bias.detach()


def integer_layer(layer: nn.Module, x: Tensor, input_step: Tensor) -> tuple[nn.Module, Tensor, Tensor]:
    """Convert a float layer and its leaky ReLU to integers.

    A 3x3 convolution is padded, a 4x4 convolution halves the size, a transposed one doubles it; a linear layer takes
    and returns (N, C, 1, 1).

    Args:
        layer: the float layer.
        x: inputs on which the activations are measured.
        input_step: (C,), the value of one integer in each channel of the input.

    Returns:
        The integer layer, the float layer's output for x, and the steps (C',) of the output.
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
    """Convert a sequence of float layers; arguments and results as of integer_layer."""
    exact = []
    for layer in layers:
        made, x, input_step = integer_layer(layer, x, input_step)
        exact.append(made)
    return nn.Sequential(*exact), x, input_step
