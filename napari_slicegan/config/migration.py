"""Settings files of earlier releases: their format number, and how each is migrated.

To rename a setting, add it to a new table of renames, raise `FORMAT` by one, and list
the table in `MIGRATIONS` under the format that it reads. A change of meaning needs a
function there besides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

FORMAT = 2
"""Format of the settings that this release writes."""
FIRST_FORMAT = 1
"""Format of files without a number: those of release 0.1.0."""

Nested = dict[str, Any]
Migration = Callable[[Nested], Nested]

RENAMED_IN_2: Mapping[str, str] = MappingProxyType(
    {
        "micrograph.level_lines": "micrograph.destripe",
        "architecture.generator_layers": "architecture.generator_kernels",
        "architecture.critic_slope": "architecture.critic_negative_slope",
        "architecture.resampled_head": "architecture.feature_resampling",
        "slices.symmetries": "slices.augmentation",
        "slices.critic_planes": "slices.critic_slices",
        "slices.generator_planes": "slices.generator_slices",
        "slices.hard_phases": "slices.straight_through",
        "slices.slice_distance": "slices.sliced_wasserstein",
        "objective.penalty_every": "objective.penalty_interval",
        "optimiser.generator_rate": "optimiser.generator_lr",
        "optimiser.critic_rate": "optimiser.critic_lr",
        "optimiser.output_rate": "optimiser.output_lr_scale",
        "optimiser.decay_from": "optimiser.lr_decay_start",
        "optimiser.averaging": "optimiser.ema_decay",
        "optimiser.match_fractions": "optimiser.match_phase_fractions",
        "training.settle_minutes": "training.patience_minutes",
        "training.generator_volumes": "training.generator_batch_size",
        "training.critic_volumes": "training.critic_batch_size",
        "training.share_volumes": "training.share_batch",
        "training.real_images": "training.real_batch_size",
        "training.monitor_every": "training.monitor_interval",
        "images.largest_set": "images.max_images",
        "images.judged_images": "images.evaluation_images",
    }
)


def renaming(paths: Mapping[str, str]) -> Migration:
    """Migration that moves values from one dotted path to another.

    A path that is missing is passed over: a file may hold only some settings.
    """

    def move(settings: Nested) -> Nested:
        for old, new in paths.items():
            home, name = _home(settings, old)
            if home is None or name not in home:
                continue
            target, new_name = _home(settings, new, create=True)
            if target is None or new_name in target:
                raise ValueError(
                    f"The settings name '{new}' and also '{old}', its name in an "
                    "earlier release; remove one of them."
                )
            target[new_name] = home.pop(name)
        return settings

    return move


DEFAULTS_BEFORE_2: Mapping[str, Any] = MappingProxyType(
    {
        "preset": "slicegan-fast",
        "architecture.architecture": "auto",
        "architecture.latent_channels": 16,
        "architecture.generator_widths": (192, 96, 48, 24),
        "architecture.critic_widths": (32, 64, 128, 256),
        "architecture.critic_negative_slope": 0.2,
        "architecture.critic_heads": True,
        "slices.augmentation": "auto",
        "slices.critic_slices": 4,
        "slices.generator_slices": 4,
        "slices.straight_through": True,
        "objective.objective": "r3gan",
        "objective.penalty_weight": 16.0,
        "objective.penalty_interval": 4,
        "objective.critic_steps": 1,
        "optimiser.generator_lr": 4e-3,
        "optimiser.critic_lr": 8e-4,
        "optimiser.output_lr_scale": 0.3,
        "optimiser.lookahead": 5,
        "optimiser.betas": (0.0, 0.99),
        "optimiser.lr_decay_start": 0.25,
        "optimiser.ema_decay": 0.99,
        "optimiser.match_phase_fractions": True,
        "training.precision": "auto",
        "training.minutes": 4.75,
        "training.generator_batch_size": None,
        "training.critic_batch_size": None,
        "training.share_batch": True,
    }
)
"""Defaults of release 0.1.0 that have changed: a file of it may leave them out."""


def filling(values: Mapping[str, Any]) -> Migration:
    """Migration that writes values, by dotted path, where a file has none."""

    def fill(settings: Nested) -> Nested:
        for path, value in values.items():
            home, name = _home(settings, path, create=True)
            if home is not None:
                home.setdefault(name, value)
        return settings

    return fill


MIGRATIONS: Mapping[int, tuple[Migration, ...]] = MappingProxyType(
    {1: (renaming(RENAMED_IN_2), filling(DEFAULTS_BEFORE_2))}
)
"""By the format that they read: what turns it into the next one, in this order."""


FORMER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        old.rpartition(".")[2]: new.rpartition(".")[2]
        for old, new in RENAMED_IN_2.items()
    }
)
"""Earlier names, without group, that `RunConfig.changed` and the flags still take."""


def migrate(settings: Mapping[str, Any], number: object = FIRST_FORMAT) -> Nested:
    """Settings of an earlier format as those of this one.

    Parameters
    ----------
    settings
        Nested settings as they stand in a file; left as they are.
    number
        Format of the file; without one it is of release 0.1.0.

    Raises
    ------
    ValueError
        If the format is unknown or newer than this release, or a setting stands
        under its old and under its new name.
    """
    if not isinstance(number, int) or number is True or number < FIRST_FORMAT:
        raise ValueError(
            f"Expected a format from {FIRST_FORMAT} to {FORMAT}, got {number!r}; "
            "correct the number in the settings file."
        )
    refuse_newer(f"settings {number}", f"settings {FORMAT}", "The settings file")
    current = {
        key: dict(value) if isinstance(value, Mapping) else value
        for key, value in settings.items()
    }
    for step in range(number, FORMAT):
        for migration in MIGRATIONS[step]:
            current = migration(current)
    return current


def refuse_newer(found: str | None, known: str, file: str) -> None:
    """Refuse a file that a later release wrote; other foreign formats pass.

    Parameters
    ----------
    found, known
        Format of the file, and the one of this release: a name and a number, such as
        "napari-slicegan generator 1".
    file
        What to call the file.

    Raises
    ------
    ValueError
        If the names are equal and the number found is the higher one.
    """
    name, _, number = (found or "").rpartition(" ")
    known_name, _, highest = known.rpartition(" ")
    if name == known_name and number.isdecimal() and int(number) > int(highest):
        raise ValueError(
            f"{file} is in format {number}, and this release reads formats up to "
            f"{highest}; update napari-slicegan."
        )


def _home(
    settings: Nested, path: str, *, create: bool = False
) -> tuple[Nested | None, str]:
    """Group that a dotted path leads to, if there is one, and the name in it."""
    *groups, name = path.split(".")
    home: Any = settings
    for group in groups:
        if create and isinstance(home, dict):
            home.setdefault(group, {})
        home = home.get(group) if isinstance(home, dict) else None
    return (home if isinstance(home, dict) else None), name
