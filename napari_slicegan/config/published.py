"""Optimiser, steps and penalty that each objective was published with."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_slicegan.config.run import RunConfig

_ADAM: Mapping[str, object] = {
    "generator_optimiser": "adam",
    "critic_optimiser": "adam",
    "critic_steps": 1,
    "generator_steps": 1,
    "penalty_weight": 0.0,
    "lr_decay_start": 1.0,
    "output_lr_scale": 1.0,
    "lookahead": 0,
}
_RMSPROP = {**_ADAM, "generator_optimiser": "rmsprop", "critic_optimiser": "rmsprop"}


def _rate(rate: float) -> dict[str, float]:
    return {"generator_lr": rate, "critic_lr": rate}


PUBLISHED: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        # Gulrajani et al. 2017, algorithm 1, which SliceGAN follows.
        "wgan-gp": {
            **_ADAM,
            **_rate(1e-4),
            "betas": (0.0, 0.9),
            "critic_steps": 5,
            "penalty_weight": 10.0,
            "penalty_interval": 1,
        },
        # Arjovsky et al. 2017, algorithm 1.
        "wgan": {
            **_RMSPROP,
            **_rate(5e-5),
            "betas": (0.0, 0.99),
            "critic_steps": 5,
            "weight_clip": 0.01,
        },
        # Radford et al. 2016, section 4.
        "bce": {**_ADAM, **_rate(2e-4), "betas": (0.5, 0.999)},
        # As in WaveGAN's program (Donahue et al. 2019).
        "lsgan": {**_RMSPROP, **_rate(1e-4), "betas": (0.0, 0.9)},
        # Miyato et al. 2018, for photographs.
        "hinge": {**_ADAM, **_rate(2e-4), "betas": (0.0, 0.9), "critic_steps": 5},
        # The authors' settings for faces.
        "realness": {**_ADAM, **_rate(2e-4), "betas": (0.5, 0.999), "outcomes": 51},
    }
)


def with_published_objective(config: RunConfig, objective: str) -> RunConfig:
    """Copy that plays another game, with the settings that it was published with.

    Raises
    ------
    ValueError
        If there are no published settings for an objective of this name; "r3gan", for
        one, has those of the default preset.
    """
    if objective not in PUBLISHED:
        raise ValueError(
            f"There are no published settings for the objective '{objective}'; choose "
            f"one of: {', '.join(PUBLISHED)}."
        )
    return config.changed(objective=objective, **PUBLISHED[objective])
