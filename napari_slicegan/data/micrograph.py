"""An image of a material: pixel values, what they mean, and the pixel size.

A `Micrograph` is checked when it is made, so every part behind it can rely on
finite, varying values of a known kind.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.config import AXES, Axis, Kind, MicrographSettings
from napari_slicegan.config.base import LARGEST_EDGE_NM, SMALLEST_EDGE_NM
from napari_slicegan.config.images import (
    NotApplicableError,
    check_micrograph,
    without,
)
from napari_slicegan.data.data_bars import (
    Crop,
    constant_border,
    find_data_bar,
    find_scale_bar,
    is_rough,
    largest_whole_part,
)
from napari_slicegan.data.image_files import SourceImage, read_image
from napari_slicegan.data.interpretation import (
    KindChoice,
    interpret,
    luminance,
)
from napari_slicegan.data.line_moments import Line, levelled
from napari_slicegan.data.pixel_sizes import MOST_STRETCHED, SIZE_TOLERANCE, Edges
from napari_slicegan.data.pixel_values import (
    MAX_PHASES,
    distinct_values,
    has_value,
    interpolated,
    missing_mark,
    nearest,
)
from napari_slicegan.data.segmentation import clean, denoise, segment
from napari_slicegan.runtime.limits import check_memory
from napari_slicegan.runtime.memory import memory_explained
from napari_slicegan.runtime.quantities import length_text, within_sentence

T = TypeVar("T")
Opened = TypeVar("Opened")

RARE = 1e-3
"""Fraction of pixels below which a phase causes a warning: crops rarely show it."""
IMAGES_TOO_LARGE = (
    "The memory does not suffice to prepare the images: crop them, save reduced copies "
    "of them, or close other programs."
)
SEGMENTED = "segmented by "
METHODS = {
    "otsu": "Otsu's threshold",
    "multi-otsu": "multi-Otsu thresholds",
    "thresholds": "the given thresholds",
    "local": "the mean of the surroundings",
    "classifier": "the pixel classifier",
}


class CropNeededError(ValueError):
    """An image that can be used when its border is cropped, by the crop ``"auto"``."""


@dataclass(frozen=True)
class ImageFacts:
    """How an image was read.

    Attributes
    ----------
    reason
        Why its values are taken for the kind that they have.
    size_source
        Where the pixel size comes from; empty if it is unknown.
    colours
        Phase label -> ``"#rrggbb"`` where the source has colours.
    crop
        Rows and columns of the source that are used; None for all.
    suggested
        Rows and columns without data bar or empty border; None if there is none.
    notes
        Choices, crops and conversions, a sentence each.
    warnings
        Probable faults and their remedies, a sentence each.
    """

    reason: str = ""
    size_source: str = ""
    colours: Mapping[int, str] = field(default_factory=dict)
    crop: Crop | None = None
    suggested: Crop | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Micrograph:
    """A 2-D image, or a volume as a source of slices.

    Make one with `from_array`, `of` or `open`, which check the values.

    Attributes
    ----------
    values
        ``[Y, X]`` or ``[Y, X, 3]``; of a volume ``[Z, Y, X]`` or ``[Z, Y, X, 3]``.
    kind
        Meaning of the values: labels of phases, gray values or colours.
    pixel_size_nm
        Edge of a pixel in nanometres, None if unknown.
    name
        Where the image comes from, for messages.
    z_step
        Distance of neighbouring planes of a volume, in pixels.
    facts
        How it was read.
    """

    values: NDArray[Any]
    kind: Kind
    pixel_size_nm: float | None = None
    name: str = "micrograph"
    z_step: float = 1.0
    facts: ImageFacts = ImageFacts()

    def __post_init__(self) -> None:
        # Bytes of a file name that are no text cannot be stored in JSON.
        name = self.name.encode("utf-8", "replace").decode()
        object.__setattr__(self, "name", name)
        size = self.pixel_size_nm
        if size is not None and not SMALLEST_EDGE_NM <= size <= LARGEST_EDGE_NM:
            raise ValueError(
                f"{name}: expected a pixel size from {SMALLEST_EDGE_NM:g} to "
                f"{LARGEST_EDGE_NM:g}, a positive number of nanometres, got {size}; "
                "set 'Pixel size', or leave it out."
            )

    @classmethod
    def from_array(
        cls,
        values: Any,
        kind: KindChoice = "auto",
        pixel_size_nm: float | None = None,
        name: str = "micrograph",
        axes: str = "",
    ) -> Micrograph:
        """Check an array and find out what its values mean; see `interpret`.

        Parameters
        ----------
        values
            Bool, integer or floating point; shapes as in the attribute, or with the
            channels first.
        kind
            What the values mean; ``"auto"`` decides from the values.
        pixel_size_nm
            Edge of a pixel in nanometres.
        name
            Used in the messages.
        axes
            One letter per axis where they are known, S for channels, such as
            ``"ZYX"`` of a volume that is only three columns wide.

        Raises
        ------
        ValueError
            If the values cannot be trained on: what was expected, what came, what
            to do.
        """
        found = interpret(values, kind, name=name, axes=axes)
        facts = ImageFacts(
            found.reason,
            colours=found.colours,
            notes=found.notes,
            warnings=found.warnings,
        )
        return cls(found.values, found.kind, pixel_size_nm, name, facts=facts)

    @classmethod
    def open(
        cls, path: str | Path, settings: MicrographSettings = MicrographSettings()
    ) -> Micrograph:
        """Read a file, then prepare it as the settings say.

        Parameters
        ----------
        path
            Image, volume, table or folder of slices, in any format that the program
            reads.
        settings
            How values are read, cropped, segmented and rescaled, such as
            ``preset("slicegan-fast").changed(segmentation="otsu").micrograph``.

        Raises
        ------
        ValueError
            If the file cannot be read, or its values cannot be trained on.
        """
        return cls.of(read_image(path, settings), settings)

    @classmethod
    def of(
        cls, source: SourceImage, settings: MicrographSettings = MicrographSettings()
    ) -> Micrograph:
        """Crop the values of a file or a layer, interpret them and prepare them.

        Raises
        ------
        ValueError
            If the values cannot be trained on, or a setting does not fit them.
        """
        check_micrograph(settings)
        # Before the values are judged: what is cropped away may be a data bar.
        values, cropped = _cropped_source(source, settings)
        found = interpret(
            values,
            _kind_to_read(settings),
            # A channel that has a file of its own axis is already chosen.
            "auto" if source.channels else settings.channel,
            source.name,
            source.colours,
            source.axes,
        )
        edges, size_source = edges_with(source, settings)
        facts = replace(
            cropped,
            reason=found.reason,
            size_source=size_source,
            colours=found.colours,
            notes=(*source.notes, *cropped.notes, *found.notes),
            warnings=(*source.warnings, *cropped.warnings, *found.warnings),
        )
        image = cls(found.values, found.kind, None, source.name, facts=facts)
        if edges is not None:
            image = image._with_edges(edges)
        return image.prepared(settings.model_copy(update={"crop": None}))

    def _with_edges(self, edges: Edges) -> Micrograph:
        """Square pixels of a known size; planes at their distance."""
        x, y = edges[:2]
        z_step = 1.0
        fine = min(x, y)
        if max(x, y) > MOST_STRETCHED * fine:
            raise ValueError(
                f"{self.name}: expected pixel edges that differ by a factor of at most "
                f"{MOST_STRETCHED}, got {x:.4g} x {y:.4g} nm (X x Y); set "
                "'Pixel size'."
            )
        image = self
        if not math.isclose(x, y, rel_tol=SIZE_TOLERANCE):
            rows, columns = self.planes("z").shape[1:3]
            shape = (round(rows * y / fine), round(columns * x / fine))
            image = self._resampled((*self.values.shape[: self._first_row], *shape))
            image = image.noting(
                f"Pixels of {x:.4g} x {y:.4g} nm (X x Y) are resampled to squares of "
                f"{fine:.4g} nm."
            )
        if len(edges) > 2 and self.is_volume:
            step = edges[2] / fine
            z_step = 1.0 if math.isclose(step, 1, rel_tol=SIZE_TOLERANCE) else step
        return replace(image, pixel_size_nm=fine, z_step=z_step)

    def cubic(self) -> Micrograph:
        """Volume whose planes are as far apart as its pixels, resampled if need be."""
        if self.z_step == 1 or not self.is_volume:
            return self
        if not 1 / MOST_STRETCHED <= self.z_step <= MOST_STRETCHED:
            raise ValueError(
                f"{self.name}: expected planes at most {MOST_STRETCHED} pixels apart, "
                f"got {self.z_step:.3g}; set 'Plane distance'."
            )
        n = len(self.values)
        planes = max(1, round(n * self.z_step))
        rows_columns = self.values.shape[1:3]
        cubic = replace(self._resampled((planes, *rows_columns)), z_step=1.0)
        return cubic.noting(
            f"The planes are {self.z_step:.3g} pixels apart: {n} planes are resampled "
            f"to {planes} for cubic voxels."
        )

    def prepared(self, settings: MicrographSettings) -> Micrograph:
        """Crop, level, denoise, segment, clean and rescale, in this order.

        Raises
        ------
        ValueError
            If a setting does not fit the image.
        """
        image = self
        if settings.pixel_size_nm is not None:
            facts = replace(image.facts, size_source="as given")
            image = replace(image, pixel_size_nm=settings.pixel_size_nm, facts=facts)
        if settings.crop is not None:
            image = image.crop(*_as_crop(settings.crop, image))
        kind = _kind_to_read(settings)
        if kind == "grayscale" and image.kind == "colour":
            gray = luminance(image.values)
            image = replace(image, values=gray, kind="grayscale")
        elif kind not in ("auto", "objects", image.kind):
            image = image.with_values(image.values, kind)
        if settings.destripe != "none":
            image = image.levelled(settings.destripe)
        if settings.denoise != "none":
            image = image.denoised(settings.denoise, settings.denoise_radius)
        if settings.segmentation != "none":
            image = image.segmented(settings)
        if settings.smallest_object or settings.smallest_hole:
            image = image.cleaned(settings.smallest_object, settings.smallest_hole)
        if settings.rescale != 1:
            image = image.rescaled(settings.rescale)
        return image

    def with_values(self, values: NDArray[Any], kind: KindChoice) -> Micrograph:
        """Same pixel size and name with other values, checked as in `from_array`."""
        found = interpret(values, kind, name=self.name, axes=self.axes)
        facts = replace(self.facts, reason=found.reason)
        return replace(self, values=found.values, kind=found.kind, facts=facts)

    def noting(self, note: str) -> Micrograph:
        """With one more note about how it was read."""
        facts = replace(self.facts, notes=(*self.facts.notes, note))
        return replace(self, facts=facts)

    def levelled(self, line: Line) -> Micrograph:
        """Gray values without the drift from line to line; see `levelled`."""
        self._require("grayscale", "choose the kind 'grayscale' or do not level lines")
        return self.with_values(levelled(self.values, line), self.kind)

    def denoised(self, method: str, radius: float) -> Micrograph:
        """Gray values after a median or Gaussian filter.

        Parameters
        ----------
        method
            ``"median"`` or ``"gaussian"``.
        radius
            Radius of the median, or sigma of the Gaussian, in pixels.
        """
        self._require("grayscale", "choose the kind 'grayscale' or do not denoise")
        return self.with_values(denoise(self.values, method, radius), self.kind)

    def segmented(self, settings: MicrographSettings) -> Micrograph:
        """Phases 0, 1, ... by rising gray value, or those of the pixel classifier.

        Raises
        ------
        ValueError
            If the settings do not fit the image.
        """
        self._require("grayscale", "choose the kind 'grayscale'")
        phases = segment(self.values, settings, self.name)
        image = self.with_values(phases, "phases")
        reason = f"{SEGMENTED}{METHODS[settings.segmentation]}"
        return replace(image, facts=replace(self.facts, reason=reason, colours={}))

    def cleaned(self, smallest_object: int, smallest_hole: int) -> Micrograph:
        """Phases without small areas; see `segmentation.clean`."""
        self._require("phases", "choose a segmentation, or do not clean")
        values, n_changed = clean(self.values, smallest_object, smallest_hole)
        image = self.with_values(values, "phases")
        image = replace(image, facts=self.facts)
        return image.noting(
            f"Small areas are removed: {n_changed / values.size:.2%} of the pixels "
            "changed their phase."
        )

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
        size = None if self.pixel_size_nm is None else self.pixel_size_nm / factor
        return replace(self._resampled(shape), pixel_size_nm=size)

    def reduced(self, factors: Mapping[Axis, int], axis: Axis) -> Micrograph:
        """Fewer pixels along some axes, resampled as by `rescaled`.

        The pixel size stays that of the other axes.

        Parameters
        ----------
        factors
            As many pixels become one, for each axis.
        axis
            Viewing direction of an image; a volume has all axes.
        """
        seen = AXES if self.is_volume else [one for one in AXES if one != axis]
        shape = (
            max(1, n // factors[one])
            for n, one in zip(self.values.shape, seen, strict=False)
        )
        return self._resampled(tuple(shape))

    def _resampled(self, shape: tuple[int, ...]) -> Micrograph:
        """Values at the positions of another number of pixels."""
        resample = nearest if self.kind == "phases" else interpolated
        return replace(self, values=resample(self.values, shape))

    def summary(self) -> list[str]:
        """Image summary: size, pixel size, kind, phases, notes and warnings.

        Returns
        -------
        Lines of text, the same in the window, in the terminal and in scripts.
        """
        return list(self._summary_lines())

    def _summary_lines(self) -> Iterator[str]:
        shape = self.values.shape[: -1 if self.kind == "colour" else None]
        size = " x ".join(map(str, shape))
        unit = "voxels" if self.is_volume else "pixels"
        edge = "pixel size unknown"
        if self.pixel_size_nm is not None:
            source = f" ({self.facts.size_source})" if self.facts.size_source else ""
            edge = f"pixel size {length_text(self.pixel_size_nm)}{source}"
        if self.z_step != 1:
            edge += f", planes {self.z_step:.3g} pixels apart"
        yield f"{self.name}: {size} {unit}, {edge}"
        reason = f" ({self.facts.reason})" if self.facts.reason else ""
        if self.kind == "phases":
            yield f"  {len(self.labels)} phases{reason}:"
            for label, fraction in self.phase_fractions().items():
                colour = self.facts.colours.get(label, "")
                yield f"    {label:>5} {colour:8}{fraction:7.2%}"
        else:
            low, high = self.values.min(), self.values.max()
            what = "gray values" if self.kind == "grayscale" else "colours"
            yield f"  {what} {low:g} to {high:g}, {self.values.dtype}{reason}"
        for note in self.facts.notes:
            yield f"  {note}"
        for warning in self.warnings:
            yield f"  Warning: {warning}"

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """Probable faults and their remedies, a sentence each."""
        rare = _rare_phases(self) if self.kind == "phases" else ()
        return (*self.facts.warnings, *rare)

    @property
    def is_volume(self) -> bool:
        """Whether the image is a stack of slices."""
        return self.values.ndim == (4 if self.kind == "colour" else 3)

    @property
    def axes(self) -> str:
        """One letter per axis of the values: Z, Y, X, and S for channels."""
        return ("ZYX" if self.is_volume else "YX") + "S" * (self.kind == "colour")

    @property
    def _first_row(self) -> int:
        """Axis of the rows."""
        return 1 if self.is_volume else 0

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
        """Share of the pixels of each phase, by its label."""
        return {label: float((self.values == label).mean()) for label in self.labels}

    def crop(self, rows: tuple[int, int], columns: tuple[int, int]) -> Micrograph:
        """Part of the image; of a volume, the same part of every plane.

        Parameters
        ----------
        rows, columns
            First one and the one after the last.
        """
        values = _cropped(self.values, (*rows, *columns), self.name, self._first_row)
        image = self.with_values(values, self.kind)
        return replace(image, facts=self.facts)

    def planes(self, axis: Axis) -> NDArray[Any]:
        """All planes of a volume seen along an axis: ``[N, rows, columns(, 3)]``.

        Rows and columns are Y and X seen along z, Z and X along y, Z and Y along x.
        Of a 2-D image: the one plane it is, whatever the axis.
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
            where = f" seen along {axis}" if self.is_volume else ""
            raise ValueError(
                f"{self.name} must have at least {patch_size} x {patch_size} pixels"
                f"{where}, got {rows} x {columns}; lower 'Patch size', or use a larger "
                "image or crop."
            )

    def _require(self, kind: Kind, advice: str) -> None:
        """Refuse another kind."""
        if self.kind != kind:
            raise ValueError(
                f"{self.name}: expected an image of the kind '{kind}', got "
                f"'{self.kind}'; {advice}."
            )


