from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt

from napari_slicegan._qt import layers
from napari_slicegan._qt.generation_form import GenerationForm, GenerationRequest
from napari_slicegan._qt.layer_picture import picture_of
from napari_slicegan._qt.volume_panel import VolumePanel
from napari_slicegan.volume import Volume
from tests.toys import PIXEL_SIZE_NM, TOY_LABELS, phases_image

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


def toy_volume(shape: tuple[int, int, int] = (10, 12, 14)) -> Volume:
    return Volume(phases_image(*shape).values, "phases", PIXEL_SIZE_NM)


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
        form.dice.click()
        seeds.add(form.value().seed)
    assert len(seeds) == 3


def test_a_click_moves_all_planes(
    panel: VolumePanel, viewer: Any, qtbot: QtBot
) -> None:
    layers.add_volume(viewer, toy_volume())
    panel.show_slices()
    planes = [viewer.layers[f"Plane along {axis}"] for axis in "zyx"]
    assert all(plane.depiction == "plane" for plane in planes)
    assert [tuple(np.abs(plane.plane.normal)) for plane in planes] == [
        (1, 0, 0),
        (0, 1, 0),
        (0, 0, 1),
    ]
    views = panel.orthogonal.views
    views.set_value((3, 4, 5))
    view = views.views["y"]
    view.resize(150, 150)
    point = view.point_of(7, 9)  # rows are z, columns x
    qtbot.mouseClick(  # type: ignore[no-untyped-call]
        view, Qt.MouseButton.LeftButton, pos=QPoint(int(point.x()), int(point.y()))
    )
    assert views.value() == (7, 4, 9)
    for plane in planes:
        assert tuple(plane.plane.position) == (7, 4, 9)
    planes[0].plane.position = (2.2, 4, 9)  # dragged in the canvas
    assert views.value() == (2, 4, 9)


def test_surface_and_whole_volume(panel: VolumePanel, viewer: Any) -> None:
    volume = toy_volume()
    source = layers.add_volume(viewer, volume)
    panel.show_slices()
    assert not source.visible
    panel.orthogonal.mode.setCurrentText("Surface")
    surface = viewer.layers[f"Surface of phase {TOY_LABELS[1]}"]
    np.testing.assert_array_equal(surface.data, volume.values == TOY_LABELS[1])
    assert not viewer.layers["Plane along z"].visible
    panel.orthogonal.mode.setCurrentText("Full volume")
    assert source.visible
    panel.orthogonal.remove_slices()
    assert [layer.name for layer in viewer.layers] == ["Volume"]


def test_slices_go_with_their_layer(panel: VolumePanel, viewer: Any) -> None:
    layers.add_volume(viewer, toy_volume())
    panel.show_slices()
    viewer.layers.remove("Volume")
    assert len(viewer.layers) == 0
    assert panel.orthogonal.layer_choice.count() == 0


LAYERS = {
    "gray": (np.linspace(0, 1, 60).reshape(3, 4, 5), {}),
    "colour": (np.full((3, 4, 5, 3), 9, np.uint8), {"rgb": True}),
}


@pytest.mark.parametrize("name", LAYERS)
def test_any_volume_layer(name: str, panel: VolumePanel, viewer: Any) -> None:
    values, options = LAYERS[name]
    viewer.add_image(values, **options)
    panel.show_slices()
    assert panel.orthogonal.views.value() == (1, 2, 2)
    assert "Plane along z" in viewer.layers


def test_planes_have_the_colours_of_the_phases(viewer: Any) -> None:
    volume = toy_volume()
    picture = picture_of(layers.add_volume(viewer, volume))
    assert picture.labels == TOY_LABELS
    shown = picture.plane("x", 3)  # [Z, Y, 3]
    assert shown.shape == (10, 12, 3)
    # viridis begins with dark purple and ends in yellow.
    low = volume.values[:, :, 3] == TOY_LABELS[0]
    assert (shown[low] == (68, 1, 84)).all()
    assert (shown[~low] == (253, 231, 37)).all()
