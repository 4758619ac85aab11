"""The float networks: shapes, kept means, no padding."""

import pytest
import torch

from pcg.terrain import coarse, data, networks
from pcg.terrain.networks import CoarseDiscriminator, CoarseGenerator, Discriminator, Generator

FRAME = 4  # pixels more that land comes with on every side
TINY = {"widths": (12, 12, 8, 8, 8), "latents": (5, 3, 2, 2, 0)}


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(3)


def control_map(cells: int, count: int = 1) -> torch.Tensor:
    random = torch.Generator().manual_seed(2)
    side = cells + 2 * data.MARGIN_CELLS
    return (torch.randn(count, side, side, generator=random) * 60 + 800).clamp_min(0)


def condition(control: torch.Tensor, grain: float = 0.5) -> torch.Tensor:
    return torch.stack([control, torch.full_like(control, grain)], 1)


def plan(base: int, count: int = 1) -> torch.Tensor:
    random = torch.Generator().manual_seed(5)
    side = base + 2 * coarse.MARGIN_BASE
    styles = torch.rand(count, 4, side, side, generator=random).softmax(1) * 127 / 128
    return torch.cat([styles, torch.rand(count, 2, side, side, generator=random) * 2 - 1], 1)


def test_generator_keeps_the_control_map() -> None:
    generator = Generator(**TINY)
    control = control_map(5, 2)
    with torch.no_grad():
        land = generator(condition(control), generator.pyramid.draw_latents(2, 5, torch.Generator().manual_seed(0)))
    assert land.shape == (2, 88, 88)
    cells = control[:, data.MARGIN_CELLS : -data.MARGIN_CELLS, data.MARGIN_CELLS : -data.MARGIN_CELLS]
    blocks = land[:, FRAME:-FRAME, FRAME:-FRAME].reshape(2, 5, 16, 5, 16).mean((2, 4))
    assert torch.allclose(blocks, cells, atol=0.05)
    assert land.std() > cells.std()  # it adds detail


def test_generator_sees_a_finite_window() -> None:
    """A change of the control map's far corner must not reach the land's near corner, and nothing is padded."""
    generator = Generator(**TINY)
    control = control_map(14)
    changed = control.clone()
    changed[:, -9:, -9:] += 500
    latents = generator.pyramid.draw_latents(1, 14, torch.Generator().manual_seed(0))
    with torch.no_grad():
        a, b = generator(condition(control), latents), generator(condition(changed), latents)
    assert torch.allclose(a[:, :40, :40], b[:, :40, :40], atol=1e-3)
    assert not torch.allclose(a[:, -40:, -40:], b[:, -40:, -40:], atol=1.0)


def test_generator_draws_the_same_land_in_every_window() -> None:
    """One cell further on is 16 pixels further on, with latents cut to match."""
    generator = Generator(**TINY)
    control = control_map(6)
    latents = generator.pyramid.draw_latents(1, 6, torch.Generator().manual_seed(0))
    part = [z[:, :, 2**s :, 2**s :] if z is not None else None for s, z in enumerate(latents)]
    with torch.no_grad():
        whole = generator(condition(control), latents)
        cut = generator(condition(control[:, 1:, 1:]), part)
    assert torch.allclose(whole[:, 16:, 16:], cut, atol=1e-2)


def test_grain_changes_the_land() -> None:
    generator = Generator(**TINY)
    control = control_map(4)
    latents = generator.pyramid.draw_latents(1, 4, torch.Generator().manual_seed(0))
    with torch.no_grad():
        smooth, rough = (generator(condition(control, grain), latents) for grain in (-1.0, 1.0))
    assert not torch.allclose(smooth, rough, atol=0.1)


def test_amplitude_follows_relief() -> None:
    flat, rough = torch.full((1, 20, 20), 500.0).double(), control_map(4).double() * 3
    levels = networks.amplitude_thresholds(), networks.height_thresholds()
    features, amplitude, mean = networks.control_features(flat, *levels)
    assert features.shape == (1, 3, 16, 16)
    assert torch.equal(amplitude, torch.full((1, 16, 16), networks.AMPLITUDE_FLOOR_M).double())
    assert torch.equal(mean, torch.full((1, 16, 16), 500.0).double())
    assert (features[:, 0] == 0).all()
    assert networks.control_features(rough, *levels)[1].min() > 30


