"""Meaning and validity of the values of an image array; resampling."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import skimage
from numpy.typing import NDArray
from pydantic import Field

if TYPE_CHECKING:
    from napari_slicegan.config import Kind

MAX_PHASES = 16
PhaseColours = dict[int, Annotated[str, Field(pattern="^#[0-9a-f]{6}$")]]
"""Phase label -> ``"#rrggbb"``, of materials whose images have colours; else empty."""
# The smallest patch; a last axis shorter than this is taken for channels.
SMALLEST_EDGE = 8
LARGEST = 1e30
"""Larger numbers overflow in statistics; programs mark pixels without a value so."""
MISSING = frozenset((-999, -9999, -99999, -(2**15), -(2**31)))
"""Numbers that mark pixels without a value, if they are far from all others."""
SUM_TOLERANCE = 1e-3
"""How far sums of probabilities are from 1."""
PART = 2**17
"""Values processed at a time, which bounds the memory for intermediate arrays."""


def has_channels(values: NDArray[Any]) -> bool:
    """Whether the last axis of a bare array ``[(Z,) Y, X(, C)]`` holds channels.

    By its shape; where the axes are known, they decide.
    """
    return values.ndim == 4 or (values.ndim == 3 and values.shape[-1] in (3, 4))


def rgb_of(colour: str) -> tuple[int, int, int]:
    """Red, green and blue (0 to 255) of ``"#rrggbb"``."""
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def stored_colours(facts: Mapping[str, str]) -> PhaseColours:
    """Colours of phases from JSON, whose keys are text."""
    return {int(label): str(colour) for label, colour in facts.items()}


def arrange(
    array: NDArray[Any], axes: str = ""
) -> tuple[NDArray[Any], bool, tuple[str, ...]]:
    """Axes as ``[(Z,) Y, X(, C)]``: no axes of length 1, channels at the end.

    Parameters
    ----------
    axes
        One letter per axis, S for channels; empty if only the shape is known.

    Returns
    -------
    The array, whether its last axis holds channels, and what was decided, in words.
    """
    shape = " x ".join(map(str, array.shape))
    is_single = _is_single_channel(array)
    if array.ndim > 2 and 1 in array.shape:
        kept = [axis for axis, n in enumerate(array.shape) if n != 1]
        # A single row or column keeps both axes, so that the message names them.
        if len(kept) >= 2:
            axes = "".join(axes[axis : axis + 1] for axis in kept)
            array = array.reshape([array.shape[axis] for axis in kept])
    if axes or array.ndim == 2:
        return array, array.ndim == 4 or axes.endswith("S"), ()
    if array.ndim == 3 and is_single:
        return array, False, ()
    first_is_channel = (
        array.ndim == 3
        and array.shape[0] in (3, 4)
        and min(array.shape[1:]) >= SMALLEST_EDGE
    )
    if first_is_channel and array.dtype.kind in "bui" and array.max() < MAX_PHASES:
        top = int(array.max())
        what = "0 and 1" if top <= 1 else f"labels up to {top}"
        note = f"The {len(array)} planes of {what} are read as a volume."
        return array, False, (note,)
    if first_is_channel:
        array = np.moveaxis(array, 0, -1)
        n = array.shape[-1]
        note = f"The {n} planes of {shape} values are read as {n} channels"
        return array, True, (f"{note} of one image.",)
    return array, has_channels(array), ()


def _is_single_channel(array: NDArray[Any]) -> bool:
    """Whether a bare array is ``[N, 1, Y, X]`` or ``[Z, Y, X, 1]``."""
    return array.ndim == 4 and 1 in array.shape[1:]


def without_alpha(
    array: NDArray[Any],
) -> tuple[NDArray[Any], tuple[str, ...], tuple[str, ...]]:
    """Three channels; transparency is dropped, or taken if only it shows something.

    Parameters
    ----------
    array
        ``[(Z,) Y, X, C]``.

    Returns
    -------
    The values, notes and warnings. Of an image of one colour, the transparency alone,
    without the axis of channels.
    """
    if array.shape[-1] != 4:
        return array, (), ()
    colours, alpha = array[..., :3], array[..., 3]
    opaque = alpha.max(initial=0)
    if (alpha == opaque).all():
        return colours, ("The alpha channel is dropped.",), ()
    if (colours == colours[(0,) * (array.ndim - 1)]).all():
        return alpha, ("All pixels have one colour: the alpha channel is read.",), ()
    clear = float((alpha == 0).mean())
    warnings: tuple[str, ...] = ()
    if clear:
        warnings = (
            f"{clear:.1%} of the pixels are transparent, and the colours stored for "
            "them are read like the material; crop to the part that is shown.",
        )
    return colours, ("The alpha channel is dropped.",), warnings


def overlapping_masks(array: NDArray[Any], axes: str = "") -> tuple[str, ...]:
    """A warning about bare planes of 0 and 255, which `arrange` takes for channels.

    Parameters
    ----------
    array, axes
        See `arrange`. Planes of which each pixel has one are phases in any case.
    """
    whole = array.reshape([n for n in array.shape if n != 1])
    if axes or whole.ndim != 3 or len(whole) not in (3, 4):
        return ()
    if _is_single_channel(array):
        return ()
    if not _are_masks(whole) or whole.max() == 0:
        return ()
    if ((whole > 0).sum(axis=0) == 1).all():
        return ()
    return (
        f"The {len(whole)} planes hold only 0 and 255, as masks do; they are read as "
        f"{'RGBA'[: len(whole)]} channels, so that each combination is a phase "
        "('Channel' red reads the first; a TIFF stack is read as a volume).",
    )


def most_probable(array: NDArray[Any]) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Classes of one-hot arrays and of probabilities; other arrays as they are.

    Parameters
    ----------
    array
        With an axis of 2 to 16 channels, the first or the last, over which the values
        sum to 1 everywhere; or of masks of 0 and 255, the first. (Three such masks are
        pure red, green and blue.)

    Returns
    -------
    The number of the largest channel of each pixel, and what was done, in words.
    """
    whole = array.reshape([n for n in array.shape if n != 1])
    if whole.ndim not in (3, 4) or whole.dtype.kind not in "buif" or not whole.size:
        return array, ()
    for axis in (0, whole.ndim - 1):
        n = whole.shape[axis]
        others = min(m for i, m in enumerate(whole.shape) if i != axis)
        if not 2 <= n <= MAX_PHASES or others < SMALLEST_EDGE:
            continue
        channels = np.moveaxis(whole, axis, 0)
        # Colours of floating point may be pure red, green and blue.
        may_be_colour = axis > 0 and n == 3 and whole.dtype.kind == "f"
        if axis == 0 and n != 3 and _are_masks(channels):
            channels = channels > 0
        if not _sums_to_one(channels) or (may_be_colour and _is_binary(channels)):
            continue
        what = "one-hot classes" if _is_binary(channels) else "probabilities"
        note = (
            f"The {n} channels are {what}, which sum to 1: each pixel takes the class "
            "of the largest."
        )
        return np.asarray(channels.argmax(axis=0), np.uint8), (note,)
    return array, ()


