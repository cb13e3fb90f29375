"""Inputs and read-outs of the Micrograph panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLabel

from napari_slicegan._qt.micrograph.controls import (
    PixelSizeEditor,
    SegmentationControls,
)
from napari_slicegan._qt.micrograph.image_facts import ImageFacts
from napari_slicegan._qt.micrograph.image_source import prepare_images
from napari_slicegan.config import MicrographSettings
from napari_slicegan.data.image_files import SourceImage
from tests.toys import TOY_LABELS, phases_image

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot
    from qtpy.QtWidgets import QWidget

pytestmark = pytest.mark.qt


@pytest.fixture
def size(qtbot: QtBot) -> PixelSizeEditor:
    editor = PixelSizeEditor()
    qtbot.addWidget(editor)
    return editor


@pytest.fixture
def controls(qtbot: QtBot) -> SegmentationControls:
    controls = SegmentationControls()
    qtbot.addWidget(controls)
    return controls


@pytest.fixture
def facts(qtbot: QtBot) -> ImageFacts:
    facts = ImageFacts()
    qtbot.addWidget(facts)
    return facts


def text_of(widget: QWidget, name: str) -> str:
    label = widget.findChild(QLabel, name)
    assert label is not None
    return str(label.text())


def test_found_size_is_shown_but_not_typed(size: PixelSizeEditor) -> None:
    size.set_found(1500.0)
    assert (size.box.value(), size.unit.currentText()) == (1.5, "µm")
    assert size.origin.text() == "from the file"
    size.unit.setCurrentText("nm")
    assert size.box.value() == 1500
    assert size.value() is None


def test_typed_size_counts_in_its_unit(size: PixelSizeEditor, qtbot: QtBot) -> None:
    size.unit.setCurrentText("µm")
    with qtbot.waitSignal(size.value_changed):
        size.box.setValue(0.25)
    # 0.25 µm = 250 nm
    assert size.value() == pytest.approx(250)
    size.set_found(100.0)
    assert size.value() == pytest.approx(250)


def test_zero_returns_to_the_file(size: PixelSizeEditor) -> None:
    size.set_found(100.0)
    size.box.setValue(20)
    assert size.origin.text() == "typed"
    size.box.setValue(0)
    assert size.value() is None
    assert size.box.value() == 100
    # So does an empty text.
    size.box.setValue(20)
    size.box.selectAll()
    QTest.keyClick(size.box, Qt.Key.Key_Delete)
    QTest.keyClick(size.box, Qt.Key.Key_Return)
    assert size.value() is None


def test_controls_round_trip(controls: SegmentationControls) -> None:
    for settings in (
        MicrographSettings(segmentation="thresholds", thresholds=(80.5, 120.0)),
        MicrographSettings(segmentation="multi-otsu", n_phases=4, crop=(0, 9, 2, 30)),
    ):
        controls.set_value(settings)
        assert controls.value() == settings


def test_irrelevant_settings_are_hidden(controls: SegmentationControls) -> None:
    rows = controls.rows.editors
    assert rows["n_phases"].isHidden()
    rows["segmentation"].set_value("multi-otsu")
    assert not rows["n_phases"].isHidden()
    assert rows["thresholds"].isHidden()


def test_invalid_thresholds_are_reported_in_place(
    controls: SegmentationControls, qtbot: QtBot
) -> None:
    controls.rows.editors["segmentation"].set_value("thresholds")
    controls.rows.editors["thresholds"].main.setText("dark")  # type: ignore[attr-defined]
    # Whatever was made with the former value is outdated.
    with qtbot.waitSignal(controls.value_changed):
        controls.rows.editors["thresholds"].value_changed.emit()
    assert "'Thresholds'" in controls.rows.message.text()
    line = controls.rows.editors["thresholds"].main
    assert "border" in line.styleSheet()
    # Corrected while it is typed.
    line.clear()  # type: ignore[attr-defined]
    with qtbot.waitSignal(controls.value_changed):
        QTest.keyClicks(line, "100")
    assert controls.rows.message.text() == line.styleSheet() == ""


def test_crop_and_whole_image(controls: SegmentationControls, qtbot: QtBot) -> None:
    with qtbot.waitSignal(controls.value_changed):
        controls.set_crop((1, 20, 3, 40))
    assert text_of(controls, "crop_text") == "Used: rows 1 to 20, columns 3 to 40"
    with qtbot.waitSignal(controls.value_changed):
        controls.uncrop_button.click()
    assert controls.value().crop is None


def test_facts_of_an_image(facts: ImageFacts) -> None:
    image = phases_image(48, 64)
    source = SourceImage(image.values, "toy", (5.0, 5.0))
    facts.show_facts(prepare_images({"z": (source,)}, MicrographSettings(), 16))
    # 48 pixels of 5 nm are 240 nm, 64 are 320 nm.
    assert text_of(facts, "image_size") == "48 x 64 pixels, 240 x 320 nm"
    assert text_of(facts, "image_kind") == "2 phases (2 distinct values)"
    assert facts.pixel_size.box.value() == 5
    share = image.phase_fractions()[TOY_LABELS[1]]
    shown = text_of(facts, f"fraction_{TOY_LABELS[1]}_0")
    assert shown.startswith(f"{share:.3f} ± 0.")


def test_the_size_after_rescaling_names_the_pixels(facts: ImageFacts) -> None:
    source = SourceImage(phases_image(48, 64).values, "toy", (5.0, 5.0))
    settings = MicrographSettings(rescale=0.5)
    facts.show_facts(prepare_images({"z": (source,)}, settings, 16))
    # 24 pixels of 10 nm are 240 nm.
    size = "24 x 32 pixels, 240 x 320 nm (rescaled, pixels of 10 nm)"
    assert text_of(facts, "image_size") == size


def test_facts_are_cleared(facts: ImageFacts) -> None:
    source = SourceImage(phases_image(48, 64).values, "toy", (5.0, 5.0))
    facts.show_facts(prepare_images({"z": (source,)}, MicrographSettings(), 64))
    assert "at least 64 x 64" in facts.warnings.text()
    facts.show_facts(None)
    assert text_of(facts, "image_size") == "-"
    assert facts.warnings.text() == ""
    assert facts.pixel_size.value() is None


def test_size_of_a_stack_whose_planes_are_far_apart(facts: ImageFacts) -> None:
    values = np.stack([phases_image(48, 64).values] * 8)
    source = SourceImage(values, "stack", (5.0, 5.0, 50.0), axes="ZYX")
    facts.show_facts(prepare_images({"z": (source,)}, MicrographSettings(), 16))
    # 8 planes of 50 nm.
    assert text_of(facts, "image_size") == "8 x 48 x 64 pixels, 400 x 240 x 320 nm"


def test_distance_of_planes_is_that_of_the_file_until_it_is_set(
    controls: SegmentationControls,
) -> None:
    distance = controls.plane_distance
    cube = np.zeros((8, 20, 20))
    assert distance.main.text() == "not known"  # type: ignore[attr-defined]
    controls.offer({"z": (SourceImage(cube, "cube", (5.0, 5.0, 50.0)),)})
    assert not distance.isHidden()
    # The unit stands beside the number, as in the row of the pixel size.
    assert distance.main.text() == "50 nm"  # type: ignore[attr-defined]
    assert controls.value().z_step_nm is None
    distance.tick.setChecked(True)
    assert controls.value().z_step_nm == 50


@pytest.mark.parametrize(
    ("name", "value", "former"),
    [
        ("channel", "red", SourceImage(np.zeros((20, 20, 3)), "rgb", axes="YXS")),
        ("dataset", "b", SourceImage(np.eye(20), "two", datasets=("a", "b"))),
        ("z_step_nm", 50, SourceImage(np.zeros((8, 20, 20)), "cube", (5.0, 5.0))),
    ],
)
def test_a_setting_that_the_next_image_lacks_is_reset(
    controls: SegmentationControls, name: str, value: object, former: SourceImage
) -> None:
    """A hidden input must not refuse images."""
    controls.offer({"z": (former,)})
    controls.rows.editors[name].set_value(value)
    assert getattr(controls.value(), name) == value
    controls.offer({"z": (SourceImage(np.eye(20), "gray"),)})
    assert controls.rows.editors[name].isHidden()
    assert controls.value() == MicrographSettings()


def test_what_applies_to_phases_only_is_not_offered_without_them(
    controls: SegmentationControls, qtbot: QtBot
) -> None:
    """Gray values that are learned as they are have no objects to remove."""
    rows = controls.rows.editors
    object_size, hole_size = rows["smallest_object"], rows["smallest_hole"]
    object_size.set_value(5)
    assert controls.value().smallest_object == 5
    # The image was found to hold gray values: it is prepared again, without them.
    with qtbot.waitSignal(controls.value_changed):
        controls.set_found("grayscale")
    for editor in (object_size, hole_size):
        assert editor.isHidden()
    assert not controls.preview.isEnabled()
    assert "Segmentation" in controls.preview.toolTip()
    assert controls.value() == MicrographSettings()
    rows["segmentation"].set_value("otsu")
    rows["segmentation"].value_changed.emit()
    assert not object_size.isHidden()
    assert controls.preview.isEnabled()
    assert controls.value().smallest_object == 5
    controls.set_value(MicrographSettings(kind="phases"))
    assert not object_size.isHidden()
    controls.set_value(MicrographSettings(kind="colour"))
    assert object_size.isHidden()
