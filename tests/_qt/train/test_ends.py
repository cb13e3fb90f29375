"""How a run in the Train panel ends: faults, closing, released memory."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtCore import QThreadPool

from napari_slicegan._qt.closing import join
from napari_slicegan._qt.train.curves import Plot
from napari_slicegan._qt.train.run_view import RunState
from napari_slicegan.training.adversarial_step import AdversarialStep
from napari_slicegan.training.clock import FinishReason
from napari_slicegan.training.run_folder import RunFolder
from tests._qt.train_panel_toys import (
    LONG,
    SignalLog,
    click,
    reach,
    steps,
    toy_panel,
)

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_slicegan._qt.train.panel import TrainPanel
    from napari_slicegan.config import RunConfig
    from napari_slicegan.data.training_images import TrainingImages

pytestmark = pytest.mark.qt


@pytest.fixture
def panel(
    qtbot: QtBot, toy_config: RunConfig, toy_images: TrainingImages, tmp_path: Path
) -> Iterator[TrainPanel]:
    yield from toy_panel(qtbot, toy_config, toy_images, tmp_path / "runs")


@pytest.fixture
def log(panel: TrainPanel) -> SignalLog:
    return SignalLog(panel)


def test_a_failing_preview_does_not_stop_the_run(
    qtbot: QtBot, panel: TrainPanel, log: SignalLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plots and preview fail all the time: reported once each, the run is whole."""

    def fail(*_: object, **__: object) -> None:
        raise IndexError("out of range")

    shown: list[str] = []
    panel.view.failed.connect(shown.append)
    monkeypatch.setattr(Plot, "draw", fail)
    monkeypatch.setattr(panel.view.pair, "set_volume", fail)
    panel.set_value(panel.value().changed(steps=6, monitor_every=2))
    click(panel, "start")
    reach(qtbot, panel, RunState.FINISHED)
    assert panel.settings.isEnabled()
    assert [reason for reason, _ in log.ends] == [FinishReason.STEPS]
    assert log.reports[-1].step == 6
    assert sum("The preview" in sentence for sentence in shown) == 1
    assert len(shown) == len({*shown})


def test_faults_of_the_monitoring_are_shown(
    qtbot: QtBot, panel: TrainPanel, log: SignalLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RunFolder, "write_preview", full)
    click(panel, "start")
    qtbot.waitUntil(lambda: "No space left" in panel.message.text(), timeout=LONG)
    steps(qtbot, log, 2)
    assert panel.state is RunState.RUNNING


def test_a_fault_is_one_sentence_and_the_panel_stays_usable(
    qtbot: QtBot, panel: TrainPanel, log: SignalLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(self: AdversarialStep, *args: Any) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    with monkeypatch.context() as patch:
        patch.setattr(AdversarialStep, "step", out_of_memory)
        panel.start()
        reach(qtbot, panel, RunState.FAILED)
    assert log.faults == [panel.message.text()]
    assert "lower 'Generator batch size'" in log.faults[0]
    assert panel.settings.isEnabled()
    qtbot.waitUntil(lambda: panel.worker is None, timeout=LONG)
    click(panel, "start")
    steps(qtbot, log, 1)


def test_impossible_settings_are_reported(
    qtbot: QtBot, panel: TrainPanel, log: SignalLog, tmp_path: Path
) -> None:
    panel.set_value(panel.value().changed(latent_size=5))
    panel.start()
    reach(qtbot, panel, RunState.FAILED)
    assert "Latent size" in panel.message.text()
    # A run that cannot start leaves no folder.
    assert not (tmp_path / "runs").exists()


def test_a_folder_without_a_run_is_reported(
    qtbot: QtBot, panel: TrainPanel, tmp_path: Path
) -> None:
    panel.continue_run(tmp_path)
    reach(qtbot, panel, RunState.FAILED)
    assert "is not a run folder" in panel.message.text()


def test_closing_stops_saves_and_leaves_no_thread(
    qtbot: QtBot, panel: TrainPanel, log: SignalLog
) -> None:
    before = threading.active_count()
    panel.start()
    steps(qtbot, log, 3)
    assert join(panel.end_work(), 60)
    assert panel.state is RunState.FINISHED
    pool = QThreadPool.globalInstance()
    assert pool.waitForDone(10_000)
    assert pool.activeThreadCount() == 0
    # A pool keeps its idle threads for a while; nothing else is new.
    pool.clear()
    assert threading.active_count() <= before + pool.maxThreadCount()
    ((reason, path),) = log.ends
    assert reason is FinishReason.STOPPED
    newest = RunFolder.open(path).checkpoints()[0]
    assert newest.name == f"checkpoint-{log.reports[-1].step:07d}.pt"


def test_memory_comes_back_after_a_run(
    qtbot: QtBot, panel: TrainPanel, log: SignalLog
) -> None:
    panel.start()
    steps(qtbot, log, 12)
    (trainer,) = log.trainers
    generator = weakref.ref(trainer().gan.generator)  # type: ignore[union-attr]
    panel.stop()
    reach(qtbot, panel, RunState.FINISHED)
    qtbot.waitUntil(lambda: panel.worker is None, timeout=LONG)
    gc.collect()
    assert trainer() is None
    assert generator() is None


def test_a_panel_that_is_deleted_while_it_trains_leaves_no_run_behind(
    qtbot: QtBot, panel: TrainPanel, log: SignalLog
) -> None:
    panel.start()
    steps(qtbot, log, 2)
    worker = panel.worker
    assert worker is not None
    # What napari does for its tasks when it quits.
    worker.quit()
    assert worker.wait(60)
    reach(qtbot, panel, RunState.FINISHED)
