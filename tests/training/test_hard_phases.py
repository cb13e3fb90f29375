"""Hard phases: the values of a finished volume, the gradient of a soft one."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_slicegan.training.hard_phases import hardened


def test_hardened() -> None:
    """The values of the best phase, the gradient of a softmax of fixed scale."""
    scores = torch.tensor([[0.2, 1.0], [0.5, -3.0], [0.1, 0.0]]).view(1, 3, 2, 1, 1)
    scores.requires_grad_(True)
    weights = torch.arange(6.0).view(1, 3, 2, 1, 1)
    made = hardened(scores.softmax(dim=1))
    expected = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]).view(1, 3, 2, 1, 1)
    torch.testing.assert_close(made, expected)
    centred = scores - scores.mean(dim=1, keepdim=True)
    soft = (3 * centred / centred.square().mean().sqrt()).softmax(dim=1)
    (found,) = torch.autograd.grad((made * weights).sum(), scores)
    (slow,) = torch.autograd.grad((soft * weights).sum(), scores)
    torch.testing.assert_close(found, slow, rtol=1e-4, atol=1e-6)


def test_hardened_does_not_depend_on_how_sure_the_generator_is() -> None:
    """Ten times the logits: the same values, a tenth of the gradient."""
    scores = torch.randn(2, 3, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    weights = torch.arange(3.0).view(1, 3, 1, 1, 1)
    gradients: list[Tensor] = []
    for factor in (0.1, 1.0):
        logits = (factor * scores).requires_grad_(True)
        made = hardened(logits.softmax(dim=1))
        torch.testing.assert_close(made.detach().argmax(dim=1), scores.argmax(dim=1))
        gradients += torch.autograd.grad((made * weights).sum(), logits)
    torch.testing.assert_close(gradients[0], 10 * gradients[1], rtol=1e-3, atol=1e-6)
