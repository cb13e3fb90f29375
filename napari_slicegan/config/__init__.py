"""Settings of a run, each declared once.

The form in the window, the flags of the command line, ``config.json`` in the run
folder and the validation all derive from the fields declared here: title,
description, bounds and default stand nowhere else.
"""

from __future__ import annotations

from napari_slicegan.config.architecture import (
    LARGEST_STRETCH,
    ArchitectureSettings,
    SliceSettings,
    add_architecture,
    add_task,
    dimensions_of,
)
from napari_slicegan.config.base import (
    AXES,
    Axis,
    KernelSet,
    Kind,
    Settings,
    choices_of,
    parse_json,
)
from napari_slicegan.config.images import ImageSettings, MicrographSettings
from napari_slicegan.config.migration import FORMAT, FORMER_NAMES, migrate
from napari_slicegan.config.run import (
    GROUPS,
    RESUMABLE,
    RunConfig,
    check_changes,
    group_of_field,
    parse_config,
)
from napari_slicegan.config.training import (
    VOLUMES,
    ObjectiveSettings,
    OptimiserSettings,
    Precision,
    TrainingSettings,
)

__all__ = [
    "AXES",
    "FORMAT",
    "FORMER_NAMES",
    "GROUPS",
    "LARGEST_STRETCH",
    "RESUMABLE",
    "VOLUMES",
    "ArchitectureSettings",
    "Axis",
    "ImageSettings",
    "KernelSet",
    "Kind",
    "MicrographSettings",
    "ObjectiveSettings",
    "OptimiserSettings",
    "Precision",
    "RunConfig",
    "Settings",
    "SliceSettings",
    "TrainingSettings",
    "add_architecture",
    "add_task",
    "check_changes",
    "choices_of",
    "dimensions_of",
    "group_of_field",
    "migrate",
    "parse_config",
    "parse_json",
]
