"""Progress and previews of a run, in the panel and in napari's activity dock."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari.resources import LOADING_GIF_PATH
from napari.utils import progress
from qtpy.QtGui import QMovie
from qtpy.QtWidgets import (
    QApplication,
    QFormLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QWidget,
)

from napari_slicegan._qt.train import run_view
from napari_slicegan._qt.train.run_view import (
    RunState,
    RunView,
    SlicePair,
    coloured,
    real_crop,
)
from napari_slicegan._qt.viewer.layer_picture import phase_colours
from napari_slicegan._qt.widgets import basics
from napari_slicegan._qt.widgets.basics import content_above
from napari_slicegan._qt.widgets.progress import Activity
from napari_slicegan.config import AXES, Axis
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.training.clock import StepReport
from napari_slicegan.volumes.volume import Volume
from tests.toys import TOY_LABELS, phases_image

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


def test_hidden_before_the_first_run_then_busy(view: RunView) -> None:
    assert view.isHidden()
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
    assert view.bar.text() == "Stopping... at 25 %"


def test_what_is_hidden_is_drawn_when_it_is_shown(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in another tab; while it is shown, at the next tick of the timer."""
    monkeypatch.setattr(run_view, "REFRESH_MS", 10)
    panel, view = QWidget(), RunView()
    qtbot.addWidget(panel)
    content_above(panel).addWidget(view)

    def steps() -> Any:
        return view.curves.losses.curves[0].xData

    view.show_state(RunState.PREPARING)
    view.show_reports([REPORT])
    qtbot.waitUntil(lambda: bars() != [])
    assert steps() is None
    assert view.facts.text() == ""
    panel.show()
    assert steps().tolist() == [120]
    assert "Step 120" in view.facts.text()
    view.show_reports([replace(REPORT, step=121)])
    qtbot.waitUntil(lambda: "Step 121" in view.facts.text())
    assert steps().tolist() == [120, 121]
    view.show_state(RunState.FAILED)


