"""Settings of the images."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from napari_slicegan.config.base import Settings


class MicrographSettings(Settings):
    """How image values are read from the files."""

    kind: Literal["auto", "phases", "grayscale", "colour"] = Field(
        "auto",
        title="Kind of image",
        description="What the pixel values mean: labels of phases, a gray value, "
        "or a colour. 'auto' decides from the data.",
    )
    segmentation: Literal["none", "otsu", "multi-otsu", "thresholds", "local"] = Field(
        "none",
        title="Segmentation",
        description="How gray values become phases before training.",
    )
    n_phases: int = Field(
        3,
        ge=2,
        le=16,
        title="Phases",
        description="Number of phases that multi-Otsu separates.",
    )
    thresholds: tuple[float, ...] = Field(
        (),
        title="Thresholds",
        description="Gray values between neighbouring phases, in rising order.",
    )
    local_window: int = Field(
        51,
        ge=3,
        le=1001,
        title="Local window",
        description="Edge of the window of the local threshold, in pixels (odd).",
    )
    level_lines: Literal["none", "rows", "columns"] = Field(
        "none",
        title="Level lines",
        description="Gives every row, or every column, of gray values the same mean "
        "and contrast before anything else: takes away curtains of a milled face, "
        "charging and drift. Not for structures as long as a line.",
    )
    denoise: Literal["none", "median", "gaussian"] = Field(
        "none",
        title="Denoising",
        description="Filter applied to gray values before they are segmented.",
    )
    denoise_radius: float = Field(
        1.0,
        gt=0,
        le=20,
        title="Denoising radius",
        description="Radius of the median, or sigma of the Gaussian, in pixels.",
    )
    crop: tuple[int, int, int, int] | None = Field(
        None,
        title="Crop",
        description="Part of the image to use: first row, row after the last, "
        "first column, column after the last.",
    )
    rescale: float = Field(
        1.0,
        ge=0.05,
        le=8,
        title="Rescale factor",
        description="Factor on the number of pixels per axis; below 1 a patch sees "
        "more of the material.",
    )
    pixel_size_nm: float | None = Field(
        None,
        gt=0,
        title="Pixel size (nm)",
        description="Edge of a pixel in nanometres; read from the file if not given.",
    )
