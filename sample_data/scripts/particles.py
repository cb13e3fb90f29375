"""Two packed beds of particles: a fine mixture with cracks, and binder bridges.

The particles are placed one after the other (random sequential addition; Torquato,
Random Heterogeneous Materials (2002), section 3.4), periodic in all directions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sample_data.scripts.tiff_output import write_tiff

Labels = NDArray[np.uint8]
EDGE = 224
PORE, OTHER, PARTICLE = 0, 127, 255


def particles(
    edge: int, radius: tuple[float, float], number: int, overlap: float, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Signed distances to the nearest and the second nearest of random spheres.

    Parameters
    ----------
    edge
        Voxels per axis; the spheres are periodic.
    radius
        Smallest and largest one.
    number
        Spheres that are tried; one that comes too near to an earlier one is left out.
    overlap
        Part of the sum of their radii by which two may overlap.

    Returns
    -------
    Both ``[Z, Y, X]``, negative within a sphere; 99 where none is near.
    """
    random = np.random.default_rng(seed)
    first = np.full((edge,) * 3, 99, np.float32)
    second = first.copy()
    centres, sizes = np.empty((0, 3)), np.empty(0)
    for _ in range(number):
        centre, size = random.uniform(0, edge, 3), random.uniform(*radius)
        apart = np.abs(centres - centre)
        far = np.linalg.norm(np.minimum(apart, edge - apart), axis=1)
        if (far < (1 - overlap) * (sizes + size)).any():
            continue
        centres, sizes = np.vstack([centres, centre]), np.append(sizes, size)
        reach = np.arange(-int(size) - 6, int(size) + 8)
        places = np.floor(centre).astype(int)[:, None] + reach
        z, y, x = np.ix_(*((places + 0.5 - centre[:, None]) ** 2))
        distance = (np.sqrt(z + y + x) - size).astype(np.float32)
        box = np.ix_(*(places % edge))
        nearest = first[box]
        second[box] = np.minimum(second[box], np.maximum(nearest, distance))
        first[box] = np.minimum(nearest, distance)
    return first, second


def speckle(edge: int = EDGE, seed: int = 0) -> Labels:
    """Smooth particles with cracks in a mixture that is random from voxel to voxel.

    Between the particles, pores and the second phase are independent in each voxel;
    cracks of pores, three voxels wide, run through the particles.
    """
    surface, _ = particles(edge, (16, 26), edge**3 // 4_000, 0.05, seed)
    random = np.random.default_rng(seed + 1)
    labels = np.where(random.random(surface.shape) < 0.6, OTHER, PORE).astype(np.uint8)
    labels[surface < 0] = PARTICLE
    # The zero level of a smooth field is a smooth surface.
    field = ndimage.gaussian_filter(random.normal(size=surface.shape), 14, mode="wrap")
    steep = np.sqrt(sum(np.square(part) for part in np.gradient(field)))
    labels[(surface < 0) & (np.abs(field) < 1.5 * steep)] = PORE
    return labels


def binder_bridges(edge: int = EDGE, seed: int = 0) -> Labels:
    """Particles in a bed, pores, and thin bridges of binder where two are near."""
    first, second = particles(edge, (9, 14), edge**3 // 400, 0.15, seed)
    labels = np.full(first.shape, PORE, np.uint8)
    labels[first + second < 4] = OTHER
    labels[first < 0] = PARTICLE
    return labels


def main() -> None:
    """Write speckle_slice.tif and binder_bridges_slice.tif, the middle planes."""
    for make in (speckle, binder_bridges):
        write_tiff(f"{make.__name__}_slice.tif", make()[EDGE // 2])


if __name__ == "__main__":
    main()