def test_amplitude_is_the_mean_distance_from_the_mean() -> None:
    control = control_map(1).double()
    _, amplitude, mean = networks.control_features(
        control, networks.amplitude_thresholds(), networks.height_thresholds()
    )
    row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]).double() / 16
    around = control[0, 3:8, 4:9]  # of the feature pixel (3, 4)
    assert mean[0, 3, 4] == pytest.approx(float((row[:, None] * row * around).sum()))
    expected = float((row[:, None] * row * (around - mean[0, 3, 4]).abs()).sum()) + networks.AMPLITUDE_FLOOR_M
    assert amplitude[0, 3, 4] == pytest.approx(expected)


def test_features_are_bytes() -> None:
    wild = torch.rand(1, 24, 24, dtype=torch.float64) * 9000
    features, _, _ = networks.control_features(wild, networks.amplitude_thresholds(), networks.height_thresholds())
    assert torch.equal(features, features.round())
    assert features.abs().max() <= 127


def test_discriminator_sees_slopes() -> None:
    discriminator = Discriminator(32)
    control = control_map(2)
    land = torch.arange(40.0).expand(1, 40, 40) * 9  # rises 9 m a pixel to the east
    view = discriminator.view(land, condition(control))
    assert view.shape == (1, 7, 32, 32)
    assert (view[:, 6] == 0.5).all()  # the grain
    assert discriminator(view).shape == (1,)
    amplitude = 45 / view[:, 1]
    assert (amplitude > 0).all()
    assert view[:, 2].abs().max() == 0
    flipped = discriminator.view(land.flip(2), condition(control))
    assert torch.allclose(flipped[:, 1], -view[:, 1])


def test_coarse_generator_draws_signed_roots() -> None:
    generator = CoarseGenerator(**TINY)
    latents = generator.pyramid.draw_latents(2, 3, torch.Generator().manual_seed(0))
    with torch.no_grad():
        roots = generator.signed_roots(plan(3, 2), latents)
        metres = generator(plan(3, 2), latents)
    assert roots.shape == metres.shape == (2, 3 * 16 + 2 * coarse.FRAME, 3 * 16 + 2 * coarse.FRAME)
    assert torch.equal(metres < 0, roots < 0)
    assert torch.allclose(metres.abs().sqrt() / networks.COARSE_UNIT, roots.abs(), atol=1e-4)


def test_coarse_generator_sees_a_finite_window() -> None:
    generator = CoarseGenerator(**TINY)
    seen = plan(5)
    changed = seen.clone()
    changed[:, :, -3:, -3:] = 0.25
    latents = generator.pyramid.draw_latents(1, 5, torch.Generator().manual_seed(0))
    with torch.no_grad():
        a, b = generator.signed_roots(seen, latents), generator.signed_roots(changed, latents)
    assert torch.allclose(a[:, :32, :32], b[:, :32, :32], atol=1e-5)
    assert not torch.equal(a, b)


def test_coarse_discriminator_sees_coasts_and_slopes() -> None:
    discriminator = CoarseDiscriminator(32)
    side = 32 + 2 * coarse.FRAME
    u = (torch.arange(float(side)) - 20).expand(1, side, side) / 10
    view = discriminator.view(u, plan(2))
    assert view.shape == (1, 11, 32, 32)
    assert discriminator(view).shape == (1,)
    assert torch.allclose(view[:, 1], torch.tensor(0.8))  # a tenth a cell to the east, over two cells, times four
    assert view[:, 2].abs().max() == 0
    assert (view[0, 3, 0, :15] < -0.8).all()  # sea
    assert (view[0, 3, 0, 18:] > 0.8).all()  # land
    assert view[:, 4].abs().max() < 1e-4  # nothing bends
    assert torch.allclose(view[:, 5:9].sum(1), torch.tensor(127 / 128))
