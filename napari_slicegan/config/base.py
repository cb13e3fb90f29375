"""What all groups of settings share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import no_info_after_validator_function

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

Kind = Literal["phases", "grayscale", "colour"]
Axis = Literal["z", "y", "x"]
AXES: tuple[Axis, ...] = ("z", "y", "x")

Widths = Annotated[
    tuple[Annotated[int, Field(ge=1, le=4096)], ...], Field(min_length=1)
]
KernelSet = tuple[
    Annotated[int, Field(ge=1, le=16)],
    Annotated[int, Field(ge=1, le=8)],
    Annotated[int, Field(ge=0, le=16)],
]


@dataclass(frozen=True)
class Choices:
    """Annotation of a text setting: its value is one of these names.

    Parameters
    ----------
    names
        Returns the names; called whenever a value is checked, since other packages
        may add some.
    """

    names: Callable[[], tuple[str, ...]]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return no_info_after_validator_function(self._checked, handler(source))

    def _checked(self, value: str) -> str:
        names = self.names()
        if value not in names:
            *others, last = map(repr, names)
            raise PydanticCustomError(
                "literal_error",
                "Input should be {choices}",
                {"choices": f"{', '.join(others)} or {last}"},
            )
        return value


def choices_of(facts: FieldInfo) -> tuple[str, ...]:
    """Values that a setting can have; empty where they are not a list of names."""
    if get_origin(facts.annotation) is Literal:
        return get_args(facts.annotation)
    found = (rule for rule in facts.metadata if isinstance(rule, Choices))
    return next((rule.names() for rule in found), ())


class Settings(BaseModel):
    """Base of every group: immutable, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
