"""Meaning and validity of the values of an image array; resampling."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from skimage.transform import resize

if TYPE_CHECKING:
    from napari_slicegan.config import Kind

KindChoice = Literal["auto", "phases", "grayscale", "colour"]

MAX_PHASES = 16
# The smallest patch; a last axis shorter than this is taken for channels.
SMALLEST_EDGE = 8
PART = 2**17
"""Values processed at a time, which bounds the memory for intermediate arrays."""


def has_channels(values: NDArray[Any]) -> bool:
    """Whether the last axis of ``[(Z,) Y, X(, C)]`` holds colour channels."""
    return values.ndim == 4 or (values.ndim == 3 and values.shape[-1] in (3, 4))


def drop_alpha(values: NDArray[Any], name: str) -> NDArray[Any]:
    """Colours without their transparency, with a warning where there was one."""
    if has_channels(values) and values.shape[-1] == 4:
        warnings.warn(f"{name}: the alpha channel is dropped.", stacklevel=2)
        return values[..., :3]
    return values


def plain_array(values: Any, name: str) -> NDArray[Any]:
    """Array of real numbers of an accepted shape.

    Parameters
    ----------
    values
        Anything that numpy can make an array of.
    name
        Used in the messages.

    Returns
    -------
    ``[Y, X]``, ``[Y, X, 3]``, ``[Z, Y, X]`` or ``[Z, Y, X, 3]``; an alpha channel
    is dropped with a warning.

    Raises
    ------
    ValueError
        If the type, the shape or a value is not that of an image.
    """
    array = np.asarray(values)
    if array.dtype.kind in "iufc":
        # Files of other machines: torch takes the native byte order only.
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind == "c":
        raise ValueError(
            f"{name}: expected real pixel values, got complex ones ({array.dtype}); "
            "take the magnitude, numpy.abs(values), first."
        )
    if array.dtype.kind not in "buif":
        raise ValueError(
            f"{name}: expected an array of numbers, got values of type "
            f"'{array.dtype}'; convert them to uint8, uint16 or float32."
        )
    _check_shape(array, name)
    array = drop_alpha(array, name)
    if array.dtype.kind == "f":
        n_bad = sum(int(plane.size - np.isfinite(plane).sum()) for plane in array)
        if n_bad:
            raise ValueError(
                f"{name}: expected finite pixel values, got {n_bad} that are NaN or "
                "infinite; crop the image or fill them."
            )
    low, high = array.min(), array.max()
    if low == high:
        raise ValueError(
            f"{name}: expected an image of a material, got the same value ({low}) "
            "everywhere; check the file, the crop or the thresholds."
        )
    return array


def _check_shape(array: NDArray[Any], name: str) -> None:
    """Refuse shapes that are neither an image nor a volume."""
    shape = " x ".join(map(str, array.shape)) or "a single number"
    if array.ndim not in (2, 3, 4):
        raise ValueError(
            f"{name}: expected a 2-D image or a 3-D volume, got {array.ndim} "
            f"dimensions ({shape}); select one image or one volume of it."
        )
    if array.size == 0:
        raise ValueError(
            f"{name}: expected an image with pixels, got an empty one ({shape}); "
            "check the export or the crop."
        )
    channels = array.shape[-1] if array.ndim > 2 else 1
    too_narrow = array.ndim == 4 or channels < SMALLEST_EDGE
    if array.ndim > 2 and too_narrow and channels not in (3, 4):
        raise ValueError(
            f"{name}: expected one value or three colour channels per pixel, got "
            f"{channels} channels ({shape}); select one channel or convert to RGB."
        )


def distinct_values(values: NDArray[Any], limit: int) -> list[Any] | None:
    """Sorted distinct values, or None as soon as there are more than `limit`."""
    found: set[Any] = set()
    for place in parts_of(values.shape):
        part = values[place]
        # Comparing with the values found so far is far faster than sorting.
        is_new = np.ones(part.shape, bool)
        for value in found:
            is_new &= part != value
        if is_new.any():
            found.update(np.unique(part[is_new]).tolist())
        if len(found) > limit:
            return None
    return sorted(found)


def label_indices(values: NDArray[Any], labels: Sequence[int]) -> NDArray[np.uint8]:
    """Position of each voxel's label among the labels, at one byte a voxel.

    Parameters
    ----------
    values
        Labels, of any shape and type.
    labels
        Sorted labels, at most 256, including all that occur.

    Returns
    -------
    ``values.shape``; 0 for the first label.
    """
    index = np.zeros(values.shape, np.uint8)
    for place in parts_of(values.shape):
        part, into = values[place], index[place]
        # Sorted labels: the position is the number of later labels up to the value.
        for label in labels[1:]:
            into += (part >= label).view(np.uint8)
    return index


def parts_of(shape: tuple[int, ...]) -> Iterator[tuple[int | slice, ...]]:
    """Index tuples that together cover an array, at most `PART` values each."""
    if not shape:
        yield ()
        return
    inner = math.prod(shape[1:])
    if inner > PART:
        for index in range(shape[0]):
            yield from ((index, *rest) for rest in parts_of(shape[1:]))
        return
    rows = PART // max(1, inner)
    yield from ((slice(first, first + rows),) for first in range(0, shape[0], rows))


def kind_of(values: NDArray[Any]) -> Kind:
    """Colour by the channels, phases by few distinct integers, else grayscale."""
    if has_channels(values):
        return "colour"
    if values.dtype.kind == "b":
        return "phases"
    if values.dtype.kind in "iu" and distinct_values(values, MAX_PHASES):
        return "phases"
    return "grayscale"


def as_kind(
    values: NDArray[Any],
    kind: KindChoice,
    name: str,
) -> tuple[NDArray[Any], Kind]:
    """Values fit for a kind; ``"auto"`` decides it from the values.

    RGB images with three equal channels count as grayscale, unless the kind is
    "colour".

    Returns
    -------
    Values and kind. Labels come in the smallest integer type that holds them.

    Raises
    ------
    ValueError
        If the values cannot be of that kind.
    """
    channels = has_channels(values)
    # Many programs store gray images as RGB.
    if (
        kind != "colour"
        and channels
        and all((plane == plane[..., :1]).all() for plane in values)
    ):
        values, channels = values[..., 0], False
    found = kind_of(values) if kind == "auto" else kind
    shape = " x ".join(map(str, values.shape))
    if found == "colour" and not channels:
        raise ValueError(
            f"{name}: a colour image has three channels, got one value per pixel "
            f"({shape}); choose the kind 'grayscale' or 'phases'."
        )
    if channels and found != "colour":
        wanted = "one label" if found == "phases" else "one gray value"
        raise ValueError(
            f"{name}: the kind '{found}' has {wanted} per pixel, got an RGB image "
            f"({shape}); choose the kind 'colour' or convert the image first."
        )
    if found == "phases":
        return _labels(values, name), found
    if values.dtype.kind == "b":
        return values.astype(np.uint8), found
    return values, found


def _labels(values: NDArray[Any], name: str) -> NDArray[Any]:
    """Whole numbers, few of them, in the smallest type that holds them."""
    if values.dtype.kind == "f" and any((p != np.floor(p)).any() for p in values):
        raise ValueError(
            f"{name}: labels of phases are whole numbers, got fractions "
            f"({values.dtype}); choose the kind 'grayscale' or a segmentation."
        )
    labels = distinct_values(values, MAX_PHASES)
    if labels is None:
        raise ValueError(
            f"{name}: expected at most {MAX_PHASES} phases, got more values (is it "
            "grayscale?); choose the kind 'grayscale' or a segmentation."
        )
    return values.astype(label_dtype([int(label) for label in labels]), copy=False)


def label_dtype(labels: Sequence[int]) -> np.dtype[Any]:
    """Smallest integer type that holds all the labels."""
    low, high = min(labels), max(labels)
    return np.min_scalar_type(high if low >= 0 else min(low, -high - 1))


def display_gray(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Gray levels from 0 at ``low`` to 255 at ``high``, clipped; the same shape."""
    unit = (values.astype(np.float64) - low) / max(high - low, 1e-12)
    return np.asarray(np.rint(255 * np.clip(unit, 0, 1)), np.uint8)


def nearest(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Value at the position of each new pixel's centre."""
    axes = [
        ((np.arange(new) + 0.5) * old / new).astype(int)
        for old, new in zip(values.shape, shape, strict=True)
    ]
    return values[np.ix_(*axes)]


def interpolated(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Linear interpolation in the spatial axes; integers stay integers."""
    full = shape + values.shape[len(shape) :]
    shrinks = any(new < old for new, old in zip(full, values.shape, strict=True))
    scaled = resize(  # type: ignore[no-untyped-call]
        values, full, order=1, mode="edge", preserve_range=True, anti_aliasing=shrinks
    )
    if values.dtype.kind in "iu":
        scaled = np.rint(scaled)
    return np.asarray(scaled).astype(values.dtype)
