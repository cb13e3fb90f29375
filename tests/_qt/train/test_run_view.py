"""Progress of a run, in the dock and in napari's activity dock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari.resources import LOADING_GIF_PATH
from napari.utils import progress
from qtpy.QtGui import QMovie
from qtpy.QtWidgets import QLabel, QWidget

from napari_slicegan._qt.train.run_state import RunState
from napari_slicegan._qt.train.run_view import RunView, duration
from napari_slicegan._qt.widgets.progress import Activity
from napari_slicegan.training.clock import StepReport

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt
REPORT = StepReport(
    step=120,
    critic_loss=0.5,
    generator_loss=0.7,
    penalty=0.1,
    elapsed_s=60,
    remaining_s=180,
    progress=0.25,
    steps_per_s=2.04,
    images_seen=1000,
    memory_bytes=1_230_000_000,
)


@pytest.fixture
def view(qtbot: QtBot) -> Iterator[RunView]:
    view = RunView()
    qtbot.addWidget(view)
    yield view
    view.show_state(RunState.FAILED)


def bars() -> list[str]:
    """What the activity dock shows."""
    return [bar.desc for bar in progress._all_instances]  # noqa: SLF001 no other way


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59, "59 s"),
        (59.9, "1:00 min"),
        (185, "3:05 min"),
        (7800, "2:10 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_nothing_is_seen_before_the_first_run(view: RunView) -> None:
    assert view.isHidden()


def test_preparing_has_no_end_in_sight(view: RunView) -> None:
    view.show_state(RunState.PREPARING)
    assert not view.isHidden()
    assert view.bar.maximum() == 0


def test_progress_with_the_time_that_is_left(view: RunView) -> None:
    view.show_state(RunState.PREPARING)
    view.show_state(RunState.RUNNING)
    view.show_reports([REPORT])
    view.show_state(RunState.RUNNING)
    assert view.bar.value() / view.bar.maximum() == 0.25
    assert view.bar.text() == "Training  25 %, 3:00 min left"
    assert view.facts.text() == (
        "Step 120, 1:00 min of training, 2 steps/s, 1.2 GB of memory"
    )
    view.show_state(RunState.STOPPING)
    assert view.bar.text() == "Stopping...  25 %"


def test_activity_dock_follows_and_is_tidied(qtbot: QtBot, view: RunView) -> None:
    view.show_state(RunState.PREPARING)
    view.show_state(RunState.RUNNING)
    view.show_reports([REPORT])
    qtbot.waitUntil(lambda: bars() == ["SliceGAN: Training"], timeout=5000)
    (bar,) = progress._all_instances  # noqa: SLF001 no other way
    assert bar.n / bar.total == 0.25
    view.show_state(RunState.FINISHED)
    assert bars() == []


def test_signs_of_work_move_slowly_while_there_is_a_bar(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    label = QLabel(window)
    movie = QMovie(LOADING_GIF_PATH, parent=label)
    label.setMovie(movie)
    activity = Activity()
    activity.show(0, "a")
    assert 0 < movie.speed() < 10
    activity.close()
    assert movie.speed() == 100


def test_activity_makes_one_bar_and_moves_it() -> None:
    activity = Activity()
    activity.show(0.1, "a")
    (bar,) = progress._all_instances  # noqa: SLF001 no other way
    activity.show(0.5, "b")
    assert (bar.n, bar.total, bar.desc) == (50, 100, "b: ")
    activity.close()
    activity.close()
    assert bars() == []
