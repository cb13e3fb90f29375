"""The Train panel with real widgets and the real engine at toy size."""

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
from qtpy.QtWidgets import QPushButton

from napari_slicegan._qt.run_state import RunState
from napari_slicegan._qt.train_panel import NO_IMAGES, TrainPanel
from napari_slicegan.config import MicrographSettings, RunConfig
from napari_slicegan.game import Game
from napari_slicegan.presets import PRESETS
from napari_slicegan.run_folder import RunFolder
from napari_slicegan.step_report import FinishReason, StepReport

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_slicegan.training_images import TrainingImages
    from napari_slicegan.volume import Volume

pytestmark = pytest.mark.qt
LONG = 60_000
MICROGRAPH = MicrographSettings(denoise="median")


class Told:
    """What the panel's signals brought."""

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


@pytest.fixture
def panel(
    qtbot: QtBot, toy_config: RunConfig, toy_images: TrainingImages, tmp_path: Path
) -> Iterator[TrainPanel]:
    panel = TrainPanel()
    qtbot.addWidget(panel)
    panel.set_run_root(tmp_path / "runs")
    panel.set_images(toy_images, MICROGRAPH)
    panel.set_value(
        toy_config.changed(steps=100_000, monitor_every=10).model_copy(
            update={"micrograph": MICROGRAPH}
        )
    )
    yield panel
    assert panel.close_run(60)
    # Nothing is left to be delivered to a widget that is gone.
    assert QThreadPool.globalInstance().waitForDone(10_000)


@pytest.fixture
def told(panel: TrainPanel) -> Told:
    return Told(panel)


def click(panel: TrainPanel, name: str) -> None:
    button = panel.findChild(QPushButton, name)
    assert button is not None
    assert button.isEnabled()
    button.click()


def reach(qtbot: QtBot, panel: TrainPanel, state: RunState) -> None:
    qtbot.waitUntil(lambda: panel.state is state, timeout=LONG)


def steps(qtbot: QtBot, told: Told, n: int) -> None:
    """Wait for the reports of n more steps."""
    last = told.reports[-1].step if told.reports else 0
    qtbot.waitUntil(
        lambda: bool(told.reports) and told.reports[-1].step >= last + n, timeout=LONG
    )


@pytest.mark.parametrize("name", PRESETS)
def test_shows_and_gives_back_every_preset(panel: TrainPanel, name: str) -> None:
    panel.set_value(PRESETS[name])
    assert panel.value() == PRESETS[name]


def test_settings_of_the_micrograph_go_into_the_run(panel: TrainPanel) -> None:
    assert panel.value().micrograph == MICROGRAPH


def test_without_images_there_is_no_start(panel: TrainPanel) -> None:
    panel.set_images(None, MicrographSettings())
    assert not panel.controls.start.isEnabled()
    assert panel.controls.proceed.isEnabled()
    assert panel.material.text() == NO_IMAGES
    panel.start()
    assert panel.state is RunState.IDLE


def test_material_is_named(panel: TrainPanel) -> None:
    assert panel.material.text() == "toy: 40 x 48 pixels, 2 phases, isotropic"


def test_a_whole_run_by_its_buttons(
    qtbot: QtBot, panel: TrainPanel, told: Told, tmp_path: Path
) -> None:
    click(panel, "start")
    assert panel.state is RunState.PREPARING
    assert not panel.settings.isEnabled()
    steps(qtbot, told, 12)
    assert told.previews[0].values.shape == (24, 24, 24)
    click(panel, "pause")
    # Looks change on what the engine reports, not on the click.
    assert panel.controls.pause.text() == "Pause"
    assert not panel.controls.pause.isEnabled()
    reach(qtbot, panel, RunState.PAUSED)
    assert panel.controls.pause.text() == "Resume"
    at_pause = told.reports[-1].step
    click(panel, "pause")
    reach(qtbot, panel, RunState.RUNNING)
    steps(qtbot, told, 3)
    assert told.reports[-1].step > at_pause
    click(panel, "stop")
    assert panel.controls.stop.text() == "Stopping..."
    assert not panel.controls.stop.isEnabled()
    reach(qtbot, panel, RunState.FINISHED)
    ((reason, path),) = told.ends
    assert reason is FinishReason.STOPPED
    assert path.parent == tmp_path / "runs"
    folder = RunFolder.open(path)
    last = told.reports[-1].step
    assert folder.checkpoints()[0].name == f"checkpoint-{last:07d}.pt"
    assert folder.config() == panel.value()
    assert str(path) in panel.message.text()
    assert panel.settings.isEnabled()
    assert told.states == [
        RunState.PREPARING,
        RunState.RUNNING,
        RunState.PAUSED,
        RunState.RUNNING,
        RunState.STOPPING,
        RunState.FINISHED,
    ]


