"""The Train panel with real widgets and the real engine at toy size."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtWidgets import QPushButton

from napari_slicegan._qt import jobs
from napari_slicegan._qt.train.data import NO_IMAGES
from napari_slicegan._qt.train.panel import START_TIP
from napari_slicegan._qt.train.run_view import RunState
from napari_slicegan.config import MicrographSettings, RunConfig
from napari_slicegan.config.presets import PRESETS
from napari_slicegan.training.clock import FinishReason
from napari_slicegan.training.run_folder import RunFolder
from tests._qt.train_panel_toys import (
    LONG,
    MICROGRAPH,
    SignalLog,
    click,
    reach,
    steps,
    toy_panel,
)
from tests.toys import TOY_LABELS, completed

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_slicegan._qt.train.panel import TrainPanel
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


def test_value_is_the_config_with_the_micrograph_settings(panel: TrainPanel) -> None:
    assert panel.value().micrograph == MICROGRAPH
    panel.set_value(PRESETS["slicegan-v1"])
    assert panel.value() == PRESETS["slicegan-v1"]


def test_an_invalid_setting_takes_start_and_the_estimate_away(
    qtbot: QtBot, panel: TrainPanel
) -> None:
    panel.show()
    start = panel.controls.start
    widths = panel.settings.form.parts["architecture"].editors["generator_widths"]
    line = panel.forecast.line
    former = [float(n) for n in widths.value()]
    widths.set_value([7.5])
    widths.value_changed.emit()
    assert not start.isEnabled()
    assert "'Generator widths'" in html.unescape(start.toolTip())
    assert line.text() == ""
    panel.start()
    assert panel.state is RunState.IDLE
    widths.set_value(former)
    widths.value_changed.emit()
    qtbot.waitUntil(lambda: " free)" in line.text(), timeout=LONG)
    assert start.isEnabled()
    assert START_TIP in start.toolTip()


def test_without_images_there_is_no_start(panel: TrainPanel) -> None:
    assert panel.data.material.text() == "toy: 40 x 48 pixels, 2 phases, isotropic"
    panel.set_images(None, MicrographSettings())
    assert not panel.controls.start.isEnabled()
    assert NO_IMAGES in panel.controls.start.toolTip()
    assert panel.controls.continue_run.isEnabled()
    assert panel.data.material.text() == NO_IMAGES
    panel.start()
    assert panel.state is RunState.IDLE


def test_a_volume_of_phases_is_made_without_training(
    panel: TrainPanel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "GAUSSIAN_EDGE", 16)
    panel.show()
    with qtbot.waitSignal(panel.gaussian_made, timeout=LONG) as made:
        click(panel, "gaussian_field")
    volume = made.args[0]
    assert volume.values.shape == (16, 16, 16)
    assert volume.labels == TOY_LABELS
    qtbot.waitUntil(panel.controls.gaussian.isVisible, timeout=LONG)
    panel.set_images(None, MicrographSettings())
    assert not panel.controls.gaussian.isVisible()


def test_a_whole_run_by_its_buttons(
    qtbot: QtBot, panel: TrainPanel, log: SignalLog, tmp_path: Path
) -> None:
    click(panel, "start")
    assert panel.state is RunState.PREPARING
    assert not panel.settings.isEnabled()
    steps(qtbot, log, 12)
    assert log.previews[0].values.shape == (24, 24, 24)
    click(panel, "pause")
    # Looks change on what the engine reports, not on the click.
    assert panel.controls.pause.text() == "Pause"
    assert not panel.controls.pause.isEnabled()
    reach(qtbot, panel, RunState.PAUSED)
    assert panel.controls.pause.text() == "Resume"
    at_pause = log.reports[-1].step
    click(panel, "pause")
    reach(qtbot, panel, RunState.RUNNING)
    steps(qtbot, log, 3)
    assert log.reports[-1].step > at_pause
    click(panel, "stop")
    assert panel.controls.stop.text() == "Stopping..."
    assert not panel.controls.stop.isEnabled()
    reach(qtbot, panel, RunState.FINISHED)
    ((reason, path),) = log.ends
    assert reason is FinishReason.STOPPED
    assert panel.view.bar.text() == "Stopped at 0 %"
    assert path.parent == tmp_path / "runs"
    folder = RunFolder.open(path)
    last = log.reports[-1].step
    assert folder.checkpoints()[0].name == f"checkpoint-{last:07d}.pt"
    # What was left to the images is filled in.
    assert folder.config() == completed(panel.value())
    assert str(path) in panel.message.text()
    assert panel.settings.isEnabled()
    # Its line is left to the pictures until the settings are opened again.
    assert panel.controls.gaussian.isHidden()
    panel.section.heading.click()
    assert not panel.controls.gaussian.isHidden()
    assert log.states == [
        RunState.PREPARING,
        RunState.RUNNING,
        RunState.PAUSED,
        RunState.RUNNING,
        RunState.STOPPING,
        RunState.FINISHED,
    ]


def test_a_finished_run_is_continued(
    qtbot: QtBot, panel: TrainPanel, log: SignalLog
) -> None:
    panel.set_value(panel.value().changed(steps=15))
    panel.start()
    reach(qtbot, panel, RunState.FINISHED)
    ((reason, path),) = log.ends
    assert reason is FinishReason.STEPS
    qtbot.waitUntil(lambda: panel.controls.continue_run.isEnabled(), timeout=LONG)
    assert panel.view.bar.text() == "Finished"
    with qtbot.waitSignal(panel.generation_requested):
        click(panel, "to_volume")
    # With another learning rate, as for a run that has diverged.
    panel.set_value(panel.value().changed(critic_lr=5e-5))
    click(panel, "continue_this")
    reach(qtbot, panel, RunState.RUNNING)
    assert RunFolder.open(path).config().optimiser.critic_lr == 5e-5
    # The curves begin with what the first part wrote.
    assert panel.view.curves.series.critic_loss.x[:15].tolist() == list(range(1, 16))
    reach(qtbot, panel, RunState.FINISHED)
    assert log.ends[1] == (FinishReason.STEPS, path)
    assert RunFolder.open(path).history()[-1]["step"] == "30"


def test_the_next_run_may_start_when_the_end_of_one_is_reported(
    qtbot: QtBot, panel: TrainPanel, log: SignalLog, tmp_path: Path
) -> None:
    """Its worker is not taken for the one whose thread ends a moment later."""

    def start_again() -> None:
        if len(log.ends) == 1:
            panel.set_value(panel.value().changed(steps=100_000))
            panel.start()

    panel.set_value(panel.value().changed(steps=2))
    panel.run_finished.connect(start_again)
    panel.start()
    qtbot.waitUntil(lambda: len(log.trainers) == 2, timeout=LONG)
    assert panel.worker is not None
    panel.stop()
    reach(qtbot, panel, RunState.FINISHED)
    assert len(list((tmp_path / "runs").iterdir())) == 2


S = RunState


def test_states_that_may_follow(
    subtests: pytest.Subtests,
) -> None:
    cases: list[tuple[RunState, set[RunState]]] = [
        (S.IDLE, {S.PREPARING}),
        (S.RUNNING, {S.PAUSED, S.STOPPING, S.FINISHED, S.FAILED}),
        (S.STOPPING, {S.FINISHED, S.FAILED}),
        (S.FAILED, {S.PREPARING}),
    ]
    for before, after in cases:
        with subtests.test(str(before)):
            assert {state for state in RunState if before.allows(state)} == after


def test_buttons_follow_the_state(panel: TrainPanel) -> None:
    panel.show()
    controls = panel.controls
    offered = {
        RunState.IDLE: {"start", "continue"},
        RunState.PREPARING: {"stop"},
        RunState.RUNNING: {"pause", "stop"},
        RunState.PAUSED: {"pause", "stop"},
        RunState.STOPPING: set(),
        RunState.FINISHED: {"start", "continue", "continue_this", "to_volume"},
        RunState.FAILED: {"start", "continue", "continue_this"},
    }
    for state, names in offered.items():
        was_saved = not (state.is_active or state is RunState.IDLE)
        controls.show_state(state, no_start="", can_continue=was_saved)
        buttons = controls.findChildren(QPushButton)
        usable = {b.objectName() for b in buttons if b.isVisible() and b.isEnabled()}
        assert usable == names, state
