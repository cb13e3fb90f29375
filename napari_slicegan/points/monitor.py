"""How well generated points cover a mixture while a run trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_slicegan.metrics.mixture import high_quality_share, recovered_modes
from napari_slicegan.training.monitored_curve import MonitoredCurve

if TYPE_CHECKING:
    from napari_slicegan.points.gaussian_mixture import GaussianMixture
    from napari_slicegan.points.scatter import Scatter


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


class PointMonitor:
    """Measures generated points against the mixture that was trained on."""

    columns = ("high_quality", "modes")
    curves = (
        MonitoredCurve("high_quality", "Share of high quality", is_distance=False),
        MonitoredCurve("modes", "Recovered modes", is_distance=False),
    )

    def __init__(self, mixture: GaussianMixture) -> None:
        self._means = np.array(mixture.means)
        self._sigma = mixture.sigma

    def measure(self, scatter: Scatter) -> PointQuality:
        """Quality of points."""
        points = scatter.values
        return PointQuality(
            high_quality_share(points, self._means, self._sigma),
            recovered_modes(points, self._means, self._sigma),
        )
