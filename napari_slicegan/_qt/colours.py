"""Colours of phases: the same in layers, panels, pictures and reports."""

from __future__ import annotations

from collections.abc import Sequence

Colour = tuple[float, float, float, float]


def phase_colours(labels: Sequence[int]) -> dict[int, Colour]:
    """Red, green, blue and opacity (0 to 1) of each phase, in the order of labels."""
    # Loaded when the first picture is drawn: it costs a tenth of a second.
    from matplotlib import colormaps

    last = max(len(labels) - 1, 1)
    return {
        int(label): colormaps["viridis"](number / last)
        for number, label in enumerate(sorted(labels))
    }
