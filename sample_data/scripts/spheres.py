"""Overlapping spheres of two kinds: a generated volume of three phases and a slice.

The centres of either kind are independent and uniform, periodic in all directions (a
Boolean model; Torquato, Random Heterogeneous Materials (2002), section 5.1), and the
small spheres cover the large ones. With n spheres of volume v in a volume V a point is
outside of all with probability (1 - v / V)^n, which gives every fraction.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sample_data.scripts.tiff_output import write_tiff

EDGE = 256
LARGE_RADIUS, SMALL_RADIUS = 9.0, 6.0
MATRIX, LARGE, SMALL = 0, 127, 255
# Fractions of the volume: the large spheres percolate, the small ones do not.
LARGE_FRACTION, SMALL_FRACTION = 0.45, 0.15
SEED = 2021
# The plane whose fractions are nearest to those of the volume.
SLICE = 201


def number_of_spheres(radius: float, covered: float) -> int:
    """Return the number that covers a fraction of the volume, overlaps counted once."""
    one = 4 / 3 * math.pi * radius**3 / EDGE**3
    return round(math.log(1 - covered) / math.log(1 - one))


def draw_spheres(rng: np.random.Generator, radius: float, n: int) -> NDArray[np.bool_]:
    """Return [Z, Y, X], true where a voxel's centre lies in a sphere."""
    volume = np.zeros((EDGE, EDGE, EDGE), dtype=np.bool_)
    reach = np.arange(-int(radius) - 1, int(radius) + 2)
    for centre in rng.uniform(0, EDGE, (n, 3)):
        places = np.floor(centre).astype(int)[:, None] + reach  # [3, reach]
        z, y, x = np.ix_(*((places + 0.5 - centre[:, None]) ** 2))
        inside = z + y + x < radius**2
        volume[np.ix_(*(places % EDGE))] |= inside
    return volume


def make_volume() -> NDArray[np.uint8]:
    """Return the labels [Z, Y, X]."""
    rng = np.random.default_rng(SEED)
    # Between the small spheres the large ones are as dense as anywhere.
    covered = LARGE_FRACTION / (1 - SMALL_FRACTION)
    n_large = number_of_spheres(LARGE_RADIUS, covered)
    n_small = number_of_spheres(SMALL_RADIUS, SMALL_FRACTION)
    labels = np.full((EDGE, EDGE, EDGE), MATRIX, dtype=np.uint8)
    labels[draw_spheres(rng, LARGE_RADIUS, n_large)] = LARGE
    labels[draw_spheres(rng, SMALL_RADIUS, n_small)] = SMALL
    return labels


def main() -> None:
    """Write spheres_truth.tif and spheres_slice.tif."""
    labels = make_volume()
    write_tiff("spheres_truth.tif", labels)
    write_tiff("spheres_slice.tif", labels[SLICE])  # [Y, X]


if __name__ == "__main__":
    main()
