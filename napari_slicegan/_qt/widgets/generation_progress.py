"""How far a volume is: a bar in the dock, and one in napari's activity dock."""

from __future__ import annotations

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QProgressBar, QWidget

from napari_slicegan._qt.widgets.activity import Activity

REFRESH_MS = 500
WHOLE = 1000
WORDS = "generating a volume"


class GenerationProgress(QProgressBar):
    """In sight from `begin` to `end`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("generation_progress")
        self.setRange(0, WHOLE)
        self.setVisible(False)
        self._activity = Activity()
        self._words = WORDS
        self._timer = QTimer(self)
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self._refresh)

    def begin(self, words: str = WORDS) -> None:
        """Something is about to be made; the words are for the activity dock."""
        self._words = words[0].lower() + words[1:]
        self.setValue(0)
        self.setVisible(True)
        self._timer.start()

    def set_share(self, share: float) -> None:
        """Share of the volume that is made, 0 to 1."""
        self.setValue(round(WHOLE * share))

    def end(self) -> None:
        """The volume is made, or given up."""
        self._timer.stop()
        self._activity.close()
        self.setVisible(False)

    def _refresh(self) -> None:
        # It lets napari process events, so it is not for each report.
        share = self.value() / WHOLE
        self._activity.show(share, f"SliceGAN: {self._words}")
