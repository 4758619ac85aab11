"""The objective against values worked out by hand."""

import math

import torch

from pcg.learning.adversarial import discriminator_loss, generator_loss, gradient_penalty


def test_losses_are_softplus_of_the_paired_difference() -> None:
    real, fake = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 1.0])
    softplus = lambda v: math.log1p(math.exp(v))  # noqa: E731
    assert math.isclose(discriminator_loss(real, fake).item(), (softplus(-2) + softplus(1)) / 2, rel_tol=1e-6)
    assert math.isclose(generator_loss(real, fake).item(), (softplus(2) + softplus(-1)) / 2, rel_tol=1e-6)


def test_losses_compare_pairs_and_not_levels() -> None:
    real, fake = torch.randn(5), torch.randn(5)
    assert torch.allclose(discriminator_loss(real, fake), discriminator_loss(real + 7, fake + 7), atol=1e-5)


def test_penalty_of_a_linear_discriminator_is_its_squared_weight() -> None:
    weight = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
    logits, penalty = gradient_penalty(lambda x: x @ weight, torch.randn(4, 3))
    assert logits.shape == (4,)
    assert penalty.item() == 14
    penalty.backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [2, -4, 6]  # d|w|^2/dw


def test_penalty_is_zero_at_a_flat_discriminator() -> None:
    _, penalty = gradient_penalty(lambda x: (x * 0).sum(1), torch.randn(4, 3))
    assert penalty.item() == 0
