"""Figure of generated points over the mixture they are to cover."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from napari_slicegan.machine.atomic_files import replacing
from napari_slicegan.metrics.mixture import N_SIGMAS

if TYPE_CHECKING:
    from napari_slicegan.points.gaussian_mixture import GaussianMixture
    from napari_slicegan.points.monitor import PointQuality

DATA, MADE = "#9AA5AD", "#B3261E"
SHOWN = 5_000


def draw_mixture(
    points: NDArray[Any], mixture: GaussianMixture, quality: PointQuality, path: Path
) -> None:
    """Draw the mixture in gray, the points in red, and circles of four sigma.

    Parameters
    ----------
    points
        ``[n, 2]`` or more coordinates, of which the first two are drawn.
    path
        PNG file to write.
    """
    figure = Figure(figsize=(5, 5), layout="constrained")
    panel = figure.add_subplot()
    for values, colour in ((mixture.values, DATA), (points, MADE)):
        panel.plot(*values[:SHOWN, :2].T, ".", markersize=1.5, color=colour)
    for mean in np.array(mixture.means)[:, :2]:
        ring = Circle((mean[0], mean[1]), N_SIGMAS * mixture.sigma, fill=False)
        panel.add_patch(ring)
    panel.set_aspect("equal")
    panel.set_title(f"{len(points):,} points: {quality.sentence()}", fontsize=10)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
