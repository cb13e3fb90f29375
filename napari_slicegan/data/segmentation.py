"""Gray values to phases: denoising and thresholds."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
import skimage
from numpy.typing import NDArray

from napari_slicegan.data.pixel_classifier import PixelClassifier
from napari_slicegan.data.pixel_values import MAX_PHASES, parts_of

if TYPE_CHECKING:
    from napari_slicegan.config import MicrographSettings

N_BINS = 1024


def denoise(values: NDArray[Any], method: str, radius: float) -> NDArray[Any]:
    """Median or Gaussian filter.

    Parameters
    ----------
    values
        Gray values ``[Y, X]`` or ``[Z, Y, X]``.
    method
        ``"median"`` or ``"gaussian"``.
    radius
        Radius of the median's disk or ball (whole pixels, at least 1), or sigma of
        the Gaussian, in pixels.

    Returns
    -------
    Same shape and type.
    """
    if method == "median":
        pixels = max(1, round(radius))
        morphology = skimage.morphology
        window = (morphology.disk if values.ndim == 2 else morphology.ball)(pixels)  # type: ignore[no-untyped-call]
        return np.asarray(skimage.filters.median(values, window))  # type: ignore[no-untyped-call]
    smooth = skimage.filters.gaussian(values, radius, preserve_range=True)  # type: ignore[no-untyped-call]
    if values.dtype.kind in "iu":
        smooth = np.rint(smooth)
    return np.asarray(smooth).astype(values.dtype)


def segment(
    values: NDArray[Any], settings: MicrographSettings, name: str
) -> NDArray[np.uint8]:
    """Phases 0, 1, ... in the order of rising gray value.

    A pixel that equals a threshold belongs to the phase below it.

    Parameters
    ----------
    values
        Gray values ``[Y, X]`` or ``[Z, Y, X]``.
    settings
        The method and its parameters.
    name
        Used in the messages.

    Raises
    ------
    ValueError
        If the parameters do not fit the image, or leave a phase empty.
    """
    if settings.segmentation == "classifier":
        if not settings.classifier:
            raise ValueError(
                f"{name}: expected the file of a pixel classifier, got none; set "
                "'Classifier', or choose another segmentation."
            )
        return PixelClassifier.load(settings.classifier).predict(values, name)
    if settings.segmentation == "local":
        window = settings.local_window
        if window % 2 == 0:
            raise ValueError(
                f"{name}: expected an odd edge for the local window, got {window}; set "
                f"'Local window' to {window + 1}."
            )
        planes = values if values.ndim == 3 else values[np.newaxis]
        means = [skimage.filters.threshold_local(plane, window) for plane in planes]  # type: ignore[no-untyped-call]
        brighter = planes > np.stack(means)
        return brighter.reshape(values.shape).astype(np.uint8)
    if settings.segmentation == "thresholds":
        thresholds = settings.thresholds
        _check_thresholds(values, thresholds, name)
    else:
        n_phases = 2 if settings.segmentation == "otsu" else settings.n_phases
        thresholds = otsu_thresholds(values, n_phases, name)
    phases: NDArray[np.uint8] = np.digitize(values, thresholds, right=True).astype("u1")
    counts = np.bincount(phases.ravel(), minlength=len(thresholds) + 1)
    if not counts.all():
        missing = ", ".join(str(phase) for phase in np.flatnonzero(counts == 0))
        raise ValueError(
            f"{name}: expected pixels in each of {len(counts)} phases, got none in "
            f"phase {missing}; remove or move a threshold."
        )
    return phases


def clean(
    phases: NDArray[Any], smallest_object: int, smallest_hole: int
) -> tuple[NDArray[Any], int]:
    """Remove small areas; their pixels take the phase of the nearest other area.

    Parameters
    ----------
    phases
        Labels ``[Y, X]`` or ``[Z, Y, X]``.
    smallest_object
        Connected areas of any phase but the lowest label with fewer pixels go.
    smallest_hole
        The same for the phase with the lowest label. 0 removes nothing.

    Returns
    -------
    Labels, and the number of pixels that changed. Areas are connected by edges (faces
    in 3-D).
    """
    small = np.zeros(phases.shape, bool)
    labels = np.unique(phases)
    for label in labels:
        least = smallest_hole if label == labels[0] else smallest_object
        if least > 1:
            areas, _ = scipy.ndimage.label(phases == label)
            sizes = np.bincount(areas.ravel())
            sizes[0] = least
            small |= (sizes < least)[areas]
    if small.all() or not small.any():
        return phases, 0
    nearest_kept = scipy.ndimage.distance_transform_edt(
        small, return_distances=False, return_indices=True
    )
    return phases[tuple(nearest_kept)], int(small.sum())


def otsu_thresholds(
    values: NDArray[Any], n_phases: int, name: str = "micrograph"
) -> tuple[float, ...]:
    """Thresholds that maximise the variance between the phases.

    Exact for any number of phases: the sum over phases is maximised by dynamic
    programming over the histogram; `skimage.filters.threshold_multiotsu` tries all
    combinations, which takes too long from six phases on.

    Parameters
    ----------
    values
        Gray values of any shape.
    n_phases
        Number of phases, at least 2.
    name
        Used in the messages.

    Returns
    -------
    The highest gray value of each phase but the last.

    Raises
    ------
    ValueError
        If there are fewer gray values than phases.
    """
    counts, centres, tops = _histogram(values)
    if np.count_nonzero(counts) < n_phases:
        raise ValueError(
            f"{name}: expected at least {n_phases} gray values for {n_phases} phases, "
            f"got {np.count_nonzero(counts)}; lower 'Phases'."
        )
    cuts = _best_cuts(_class_scores(counts, centres), n_phases)
    return tuple(float(tops[cut - 1]) for cut in cuts)


def _best_cuts(score: NDArray[Any], n_classes: int) -> list[int]:
    """First bin of each class but the first, for the largest sum of scores."""
    # best[j]: largest sum of scores when the bins before j are split in k classes.
    best, starts = score[0], []
    for _ in range(n_classes - 1):
        total = best[:, np.newaxis] + score
        starts.append(total.argmax(axis=0))
        best = total.max(axis=0)
    cuts = [score.shape[1] - 1]
    for start in reversed(starts):
        cuts.append(int(start[cuts[-1]]))
    return cuts[:0:-1]


def _histogram(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Counts, centres and highest values of the bins; one per integer if few."""
    low, high = values.min().item(), values.max().item()
    if values.dtype.kind in "iu" and high - low < N_BINS:
        by_gray = np.zeros(high - low + 1, np.int64)
        for place in parts_of(values.shape):
            above = values[place].astype(np.int64) - low
            by_gray += np.bincount(above.ravel(), minlength=len(by_gray))
        grays = np.flatnonzero(by_gray)
        return by_gray[grays], (grays + low).astype(float), grays + low
    edges = np.linspace(low, high, N_BINS + 1)
    counts, _ = np.histogram(values, edges)
    return counts, (edges[:-1] + edges[1:]) / 2, edges[1:]


