"""Colours of phases: the same in layers, panels, pictures and reports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Colour = tuple[float, float, float, float]

# matplotlib's viridis at nine even places. Loading matplotlib for it would hold the
# window for a second.
VIRIDIS = np.array(
    [
        (0.267, 0.005, 0.329),
        (0.279, 0.175, 0.483),
        (0.230, 0.322, 0.546),
        (0.173, 0.449, 0.558),
        (0.128, 0.567, 0.551),
        (0.158, 0.684, 0.502),
        (0.369, 0.789, 0.383),
        (0.678, 0.864, 0.190),
        (0.993, 0.906, 0.144),
    ]
)


def phase_colours(labels: Sequence[int]) -> dict[int, Colour]:
    """Red, green, blue and opacity (0 to 1) of each phase, in the order of labels."""
    last = max(len(labels) - 1, 1)
    places = np.linspace(0, 1, len(VIRIDIS))
    colours: dict[int, Colour] = {}
    for number, label in enumerate(sorted(labels)):
        red, green, blue = (
            float(np.interp(number / last, places, channel)) for channel in VIRIDIS.T
        )
        colours[int(label)] = (red, green, blue, 1.0)
    return colours