def open_all(
    images: Sequence[T],
    settings: MicrographSettings,
    open_one: Callable[[T, MicrographSettings], Opened],
    *,
    optional: Collection[str] = (),
) -> list[Opened]:
    """Images of one material, each read with the settings that apply to it.

    Parameters
    ----------
    open_one
        Reads one of them, such as `Micrograph.open`.
    optional
        Settings that need not apply to any of them.

    Raises
    ------
    ValueError
        If a setting applies to none of them, or one cannot be read.
    """
    opened: list[Opened] = []
    refusals: dict[str, list[NotApplicableError]] = {}
    for image in images:
        fitting = settings
        is_open = False
        while not is_open:
            try:
                with memory_explained(IMAGES_TOO_LARGE):
                    opened.append(open_one(image, fitting))
                is_open = True
            except NotApplicableError as error:
                refused = refusals.setdefault(error.setting, [])
                refused.append(error)
                if len(refused) == len(images) and error.setting not in optional:
                    raise refused[0] from None
                names = [error.setting]
                if error.setting == "raw_shape":
                    names.append("raw_type")
                fitting = without(fitting, names)
    return opened


def _kind_to_read(settings: MicrographSettings) -> KindChoice:
    """Kind of the values in the file; 'phases' may be what segmentation makes."""
    return settings.kind if settings.segmentation == "none" else "grayscale"


