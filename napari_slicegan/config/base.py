"""Base class, types and validators of all groups of settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

Kind = Literal["phases", "grayscale", "colour"]
Axis = Literal["z", "y", "x"]
AXES: tuple[Axis, ...] = ("z", "y", "x")

LARGEST = 2**63 - 1
"""Limit of all numbers: the largest int64."""
SMALLEST_EDGE_NM, LARGEST_EDGE_NM = 1e-9, 1e15
"""Of pixels and voxels, up to a thousand kilometres: cubes of lengths are finite."""

Widths = Annotated[
    tuple[Annotated[int, Field(ge=1, le=4096)], ...], Field(min_length=1)
]
KernelSet = tuple[
    Annotated[int, Field(ge=1, le=16)],
    Annotated[int, Field(ge=1, le=8)],
    Annotated[int, Field(ge=0, le=16)],
]


def parse_json(text: str | bytes, *, once: bool = False) -> Any:
    """Value of a JSON text; also of hostile ones a `ValueError` at most.

    Parameters
    ----------
    once
        Refuse a name that an object holds twice, of which the last value would count.

    Raises
    ------
    json.JSONDecodeError
        If it is none, or nested too deeply to be read.
    ValueError
        If it holds a name twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_only_once if once else None)
    except RecursionError as error:
        raise json.JSONDecodeError("nested too deeply", "", 0) from error


def _only_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"expected each name once, got '{name}' twice")
        found[name] = value
    return found


@dataclass(frozen=True)
class Choices:
    """Validator of a text setting whose value is one of some names.

    Used as ``Annotated[str, AfterValidator(Choices(names))]``.

    Parameters
    ----------
    names
        Returns the names; called whenever a value is checked, since other packages
        may add some.
    """

    names: Callable[[], tuple[str, ...]]

    def __call__(self, value: str) -> str:
        """The value, if it is one of the names."""
        names = self.names()
        if value not in names:
            *others, last = map(repr, names)
            raise ValueError(f"input should be {', '.join(others)} or {last}")
        return value


def choices_of(facts: FieldInfo) -> tuple[str, ...]:
    """Values that a setting can have; empty where they are not a list of names."""
    if get_origin(facts.annotation) is Literal:
        return get_args(facts.annotation)
    for rule in facts.metadata:
        if isinstance(rule, AfterValidator) and isinstance(rule.func, Choices):
            return rule.func.names()
    return ()


class Settings(BaseModel):
    """Base of every group: immutable, finite numbers, no unknown fields."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )

    @field_validator("*")
    @classmethod
    def _is_countable(cls, value: Any) -> Any:
        if isinstance(value, int | float) and abs(value) > LARGEST:
            raise ValueError(f"expected a number of at most {LARGEST:.1e}")
        return value
