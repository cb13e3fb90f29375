"""Table of objectives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from napari_slicegan.config.registry import Table
from napari_slicegan.losses.absolute import (
    BINARY_CROSS_ENTROPY,
    HINGE,
    LEAST_SQUARES,
    AbsoluteScores,
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


def _penalised(make: Callable[[float, int], Objective]) -> Build:
    return lambda s: make(s.penalty_weight, s.penalty_interval)


OBJECTIVES: Mapping[str, Build] = Table(
    "objective",
    {
        "wgan-gp": _penalised(WassersteinGradientPenalty),
        "r3gan": _penalised(RelativisticPairing),
        "wgan": lambda s: WassersteinClipping(s.weight_clip),
        "bce": _penalised(partial(AbsoluteScores, BINARY_CROSS_ENTROPY)),
        "lsgan": _penalised(partial(AbsoluteScores, LEAST_SQUARES)),
        "hinge": _penalised(partial(AbsoluteScores, HINGE)),
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
