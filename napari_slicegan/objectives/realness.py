"""A critic that answers with a distribution (RealnessGAN, Xiangli et al. 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from napari_slicegan.machine.devices import to_device
from napari_slicegan.objectives.base import Critic, CriticLoss

if TYPE_CHECKING:
    from napari_slicegan.config.game import RealnessForm
    from napari_slicegan.objectives.anchors import Anchors


class Realness:
    """The critic gives each image a distribution over outcomes of realness.

    Parameters
    ----------
    outcomes
        Outcomes of the critic.
    anchors
        Where the distributions of real and of generated images are to go. They are
        drawn anew in every critic step; frozen ones lose modes of the data.
    form
        What the generator minimises: that its images are unlike the anchor of
        generated ones (O1, eq. 18), and beside this like real images (O2, eq. 19) or
        like the anchor of real ones (O3, eq. 20).
    """

    def __init__(
        self, outcomes: int, anchors: Anchors, form: RealnessForm = "O2"
    ) -> None:
        self.outputs = outcomes
        self.form = form
        self.pairs_images = form == "O2"
        self._anchors = anchors

    def begin_step(self, rng: torch.Generator) -> None:
        """Draw the anchors of the step."""
        self.real_anchor, self.generated_anchor = self._anchors.draw(rng)

    def critic_loss(self, critic: Critic, real: Tensor, fake: Tensor) -> CriticLoss:
        """KL(A1 || D(real)) + KL(A0 || D(fake)) but for the entropy of the anchors."""
        loss = cross_entropy(self.real_anchor, critic(real))
        loss = loss + cross_entropy(self.generated_anchor, critic(fake.detach()))
        return CriticLoss(loss, torch.zeros_like(loss))

    def generator_loss(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
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

    def after_critic_step(self, critic: torch.nn.Module) -> None:
        """Nothing to do: the anchors bound the critic."""

    def state_dict(self) -> dict[str, Any]:
        """Empty: the anchors are drawn anew from a stream that the run keeps."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to take over."""


def cross_entropy(target: Tensor, logits: Tensor) -> Tensor:
    """Mean of -sum target log softmax(logits), finite also where the target is 0.

    Differs from the Kullback-Leibler divergence KL(target || softmax(logits)) by the
    entropy of the target only.

    Parameters
    ----------
    target
        [outcomes], or [N, outcomes].
    logits
        [N, outcomes].
    """
    target = to_device(target, logits.device).to(logits.dtype)
    return -(target * logits.log_softmax(dim=-1)).sum(dim=-1).mean()
