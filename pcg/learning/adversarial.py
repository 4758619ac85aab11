"""The adversarial objective of R3GAN (Huang et al. 2024, "The GAN is dead; long live the GAN!"), and nothing else.

Relativistic pairing loss (Jolicoeur-Martineau 2018): each fake is paired with a real. The discriminator's loss is
softplus(D(fake) - D(real)), the generator's softplus(D(real) - D(fake)). To the discriminator's come zero-centred
gradient penalties on reals (R1, Mescheder et al. 2018) and on fakes (R2).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def generator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean of softplus(real - fake) over the pairs (N,)."""
    return F.softplus(real_logits - fake_logits).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean of softplus(fake - real) over the pairs (N,)."""
    return F.softplus(fake_logits - real_logits).mean()


def gradient_penalty(discriminator: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """(logits, mean over the batch of |dD/dx|^2): R1 where x is real, R2 where it is fake."""
    x = x.detach().requires_grad_(True)
    logits = discriminator(x)
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return logits, gradient.float().square().sum(tuple(range(1, x.dim()))).mean()