def test_a_run_ends_by_itself_and_goes_on_later(
    qtbot: QtBot, panel: TrainPanel, told: Told
) -> None:
    panel.set_value(panel.value().changed(steps=15))
    panel.start()
    reach(qtbot, panel, RunState.FINISHED)
    ((reason, path),) = told.ends
    assert reason is FinishReason.STEPS
    qtbot.waitUntil(lambda: panel.controls.proceed.isEnabled(), timeout=LONG)
    panel.continue_run(path)
    reach(qtbot, panel, RunState.RUNNING)
    # The curves begin with what the first part wrote.
    assert panel.view.curves.series.critic_loss.x[:15].tolist() == list(range(1, 16))
    reach(qtbot, panel, RunState.FINISHED)
    assert told.ends[1] == (FinishReason.STEPS, path)
    assert RunFolder.open(path).history()[-1]["step"] == "30"


def test_two_runs_get_two_folders(
    qtbot: QtBot, panel: TrainPanel, told: Told, tmp_path: Path
) -> None:
    panel.set_value(panel.value().changed(steps=2))
    for _ in range(2):
        panel.start()
        reach(qtbot, panel, RunState.FINISHED)
        qtbot.waitUntil(lambda: panel.worker is None, timeout=LONG)
    assert len(told.ends) == 2
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_a_fault_is_one_sentence_and_the_panel_stays_usable(
    qtbot: QtBot, panel: TrainPanel, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(self: Game, *args: Any) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    with monkeypatch.context() as patch:
        patch.setattr(Game, "step", out_of_memory)
        panel.start()
        reach(qtbot, panel, RunState.FAILED)
    assert told.faults == [panel.message.text()]
    assert "lower 'Volumes, generator'" in told.faults[0]
    assert panel.settings.isEnabled()
    qtbot.waitUntil(lambda: panel.worker is None, timeout=LONG)
    click(panel, "start")
    steps(qtbot, told, 1)


def test_settings_that_do_not_fit_are_told(
    qtbot: QtBot, panel: TrainPanel, told: Told, tmp_path: Path
) -> None:
    panel.set_value(panel.value().changed(latent_size=5))
    panel.start()
    reach(qtbot, panel, RunState.FAILED)
    assert "Latent size" in panel.message.text()
    # Nothing is written for a run that cannot be.
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_is_no_run_is_told(
    qtbot: QtBot, panel: TrainPanel, tmp_path: Path
) -> None:
    panel.continue_run(tmp_path)
    reach(qtbot, panel, RunState.FAILED)
    assert "is not a run folder" in panel.message.text()


@pytest.mark.parametrize("moment", ["preparing", "running", "paused"])
def test_closing_stops_saves_and_leaves_no_thread(
    qtbot: QtBot, panel: TrainPanel, told: Told, moment: str
) -> None:
    before = threading.active_count()
    panel.start()
    if moment != "preparing":
        steps(qtbot, told, 3)
    if moment == "paused":
        panel.pause()
        reach(qtbot, panel, RunState.PAUSED)
    assert panel.close_run(60)
    assert panel.state is RunState.FINISHED
    pool = QThreadPool.globalInstance()
    assert pool.waitForDone(10_000)
    assert pool.activeThreadCount() == 0
    # A pool keeps its idle threads for a while; nothing else is new.
    pool.clear()
    assert threading.active_count() <= before + pool.maxThreadCount()
    ((reason, path),) = told.ends
    assert reason is FinishReason.STOPPED
    if moment != "preparing":
        last = told.reports[-1].step
        newest = RunFolder.open(path).checkpoints()[0]
        assert newest.name == f"checkpoint-{last:07d}.pt"


def test_memory_comes_back_after_a_run(
    qtbot: QtBot, panel: TrainPanel, told: Told
) -> None:
    panel.start()
    steps(qtbot, told, 12)
    (trainer,) = told.trainers
    generator = weakref.ref(trainer().game.generator)  # type: ignore[union-attr]
    panel.stop()
    reach(qtbot, panel, RunState.FINISHED)
    qtbot.waitUntil(lambda: panel.worker is None, timeout=LONG)
    gc.collect()
    assert trainer() is None
    assert generator() is None


def test_a_panel_that_is_deleted_while_it_trains_leaves_no_run_behind(
    qtbot: QtBot, panel: TrainPanel, told: Told
) -> None:
    panel.start()
    steps(qtbot, told, 2)
    worker = panel.worker
    assert worker is not None
    # What napari does for its tasks when it quits.
    worker.quit()
    assert worker.wait(60)
    reach(qtbot, panel, RunState.FINISHED)


def test_buttons_follow_the_state(panel: TrainPanel) -> None:
    panel.show()
    controls = panel.controls
    offered = {
        RunState.IDLE: {"start", "continue"},
        RunState.PREPARING: {"stop"},
        RunState.RUNNING: {"pause", "stop"},
        RunState.PAUSED: {"pause", "stop"},
        RunState.STOPPING: set(),
        RunState.FINISHED: {"start", "continue"},
        RunState.FAILED: {"start", "continue"},
    }
    for state, names in offered.items():
        controls.show_state(state, can_start=True)
        buttons = controls.findChildren(QPushButton)
        usable = {b.objectName() for b in buttons if b.isVisible() and b.isEnabled()}
        assert usable == names, state


def test_torch_is_not_loaded_with_the_panel() -> None:
    import subprocess
    import sys

    code = (
        "import sys; import napari_slicegan._qt.train_panel; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
