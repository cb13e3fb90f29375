"""Runs whose generator makes images or points, by the window's real parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtGui import QStandardItemModel
from scipy.io import wavfile

from napari_slicegan._qt.application import WindowStart, fill
from napari_slicegan._qt.jobs import resume_run
from napari_slicegan._qt.train.data import NO_SET, POINTS
from napari_slicegan._qt.train.panel import TrainPanel
from napari_slicegan._qt.train.run_view import RunState
from napari_slicegan._qt.train.settings import KINDS, TrainSettings
from napari_slicegan._qt.viewer.layers import PREVIEW
from napari_slicegan._qt.volume.forms import SampleForm, SampleRequest
from napari_slicegan.config.presets import PRESETS, preset
from napari_slicegan.generation.samples import generate_images
from napari_slicegan.generation.sheet import Sheet
from napari_slicegan.models.generator_file import load_any_generator
from napari_slicegan.systems.image_set import ImageSet
from napari_slicegan.systems.image_task import DISTANCE, SIMILARITY
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.trainer import Trainer
from tests._qt.whole_window import LONG, dock, until
from tests.image_toys import ellipses, small_image_config, toy_set
from tests.toys import train

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_slicegan._qt.main_widget import SliceGANWidget

pytestmark = pytest.mark.qt


@pytest.fixture
def widget(viewer: Any, tmp_path: Path) -> Iterator[SliceGANWidget]:
    made = dock(viewer, tmp_path / "runs")
    yield made
    made.shut_down()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty ellipses."""
    made = tmp_path / "brains"
    made.mkdir()
    for number, image in enumerate(ellipses(40)):
        np.save(made / f"{number:02}.npy", image)
    return made


