"""Orthogonal slices of a 3-D layer in the real viewer."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLabel, QScrollArea, QWidget

from napari_slicegan._qt.viewer import layer_picture, layers
from napari_slicegan._qt.viewer.canvas_view import camera_of
from napari_slicegan._qt.viewer.layer_picture import picture_of
from napari_slicegan._qt.volume import orthogonal_panel
from napari_slicegan._qt.volume.orthogonal_panel import OrthogonalPanel
from napari_slicegan._qt.widgets.basics import content_above
from napari_slicegan.directions import Sweep
from napari_slicegan.generation.sheet import Sheet
from napari_slicegan.volumes.volume import Volume
from tests.toys import PIXEL_SIZE_NM, TOY_LABELS, phases_image

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt


@pytest.fixture
def panel(viewer: Any) -> OrthogonalPanel:
    made = OrthogonalPanel(viewer)
    viewer.window.add_dock_widget(made)
    return made


def toy_volume(shape: tuple[int, int, int] = (10, 12, 14), seed: int = 0) -> Volume:
    return Volume(phases_image(*shape, seed=seed).values, "phases", PIXEL_SIZE_NM)


def visible(viewer: Any) -> set[str]:
    return {layer.name for layer in viewer.layers if layer.visible}


PLANES = {f"Plane along {axis}" for axis in "zyx"}


def test_a_click_moves_all_planes(
    panel: OrthogonalPanel, viewer: Any, qtbot: QtBot
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
    views = panel.views
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


def test_the_views_stay_in_sight_when_something_above_grows(
    viewer: Any, qtbot: QtBot
) -> None:
    """Such as the estimate of the time; not once the user has scrolled."""
    panel, above, whole = OrthogonalPanel(viewer), QLabel(), QWidget()
    qtbot.addWidget(whole)
    content = content_above(whole)
    content.addWidget(above)
    content.addWidget(panel)
    whole.resize(400, 250)
    whole.show()
    layers.add_volume(viewer, toy_volume())
    panel.show_slices()
    places = panel.views.places["z"]
    qtbot.waitUntil(lambda: not places.visibleRegion().isEmpty())
    for height in (150, 300):
        above.setFixedHeight(height)
        qtbot.waitUntil(lambda: panel.y() > height)  # noqa: B023 called at once
        qtbot.waitUntil(lambda: not places.visibleRegion().isEmpty())
    area = whole.findChild(QScrollArea)
    assert area is not None
    area.verticalScrollBar().setValue(0)
    above.setFixedHeight(450)
    qtbot.waitUntil(lambda: panel.y() > 450)
    qtbot.wait(20)
    assert area.verticalScrollBar().value() == 0
    panel.end_work()


def test_arrow_keys_move_the_planes(panel: OrthogonalPanel, viewer: Any) -> None:
    layers.add_volume(viewer, toy_volume())
    panel.show_slices()
    views = panel.views
    views.set_value((3, 4, 0))
    # Rows are z, columns x; nothing lies before the first column.
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Left):
        QTest.keyClick(views.views["y"], key)
    assert views.value() == (4, 4, 0)
    QTest.keyClick(views.views["z"], Qt.Key.Key_Right)
    assert views.value() == (4, 4, 1)


def test_surface_and_whole_volume(panel: OrthogonalPanel, viewer: Any) -> None:
    volume = toy_volume()
    layers.add_volume(viewer, volume)
    panel.show_slices()
    assert visible(viewer) == PLANES
    panel.mode.setCurrentText("Surface")
    name = f"Surface of phase {TOY_LABELS[1]}"
    assert visible(viewer) == {name}
    surface = viewer.layers[name]
    np.testing.assert_array_equal(surface.data, volume.values == TOY_LABELS[1])
    panel.mode.setCurrentText("Full volume")
    assert visible(viewer) == {"Whole volume"}
    panel.mode.setCurrentText("Slices")
    assert visible(viewer) == PLANES
    # Layers that show a volume are none to choose.
    assert panel.layer_choice.count() == 1
    panel.remove_slices()
    assert [layer.name for layer in viewer.layers] == ["Volume"]
    assert visible(viewer) == {"Volume"}


def test_sliders_of_the_viewer_are_named_after_their_axes(
    panel: OrthogonalPanel, viewer: Any
) -> None:
    """Of slices of a person's own layer, and of each layer that is added here."""
    own = viewer.add_image(toy_volume().values, name="own")
    assert viewer.dims.axis_labels == ("-3", "-2", "-1")
    panel.show_slices(own)
    assert viewer.dims.axis_labels == ("z", "y", "x")
    panel.remove_slices()
    viewer.layers.clear()
    layers.add_volume(viewer, toy_volume())
    assert viewer.dims.axis_labels == ("z", "y", "x")
    values = np.stack([toy_volume().values] * 2)
    layers.add_sweep(viewer, Sweep("one", (0.0, 1.0), values, {}, 1.0), toy_volume())
    assert viewer.dims.axis_labels == ("strength", "z", "y", "x")


