"""Wasserstein distance with gradient penalty, against the formula."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from napari_slicegan.losses.wasserstein import WassersteinGradientPenalty


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=rng(seed), dtype=torch.float64)


class LinearCritic(nn.Module):
    """D(x) = w . x, whose gradient is w everywhere."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weight[:, None]


class QuadraticCritic(nn.Module):
    """D(x) = |x|^2 / 2, whose gradient is x."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1).square().sum(dim=1, keepdim=True) / 2


def begun(weight: float, every: int = 1, seed: int = 0) -> WassersteinGradientPenalty:
    objective = WassersteinGradientPenalty(weight, every)
    objective.begin_step(rng(seed))
    return objective


def test_penalty_of_a_linear_critic() -> None:
    """(|w| - 1)^2, wherever it is measured: |w| = 5 gives 10 * 16."""
    for n_real, n_fake in [(5, 5), (2, 9), (9, 2)]:
        weight = torch.zeros(12, dtype=torch.float64)
        weight[3], weight[7] = 3, -4
        real, fake = normal(n_real, 3, 2, 2), normal(n_fake, 3, 2, 2, seed=2)
        loss = begun(10).critic_loss(LinearCritic(weight), real, fake)
        torch.testing.assert_close(loss.penalty.item(), 160.0)
        distance = (fake.flatten(1) @ weight).mean() - (real.flatten(1) @ weight).mean()
        torch.testing.assert_close(loss.total.item(), distance.item() + 160.0)
        assert not loss.penalty.requires_grad


def test_gradient_of_a_linear_critic() -> None:
    """E fake - E real + 2 * 10 (|w| - 1) w / |w|, by hand."""
    weight = normal(12)
    critic = LinearCritic(weight)
    real, fake = normal(6, 3, 2, 2), normal(4, 3, 2, 2, seed=2)
    begun(10).critic_loss(critic, real, fake).total.backward()
    size = weight.norm()
    expected = fake.flatten(1).mean(0) - real.flatten(1).mean(0)
    expected += 20 * (size - 1) * weight / size
    torch.testing.assert_close(critic.weight.grad, expected)


def test_gradient_of_a_real_critic_by_finite_differences() -> None:
    """The second derivatives of the penalty reach the weights."""
    torch.manual_seed(0)
    critic = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(12, 1)
    )
    critic = critic.double()
    real, fake = normal(4, 2, 4, 4), normal(4, 2, 4, 4, seed=2)

    def total() -> Tensor:
        return begun(10).critic_loss(critic, real, fake).total

    total().backward()
    weight = next(critic.parameters())
    assert weight.grad is not None
    for index in ((0, 0, 0, 0), (2, 1, 2, 1), (1, 0, 1, 2)):
        values = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                weight[index] += step
            values.append(total().item())
            with torch.no_grad():
                weight[index] -= step
        slope = (values[0] - values[1]) / 2e-5
        assert weight.grad[index].item() == pytest.approx(slope, rel=1e-5)


def penalised_points(n_real: int, n_fake: int, seed: int) -> Tensor:
    """The mixtures that a penalty looks at."""
    seen: list[Tensor] = []

    class Watcher(QuadraticCritic):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(images.detach())
            return super().forward(images)

    # Real images hold their number, generated ones 1,000 times theirs (from 1).
    real = torch.arange(float(n_real)).view(-1, 1, 1, 1).expand(n_real, 1, 2, 2) + 1
    fake = 1000 * (torch.arange(float(n_fake)).view(-1, 1, 1, 1) + 1)
    begun(10, seed=seed).critic_loss(
        Watcher(), real.double(), fake.expand(n_fake, 1, 2, 2).double()
    )
    # The critic sees generated, real and mixed images.
    assert [len(images) for images in seen] == [n_fake, n_real, min(n_real, n_fake)]
    return seen[-1]


def test_penalty_is_measured_between_random_pairs() -> None:
    """Not always on the first planes of the first volume: all generated ones come."""
    partners = set()
    shares = []
    for seed in range(200):
        for number, mixed in enumerate(penalised_points(3, 8, seed), start=1):
            value = mixed[0, 0, 0].item()
            # One share for the whole image.
            assert (mixed == value).all()
            # value = share * number + (1 - share) * 1000 * partner
            partner = next(p for p in range(1, 9) if value <= 1000 * p)
            partners.add(partner)
            shares.append((1000 * partner - value) / (1000 * partner - number))
    assert partners == set(range(1, 9))
    assert min(shares) < 0.05
    assert max(shares) < 1
    # All shares lie between the ends.
    assert all(0 <= share <= 1 for share in shares)


def test_no_generated_image_is_penalised_twice() -> None:
    """Eight pairs of eight images: each partner once, shares aside."""
    real = torch.zeros(8, 8, 1, 1, dtype=torch.float64)
    fake = torch.eye(8, dtype=torch.float64).view(8, 8, 1, 1)
    seen: list[Tensor] = []

    class Watcher(QuadraticCritic):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(images.detach())
            return super().forward(images)

    begun(10).critic_loss(Watcher(), real, fake)
    partners = seen[-1].flatten(1).argmax(dim=1)
    assert sorted(partners.tolist()) == list(range(8))


def test_random_numbers_come_from_the_given_generator() -> None:
    torch.manual_seed(1)
    first = penalised_points(3, 8, seed=4)
    torch.manual_seed(2)
    assert torch.equal(first, penalised_points(3, 8, seed=4))
    assert not torch.equal(first, penalised_points(3, 8, seed=5))


def test_loss_of_the_generator() -> None:
    """-E D(fake), with its gradient -w / N for each image."""
    weight = normal(4)
    fake = normal(5, 1, 2, 2).requires_grad_(True)
    critic = LinearCritic(weight)
    loss = begun(10).generator_loss(critic, normal(5, 1, 2, 2), fake)
    torch.testing.assert_close(loss, -(fake.flatten(1) @ weight).mean())
    loss.backward()
    assert fake.grad is not None
    torch.testing.assert_close(fake.grad.flatten(1), (-weight / 5).expand(5, 4))


def test_weight_of_zero_is_no_penalty() -> None:
    loss = begun(0).critic_loss(
        LinearCritic(normal(4)), normal(3, 1, 2, 2), normal(3, 1, 2, 2)
    )
    assert loss.penalty == 0


def test_a_flat_critic_has_a_finite_gradient() -> None:
    """Where the slope is 0, so is the derivative of its norm; not nan."""
    critic = LinearCritic(torch.zeros(4, dtype=torch.float64))
    loss = begun(10).critic_loss(critic, normal(3, 1, 2, 2), normal(3, 1, 2, 2, seed=2))
    assert loss.penalty == 10
    loss.total.backward()
    assert critic.weight.grad is not None
    assert torch.isfinite(critic.weight.grad).all()


def test_any_number_of_images_and_one_score() -> None:
    assert not WassersteinGradientPenalty.pairs_images
    assert WassersteinGradientPenalty.outputs == 1
