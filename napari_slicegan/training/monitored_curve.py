"""What is drawn of a run's quality while it trains."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MonitoredCurve:
    """One number of the quality, over the steps.

    Attributes
    ----------
    column
        Its name, in the quality and in the history.
    title
        What a plot of it is called.
    floor
        Name of the same number between two sets of real data, if there is one.
    is_distance
        Whether it is to fall over decades, and so is drawn on a logarithmic scale.
    """

    column: str
    title: str
    floor: str = ""
    is_distance: bool = True
