"""The float networks: shapes, kept means, no padding."""

import torch

from pcg.terrain import networks
from pcg.terrain.networks import Discriminator, Generator


def control_map(cells: int, count: int = 1) -> torch.Tensor:
    random = torch.Generator().manual_seed(2)
    return (torch.randn(count, cells + 16, cells + 16, generator=random) * 60 + 800).clamp_min(0)


def test_generator_keeps_the_control_map() -> None:
    generator = Generator()
    control = control_map(5, 2)
    with torch.no_grad():
        land = generator(control, generator.draw_latents(2, 5, torch.Generator().manual_seed(0)))
    assert land.shape == (2, 88, 88)
    blocks = land[:, 4:-4, 4:-4].reshape(2, 5, 16, 5, 16).mean((2, 4))
    assert torch.allclose(blocks, control[:, 8:-8, 8:-8], atol=0.05)
    assert land.std() > control[:, 8:-8, 8:-8].std()  # it adds detail


def test_generator_sees_a_finite_window() -> None:
    """A change of the control map's far corner must not reach the land's near corner, and nothing is padded."""
    generator = Generator()
    control = control_map(12)
    changed = control.clone()
    changed[:, -9:, -9:] += 500
    latents = generator.draw_latents(1, 12, torch.Generator().manual_seed(0))
    with torch.no_grad():
        a, b = generator(control, latents), generator(changed, latents)
    assert torch.allclose(a[:, :40, :40], b[:, :40, :40], atol=1e-3)
    assert not torch.allclose(a[:, -40:, -40:], b[:, -40:, -40:], atol=1.0)


def test_amplitude_follows_relief() -> None:
    flat, rough = torch.full((1, 20, 20), 500.0).double(), control_map(4).double() * 3
    levels = networks.amplitude_thresholds(), networks.height_thresholds()
    features, amplitude, mean = networks.control_features(flat, *levels)
    assert features.shape == (1, 3, 16, 16)
    assert torch.equal(amplitude, torch.full((1, 12, 12), networks.AMPLITUDE_FLOOR_M).double())
    assert torch.equal(mean, torch.full((1, 16, 16), 500.0).double())
    assert (features[:, 0] == 0).all()
    assert networks.control_features(rough, *levels)[1].min() > 30


def test_features_are_bytes() -> None:
    wild = torch.rand(1, 24, 24, dtype=torch.float64) * 9000
    features, _, _ = networks.control_features(wild, networks.amplitude_thresholds(), networks.height_thresholds())
    assert torch.equal(features, features.round())
    assert features.abs().max() <= 127


def test_discriminator_sees_slopes() -> None:
    discriminator = Discriminator(32)
    control = control_map(2)
    land = torch.arange(40.0).expand(1, 40, 40) * 9  # rises 9 m a pixel to the east
    view = discriminator.view(land, control)
    assert view.shape == (1, 6, 32, 32)
    assert discriminator(view).shape == (1,)
    amplitude = 45 / view[:, 1]
    assert (amplitude > 0).all()
    assert view[:, 2].abs().max() == 0
    flipped = discriminator.view(land.flip(2), control)
    assert torch.allclose(flipped[:, 1], -view[:, 1])
