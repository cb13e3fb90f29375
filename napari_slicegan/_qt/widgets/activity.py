"""The run in napari's activity dock."""

from __future__ import annotations

import io

from napari.utils import progress
from qtpy.QtWidgets import QApplication, QLabel

WHOLE = 100
# Percent of the speed of napari's little sign of work. At its 33 pictures a second the
# whole window is put together as often: where no graphics card does that, training
# becomes three times slower.
CALM, USUAL = 3, 100


class Activity:
    """One progress bar in the activity dock; for the main thread only.

    Each change lets napari process events, so it is to be called by a timer, a few
    times a second, not by each report.
    """

    def __init__(self) -> None:
        self._bar: progress | None = None
        self._text = ""

    def show(self, share: float, text: str) -> None:
        """Show the share that is done, 0 to 1, and a few words."""
        if self._bar is None:
            # Without a window the bar would write to the terminal.
            self._bar = progress(total=WHOLE, desc=text, file=io.StringIO())
            self._text = text
            _set_pace(CALM)
        bar = self._bar
        done = round(WHOLE * share)
        if done != bar.n:
            bar.update(done - bar.n)
        # Events were processed: the run may have ended in between.
        if bar is self._bar and self._text != text:
            self._text = text
            bar.set_description(text)

    def close(self) -> None:
        """Take the bar away."""
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()
            _set_pace(USUAL)


def _set_pace(percent: int) -> None:
    """Of all moving pictures in labels."""
    for window in QApplication.topLevelWidgets():
        for label in window.findChildren(QLabel):
            movie = label.movie()
            if movie is not None:
                movie.setSpeed(percent)
