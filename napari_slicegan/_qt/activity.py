"""The run in napari's activity dock."""

from __future__ import annotations

import io

from napari.utils import progress

WHOLE = 100


class Activity:
    """One progress bar in the activity dock; for the main thread only.

    Each change lets napari process events, so it is to be called by a timer, a few
    times a second, not by each report.
    """

    def __init__(self) -> None:
        self._bar: progress | None = None

    def show(self, share: float, text: str) -> None:
        """Show the share that is done, 0 to 1, and a few words."""
        if self._bar is None:
            # Without a window the bar would write to the terminal.
            self._bar = progress(total=WHOLE, desc=text, file=io.StringIO())
        bar = self._bar
        done = round(WHOLE * share)
        if done != bar.n:
            bar.update(done - bar.n)
        # Events were processed: the run may have ended in between.
        if bar is self._bar and bar.desc != text:
            bar.set_description(text)

    def close(self) -> None:
        """Take the bar away."""
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()
