"""Hard phases: the values of a finished volume, the gradient of a soft one."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_slicegan.training.adversarial_step import straight_through


def soft_sum(logits: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Weighted sum of a softmax of logits of root mean square 3, [C, voxels]."""
    centred = logits - logits.mean(axis=0)
    scaled = 3 * centred / np.sqrt((centred**2).mean())
    powers = np.exp(scaled)
    return float((weights * powers / powers.sum(axis=0)).sum())


def slow_gradient(
    logits: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Central differences of `soft_sum`, one logit after the other."""
    gradient, step = np.zeros_like(logits), 1e-5
    for place in np.ndindex(logits.shape):
        ahead, behind = logits.copy(), logits.copy()
        ahead[place] += step
        behind[place] -= step
        difference = soft_sum(ahead, weights) - soft_sum(behind, weights)
        gradient[place] = difference / (2 * step)
    return gradient


def test_hardened() -> None:
    """One-hot values; the gradient of a softmax of fixed scale, however sure it is.

    In the second voxel the phases are 40 apart: a probability of 4e-18.
    """
    logits = np.array([[0.2, 20.0, 3.0], [0.5, -20.0, 9.0], [0.1, 0.0, 8.0]])
    weights = np.arange(9.0).reshape(3, 3) ** 2
    scores = torch.tensor(logits, dtype=torch.float32).view(1, 3, 3, 1, 1)
    scores.requires_grad_(True)
    made = straight_through(scores)
    expected = torch.tensor([[0.0, 1, 0], [1, 0, 1], [0, 0, 0]]).view(1, 3, 3, 1, 1)
    torch.testing.assert_close(made, expected)
    pulled = made * torch.tensor(weights, dtype=torch.float32).view(1, 3, 3, 1, 1)
    (found,) = torch.autograd.grad(pulled.sum(), scores)
    slow = torch.tensor(slow_gradient(logits, weights)).view(1, 3, 3, 1, 1)
    assert slow.abs().min() > 1e-4
    torch.testing.assert_close(found.double(), slow, rtol=1e-4, atol=1e-6)


def test_hardened_does_not_depend_on_how_sure_the_generator_is() -> None:
    """Ten times the logits: the same values, a tenth of the gradient."""
    scores = torch.randn(2, 3, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    weights = torch.arange(3.0).view(1, 3, 1, 1, 1)
    gradients: list[Tensor] = []
    for factor in (0.1, 1.0):
        logits = (factor * scores).requires_grad_(True)
        made = straight_through(logits)
        torch.testing.assert_close(made.detach().argmax(dim=1), scores.argmax(dim=1))
        gradients += torch.autograd.grad((made * weights).sum(), logits)
    torch.testing.assert_close(gradients[0], 10 * gradients[1], rtol=1e-3, atol=1e-6)
