"""Mixtures of Gaussians, and their coverage by points."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.config import parse_json
from napari_slicegan.runtime.atomic_files import replacing

FACTS = "mixture.json"


@dataclass(frozen=True)
class GaussianMixture:
    """Equally many points around each of several means.

    Attributes
    ----------
    means
        Coordinates of the means.
    sigma
        Standard deviation along each coordinate.
    count, seed
        Number and seed of the points.
    """

    means: tuple[tuple[float, ...], ...]
    sigma: float
    count: int = 100_000
    seed: int = 0

    name = "mixture"
    what = "points"
    pixel_size_nm = None
    colours: ClassVar[Mapping[int, str]] = MappingProxyType({})

    @property
    def values(self) -> NDArray[np.float64]:
        """The points, [count, D]; the same at every call."""
        rng = np.random.default_rng(self.seed)
        means = np.array(self.means)
        centres = means[rng.integers(len(means), size=self.count)]
        return np.asarray(centres + self.sigma * rng.standard_normal(centres.shape))

    def __len__(self) -> int:
        return self.count

    def save(self, folder: str | Path) -> None:
        """Write the parameters of the mixture into a new folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / FACTS) as temporary:
            temporary.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> GaussianMixture:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            If the file is missing or damaged.
        """
        path = Path(folder) / FACTS
        try:
            facts: dict[str, Any] = parse_json(path.read_text(encoding="utf-8"))
            means = tuple(tuple(map(float, mean)) for mean in facts.pop("means"))
            return cls(means=means, **facts)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path}: expected a mixture of Gaussians, got none or a damaged one; "
                "choose another run folder or train again."
            ) from error


def nine_gaussians() -> GaussianMixture:
    """Grid of 3 x 3 means, 2 apart, with standard deviation 0.05; of RealnessGAN."""
    grid = (-2.0, 0.0, 2.0)
    return GaussianMixture(tuple((x, y) for x in grid for y in grid), 0.05)


N_SIGMAS = 4.0
MORE_THAN = 100


def mixture_coverage(
    points: NDArray[Any], means: NDArray[Any], sigma: float, more_than: int = MORE_THAN
) -> tuple[float, int]:
    """Fraction of points of high quality, and number of recovered modes.

    Parameters
    ----------
    points
        ``[n, d]``. Of high quality within ``N_SIGMAS`` deviations of a mean; of the
        mixture itself in two dimensions 1 - exp(-8) = 0.9997.
    means
        ``[n_modes, d]``. Those with more than ``more_than`` points of high quality are
        recovered.
    sigma
        Standard deviation of each mode along each axis.

    Raises
    ------
    ValueError
        If the arrays do not fit together.
    """
    if points.ndim != 2 or means.ndim != 2 or points.shape[1] != means.shape[1]:
        raise ValueError(
            "Points and means must be tables with a column for each coordinate; got "
            f"the shapes {points.shape} and {means.shape}."
        )
    if not len(points) or not len(means):
        raise ValueError(
            f"Expected at least one point and one mean; got {len(points)} and "
            f"{len(means)}."
        )
    # [n, 1, d] - [n_modes, d] -> [n, n_modes]
    distances = np.linalg.norm(points[:, np.newaxis] - means, axis=2)
    nearest = distances.argmin(axis=1)
    near = distances.min(axis=1) <= N_SIGMAS * sigma
    counts = np.bincount(nearest[near], minlength=len(means))
    return float(near.mean()), int((counts > more_than).sum())
