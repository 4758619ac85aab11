"""The loss for depressions: its depth is that of filling; its gradient lowers dams and raises floors."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pcg.terrain.depressions import depression_depth
from pcg.terrain.objectives import CoarseObjective, DetailObjective
from runtime.content.terrain.drainage import drain


def test_depth_is_that_of_the_filled_land() -> None:
    rng = np.random.default_rng(0)
    land = rng.integers(0, 9, (5, 13, 17)).astype(np.float32)  # with ties
    land[1:] += rng.normal(0, 1, (4, 13, 17)).astype(np.float32)
    filled = np.stack([drain(heights).filled for heights in land])
    np.testing.assert_allclose(
        depression_depth(torch.from_numpy(land)).numpy(), (filled - land).mean((1, 2)), rtol=1e-5
    )
    assert (filled > land).any()


def test_land_that_drains_has_no_depth_and_no_gradient() -> None:
    land = torch.arange(12.0).expand(1, 10, 12).clone().requires_grad_(True)
    depression_depth(land).sum().backward()
    assert depression_depth(land).item() == 0
    assert land.grad is not None
    assert not land.grad.any()


def test_gradient_descent_lowers_the_dam_and_raises_the_floor() -> None:
    """A valley to the east, dammed at (2, 5), with two pixels behind the dam that lie too low."""
    land = torch.full((1, 5, 8), 9.0)
    land[0, 2] = torch.tensor([9.0, 9.0, 9.0, 3.0, 2.0, 6.0, 1.0, 0.0])
    land.requires_grad_(True)
    depression_depth(land).sum().backward()
    assert land.grad is not None
    gradient = land.grad[0] * land[0].numel()
    expected = torch.zeros(5, 8)
    expected[2, 5] = 2  # once for each pixel that it drowns
    expected[2, 3] = expected[2, 4] = -1
    torch.testing.assert_close(gradient, expected)


def test_descent_drains_a_dammed_valley() -> None:
    bumps = torch.randn(1, 20, 20, generator=torch.Generator().manual_seed(1))
    land = (torch.arange(20.0, 0.0, -1.0).expand(1, 20, 20) + bumps).requires_grad_(True)
    before = depression_depth(land).item()
    for _ in range(60):
        (gradient,) = torch.autograd.grad(depression_depth(land).sum(), land)
        land = (land - 20 * gradient).detach().requires_grad_(True)
    assert depression_depth(land).item() < 0.2 * before


def test_each_map_of_a_batch_is_flooded_alone() -> None:
    random = torch.Generator().manual_seed(3)
    land = torch.rand(3, 9, 11, generator=random) * 20
    assert torch.equal(depression_depth(land), torch.cat([depression_depth(one[None]) for one in land]))
    assert depression_depth(land).std() > 0


def test_the_loss_of_a_coarse_map_is_its_excess_over_the_real_one(dem_folder: Path) -> None:
    objective = CoarseObjective(dem_folder, 2)
    _, real = objective.draw(6, np.random.default_rng(0), 2)
    assert objective.excess(real, real) == 0
    dammed = real.clone()
    dammed[:, 12:28, 12:28] -= 0.5 * (real.max() - real.min())
    fake = dammed.requires_grad_(True)
    objective.excess(fake, real).backward()
    assert fake.grad is not None
    assert fake.grad[:, 12:28, 12:28].sum() < 0  # descent raises the floor


def test_excess_is_in_doublings_for_each_crop(dem_folder: Path) -> None:
    objective = DetailObjective(dem_folder, 2)
    slope = torch.arange(40.0).expand(2, 40, 40)

    def pit(metres: float) -> torch.Tensor:
        """Two slopes, one with a pit a pixel large that holds so much, averaged over the crop."""
        land = slope.clone()
        land[0, 20, 20] = 19 - metres * land[0].numel()  # the lowest neighbour is the outlet
        return land

    puddle = objective.puddle_m
    assert objective.excess(pit(3 * puddle), pit(0)).item() == pytest.approx((2 + 0) / 2, abs=1e-3)
    assert objective.excess(pit(3 * puddle), pit(puddle)).item() == pytest.approx((1 + 0) / 2, abs=1e-3)
    # A lake of the real land of one crop does not offset the dam of another crop.
    assert objective.excess(pit(3 * puddle), pit(puddle).flip(0)).item() == pytest.approx((2 + 0) / 2, abs=1e-3)