@pytest.fixture(scope="module")
def image_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished run of images."""
    path = tmp_path_factory.mktemp("toy") / "brains"
    train(Trainer.start(small_image_config(), toy_set(), path))
    return path


def test_presets_stand_under_what_they_make(qtbot: QtBot) -> None:
    """All of them; titles cannot be chosen."""
    settings = TrainSettings()
    qtbot.addWidget(settings)
    box = settings.preset.box
    model = box.model()
    assert isinstance(model, QStandardItemModel)
    rows = [
        (box.itemData(i) or box.itemText(i), model.item(i).isEnabled())
        for i in range(box.count())
    ]
    assert "slicegan-fast (minutes on a CPU)" in [
        box.itemText(i) for i in range(box.count())
    ]
    assert [text for text, enabled in rows if not enabled] == [*KINDS.values()]
    assert sorted(text for text, enabled in rows if enabled) == sorted(PRESETS)
    titles = [number for number, (_, enabled) in enumerate(rows) if not enabled]
    for name, config in PRESETS.items():
        above = [t for t in titles if t < rows.index((name, True))]
        assert rows[above[-1]][0] == KINDS[config.architecture.dimensions]


def test_settings_of_volumes_and_of_images(qtbot: QtBot) -> None:
    settings = TrainSettings()
    qtbot.addWidget(settings)
    for name, hidden in (("slicegan-fast", "images"), ("oasis-28", "slices")):
        settings.preset.set_value(name)
        sections = settings.form.sections.items()
        assert [group for group, each in sections if each.isHidden()] == [hidden]


def test_a_folder_takes_the_place_of_the_micrograph(qtbot: QtBot, folder: Path) -> None:
    panel = TrainPanel()
    qtbot.addWidget(panel)
    data, start = panel.data, panel.controls.start
    assert data.folder.isHidden()
    panel.set_value(small_image_config())
    assert not data.folder.isHidden()
    assert data.material.text() == NO_SET
    assert not start.isEnabled()
    data.folder.set_value(folder)
    assert data.value() == folder
    assert data.material.text() == "brains: whole images of the folder"
    assert start.isEnabled()
    data.folder.set_value(None)
    assert not start.isEnabled()
    sound = folder.parent / "sounds" / "tone.WAV"
    sound.parent.mkdir()
    sound.touch()
    for path, text in (
        (sound, "tone.WAV: sounds of the file, as spectrograms"),
        (sound.parent, "sounds: sounds of the folder, as spectrograms"),
    ):
        data.folder.set_value(path)
        assert data.material.text() == text
    sound.with_name("picture.png").touch()
    data.folder.set_value(None)
    data.folder.set_value(sound.parent)
    assert data.material.text() == "sounds: whole images of the folder"


def test_from_a_folder_to_samples(
    widget: SliceGANWidget, viewer: Any, folder: Path, qtbot: QtBot, tmp_path: Path
) -> None:
    """Train, watch the sheet grow, stop; then images of the run, kept in a file."""
    config = small_image_config(steps=10**6, monitor_interval=5, aligned=True)
    widget.train.set_value(config)
    widget.train.data.folder.set_value(folder)
    with qtbot.waitSignal(widget.train.preview_made, timeout=LONG):
        widget.train.controls.start.click()
    # 4 x 4 images of 28 pixels, enlarged three times, with a line of 2 between.
    assert viewer.layers[PREVIEW].data.shape == (344, 344)
    assert viewer.dims.ndisplay == 2
    view = widget.train.view
    assert [*view.curves.measured] == [DISTANCE, SIMILARITY]
    assert view.pair.isHidden()
    assert not view.samples.isHidden()
    assert not view.samples.generated.pixmap().isNull()
    widget.train.stop()
    until(widget, qtbot, RunState.FINISHED)
    qtbot.waitUntil(widget.volume.generate_button.isEnabled, timeout=LONG)
    assert widget.tabs.tabText(2) == "Samples"
    assert widget.volume.form.isHidden()
    assert widget.volume.orthogonal.isHidden()
    widget.volume.set_value(SampleRequest(70, 3))
    with qtbot.waitSignal(widget.volume.samples_made, timeout=LONG) as made:
        widget.volume.generate_button.click()
    (run,) = (tmp_path / "runs").iterdir()
    expected = generate_images(load_any_generator(run), 70, 3)
    np.testing.assert_array_equal(made.args[0].values, expected.values)
    layer = viewer.layers[-1]
    assert layer.data.shape == (70, 28, 28)
    assert tuple(layer.contrast_limits) == (expected.low, expected.high)
    qtbot.waitUntil(widget.volume.save_button.isEnabled, timeout=LONG)
    widget.volume.save(tmp_path / "samples.npy")
    qtbot.waitUntil(lambda: not widget.volume.task.is_busy, timeout=LONG)
    np.testing.assert_array_equal(np.load(tmp_path / "samples.npy"), expected.values)
    assert RunFolder.open(run).config().architecture == config.architecture


def test_a_folder_of_the_command_line_is_trained_on_at_once(
    widget: SliceGANWidget, viewer: Any, folder: Path, qtbot: QtBot
) -> None:
    config = small_image_config(steps=10**6, monitor_interval=5)
    with qtbot.waitSignal(widget.train.preview_made, timeout=LONG):
        fill(viewer, widget, WindowStart(config=config, folder=folder, train=True))
    widget.train.stop()
    until(widget, qtbot, RunState.FINISHED)


def test_crops_of_the_micrograph(
    widget: SliceGANWidget, viewer: Any, qtbot: QtBot
) -> None:
    viewer.add_image(ellipses(1, 64)[0], name="micrograph")
    widget.micrograph.use_selected_layers()
    qtbot.waitUntil(lambda: widget.micrograph.images() is not None, timeout=LONG)
    widget.train.set_value(small_image_config(steps=10**6, monitor_interval=5))
    assert widget.train.data.material.text().startswith("micrograph: 64 x 64 pixels")
    with qtbot.waitSignal(widget.train.preview_made, timeout=LONG) as made:
        widget.train.controls.start.click()
    assert made.args[0].values.shape == (16, 28, 28)
    widget.train.stop()
    until(widget, qtbot, RunState.FINISHED)


def test_points_need_no_image(
    widget: SliceGANWidget, viewer: Any, qtbot: QtBot
) -> None:
    """Their generator makes no images, and says so."""
    config = preset("realness-toy").changed(
        generator_widths=(8, 8), critic_widths=(6,), monitor_interval=5, device="cpu"
    )
    widget.train.set_value(config.changed(steps=10**6))
    assert widget.train.data.material.text() == POINTS
    with qtbot.waitSignal(widget.train.preview_made, timeout=LONG):
        widget.train.controls.start.click()
    assert viewer.layers[PREVIEW].data.shape == (256, 256)
    titles = [curve.title for curve in widget.train.view.curves.measured]
    assert titles == ["Share of high quality", "Recovered modes"]
    widget.train.stop()
    until(widget, qtbot, RunState.FINISHED)
    # The next tab shows none.
    assert widget.train.controls.next.isHidden()
    panel = widget.volume
    qtbot.waitUntil(lambda: panel.points.isVisibleTo(panel), timeout=LONG)
    for each in (panel.generate_button, panel.save_button, panel.samples, panel.form):
        assert not each.isVisibleTo(panel)
    # By a key or a command.
    qtbot.waitUntil(lambda: not panel.source.is_loading, timeout=LONG)
    with qtbot.waitSignal(panel.failed, timeout=LONG) as failed:
        panel.generate()
    assert "got one of points" in failed.args[0]
    qtbot.waitUntil(widget.volume.generate_button.isEnabled, timeout=LONG)


def test_from_a_sheet_of_images_back_to_volumes(
    widget: SliceGANWidget, viewer: Any, image_run: Path, toy_run: Path, qtbot: QtBot
) -> None:
    """The third tab follows the generator that is loaded."""
    panel = widget.volume
    panel.set_run(image_run)
    qtbot.waitUntil(panel.generate_button.isEnabled, timeout=LONG)
    assert widget.tabs.tabText(2) == panel.product == "Samples"
    panel.set_value(SampleRequest(7, 0, as_sheet=True))
    with qtbot.waitSignal(panel.samples_made, timeout=LONG):
        panel.generate_button.click()
    # 3 x 3 places.
    assert viewer.layers[-1].data.shape == (258, 258)
    panel.set_run(toy_run)
    qtbot.waitUntil(lambda: panel.product == "Volume", timeout=LONG)
    assert widget.tabs.tabText(2) == "Volume"
    assert not panel.form.isHidden()


def test_sounds_are_saved_as_wav(
    widget: SliceGANWidget, tmp_path: Path, qtbot: QtBot
) -> None:
    """Spectrograms are shown in decibels, and saved one after the other."""
    values = np.random.default_rng(0).random((8, 128, 128), np.float32)
    config = preset("specgan-small").changed(
        generator_widths=(8, 4, 4, 2, 2),
        critic_widths=(2, 2, 4, 4, 8),
        generator_batch_size=4,
        critic_batch_size=4,
        evaluation_images=16,
        steps=1,
        device="cpu",
    )
    images = ImageSet(values, "sounds", is_sound=True)
    train(Trainer.start(config, images, tmp_path / "run"))
    panel = widget.volume
    panel.set_run(tmp_path / "run")
    qtbot.waitUntil(panel.generate_button.isEnabled, timeout=LONG)
    panel.set_value(SampleRequest(2, 0, as_sheet=True))
    with qtbot.waitSignal(panel.samples_made, timeout=LONG):
        panel.generate_button.click()
    qtbot.waitUntil(panel.generate_button.isEnabled, timeout=LONG)
    panel.save(tmp_path / "made.wav")
    qtbot.waitUntil(lambda: not panel.task.is_busy, timeout=LONG)
    rate, sound = wavfile.read(tmp_path / "made.wav")
    assert (rate, sound.shape) == (16_000, (2 * 16_384,))


def test_the_form_gives_back_what_it_was_set_to(qtbot: QtBot) -> None:
    form = SampleForm()
    qtbot.addWidget(form)
    assert form.value() == SampleRequest()
    request = SampleRequest(12, 34, as_sheet=True)
    form.set_value(request)
    assert form.value() == request


def test_colour_sheets_are_shown_in_colour(viewer: Any) -> None:
    from napari_slicegan._qt.viewer import layers

    sheet = Sheet(np.zeros((5, 16, 16, 3), np.uint8), 0, 255)
    for as_sheet in (False, True):
        assert layers.add_samples(viewer, sheet, "colours", as_sheet).rgb
    assert layers.add_or_update_preview(viewer, sheet.picture()).rgb


def test_a_run_whose_epochs_are_over_goes_on(tmp_path: Path) -> None:
    """By as many epochs again."""
    config = small_image_config(steps=10**6, epochs=2)
    path = tmp_path / "run"
    first = Trainer.start(config, toy_set(), path)
    train(first)
    # 40 images in batches of 8, twice.
    assert first.step == 10
    train(resume_run(path))
    assert int(RunFolder.open(path).history()[-1]["step"]) == 20
