"""The realness objective against its Kullback-Leibler formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from napari_slicegan.systems.realness_loss import (
    Realness,
    cross_entropy,
    fixed,
    uniform_and_normal,
)

if TYPE_CHECKING:
    from napari_slicegan.config.training import RealnessForm

REAL_ANCHOR = (0.05, 0.05, 0.1, 0.3, 0.5)
GENERATED_ANCHOR = (0.6, 0.2, 0.1, 0.07, 0.03)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=rng(seed), dtype=torch.float64)


def begun(
    form: RealnessForm = "O2",
    real: tuple[float, ...] = REAL_ANCHOR,
    generated: tuple[float, ...] = GENERATED_ANCHOR,
) -> Realness:
    objective = Realness(len(real), fixed(real, generated), form)
    objective.begin_step(rng())
    return objective


def divergence(first: Tensor, second: Tensor) -> Tensor:
    """Mean of KL(first || second) as it is written in books; both without zeros."""
    return (first * (first / second).log()).sum(dim=-1).mean()


def identity(images: Tensor) -> Tensor:
    """A critic whose logits are the images themselves."""
    return images


def test_gradient_of_the_critic() -> None:
    """By the formula KL(A1 || D(x)) + KL(A0 || D(G(z))), and (softmax - A) / batch."""
    logits = [normal(4, 5).requires_grad_(True), normal(6, 5, seed=2)]
    real, fake = logits[0], logits[1].requires_grad_(True)
    answers: list[Tensor] = []

    def critic(images: Tensor) -> Tensor:
        answers.append(images.detach().requires_grad_(True))
        return answers[-1]

    begun().critic_loss(critic, real, fake).total.backward()
    a1, a0 = begun().real_anchor, begun().generated_anchor
    expected = divergence(a1, real.softmax(-1)) + divergence(a0, fake.softmax(-1))
    by_formula = torch.autograd.grad(expected, [real, fake])
    closed = ((real.softmax(-1) - a1) / 4, (fake.softmax(-1) - a0) / 6)
    for found, slow, short in zip(answers, by_formula, closed, strict=True):
        assert found.grad is not None
        torch.testing.assert_close(found.grad, slow, rtol=1e-5, atol=1e-9)
        torch.testing.assert_close(found.grad, short.detach(), rtol=1e-5, atol=1e-9)


FORMULAS: dict[RealnessForm, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]] = {
    "O1": lambda a1, a0, real, fake: -divergence(a0, fake),
    "O2": lambda a1, a0, real, fake: divergence(real, fake) - divergence(a0, fake),
    "O3": lambda a1, a0, real, fake: divergence(a1, fake) - divergence(a0, fake),
}


@pytest.mark.parametrize("form", ["O1", "O2", "O3"])
def test_gradient_of_the_generator(form: RealnessForm) -> None:
    """Equations 18, 19 and 20; nothing flows through the critic's view of real ones."""
    real = normal(6, 5).requires_grad_(True)
    fake = normal(6, 5, seed=2).requires_grad_(True)
    a1, a0 = begun().real_anchor, begun().generated_anchor
    formula = FORMULAS[form](a1, a0, real.detach().softmax(-1), fake.softmax(-1))
    (expected,) = torch.autograd.grad(formula, fake)
    begun(form).generator_loss(identity, real, fake).backward()
    assert fake.grad is not None
    torch.testing.assert_close(fake.grad, expected, rtol=1e-5, atol=1e-9)
    assert real.grad is None


def test_empty_outcomes_and_sure_critics_are_finite() -> None:
    """P log(P / Q) would be 0 log 0; and log of a softmax of -2,000."""
    for form in FORMULAS:
        objective = begun(form, real=(0, 0, 0.4, 0.6), generated=(0.5, 0.5, 0, 0))
        real = torch.tensor([[0.0, 0.0, 1000.0, -1000.0]])
        fake = torch.tensor([[1000.0, -1000.0, 0.0, 0.0]]).requires_grad_(True)
        assert objective.critic_loss(identity, real, fake).total.isfinite()
        loss = objective.generator_loss(identity, real, fake)
        loss.backward()
        assert loss.isfinite()
        assert fake.grad is not None
        assert fake.grad.isfinite().all()


def test_cross_entropy_in_single_precision() -> None:
    """Of two outcomes it is softplus of the difference: here ln(1 + e^-3)."""
    logits = torch.tensor([[1.0, 4.0]])
    target = torch.tensor([0.0, 1.0], dtype=torch.float64)
    found = cross_entropy(target, logits)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(0.0485873, rel=1e-5)


def test_the_optimum_for_a_fixed_generator() -> None:
    """D* = (A1 p_data + A0 p_g) / (p_data + p_g) on two points, to 1e-4.

    Point a makes up 0.3 of the data and 0.8 of what is generated, point b the rest.
    """
    table = torch.zeros(2, 5, dtype=torch.float64, requires_grad=True)
    real = torch.tensor([0] * 3 + [1] * 7)
    fake = torch.tensor([0] * 8 + [1] * 2)
    objective = begun()
    optimiser = torch.optim.LBFGS(
        [table], max_iter=200, tolerance_grad=1e-12, line_search_fn="strong_wolfe"
    )

    def closure() -> float:
        optimiser.zero_grad()
        loss = objective.critic_loss(lambda points: table[points], real, fake).total
        loss.backward()
        return loss.item()

    optimiser.step(closure)
    a1, a0 = begun().real_anchor, begun().generated_anchor
    data, made = torch.tensor([[0.3], [0.7]]), torch.tensor([[0.8], [0.2]])
    expected = (a1 * data + a0 * made) / (data + made)
    torch.testing.assert_close(table.softmax(-1), expected.double(), atol=1e-4, rtol=0)


def test_two_outcomes_are_the_standard_objective() -> None:
    """A1 = [0, 1], A0 = [1, 0]: binary cross-entropy of the difference of logits."""
    objective = begun("O1", real=(0, 1), generated=(1, 0))
    real, fake = normal(4, 2), normal(4, 2, seed=2)
    found = objective.critic_loss(identity, real, fake).total
    bce = nn.functional.binary_cross_entropy_with_logits
    expected = bce(real[:, 1] - real[:, 0], torch.ones(4).double())
    expected += bce(fake[:, 1] - fake[:, 0], torch.zeros(4).double())
    torch.testing.assert_close(found, expected)


def test_anchors_are_drawn_in_every_step() -> None:
    """From the stream of the run; both losses of a step use the same ones."""
    objective = Realness(10, uniform_and_normal(10, 1))
    stream = rng(5)
    objective.begin_step(stream)
    first = objective.real_anchor
    real, fake = normal(3, 10), normal(3, 10, seed=2)
    loss = objective.critic_loss(identity, real, fake).total
    assert torch.equal(objective.critic_loss(identity, real, fake).total, loss)
    objective.begin_step(stream)
    assert not torch.equal(objective.real_anchor, first)
    assert not torch.equal(objective.critic_loss(identity, real, fake).total, loss)
    other = Realness(10, uniform_and_normal(10, 1))
    other.begin_step(rng(5))
    assert torch.equal(other.real_anchor, first)


def test_only_the_relativistic_form_pairs_images() -> None:
    assert [begun(form).pairs_images for form in ("O1", "O2", "O3")] == [0, 1, 0]
    assert begun().outputs == 5
