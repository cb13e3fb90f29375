"""How well generated points cover a mixture while a run trains."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.metrics.mixture import high_quality_share, recovered_modes

if TYPE_CHECKING:
    from napari_slicegan.point_set import GaussianMixture

PIXELS = 256
WHITE = 255
MARGIN = 1.0


@dataclass(frozen=True)
class PointQuality:
    """Coverage of a mixture.

    Attributes
    ----------
    high_quality
        Share of points within 4 standard deviations of a mean.
    modes
        Modes with more than 100 such points.
    """

    high_quality: float
    modes: int

    @property
    def headline(self) -> float:
        """Share of bad points, which is to fall."""
        return 1 - self.high_quality

    def sentence(self) -> str:
        """A few words for a progress bar."""
        return f"{self.modes} modes, {100 * self.high_quality:.1f} % high quality"

    @staticmethod
    def columns(quality: Any) -> dict[str, float | str]:
        """Columns for the history; empty where nothing was measured."""
        if quality is None:
            return {field.name: "" for field in fields(PointQuality)}
        return asdict(quality)


class PointMonitor:
    """Measures generated points against the mixture that was trained on."""

    def __init__(self, mixture: GaussianMixture) -> None:
        self._means = np.array(mixture.means)
        self._sigma = mixture.sigma

    def measure(self, points: NDArray[Any]) -> PointQuality:
        """Quality of points [n, D]."""
        return PointQuality(
            high_quality_share(points, self._means, self._sigma),
            recovered_modes(points, self._means, self._sigma),
        )


def scatter_picture(
    points: NDArray[Any], mixture: GaussianMixture
) -> NDArray[np.uint8]:
    """Points in their first two coordinates, black on white, y upwards."""
    means = np.array(mixture.means)[:, :2]
    low, high = means.min() - MARGIN, means.max() + MARGIN
    edges = np.linspace(low, high, PIXELS + 1)
    # [x, y] -> rows from the top
    counts, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=[edges, edges])
    shades = np.where(counts.T[::-1] > 0, 0, WHITE)
    return np.asarray(shades, np.uint8)
