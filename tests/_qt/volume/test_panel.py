from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QScrollArea

from napari_slicegan._qt.viewer.layer_picture import WHOLE_VOLUME
from napari_slicegan._qt.volume import forms
from napari_slicegan._qt.volume.forms import (
    MAX_VOXELS,
    GenerationForm,
    GenerationRequest,
)
from napari_slicegan._qt.volume.panel import VolumePanel
from tests.toys import TOY_LABELS

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt


@pytest.fixture
def panel(viewer: Any) -> VolumePanel:
    made = VolumePanel(viewer)
    viewer.window.add_dock_widget(made)
    return made


def test_form_round_trip(qtbot: QtBot) -> None:
    form = GenerationForm()
    qtbot.addWidget(form)
    assert form.value() == GenerationRequest()
    request = GenerationRequest((64, 32, 96), "zx", 17, endless=True)
    form.set_generator(5.0, 8)
    form.set_value(request)
    assert form.value() == request


def test_the_amount_is_shown_in_words(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "available_memory", lambda: 16e9)
    form = GenerationForm()
    qtbot.addWidget(form)
    said = []
    for edge in (48, 128, 4096, 10_000):
        form.set_value(GenerationRequest((edge,) * 3))
        said.append(form.amount.text())
    too_much = ", more than the free memory"
    assert said == [
        "110,592 voxels",
        "2.1 million voxels",
        f"68.7 billion voxels{too_much}",
        f"1e+12 voxels{too_much}",
    ]
    # 8e9 voxels take 8 GB, in colour 24 GB.
    form.set_value(GenerationRequest((2000,) * 3))
    assert form.amount.text() == "8 billion voxels"
    form.set_generator(None, 8, voxel_bytes=3)
    assert form.amount.text() == f"8 billion voxels{too_much}"
    form.endless.setChecked(True)
    assert form.amount.text() == "8 billion voxels"


def test_lengths_and_voxels_are_kept_in_step(qtbot: QtBot) -> None:
    form = GenerationForm()
    qtbot.addWidget(form)
    form.set_generator(5.0, 8)
    form.voxels["z"].setValue(40)
    assert form.lengths["z"].value() == 200.0  # 40 voxels of 5 nm
    form.lengths["x"].setValue(303)
    form.lengths["x"].editingFinished.emit()
    assert form.value().size[2] == 61  # 60.6 voxels
    form.periodic["x"].setChecked(True)
    assert form.value().size[2] == 64  # whole periods of 8


def test_the_dice_changes_the_seed(qtbot: QtBot) -> None:
    form = GenerationForm()
    qtbot.addWidget(form)
    seeds = set()
    for _ in range(3):
        form.seed.dice.click()
        seeds.add(form.value().seed)
    assert len(seeds) == 3


def test_an_endless_volume_is_shown_at_once(
    qtbot: QtBot, make_napari_viewer_proxy: Any, toy_run: Path
) -> None:
    """4096 voxels per axis: a slice of it in the canvas, next to nothing generated."""
    # The canvas requests tiles when it is drawn.
    viewer = make_napari_viewer_proxy(show=True)
    panel = VolumePanel(viewer)
    viewer.window.add_dock_widget(panel)
    panel.set_run(toy_run)
    qtbot.waitUntil(lambda: panel.generate_button.isEnabled(), timeout=60_000)
    panel.set_value(GenerationRequest((4096,) * 3, seed=3, endless=True))
    panel.generate()
    qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=60_000)
    layer = viewer.layers[0]
    assert layer.name.startswith(
        f"{toy_run.name}: Endless 4096 x 4096 x 4096, seed 3, step "
    )
    volume = layer.metadata[WHOLE_VOLUME].source
    assert volume.shape == (4096,) * 3
    assert [level.shape[0] for level in layer.data] == [4096, 2048, 1024, 512, 256]
    # The canvas shows the middle at full resolution.
    qtbot.waitUntil(lambda: layer.data_level == 0, timeout=60_000)
    qtbot.waitUntil(lambda: bool(volume.kept()), timeout=60_000)
    assert sum(piece.nbytes for _, piece in volume.kept()) < 2**26
    # It exists only in parts, so it cannot be saved.
    assert not panel.save_button.isEnabled()


def test_a_number_that_is_too_large_becomes_the_largest(qtbot: QtBot) -> None:
    """And not one with a digit less."""
    form = GenerationForm()
    qtbot.addWidget(form)
    box = form.voxels["z"]
    box.selectAll()
    QTest.keyClicks(box, "20000")
    assert box.text() == "20000"
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert form.value().size[0] == MAX_VOXELS


def test_the_time_is_shown_before_generate(
    qtbot: QtBot, make_napari_viewer_proxy: Any, toy_run: Path
) -> None:
    viewer = make_napari_viewer_proxy(show=True)
    panel = VolumePanel(viewer)
    viewer.window.add_dock_widget(panel)
    line = panel.forecast.line
    panel.set_run(toy_run)
    qtbot.waitUntil(lambda: "on this machine" in line.text(), timeout=60_000)
    panel.set_value(GenerationRequest((MAX_VOXELS,) * 3))
    qtbot.waitUntil(
        lambda: re.search("About .* (h|days) on", line.text()) is not None,
        timeout=60_000,
    )
    assert "4,398 GB of it for the volume" in line.text()
    assert "coarser in 3-D" in line.text()
    # Shown at once.
    panel.form.endless.setChecked(True)
    assert line.text() == ""
    # An image is fitted before.
    viewer.add_labels(np.resize(TOY_LABELS, (8, 8)))
    panel.through.active.setChecked(True)
    qtbot.waitUntil(
        lambda: (
            re.fullmatch("About .* to fit the image; .* of memory.", line.text())
            is not None
        ),
        timeout=60_000,
    )
    panel.form.endless.setChecked(False)
    qtbot.waitUntil(
        lambda: "of memory, to fit the image)" in line.text(), timeout=60_000
    )


def test_a_volume_larger_than_the_memory_is_refused(
    panel: VolumePanel, qtbot: QtBot, toy_run: Path
) -> None:
    panel.set_run(toy_run)
    qtbot.waitUntil(lambda: panel.generate_button.isEnabled(), timeout=60_000)
    panel.set_value(GenerationRequest((16_000,) * 3))
    with qtbot.waitSignal(panel.failed, timeout=60_000) as failed:
        panel.generate()
    assert "Expected a volume that fits into the free memory" in failed.args[0]
    # In sight wherever the panel is scrolled to.
    (area,) = (x for x in panel.findChildren(QScrollArea) if x.isAncestorOf(panel.box))
    assert not area.isAncestorOf(panel.message)
