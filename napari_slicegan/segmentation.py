"""Gray values to phases: denoising and thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.filters import gaussian, median, threshold_local, threshold_otsu
from skimage.morphology import ball, disk

from napari_slicegan.config import MicrographSettings

N_BINS = 256


def denoise(values: NDArray[Any], method: str, radius: float) -> NDArray[Any]:
    """Median or Gaussian filter.

    Parameters
    ----------
    values
        Gray values ``[Y, X]`` or ``[Z, Y, X]``.
    method
        ``"median"``, ``"gaussian"`` or ``"none"``.
    radius
        Radius of the median's disk or ball, or sigma of the Gaussian, in pixels.

    Returns
    -------
    Same shape; the median keeps the type, the Gaussian gives floating point.
    """
    if method == "median":
        footprint = disk(radius) if values.ndim == 2 else ball(radius)
        return np.asarray(median(values, footprint))
    if method == "gaussian":
        return np.asarray(gaussian(values, sigma=radius, preserve_range=True))
    return values


def segment(values: NDArray[Any], settings: MicrographSettings) -> NDArray[np.uint8]:
    """Phases 0, 1, ... in the order of rising gray value.

    A pixel that equals a threshold belongs to the phase below it.

    Parameters
    ----------
    values
        Gray values ``[Y, X]`` or ``[Z, Y, X]``.
    settings
        The method and its parameters.

    Raises
    ------
    ValueError
        If the parameters do not fit the image, or leave a phase empty.
    """
    if settings.segmentation == "local":
        return _segment_locally(values, settings.local_window)
    if settings.segmentation == "otsu":
        thresholds: tuple[float, ...] = (otsu_threshold(values),)
    elif settings.segmentation == "multi-otsu":
        thresholds = multi_otsu_thresholds(values, settings.n_phases)
    else:
        thresholds = settings.thresholds
        _check_thresholds(values, thresholds)
    return np.digitize(values, thresholds, right=True).astype(np.uint8)


def otsu_threshold(values: NDArray[Any]) -> float:
    """Otsu's threshold."""
    return float(threshold_otsu(values))


def multi_otsu_thresholds(values, n_phases):
    from skimage.filters import threshold_multiotsu

    return tuple(threshold_multiotsu(values, classes=n_phases))


def _check_thresholds(values, thresholds):
    pass


def _segment_locally(values, window):
    return (values > threshold_local(values, window)).astype(np.uint8)
