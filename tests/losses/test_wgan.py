"""Wasserstein distance with clipped weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_slicegan.losses.wasserstein import WassersteinClipping


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_losses_and_gradients_of_a_linear_critic() -> None:
    """E fake - E real for the critic, -E fake for the generator."""
    critic = nn.Linear(4, 1, bias=False)
    weight = critic.weight.detach()[0]
    real, fake = normal(3, 1, 2, 2), normal(5, 1, 2, 2, seed=2).requires_grad_(True)
    objective = WassersteinClipping(0.01)

    def scores(images: Tensor) -> Tensor:
        result: Tensor = critic(images.flatten(1))
        return result

    loss = objective.critic_loss(scores, real, fake)
    distance = fake.detach().flatten(1).mean(dim=0) - real.flatten(1).mean(dim=0)
    torch.testing.assert_close(loss.total, distance @ weight)
    assert loss.penalty == 0
    loss.total.backward()
    assert critic.weight.grad is not None
    torch.testing.assert_close(critic.weight.grad[0], distance)
    assert fake.grad is None
    objective.generator_loss(scores, real, fake).backward()
    assert fake.grad is not None
    torch.testing.assert_close(fake.grad.flatten(1), (-weight / 5).expand(5, 4))


def test_all_weights_are_clipped() -> None:
    """Larger ones to the bound, smaller ones not at all; biases too."""
    critic = nn.Linear(3, 1)
    with torch.no_grad():
        critic.weight.copy_(torch.tensor([[0.5, -0.004, -2.0]]))
        critic.bias.fill_(0.3)
    WassersteinClipping(0.01).after_critic_step(critic)
    expected = torch.tensor([[0.01, -0.004, -0.01]])
    torch.testing.assert_close(critic.weight.detach(), expected, rtol=0, atol=0)
    assert critic.bias.item() == torch.tensor(0.01).item()
    assert critic.weight.requires_grad
