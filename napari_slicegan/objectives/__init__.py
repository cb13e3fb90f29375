"""The objectives by name; a new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from napari_slicegan.objectives.base import CriticLoss, Objective
from napari_slicegan.objectives.r3gan import RelativisticPairing
from napari_slicegan.objectives.wgan_gp import WassersteinGradientPenalty

if TYPE_CHECKING:
    from napari_slicegan.config import ObjectiveSettings

OBJECTIVES: Mapping[str, Callable[[float, int], Objective]] = {
    "wgan-gp": WassersteinGradientPenalty,
    "r3gan": RelativisticPairing,
}


def build_objective(settings: ObjectiveSettings) -> Objective:
    """Objective of the settings."""
    return OBJECTIVES[settings.objective](
        settings.penalty_weight, settings.penalty_every
    )


__all__ = ["OBJECTIVES", "CriticLoss", "Objective", "build_objective"]
