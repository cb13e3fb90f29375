"""Distributions of patches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import fft

from napari_slicegan.losses.patches import PatchLoss, waves

EDGE = 64


def noise(n: int = 4, channels: int = 1, seed: int = 0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(n, channels, EDGE, EDGE, generator=rng)


def slope(
    real: torch.Tensor, generated: torch.Tensor, n_steps: int = 16
) -> tuple[float, torch.Tensor]:
    """Loss of the last of some steps with the same images; its gradient, summed."""
    loss, total = PatchLoss(1, real.shape[1], EDGE), torch.zeros_like(generated)
    value = 0.0
    for _ in range(n_steps):
        images = generated.clone().requires_grad_()
        found = loss([real], [images])
        found.backward()
        assert images.grad is not None
        total += images.grad
        value = found.item()
    return value, total


def test_waves_are_those_of_the_cosine_transform() -> None:
    """Against scipy's orthonormal transform; channels one by one."""
    patch = noise()[0, 0, :5, :5]
    found = waves(2)
    assert found.shape == (50, 2, 5, 5)
    projections = (found * torch.stack([patch, 2 * patch])).sum(dim=(1, 2, 3))
    wanted = torch.as_tensor(fft.dctn(patch.numpy(), norm="ortho")).flatten()
    torch.testing.assert_close(projections, torch.cat([wanted, 2 * wanted]))


def test_equal_images_have_no_loss() -> None:
    images = noise()
    value, gradient = slope(images, images)
    of_others, strong = slope(images, 2 * images)
    assert value < 1e-6 * of_others
    assert gradient.norm() < 1e-4 * strong.norm()


@pytest.mark.parametrize("factor", [0.7, 1.4])
def test_contrast_moves_towards_that_of_the_real_images(factor: float) -> None:
    real = noise()
    generated = factor * noise(seed=1)
    _, gradient = slope(real, generated)
    assert torch.sign((gradient * generated).sum()) == np.sign(factor - 1)


def test_too_strong_fine_waves_are_removed_without_the_rest() -> None:
    """A checkerboard that the real images lack."""
    real = noise()
    board = torch.ones(EDGE, EDGE)
    board[::2, 1::2] = board[1::2, ::2] = -1
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0]).view(-1, 1, 1, 1)
    _, gradient = slope(real, real + 0.5 * signs * board)
    along = (gradient * signs * board).mean()
    coarse = torch.nn.functional.avg_pool2d(gradient, 8)
    assert along > 10 * coarse.abs().mean()


def test_axes_of_an_isotropic_material_share_real_patches() -> None:
    first, second = noise(), 3 * noise(seed=1)
    shared, own = PatchLoss(2, 1, EDGE, share_images=True), PatchLoss(2, 1, EDGE)
    for loss in (shared, own):
        loss([first, second], [first, second])
    assert torch.equal(shared.real[0], shared.real[1])
    assert own.real[1].std() > 2 * own.real[0].std()
    assert torch.equal(shared.generated, own.generated)


@pytest.mark.parametrize("edge", [16, 24, 32, 128])
def test_images_of_any_training_size(edge: int) -> None:
    images = noise(2, 3)[..., :edge, :edge].repeat(1, 1, 2, 2)[..., :edge, :edge]
    loss = PatchLoss(3, 3, edge)
    value = loss([images] * 3, [images.clone().requires_grad_()] * 3)
    assert torch.isfinite(value)
