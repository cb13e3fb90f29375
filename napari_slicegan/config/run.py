"""All settings of a run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType, NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from pydantic import Field, ValidationError

from napari_slicegan.config.architecture import (
    ArchitectureSettings,
    SliceSettings,
    dimensions_of,
)
from napari_slicegan.config.base import Settings
from napari_slicegan.config.images import (
    EMPTY,
    METHODS_OF,
    ImageSettings,
    MicrographSettings,
    settled,
)
from napari_slicegan.config.migration import FORMER_NAMES
from napari_slicegan.config.training import (
    OBJECTIVE_NAMES,
    OF_OBJECTIVE,
    ObjectiveSettings,
    OptimiserSettings,
    TrainingSettings,
)

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


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
        turns the method on (`METHODS_OF`), unless the method or the kind of the image
        is named too. Settings that are not named, and contradict those that are, get
        their defaults.

        Raises
        ------
        ValueError
            If a name is unknown, a value is outside its bounds, or a named setting
            has no effect beside the others; one sentence.
        """
        for old, new in FORMER_NAMES.items():
            if old in values and new in values:
                raise ValueError(
                    f"Expected each setting once, got '{new}' and also '{old}', its "
                    "name in an earlier release; leave one out."
                )
        values = {FORMER_NAMES.get(name, name): v for name, v in values.items()}
        data = self.model_dump()
        homes = group_of_field()
        given = [name for name, value in values.items() if value not in EMPTY]
        for name, (switch, methods) in METHODS_OF.items():
            is_off = data[homes[switch]][switch] not in methods
            may_be = switch != "segmentation" or values.get("kind", "auto") == "auto"
            if name in given and switch not in values and is_off and may_be:
                values[switch] = methods[0]
        for name, value in values.items():
            if name not in homes:
                raise ValueError(
                    f"No setting is called '{name}'. Settings: "
                    f"{', '.join(sorted(homes))}."
                )
            data[homes[name]][name] = value
        config = parse_config(data).settled(values)
        for name in (name for name in given if name in USERS_OF):
            switch, uses, users = USERS_OF[name]
            found = getattr(getattr(config, homes[switch]), switch)
            # As parsed: a form gives words for numbers.
            value = getattr(getattr(config, homes[name]), name)
            default = GROUPS[homes[name]].model_fields[name].default
            if not uses(found) and value != default:
                raise ValueError(
                    f"{titled(name)} applies to {users}, got {titled(switch)} {found}; "
                    "leave it out or change that."
                )
        return config

    def settled(self, named: Collection[str] | None = None) -> RunConfig:
        """Copy without contradictions; see `napari_slicegan.config.images.settled`."""
        return self.model_copy(
            update={
                "micrograph": settled(self.micrograph, named),
                "images": settled(self.images, named),
            }
        )


GROUPS: Mapping[str, type[Settings]] = MappingProxyType(
    {
        name: type(field.default)
        for name, field in RunConfig.model_fields.items()
        if isinstance(field.default, Settings)
    }
)
"""Groups of settings by their name in `RunConfig`."""


def _uses_settings_of(user: str) -> Callable[[str], bool]:
    # Objectives of other packages may use settings of any.
    return lambda objective: objective not in {*OBJECTIVE_NAMES} - {user}


USERS_OF: Mapping[str, tuple[str, Callable[[Any], bool], str]] = {
    **dict.fromkeys(
        (
            "fields_per_phase",
            "generator_negative_slope",
            "initial_weights",
            "noise",
            "pair_distance",
            "voxel_stretch",
        ),
        (
            "architecture",
            lambda architecture: dimensions_of(architecture) == 3,
            "generators of volumes",
        ),
    ),
    "voxel_noise": ("noise", bool, "generators with noise inputs"),
    "pattern_weight": ("straight_through", bool, "straight-through phases"),
    "pair_axis": ("pair_distance", bool, "pairs of sections"),
    **dict.fromkeys(
        ImageSettings.model_fields,
        (
            "architecture",
            lambda architecture: dimensions_of(architecture) < 3,
            "generators of images",
        ),
    ),
    **{
        name: ("objective", _uses_settings_of(user), user)
        for name, user in OF_OBJECTIVE.items()
    },
}
"""Setting -> the switch, which values of it use the setting, and their name."""


def group_of_field() -> dict[str, str]:
    """Group of every setting; field names are unique over the groups."""
    return {name: group for group in GROUPS for name in GROUPS[group].model_fields}


def titled(name: str) -> str:
    """Title and name of a setting, for messages."""
    return f"'{GROUPS[group_of_field()[name]].model_fields[name].title}' ({name})"


RESUMABLE = ("generator_lr", "critic_lr", "penalty_weight", "pattern_weight")
"""Settings outside of the group ``training`` that a resumed run can take: they cure one
that has diverged, or suit longer training."""


def check_changes(before: RunConfig, after: RunConfig) -> None:
    """Refuse changes that a resumed run cannot take.

    It takes those of the training, learning rates and the weights of the penalty and of
    patterns; of the latter only a run that has counted some.

    Raises
    ------
    ValueError
        Names the setting.
    """
    for name, home in group_of_field().items():
        old, new = getattr(before, home), getattr(after, home)
        same = getattr(old, name) == getattr(new, name)
        may_change = (home == "training" and name != "seed") or name in RESUMABLE
        if name == "pattern_weight" and not getattr(old, name):
            may_change = False
        if not same and not may_change:
            raise ValueError(
                f"{titled(name)} cannot be changed when a run is resumed, only "
                "learning rates, 'Penalty weight', a 'Pattern weight' that is not 0, "
                "and settings of the group 'training' except 'Seed', such as "
                "'Minutes', 'Steps' and 'Device'; start a new run for it."
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
        # A value that fits none of several types has a fault for each of them.
        faults = {fault["loc"][:2]: fault for fault in reversed(error.errors())}
        sentences = [_sentence(fault, data) for fault in reversed(faults.values())]
        raise ValueError(" ".join(sentences)) from error


NUMBERS = {
    "int_parsing": "a whole number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
}
"""Faults of pydantic -> what was expected."""


def _is_of_several_types(field: FieldInfo) -> bool:
    """Whether a setting is one thing or another, such as numbers or a word."""
    is_union = get_origin(field.annotation) in (Union, UnionType)
    return is_union and len({*get_args(field.annotation)} - {NoneType}) > 1


def _sentence(fault: Any, data: dict[str, Any]) -> str:
    """One sentence for one pydantic fault of these settings."""
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
        name = titled(setting)
    value = fault["input"]
    message = fault["msg"][0].lower() + fault["msg"][1:]
    if fault["type"] in NUMBERS:
        message = f"expected {NUMBERS[fault['type']]}"
        if field is not None and isinstance(field.default, tuple) and field.default:
            examples = ", ".join(map(str, field.default))
            message = f"expected {NUMBERS[fault['type']][2:]}s such as {examples}"
    if fault["type"] == "value_error":
        message = str(fault["ctx"]["error"])
    if fault["type"] == "string_pattern_mismatch" and field is not None:
        # What the description lists, instead of a regular expression.
        message = f"should be {str(field.description).rstrip('.')}"
    if field is not None and _is_of_several_types(field):
        value = data[group][setting]
        message = f"should be {str(field.description).partition(': ')[2].rstrip('.')}"
    return f"{name}: {message}; got {value!r}."
