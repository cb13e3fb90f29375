"""What the values of an image mean.

Decided once, here, for files, arrays and layers alike: the arrangement of the axes,
the kind (phases, gray values, colours), and how values that are stored in another way
become that kind. Whatever is converted is noted in words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_slicegan.config.images import NotApplicableError
from napari_slicegan.data.pixel_values import (
    MAX_PHASES,
    arrange,
    check_pixels,
    distinct_values,
    label_dtype,
    label_indices,
    most_probable,
    native,
    overlapping_masks,
    without_alpha,
)

if TYPE_CHECKING:
    from napari_slicegan.config import Kind

KindChoice = Literal["auto", "phases", "grayscale", "colour", "objects"]
CHANNELS = {"red": 0, "green": 1, "blue": 2}

LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue: ITU-R BT.601, section 2.5.1."""
NEARLY_GRAY = 0.05
"""Largest difference between channels, of the range of values, of a grayscale image."""
HUE_TOLERANCE = 1e-3
"""Deviation of floating-point channels from proportionality, relative to the range."""
MOST_DRAWN = 0.03
"""Largest fraction of coloured pixels (scale bars, drawings) in a grayscale image."""
WHITE = {255, 65535}
"""Largest values of 8 and 16 bits: labels spread to be seen."""
MOST_LABELLED = 2**21
"""Pixels of a plane in which connected areas are looked for."""
SAMPLE = 2**18
"""Pixels by which flat colours and objects are recognised."""
# Phases stored with lossy compression, by experiment: masks in JPEG of quality 60 and
# more fulfil all of these, micrographs with noise of 2 % of the range and more do not.
FLAT_GAP, FLAT_NEAR, FLAT_MEDIAN = 80.0, 0.95, 2.1
FLAT_INSIDE = 12.0
# Colours are compressed harder: chroma has half the resolution.
COLOUR_NEAR, COLOUR_MEDIAN = 0.9, 6.0
MOST_FLAT = 8
MOST_MODES = 24
RARE = 0.03
"""Fraction of pixels below which a colour may be a mixture of two others."""
NEAR_LINE = 100.0
"""Distance of a mixture of two colours from the line between them, 0 to 255."""
JUNK = 0.02
"""Largest fraction of in-between pixels that do not lie at an edge of both phases."""
MOST_BETWEEN = 0.1
"""Largest fraction of pixels between the values of a flat image, at smooth edges."""
GRAINS = (
    "Each whole number marks one connected area, and the areas fill the image, as "
    "numbers of grains do: as gray values they mean nothing; give an image of the "
    "grain boundaries, or of few phases."
)
SMALLEST_FLAT = 0.005
MANY, MIXED = 8, 0.5
"""Phases, and fraction of neighbours in the same one, below which they may be gray."""


