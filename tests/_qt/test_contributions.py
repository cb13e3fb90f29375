"""Every contribution of the manifest, called the way napari calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari_slicegan.sample_data import SAMPLES
from napari_slicegan.sample_data import path as sample_path
from npe2 import PluginManifest
from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QDockWidget, QFileDialog, QMainWindow

from napari_slicegan._qt.contributions import HOW_TO_SAVE
from napari_slicegan._qt.layer_mesh import DOCK, mesh_of_layer
from napari_slicegan._qt.main_widget import (
    GENERATE_KEY,
    PAUSE_KEY,
    SliceGANWidget,
    open_widget,
)
from napari_slicegan._qt.train.run_view import RunState
from napari_slicegan._qt.widgets import progress as progress_module
from napari_slicegan._qt.widgets.basics import parent_of
from napari_slicegan._qt.worker import other_work
from napari_slicegan.volumes.volume import Volume
from tests.toys import phases_image, small_config

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt

PLUGIN = "napari-slicegan"
MANIFEST = Path(__file__).resolve().parents[2] / "napari.yaml"
LONG = 60_000


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Any], npe2pm: Any) -> Iterator[Any]:
    """A viewer that knows napari's own readers and writers, and the plugin."""
    made = make_napari_viewer()
    with npe2pm.tmp_plugin(package="napari"), npe2pm.tmp_plugin(package=PLUGIN):
        yield made


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Sentences of notifications."""
    from napari.utils import notifications

    sentences: list[str] = []
    for name in ("show_info", "show_error"):
        monkeypatch.setattr(notifications, name, sentences.append)
    return sentences


def run(name: str) -> None:
    """Run a command as the palette does."""
    from napari._app_model import get_app_model

    get_app_model().commands.execute_command(f"{PLUGIN}.{name}").result()


def menu_commands(menu: str = "") -> set[str]:
    """Commands of a menu, by default of the palette."""
    from napari._app_model import get_app_model

    menus = get_app_model().menus
    items = menus.get_menu(menu or menus.COMMAND_PALETTE_ID)
    return {item.command.id for item in items if hasattr(item, "command")}


def opened(viewer: Any) -> SliceGANWidget:
    widget = open_widget(viewer)
    assert widget is not None
    return widget


def panel_of(widget: SliceGANWidget) -> str:
    return widget.tabs.tabText(widget.tabs.currentIndex())


# An image, labels, and a volume.
@pytest.mark.parametrize(
    "name", ["nanoporous_gold", "bentheimer_slice", "spheres_truth"]
)
def test_samples_open_as_layers(name: str, viewer: Any) -> None:
    (layer,) = viewer.open_sample(PLUGIN, name)
    assert layer.name == SAMPLES[name].title
    is_labels = SAMPLES[name].kind == "phases"
    assert type(layer).__name__ == ("Labels" if is_labels else "Image")
    assert layer.data.ndim == (3 if "truth" in name else 2)
    if is_labels:
        assert set(np.unique(layer.data)) == {*layer.colormap.color_dict} - {None}


def test_menus_and_palette_hold_the_commands(viewer: Any) -> None:
    assert f"{PLUGIN}.generate" in menu_commands("napari/file/new_layer")
    assert f"{PLUGIN}.orthogonal_slices" in menu_commands("napari/layers/visualize")
    names = "train pause stop generate measure orthogonal_slices explore mesh_layer"
    assert {f"{PLUGIN}.{name}" for name in names.split()} <= menu_commands()


def test_the_palette_names_samples_and_keys() -> None:
    manifest = PluginManifest.from_file(MANIFEST)
    titles = {one.id: one.title for one in manifest.contributions.commands or ()}
    for offered in manifest.contributions.sample_data or ():
        assert titles[offered.command] == f"Open sample: {offered.display_name}"
    for name, key in (("pause", PAUSE_KEY), ("generate", GENERATE_KEY)):
        shown = key.replace("Control-", "Ctrl+").replace("-", "+")
        assert titles[f"{PLUGIN}.{name}"].endswith(f" ({shown} in the viewer)")


def test_a_labels_layer_is_saved_as_a_mesh(
    viewer: Any,
    qtbot: QtBot,
    told: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meshio = pytest.importorskip("meshio", reason="needs the extra mesh")
    z, y, x = np.indices((12, 14, 16))
    labels = ((z - 5) ** 2 + (y - 6) ** 2 + (x - 7) ** 2 < 16).astype(np.uint8) * 255
    viewer.add_labels(labels, name="ball", scale=(5, 5, 5), units=("nm",) * 3)
    run("mesh_layer")
    form = viewer.window.dock_widgets[DOCK]
    assert form.layer.value.name == "ball"
    form.phases.value = "1, x"
    form()
    assert told[-1] == (
        "Expected labels as whole numbers separated by commas, got '1, x'."
    )
    form.phases.value = ""
    monkeypatch.chdir(tmp_path)
    form.path.value = "ball.stl"
    form()
    saved = f"Saved {tmp_path / 'ball.stl'}"
    qtbot.waitUntil(lambda: told[-1] == saved, timeout=LONG)
    # A button that has been pressed says so.
    qtbot.waitUntil(lambda: form.call_button.text == "Save mesh", timeout=LONG)
    edges = np.ptp(meshio.read(tmp_path / "ball.stl").points, axis=0)
    # Eight voxels, of 5 nm.
    assert edges == pytest.approx((37.5,) * 3, abs=4)
    # Surfaces alone are saved as STL.
    form.cells.value = "hexahedra"
    assert form.path.value.name == "ball.vtu"
    form.coarsen.value = 2
    form()
    qtbot.waitUntil(lambda: "ball.vtu" in told[-1], timeout=LONG)
    (cells,) = meshio.read(tmp_path / "ball.vtu").cells
    assert len(cells.data) == round(np.count_nonzero(labels) / 2**3)
    run("mesh_layer")
    assert list(viewer.window.dock_widgets).count(DOCK) == 1
    # It leaves the panels their room.
    run("widget")
    panels = parent_of(opened(viewer), QDockWidget)
    window = parent_of(form.native, QMainWindow)
    viewer.window.remove_dock_widget(form.native)
    run("mesh_layer")
    form = viewer.window.dock_widgets[DOCK]
    assert window is not None
    assert panels is not None
    beside = window.tabifiedDockWidgets(panels)
    assert beside == [parent_of(form.native, QDockWidget)]


def test_inputs_of_the_form_for_meshes_are_aligned(qtbot: QtBot) -> None:
    """Also with another font than magicgui has measured."""
    form = mesh_of_layer()
    qtbot.addWidget(form.native)
    form.native.setStyleSheet("font-size: 16pt")
    with qtbot.waitExposed(form.native):
        form.native.show()
    inputs = [form[name].native for name in ("phases", "coarsen", "smoothing")]
    assert len({each.mapTo(form.native, QPoint()).x() for each in inputs}) == 1


def test_meshes_are_replaced_on_request_only(
    viewer: Any,
    qtbot: QtBot,
    told: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also those of the phases, which no dialog has asked about."""
    pytest.importorskip("meshio", reason="needs the extra mesh")
    viewer.add_labels(np.arange(27, dtype=np.uint8).reshape(3, 3, 3) % 3)
    run("mesh_layer")
    form = viewer.window.dock_widgets[DOCK]
    for wrong, words in ("", "Expected a file"), ("cubes.doc", "ends in .stl"):
        form.path.value = wrong
        form()
        assert words in told[-1]
    asked: list[str] = []
    monkeypatch.setattr(
        progress_module, "ask", lambda parent, title, text, *more: asked.append(text)
    )
    (tmp_path / "cubes-phase_2.stl").touch()
    form.path.value = tmp_path / "cubes.stl"
    form()
    assert asked == [f"cubes-phase_2.stl already exists in {tmp_path}. Replace it?"]
    assert other_work() == []
    form.phases.value = "1"
    form()
    assert form.call_button.text == "Saving a mesh ..."
    form()
    assert told[-1] == "A mesh is still being saved."
    qtbot.waitUntil(lambda: told[-1] == f"Saved {form.path.value}", timeout=LONG)
    assert len(asked) == 1


