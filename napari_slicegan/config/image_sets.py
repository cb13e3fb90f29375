"""Settings of systems that make images instead of volumes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from napari_slicegan.config.base import Settings


class ImageSettings(Settings):
    """How systems of 2-D images read and judge their images."""

    cut_axis: Literal["none", "z", "y", "x"] = Field(
        "none",
        title="Cut along",
        description="Axis along which a volume is cut into whole images, such as the "
        "slices of a brain; 'none': random crops of micrographs.",
    )
    largest_set: int | None = Field(
        None,
        ge=1,
        title="Largest set",
        description="Only so many images of a set are used, evenly spread; empty for "
        "all.",
    )
    aligned: bool = Field(
        False,
        title="Aligned images",
        description="The images show the same thing at the same place, as brains or "
        "parts do: their structural similarity is measured. For micrographs it tells "
        "nothing; leave it off.",
    )
    scaling: Literal["min-max", "rows", "columns"] = Field(
        "min-max",
        title="Scaling",
        description="'min-max': by the extremes of the set. 'rows', 'columns': each by "
        "its own mean and deviation over the set, which takes drifts from line to line "
        "away and puts them back.",
    )
    log_offset: float | None = Field(
        None,
        gt=0,
        title="Logarithm offset",
        description="Rows or columns: added to the values before their logarithm is "
        "taken; empty for no logarithm.",
    )
    roll: int = Field(
        0,
        ge=0,
        le=4096,
        title="Roll",
        description="Largest number of columns by which an image is rolled at random "
        "when it is drawn; 0 for none.",
    )
    judged_images: int = Field(
        64,
        ge=16,
        le=4096,
        title="Images judged",
        description="Generated images that are measured against as many real ones.",
    )
