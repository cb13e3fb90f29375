"""Realness objective of RealnessGAN (Xiangli et al. 2020)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from napari_slicegan.losses.base import Critic, CriticLoss, Objective
from napari_slicegan.runtime.devices import to_device

if TYPE_CHECKING:
    from napari_slicegan.config import ObjectiveSettings
    from napari_slicegan.config.training import RealnessForm

DRAWS = 1000
# Shape parameter of the skew-normal distribution at a skew of 1.
SKEW_NORMAL_SHAPE = 5.0


Anchors: TypeAlias = Callable[[torch.Generator], tuple[Tensor, Tensor]]
"""Draws the anchors of a step, of real and of generated images.

Each is [outcomes] and sums to 1.
"""


def uniform_and_normal(outcomes: int, skew: float) -> Anchors:
    """Histograms of a uniform (real) and a normal sample (generated), shifted apart.

    ``skew`` shifts the outcomes, up for real and down for generated images; mass beyond
    [-1, 1] accumulates at the ends.
    """

    def draw(rng: torch.Generator) -> tuple[Tensor, Tensor]:
        uniform = 2 * torch.rand(DRAWS, generator=rng) - 1
        normal = torch.randn(DRAWS, generator=rng)
        return (
            skewed(histogram(uniform, outcomes), skew),
            skewed(histogram(normal, outcomes), -skew),
        )

    return draw


def skew_normals(outcomes: int, skew: float) -> Anchors:
    """Histograms of two skew-normal samples, with their peaks at opposite ends.

    ``skew`` is the shape parameter in units of ``SKEW_NORMAL_SHAPE``.
    """
    shape = SKEW_NORMAL_SHAPE * skew

    def draw(rng: torch.Generator) -> tuple[Tensor, Tensor]:
        real = skew_normal(-shape, DRAWS, rng)
        generated = skew_normal(shape, DRAWS, rng)
        return histogram(real, outcomes), histogram(generated, outcomes)

    return draw


def fixed(real: Sequence[float], generated: Sequence[float]) -> Anchors:
    """The same two anchors in every step, scaled to a sum of 1."""
    anchors = [torch.tensor(each, dtype=torch.float64) for each in (real, generated)]
    first, second = (anchor / anchor.sum() for anchor in anchors)
    return lambda _: (first, second)


def build_anchors(settings: ObjectiveSettings) -> Anchors:
    """Anchors of the settings.

    Raises
    ------
    ValueError
        If custom anchors do not have one number per outcome, or no positive one.
    """
    outcomes = settings.outcomes
    if settings.anchors == "normal-uniform":
        return uniform_and_normal(outcomes, settings.anchor_skew)
    if settings.anchors == "skew-normal":
        return skew_normals(outcomes, settings.anchor_skew)
    real, generated = settings.real_anchor, settings.generated_anchor
    for title, anchor in (("real", real), ("generated", generated)):
        if len(anchor) != outcomes or not sum(anchor) > 0:
            raise ValueError(
                f"'Anchor, {title}' must hold {outcomes} numbers, one for each of the "
                f"'Outcomes', some of them above 0; got {len(anchor)}: "
                f"{', '.join(f'{number:g}' for number in anchor) or 'none'}."
            )
    return fixed(real, generated)


def histogram(sample: Tensor, outcomes: int) -> Tensor:
    """Fractions of a sample [n] in equal bins from its minimum to its maximum."""
    counts = torch.histc(sample, outcomes)  # without limits: those of the sample
    return counts / counts.sum()


def skewed(anchor: Tensor, skew: float) -> Tensor:
    """Anchor with its outcomes shifted by ``skew`` on [-1, 1], projected to the grid.

    Each outcome's mass goes to the two nearest grid points in proportion, as in the
    projection of distributional reinforcement learning (Bellemare et al. 2017, eq. 7).
    The skew is from -2 to 2; 0 changes nothing.
    """
    n = len(anchor)
    places = torch.arange(n, dtype=torch.float64)
    moved = (places + skew * (n - 1) / 2).clamp(0, n - 1)
    shares = (1 - (moved[:, None] - places).abs()).clamp_min(0)  # [from, to]
    return (anchor.double() @ shares).to(anchor.dtype)


def skew_normal(shape: float, n: int, rng: torch.Generator) -> Tensor:
    """Sample of the skew-normal distribution, [n]; Azzalini (1985).

    delta |a| + sqrt(1 - delta^2) b, a and b normal, delta = shape / sqrt(1 + shape^2).
    """
    delta = shape / math.hypot(1, shape)
    folded = torch.randn(n, generator=rng).abs()
    return delta * folded + math.sqrt(1 - delta**2) * torch.randn(n, generator=rng)


class Realness(Objective):
    """The critic predicts a distribution over outcomes of realness for each image.

    Parameters
    ----------
    outcomes
        Outcomes of the critic.
    anchors
        Target distributions for real and generated images, redrawn in every critic
        step; with frozen anchors, modes of the data are lost.
    form
        Objective of the generator: away from the anchor of generated images (O1, eq.
        18), and also towards real images (O2, eq. 19) or towards the anchor of real
        images (O3, eq. 20).
    """

    draws = True

    def __init__(
        self, outcomes: int, anchors: Anchors, form: RealnessForm = "O2"
    ) -> None:
        self.outputs = outcomes
        self.form = form
        self.pairs_images = form == "O2"
        self._anchors = anchors

    def begin_step(self, rng: torch.Generator) -> None:
        """Draw the anchors of the step."""
        self.real_anchor, self.generated_anchor = self._anchors(rng)

    def critic_loss(self, critic: Critic, real: Tensor, fake: Tensor) -> CriticLoss:
        """KL(A1 || D(real)) + KL(A0 || D(fake)) but for the entropy of the anchors."""
        loss = cross_entropy(self.real_anchor, critic(real))
        loss = loss + cross_entropy(self.generated_anchor, critic(fake.detach()))
        return CriticLoss(loss, torch.zeros_like(loss))

    def generator_loss(
        self,
        critic: Critic,
        real: Tensor,
        fake: Tensor,
        real_scores: Tensor | None = None,
    ) -> Tensor:
        """-KL(A0 || D(fake)), for O2 + KL(D(real) || D(fake)), for O3 + KL(A1 || ...).

        Constant entropies are left out. May be negative.
        """
        answers = critic(fake)
        loss = -cross_entropy(self.generated_anchor, answers)
        if self.form == "O2":
            with torch.no_grad():
                real_answers = critic(real).softmax(dim=-1)
            loss = loss + cross_entropy(real_answers, answers)
        elif self.form == "O3":
            loss = loss + cross_entropy(self.real_anchor, answers)
        return loss


def cross_entropy(target: Tensor, logits: Tensor) -> Tensor:
    """Mean of -sum target log softmax(logits), finite also where the target is 0.

    Differs from the Kullback-Leibler divergence KL(target || softmax(logits)) by the
    entropy of the target only. The target is [outcomes] or [N, outcomes], the logits
    are [N, outcomes].
    """
    target = to_device(target, logits.device).to(logits.dtype)
    return -(target * logits.log_softmax(dim=-1)).sum(dim=-1).mean()


def build_realness(settings: ObjectiveSettings) -> Realness:
    """Objective with the anchors that the settings name."""
    anchors = build_anchors(settings)
    return Realness(settings.outcomes, anchors, settings.realness_form)