def _class_scores(counts: NDArray[Any], centres: NDArray[Any]) -> NDArray[Any]:
    """Score of the class of the bins i to j - 1 at ``[i, j]``; empty ones -inf.

    The variance between classes is the sum of (sum of gray values)^2 / pixels over
    the classes, up to constants (Otsu 1979, eq. 14; Liao et al. 2001, eq. 21).
    """
    pixels = np.concatenate([[0], np.cumsum(counts)]).astype(float)
    mean = (counts * centres).sum() / counts.sum()
    sums = np.concatenate([[0], np.cumsum(counts * (centres - mean))])
    n = pixels[np.newaxis, :] - pixels[:, np.newaxis]
    moment = sums[np.newaxis, :] - sums[:, np.newaxis]
    score = np.full(n.shape, -np.inf)
    np.divide(moment**2, n, out=score, where=n > 0)
    return score


def _check_thresholds(
    values: NDArray[Any], thresholds: tuple[float, ...], name: str
) -> None:
    given = ", ".join(f"{threshold:g}" for threshold in thresholds) or "none"
    if not 1 <= len(thresholds) < MAX_PHASES:
        raise ValueError(
            f"{name}: expected 1 to {MAX_PHASES - 1} thresholds, got "
            f"{len(thresholds)}; set 'Thresholds' or choose another segmentation."
        )
    if any(not a < b for a, b in pairwise(thresholds)):
        raise ValueError(
            f"{name}: expected thresholds in rising order, got {given}; sort them and "
            "remove repeated ones."
        )
    low, high = values.min(), values.max()
    if not low <= thresholds[0] <= thresholds[-1] < high:
        raise ValueError(
            f"{name}: expected thresholds between the lowest and the highest gray "
            f"value ({low:g} and {high:g}), got {given}; correct 'Thresholds'."
        )
