"""The Micrograph panel with a real viewer; the proxy refuses it to other threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari_slicegan.sample_data import path as sample_path

from napari_slicegan._qt.micrograph import image_source
from napari_slicegan._qt.micrograph.panel import MicrographPanel
from napari_slicegan._qt.viewer.layer_inputs import CROP
from tests.toys import phases_image, smooth_field

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_slicegan.data.training_images import TrainingImages

pytestmark = pytest.mark.qt

GRAY_SIZE_NM = 4.0


@pytest.fixture
def panel(viewer: Any, qtbot: QtBot) -> MicrographPanel:
    panel = MicrographPanel(viewer)
    qtbot.addWidget(panel)
    return panel


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
    assert CROP not in viewer.layers


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

    def first_fails(*args: Any) -> image_source.PreparedImages:
        calls.append(args)
        if len(calls) > 1:
            return prepare_images(*args)
        assert late.wait(20)
        ended.set()
        raise RuntimeError("slow and wrong")

    monkeypatch.setattr(image_source, "prepare_images", first_fails)
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
