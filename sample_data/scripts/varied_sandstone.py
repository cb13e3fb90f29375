"""Sandstone of other porosities: the interface of Bentheimer moved in or out.

A signed distance to the interface is cut at other levels, so that pores swell or shrink
and keep their places and their shape.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

POROSITIES = (0.15, 0.20, 0.25, 0.30, 0.35, 0.40)
PLANES = (25, 75, 125, 175, 225)
# Distances between voxels take few values; a little blur makes them distinct.
BLUR = 1.0


def signed_distance(pore: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance to the interface in voxels, positive in the pores, blurred a little.

    Parameters
    ----------
    pore
        Bool ``[Z, Y, X]``, True in the pores.
    """
    inside = ndimage.distance_transform_edt(pore)
    outside = ndimage.distance_transform_edt(~pore)
    return np.asarray(ndimage.gaussian_filter(inside - outside, BLUR), np.float32)


def with_porosity(distance: NDArray[np.float32], porosity: float) -> NDArray[np.bool_]:
    """Pores of a given porosity, [Z, Y, X]."""
    return np.asarray(distance > np.quantile(distance, 1 - porosity))


def planes_of_porosities(
    pore: NDArray[np.bool_], porosities: Sequence[float] = POROSITIES
) -> list[NDArray[np.bool_]]:
    """Planes across z of the sandstone at each porosity, [Y, X] each."""
    distance = signed_distance(pore)
    volumes = (with_porosity(distance, porosity) for porosity in porosities)
    return [volume[plane] for volume in volumes for plane in PLANES]
