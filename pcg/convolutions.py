"""Float convolutions that the families' networks share: their initialisation, and the discriminators' body."""

import math
from itertools import pairwise

from torch import nn

from pcg.exact import LEAK


def downsampling_body(channels: int, size: int, widths: tuple[int, ...]) -> nn.Sequential:
    """A discriminator's convolutions: (N, channels, size, size) to (N, widths[-1], 1, 1).

    The size is halved between two widths.
    """
    layers: list[nn.Module] = [nn.Conv2d(channels, widths[0], 3, padding=1), nn.LeakyReLU(0.2)]
    for a, b in pairwise(widths):
        layers += [nn.Conv2d(a, b, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        layers += [nn.Conv2d(b, b, 3, padding=1), nn.LeakyReLU(0.2)]
    side = size // 2 ** (len(widths) - 1)
    layers += [nn.Conv2d(widths[-1], widths[-1], side), nn.LeakyReLU(0.2)]
    body = nn.Sequential(*layers)
    initialise(body)
    return body


def initialise(network: nn.Module) -> None:
    """He initialisation (He et al. 2015) of all convolutions and linear layers, with biases of zero.

    The fan-in of a transposed convolution is the number of inputs of one output pixel.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            taps = layer.weight[0, 0].numel() // (layer.stride[0] ** 2 if isinstance(layer, nn.ConvTranspose2d) else 1)
            nn.init.normal_(layer.weight, std=math.sqrt(2 / (1 + LEAK**2) / (layer.in_channels * taps)))
        elif isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, a=LEAK)
        else:
            continue
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
