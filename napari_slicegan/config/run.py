"""All settings of a run."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import Field, ValidationError

from napari_slicegan.config.architecture import ArchitectureSettings, SliceSettings
from napari_slicegan.config.base import Settings
from napari_slicegan.config.images import ImageSettings, MicrographSettings
from napari_slicegan.config.migration import FORMER_NAMES
from napari_slicegan.config.training import (
    ObjectiveSettings,
    OptimiserSettings,
    TrainingSettings,
)


class RunConfig(Settings):
    """Everything that is decided before a run starts."""

    preset: str = Field(
        "none",
        title="Preset",
        description="Name of the bundle of settings the run started from; 'none' for "
        "the defaults.",
    )
    micrograph: MicrographSettings = MicrographSettings()
    architecture: ArchitectureSettings = ArchitectureSettings()
    slices: SliceSettings = SliceSettings()
    objective: ObjectiveSettings = ObjectiveSettings()
    optimiser: OptimiserSettings = OptimiserSettings()
    training: TrainingSettings = TrainingSettings()
    images: ImageSettings = ImageSettings()

    def changed(self, **values: Any) -> RunConfig:
        """Copy with some fields replaced, named without their group.

        Names of earlier releases are still taken. A setting of a method that is off
        turns the method on (`IMPLIED`), unless the method is named too.

        Raises
        ------
        ValueError
            If a name is unknown or a value is outside its bounds; one sentence.
        """
        data = self.model_dump()
        homes = group_of_field()
        for name, (switch, method) in IMPLIED.items():
            is_off = data[homes[switch]][switch] == "none"
            if values.get(name) and switch not in values and is_off:
                values = {**values, switch: method}
        for given, value in values.items():
            name = FORMER_NAMES.get(given, given)
            if name not in homes:
                raise ValueError(
                    f"No setting is called '{name}'. Settings: "
                    f"{', '.join(sorted(homes))}."
                )
            data[homes[name]][name] = value
        return parse_config(data)


IMPLIED = {
    "thresholds": ("segmentation", "thresholds"),
    "n_phases": ("segmentation", "multi-otsu"),
    "local_window": ("segmentation", "local"),
    "classifier": ("segmentation", "classifier"),
    "denoise_radius": ("denoise", "median"),
}
"""Setting -> the switch and the method that it belongs to."""

GROUPS: Mapping[str, type[Settings]] = MappingProxyType(
    {
        name: type(field.default)
        for name, field in RunConfig.model_fields.items()
        if isinstance(field.default, Settings)
    }
)
"""Groups of settings by their name in `RunConfig`."""


def group_of_field() -> dict[str, str]:
    """Group of every setting; field names are unique over the groups."""
    return {name: group for group in GROUPS for name in GROUPS[group].model_fields}


def check_changes(before: RunConfig, after: RunConfig) -> None:
    """Refuse changes that a resumed run cannot take: all but those of the training.

    Raises
    ------
    ValueError
        Names the setting.
    """
    for name, home in group_of_field().items():
        old, new = getattr(before, home), getattr(after, home)
        same = getattr(old, name) == getattr(new, name)
        if not same and (home != "training" or name == "seed"):
            title = type(new).model_fields[name].title
            raise ValueError(
                f"'{title}' ({name}) cannot be changed when a run is resumed, only "
                "settings of the group 'training' except 'Seed', such as 'Minutes', "
                "'Steps' and 'Device'; start a new run for it."
            )


def parse_config(data: dict[str, Any]) -> RunConfig:
    """Validate nested settings, with one readable sentence per fault.

    Raises
    ------
    ValueError
        Names the setting by its title, what came, and what is allowed.
    """
    try:
        return RunConfig.model_validate(data)
    except ValidationError as error:
        raise ValueError(" ".join(map(_sentence, error.errors()))) from error


def _sentence(fault: Any) -> str:
    """One sentence for one pydantic fault."""
    path = [str(part) for part in fault["loc"]]
    group, setting = (*path, "", "")[:2]
    name = ".".join(path) or "The settings"
    if fault["type"] == "extra_forbidden":
        return (
            f"No setting is called '{name}' (got {fault['input']!r}); correct the name "
            "or remove it."
        )
    field = GROUPS[group].model_fields.get(setting) if group in GROUPS else None
    if field is not None:
        name = f"'{field.title}' ({setting})"
    message = fault["msg"][0].lower() + fault["msg"][1:]
    if fault["type"] == "value_error":
        message = str(fault["ctx"]["error"])
    if fault["type"] == "string_pattern_mismatch" and field is not None:
        # What the description lists, instead of a regular expression.
        message = f"should be {str(field.description).rstrip('.')}"
    return f"{name}: {message}; got {fault['input']!r}."
