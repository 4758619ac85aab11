"""Critics: small CNNs that are trained to tell generated from real samples, and their AUC."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


def small_cnn(channels: int, seed: int) -> nn.Sequential:
    """A CNN of (N, channels, S, S) to logits (N, 1); 0.14 M parameters, initialised from the seed alone."""
    layers: list[nn.Module] = []
    for inputs, width, kernel in ((channels, 24, 5), (24, 48, 3), (48, 96, 3), (96, 96, 3)):
        layers += [nn.Conv2d(inputs, width, kernel, 2, kernel // 2), nn.LeakyReLU(0.2)]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(96, 1)]
    return seeded(nn.Sequential(*layers), seed)


def seeded(network: nn.Sequential, seed: int) -> nn.Sequential:
    """Initialise the network from the seed alone, and return it."""
    random = torch.Generator().manual_seed(seed)  # the global generator is shared between threads
    for layer in network:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            bound = layer.weight[0].numel() ** -0.5
            for parameter in layer.parameters():
                nn.init.uniform_(parameter, -bound, bound, random)
    return network


def rank_auc(above: NDArray[np.floating], below: NDArray[np.floating]) -> float:
    """The AUC: the probability that a value of `above` (N, 1) exceeds one of `below` (M, 1); a tie counts 1/2.

    It is the Mann-Whitney U over the number of pairs: 0.5 if the two sets can't be told apart, 1 if they always can.
    """
    return float((above > below.T).mean() + 0.5 * (above == below.T).mean())
