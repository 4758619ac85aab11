"""Grain: a rank of roughness that does not depend on how high the land is."""

import torch

from pcg.terrain import grain


def crops(count: int, relief: torch.Tensor, fine: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Land of a given relief with ripples of a given size, and its control maps."""
    random = torch.Generator().manual_seed(3)
    control = torch.randn(count, 18, 18, generator=random) * relief.view(-1, 1, 1) + 2000
    ripples = torch.randn(count, 40, 40, generator=random) * fine.view(-1, 1, 1)
    return ripples + control[:, 8:9, 8:9], control


def test_grain_is_the_rank_of_roughness() -> None:
    relief = torch.full((64,), 80.0)
    heights, control = crops(64, relief, torch.linspace(2, 40, 64))
    scale = grain.fit(heights, control)
    grains = scale.grain(heights, control)
    assert grains.abs().max() <= 127 / 128
    assert torch.equal(grains * 128, (grains * 128).round())
    assert grains[:16].max() < -0.3 < 0.3 < grains[48:].min()
    assert abs(float(grains.mean())) < 0.1


def test_grain_does_not_depend_on_relief() -> None:
    relief = torch.logspace(1, 2.5, 64)
    heights, control = crops(64, relief, relief * 0.1)
    scale = grain.fit(heights, control)
    assert 0.8 < scale.slope < 1.2
    assert abs(torch.corrcoef(torch.stack([scale.grain(heights, control), relief.log()]))[0, 1]) < 0.4


def test_uniform_land_can_be_fitted() -> None:
    heights, control = torch.full((4, 40, 40), 9.0), torch.full((4, 18, 18), 9.0)
    grains = grain.fit(heights, control).grain(heights, control)
    assert torch.isfinite(grains).all()
