"""Layers as users have them: moved, turned, edited, in many resolutions or times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari.layers import Image as ImageLayer
from napari.utils import DirectLabelColormap
from napari_slicegan.sample_data import path as sample_path
from PIL import Image
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QLabel

from napari_slicegan._qt.micrograph import image_source
from napari_slicegan._qt.micrograph import panel as panel_module
from napari_slicegan._qt.micrograph.panel import MicrographPanel
from napari_slicegan._qt.viewer import layers
from napari_slicegan._qt.viewer.endless_layer import add_endless
from napari_slicegan._qt.viewer.layer_inputs import (
    CROP,
    draw_strokes,
    edges_nm,
    source_of,
)
from napari_slicegan._qt.viewer.layer_picture import (
    matrix_of,
    phase_colours,
    picture_of,
)
from napari_slicegan._qt.viewer.layers import PHASES
from napari_slicegan.config import MicrographSettings
from napari_slicegan.data.transforms import OneHotPhases
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.generation.lazy import EndlessVolume
from napari_slicegan.volumes.volume import Volume
from tests.toys import phases_image, random_generator, smooth_field

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_slicegan.data.training_images import TrainingImages

pytestmark = pytest.mark.qt

GRAY = np.rint(100 + 50 * smooth_field(96, 128)).astype(np.uint8)
TURNED = {"scale": (0.65, 0.5), "translate": (100, -7), "rotate": 30, "shear": [0.2]}


@pytest.fixture
def panel(viewer: Any, qtbot: QtBot) -> Iterator[MicrographPanel]:
    panel = MicrographPanel(viewer)
    qtbot.addWidget(panel)
    yield panel
    # What is read later must not become a layer of a viewer that is closed.
    panel.end_work()


def images_after(
    panel: MicrographPanel, qtbot: QtBot, act: Callable[[], Any]
) -> TrainingImages:
    """The next images that the panel passes on."""
    found: list[TrainingImages] = []
    panel.images_changed.connect(lambda i, _: found.append(i) if i is not None else 0)
    act()
    qtbot.waitUntil(lambda: bool(found), timeout=20_000)
    return found[0]


def shapes_layer(viewer: Any) -> Any:
    return next(layer for layer in viewer.layers if layer.metadata.get(CROP))


def shown_phases(viewer: Any) -> Any:
    return next(layer for layer in viewer.layers if layer.metadata.get(PHASES))


def phases_of_the_layer(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot, **settings: Any
) -> Any:
    """The layer of phases of the selected layer, segmented by Otsu's threshold."""
    value = panel.value().model_copy(update={"segmentation": "otsu", **settings})

    def act() -> None:
        panel.use_selected_layers()
        panel.set_value(value)

    images_after(panel, qtbot, act)
    qtbot.waitUntil(lambda: any(x.metadata.get(PHASES) for x in viewer.layers))
    return shown_phases(viewer)


@pytest.mark.parametrize("crop", [None, (20, 80, 10, 100)])
@pytest.mark.parametrize("rescale", [1.0, 0.5])
def test_phases_lie_on_their_image(
    panel: MicrographPanel,
    viewer: Any,
    qtbot: QtBot,
    crop: tuple[int, int, int, int] | None,
    rescale: float,
) -> None:
    """Whatever its transform: corners of a pixel of phases are those in the image."""
    image = viewer.add_image(GRAY, name="sem", **TURNED)
    overlay = phases_of_the_layer(panel, viewer, qtbot, crop=crop, rescale=rescale)
    top, _, left, _ = crop or (0, 0, 0, 0)
    for pixel in ((0, 0), (10, 20), (29, 44)):
        corner = [p - 0.5 for p in pixel]
        expected = [top + pixel[0] / rescale - 0.5, left + pixel[1] / rescale - 0.5]
        np.testing.assert_allclose(
            matrix_of(overlay) @ [*corner, 1], matrix_of(image) @ [*expected, 1]
        )


@pytest.mark.parametrize("rescale", [1.0, 0.5])
def test_phases_have_the_pixel_size_of_their_image(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot, rescale: float
) -> None:
    """Measure and "From layer" read it, as do the slices of a volume."""
    viewer.add_image(GRAY, name="sem", scale=(5, 5), units=("nm", "nm"))
    phases = phases_of_the_layer(panel, viewer, qtbot, rescale=rescale)
    edge_nm = 5 / rescale
    assert source_of(phases).edges_nm == pytest.approx((edge_nm,) * 2)


