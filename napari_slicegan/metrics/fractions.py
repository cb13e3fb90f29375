"""Phase fractions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def phase_fractions(labels: NDArray[Any], values: Iterable[int]) -> dict[int, float]:
    """Share of the voxels that have each label.

    Parameters
    ----------
    labels
        Array of any shape.
    values
        Labels to count; one that does not occur has the share 0.
    """
    return {
        value: float(np.count_nonzero(labels == value) / labels.size)
        for value in values
    }


def slice_fractions(labels: NDArray[Any], value: int, axis: int) -> NDArray[np.float64]:
    """Share of one label in each plane across an axis.

    Returns
    -------
    ``[labels.shape[axis]]``. Its standard deviation tells how far one plane can be
    trusted for the whole.
    """
    planes = np.moveaxis(labels, axis, 0)
    counts = [np.count_nonzero(plane == value) for plane in planes]
    return np.array(counts, dtype=np.float64) / (labels.size // len(planes))
