"""Short fibres along x: a generated volume of known fraction and three views of it.

Cylinders of one size, their axes along x, at random positions where they touch no
other one (random sequential addition), periodic in all directions. Their number fixes
the fraction: n pi r^2 l / V.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sample_data.scripts.tiff_output import as_labels, write_tiff

EDGE = 256
RADIUS = 5.0
LENGTH = 64
FRACTION = 0.25
VOXEL_SIZE_NM = 700.0  # a radius of 5 voxels is that of a carbon fibre, 3.5 um
SEED = 2021
MIDDLE = EDGE // 2


def number_of_fibres() -> int:
    """Return the number whose volume comes nearest to the fraction."""
    return round(FRACTION * EDGE**3 / (np.pi * RADIUS**2 * LENGTH))


def place_fibres(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the centres of the fibres, [n, 3] as z, y, x in voxels."""
    centres = np.empty((0, 3))
    while len(centres) < number_of_fibres():
        candidate = rng.uniform(0, EDGE, 3)
        candidate[2] = np.floor(candidate[2])  # ends between voxels: exact length
        offsets = np.abs(centres - candidate)
        offsets = np.minimum(offsets, EDGE - offsets)
        across = np.hypot(offsets[:, 0], offsets[:, 1])
        # One free voxel at least between two fibres, beside and behind each other.
        if not np.any((across < 2 * RADIUS + 1.5) & (offsets[:, 2] <= LENGTH)):
            centres = np.vstack([centres, candidate])
    return centres


def draw_fibres(centres: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return [Z, Y, X], true where a voxel's centre lies in a fibre."""
    volume = np.zeros((EDGE, EDGE, EDGE), dtype=np.bool_)
    reach = np.arange(-int(RADIUS) - 1, int(RADIUS) + 2)
    for z, y, x in centres:
        rows = np.floor([z, y]).astype(int)[:, None] + reach  # [2, reach]
        distance = np.hypot(rows[0][:, None] + 0.5 - z, rows[1][None, :] + 0.5 - y)
        inside = np.argwhere(distance < RADIUS)
        columns = (int(x) + np.arange(LENGTH)) % EDGE
        for first, second in inside:
            volume[rows[0, first] % EDGE, rows[1, second] % EDGE, columns] = True
    return volume


def main() -> None:
    """Write fibres_truth.tif and the views fibres_z.tif, fibres_y.tif, fibres_x.tif."""
    labels = as_labels(draw_fibres(place_fibres(np.random.default_rng(SEED))))
    write_tiff("fibres_truth.tif", labels, VOXEL_SIZE_NM)
    write_tiff("fibres_z.tif", labels[MIDDLE], VOXEL_SIZE_NM)  # [Y, X]
    write_tiff("fibres_y.tif", labels[:, MIDDLE], VOXEL_SIZE_NM)  # [Z, X]
    write_tiff("fibres_x.tif", labels[:, :, MIDDLE], VOXEL_SIZE_NM)  # [Z, Y]


if __name__ == "__main__":
    main()