def _sums_to_one(channels: NDArray[Any]) -> bool:
    """Whether no value is negative and each pixel's values sum to 1."""
    # A few pixels settle it for nearly all images.
    for part in (channels[..., :2], *np.moveaxis(channels, 1, 0)):
        if part.min() < 0:
            return False
        total = part.sum(axis=0, dtype=np.float64)
        if not np.abs(total - 1).max() <= SUM_TOLERANCE:
            return False
    return True


def _are_masks(channels: NDArray[Any]) -> bool:
    """Whether all values are 0 and 255."""
    is_byte = channels.dtype == np.uint8
    return is_byte and all(
        bool(((plane == 0) | (plane == 255)).all()) for plane in channels
    )


def _is_binary(channels: NDArray[Any]) -> bool:
    return all(bool(((plane == 0) | (plane == 1)).all()) for plane in channels)


def check_pixels(array: NDArray[Any], name: str, axes: str = "") -> None:
    """Refuse arrays that are no image of a material.

    Parameters
    ----------
    array
        ``[Y, X]``, ``[Z, Y, X]``, or with three or four channels at the end.
    name
        Used in the messages.
    axes
        See `arrange`.

    Raises
    ------
    ValueError
        If the type, the shape or a value is not that of an image.
    """
    _check_dtype(array, name)
    _check_shape(array, name, axes)
    _check_finite(array, name)
    _check_varies(array, name)


def _check_dtype(array: NDArray[Any], name: str) -> None:
    """Refuse everything but bools, integers and floating point numbers."""
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