def test_slow_drawings_are_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most a twentieth of the time, but at least one in ten seconds."""
    now = [100.0]
    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr(basics, "time", clock)
    pace, waits = basics.Pace(), []
    for seconds in (0.01, 0.2, 3.0):
        assert pace.is_due
        with pace.drawing():
            now[0] += seconds
        ended = now[0]
        while not pace.is_due:
            now[0] += 0.01
        waits.append(now[0] - ended)
    assert waits == pytest.approx([0.2, 4, 10], abs=0.02)


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


def test_the_animations_are_slowed_without_keeping_labels(qtbot: QtBot) -> None:
    """Those of a closed dock stayed with the window, 21 for each dock."""

    def n_labels() -> int:
        gc.collect()
        return sum(type(each) is QLabel for each in gc.get_objects())

    window, activity = QWidget(), Activity()
    qtbot.addWidget(window)
    counts = []
    for _ in range(3):
        dock = QWidget(window)
        QFormLayout(dock).addRow("A label that Qt makes", QLineEdit())
        activity.show(0.5, "Training")
        activity.close()
        with qtbot.waitSignal(dock.destroyed):
            dock.deleteLater()
        QApplication.processEvents()
        counts.append(n_labels())
    assert counts[1] == counts[2]


def test_activity_makes_one_bar_and_moves_it() -> None:
    activity = Activity()
    activity.show(0.1, "a")
    (bar,) = progress._all_instances  # noqa: SLF001 no other way
    activity.show(0.5, "b")
    assert (bar.n, bar.total, bar.desc) == (50, 100, "b: ")
    activity.close()
    activity.close()
    assert bars() == []


# The real crop and the generated slice


def test_values_as_rgb() -> None:
    low, high = TOY_LABELS
    rgb = coloured(np.array([[low, high]]), "phases", TOY_LABELS, 0, 1, {})
    colours = phase_colours(TOY_LABELS)
    expected = [[[255 * part for part in colours[each][:3]] for each in TOY_LABELS]]
    assert rgb.tolist() == np.rint(expected).tolist()
    gray = coloured(np.array([[10.0, 15.0, 20.0]]), "grayscale", (), 10, 20, {})
    assert gray.shape == (1, 3, 3)
    # 127.5 is rounded to the even number.
    assert gray[0, :, 0].tolist() == [0, 128, 255]
    values = np.array([[[255, 0, 51]]], np.uint8)
    assert coloured(values, "colour", (), 0, 255, {}).tolist() == [[[255, 0, 51]]]


def test_crop_is_a_part_of_the_image_and_always_the_same(
    toy_images: TrainingImages,
) -> None:
    crop = real_crop(toy_images, "y", 16)
    assert crop.shape == (16, 16)
    assert contains(toy_images, "z", crop)
    assert (real_crop(toy_images, "y", 16) == crop).all()
    small = TrainingImages.isotropic(phases_image(20, 30))
    assert real_crop(small, "z", 100).shape == (20, 30)


def contains(images: TrainingImages, axis: Axis, crop: NDArray[Any]) -> bool:
    image = images.views[axis][0].values
    windows = np.lib.stride_tricks.sliding_window_view(image, crop.shape)
    return bool((windows == crop).all(axis=(2, 3)).any())


def test_each_direction_shows_its_own_image(toy_views: TrainingImages) -> None:
    for axis in AXES:
        crop = real_crop(toy_views, axis, 40)
        found = [other for other in AXES if contains(toy_views, other, crop)]
        assert found == [axis]


@pytest.fixture
def pair(qtbot: QtBot) -> SlicePair:
    pair = SlicePair()
    qtbot.addWidget(pair)
    pair.resize(380, 240)
    return pair


def test_nothing_is_shown_before_both_are_there(
    pair: SlicePair, toy_images: TrainingImages
) -> None:
    pair.set_images(toy_images)
    assert pair.isHidden()
    values = np.full((24, 24, 24), TOY_LABELS[0], np.uint8)
    pair.set_volume(Volume(values, "phases", 5.0, TOY_LABELS), step=50)
    assert not pair.isHidden()
    assert pair.generated_title.text() == "Generated, step 50"
    # 24 pixels of 5 nm.
    assert pair.scale.text() == "Width: 24 pixels = 120 nm"
    pair.set_images(toy_images)
    assert pair.isHidden()


def test_the_pictures_are_as_large_as_the_panel_allows(
    pair: SlicePair, toy_images: TrainingImages
) -> None:
    pair.set_images(toy_images)
    values = np.full((24, 24, 24), TOY_LABELS[0], np.uint8)
    pair.set_volume(Volume(values, "phases", 5.0, TOY_LABELS), step=12_000)
    pair.show()
    for width in (380, 450):
        pair.resize(width, 300)
        assert pair.minimumSizeHint().width() <= width
        pictures = [each.pixmap().width() for each in (pair.real, pair.generated)]
        assert min(pictures) > 0.45 * width


def test_the_pictures_leave_room_for_the_plots(
    qtbot: QtBot, toy_images: TrainingImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a window of 800 pixels the titles of the lower axes were out of sight."""
    monkeypatch.setattr(run_view, "REFRESH_MS", 10)
    panel, view = QWidget(), RunView()
    qtbot.addWidget(panel)
    content_above(panel).addWidget(view)
    values = np.full((24, 24, 24), TOY_LABELS[0], np.uint8)
    view.pair.set_images(toy_images)
    view.pair.set_volume(Volume(values, "phases", 5.0, TOY_LABELS), step=1)
    view.show_state(RunState.PREPARING)
    panel.resize(450, 1000)
    panel.show()
    area = panel.findChild(QScrollArea)
    assert area is not None
    scroll, curves = area.verticalScrollBar(), view.curves
    qtbot.waitUntil(lambda: view.pair.height() > view.pair.real.height() > 200)
    enough = panel.height() - curves.spare
    panel.resize(450, enough - 30)
    qtbot.waitUntil(lambda: 170 < view.pair.real.height() < 200)
    qtbot.waitUntil(lambda: scroll.maximum() == 0)
    panel.resize(450, enough)
    qtbot.waitUntil(lambda: view.pair.real.height() > 200 and scroll.maximum() == 0)
    # Smaller pictures would not help.
    panel.resize(450, enough - 200)
    qtbot.waitUntil(lambda: view.pair.real.height() > 200 and scroll.maximum() > 0)
    # At the end more buttons stand below.
    for height in (enough, enough - 120):
        view.show_state(RunState.FAILED)
        panel.resize(450, height)
    qtbot.waitUntil(lambda: view.pair.real.height() < 130 and scroll.maximum() == 0)


def test_the_chosen_direction_is_sliced(
    qtbot: QtBot, pair: SlicePair, toy_images: TrainingImages
) -> None:
    low, high = TOY_LABELS
    values = np.full((24, 24, 24), low, np.uint8)
    # Only the middle plane seen along x has the second phase.
    values[:, :, 12] = high
    pair.set_images(toy_images)
    pair.set_volume(Volume(values, "phases", None, TOY_LABELS), step=1)
    colours = phase_colours(TOY_LABELS)

    def fraction_of_high() -> float:
        image = pair.generated.pixmap().toImage()
        red = round(255 * colours[high][0])
        pixels = [image.pixelColor(x, 5).red() == red for x in range(image.width())]
        return float(np.mean(pixels))

    assert fraction_of_high() == pytest.approx(1 / 24, abs=0.02)
    pair.axis.setCurrentIndex(AXES.index("x"))
    assert fraction_of_high() == 1


def test_gray_images_and_volumes(pair: SlicePair) -> None:
    gray = np.random.default_rng(0).random((40, 40))
    images = TrainingImages.isotropic(Micrograph.from_array(gray, "grayscale"))
    pair.set_images(images)
    pair.set_volume(Volume(np.ones((16, 16, 16)), "grayscale"), step=1)
    assert pair.scale.text() == "Width: 16 pixels"
