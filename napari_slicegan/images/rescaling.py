"""Images with another number of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.transform import resize


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
