"""Points of a mixture of Gaussians, on which games are tried out. Loads no torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.machine.atomic_files import replacing

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
        Number of points, and what fixes them.
    """

    means: tuple[tuple[float, ...], ...]
    sigma: float
    count: int = 100_000
    seed: int = 0

    name = "mixture"
    what = "points"
    pixel_size_nm = None

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
        """Write what the points follow from into a new folder."""
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
            facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            means = tuple(tuple(map(float, mean)) for mean in facts.pop("means"))
            return cls(means=means, **facts)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path}: expected a mixture of Gaussians, got none or a damaged one; "
                "choose another run folder or train again."
            ) from error


def nine_gaussians(seed: int = 0) -> GaussianMixture:
    """Grid of 3 x 3 means, 2 apart, with standard deviation 0.05; of RealnessGAN."""
    grid = (-2.0, 0.0, 2.0)
    return GaussianMixture(tuple((x, y) for x in grid for y in grid), 0.05, seed=seed)
