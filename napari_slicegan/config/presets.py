"""Named bundles of settings.

``slicegan-paper``, ``-v1`` and ``-head`` are the published settings and those of two
states of the original code; ``docs/paper-and-code.md`` compares them. Those of systems
that make images stand in ``image_sets/presets.py``; ``docs/systems.md`` tells of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from napari_slicegan.config import RunConfig
from napari_slicegan.systems.presets import IMAGE_PRESETS, IMAGE_SUMMARIES

_PAPER = {
    "architecture": "slicegan",
    "patch_size": 64,
    "latent_size": 4,
    "latent_channels": 64,
    "generator_widths": (512, 256, 128, 64),
    "critic_widths": (64, 128, 256, 512),
    "critic_negative_slope": 0.0,
    "critic_heads": False,
    "normalisation": "batch",
    "augmentation": "none",
    "straight_through": False,
    "critic_slices": None,
    "generator_slices": None,
    "objective": "wgan-gp",
    "penalty_weight": 10.0,
    "penalty_interval": 1,
    "critic_steps": 5,
    "update_per_axis": True,
    "generator_lr": 1e-4,
    "critic_lr": 1e-4,
    "betas": (0.0, 0.9),
    "lr_decay_start": 1.0,
    "output_lr_scale": 1.0,
    "lookahead": 0,
    "ema_decay": 0.0,
    "match_phase_fractions": False,
    "generator_batch_size": 16,
    "critic_batch_size": 8,
    "share_batch": False,
    "precision": "float32",
    "condition": "none",
    "real_batch_size": 8,
    "minutes": None,
}

_V1 = {
    **_PAPER,
    "latent_channels": 16,
    "generator_batch_size": 32,
    "real_batch_size": 32,
    "steps": 5_400,
}

_HEAD = {
    **_PAPER,
    "architecture": "slicegan-rc",
    "latent_channels": 32,
    "generator_widths": (1024, 512, 128, 32),
    "betas": (0.9, 0.99),
    "generator_batch_size": 8,
    "steps": 72_000,
}


def _preset(name: str, values: Mapping[str, object]) -> RunConfig:
    return RunConfig(preset=name).changed(**values)


PRESETS: Mapping[str, RunConfig] = MappingProxyType(
    {
        "slicegan-fast": RunConfig(),
        "slicegan-paper": _preset(
            "slicegan-paper", {**_PAPER, "patience_minutes": 240}
        ),
        "slicegan-v1": _preset("slicegan-v1", _V1),
        "slicegan-head": _preset("slicegan-head", _HEAD),
        **{name: _preset(name, values) for name, values in IMAGE_PRESETS.items()},
    }
)

VOLUME_PRESETS = tuple(name for name in PRESETS if name not in IMAGE_PRESETS)

SUMMARIES: Mapping[str, str] = MappingProxyType(
    {
        "slicegan-fast": "Default: a statistically right volume in minutes on two "
        "processor cores.",
        "slicegan-paper": "The settings of Kench & Cooper 2021, for a large GPU.",
        "slicegan-v1": "The original code at the time of the paper.",
        "slicegan-head": "The original code of 2022, with a resize-convolution.",
        **IMAGE_SUMMARIES,
    }
)


def preset(name: str) -> RunConfig:
    """Settings of a preset.

    Raises
    ------
    ValueError
        If there is no such preset; lists those there are.
    """
    if name not in PRESETS:
        raise ValueError(
            f"There is no preset '{name}'; choose one of: {', '.join(PRESETS)}."
        )
    return PRESETS[name]
