"""Comparisons of small materials, for the tests of the report."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.metrics.comparison import Comparison, Row, compare
from napari_slicegan.metrics.reference import Source
from napari_slicegan.volumes.volume import Volume

Case: TypeAlias = tuple[Comparison, Source, Volume]
EDGE = 40


def field(*shape: int, seed: int, sigma: Any = 2) -> NDArray[np.float64]:
    noise = np.random.default_rng(seed).standard_normal(shape)
    smooth = gaussian_filter(noise, sigma, mode="wrap")
    return np.asarray(smooth / smooth.std())


def phases(*shape: int, seed: int, count: int = 2, sigma: Any = 2) -> NDArray[np.uint8]:
    """`count` phases of about equal shares, labelled 0, 10, 20, ..."""
    values = field(*shape, seed=seed, sigma=sigma)
    limits = np.quantile(values, np.linspace(0, 1, count + 1)[1:-1])
    return (np.digitize(values, limits) * 10).astype(np.uint8)


def gray(*shape: int, seed: int) -> NDArray[np.uint16]:
    return (field(*shape, seed=seed) * 500 + 5000).astype(np.uint16)


def colour(*shape: int, seed: int) -> NDArray[np.uint8]:
    channels = [field(*shape, seed=seed + shift) for shift in range(3)]
    return np.clip(np.stack(channels, axis=-1) * 40 + 128, 0, 255).astype(np.uint8)


def isotropic(count: int = 2) -> tuple[Source, Volume]:
    images = [phases(100, 110, seed=1, count=count)]
    volume = phases(EDGE, EDGE, EDGE, seed=2, count=count)
    return images, Volume(volume, "phases", 25.0)


def anisotropic() -> tuple[Source, Volume]:
    """Long along x; the volume is not a cube."""
    volume = phases(EDGE, 32, 24, seed=1, sigma=(1, 1, 6))
    images = {
        "z": [phases(80, 90, seed=2, sigma=(1, 6))],
        "y": [phases(80, 90, seed=3, sigma=(1, 6))],
        "x": [phases(80, 90, seed=4, sigma=1)],
    }
    return images, Volume(volume, "phases", 700.0)  # type: ignore[return-value]


def truth() -> tuple[Source, Volume]:
    real = Volume(phases(64, 64, 64, seed=1), "phases")
    return real, Volume(phases(EDGE, EDGE, EDGE, seed=2), "phases")


def one_missing() -> tuple[Source, Volume]:
    """The generated volume lacks one of three phases."""
    source, volume = isotropic(3)
    return source, Volume(np.minimum(volume.values, 10), "phases", 25.0, (0, 10, 20))


def grayscale() -> tuple[Source, Volume]:
    image = Micrograph.from_array(gray(90, 90, seed=1), "grayscale", 0.5)
    return image, Volume(gray(EDGE, EDGE, EDGE, seed=2), "grayscale", 0.5)


def coloured() -> tuple[Source, Volume]:
    image = Micrograph.from_array(colour(90, 90, seed=1), "colour")
    images = TrainingImages.isotropic(image)
    return images, Volume(colour(EDGE, EDGE, EDGE, seed=4), "colour")


def too_small() -> tuple[Source, Volume]:
    """Nothing to cut into pieces: no noise floor."""
    values = phases(16, 18, 20, seed=2)
    return [phases(20, 22, seed=1)], Volume(values, "phases")


CASES: dict[str, Callable[[], tuple[Source, Volume]]] = {
    "isotropic": isotropic,
    "one phase missing": one_missing,
    "anisotropic": anisotropic,
    "truth": truth,
    "three phases": lambda: isotropic(3),
    "nine phases": lambda: isotropic(9),
    "grayscale": grayscale,
    "colour": coloured,
    "too small": too_small,
}


@cache
def case(name: str) -> Case:
    source, volume = CASES[name]()
    return compare(source, volume, max_distance=16), source, volume


def made_of(*rows: Row) -> Comparison:
    return Comparison(rows, "phases", 4, "real", "4 x 4 x 4", "pieces")


def row(distance: float | None, floor: float | None, **changes: Any) -> Row:
    facts: dict[str, Any] = {
        "metric": "interface_density",
        "phase": 1,
        "axis": "z",
        "real": 0.1,
    }
    facts |= {"generated": 0.1} | changes
    return Row(**facts, distance=distance, noise_floor=floor)
