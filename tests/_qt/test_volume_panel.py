from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from napari_slicegan._qt.generation_form import GenerationForm, GenerationRequest
from napari_slicegan._qt.volume_panel import VolumePanel

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt


@pytest.fixture
def viewer(make_napari_viewer_proxy: Any) -> Any:
    return make_napari_viewer_proxy()


@pytest.fixture
def panel(viewer: Any) -> VolumePanel:
    made = VolumePanel(viewer)
    viewer.window.add_dock_widget(made)
    return made


def test_the_form_gives_back_what_it_was_set_to(qtbot: QtBot) -> None:
    form = GenerationForm()
    qtbot.addWidget(form)
    request = GenerationRequest((64, 32, 96), "zx", 17)
    form.set_generator(5.0, 8)
    form.set_value(request)
    assert form.value() == request


def test_lengths_follow_voxels_and_voxels_lengths(qtbot: QtBot) -> None:
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