def _check_shape(array: NDArray[Any], name: str, axes: str) -> None:
    """Refuse shapes that are neither an image nor a volume."""
    shape = " x ".join(map(str, array.shape)) or "a single number"
    has_many = array.ndim == 4 and array.shape[-1] >= SMALLEST_EDGE
    if array.ndim not in (2, 3, 4) or has_many:
        raise ValueError(
            f"{name}: expected a 2-D image or a 3-D volume, got {array.ndim} "
            f"dimensions ({shape}); select one image or one volume of it."
        )
    if array.size == 0:
        raise ValueError(
            f"{name}: expected an image with pixels, got an empty one ({shape}); "
            "check the export or the crop."
        )
    channels = array.shape[-1]
    is_narrow = array.ndim == 3 and not axes and channels < SMALLEST_EDGE
    may_be_colour = array.ndim == 4 or axes.endswith("S") or is_narrow
    if may_be_colour and array.ndim > 2 and channels not in (3, 4):
        raise ValueError(
            f"{name}: expected one value or three colour channels per pixel, got "
            f"{channels} channels ({shape}); select one channel or convert to RGB."
        )


def _check_finite(array: NDArray[Any], name: str) -> None:
    """Refuse NaN, infinite values and marks of pixels without a value."""
    mark = missing_mark(array)
    if array.dtype.kind != "f" and mark is None:
        return
    n_bad = sum(int(plane.size - has_value(plane, mark).sum()) for plane in array)
    if n_bad:
        marked = "" if mark is None else f", or the mark {mark:g}"
        raise ValueError(
            f"{name}: expected finite pixel values, got {n_bad} that are NaN or "
            f"infinite, or beyond {LARGEST:g}{marked}; crop the image or fill them."
        )


def missing_mark(values: NDArray[Any]) -> float | None:
    """Number that programs write where there is no value, far from all others.

    Such as -32768 outside of a tomogram's circle, or -9999 of geographic grids; not
    one of the two values of a mask.
    """
    if values.dtype.kind not in "if" or not values.size:
        return None
    low = values.min()
    if low not in MISSING:
        return None
    others = values[values != low]
    if not others.size:
        return None
    lowest, highest = float(others.min()), float(others.max())
    is_far = lowest - float(low) > 2 * (highest - lowest) > 0
    return float(low) if is_far else None


def has_value(values: NDArray[Any], mark: float | None = None) -> NDArray[np.bool_]:
    """Where pixels have a value: not NaN, infinite or a mark such as -3.4e38."""
    found = np.ones(values.shape, bool)
    if values.dtype.kind == "f":
        top = values.dtype.type(min(LARGEST, float(np.finfo(values.dtype).max)))
        found = np.asarray((values <= top) & (values >= -top))
    return found if mark is None else found & (values != mark)


def native(array: NDArray[Any]) -> NDArray[Any]:
    """Numbers as torch takes them: of the native byte order, of 64 bits at most."""
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        return array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _check_varies(array: NDArray[Any], name: str) -> None:
    """Refuse images in which nothing can be seen."""
    low, high = array.min(), array.max()
    if low == high:
        raise ValueError(
            f"{name}: expected an image of a material, got the same value ({low}) "
            "everywhere; check the file, the crop or the thresholds."
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
    """Index tuples that together cover an array, at most `PART` values each.

    Working part by part needs little memory besides the array itself.
    """
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
    """Colour by the channels, phases by few distinct integers, else grayscale.

    Of volumes that a program has written; see `interpretation` for images of any
    origin.
    """
    if has_channels(values):
        return "colour"
    if values.dtype.kind == "b":
        return "phases"
    if values.dtype.kind in "iu" and distinct_values(values, MAX_PHASES):
        return "phases"
    return "grayscale"


def label_dtype(labels: Sequence[int]) -> np.dtype[Any]:
    """Smallest integer type that holds all the labels."""
    low, high = min(labels), max(labels)
    return np.min_scalar_type(high if low >= 0 else min(low, -high - 1))


def display_gray(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Gray values from 0 at ``low`` to 255 at ``high``, clipped; the same shape."""
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
    scaled = skimage.transform.resize(  # type: ignore[no-untyped-call]
        values, full, order=1, mode="edge", preserve_range=True, anti_aliasing=shrinks
    )
    if values.dtype.kind in "iu":
        scaled = np.rint(scaled)
    return np.asarray(scaled).astype(values.dtype)
