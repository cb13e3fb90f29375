"""Checks of the images before training: size, resolution, agreement of views."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.config import AXES, LARGEST_STRETCH
from napari_slicegan.metrics.interfaces import interface_density_along
from napari_slicegan.metrics.representativity import SIGMAS_95, representativity

if TYPE_CHECKING:
    from napari_slicegan.config import Axis
    from napari_slicegan.data.micrograph import Micrograph
    from napari_slicegan.data.training_images import TrainingImages

# Relative uncertainty of a fraction above which the image is reported as too small.
TOO_UNCERTAIN = 0.3
# Differences of fractions between views that are not reported.
NEGLIGIBLE = 0.02
MAX_PLANES = 5
# Mean pixels between interfaces along a line. Downscaling from the first to the second
# value shortens training (docs/speed.md).
COARSE, WELL_RESOLVED = 20.0, 12.0
ENOUGH_TO_GAIN = 0.7
# Fewest pixels between interfaces that resolve a structure.
BARELY_RESOLVED = 6.0

# Distance of sections, in mean chords, beyond which they miss connections
# (docs/pairs.md).
FAR = 1 / 3
# Factor between the distance of two sections and the apparent one that is reported;
# larger ones are not measured.
WRONG_DISTANCE, MOST_WRONG = 1.5, 10

# Interfaces along a stretched axis are still so many times as far apart.
LONG = 2

Fractions = Mapping[int, tuple[float, float]]
"""Fraction of each phase by its label, and half the width of its 95 % interval."""


def fraction_uncertainty(indicator: NDArray[np.bool_]) -> float:
    """Standard deviation of the phase fraction among images of this size.

    See `representativity`.

    Parameters
    ----------
    indicator
        Bool ``[Y, X]``, True in the phase.
    """
    found = representativity([indicator], isotropic=False)
    return 0.0 if found is None else found.half_width / SIGMAS_95


def view_fractions(images: TrainingImages) -> dict[Axis, Fractions]:
    """Fractions of the phases in each viewing direction, with their uncertainty.

    Several images of one direction count as independent; volumes are sampled by planes.
    """
    labels = images.labels
    found: dict[Axis, Fractions] = {}
    for axis, of_axis in images.views.items():
        first, *others = labels
        value, half = _fraction(of_axis, axis, first)
        # Of two phases one is the rest of the other, known as well.
        rest = dict.fromkeys(others, (1 - value, half))
        if len(others) > 1:
            rest = {label: _fraction(of_axis, axis, label) for label in others}
        found[axis] = {first: (value, half), **rest}
    return found


@dataclass(frozen=True)
class RescaleAdvice:
    """Advice to rescale the images.

    Attributes
    ----------
    text
        One sentence with the reason.
    factor
        The advised 'Rescale factor'.
    """

    text: str
    factor: float


def image_warnings(
    images: TrainingImages,
    patch_size: int,
    fractions: Mapping[Axis, Fractions] | None = None,
    rescale: float = 1.0,
) -> list[str]:
    """Problems of the images that affect training, one sentence each.

    `rescale_advice` is separate.

    Parameters
    ----------
    patch_size
        Edge of the training crops in pixels.
    fractions
        From `view_fractions`; computed if None.
    rescale
        Factor by which the images were rescaled.
    """
    found = _size_warnings(images, patch_size, rescale)
    if images.kind == "phases":
        known = view_fractions(images) if fractions is None else fractions
        found += _spread_warnings(known) + _disagreements(known)
    if images.pixel_size_nm is None:
        found.append(
            "The pixel size is unknown, so the volume will have no physical size. "
            "Set 'Pixel size' if you know it."
        )
    return found


def rescale_advice(
    images: TrainingImages,
    patch_size: int,
    rescale: float = 1.0,
    stretch: Sequence[int] = (1, 1, 1),
) -> RescaleAdvice | None:
    """Advice to downscale images that resolve the structure too finely; None if not.

    Parameters
    ----------
    patch_size, rescale
        See `image_warnings`.
    stretch
        The 'Voxel stretch'; empty: as the images choose it.
    """
    if images.kind != "phases":
        return None
    images = images.reduced(stretch or voxel_stretch(images, patch_size))
    shortest, longest = interface_distances(images)
    spare = (
        2
        * patch_size
        / min(
            min(image.planes(axis).shape[1:3])
            for axis, of_axis in images.views.items()
            for image in of_axis
        )
    )
    if COARSE <= shortest < math.inf:
        factor = max(WELL_RESOLVED / shortest, spare)
        reason = (
            f"The structure is finely resolved: interfaces lie {shortest:.0f} pixels "
            "apart"
        )
        gain = "learn faster, with more of the material in a patch"
    elif patch_size < longest < math.inf:
        factor = max(patch_size / longest, BARELY_RESOLVED / shortest, spare)
        reason = (
            f"In one direction interfaces lie {longest:.0f} pixels apart, and a patch "
            f"has only {patch_size}"
        )
        gain = "let it show whole pieces of the structure"
    else:
        return None
    if factor > ENOUGH_TO_GAIN:
        return None
    rounded = math.ceil(20 * factor) / 20
    now = "" if rescale == 1 else f" (now {rescale:g})"
    wanted = f"{max(rescale * rounded, 0.05):.3g}"
    text = f"{reason}. Set 'Rescale factor' to {wanted}{now} to {gain}."
    return RescaleAdvice(text, float(wanted))


def voxel_stretch(images: TrainingImages, patch_size: int) -> tuple[int, int, int]:
    """Factors along z, y, x with which a patch shows whole pieces of a long structure.

    1 for isotropic materials and for gray values. Else the largest power of two after
    which interfaces are still `LONG` times as far apart as along the axis where they
    are nearest, and a quarter of a patch, and each image still holds a patch. 1 if a
    phase would vanish from an image.

    Parameters
    ----------
    patch_size
        Edge of the training crops in pixels.
    """
    if images.material == "isotropic" or images.kind != "phases":
        return (1, 1, 1)
    densities: dict[Axis, list[float]] = {axis: [] for axis in AXES}
    edges: dict[Axis, int] = {}
    for axis, of_axis in images.views.items():
        rows, columns = (one for one in AXES if one != axis)
        for image in of_axis:
            planes = _few(image.planes(axis))
            for number, along in ((1, rows), (2, columns)):
                densities[along].append(interface_density_along(planes, number))
                edge = planes.shape[number]
                edges[along] = min(edge, edges.get(along, edge))
    found = {axis: float(np.mean(values)) for axis, values in densities.items()}
    densest = max(found.values())
    factors = []
    for axis in AXES:
        factor = 1
        while (
            2 * factor * found[axis] * LONG <= densest
            and 2 * factor * found[axis] * patch_size <= 4
            and 2 * factor * patch_size <= edges[axis]
            and 2 * factor <= LARGEST_STRETCH
        ):
            factor *= 2
        factors.append(factor)
    z, y, x = factors
    if max(factors) == 1:
        return (1, 1, 1)
    by_axis = dict(zip(AXES, factors, strict=True))
    for axis, of_axis in images.views.items():
        for image in of_axis:
            if image.reduced(by_axis, axis).labels != image.labels:
                return (1, 1, 1)
    return z, y, x


def apparent_distance(first: NDArray[Any], second: NDArray[Any], most: int) -> float:
    """Distance of two aligned sections by what changes between them.

    The distance along rows and columns, in pixels, over which as many pixels of a
    section change their phase as from one section to the other. In an isotropic
    material that is the distance of the sections, as long as it is small beside the
    structure (the two-point correlation decreases linearly). A shift of one section
    adds to it.

    Parameters
    ----------
    first, second
        Labels ``[Y, X]``.
    most
        Largest distance that is tried; half of the image at most.

    Returns
    -------
    Infinite where more pixels change than at any of these distances.
    """
    changed, before = float((first != second).mean()), 0.0
    for lag in range(1, min(most + 1, *(n // 2 for n in first.shape))):
        differ = [
            (one[lag:] != one[:-lag]).mean()
            for section in (first, second)
            for one in (section, section.T)
        ]
        now = float(np.mean(differ))
        if now > before and now >= changed:
            return lag - (now - changed) / (now - before)
        before = now
    return math.inf


def pair_lines(
    images: TrainingImages, distance: int, axes: Collection[Axis]
) -> list[str]:
    """A sentence on each pair of sections, and a warning where the distance is wrong.

    Parameters
    ----------
    distance
        Pixels between the sections.
    axes
        Viewing directions whose images are pairs.
    """
    size = images.pixel_size_nm
    nm = f" ({distance * size:.4g} nm)" if size else ""
    lines = []
    for axis in (axis for axis in axes if axis in images.views):
        of_axis = images.views[axis]
        for first, second in zip(of_axis[::2], of_axis[1::2], strict=True):
            text = (
                f"{first.name} and {second.name}: sections {distance} pixels{nm} apart"
            )
            if images.kind != "phases" or images.material != "isotropic":
                lines.append(f"{text}.")
                continue
            changed = float((first.values != second.values).mean())
            most = MOST_WRONG * distance
            seen = apparent_distance(first.values, second.values, most)
            likewise = (
                f"as of pixels {seen:.1f} apart within a section"
                if math.isfinite(seen)
                else "more than of close pixels within a section"
            )
            lines.append(
                f"{text}; {100 * changed:.1f} % of the pixels differ, {likewise}."
            )
            if not 1 / WRONG_DISTANCE < seen / distance < WRONG_DISTANCE:
                lines.append(
                    f"Warning: {first.name} and {second.name} do not look {distance} "
                    "pixels apart. Check the distance, in pixels after 'Rescale', and "
                    "that the pictures are aligned."
                )
    if images.kind == "phases" and images.material == "isotropic":
        label, chord = min(
            ((n, _mean_chord(images, n)) for n in images.labels), key=lambda one: one[1]
        )
        if distance > FAR * chord:
            lines.append(
                f"Warning: {distance} pixels are more than a third of the mean chord "
                f"of phase {label} ({chord:.1f} pixels). Narrow connections are "
                "missed; use closer sections."
            )
    return lines


def _mean_chord(images: TrainingImages, label: int) -> float:
    """Mean length of the lines within a phase along rows and columns, in pixels."""
    phases = [
        planes == label
        for axis, of_axis in images.views.items()
        for planes in (_few(image.planes(axis)) for image in of_axis)
    ]
    faces = np.mean(
        [interface_density_along(phase, along) for phase in phases for along in (1, 2)]
    )
    fraction = np.mean([phase.mean() for phase in phases])
    return float(2 * fraction / faces) if faces else math.inf


def interval_words(value: float, half: float) -> str:
    """An interval around a fraction: "± 0.019", or its ends where it exceeds 0 or 1."""
    low, high = value - half, value + half
    if low >= 0 and high <= 1:
        return f"± {half:.3f}"
    return f"({max(low, 0.0):.2f} to {min(high, 1.0):.2f})"


def interface_distances(images: TrainingImages) -> tuple[float, float]:
    """Mean distance of interfaces along a line in pixels: shortest and longest.

    Of all directions the finest and the coarsest. The distance is the reciprocal of
    the interface density, the number-weighted mean chord length over all phases;
    infinite without interfaces.
    """
    densities = [
        interface_density_along(planes, number)
        for axis, of_axis in images.views.items()
        for planes in (_few(image.planes(axis)) for image in of_axis)
        for number in (1, 2)
    ]
    finest, coarsest = max(densities), min(densities)
    return (
        1 / finest if finest else math.inf,
        1 / coarsest if coarsest else math.inf,
    )


def _fraction(
    images: tuple[Micrograph, ...], axis: Axis, label: int
) -> tuple[float, float]:
    """Mean over the images by their area, and half of its 95 % interval."""
    values, variances, areas = [], [], []
    for image in images:
        planes = image.planes(axis)
        values.append(float((planes == label).mean()))
        variances.append(_variance(planes, label))
        areas.append(planes.size)
    weights = np.asarray(areas) / sum(areas)
    spread = math.sqrt(float((weights**2 * np.asarray(variances)).sum()))
    return float(weights @ np.asarray(values)), SIGMAS_95 * spread


def _variance(planes: NDArray[Any], label: int) -> float:
    """Variance of the fraction in one image, or in a volume from some of its planes."""
    squares = [fraction_uncertainty(plane == label) ** 2 for plane in _few(planes)]
    return float(np.mean(squares)) / len(squares)


def _few(planes: NDArray[Any]) -> NDArray[Any]:
    """At most about five planes, [N, rows, columns]."""
    return planes[:: max(1, len(planes) // MAX_PLANES)]


def _size_warnings(
    images: TrainingImages, patch_size: int, rescale: float
) -> list[str]:
    """Images smaller than a crop, or with too few independent ones."""
    try:
        images.check_patch(patch_size)
    except ValueError as error:
        return [f"{str(error).rstrip('.')}."]
    other = " or 'Rescale factor'" if rescale < 1 else ""
    return [
        f"{image.name} is only {rows} x {columns} pixels; crops of {patch_size} pixels "
        f"show little variety. Use a larger {'crop' if image.facts.crop else 'image'}"
        f"{other} if you can."
        for axis, of_axis in images.views.items()
        for image in of_axis
        for rows, columns in [image.planes(axis).shape[1:3]]
        if rows * columns < 4 * patch_size**2
    ]


def _spread_warnings(fractions: Mapping[Axis, Fractions]) -> list[str]:
    """Images too small for their structure: uncertain phase fractions."""
    found = []
    for axis, of_axis in fractions.items():
        label, (value, half) = max(of_axis.items(), key=lambda item: _relative(item[1]))
        if _relative((value, half)) > TOO_UNCERTAIN:
            where = f" seen along {axis}" if len(fractions) > 1 else ""
            found.append(
                f"The image{where} is small for its structure: the fraction of phase "
                f"{label} is {value:.3f} {interval_words(value, half)} with 95 % "
                "confidence. The volume will match this image but may not represent "
                "the material."
            )
    return found


def _relative(known: tuple[float, float]) -> float:
    value, half = known
    return half / value if value > 0 else 0.0


def _disagreements(fractions: Mapping[Axis, Fractions]) -> list[str]:
    """Phase fractions that differ between views by more than chance."""
    found = []
    for first, second in itertools.combinations(fractions, 2):
        for label, (value, half) in fractions[first].items():
            other, other_half = fractions[second][label]
            allowed = max(NEGLIGIBLE, math.hypot(half, other_half))
            if abs(value - other) > allowed:
                found.append(
                    f"The views disagree: the fraction of phase {label} is {value:.3f} "
                    f"seen along {first} and {other:.3f} along {second}, more than "
                    f"chance explains (±{allowed:.3f}). Check the segmentation."
                )
    return found
