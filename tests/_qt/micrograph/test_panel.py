"""The Micrograph panel with a real viewer; the proxy refuses it to other threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari_slicegan.sample_data import path as sample_path
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QLabel

from napari_slicegan._qt.micrograph import image_source
from napari_slicegan._qt.micrograph import panel as panel_module
from napari_slicegan._qt.micrograph.panel import MicrographPanel
from napari_slicegan._qt.viewer.layer_inputs import CROP
from napari_slicegan._qt.viewer.layers import PHASES, scale_bar_of
from napari_slicegan.config import MicrographSettings
from napari_slicegan.data.image_files import SourceImage, read_image
from tests.toys import phases_image, smooth_field

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_slicegan.data.training_images import TrainingImages

pytestmark = pytest.mark.qt

GRAY_SIZE_NM = 4.0


@pytest.fixture
def panel(viewer: Any, qtbot: QtBot) -> Iterator[MicrographPanel]:
    panel = MicrographPanel(viewer)
    qtbot.addWidget(panel)
    yield panel
    # What is read later must not become a layer of a viewer that is closed.
    panel.end_work()


@pytest.fixture
def gray_file(tmp_path: Path) -> Path:
    values = np.rint(100 + 50 * smooth_field(96, 128)).astype(np.uint8)
    file = tmp_path / "gray.tif"
    tifffile.imwrite(
        file,
        values,
        ome=True,
        metadata={
            "PhysicalSizeX": GRAY_SIZE_NM,
            "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": GRAY_SIZE_NM,
            "PhysicalSizeYUnit": "nm",
        },
    )
    return file


def images_after(
    panel: MicrographPanel, qtbot: QtBot, act: Callable[[], Any]
) -> TrainingImages:
    """What the panel passes on when it has thought about an action."""
    with qtbot.waitSignal(panel.images_changed, timeout=20_000) as sent:
        act()
    images: TrainingImages = sent.args[0]
    return images


def test_file_becomes_layer_and_images(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot, gray_file: Path
) -> None:
    images = images_after(panel, qtbot, lambda: panel.open_files("z", [gray_file]))
    assert images.kind == "grayscale"
    assert images.pixel_size_nm == pytest.approx(GRAY_SIZE_NM)
    assert [layer.name for layer in viewer.layers] == ["gray.tif"]


def test_segmentation_and_its_preview(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot, gray_file: Path
) -> None:
    images_after(panel, qtbot, lambda: panel.open_files("z", [gray_file]))
    choice = panel.controls.rows.editors["segmentation"]
    images = images_after(panel, qtbot, lambda: choice.set_value("otsu"))
    assert images.labels == (0, 1)
    phases = [layer for layer in viewer.layers if layer.name != "gray.tif"]
    assert len(phases) == 1
    shown = np.asarray(phases[0].data)
    np.testing.assert_array_equal(shown == shown.max(), images.views["z"][0].values)
    panel.controls.preview.setChecked(False)
    assert [layer.name for layer in viewer.layers] == ["gray.tif"]


def test_selected_labels_layer(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot
) -> None:
    image = phases_image(96, 128)
    viewer.add_labels(image.values, name="phases")
    images = images_after(panel, qtbot, panel.use_selected_layers)
    np.testing.assert_array_equal(images.views["z"][0].values, image.values)


def test_scale_of_a_layer_is_the_pixel_size(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot
) -> None:
    values = phases_image(96, 128).values
    viewer.add_labels(values, scale=(0.02, 0.02), units=("µm", "µm"))
    images = images_after(panel, qtbot, panel.use_selected_layers)
    # 0.02 µm = 20 nm
    assert images.pixel_size_nm == pytest.approx(20)


def test_an_empty_selection_is_reported(panel: MicrographPanel, qtbot: QtBot) -> None:
    with qtbot.waitSignal(panel.failed) as failed:
        panel.use_selected_layers()
    assert "Image or Labels layer" in failed.args[0]
    assert panel.message.text() == failed.args[0]


def test_image_opened_in_the_window_is_taken(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot
) -> None:
    file = sample_path("bentheimer_slice")
    images = images_after(panel, qtbot, lambda: viewer.open(str(file), plugin="napari"))
    assert images.labels == (0, 255)


def test_crop_by_a_rectangle(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot, gray_file: Path
) -> None:
    images_after(panel, qtbot, lambda: panel.open_files("z", [gray_file]))
    panel.controls.crop_button.click()
    corners = [[10, 20], [10, 90], [80, 90], [80, 20]]
    images = images_after(
        panel, qtbot, lambda: viewer.layers[CROP].add_rectangles(corners)
    )
    assert images.views["z"][0].values.shape == (70, 70)
    whole = images_after(panel, qtbot, panel.controls.uncrop_button.click)
    assert whole.views["z"][0].values.shape == (96, 128)
    # The layer is kept: napari may crash when an image follows a removed one.
    layer = viewer.layers[CROP]
    assert (len(layer.data), layer.visible) == (0, False)
    panel.controls.crop_button.click()
    assert layer.visible


def test_the_samples_that_are_images_are_offered(
    panel: MicrographPanel, qtbot: QtBot
) -> None:
    """Views of one material together."""
    menu = panel.offer_samples()
    entries = {action.text(): action for action in menu.actions()}
    assert [*entries] == [
        "Nanoporous gold",
        "Bentheimer sandstone, one slice",
        "Aluminium alloy",
        "Fibres along x, three views",
        "Overlapping spheres, one slice",
        "Particles in a fine mixture, one slice",
        "Packed bed with binder bridges, one slice",
    ]
    fibres = entries["Fibres along x, three views"]
    images = images_after(panel, qtbot, fibres.trigger)
    assert [views[0].name for views in images.views.values()] == [
        f"fibres_{axis}.tif" for axis in "zyx"
    ]
    menu.close()
    menu = panel.offer_samples()
    images_after(panel, qtbot, menu.actions()[1].trigger)
    assert panel.isotropic.isChecked()
    menu.close()


def test_three_views(panel: MicrographPanel, qtbot: QtBot) -> None:
    panel.anisotropic.setChecked(True)
    panel.open_files("z", [sample_path("fibres_z")])
    panel.open_files("y", [sample_path("fibres_y")])
    images = images_after(
        panel, qtbot, lambda: panel.open_files("x", [sample_path("fibres_x")])
    )
    assert images.material == "anisotropic"
    assert images.pixel_size_nm == pytest.approx(700)


def test_unreadable_file_is_reported_and_leaves_the_panel_usable(
    panel: MicrographPanel, qtbot: QtBot, tmp_path: Path, gray_file: Path
) -> None:
    broken = tmp_path / "broken.tif"
    broken.write_bytes(b"II*\0 but no more")
    with qtbot.waitSignal(panel.failed):
        panel.open_files("z", [broken])
    assert "broken.tif" in panel.message.text()
    (tmp_path / "set.wav").write_bytes(b"RIFF")
    for sounds in (tmp_path / "set.wav", tmp_path):
        with qtbot.waitSignal(panel.failed):
            panel.open_files("z", [sounds])
        assert "'Images' in the Train tab" in panel.message.text()
    images_after(panel, qtbot, lambda: panel.open_files("z", [gray_file]))
    assert panel.message.text() == ""


def test_unfit_threshold_takes_the_images_away(
    panel: MicrographPanel, qtbot: QtBot, gray_file: Path
) -> None:
    images_after(panel, qtbot, lambda: panel.open_files("z", [gray_file]))
    rows = panel.controls.rows.editors
    rows["thresholds"].set_value((500.0,))

    def choose() -> None:
        rows["segmentation"].set_value("thresholds")

    assert images_after(panel, qtbot, choose) is None
    assert "'Thresholds'" in panel.message.text()


def test_a_setting_that_is_refused_takes_the_images_away(
    panel: MicrographPanel, qtbot: QtBot, gray_file: Path
) -> None:
    """Nothing can start with settings other than those shown."""
    images_after(panel, qtbot, lambda: panel.open_files("z", [gray_file]))
    rows = panel.controls.rows.editors
    images_after(panel, qtbot, lambda: rows["segmentation"].set_value("otsu"))
    assert images_after(panel, qtbot, lambda: rows["kind"].set_value("colour")) is None
    assert "got 'Image kind' (kind) colour" in panel.message.text()
    assert "got 'Image kind' colour" in panel.controls.rows.message.text()
    images = images_after(panel, qtbot, lambda: rows["kind"].set_value("auto"))
    assert images.labels == (0, 1)
    assert panel.controls.rows.message.text() == panel.message.text() == ""


def test_settings_of_a_former_file_do_not_refuse_the_next(
    panel: MicrographPanel, qtbot: QtBot, tmp_path: Path, gray_file: Path
) -> None:
    """A file without a header, one of several images, and one with neither."""
    plain, several = tmp_path / "plain.raw", tmp_path / "several.npz"
    values = tifffile.imread(gray_file)
    plain.write_bytes(values[:80].tobytes())
    np.savez(several, a=values, b=values[:70])
    rows = panel.controls.rows.editors

    def height_after(act: Callable[[], Any]) -> int:
        return len(images_after(panel, qtbot, act).views["z"][0].values)

    def open_file(path: Path) -> int:
        # The former images go first.
        if panel.images() is not None:
            images_after(panel, qtbot, lambda: panel.open_files("z", [path]))
            return height_after(lambda: None)
        return height_after(lambda: panel.open_files("z", [path]))

    with qtbot.waitSignal(panel.failed, timeout=20_000):
        panel.open_files("z", [plain])
    rows["raw_shape"].set_value((80, 128))
    assert open_file(plain) == 80
    assert panel.value().raw_shape == (80, 128)
    assert open_file(several) == 96
    assert (panel.value().raw_shape, rows["raw_shape"].isHidden()) == ((), True)
    images_after(panel, qtbot, lambda: rows["dataset"].set_value("b"))
    assert height_after(lambda: None) == 70
    # A file that has it is read with it.
    assert open_file(several) == 70
    assert open_file(gray_file) == 96
    assert panel.value() == MicrographSettings()


def test_each_direction_is_read_with_the_settings_that_apply_to_it(
    panel: MicrographPanel, qtbot: QtBot, tmp_path: Path, gray_file: Path
) -> None:
    """A file without a header, one of several images, and one with neither."""
    values = tifffile.imread(gray_file)
    files = {"z": tmp_path / "a.raw", "y": tmp_path / "b.npz", "x": gray_file}
    files["z"].write_bytes(values[:80].tobytes())
    np.savez(files["y"], a=values, b=values[:70])
    rows = panel.controls.rows.editors
    panel.anisotropic.click()
    with qtbot.waitSignal(panel.failed, timeout=20_000):
        panel.open_files("z", [files["z"]])
    rows["raw_shape"].set_value((80, 128))
    for axis in ("z", "y"):
        with qtbot.waitSignal(panel.slots.changed, timeout=20_000):
            panel.open_files(axis, [files[axis]])
    with qtbot.waitSignal(panel.slots.changed, timeout=20_000):
        rows["dataset"].set_value("b")
    images = images_after(panel, qtbot, lambda: panel.open_files("x", [files["x"]]))
    assert panel.message.text() == ""
    heights = {axis: len(of[0].values) for axis, of in images.views.items()}
    assert heights == {"z": 80, "y": 70, "x": 96}
    assert (panel.value().raw_shape, panel.value().dataset) == ((80, 128), "b")
    assert not rows["raw_shape"].isHidden()


def test_settings_of_files_without_a_header_are_hidden_for_a_layer(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    values = np.rint(100 + 50 * smooth_field(96, 128)).astype(np.uint8)
    (tmp_path / "a.raw").write_bytes(values.tobytes())
    rows = panel.controls.rows.editors
    panel.controls.offer_raw()
    rows["raw_shape"].set_value((96, 128))
    images_after(panel, qtbot, lambda: panel.open_files("z", [tmp_path / "a.raw"]))
    assert not rows["raw_shape"].isHidden()
    viewer.layers.selection = {viewer.add_image(values[:80], name="layer")}
    images_after(panel, qtbot, panel.use_selected_layers)
    assert rows["raw_shape"].isHidden()
    assert panel.value() == MicrographSettings()


def test_settings_that_were_set_must_fit_the_first_file(
    panel: MicrographPanel, qtbot: QtBot, gray_file: Path
) -> None:
    """Such as flags of the command line."""
    panel.set_value(MicrographSettings(dataset="b"))
    with qtbot.waitSignal(panel.failed, timeout=20_000):
        panel.open_files("z", [gray_file])
    assert "'Dataset' b" in panel.message.text()
    assert not panel.controls.dataset.isHidden()


def test_a_late_failure_of_earlier_images_is_dropped(
    panel: MicrographPanel,
    qtbot: QtBot,
    gray_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first of two attempts fails when the second has long been shown."""
    prepare_images = image_source.prepare_images
    late, ended = threading.Event(), threading.Event()
    calls = []

    def first_fails(*args: Any, **options: Any) -> image_source.PreparedImages:
        calls.append(args)
        if len(calls) > 1:
            return prepare_images(*args, **options)
        assert late.wait(20)
        ended.set()
        raise RuntimeError("slow and wrong")

    monkeypatch.setattr(panel_module, "prepare_images", first_fails)
    panel.open_files("z", [gray_file])
    qtbot.waitUntil(lambda: len(calls) == 1, timeout=20_000)
    images = images_after(panel, qtbot, lambda: panel.set_patch_size(32))
    late.set()
    assert ended.wait(20)
    qtbot.wait(300)
    assert panel.images() is images
    assert panel.message.text() == ""


