"""Materials of the fidelity benchmark: those of sample_data/, and two that are made.

Their truth is known, so that a volume is judged by the material and not by one slice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

from sample_data import path as sample_path

Labels = NDArray[np.uint8]
Images = Callable[[Path], list[Path]]
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


@dataclass(frozen=True)
class Fidelity:
    """A material of the benchmark.

    Attributes
    ----------
    images
        Writes the training images into a folder; returns their files.
    truth
        Volume of the material, or None.
    conducting
        Label of the phase whose transport is measured.
    flags
        Options of ``slicegan train``.
    """

    images: Images
    truth: Callable[[], NDArray[np.generic] | None]
    conducting: int = 255
    flags: tuple[str, ...] = ()


def _samples(*names: str) -> Images:
    return lambda _folder: [sample_path(name) for name in names]


def _truth(name: str) -> Callable[[], NDArray[np.generic] | None]:
    return lambda: np.asarray(tifffile.imread(sample_path(name)))


def _made(
    make: Callable[[], Labels],
) -> tuple[Callable[[Path], list[Path]], Callable[[], Labels]]:
    """Images, the middle plane, and truth of a made material."""
    volume = cache(make)

    def images(folder: Path) -> list[Path]:
        file = folder / f"{make.__name__}.tif"
        tifffile.imwrite(file, volume()[EDGE // 2])
        return [file]

    return images, volume


def _no_truth() -> None:
    return None


MATERIALS: Mapping[str, Fidelity] = MappingProxyType(
    {
        "bentheimer": Fidelity(
            _samples("bentheimer_slice"), _truth("bentheimer_truth")
        ),
        "spheres": Fidelity(_samples("spheres_slice"), _truth("spheres_truth"), 127),
        "fibres": Fidelity(
            _samples("fibres_z", "fibres_y", "fibres_x"), _truth("fibres_truth"), 0
        ),
        "gold": Fidelity(
            _samples("nanoporous_gold"), _no_truth, 1, ("--segmentation", "otsu")
        ),
        "gold-gray": Fidelity(_samples("nanoporous_gold"), _no_truth),
        "aluminium": Fidelity(_samples("aluminium"), _no_truth),
        "speckle": Fidelity(*_made(speckle), 255),
        "binder-bridges": Fidelity(*_made(binder_bridges), 127),
    }
)
"""By name. Colour has no conducting phase; its spectra and histograms are measured."""