def test_an_opened_run_is_loaded_into_the_volume_panel(
    viewer: Any, toy_run: Path, qtbot: QtBot
) -> None:
    assert viewer.open(toy_run, plugin=PLUGIN) == []
    widget = opened(viewer)
    assert panel_of(widget) == "Volume"
    qtbot.waitUntil(widget.volume.generate_button.isEnabled, timeout=LONG)


def test_folders_that_are_no_runs_are_left_to_others(
    viewer: Any, tmp_path: Path, told: list[str]
) -> None:
    """The reader that napari offers for any folder answers in words."""
    np.save(tmp_path / "image.npy", np.eye(9))
    assert viewer.open(tmp_path, plugin=PLUGIN) == []
    assert "Expected the folder of a SliceGAN run" in told[0]
    assert open_widget(viewer) is None
    assert len(viewer.open(tmp_path, plugin="napari")) == 1


def toy_labels(viewer: Any, n: int = 3) -> Any:
    values = np.arange(4 * 5 * 6).reshape(4, 5, 6) % n
    return viewer.add_labels(values, scale=(2, 2, 2), units=("nm",) * 3)


def test_labels_and_images_are_saved_by_the_writers(
    viewer: Any, tmp_path: Path
) -> None:
    layer = toy_labels(viewer)
    (path,) = layer.save(str(tmp_path / "volume.vti"))
    assert b'Scalars="phases' in Path(path).read_bytes()[:600]
    viewer.layers.remove(layer)
    viewer.add_image(np.random.default_rng(0).random((4, 5, 6)))
    (path,) = viewer.layers.save(str(tmp_path / "image.vti"))
    assert b'Scalars="grayscale' in Path(path).read_bytes()[:600]