def test_patch_size_decides_about_too_small(
    panel: MicrographPanel, qtbot: QtBot, gray_file: Path
) -> None:
    images_after(panel, qtbot, lambda: panel.open_files("z", [gray_file]))
    images_after(panel, qtbot, lambda: panel.set_patch_size(128))
    assert "at least 128 x 128" in panel.facts.warnings.text()


class SlowReader:
    """Reads files as `read_image`, but not before it is allowed to."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.threads: set[int] = set()
        self._may_end: dict[str, threading.Event] = {}

    def event(self, name: str) -> threading.Event:
        return self._may_end.setdefault(name, threading.Event())

    def __call__(self, path: Path, settings: Any = None) -> SourceImage:
        self.begun.append(path.name)
        self.threads.add(threading.get_ident())
        assert self.event(path.name).wait(20)
        return read_image(path, settings)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowReader]:
    reader = SlowReader()
    monkeypatch.setattr(image_source, "read_image", reader)
    yield reader
    for name in reader.begun:
        reader.event(name).set()


def content_of(panel: MicrographPanel) -> str:
    label = panel.slots.single.findChild(QLabel, "content_any")
    assert label is not None
    return str(label.text())


def test_the_window_answers_while_a_file_is_read(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot, gray_file: Path, slow: SlowReader
) -> None:
    began = time.monotonic()
    panel.open_files("z", [gray_file])
    assert time.monotonic() - began < 1
    assert content_of(panel) == "Reading gray.tif ..."
    ticks: list[int] = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(1))
    timer.start(10)
    qtbot.waitUntil(lambda: slow.begun == ["gray.tif"] and len(ticks) > 5)
    timer.stop()
    assert threading.get_ident() not in slow.threads
    assert len(viewer.layers) == 0
    images = images_after(panel, qtbot, slow.event("gray.tif").set)
    assert [image.name for image in images] == ["gray.tif"]
    assert content_of(panel) == "gray.tif: 96 x 128 pixels"


@pytest.mark.parametrize("newer", ["file", "layer", "clear"])
def test_a_newer_choice_replaces_a_file_that_is_still_read(
    panel: MicrographPanel,
    viewer: Any,
    qtbot: QtBot,
    gray_file: Path,
    slow: SlowReader,
    newer: str,
) -> None:
    panel.open_files("z", [gray_file])
    qtbot.waitUntil(lambda: slow.begun == ["gray.tif"])
    other = phases_image(96, 128).values
    if newer == "file":
        path = gray_file.with_name("other.npy")
        np.save(path, other)
        slow.event("other.npy").set()
        images = images_after(panel, qtbot, lambda: panel.open_files("z", [path]))
    elif newer == "layer":
        viewer.add_labels(other)
        images = images_after(panel, qtbot, panel.use_selected_layers)
    else:
        images = images_after(panel, qtbot, panel.slots.single.clear_button.click)
    slow.event("gray.tif").set()
    qtbot.wait(300)
    assert "gray.tif" not in [layer.name for layer in viewer.layers]
    assert panel.images() is images
    assert (images is None) == (newer == "clear")


def test_a_failed_read_keeps_the_image_before(
    panel: MicrographPanel, qtbot: QtBot, gray_file: Path
) -> None:
    images_after(panel, qtbot, lambda: panel.open_files("z", [gray_file]))
    with qtbot.waitSignal(panel.failed, timeout=20_000):
        panel.open_files("z", [gray_file.with_name("missing.tif")])
    qtbot.waitUntil(lambda: panel.images() is not None, timeout=20_000)
    assert content_of(panel) == "gray.tif: 96 x 128 pixels"
    assert "missing.tif" in panel.message.text()


def test_closing_while_a_file_is_read(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot, gray_file: Path, slow: SlowReader
) -> None:
    panel.open_files("z", [gray_file])
    qtbot.waitUntil(lambda: slow.begun == ["gray.tif"])
    panel.end_work()
    slow.event("gray.tif").set()
    qtbot.wait(300)
    assert len(viewer.layers) == 0
    viewer.open_sample("napari-slicegan", "bentheimer_slice")
    assert panel.slots.value() == {"z": ()}


def test_files_being_read_take_the_slots_in_order(
    panel: MicrographPanel, qtbot: QtBot, tmp_path: Path
) -> None:
    """Slots are given out before anything is read."""
    paths = [tmp_path / f"{name}.npy" for name in ("one", "two", "three")]
    for seed, path in enumerate(paths):
        np.save(path, phases_image(64, 64, seed=seed).values)
    panel.anisotropic.setChecked(True)
    images_after(panel, qtbot, lambda: panel.take_files(paths))
    qtbot.waitUntil(lambda: panel.images() is not None, timeout=20_000)
    names = [s.name for (s,) in panel.slots.value().values()]
    assert names == ["one.npy", "two.npy", "three.npy"]


def test_images_of_one_name_have_phases_of_their_own(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    paths = [tmp_path / folder / "x.npy" for folder in "ab"]
    for number, path in enumerate(paths):
        path.parent.mkdir()
        values = np.rint(100 + 50 * smooth_field(96, 128, seed=number))
        np.save(path, values.astype(np.uint8))
    panel.controls.rows.editors["segmentation"].set_value("otsu")
    images = images_after(panel, qtbot, lambda: panel.open_files("z", paths))
    shown = [layer.data for layer in viewer.layers if PHASES in layer.metadata]
    assert len(shown) == 2
    for layer, image in zip(shown, images, strict=True):
        np.testing.assert_array_equal(layer, image.values)


def test_two_preparations_at_most_run_at_once(
    panel: MicrographPanel,
    qtbot: QtBot,
    gray_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Settings that change faster than a large image is prepared."""
    prepare_images, may_end = image_source.prepare_images, threading.Event()
    sizes: list[int] = []

    def slow(sources: Any, settings: Any, size: int, progress: Any) -> Any:
        sizes.append(size)
        assert may_end.wait(20)
        return prepare_images(sources, settings, size, progress)

    monkeypatch.setattr(panel_module, "prepare_images", slow)
    panel.open_files("z", [gray_file])
    qtbot.waitUntil(lambda: len(sizes) == 1, timeout=20_000)
    panel.set_patch_size(32)
    qtbot.waitUntil(lambda: len(sizes) == 2, timeout=20_000)
    for size in (16, 24):
        panel.set_patch_size(size)
        qtbot.wait(400)
    assert len(sizes) == 2
    images_after(panel, qtbot, may_end.set)
    assert sizes == [64, 32, 24]


