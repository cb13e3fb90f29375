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
        "slices of a brain scan; 'none': random crops of micrographs.",
    )
    max_images: int | None = Field(
        None,
        ge=1,
        title="Maximum images",
        description="Largest number of images used, evenly spaced over the set; empty "
        "for all.",
    )
    aligned: bool = Field(
        False,
        title="Aligned images",
        description="The images show the same object at the same place, such as "
        "brains or parts: their structural similarity (SSIM) is measured. Meaningless "
        "for micrographs.",
    )
    scaling: Literal["min-max", "rows", "columns"] = Field(
        "min-max",
        title="Scaling",
        description="'min-max': by minimum and maximum of the set. 'rows', 'columns': "
        "standardise each row or column by its mean and standard deviation over the "
        "set, which removes drift between lines and restores it in generated images.",
    )
    log_offset: float | None = Field(
        None,
        gt=0,
        title="Logarithm offset",
        description="Offset added to the values before taking the logarithm, with "
        "'rows' or 'columns'; empty for no logarithm.",
    )
    roll: int = Field(
        0,
        ge=0,
        le=4096,
        title="Roll",
        description="Data augmentation: largest number of columns by which an image "
        "is rolled at random; 0 for none.",
    )
    evaluation_images: int = Field(
        64,
        ge=16,
        le=4096,
        title="Evaluation images",
        description="Number of generated images that monitoring compares with as many "
        "real ones.",
    )