def test_napari_dialog_offers_vtk(
    viewer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari._app_model import get_app_model

    toy_labels(viewer)
    offered: list[str] = []

    def choose(*args: Any, **options: Any) -> tuple[str, str]:
        offered.extend(options["filter"].split(";;"))
        (vtk,) = (each for each in offered if "*.vti" in each)
        return str(tmp_path / "volume"), vtk

    monkeypatch.setattr(QFileDialog, "getSaveFileName", staticmethod(choose))
    command = "napari.window.file.save_layers_dialog.selected"
    get_app_model().commands.execute_command(command).result()
    assert b'Scalars="phases' in (tmp_path / "volume.vti").read_bytes()[:600]


def test_commands_without_data_give_a_message(viewer: Any, told: list[str]) -> None:
    run("stop")
    assert told == ["No training is running."]
    assert open_widget(viewer) is None
    told.clear()
    run("write_image")
    run("write_labels")
    assert told == [HOW_TO_SAVE, HOW_TO_SAVE]
    told.clear()
    run("train")
    widget = opened(viewer)
    assert told == ["Expected a micrograph to train on, got none; open one first."]
    assert panel_of(widget) == "Micrograph"
    run("read_run")
    assert panel_of(widget) == "Volume"
    run("orthogonal_slices")
    message = widget.volume.orthogonal.message
    assert message.text().startswith("Expected a 3-D layer")
    widget.show_panel("Micrograph")
    run("generate")
    assert panel_of(widget) == "Volume"
    assert widget.volume.message.text().startswith("Expected a generator")


def test_explore_opens_the_sample_generator(viewer: Any, qtbot: QtBot) -> None:
    run("explore")
    widget = opened(viewer)
    assert panel_of(widget) == "Explore"
    with qtbot.waitSignal(widget.explore.explored, timeout=LONG):
        pass
    assert "Explored" in viewer.layers


def test_the_selected_volume_is_sliced(viewer: Any) -> None:
    volume = Volume(phases_image(8, 9, 10).values, "phases")
    first = viewer.add_labels(volume.values, name="first")
    viewer.add_labels(volume.values, name="second")
    viewer.layers.selection.active = first
    run("orthogonal_slices")
    panel = opened(viewer).volume.orthogonal
    assert panel.layer_choice.currentText() == "first"
    assert "Plane along z" in viewer.layers


def test_commands_show_a_hidden_dock(viewer: Any) -> None:
    run("generate")
    widget = opened(viewer)
    dock = widget.parentWidget()
    while dock is not None and not isinstance(dock, QDockWidget):
        dock = dock.parentWidget()
    assert dock is not None
    dock.hide()
    run("generate")
    assert opened(viewer) is widget
    assert not dock.isHidden()
    # The menu shows and hides the same dock.
    n_docks = len(viewer.window.dock_widgets)
    run("widget")
    assert len(viewer.window.dock_widgets) == n_docks


def test_measure_without_layers_says_what_is_missing(viewer: Any) -> None:
    run("measure")
    widget = opened(viewer)
    assert panel_of(widget) == "Measure"
    assert "Choose two different layers" in widget.measure.message.text()


def test_train_and_stop(
    viewer: Any, told: list[str], qtbot: QtBot, tmp_path: Path
) -> None:
    viewer.open(sample_path("bentheimer_slice"), plugin="napari")
    viewer.window.add_plugin_dock_widget(PLUGIN)
    widget = opened(viewer)
    widget.train.location.set_value(tmp_path / "runs")
    widget.train.set_value(small_config().changed(steps=10**6, monitor_interval=5))
    # The image is still being prepared; training starts when it is ready.
    with qtbot.waitSignal(widget.train.preview_made, timeout=LONG):
        run("train")
    assert panel_of(widget) == "Train"
    run("train")
    assert told == ["Training is already running."]
    run("pause")
    qtbot.waitUntil(lambda: widget.train.state is RunState.PAUSED, timeout=LONG)
    run("pause")
    qtbot.waitUntil(lambda: widget.train.state is RunState.RUNNING, timeout=LONG)
    run("stop")
    qtbot.waitUntil(lambda: widget.train.state is RunState.FINISHED, timeout=LONG)
    assert set(np.unique(viewer.layers["Preview"].data)) <= {0, 255}