def test_former_facts_go_while_an_image_is_prepared(
    panel: MicrographPanel,
    qtbot: QtBot,
    gray_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images_after(panel, qtbot, lambda: panel.open_files("z", [gray_file]))
    prepare_images, may_end = image_source.prepare_images, threading.Event()

    def slow(*args: Any, **options: Any) -> image_source.PreparedImages:
        assert may_end.wait(20)
        return prepare_images(*args, **options)

    monkeypatch.setattr(panel_module, "prepare_images", slow)
    panel.set_patch_size(32)
    kind, size = (
        panel.findChild(QLabel, name) for name in ("image_kind", "image_size")
    )
    assert kind is not None
    assert size is not None
    assert "96 x 128" in size.text()
    qtbot.waitUntil(lambda: kind.text() == "Preparing the image ...", timeout=20_000)
    assert size.text() == "-"
    images_after(panel, qtbot, may_end.set)
    assert "96 x 128" in size.text()


def test_the_advised_rescale_factor_is_set_by_a_button(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    # Interfaces 399 / 9 pixels apart; two patches of 64 fit at 0.32 and more.
    stripes = np.tile(np.arange(400) // 40 % 2, (400, 1)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "stripes.tif", stripes)
    images_after(
        panel, qtbot, lambda: panel.open_files("z", [tmp_path / "stripes.tif"])
    )
    apply = panel.facts.apply_rescale
    assert not apply.isHidden()
    assert apply.text() == "Apply rescale factor 0.35"
    images = images_after(panel, qtbot, apply.click)
    assert panel.value().rescale == 0.35
    assert images.views["z"][0].values.shape == (140, 140)
    assert apply.isHidden()
    # Without a pixel size a scale bar would say nothing.
    assert not scale_bar_of(viewer).visible


def test_the_scale_bar_is_shown_for_the_first_image_of_known_size(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot, gray_file: Path
) -> None:
    images_after(panel, qtbot, lambda: panel.open_files("z", [gray_file]))
    assert scale_bar_of(viewer).visible
    scale_bar_of(viewer).visible = False
    images_after(panel, qtbot, lambda: panel.open_files("z", [gray_file]))
    assert not scale_bar_of(viewer).visible