def test_phases_stay_on_their_image_when_a_pixel_size_is_typed(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot
) -> None:
    image = viewer.add_image(GRAY, name="sem", axis_labels=("y", "x"))
    panel.controls.rows.editors["segmentation"].set_value("otsu")
    images_after(panel, qtbot, panel.use_selected_layers)
    size = panel.facts.pixel_size.box
    images = images_after(panel, qtbot, lambda: size.setValue(50))
    assert images.pixel_size_nm == 50
    overlay = next(x for x in viewer.layers if x.metadata.get(PHASES))
    np.testing.assert_allclose(matrix_of(overlay), matrix_of(image))
    assert tuple(overlay.units) == tuple(image.units)
    assert overlay.axis_labels == image.axis_labels == ("y", "x")


def test_a_typed_pixel_size_is_that_of_an_image_opened_here(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    """With its phases and what is drawn on it: units differ in no layer."""
    Image.fromarray(GRAY).save(tmp_path / "sem.png")
    panel.controls.rows.editors["segmentation"].set_value("otsu")
    images_after(panel, qtbot, lambda: panel.open_files("z", [tmp_path / "sem.png"]))
    image = viewer.layers["sem.png"]
    panel.controls.crop_button.click()
    size = panel.facts.pixel_size.box
    images_after(panel, qtbot, lambda: size.setValue(5))
    assert tuple(image.scale) == (5, 5)
    assert layers.scale_bar_of(viewer).visible
    for layer in viewer.layers:
        assert set(map(str, layer.units)) == {"nanometer"}
        np.testing.assert_allclose(matrix_of(layer), matrix_of(image))
    assert len(viewer.layers) == 3
    # That of the file again: there is none.
    images_after(panel, qtbot, lambda: size.setValue(0))
    assert tuple(image.scale) == (1, 1)
    assert {str(unit) for x in viewer.layers for unit in x.units} == {"pixel"}


def test_planes_far_apart_are_used_one_by_one_or_made_cubic(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot
) -> None:
    stack = np.stack([GRAY] * 4)
    viewer.add_image(stack, scale=(50, 10, 10), units=("nm",) * 3)
    images = images_after(panel, qtbot, panel.use_selected_layers)
    image = images.views["z"][0]
    assert (image.pixel_size_nm, image.z_step, len(image.values)) == (10, 5, 4)
    images = images_after(panel, qtbot, panel.anisotropic.click)
    # 4 planes of 50 nm are 20 of 10 nm.
    assert images.views["z"][0].values.shape == (20, *GRAY.shape)


def test_nothing_can_be_drawn_without_an_image(
    panel: MicrographPanel, viewer: Any
) -> None:
    assert not panel.controls.crop_button.isEnabled()
    viewer.add_image(GRAY, name="sem")
    panel.use_selected_layers()
    assert panel.controls.crop_button.isEnabled()
    panel.slots.single.clear_button.click()
    assert not panel.controls.strokes_button.isEnabled()


def test_a_drawn_crop_is_the_region_drawn(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot
) -> None:
    """On a moved multiscale image."""
    viewer.add_image([GRAY, GRAY[::2, ::2]], multiscale=True, translate=(1000, 0))
    images_after(panel, qtbot, panel.use_selected_layers)
    panel.controls.crop_button.click()
    layer = shapes_layer(viewer)
    corners = [layer.world_to_data(p) for p in ((1019.6, 10), (1019.6, 70))]
    corners += [layer.world_to_data(p) for p in ((1079.4, 70), (1079.4, 10))]
    images = images_after(panel, qtbot, lambda: layer.add_rectangles([corners]))
    assert panel.controls.crop() == (20, 79, 10, 70)
    np.testing.assert_array_equal(images.views["z"][0].values, GRAY[20:79, 10:70])


def drag(layer: Any, *points: tuple[float, float]) -> None:
    """A drag of the mouse, as napari passes it on to the functions of a layer."""
    event = SimpleNamespace(type="mouse_press", position=points[0])
    drags = [
        drag for call in layer.mouse_drag_callbacks if (drag := call(layer, event))
    ]
    for kind, position in (("mouse_move", points[-1]), ("mouse_release", points[-1])):
        for each in drags:
            event.type, event.position = kind, position
            next(each, None)


def test_one_rectangle_is_drawn_and_then_moved(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot
) -> None:
    image = viewer.add_image(GRAY, name="sem")
    images_after(panel, qtbot, panel.use_selected_layers)
    panel.controls.crop_button.click()
    assert "Drag a rectangle" in panel.message.text()
    layer = shapes_layer(viewer)
    layer.mouse_drag_callbacks = [*layer.mouse_drag_callbacks[-1:]]
    drag(layer, (5, 5), (60, 70))
    qtbot.waitUntil(lambda: layer.mode == "select")
    images_after(panel, qtbot, lambda: layer.add_rectangles([[[0, 0], [50, 60]]]))
    layer.data = [np.array([[500, 0], [500, 60], [550, 60], [550, 0]])]
    assert "outside" in panel.message.text()
    panel.controls.uncrop_button.click()
    assert viewer.layers.selection.active.name == image.name


def test_a_crop_is_of_the_images_that_it_was_set_for(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot
) -> None:
    """One that is set before there are images is of the first of them."""
    one, two = (viewer.add_image(GRAY, name=name) for name in ("one", "two"))
    panel.controls.set_crop((0, 50, 0, 60))
    viewer.layers.selection = {one}
    images = images_after(panel, qtbot, panel.use_selected_layers)
    assert images.views["z"][0].values.shape == (50, 60)
    viewer.layers.selection = {one, two}
    images = images_after(panel, qtbot, panel.use_selected_layers)
    assert [image.values.shape for image in images] == [(50, 60)] * 2
    images_after(panel, qtbot, lambda: panel.controls.set_crop((0, 40, 0, 60)))
    viewer.layers.selection = {viewer.add_image(GRAY, name="three")}
    images = images_after(panel, qtbot, panel.use_selected_layers)
    assert images.views["z"][0].values.shape == GRAY.shape
    assert panel.controls.crop() is None


def test_a_crop_of_colour_planes_is_the_region_drawn(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot
) -> None:
    """Rows and columns are those of the planes, not columns and channels."""
    viewer.add_image(
        np.stack([np.stack([GRAY, GRAY // 2, 255 - GRAY], -1)] * 9), rgb=True
    )
    images_after(panel, qtbot, panel.use_selected_layers)
    panel.controls.crop_button.click()
    corners = [[20, 10], [20, 70], [79, 70], [79, 10]]
    layer = shapes_layer(viewer)
    images = images_after(panel, qtbot, lambda: layer.add_rectangles([corners]))
    assert panel.controls.crop() == (20, 79, 10, 70)
    assert images.views["z"][0].values.shape == (9, 59, 60, 3)


def test_a_method_that_is_off_keeps_its_inputs(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot
) -> None:
    """They have no part in the settings, and are there when it is chosen again."""
    viewer.add_image(GRAY)
    images_after(panel, qtbot, panel.use_selected_layers)
    rows = panel.controls.rows
    rows.editors["segmentation"].set_value("multi-otsu")
    rows.editors["n_phases"].set_value(2)
    assert panel.value().n_phases == 2
    rows.editors["segmentation"].set_value("none")
    assert panel.value() == MicrographSettings()
    rows.editors["segmentation"].set_value("multi-otsu")
    assert panel.value().n_phases == 2


def test_the_users_own_layers_stay(panel: MicrographPanel, viewer: Any) -> None:
    """Also those that are called like ours."""
    viewer.add_shapes([[[0, 0], [5, 5]]], shape_type="line", name=CROP)
    viewer.add_labels(np.eye(20, dtype=int), name=f"{PHASES} of sem")
    viewer.add_image(GRAY, name="sem")
    panel.use_selected_layers()
    panel.controls.crop_button.click()
    panel.controls.set_crop((0, 50, 0, 50))
    panel.controls.uncrop_button.click()
    names = [layer.name for layer in viewer.layers if CROP not in layer.metadata]
    assert names == [CROP, f"{PHASES} of sem", "sem"]
    assert viewer.layers[CROP].visible


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_labels_are_taken_as_they_are_after_an_edit(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot, dtype: type
) -> None:
    """A new phase, painted after the layer was chosen; nothing old can be started."""
    layer = viewer.add_labels(phases_image(64, 64).values.astype(dtype), name="map")
    before = images_after(panel, qtbot, panel.use_selected_layers)
    sent: list[Any] = []
    panel.images_changed.connect(lambda images, _: sent.append(images))
    layer.selected_label = 3
    images = images_after(panel, qtbot, lambda: layer.paint((30, 30), 3))
    assert sent[0] is None
    assert images.labels == (3, *before.labels)
    new = np.where(np.asarray(layer.data) == 3, before.labels[0], layer.data)
    images = images_after(panel, qtbot, lambda: setattr(layer, "data", new))
    np.testing.assert_array_equal(images.views["z"][0].values, new)


def test_other_layers_do_no_harm(viewer: Any, qtbot: QtBot) -> None:
    """Present, selected or added while the dock is open."""
    triangle = (np.array([[0, 0], [9, 0], [0, 9]]), np.array([[0, 1, 2]]))
    viewer.add_surface(triangle)
    viewer.add_shapes(
        [np.eye(3, 2) * 9, np.array([[0, 0], [0, 5], [5, 5], [5, 0]])],
        shape_type="polygon",
    )
    panel = MicrographPanel(viewer)
    qtbot.addWidget(panel)
    viewer.add_points(np.eye(4, 2))
    viewer.add_surface(triangle)
    panel.use_selected_layers()
    assert "Expected a selected Image or Labels layer" in panel.message.text()
    assert panel.slots.is_empty()


def test_several_files_dropped_at_once_are_several_images(
    panel: MicrographPanel, qtbot: QtBot, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{name}.npy" for name in "abc"]
    for seed, path in enumerate(paths):
        np.save(path, phases_image(64, 64, seed=seed).values)
    images = images_after(panel, qtbot, lambda: panel.take_files(paths))
    assert [image.name for image in images] == ["a.npy", "b.npy", "c.npy"]


def test_a_border_without_values_opens_and_is_cropped_by_a_click(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    values = GRAY.astype(np.float32)
    values[:4] = np.nan
    np.save(tmp_path / "map.npy", values)
    with qtbot.waitSignal(panel.failed, timeout=20_000):
        panel.open_files("z", [tmp_path / "map.npy"])
    assert [layer.name for layer in viewer.layers] == ["map.npy"]
    assert "crop" in panel.message.text()
    images = images_after(panel, qtbot, panel.facts.accept_crop.click)
    assert images.views["z"][0].values.shape == (92, 128)


def test_a_data_bar_is_left_out_by_a_click(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot
) -> None:
    noise = np.random.default_rng(0).normal(0, 9, GRAY.shape)
    sem = np.clip(GRAY + noise, 1, 255).astype(np.uint8)
    bar = np.zeros((12, 128), np.uint8)
    viewer.add_image(np.vstack([sem, bar]), name="sem")
    images_after(panel, qtbot, panel.use_selected_layers)
    assert "crop to rows 0 to 96" in panel.facts.warnings.text()
    assert f"'{panel.facts.accept_crop.text()}'" in panel.facts.warnings.text()
    assert not panel.facts.accept_crop.isHidden()
    images = images_after(panel, qtbot, panel.facts.accept_crop.click)
    assert images.views["z"][0].values.shape == GRAY.shape
    assert panel.facts.accept_crop.isHidden()
    # What is used is outlined; moved, it is a crop by hand. The image stays active.
    outline = shapes_layer(viewer)
    assert outline.visible
    assert viewer.layers.selection.active.name == "sem"
    assert panel.value().crop == "auto"
    moved = outline.data[0] + [-10, 0]
    images = images_after(panel, qtbot, lambda: setattr(outline, "data", [moved]))
    assert panel.value().crop == (0, 86, 0, 128)
    # The crop of an image is not that of the next one.
    panel.controls.set_crop("auto")
    viewer.add_image(sem, name="without a bar")
    images_after(panel, qtbot, panel.use_selected_layers)
    assert not outline.visible
    assert panel.value().crop is None


def test_phases_cover_flat_values_but_not_what_they_were_segmented_from(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot
) -> None:
    viewer.add_image(phases_image(64, 64).values, name="map")
    images_after(panel, qtbot, panel.use_selected_layers)
    assert shown_phases(viewer).opacity == 1
    viewer.layers.clear()
    viewer.add_image(GRAY, name="sem")
    panel.controls.rows.editors["segmentation"].set_value("otsu")
    images_after(panel, qtbot, panel.use_selected_layers)
    assert shown_phases(viewer).opacity < 1


@pytest.mark.parametrize("axes", ["CYX", "TYX", "ZCYX"])
def test_detectors_and_times_of_a_tiff_opened_in_napari_are_no_planes(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot, tmp_path: Path, axes: str
) -> None:
    """The reader of napari drops the names of the axes; what it shows is taken."""
    shape = (*(5, 2)[-len(axes) + 2 :], *GRAY.shape)
    values = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    path = tmp_path / "two.tif"
    tifffile.imwrite(path, values, imagej=True, metadata={"axes": axes})
    viewer.open(str(path), plugin="napari")
    assert "Press 'From layer'" in panel.message.text()
    viewer.dims.set_point(len(axes) - 3, 1)
    images = images_after(panel, qtbot, panel.use_selected_layers)
    np.testing.assert_array_equal(images.views["z"][0].values, values[..., 1, :, :])
    assert "2 of 2" in panel.facts.notes.text()


def test_what_is_shown_of_a_time_series_is_taken(viewer: Any) -> None:
    """And the distances of its planes, in nanometres."""
    series = np.random.default_rng(0).integers(0, 255, (3, 9, 20, 30)).astype(np.uint8)
    layer = viewer.add_image(
        series, scale=(1, 50, 10, 10), units=("pixel", "nm", "nm", "nm")
    )
    source = source_of(layer, (2, 0, 0, 0))
    np.testing.assert_array_equal(source.values, series[2])
    assert source.edges_nm == (10, 10, 50)


def test_units_of_layers(
    subtests: pytest.Subtests,
) -> None:
    """Their names are those of pint; scales may be negative."""
    cases: list[tuple[str, float]] = [
        ("m", 2e9),
        ("cm", 2e7),
        ("um", 2e3),
        ("pm", 2e-3),
    ]
    for unit, edge_nm in cases:
        with subtests.test(unit):
            layer = ImageLayer(GRAY, scale=(-2, 2), units=(unit, unit))
            assert edges_nm(layer.scale, layer.units) == pytest.approx(
                (edge_nm, edge_nm)
            )


def test_a_time_series_is_followed(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot
) -> None:
    """What is shown is taken, and said; also beside a layer that begins earlier."""
    viewer.add_image(
        np.zeros((9, 9, 64, 64)), scale=(2, 1, 1, 1), translate=(-8, 0, 0, 0)
    )
    series = np.random.default_rng(0).integers(0, 255, (3, 9, 64, 64)).astype(np.uint8)
    layer = viewer.add_image(series, scale=(4, 1, 1, 1))
    viewer.layers.selection = {layer}
    for time in (1, 2, 0):
        viewer.dims.set_point(0, 4 * time)
        act = panel.use_selected_layers if time == 1 else lambda: None
        images = images_after(panel, qtbot, act)
        np.testing.assert_array_equal(images.views["z"][0].values, series[time])
        assert f"Position {time + 1} of 3 along axis -4" in panel.facts.notes.text()
    # The plane that is shown is none of its choices.
    taken = panel.slots.value()
    viewer.dims.set_point(1, 3)
    assert panel.slots.value() == taken


def test_strokes_become_phases(
    panel: MicrographPanel,
    viewer: Any,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """A classifier learns from what is painted; it is a file for more images."""
    pytest.importorskip("sklearn", reason="needs the extra segmentation")
    monkeypatch.setattr(image_source, "user_cache_path", lambda _: tmp_path)
    truth = smooth_field(96, 128) > 0
    gray = (
        80 + 90 * truth + np.random.default_rng(0).normal(0, 9, truth.shape)
    ).astype(np.uint8)
    viewer.add_image(gray, name="sem", scale=(2, 2))
    images_after(panel, qtbot, panel.use_selected_layers)
    panel.controls.rows.editors["segmentation"].set_value("classifier")
    panel.controls.strokes_button.click()
    strokes = viewer.layers.selection.active
    assert strokes.mode == "paint"
    drawn = np.zeros(truth.shape, np.uint8)
    drawn[40:43] = np.where(truth[40:43], 2, 1)
    images = images_after(panel, qtbot, lambda: setattr(strokes, "data", drawn))
    found = images.views["z"][0].values
    assert (found == truth).mean() > 0.95
    (file,) = tmp_path.rglob("*.npz")
    assert panel.value().classifier == str(file)


RED_BLUE = {0: (1, 0, 0, 1), 1: (0, 0, 1, 1)}


def colours_of(layer: Any) -> dict[int, tuple[float, ...]]:
    return {n: tuple(layer.colormap.color_dict[n]) for n in RED_BLUE}


def swatches_of(panel: MicrographPanel) -> list[str]:
    """Colours in the table of phases, in its order."""
    return [
        label.pixmap().toImage().pixelColor(3, 3).name()
        for label in panel.facts.findChildren(QLabel)
        if not label.pixmap().isNull()
    ]


@pytest.mark.parametrize("is_palette", [True, False], ids=["palette", "flat RGB"])
def test_phases_have_the_colours_of_their_map(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot, tmp_path: Path, is_palette: bool
) -> None:
    """In the canvas, the table of the panel and the volumes generated of it."""
    mask = (smooth_field(64, 64) > 0).astype(np.uint8)
    picture = Image.fromarray(mask, "P")
    picture.putpalette([255, 0, 0, 0, 0, 255])
    (picture if is_palette else picture.convert("RGB")).save(tmp_path / "map.png")
    images = images_after(
        panel, qtbot, lambda: panel.open_files("z", [tmp_path / "map.png"])
    )
    # By rising luminance, of flat colours.
    known = {0: "#ff0000", 1: "#0000ff"} if is_palette else {0: "#0000ff", 1: "#ff0000"}
    assert images.colours == known
    expected = {n: RED_BLUE[n if is_palette else 1 - n] for n in RED_BLUE}
    # The palette is shown by the layer itself, flat colours by an overlay.
    assert colours_of(viewer.layers[-1]) == expected
    assert len(viewer.layers) == (1 if is_palette else 2)
    assert swatches_of(panel) == list(known.values())
    volume = Volume(np.resize(mask, (8, 8, 8)), "phases", 1, (0, 1), images.colours)
    assert colours_of(layers.add_volume(viewer, volume)) == expected
    preview = layers.add_or_update_preview(viewer, volume)
    shown = np.asarray(picture_of(preview).colours)
    np.testing.assert_allclose(shown, [*expected.values()])
    trained = replace(random_generator(OneHotPhases([0, 1])), colours=images.colours)
    endless = EndlessVolume(VolumePlan(trained, (32, 32, 32)))
    assert colours_of(add_endless(viewer, endless, "endless")) == expected


def test_cleaned_phases_and_objects_are_shown_over_labels(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot
) -> None:
    """Labels that are trained on as they are need no overlay."""
    values = np.zeros((64, 64), int)
    values[::8, ::8] = np.arange(1, 65).reshape(8, 8)
    values[20:44, 20:44] = 77
    viewer.add_labels(values, name="grains")
    images = images_after(panel, qtbot, panel.use_selected_layers)
    assert images.labels == (0, 1)
    overlay = next(x for x in viewer.layers if PHASES in x.metadata)
    np.testing.assert_array_equal(overlay.data, values > 0)
    editor = panel.controls.rows.editors["smallest_object"]
    images_after(panel, qtbot, lambda: editor.set_value(9))
    np.testing.assert_array_equal(overlay.data, values == 77)
    images_after(
        panel,
        qtbot,
        lambda: viewer.layers["grains"].__setattr__("data", (values == 77).astype(int)),
    )
    assert not any(PHASES in x.metadata for x in viewer.layers)


def test_strokes_on_planes_of_a_stack_become_phases(
    panel: MicrographPanel,
    viewer: Any,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Painted on the plane that is shown; pixels need not be square."""
    pytest.importorskip("sklearn", reason="needs the extra segmentation")
    monkeypatch.setattr(image_source, "user_cache_path", lambda _: tmp_path)
    truth = np.stack([smooth_field(40, 96, seed=seed) > 0 for seed in range(3)])
    noise = np.random.default_rng(0).normal(0, 9, truth.shape)
    gray = (80 + 90 * truth + noise).astype(np.uint8)
    viewer.add_image(gray, name="stack", scale=(5, 2, 1), units=("nm",) * 3)
    images_after(panel, qtbot, panel.use_selected_layers)
    panel.controls.rows.editors["segmentation"].set_value("classifier")
    qtbot.waitUntil(lambda: "Paint strokes" in panel.message.text(), timeout=20_000)
    viewer.dims.ndisplay = 3
    panel.controls.strokes_button.click()
    strokes = viewer.layers.selection.active
    assert (viewer.dims.ndisplay, strokes.data.shape) == (2, gray.shape)

    def paint() -> None:
        for label in (1, 2):
            rows, columns = np.nonzero(truth[1, 20:23] == label - 1)
            place = (np.ones_like(rows), rows + 20, columns)
            strokes.data_setitem(place, label)

    images = images_after(panel, qtbot, paint)
    found = images.views["z"][0].values
    assert found.shape == (3, 80, 96)
    assert (found[:, ::2] == truth).mean() > 0.9
    names = [layer.name for layer in viewer.layers]
    assert names == ["stack", "Phases of stack", "Strokes on stack"]


def test_strokes_are_of_the_pixels_shown_when_painting_starts(viewer: Any) -> None:
    """The data of the image may have been replaced, also by that of another size."""
    layer = viewer.add_image(GRAY, name="sem")
    got: list[tuple[str, tuple[int, ...]]] = []
    replaced = {"one": GRAY, "two": GRAY // 2, "three": GRAY[:50]}
    place = np.array([3])
    for label, (name, values) in enumerate(replaced.items(), 1):
        layer.data = values

        def report(drawn: Any, name: str = name) -> None:
            got.append((name, drawn.shape))

        draw_strokes(viewer, source_of(layer), report)
        viewer.layers.selection.active.data_setitem((place, place), label)
    expected = [(name, values.shape) for name, values in replaced.items()]
    assert list(dict.fromkeys(got)) == expected
    assert len(viewer.layers) == 2


@pytest.mark.parametrize(
    "show", [layers.add_or_update_preview, layers.add_or_update_explored]
)
def test_shown_volumes_have_the_colours_and_scale_of_their_material(
    viewer: Any, show: Callable[[Any, Volume], Any]
) -> None:
    """One of the same labels after another, such as of the next run."""
    values = np.indices((6, 6, 6))[0] // 2
    palette = {0: "#ff0000", 1: "#00ff00", 2: "#0000ff"}
    coloured = Volume(values, "phases", 5.0, (0, 1, 2), palette)
    for volume in (coloured, replace(coloured, colours={}, voxel_size_nm=8.0)):
        layer = show(viewer, volume)
        expected = [*phase_colours(volume.labels, volume.colours).values()]
        np.testing.assert_allclose(np.asarray(picture_of(layer).colours), expected)
        assert tuple(layer.scale) == (volume.voxel_size_nm,) * 3
        assert show(viewer, replace(volume, values=values[::-1])) is layer
        np.testing.assert_array_equal(layer.data, values[::-1])


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_gray_volumes_are_shown_as_a_block_with_all_their_values(
    viewer: Any, dtype: type
) -> None:
    """No value is a hole; what follows a first, flat preview is not cut off."""
    flat: Any = np.linspace(100, 120, 216).reshape(6, 6, 6).astype(dtype)
    full: Any = np.linspace(50, 255, 216).reshape(6, 6, 6).astype(dtype)
    layer = layers.add_or_update_preview(viewer, Volume(flat, "grayscale"))
    assert layers.add_or_update_preview(viewer, Volume(full, "grayscale")) is layer
    made = layers.add_volume(viewer, Volume(full, "grayscale"))
    for shown in (layer, made):
        assert shown.rendering == "translucent"
        low, high = shown.contrast_limits
        assert low < full.min()
        assert high == 255
    colours = np.stack([full.astype(np.uint8)] * 3, axis=-1)
    layer = layers.add_or_update_explored(viewer, Volume(colours, "colour"))
    assert layer.rgb
    assert layer.rendering == "translucent"


def test_contrast_limits_are_those_of_the_newest_preview(viewer: Any) -> None:
    """Also narrower ones; those that a user has set stay."""

    def show(low: float, high: float) -> Any:
        values: Any = np.linspace(low, high, 216, dtype=np.float32).reshape(6, 6, 6)
        return layers.add_or_update_preview(viewer, Volume(values, "grayscale"))

    show(0, 1000)
    layer = show(100, 120)
    low, high = layer.contrast_limits
    assert 99 < low < 100
    assert high == 120
    assert tuple(layer.contrast_limits_range) == (low, high)
    layer.contrast_limits = (100, 110)
    show(50, 150)
    assert tuple(layer.contrast_limits) == (100, 110)


def test_a_picture_that_is_opened_beside_a_volume_is_seen_from_above(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot
) -> None:
    """In 3-D it would cut through the volume; a live preview stands beside it."""
    volume = Volume(np.indices((8, 8, 8))[0] // 4, "phases", 1.0)
    made = layers.add_volume(viewer, volume)
    own = viewer.add_image(np.ones((4, 4, 4)), name="of the user")
    live = layers.add_or_update_preview(viewer, volume)
    viewer.dims.ndisplay = 3
    own.visible = True
    paths = [sample_path("bentheimer_slice")]
    images_after(panel, qtbot, lambda: panel.open_files("z", paths))
    assert viewer.dims.ndisplay == 2
    image = next(x for x in viewer.layers if layers.MICROGRAPH in x.metadata)
    assert (image.visible, made.visible, own.visible) == (True, False, True)
    assert live.visible
    assert live.extent.world[1, -1] < image.extent.world[0, -1]
    # So is one that a rectangle is drawn on.
    viewer.dims.ndisplay, image.visible = 3, False
    panel.controls.crop_button.click()
    assert (viewer.dims.ndisplay, image.visible) == (2, True)


def test_a_stack_too_large_to_paint_on_is_refused(
    panel: MicrographPanel,
    viewer: Any,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(panel_module, "MOST_PAINTED", 1000)
    viewer.add_image(np.stack([GRAY] * 2), name="stack")
    images_after(panel, qtbot, panel.use_selected_layers)
    panel.controls.strokes_button.click()
    assert "at most 1,000 pixels to paint on, got 24,576" in panel.message.text()


def test_the_table_has_the_colours_of_a_layer_of_labels(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot
) -> None:
    layer = viewer.add_labels(1 + (phases_image(64, 64).values > 200).astype(int))
    images_after(panel, qtbot, panel.use_selected_layers)
    expected = [QColor.fromRgbF(*map(float, layer.get_color(n))).name() for n in (1, 2)]
    assert swatches_of(panel) == expected


def test_colours_of_a_layer_of_labels_are_those_of_the_phases(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot
) -> None:
    """A cycle, one of the user's own, and one that does not tell phases apart."""
    values = phases_image(64, 64).values
    layer = viewer.add_labels(values, name="map")
    images = images_after(panel, qtbot, panel.use_selected_layers)
    low, high = images.labels
    cycle = QColor.fromRgbF(*map(float, layer.get_color(high))).name()
    assert images.colours[high] == cycle
    assert [*images.colours.values()] == swatches_of(panel)
    chosen = {low: "#112233", high: (0.5, 0.25, 1, 1), None: "gray"}
    own = DirectLabelColormap(color_dict=chosen)
    images = images_after(panel, qtbot, lambda: setattr(layer, "colormap", own))
    # Half of 255 is 127.5, a quarter 63.75.
    assert images.colours == {low: "#112233", high: "#8040ff"}
    one = DirectLabelColormap(color_dict={None: "gray"})
    images = images_after(panel, qtbot, lambda: setattr(layer, "colormap", one))
    assert images.colours == {}


@pytest.mark.parametrize("shape", [(5, 1), (5,)])
def test_of_a_time_series_the_shown_image_is_used_and_its_phases_lie_on_it(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot, shape: tuple[int, ...]
) -> None:
    frames = np.stack([np.roll(GRAY, n, 1) for n in range(5)])
    labels = ("t", *"zyx"[-len(shape) - 1 :])
    values = frames.reshape(*shape, *GRAY.shape)
    viewer.add_image(values, name="series", axis_labels=labels)
    viewer.dims.set_point(0, 3)
    panel.controls.rows.editors["segmentation"].set_value("otsu")
    images = images_after(panel, qtbot, panel.use_selected_layers)
    (image,) = images
    assert image.values.shape == GRAY.shape
    assert image.facts.notes == (
        "Position 4 of 5 along axis t is taken, as the viewer shows it.",
    )
    overlay = next(x for x in viewer.layers if x.metadata.get(PHASES))
    np.testing.assert_allclose(matrix_of(overlay), np.eye(3))


def test_slices_of_a_stack_are_said_to_be_images(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot
) -> None:
    viewer.add_image(np.stack([GRAY] * 5), name="stack")
    images_after(panel, qtbot, panel.use_selected_layers)
    assert "Each of the 5 slices of stack is used as an image." in (
        panel.facts.notes.text()
    )


def test_a_second_image_in_the_viewer_is_said_not_to_be_used(
    panel: MicrographPanel, viewer: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    assert not panel.slots.single.layer_button.isEnabled()
    for name in ("first", "second"):
        Image.fromarray(GRAY).save(tmp_path / f"{name}.png")
    images_after(panel, qtbot, lambda: viewer.open(tmp_path / "first.png"))
    viewer.open(tmp_path / "second.png")
    assert "second is not used" in panel.message.text()
    assert panel.slots.single.layer_button.isEnabled()