def edges_with(
    source: SourceImage, settings: MicrographSettings
) -> tuple[Edges | None, str]:
    """Pixel edges along X, Y and Z, and where they come from.

    A given pixel size counts for X and Y. The planes keep the distance that the header
    gives them, in pixels, unless that is given too.
    """
    edges, where = source.edges_nm, source.size_source
    if settings.pixel_size_nm is not None:
        given = settings.pixel_size_nm
        step = edges[2] / edges[0] if edges is not None and len(edges) > 2 else 1.0
        edges, where = (given, given, given * step), "as given"
    if settings.z_step_nm is not None:
        wanted = f"for 'Plane distance' {settings.z_step_nm:g} nm"
        if not source.is_volume:
            raise NotApplicableError(
                "z_step_nm",
                f"{source.name}: expected a volume {wanted}, got an image of "
                f"{source.size} pixels; leave it out.",
            )
        if edges is None:
            raise ValueError(
                f"{source.name}: expected a pixel size {wanted}, got none in the file; "
                "give 'Pixel size' too."
            )
        edges = (*edges[:2], settings.z_step_nm)
    return edges, where


def _cropped_source(
    source: SourceImage, settings: MicrographSettings
) -> tuple[NDArray[Any], ImageFacts]:
    """The part to use; notes on what was cropped, warnings on what was not."""
    values, first = source.values, len(source.shape) - 2
    if settings.crop is not None and settings.crop != "auto":
        crop = settings.crop
        part = _cropped(values, crop, source.name, first)
        return _in_memory(part, source.name), ImageFacts(crop=crop)
    values = _in_memory(values, source.name)
    gray = _gray(values, is_volume=source.is_volume)
    crop_found, why = usable_part(gray, source.scanned_rows, is_volume=source.is_volume)
    warnings = () if source.is_volume else _burnt_in(gray, crop_found)
    if crop_found is None and settings.crop == "auto":
        note = "Nothing is cropped: no data bar or border without values is found."
        return values, ImageFacts(notes=(note,), warnings=warnings)
    if crop_found is None:
        return values, ImageFacts(warnings=warnings)
    top, bottom, left, right = crop_found
    where = f"rows {top} to {bottom} and columns {left} to {right}"
    if settings.crop == "auto":
        used = f"Only {where} are used: {within_sentence(why)}."
        facts = ImageFacts(crop=crop_found, notes=(used,), warnings=warnings)
        return _cropped(values, crop_found, source.name, first), facts
    how = "(--crop auto, or 'Crop to the material' in the window)"
    if not has_value(values, missing_mark(values)).all():
        raise CropNeededError(
            f"{source.name}: expected finite pixel values, got a border of NaN, "
            f"infinite or missing ones; crop to {where} {how}."
        )
    warning = f"{why}; crop to {where} {how}."
    return values, ImageFacts(suggested=crop_found, warnings=(warning, *warnings))


