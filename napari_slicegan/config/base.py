"""What all groups of settings share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

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


class Settings(BaseModel):
    """Base of every group: immutable, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
