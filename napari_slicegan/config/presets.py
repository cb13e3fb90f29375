"""Named bundles of settings.

``slicegan-paper``, ``-v1`` and ``-head`` are the published settings and those of two
states of the original code; ``docs/paper-and-code.md`` compares them. Those of systems
that make images stand in ``systems/presets.py``; ``docs/systems.md`` describes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from napari_slicegan.config import RunConfig

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


@dataclass(frozen=True)
class Preset:
    """A bundle of settings.

    Attributes
    ----------
    summary
        One sentence for lists.
    values
        Settings that differ from the defaults, by name without group.
    """

    summary: str
    values: Mapping[str, object]


class PresetTable(Mapping[str, RunConfig]):
    """Settings of the presets by name, made when first used."""

    def __init__(self, presets: Mapping[str, Preset]) -> None:
        self._presets = dict(presets)
        self._configs: dict[str, RunConfig] = {}

    def add(self, presets: Mapping[str, Preset]) -> None:
        """Add presets, such as those of another package."""
        self._presets.update(presets)

    def summary(self, name: str) -> str:
        """What a preset is for, in one sentence."""
        return self._presets[name].summary

    def __getitem__(self, name: str) -> RunConfig:
        if name not in self._configs:
            start = RunConfig(preset=name)
            self._configs[name] = start.changed(**self._presets[name].values)
        return self._configs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._presets)

    def __len__(self) -> int:
        return len(self._presets)

    def __contains__(self, name: object) -> bool:
        return name in self._presets


VOLUME_PRESETS: Mapping[str, Preset] = {
    "slicegan-fast": Preset(
        "Default: a statistically right volume in minutes on two processor cores.", {}
    ),
    "slicegan-paper": Preset(
        "The settings of Kench & Cooper 2021, for a large GPU.",
        {**_PAPER, "patience_minutes": 240},
    ),
    "slicegan-v1": Preset("The original code at the time of the paper.", _V1),
    "slicegan-head": Preset(
        "The original code of 2022, with a resize-convolution.", _HEAD
    ),
}

PRESETS = PresetTable(VOLUME_PRESETS)


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
