"""Directions: sliders that change the material, found in a trained generator.

``fit_directions`` finds principal components, ``guided_directions`` the direction of a
property, ``measure_effects`` measures their effects. ``Direction.edit`` makes an edit
for `napari_slicegan.generation.generate`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator
from typing import Any

from napari_slicegan.directions.direction import Direction, Effect, Example, Model
from napari_slicegan.directions.direction_set import DirectionSet, Fit, load_directions
from napari_slicegan.directions.effects import (
    Sweeping,
    digest,
    label,
    measure_effects,
    named_by_effect,
    reproduce,
    table,
    with_example,
)
from napari_slicegan.directions.fit import (
    condition_direction,
    fit_directions,
    guided_directions,
    random_directions,
)
from napari_slicegan.directions.graded import (
    Grade,
    Graded,
    Response,
    graded,
    measure_response,
)
from napari_slicegan.directions.properties import (
    PROPERTIES,
    Gauge,
    Property,
    suitable_properties,
)
from napari_slicegan.directions.sweep import Sweep, sweep

__all__ = [
    "PROPERTIES",
    "Direction",
    "DirectionSet",
    "Effect",
    "Example",
    "Fit",
    "Gauge",
    "Grade",
    "Graded",
    "Model",
    "Property",
    "Response",
    "Sweep",
    "Sweeping",
    "condition_direction",
    "digest",
    "fit_directions",
    "graded",
    "guided_directions",
    "label",
    "load_directions",
    "measure_effects",
    "measure_response",
    "named_by_effect",
    "random_directions",
    "reproduce",
    "suitable_properties",
    "sweep",
    "table",
    "with_example",
]

# Generators of release 0.1.0: name -> the function that takes ``progress`` instead.
_IN_STEPS: dict[str, Callable[..., Any]] = {
    "effects_in_steps": measure_effects,
    "fit_in_steps": fit_directions,
    "graded_in_steps": graded,
    "guided_in_steps": guided_directions,
    "response_in_steps": measure_response,
    "sweep_in_steps": sweep,
}


def __getattr__(name: str) -> Any:
    """Generator of release 0.1.0, which yields once and returns the result."""
    if name not in _IN_STEPS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    function = _IN_STEPS[name]

    def in_steps(*values: Any, **named: Any) -> Generator[float, None, Any]:
        result = function(*values, **named)
        yield 1.0
        return result

    warnings.warn(
        f"{name} is deprecated; call {function.__name__} with progress=.",
        DeprecationWarning,
        stacklevel=2,
    )
    return in_steps
