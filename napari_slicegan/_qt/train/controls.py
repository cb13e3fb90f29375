"""The buttons that start and steer a run."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QPushButton, QWidget

from napari_slicegan._qt.train.run_state import RunState

START_TEXT = {RunState.FINISHED: "Start new run", RunState.FAILED: "Start again"}


class TrainControls(QWidget):
    """Start, Pause or Resume, Stop, Continue; their looks follow the run's state."""

    start_asked = Signal()
    pause_asked = Signal()
    resume_asked = Signal()
    stop_asked = Signal()
    continue_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = RunState.IDLE
        # children
        self.start = _button("start", "Start", "Train on the images of the first tab.")
        self.pause = _button("pause", "Pause", "Pause after this step and save.")
        self.stop = _button("stop", "Stop", "End after this step and save the run.")
        self.continue_run = _button(
            "continue",
            "Continue a run...",
            "Go on with an earlier run: choose its folder. A run whose time was up "
            "gets the minutes above once more.",
        )
        # layout
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.start, 0, 0)
        grid.addWidget(self.continue_run, 0, 1)
        grid.addWidget(self.pause, 1, 0)
        grid.addWidget(self.stop, 1, 1)
        self.show_state(RunState.IDLE, can_start=False)
        # signals
        self.start.clicked.connect(lambda: self.start_asked.emit())
        self.pause.clicked.connect(self._ask_pause)
        self.stop.clicked.connect(lambda: self.stop_asked.emit())
        self.continue_run.clicked.connect(lambda: self.continue_asked.emit())

    def show_state(self, state: RunState, *, can_start: bool) -> None:
        """Offer what a state allows.

        Parameters
        ----------
        can_start
            Whether there are images to train on.
        """
        self._state = state
        active = state.is_active
        self.start.setText(START_TEXT.get(state, "Start"))
        self.start.setEnabled(can_start and not active)
        self.continue_run.setEnabled(not active)
        self.pause.setText("Resume" if state is RunState.PAUSED else "Pause")
        self.pause.setEnabled(state in (RunState.RUNNING, RunState.PAUSED))
        stopping = state is RunState.STOPPING
        self.stop.setText(state.value if stopping else "Stop")
        self.stop.setEnabled(active and not stopping)
        for button in (self.start, self.continue_run):
            button.setVisible(not active)
        for button in (self.pause, self.stop):
            button.setVisible(active)

    def _ask_pause(self) -> None:
        # No second click before the worker has answered the first one.
        self.pause.setEnabled(False)
        if self._state is RunState.PAUSED:
            self.resume_asked.emit()
        else:
            self.pause_asked.emit()


def _button(name: str, text: str, help_text: str) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    button.setToolTip(f"<qt>{help_text}</qt>")
    return button
