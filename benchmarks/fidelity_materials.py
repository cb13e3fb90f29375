"""Materials of the fidelity benchmark: those of sample_data/.

The truth of two of them is made anew, so that a volume is judged by the material and
not by one slice.
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

from sample_data import path as sample_path
from sample_data.scripts.particles import binder_bridges, speckle

Images = Callable[[Path], list[Path]]


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
        "speckle": Fidelity(_samples("speckle_slice"), cache(speckle), 255),
        "binder-bridges": Fidelity(
            _samples("binder_bridges_slice"), cache(binder_bridges), 127
        ),
    }
)
"""By name. Colour has no conducting phase; its spectra and histograms are measured."""