@dataclass(frozen=True, eq=False)
class Interpretation:
    """Values of a known kind.

    Attributes
    ----------
    values
        ``[Y, X]``, ``[Z, Y, X]``, or with three channels at the end.
    kind
        Of the values.
    reason
        Why it is taken for this kind.
    colours
        Phase label -> ``"#rrggbb"`` where the source has colours.
    notes
        Conversions, a sentence each.
    warnings
        Probable faults, a sentence each.
    """

    values: NDArray[Any]
    kind: Kind
    reason: str
    colours: Mapping[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def interpret(
    values: Any,
    kind: KindChoice = "auto",
    channel: str = "auto",
    name: str = "micrograph",
    colours: Mapping[int, str] | None = None,
    axes: str = "",
) -> Interpretation:
    """Find out what values mean, and bring them into the form of their kind.

    Parameters
    ----------
    values
        Bool, integer or floating point: ``[Y, X]``, ``[Z, Y, X]``, with channels at the
        end or, three or four, at the start; axes of length 1 are dropped.
    kind
        ``"auto"``: few distinct values, or few flat colours, are phases, also when
        lossy compression has blurred them; many distinct whole numbers in connected
        areas are objects on a background; three differing channels are colours;
        anything else is grayscale. ``"objects"``: phases 0 (value 0) and 1 (all other
        values).
    channel
        Of a colour image: ``"luminance"``, or the channel taken as gray values;
        ``"auto"``: luminance where gray values are asked for.
    name
        Used in the messages.
    colours
        Colours of labels, if the source has a palette; values that are these colours
        become the labels.
    axes
        One letter per axis where the source names them: Z, Y, X, and S for channels.

    Raises
    ------
    ValueError
        If the values cannot be of that kind, or cannot be trained on.
    """
    if np.ma.is_masked(values):
        raise ValueError(
            f"{name}: expected a value in every pixel, got "
            f"{np.sum(np.ma.getmask(values))} that are masked; crop the image or fill "
            "them."
        )
    array = np.asarray(values)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    if not axes and channel == "auto" and kind in ("auto", "phases"):
        array, notes = most_probable(array)
        warnings = overlapping_masks(array)
    array, is_colour, arranged = arrange(array, axes)
    notes += arranged
    check_pixels(array, name, axes)
    array = native(array)
    if is_colour:
        array, dropped, clear = without_alpha(array)
        notes, warnings = notes + dropped, warnings + clear
        is_colour = array.ndim > 2 and array.shape[-1] == 3
    if is_colour:
        found = _interpret_channels(array, kind, channel, name, notes, colours or {})
        return replace(found, warnings=warnings + found.warnings)
    if kind == "colour":
        raise ValueError(
            f"{name}: a colour image has three channels, got one value per pixel "
            f"({_shape(array)}); choose the kind 'grayscale' or 'phases'."
        )
    if channel != "auto":
        raise NotApplicableError(
            "channel",
            f"{name}: expected an image with channels for 'Channel' {channel}, got one "
            f"value per pixel ({_shape(array)}); set 'Channel' to auto.",
        )
    return _interpret_plane(array, kind, name, notes, dict(colours or {}))


def luminance(colours: NDArray[Any]) -> NDArray[Any]:
    """Gray value of colours ``[Y, X, 3]`` or ``[Z, Y, X, 3]`` (ITU-R BT.601).

    In the same type; row by row to save memory.
    """
    weights = np.asarray(LUMINANCE, np.float32)
    gray = np.empty(colours.shape[:-1], colours.dtype)
    for shades, row in zip(gray, colours, strict=True):
        made = row.astype(np.float32) @ weights
        shades[...] = np.rint(made) if colours.dtype.kind in "iu" else made
    return gray


def _interpret_channels(
    array: NDArray[Any],
    kind: KindChoice,
    channel: str,
    name: str,
    notes: tuple[str, ...],
    colours: Mapping[int, str],
) -> Interpretation:
    """Interpretation of three channels; `colours` of labels, if they were a palette."""
    if channel in CHANNELS or channel.isdigit():
        number = CHANNELS[channel] if channel in CHANNELS else int(channel) - 1
        if number >= array.shape[-1]:
            raise ValueError(
                f"{name}: expected one of {array.shape[-1]} channels, got '{channel}'; "
                "correct 'Channel'."
            )
        notes += (f"The channel '{channel}' is taken as gray values.",)
        return _interpret_plane(array[..., number], kind, name, notes, {})
    if kind == "colour":
        return Interpretation(array, "colour", "as chosen", {}, notes)
    if all((plane == plane[..., :1]).all() for plane in array):
        notes += ("Three equal channels are read as one.",)
        return _interpret_plane(array[..., 0], kind, name, notes, {})
    if channel == "luminance" or kind == "grayscale":
        notes += ("The luminance of the colours is taken as gray values.",)
        gray = luminance(array)
        if kind == "grayscale":
            return Interpretation(gray, "grayscale", "as chosen", {}, notes)
        return _interpret_plane(gray, kind, name, notes, {})
    few = _distinct_colours(array)
    brightness = _of_one_hue(array) if few is None else None
    if brightness is not None:
        notes += (
            "All colours have one hue: their brightness is read (the kind 'colour' "
            "keeps them).",
        )
        return _interpret_plane(brightness, kind, name, notes, {})
    flat = _flat_colours(array, few)
    if flat is not None:
        labels, palette, cleaned = flat
        known = {colour: label for label, colour in colours.items()}
        if known.keys() >= set(palette.values()):
            # The labels of the palette that a viewer has turned into colours.
            wanted = [known[colour] for colour in palette.values()]
            labels = np.asarray(wanted, label_dtype(wanted))[labels]
            palette = dict(sorted(zip(wanted, palette.values(), strict=True)))
        notes += (f"Each of {len(palette)} flat colours is read as a phase.",)
        if cleaned:
            notes += (cleaned,)
        reason = "few flat colours" if kind == "auto" else "as chosen"
        warnings = _mixed_phases(labels, len(palette)) if kind == "auto" else ()
        return Interpretation(labels, "phases", reason, palette, notes, warnings)
    if kind != "auto":
        raise ValueError(
            f"{name}: phases are labels or a few flat colours, got an RGB image of "
            f"many colours ({_shape(array)}); choose a segmentation, or the kind "
            "'colour'."
        )
    share = _drawn_in_colour(array)
    if share <= MOST_DRAWN:
        warnings = (
            f"{share:.2%} of the pixels of a grayscale image have a colour, as scale "
            "bars and other drawings do: they are read as gray values too; crop them "
            "away, or choose the kind 'colour'.",
        )
        reason = "three equal channels but for drawings"
        return Interpretation(
            luminance(array), "grayscale", reason, {}, notes, warnings
        )
    spread = _channel_spread(array)
    if spread <= NEARLY_GRAY:
        notes += (
            "The channels differ by at most "
            f"{spread:.1%} of the range: their luminance is taken as gray values (the "
            "kind 'colour' keeps them).",
        )
        reason = "nearly equal channels"
        return Interpretation(luminance(array), "grayscale", reason, {}, notes)
    return Interpretation(array, "colour", "three differing channels", {}, notes)


def _interpret_plane(
    array: NDArray[Any],
    kind: KindChoice,
    name: str,
    notes: tuple[str, ...],
    colours: dict[int, str],
) -> Interpretation:
    """Interpretation of one value per pixel."""
    chosen = kind != "auto"
    if kind == "grayscale":
        gray = array.astype(np.uint8) if array.dtype.kind == "b" else array
        return Interpretation(gray, "grayscale", "as chosen", {}, notes)
    if kind == "objects":
        return _objects(array, name, "as chosen", notes, -1 if array.min() == -1 else 0)
    if array.dtype.kind == "b":
        return Interpretation(
            array.astype(np.uint8), "phases", "two truth values", colours, notes
        )
    found = distinct_values(array, MAX_PHASES)
    if not chosen and (found is None or len(found) > 3) and _has_smooth_edges(array):
        low, high = array.min(), array.max()
        notes += (
            f"Two phases are read: values between {low:g} and {high:g}, at smooth "
            "edges, take the nearer.",
        )
        bright = array > (float(low) + float(high)) / 2
        reason = "two flat gray values with smooth edges"
        return Interpretation(bright.astype(np.uint8), "phases", reason, {}, notes)
    flat = None
    if found is None or _are_blurred(found, array.dtype):
        flat = _flat_grays(array)
    if found is not None and flat is None:
        reason = "as chosen" if chosen else f"{len(found)} distinct values"
        if any(value != math.floor(value) for value in found):
            notes += (
                f"The values {_listed(found)} are read as the phases 0 to "
                f"{len(found) - 1}.",
            )
            ranks = np.searchsorted(found, array).astype(np.uint8)
            return Interpretation(ranks, "phases", reason, {}, notes)
        labels = [int(value) for value in found]
        phases = array.astype(label_dtype(labels), copy=False)
        shown = {label: colours[label] for label in labels if label in colours}
        warnings: tuple[str, ...] = ()
        if not chosen and len(labels) > 3 and numbered_areas(phases) is not None:
            warnings = (
                "Each label marks one connected area, as numbers of objects or grains "
                "do; choose the kind 'objects' if these are no phases.",
            )
        elif not chosen:
            warnings = _mixed_phases(phases, len(labels))
        return Interpretation(phases, "phases", reason, shown, notes, warnings)
    areas = None if chosen or found is not None else numbered_areas(array)
    if areas is not None and areas.background is not None:
        reason = "connected areas of one whole number each"
        return _objects(array, name, reason, notes, areas.background)
    if areas is not None:
        return Interpretation(
            array, "grayscale", "many distinct values", {}, notes, (GRAINS,)
        )
    if flat is not None:
        labels_, _, cleaned = flat
        reason = "as chosen" if chosen else "few flat gray values, compressed"
        return Interpretation(labels_, "phases", reason, {}, (*notes, cleaned))
    if chosen:
        raise ValueError(
            f"{name}: expected at most {MAX_PHASES} phases, got more values (is it "
            "grayscale?); choose the kind 'grayscale' or a segmentation, or 'objects' "
            "for numbered objects."
        )
    return Interpretation(array, "grayscale", "many distinct values", {}, notes)


def _objects(
    array: NDArray[Any],
    name: str,
    reason: str,
    notes: tuple[str, ...],
    background: int,
) -> Interpretation:
    """Background against everything else."""
    inside = array != background
    if inside.all() or not inside.any():
        raise ValueError(
            f"{name}: expected objects on a background of the value {background}, got "
            f"none of {'the background' if inside.all() else 'the objects'}; choose "
            "the kind 'phases' or 'grayscale', or label the background 0."
        )
    marked = "" if background == 0 else f", which is marked {background}"
    notes += (
        f"Numbered objects are read as one phase (1) on their background (0){marked}; "
        "the kind 'grayscale' keeps the numbers.",
    )
    return Interpretation(inside.astype(np.uint8), "phases", reason, {}, notes)


@dataclass(frozen=True)
class Areas:
    """Connected areas, each of one whole number.

    Attributes
    ----------
    background
        Number that marks what lies between them; None if they fill the image.
    """

    background: int | None


def _mixed_phases(array: NDArray[Any], n_labels: int) -> tuple[str, ...]:
    """A warning about many phases that change from pixel to pixel, but for one."""
    if n_labels < MANY:
        return ()
    plane = array if array.ndim == 2 else array[len(array) // 2]
    values, counts = np.unique(plane, return_counts=True)
    own = plane[:, :-1] != values[counts.argmax()]
    equal = own & (plane[:, 1:] == plane[:, :-1])
    if equal.sum() >= MIXED * own.sum():
        return ()
    return (
        f"Most neighbours of a pixel belong to another of the {n_labels} phases, as "
        "counts and gray values of few bits do; choose the kind 'grayscale' if they "
        "are no phases.",
    )


def numbered_areas(array: NDArray[Any]) -> Areas | None:
    """Areas that whole numbers mark, as labels of objects; None if they do not.

    Parameters
    ----------
    array
        ``[Y, X]`` or ``[Z, Y, X]``, of which the middle plane is looked at.
    """
    plane = array if array.ndim == 2 else array[len(array) // 2]
    if min(plane.shape) < 2:
        return None
    # Every so many rows and columns of large images.
    step = math.isqrt(-(-plane.size // MOST_LABELLED))
    plane = plane[:: step + 1, :: step + 1] if step > 1 else plane
    if plane.dtype.kind == "f" and (plane != np.floor(plane)).any():
        return None
    same = np.mean(plane[1:] == plane[:-1]), np.mean(plane[:, 1:] == plane[:, :-1])
    if min(same) < 0.75:
        return None
    numbers = np.unique(plane)
    if not 3 <= len(numbers) <= plane.size / 16:
        return None
    background = _background(plane, numbers)
    if background is None and numbers[0] < 0:
        return None
    marked = numbers[numbers != background] if background is not None else numbers
    # Gray areas of one value are many; an object is one.
    tried = marked[:: max(1, len(marked) // 32)]
    single = [scipy.ndimage.label(plane == n, np.ones((3, 3)))[1] == 1 for n in tried]
    return Areas(background) if float(np.mean(single)) >= 0.9 else None


def _background(plane: NDArray[Any], numbers: NDArray[Any]) -> int | None:
    """Number of the background: -1, 0 or the largest of the type."""
    marks = [mark for mark in (-1, 0) if numbers[0] == mark]
    if plane.dtype.kind == "u" and numbers[-1] == np.iinfo(plane.dtype).max:
        marks.append(int(numbers[-1]))
    return max(marks, key=lambda mark: np.count_nonzero(plane == mark), default=None)


def _of_one_hue(array: NDArray[Any]) -> NDArray[Any] | None:
    """Brightness of an image of proportional channels, as of a map of one element.

    The brightest channel; None if the hue differs.
    """
    brightest = int(np.argmax([array[..., n].max() for n in range(3)]))
    gray = array[..., brightest]
    top = float(gray.max())
    if top <= 0 or array.min() < 0:
        return None
    hue = [float(array[..., n].max()) / top for n in range(3)]
    tolerance = 1.0 if array.dtype.kind in "iu" else HUE_TOLERANCE * top
    for n in range(3):
        for plane, own in zip(gray, array[..., n], strict=True):
            if np.abs(own - hue[n] * plane.astype(np.float64)).max() > tolerance:
                return None
    return np.ascontiguousarray(gray)


def _drawn_in_colour(array: NDArray[Any]) -> float:
    """Fraction of the pixels whose channels are not exactly equal."""
    different = [(plane != plane[..., :1]).any(axis=-1).mean() for plane in array]
    return float(np.mean(different))


def _channel_spread(array: NDArray[Any]) -> float:
    """Difference of the channels that 99 % of the pixels stay below, of the range."""
    pixels = _sample(array.reshape(-1, 3)).astype(np.float32)
    span = float(pixels.max() - pixels.min()) or 1.0
    return float(np.quantile(np.ptp(pixels, axis=1), 0.99)) / span


FlatPhases = tuple[NDArray[np.uint8], dict[int, str], str]
"""Labels, their colours, and a sentence about compression (empty if there was none)."""


def _flat_colours(
    array: NDArray[Any], found: NDArray[np.float64] | None
) -> FlatPhases | None:
    """Labels by rising luminance if the image has few colours.

    Parameters
    ----------
    found
        Distinct colours of the values as stored, before any scaling, if they are few.
    """
    if found is not None and len(found) < 2:
        return None
    top = _largest_channel(array)
    unit = np.asarray(np.rint(np.clip(array / top, 0, 1) * 255), np.uint8)
    cleaned = ""
    if found is None:
        if array.dtype != np.uint8 and array.dtype.kind in "iu" and top > 255:
            # Counts, such as maps of elements: compression is a matter of 8 bits.
            return None
        centres = _centres(unit.reshape(-1, 3), COLOUR_NEAR, COLOUR_MEDIAN)
        if centres is None:
            return None
        cleaned = (
            "Pixels between them, of lossy compression or smooth edges, take the "
            "nearest."
        )
    else:
        centres = np.rint(np.clip(found / top, 0, 1) * 255)
        if len(np.unique(centres, axis=0)) < len(centres):
            return None
    centres = centres[np.argsort(centres @ np.asarray(LUMINANCE), kind="stable")]
    palette = {
        i: "#" + "".join(f"{round(v):02x}" for v in c) for i, c in enumerate(centres)
    }
    return _nearest_centre(unit, centres), palette, cleaned


def _flat_grays(array: NDArray[Any]) -> FlatPhases | None:
    """Labels by rising gray value if lossy compression has blurred few gray values."""
    low, high = float(array.min()), float(array.max())
    sample = _sample(array.reshape(-1)).astype(np.float32)
    # Saturated pixels are flat in any picture: they say nothing.
    inside = sample[(sample > low) & (sample < high)]
    scale = 255 / (high - low)
    centres = _centres((sample[:, np.newaxis] - low) * scale, FLAT_NEAR, FLAT_MEDIAN)
    if centres is None:
        return None
    is_edge = len(inside) <= MOST_BETWEEN * len(sample)
    if not is_edge and _is_spread((inside - low) * scale, centres):
        return None
    values = low + np.sort(centres, axis=0) / scale
    plane = array if array.ndim == 2 else array[len(array) // 2]
    values = _without_edges(plane, values)
    if len(values) < 2:
        return None
    shown = _listed([float(value[0]) for value in values])
    return (
        _nearest_centre(array[..., np.newaxis], values),
        {},
        f"Values blurred by lossy compression or smooth edges are read as the phases 0 "
        f"to {len(values) - 1} (gray values near {shown}).",
    )


def _are_blurred(found: list[Any], dtype: np.dtype[Any]) -> bool:
    """Whether few values are groups far apart, as of JPEG of high quality."""
    values = np.asarray(found, float)
    is_unit = dtype.kind == "f" and values[-1] <= 1
    values *= 255 if is_unit else 1
    gaps = np.flatnonzero(np.diff(values) > FLAT_INSIDE)
    groups = np.split(values, gaps + 1)
    return (
        (is_unit or dtype == np.uint8)
        and len(groups) > 1
        and min(map(len, groups)) > 1
        and np.diff(values)[gaps].min() >= FLAT_GAP
    )


def _without_edges(
    plane: NDArray[Any], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Gray values ``[N, 1]`` of phases, without rare ones between their neighbours."""
    labels = _nearest_centre(plane[..., np.newaxis], values)
    kept = []
    for n in range(len(values)):
        own = labels == n
        near = np.ones(plane.shape, bool)
        for other in (n - 1, n + 1):
            near &= scipy.ndimage.maximum_filter(labels == other, 5)
        is_rare = 0 < own.mean() < RARE
        if not is_rare or (own & ~near).sum() > JUNK * own.sum():
            kept.append(values[n])
    return np.asarray(kept)


def _has_smooth_edges(array: NDArray[Any]) -> bool:
    """Whether there are two phases with smooth edges, as in a resized mask.

    Values in between lie only where both phases are next to them.
    """
    low, high = array.min(), array.max()
    if float(high) - float(low) < FLAT_GAP:
        return False
    planes = array if array.ndim == 3 else array[np.newaxis]
    for plane in planes:
        between = (plane != low) & (plane != high)
        if between.mean() > MOST_BETWEEN:
            return False
        near_both = scipy.ndimage.maximum_filter(plane == high, 5)
        near_both &= scipy.ndimage.maximum_filter(plane == low, 5)
        if (between & ~near_both).sum() > JUNK * between.sum():
            return False
    return True


def _is_spread(inside: NDArray[Any], centres: NDArray[np.float64]) -> bool:
    """Whether unsaturated gray values are noise rather than blurred edges.

    Compression and smooth edges move few pixels far; noise moves all that are not
    clipped. Of a mask, most pixels have exactly the gray of their phase.
    """
    if not len(inside):
        return False
    gaps = np.abs(inside[:, np.newaxis] - centres[:, 0]).min(axis=1)
    return float(np.median(gaps)) > FLAT_INSIDE


def _distinct_colours(array: NDArray[Any]) -> NDArray[np.float64] | None:
    """Colours ``[N, 3]`` of an image ``[..., 3]``; None if more than `MAX_PHASES`."""
    known = np.empty((0, 3), array.dtype)
    for plane in array:
        pixels = plane.reshape(-1, 3)
        is_new = np.ones(len(pixels), bool)
        for colour in known:
            is_new &= (pixels != colour).any(axis=1)
        if is_new.any():
            first = np.unique(pixels[is_new][: SAMPLE // 16], axis=0)
            if len(known) + len(first) > MAX_PHASES:
                return None
            more = np.unique(pixels[is_new], axis=0)
            known = np.concatenate([known, more])
        if len(known) > MAX_PHASES:
            return None
    return known.astype(float)


def _largest_channel(array: NDArray[Any]) -> float:
    """Value of full brightness: 255, or 1 of floating point; more if values exceed it.

    12 and 16 bits are stored in the same type, and so are sometimes 8.
    """
    largest = float(array.max())
    tops = (1.0, 255.0) if array.dtype.kind == "f" else (255.0, 4095.0, 65535.0)
    return next((top for top in tops if largest <= top), largest)


def _sample(pixels: NDArray[Any]) -> NDArray[Any]:
    """At most `SAMPLE` pixels, evenly spaced."""
    return pixels[:: -(-len(pixels) // SAMPLE)]


def _centres(
    pixels: NDArray[Any], near: float, median: float
) -> NDArray[np.float64] | None:
    """The few values that almost all pixels have, up to a blur; None if not so.

    Parameters
    ----------
    pixels
        ``[N, C]``, 0 to 255.
    near
        Fraction of the pixels within a quarter of the smallest gap of their centre.
    median
        Median distance of a pixel from its centre.
    """
    sample = _sample(pixels).astype(np.float32)
    modes, is_all = _modes(sample)
    if pixels.shape[1] > 1:
        # Coarse chroma and smooth edges mix the colours on both sides of an edge.
        pure = _without_mixtures(sample, modes)
        if len(pure) <= MOST_FLAT and _are_flat(sample, pure, near, median):
            return pure
    is_few = is_all and len(modes) <= MOST_FLAT
    return modes if is_few and _are_flat(sample, modes, near, median) else None


def _modes(sample: NDArray[Any]) -> tuple[NDArray[np.float64], bool]:
    """The most frequent colours ``[N, C]``, and whether few pixels have others."""
    rest = sample
    centres: list[NDArray[Any]] = []
    while len(rest) > 0.02 * len(sample) and len(centres) < MOST_MODES:
        bins = np.rint(rest / 4).astype(np.int64)
        code = bins @ (128 ** np.arange(rest.shape[1], dtype=np.int64))
        _, first, counts = np.unique(code, return_index=True, return_counts=True)
        mode = bins[first[counts.argmax()]] * 4.0
        distance = np.abs(rest - mode).max(axis=1)
        centres.append(np.median(rest[distance <= 8], axis=0))
        rest = rest[distance > 32]
    return np.asarray(centres, float), len(rest) <= 0.02 * len(sample)


def _without_mixtures(
    sample: NDArray[Any], modes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Colours, most frequent first, without rare ones between two of the others."""
    kept = [modes[0]]
    for mode in modes[1:]:
        pairs = ((a, b) for i, a in enumerate(kept) for b in kept[i + 1 :])
        is_rare = (np.abs(sample - mode).max(axis=1) <= 16).mean() < RARE
        if not is_rare or not any(_is_between(mode, a, b) for a, b in pairs):
            kept.append(mode)
    return np.asarray(kept)


def _is_between(
    colour: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64]
) -> bool:
    """Whether a colour lies near the line from one colour to another."""
    way = b - a
    part = np.clip((colour - a) @ way / (way @ way), 0, 1)
    return float(np.linalg.norm(colour - a - part * way)) <= NEAR_LINE


def _are_flat(
    sample: NDArray[Any], table: NDArray[np.float64], near: float, median: float
) -> bool:
    """Whether almost all pixels have the colours of a table, up to a blur."""
    if len(table) < 2:
        return False
    between = np.sqrt(((table[:, np.newaxis] - table) ** 2).sum(axis=-1))
    gap = between[~np.eye(len(table), dtype=bool)].min()
    distances = np.sqrt(((sample[:, np.newaxis] - table) ** 2).sum(axis=-1))
    nearest, own = distances.argmin(axis=1), distances.min(axis=1)
    smallest = np.bincount(nearest, minlength=len(table)).min() / len(sample)
    return bool(
        gap >= FLAT_GAP
        and (own <= gap / 4).mean() >= near
        and np.median(own) <= median
        and smallest >= SMALLEST_FLAT
    )


def _nearest_centre(
    values: NDArray[Any], centres: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Index of the centre nearest to each pixel ``[..., C]``, row by row or plane."""
    labels = np.empty(values.shape[:-1], np.uint8)
    for index, plane in enumerate(values):
        distances = [
            ((plane - centre.astype(np.float32)) ** 2).sum(axis=-1)
            for centre in centres
        ]
        labels[index] = np.argmin(distances, axis=0)
    return labels


def are_same_phases(labels: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether other labels are the same phases, spread to be seen, as 0, 1 and 0, 255.

    False for equal labels, and for any others: they are other phases.
    """
    is_shown = {labels[-1], wanted[-1]} & WHITE and labels[0] == wanted[0]
    return (
        len(labels) == len(wanted) and bool(is_shown) and not set(labels) <= set(wanted)
    )


def match_labels(
    values: NDArray[Any], labels: Sequence[int], wanted: Sequence[int]
) -> NDArray[Any]:
    """Labels replaced by those of the same rank."""
    ranks = label_indices(values, labels)
    return np.asarray(wanted, label_dtype(wanted))[ranks]


def match_colours(
    colours: Mapping[int, str], labels: Sequence[int], wanted: Sequence[int]
) -> dict[int, str]:
    """Colours of labels that `match_labels` replaces."""
    ranks = zip(labels, wanted, strict=True)
    return {new: colours[old] for old, new in ranks if old in colours}


def _listed(values: list[Any]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _shape(array: NDArray[Any]) -> str:
    return " x ".join(map(str, array.shape)) or "a single number"
