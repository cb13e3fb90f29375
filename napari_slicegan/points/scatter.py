"""Points as a picture. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_slicegan.points.gaussian_mixture import GaussianMixture

PIXELS = 256
WHITE = 255
MARGIN = 1.0


@dataclass(frozen=True, eq=False)
class Scatter:
    """Points of one generator.

    Attributes
    ----------
    values
        ``[n, D]``.
    mixture
        What they are to cover, which fixes the frame of the picture.
    """

    values: NDArray[Any]
    mixture: GaussianMixture

    def picture(self) -> NDArray[np.uint8]:
        """Points in their first two coordinates, black on white, y upwards."""
        means = np.array(self.mixture.means)[:, :2]
        low, high = means.min() - MARGIN, means.max() + MARGIN
        edges = np.linspace(low, high, PIXELS + 1)
        # [x, y] -> rows from the top
        x, y = self.values[:, 0], self.values[:, 1]
        counts, _, _ = np.histogram2d(x, y, bins=[edges, edges])
        shades = np.where(counts.T[::-1] > 0, 0, WHITE)
        return np.asarray(shades, np.uint8)

    def thumbnail(self) -> NDArray[np.uint8]:
        """The same picture, which is small."""
        return self.picture()