def _in_memory(values: Any, name: str) -> NDArray[Any]:
    """Values of a layer that may be read only now."""
    if not isinstance(values, np.ndarray):
        check_memory(values.shape, values.dtype, name)
    return np.asarray(values)


def _gray(values: NDArray[Any], *, is_volume: bool) -> NDArray[Any]:
    """Luminance of channels at the end; other values as they are."""
    return luminance(values[..., :3]) if values.ndim == 3 + is_volume else values


def usable_part(
    values: NDArray[Any], scanned_rows: int | None = None, *, is_volume: bool = False
) -> tuple[Crop | None, str]:
    """Rows and columns without data bar and without a border that shows nothing.

    Parameters
    ----------
    values
        ``[Y, X]`` or, of a volume, ``[Z, Y, X]``, or with channels at the end.
    scanned_rows
        Rows above the data bar if the header states them.
    is_volume
        Whether there are planes, of which all are cropped alike.

    Returns
    -------
    The crop, and why the rest is left out; ``(None, "")`` if all of it is usable.
    """
    values = _gray(values, is_volume=is_volume)
    if values.ndim != 2 + is_volume or values.dtype.kind not in "uif":
        return None, ""
    planes = values if is_volume else values[np.newaxis]
    rows, columns = planes.shape[1:]
    mark = missing_mark(values)
    if values.dtype.kind == "f" or mark is not None:
        finite = np.ones((rows, columns), bool)
        for plane in planes:
            finite &= has_value(plane, mark)
        if not finite.all():
            crop = largest_whole_part(finite)
            why = "There is a border without values"
            why += " (NaN)" if mark is None else f" ({mark:g})"
            return (crop, why) if crop else (None, "")
    if scanned_rows is not None and scanned_rows < rows:
        why = f"The header states {scanned_rows} scanned rows; below is a data bar"
        return (0, scanned_rows, 0, columns), why
    is_gray = distinct_values(values, MAX_PHASES) is None
    is_noisy = is_gray and is_rough(planes[len(planes) // 2])
    border = constant_border(planes, is_gray=is_noisy)
    bar = _data_bar(planes, is_gray=is_gray, is_noisy=is_noisy)
    if border is None:
        return bar, "There seems to be a data bar at an edge" if bar else ""
    crop, value = border
    if bar is None or _common(crop, bar) == crop:
        why = f"There is a border of the one value {value:g}, which is no material"
        return crop, why
    why = "There seem to be a data bar and a border at the edges"
    return _common(crop, bar), why


def _data_bar(planes: NDArray[Any], *, is_gray: bool, is_noisy: bool) -> Crop | None:
    """What remains without a bar that three or four of the planes have."""
    found: list[Crop] = []
    for plane in planes[:: max(1, (len(planes) - 1) // 2)]:
        crop = find_data_bar(plane) if is_gray else None
        if crop is None and not is_noisy:
            # Letters with smooth edges have more values than the phases.
            middle = (float(plane.min()) + float(plane.max())) / 2
            labels = plane > middle if is_gray else plane
            crop = find_data_bar(labels, is_gray=False)
        if crop is None:
            return None
        found.append(crop)
    return functools.reduce(_common, found) if found else None


def _common(a: Crop, b: Crop) -> Crop:
    """Rows and columns that are in both."""
    return max(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), min(a[3], b[3])


def _burnt_in(values: NDArray[Any], crop: Crop | None) -> tuple[str, ...]:
    """A warning about a scale bar within the picture, with the larger part beside it.

    Of the part that remains when bars and borders at the edges are cropped.
    """
    if values.ndim != 2 or values.dtype.kind not in "uif":
        return ()
    top, bottom, left, right = crop or (0, values.shape[0], 0, values.shape[1])
    part = values[top:bottom, left:right]
    if not part.size or not has_value(part, missing_mark(part)).all():
        return ()
    found = find_scale_bar(part)
    if found is None:
        return ()
    first, last, start, end = found
    beside = [
        (top, top + first, left, right),
        (top + last, bottom, left, right),
        (top, bottom, left, left + start),
        (top, bottom, left + end, right),
    ]
    best = max(beside, key=lambda part: (part[1] - part[0]) * (part[3] - part[2]))
    text = " ".join(map(str, best))
    return (
        f"There seems to be a scale bar in rows {top + first} to {top + last} and "
        f"columns {left + start} to {left + end}, which is read like the material; "
        f"leave it out (--crop {text}, or 'Draw crop' in the window).",
    )


def _rare_phases(image: Micrograph) -> tuple[str, ...]:
    """A warning about phases of few pixels, each of which gets an output channel."""
    total = image.values.size
    counts = {n: int((image.values == n).sum()) for n in image.labels}
    rare = {n: count for n, count in counts.items() if count < RARE * total}
    if not rare:
        return ()
    unit = "voxel" if image.is_volume else "pixel"
    named = [f"{n} ({c:,} {unit}{'s' * (c > 1)})" for n, c in rare.items()]
    who = "Phase" if len(named) == 1 else "Phases"
    covers = "covers" if len(named) == 1 else "cover"
    if len(counts) - len(rare) > 1:
        cleaner = "'Smallest hole'" if min(counts) in rare else "'Smallest object'"
        todo = f"if it is noise, remove it by {cleaner} 2 or more"
    elif image.facts.reason.startswith(SEGMENTED):
        todo = f"if these are hot {unit}s, set 'Denoising' to median"
    else:
        todo = "use an image that shows more of it"
    return (
        f"{who} {', '.join(named)} {covers} less than {RARE:.1%} of the image, so few "
        f"crops show it; {todo}.",
    )


def _as_crop(
    crop: Crop | str, image: Micrograph
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns of a crop setting."""
    if isinstance(crop, str):
        rows, columns = image.planes("z").shape[1:3]
        found, _ = usable_part(image.values, is_volume=image.is_volume)
        crop = found or (0, rows, 0, columns)
    return crop[:2], crop[2:]


def _cropped(
    values: NDArray[Any], crop: tuple[int, int, int, int], name: str, first: int
) -> NDArray[Any]:
    """Rows and columns of an image, or of each plane of a volume.

    ``first`` is the axis of the rows.
    """
    rows, columns = values.shape[first : first + 2]
    top, bottom, left, right = crop
    if not (0 <= top < bottom <= rows and 0 <= left < right <= columns):
        raise ValueError(
            f"{name}: expected a crop within {rows} rows and {columns} columns, got "
            f"rows {top} to {bottom} and columns {left} to {right}; correct the crop."
        )
    window = (slice(top, bottom), slice(left, right))
    return values[(slice(None),) * first + window]