def test_the_viewer_is_as_before_when_slices_are_left(
    panel: OrthogonalPanel, viewer: Any
) -> None:
    viewer.add_image(np.eye(50), name="micrograph")
    viewer.add_image(np.eye(50), name="off", visible=False)
    layers.add_volume(viewer, toy_volume())
    camera = camera_of(viewer)
    camera.zoom, camera.center = 3.0, (0, 20, 30)
    viewer.dims.set_point(0, 4 * PIXEL_SIZE_NM)
    before = visible(viewer), camera.zoom, camera.center, viewer.dims.point
    panel.show_slices()
    assert viewer.dims.ndisplay == 3
    assert visible(viewer) == PLANES
    panel.remove_slices()
    assert viewer.dims.ndisplay == 2
    assert (visible(viewer), camera.zoom, camera.center, viewer.dims.point) == before


def test_the_camera_shows_the_volume_as_large_as_it_fits(
    panel: OrthogonalPanel, viewer: Any
) -> None:
    # Wider than a 3-D texture may be; napari would warn if it were shown in 3-D.
    viewer.add_image(np.eye(2100), name="large micrograph")
    viewer.add_image(np.random.default_rng(0).random((20, 20, 20)), name="cube")
    panel.show_slices()
    camera = camera_of(viewer)
    # A cube of 20 is at least 20 and at most 20 * sqrt(3) wide, from wherever seen.
    edge = min(viewer.canvas.size)
    assert 20 < 0.92 * edge / camera.zoom < 20 * 3**0.5
    assert camera.center == (9.5, 9.5, 9.5)
    panel.remove_slices()
    assert visible(viewer) == {"large micrograph", "cube"}


def test_another_volume_takes_the_place_of_the_first(
    panel: OrthogonalPanel, viewer: Any
) -> None:
    viewer.add_image(np.eye(50), name="micrograph")
    first = layers.add_volume(viewer, toy_volume(), "first")
    panel.show_slices(first)
    camera = camera_of(viewer)
    camera.angles = (10, 20, 30)
    angles = camera.angles
    second = layers.add_volume(viewer, toy_volume((8, 9, 10)), "second")
    panel.show_slices(second)
    assert len(viewer.layers) == 6
    assert visible(viewer) == PLANES
    assert panel.views.value() == (4, 4, 5)
    assert camera.angles == angles
    panel.remove_slices()
    assert visible(viewer) == {"micrograph", "second", "first"}


def test_slices_follow_new_values(panel: OrthogonalPanel, viewer: Any) -> None:
    """The preview of a run grows in the planes too."""
    layers.add_or_update_preview(viewer, toy_volume())
    panel.show_slices()
    panel.views.set_value((3, 4, 5))
    panel.mode.setCurrentText("Surface")
    panel.mode.setCurrentText("Slices")
    other = toy_volume(seed=1)
    layers.add_or_update_preview(viewer, other)
    inside = other.values == TOY_LABELS[1]
    for name in PLANES:
        np.testing.assert_array_equal(viewer.layers[name].data, inside)
    assert panel.views.value() == (3, 4, 5)
    assert visible(viewer) == PLANES
    panel.mode.setCurrentText("Surface")
    surface = viewer.layers[f"Surface of phase {TOY_LABELS[1]}"]
    np.testing.assert_array_equal(surface.data, inside)


def test_slices_go_with_their_layer(panel: OrthogonalPanel, viewer: Any) -> None:
    layers.add_volume(viewer, toy_volume())
    panel.show_slices()
    viewer.layers.remove("Volume")
    assert len(viewer.layers) == 0
    assert panel.layer_choice.count() == 0


def test_a_large_volume_is_read_in_a_worker_thread(
    panel: OrthogonalPanel,
    viewer: Any,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go, threads = threading.Event(), []

    def slow_read(reading: Any) -> Any:
        threads.append(threading.current_thread())
        assert go.wait(60)
        return layer_picture.read(reading)

    monkeypatch.setattr(layer_picture, "LONG_VOXELS", 100)
    monkeypatch.setattr(orthogonal_panel, "read", slow_read)
    layer = layers.add_volume(viewer, toy_volume())
    panel.show_slices()
    qtbot.waitUntil(lambda: bool(threads), timeout=60_000)
    assert visible(viewer) == {"Volume"}
    # What is shown in the end are the values that the layer has then.
    other = toy_volume(seed=1)
    layer.data = other.values
    go.set()
    qtbot.waitUntil(lambda: visible(viewer) == PLANES, timeout=60_000)
    inside = other.values == TOY_LABELS[1]
    np.testing.assert_array_equal(viewer.layers["Plane along z"].data, inside)
    assert threading.main_thread() not in threads
    # It is given up when the layer goes.
    go.clear()
    layer.data = toy_volume().values
    viewer.layers.remove("Volume")
    go.set()
    qtbot.waitUntil(lambda: not panel.task.is_busy, timeout=60_000)
    assert len(viewer.layers) == 0


LAYERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "gray": (np.linspace(0, 1, 60).reshape(3, 4, 5), {}),
    "colour": (np.full((3, 4, 5, 3), 9, np.uint8), {"rgb": True}),
    "turned": (np.ones((3, 4, 5)), {"rotate": (0, 0, 30), "translate": (1, 2, 3)}),
}


