"""Named bundles of settings: what each of them changes of the defaults.

The defaults are the published settings of SliceGAN and turn nothing else on.

``slicegan-paper``, ``-v1`` and ``-head`` are the published settings and those of two
states of the original code; ``docs/paper-and-code.md`` compares them. Those of systems
that make images stand in ``systems/presets.py``; ``docs/systems/`` describes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from napari_slicegan.config import RunConfig

DEFAULT_PRESET = "slicegan-fast"

# Settings under which a statistically representative volume takes minutes on two
# cores. What each of them does is measured in docs/speed.md.
_FAST: Mapping[str, object] = {
    "architecture": "slicegan-aa",
    "noise": True,
    "voxel_noise": "auto",
    "voxel_stretch": (),
    "fields_per_phase": 2,
    "latent_size": 5,
    "latent_channels": 16,
    "generator_widths": (128, 64, 32, 16),
    "generator_negative_slope": 0.2,
    "critic_widths": (32, 64, 128, 256),
    "critic_negative_slope": 0.2,
    "critic_heads": True,
    "initial_weights": "auto",
    "augmentation": "auto",
    "critic_slices": 4,
    "generator_slices": 4,
    "straight_through": True,
    "objective": "r3gan",
    "penalty_weight": 4.0,
    "penalty_interval": 4,
    "pattern_weight": 0.5,
    "critic_steps": 1,
    "generator_lr": 4e-3,
    "critic_lr": 8e-4,
    "output_lr_scale": 0.3,
    "betas": (0.0, 0.99),
    "lookahead": 5,
    "lr_decay_start": 0.25,
    "ema_decay": 0.99,
    "match_phase_fractions": True,
    "generator_batch_size": None,
    "critic_batch_size": None,
    "share_batch": True,
    "share_planes": True,
    "precision": "auto",
    "minutes": 4.75,
}

# In longer training the weight of short runs is too much (docs/speed.md).
_FINE: Mapping[str, object] = {**_FAST, "minutes": 20.0, "pattern_weight": 0.1}

# The published code updates the critic once for each axis, which only volumes have.
_PUBLISHED: Mapping[str, object] = {"update_per_axis": True, "real_batch_size": 8}

_V1: Mapping[str, object] = {
    **_PUBLISHED,
    "latent_channels": 16,
    "generator_batch_size": 32,
    "real_batch_size": 32,
    "steps": 5_400,
}

_HEAD: Mapping[str, object] = {
    **_PUBLISHED,
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
    title
        A few words beside the name.
    """

    summary: str
    values: Mapping[str, object]
    title: str = ""


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

    def title(self, name: str) -> str:
        """The name, with a few words on it."""
        title = self._presets[name].title
        return f"{name} ({title})" if title else name

    def __getitem__(self, name: str) -> RunConfig:
        if name not in self._configs:
            start = RunConfig(preset=name)
            self._configs[name] = start.changed(**self._presets[name].values)
        return self._configs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._presets)

    def __len__(self) -> int:
        return len(self._presets)


VOLUME_PRESETS: Mapping[str, Preset] = {
    "slicegan-fast": Preset(
        "Default: a statistically representative volume in minutes on a two-core CPU.",
        _FAST,
        "minutes on a CPU",
    ),
    "slicegan-fine": Preset(
        "For 20 minutes or more on a two-core CPU, or some on a GPU: "
        "connectivity and rare features come nearer to those of the images.",
        _FINE,
        "20 minutes on a CPU",
    ),
    "slicegan-paper": Preset(
        "The settings of Kench & Cooper 2021, for a large GPU.",
        {**_PUBLISHED, "patience_minutes": 240},
        "published settings",
    ),
    "slicegan-v1": Preset(
        "The original code at the time of the paper.", _V1, "original code"
    ),
    "slicegan-head": Preset(
        "The original code of 2022, with a resize-convolution.",
        _HEAD,
        "original code of 2022",
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
