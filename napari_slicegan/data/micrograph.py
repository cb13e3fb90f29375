"""An image of a material: pixel values, what they mean, and the pixel size.

A `Micrograph` is checked when it is created: its values are finite, vary and are of a
known kind.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.config import AXES, Axis, Kind, MicrographSettings
from napari_slicegan.data.image_files import read_image
from napari_slicegan.data.line_moments import Line, levelled
from napari_slicegan.data.pixel_values import (
    MAX_PHASES,
    KindChoice,
    as_kind,
    distinct_values,
    has_channels,
    interpolated,
    nearest,
    plain_array,
)
from napari_slicegan.data.segmentation import denoise, segment


@dataclass(frozen=True, eq=False)
class Micrograph:
    """A 2-D image, or a volume as a source of slices.

    Make one with `from_array` or `open`, which check the values.

    Attributes
    ----------
    values
        ``[Y, X]`` or ``[Y, X, 3]``; of a volume ``[Z, Y, X]`` or ``[Z, Y, X, 3]``.
    kind
        Meaning of the values: labels of phases, gray values or colours.
    pixel_size_nm
        Edge of a pixel in nanometres, None if unknown.
    name
        Source of the image, for messages.
    """

    values: NDArray[Any]
    kind: Kind
    pixel_size_nm: float | None = None
    name: str = "micrograph"

    @classmethod
    def from_array(
        cls,
        values: Any,
        kind: KindChoice = "auto",
        pixel_size_nm: float | None = None,
        name: str = "micrograph",
    ) -> Micrograph:
        """Check an array and determine the kind of its values.

        Parameters
        ----------
        values
            Bool, integer or floating point; shapes as in the attribute. Three or
            four values along the last axis are colour channels.
        kind
            ``"auto"``: channels are colour; bools, and integers with at most 16
            distinct values, are phases; anything else is grayscale.
        pixel_size_nm
            Edge of a pixel in nanometres.
        name
            Used in the messages.

        Raises
        ------
        ValueError
            If the values cannot be trained on.
        """
        if pixel_size_nm is not None and not 0 < pixel_size_nm < np.inf:
            raise ValueError(
                f"{name}: the pixel size is a positive number of nanometres, got "
                f"{pixel_size_nm}; correct it or leave it out."
            )
        array, found = as_kind(plain_array(values, name), kind, name)
        return cls(array, found, pixel_size_nm, name)

    @classmethod
    def open(
        cls, path: str | Path, settings: MicrographSettings = MicrographSettings()
    ) -> Micrograph:
        """Read a file and prepare it with the settings; see `prepared`.

        Raises
        ------
        ValueError
            If the file cannot be read, or its values cannot be trained on.
        """
        file = read_image(path, settings.pixel_size_nm)
        return cls.from_values(
            file.values, settings, file.pixel_size_nm, file.path.name
        )

    @classmethod
    def from_values(
        cls,
        values: NDArray[Any],
        settings: MicrographSettings,
        pixel_size_nm: float | None = None,
        name: str = "micrograph",
    ) -> Micrograph:
        """As `open`, for the values of a file that are in memory already."""
        if settings.crop is not None:
            # Before the values are checked: the rest may be a data bar.
            values = _cropped(values, settings.crop, name)
        loaded = cls.from_array(values, _kind_to_read(settings), pixel_size_nm, name)
        return loaded.prepared(settings.model_copy(update={"crop": None}))

    def prepared(self, settings: MicrographSettings) -> Micrograph:
        """Crop, level, denoise, segment and rescale, in this order.

        Raises
        ------
        ValueError
            If a setting does not fit the image.
        """
        image = self
        if settings.pixel_size_nm is not None:
            image = replace(image, pixel_size_nm=settings.pixel_size_nm)
        if settings.crop is not None:
            image = image.crop(settings.crop[:2], settings.crop[2:])
        kind = _kind_to_read(settings)
        if settings.segmentation != "none" and image.kind == "phases":
            kind = "grayscale"
        if kind not in ("auto", image.kind):
            image = image.with_values(image.values, kind)
        if settings.destripe != "none":
            image = image.levelled(settings.destripe)
        if settings.denoise != "none":
            image = image.denoised(settings.denoise, settings.denoise_radius)
        if settings.segmentation != "none":
            image = image.segmented(settings)
        if settings.rescale != 1:
            image = image.rescaled(settings.rescale)
        return image

    def with_values(self, values: NDArray[Any], kind: KindChoice) -> Micrograph:
        """Same pixel size and name with other values, checked as in `from_array`."""
        return Micrograph.from_array(values, kind, self.pixel_size_nm, self.name)

    def levelled(self, line: Line) -> Micrograph:
        """Gray values without the drift from line to line; see `line_moments`."""
        self._require("grayscale", "choose the kind 'grayscale' or do not level lines")
        return self.with_values(levelled(self.values, line), "grayscale")

    def denoised(self, method: str, radius: float) -> Micrograph:
        """Gray values after a "median" or "gaussian" filter; radius in pixels."""
        self._require("grayscale", "choose the kind 'grayscale' or do not denoise")
        return self.with_values(denoise(self.values, method, radius), "grayscale")

    def segmented(self, settings: MicrographSettings) -> Micrograph:
        """Phases 0, 1, ... by rising gray value; see `segmentation.segment`."""
        if self.kind == "colour":
            self._require("grayscale", "convert the file to grayscale before")
        return self.with_values(segment(self.values, settings, self.name), "phases")

    def rescaled(self, factor: float) -> Micrograph:
        """Other number of pixels per axis.

        Labels take the nearest neighbour; gray values and colours are interpolated
        linearly, smoothed before they are reduced.

        Parameters
        ----------
        factor
            On the number of pixels; the pixel size is divided by it.
        """
        spatial = self.values.ndim - (1 if self.kind == "colour" else 0)
        shape = tuple(max(1, round(n * factor)) for n in self.values.shape[:spatial])
        if self.kind == "phases":
            values = nearest(self.values, shape)
        else:
            values = interpolated(self.values, shape)
        size = None if self.pixel_size_nm is None else self.pixel_size_nm / factor
        return Micrograph.from_array(values, self.kind, size, self.name)

    @property
    def is_volume(self) -> bool:
        """Whether the image is a stack of slices."""
        return self.values.ndim == (4 if self.kind == "colour" else 3)

    @cached_property
    def labels(self) -> tuple[int, ...]:
        """Sorted label values of the phases.

        Raises
        ------
        ValueError
            If the image does not consist of phases.
        """
        self._require("phases", "choose a segmentation")
        return tuple(int(n) for n in distinct_values(self.values, MAX_PHASES) or ())

    def phase_fractions(self) -> dict[int, float]:
        """Fraction of the pixels of each phase, by its label."""
        return {label: float((self.values == label).mean()) for label in self.labels}

    def crop(self, rows: tuple[int, int], columns: tuple[int, int]) -> Micrograph:
        """Part of the image; of a volume, the same part of every plane.

        Parameters
        ----------
        rows, columns
            First one, and one after the last.
        """
        values = _cropped(self.values, (*rows, *columns), self.name)
        return self.with_values(values, self.kind)

    def planes(self, axis: Axis) -> NDArray[Any]:
        """All planes of a volume seen along an axis: ``[N, rows, columns(, 3)]``.

        Rows and columns are Y and X seen along z, Z and X along y, Z and Y along x.
        A 2-D image is its own only plane, for every axis.
        """
        if not self.is_volume:
            return self.values[np.newaxis]
        return np.moveaxis(self.values, AXES.index(axis), 0)

    def check_patch(self, patch_size: int, axis: Axis = "z") -> None:
        """Refuse an image that is smaller than the patch.

        Raises
        ------
        ValueError
            If a plane seen along `axis` has too few rows or columns.
        """
        rows, columns = self.planes(axis).shape[1:3]
        if min(rows, columns) < patch_size:
            raise ValueError(
                f"{self.name}: the image seen along {axis} must be at least "
                f"{patch_size} x {patch_size} pixels, got {rows} x {columns}; lower "
                "'Patch size' or load a larger image."
            )

    def _require(self, kind: Kind, advice: str) -> None:
        """Refuse another kind."""
        if self.kind != kind:
            raise ValueError(
                f"{self.name}: expected an image of the kind '{kind}', got "
                f"'{self.kind}'; {advice}."
            )


def _kind_to_read(settings: MicrographSettings) -> KindChoice:
    """Kind of the values in the file; 'phases' may be what segmentation makes."""
    return settings.kind if settings.segmentation == "none" else "auto"


def _cropped(
    values: NDArray[Any], crop: tuple[int, int, int, int], name: str
) -> NDArray[Any]:
    """Rows and columns of an image, or of each plane of a volume."""
    first = values.ndim - (3 if has_channels(values) else 2)
    rows, columns = values.shape[first : first + 2]
    top, bottom, left, right = crop
    if not (0 <= top < bottom <= rows and 0 <= left < right <= columns):
        raise ValueError(
            f"{name}: expected a crop within {rows} rows and {columns} columns, got "
            f"rows {top} to {bottom} and columns {left} to {right}; correct 'Crop'."
        )
    window = (slice(top, bottom), slice(left, right))
    return values[(slice(None),) * first + window]