@pytest.mark.parametrize("name", LAYERS)
def test_any_volume_layer(name: str, panel: OrthogonalPanel, viewer: Any) -> None:
    values, options = LAYERS[name]
    viewer.add_image(values, **options)
    panel.show_slices()
    assert panel.views.value() == (1, 2, 2)
    plane, source = viewer.layers["Plane along z"], viewer.layers[0]
    world = [layer.data_to_world((1, 2, 3)) for layer in (plane, source)]
    np.testing.assert_allclose(*world)
    for mode in ("Surface", "Full volume", "Slices"):
        panel.mode.setCurrentText(mode)
        assert len(visible(viewer)) == (3 if mode == "Slices" else 1)


def test_many_objects_have_a_surface(panel: OrthogonalPanel, viewer: Any) -> None:
    objects = np.arange(4 * 5 * 6).reshape(4, 5, 6)
    viewer.add_labels(objects)
    panel.show_slices()
    panel.mode.setCurrentText("Surface")
    # Neighbouring numbers differ; the background stays 0.
    shown = viewer.layers["Surface"].data
    np.testing.assert_array_equal(shown == 0, objects == 0)


def test_planes_have_the_colours_of_the_voxels(
    panel: OrthogonalPanel, viewer: Any
) -> None:
    rgb = np.zeros((3, 4, 5, 3), np.uint8)
    rgb[..., 0], rgb[:, :2, :, 1] = 250, 120
    viewer.add_image(rgb, rgb=True)
    panel.show_slices()
    plane = viewer.layers["Plane along y"]
    low, high = plane.contrast_limits
    shown = plane.colormap.map((plane.data - low) / (high - low))[..., :3]
    np.testing.assert_allclose(255 * shown.reshape(rgb.shape), rgb, atol=8)


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


def test_the_preview_is_alone_until_it_goes(viewer: Any) -> None:
    """A layer of the user that has its name is left alone."""
    viewer.add_image(np.eye(50), name="micrograph")
    viewer.add_image(np.eye(50), name="Preview", visible=False)
    preview = layers.add_or_update_preview(viewer, toy_volume())
    assert visible(viewer) == {preview.name}
    assert viewer.dims.ndisplay == 3
    viewer.layers["micrograph"].visible = True
    layer = layers.add_or_update_preview(viewer, toy_volume(seed=1))
    assert layer is preview
    assert visible(viewer) == {preview.name, "micrograph"}
    np.testing.assert_array_equal(layer.data, toy_volume(seed=1).values)
    viewer.layers["micrograph"].visible = False
    viewer.layers.remove(preview)
    assert visible(viewer) == {"micrograph"}
    assert viewer.dims.ndisplay == 2


def test_layers_of_the_user_are_hidden_only_while_a_generated_one_is_alone(
    viewer: Any,
) -> None:
    """A graded volume is shown in 3-D; images of a generator in 2-D."""
    viewer.add_image(np.eye(50), name="micrograph")
    viewer.add_image(toy_volume().values, name="own volume")
    before = {"micrograph", "own volume"}
    assert viewer.dims.ndisplay == 2
    graded = layers.add_graded(viewer, toy_volume())
    assert (visible(viewer), viewer.dims.ndisplay) == ({graded.name}, 3)
    viewer.layers.remove(graded)
    assert (visible(viewer), viewer.dims.ndisplay) == (before, 2)
    values = np.stack([toy_volume().values] * 2)
    sweep = Sweep("one", (0.0, 1.0), values, {}, 1.0)
    swept = layers.add_sweep(viewer, sweep, toy_volume())
    assert (visible(viewer), viewer.dims.ndisplay) == ({swept.name}, 2)
    viewer.layers.remove(swept)
    assert visible(viewer) == before
    sheet = Sheet(np.zeros((5, 16, 16), np.uint8), 0, 255)
    samples = layers.add_samples(viewer, sheet, "samples", as_sheet=False)
    assert (visible(viewer), viewer.dims.ndisplay) == ({"samples"}, 2)
    viewer.layers.remove(samples)
    assert visible(viewer) == before


def test_the_preview_is_a_block_in_the_colours_of_the_phases(viewer: Any) -> None:
    """Napari would leave out the voxels of a Labels layer whose label is 0."""
    volume = Volume(np.indices((4, 4, 4))[0] // 2 * 255, "phases", 1.0)
    layer = layers.add_or_update_preview(viewer, volume)
    low, high = layer.contrast_limits
    colours = layer.colormap.map((volume.labels - np.array(low)) / (high - low))
    np.testing.assert_allclose(
        colours, [(0.267, 0.005, 0.329, 1), (0.993, 0.906, 0.144, 1)], atol=1e-3
    )
    assert layer.rendering == "translucent"
