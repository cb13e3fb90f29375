"""The Train panel with a toy run, for tests."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QThreadPool
from qtpy.QtWidgets import QPushButton

from napari_slicegan._qt.closing import join
from napari_slicegan._qt.train.panel import TrainPanel
from napari_slicegan.config import MicrographSettings, RunConfig

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_slicegan._qt.train.run_view import RunState
    from napari_slicegan.data.training_images import TrainingImages
    from napari_slicegan.training.clock import FinishReason, StepReport
    from napari_slicegan.volumes.volume import Volume

LONG = 60_000
MICROGRAPH = MicrographSettings(denoise="median")


class SignalLog:
    """Everything a panel has emitted."""

    def __init__(self, panel: TrainPanel) -> None:
        self.states: list[RunState] = []
        self.reports: list[StepReport] = []
        self.previews: list[Volume] = []
        self.ends: list[tuple[FinishReason, Path]] = []
        self.faults: list[str] = []
        self.trainers: list[weakref.ref[Any]] = []
        panel.state_changed.connect(self.states.append)
        panel.reported.connect(self.reports.append)
        panel.preview_made.connect(self.previews.append)
        panel.run_finished.connect(lambda *end: self.ends.append(end))
        panel.failed.connect(self.faults.append)
        panel.run_started.connect(lambda each: self.trainers.append(weakref.ref(each)))


def toy_panel(
    qtbot: QtBot, config: RunConfig, images: TrainingImages, runs: Path
) -> Iterator[TrainPanel]:
    """A panel with images, ready to start; closed afterwards."""
    panel = TrainPanel()
    qtbot.addWidget(panel)
    panel.location.set_value(runs)
    panel.set_images(images, MICROGRAPH)
    panel.set_value(
        config.changed(steps=100_000, monitor_interval=10).model_copy(
            update={"micrograph": MICROGRAPH}
        )
    )
    yield panel
    assert join(panel.end_work(), 60)
    # No signal is pending for the deleted widget.
    assert QThreadPool.globalInstance().waitForDone(10_000)


def click(panel: TrainPanel, name: str) -> None:
    button = panel.findChild(QPushButton, name)
    assert button is not None
    assert button.isEnabled()
    button.click()


def reach(qtbot: QtBot, panel: TrainPanel, state: RunState) -> None:
    qtbot.waitUntil(lambda: panel.state is state, timeout=LONG)


def steps(qtbot: QtBot, log: SignalLog, n: int) -> None:
    """Wait for the reports of n more steps."""
    last = log.reports[-1].step if log.reports else 0
    qtbot.waitUntil(
        lambda: bool(log.reports) and log.reports[-1].step >= last + n, timeout=LONG
    )
