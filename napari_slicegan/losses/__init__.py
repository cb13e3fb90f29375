"""Table of objectives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from napari_slicegan.config.registry import Table
from napari_slicegan.losses.absolute import (
    BINARY_CROSS_ENTROPY,
    HINGE,
    LEAST_SQUARES,
    AbsoluteScores,
    ScoreLosses,
)
from napari_slicegan.losses.base import CriticLoss, Objective
from napari_slicegan.losses.r3gan import RelativisticPairing
from napari_slicegan.losses.wasserstein import (
    WassersteinClipping,
    WassersteinGradientPenalty,
)

if TYPE_CHECKING:
    from napari_slicegan.config import ObjectiveSettings

    Build = Callable[[ObjectiveSettings], Objective]


def _absolute(losses: ScoreLosses) -> Build:
    return lambda s: AbsoluteScores(losses, s.penalty_weight, s.penalty_interval)


OBJECTIVES: Mapping[str, Build] = Table(
    "objective",
    {
        "wgan-gp": lambda s: WassersteinGradientPenalty(
            s.penalty_weight, s.penalty_interval
        ),
        "r3gan": lambda s: RelativisticPairing(s.penalty_weight, s.penalty_interval),
        "wgan": lambda s: WassersteinClipping(s.weight_clip),
        "bce": _absolute(BINARY_CROSS_ENTROPY),
        "lsgan": _absolute(LEAST_SQUARES),
        "hinge": _absolute(HINGE),
    },
)


def build_objective(settings: ObjectiveSettings) -> Objective:
    """Objective of the settings.

    Raises
    ------
    ValueError
        If the settings contradict each other.
    """
    return OBJECTIVES[settings.objective](settings)


__all__ = ["OBJECTIVES", "CriticLoss", "Objective", "build_objective"]
