"""Contributions listed in napari.yaml: readers, writers, samples and commands.

Heavy imports are inside the functions, to keep the start of napari fast.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_slicegan._qt.main_widget import SliceGANWidget

LayerData = tuple[Any, dict[str, Any], str]
NO_LAYER = [(None,)]
HOW_TO_SAVE = (
    "Select a 3-D layer, choose File > Save Selected Layers... and a name that ends "
    "in .vti."
)


def get_run_reader(
    path: str | Sequence[str] | None = None,
) -> Callable[[Any], Any] | None:
    """Return a reader for run folders and generators (opened in the Volume panel).

    OME-Zarr volumes written by this package become a layer. Without a path, as from the
    command palette, only the panel opens.
    """
    if path is None:
        _open_widget().show_panel("Volume")
        return None
    first = Path(path if isinstance(path, str) else path[0])
    if first.suffix == ".zarr":
        from napari_slicegan._qt.viewer.file_layers import read_pyramid
        from napari_slicegan.volumes.ome_zarr import is_pyramid

        return read_pyramid if is_pyramid(first) else None
    if (first / "config.json").is_file() or first.suffix == ".safetensors":
        return open_run
    # napari offers this reader for any folder.
    return _explain_folder if first.is_dir() else None


def _explain_folder(path: str | Sequence[str]) -> list[tuple[None]]:
    """Say what a folder must be; adds no layer."""
    first = path if isinstance(path, str) else path[0]
    _notify(
        f"Expected the folder of a SliceGAN run, which has a config.json, got {first}. "
        "Drop a folder of slices on the Micrograph tab, or open it with another reader."
    )
    return NO_LAYER


def open_run(path: str | Sequence[str]) -> list[tuple[None]]:
    """Load a run into the Volume panel; adds no layer."""
    widget = _open_widget()
    widget.show_panel("Volume")
    widget.volume.set_run(path if isinstance(path, str) else path[0])
    return NO_LAYER


def _write(
    kind: str, path: str = "", data: Any = None, meta: dict[str, Any] | None = None
) -> list[str]:
    """Write a 3-D layer as VTK ImageData.

    Without a path, as from the command palette, shows how to save.

    Raises
    ------
    RuntimeError
        If the layer has no cubic voxels. napari would not show a ValueError.
    """
    import numpy as np
    from napari.layers import Layer

    from napari_slicegan._qt.viewer.canvas_view import GRID
    from napari_slicegan._qt.viewer.layer_inputs import edges_nm
    from napari_slicegan._qt.viewer.layer_picture import WHOLE_VOLUME, edges_of
    from napari_slicegan.data.pixel_sizes import common_edge_nm
    from napari_slicegan.data.pixel_values import MAX_PHASES, distinct_values
    from napari_slicegan.runtime.atomic_files import replacing
    from napari_slicegan.volumes.volume import Volume
    from napari_slicegan.volumes.vtk_image import write_vtk_planes

    meta = meta or {}
    if not path:
        _notify(HOW_TO_SAVE)
        return []
    if WHOLE_VOLUME in meta.get("metadata", {}):
        raise RuntimeError(
            "Expected a volume of fixed size, got an endless one; generate one in a "
            "fixed size and save that, or write it with `slicegan generate`."
        )
    # A name typed in napari's dialog has no suffix.
    file = Path(path) if Path(path).suffix else Path(f"{path}.vti")
    values = np.asarray(data[0] if meta.get("multiscale") else data)
    place = {key: meta[key] for key in GRID if meta.get(key) is not None}
    n_axes = values.ndim - bool(meta.get("rgb"))
    layer = Layer.create(np.zeros((1,) * n_axes, np.uint8), place)
    edges = edges_of(layer)
    known = edges_nm(edges, layer.units)
    try:
        edge_nm = common_edge_nm(known or edges[::-1], file.name)
        if kind == "image":
            volume = Volume.from_array(values[..., :3] if meta.get("rgb") else values)
            name: str = volume.kind
        elif distinct_values(values, MAX_PHASES) is not None:
            volume, name = Volume(values, "phases"), "phases"
        else:
            # Too many to be phases: objects.
            volume, name = Volume(values, "grayscale"), "labels"
        values, edge = volume.values, edge_nm if known else None
        with replacing(file) as part:
            write_vtk_planes(part, values, values.shape, values.dtype, edge, name)
    except ValueError as error:
        raise RuntimeError(str(error)) from error
    return [str(file)]


write_image = partial(_write, "image")
write_labels = partial(_write, "labels")


def sample(name: str) -> list[LayerData]:
    """Return the layer of a sample."""
    from napari_slicegan._qt.viewer.file_layers import sample_layer

    return [sample_layer(name)]


def generated(name: str) -> list[LayerData]:
    """Return a volume generated with a generator of the package (a few seconds)."""
    from napari_slicegan._qt.viewer.file_layers import generated_layer

    return [generated_layer(name)]


sample_nanoporous_gold = partial(sample, "nanoporous_gold")
sample_bentheimer_slice = partial(sample, "bentheimer_slice")
sample_bentheimer_truth = partial(sample, "bentheimer_truth")
sample_bentheimer_truth_128 = partial(sample, "bentheimer_truth_128")
sample_aluminium = partial(sample, "aluminium")
sample_fibres_z = partial(sample, "fibres_z")
sample_fibres_y = partial(sample, "fibres_y")
sample_fibres_x = partial(sample, "fibres_x")
sample_fibres_truth = partial(sample, "fibres_truth")
sample_spheres_slice = partial(sample, "spheres_slice")
sample_spheres_truth = partial(sample, "spheres_truth")
sample_binder_bridges_slice = partial(sample, "binder_bridges_slice")
sample_speckle_slice = partial(sample, "speckle_slice")
generated_bentheimer = partial(generated, "bentheimer")
generated_nanoporous_gold = partial(generated, "nanoporous-gold")
generated_fibres = partial(generated, "fibres")
generated_spheres = partial(generated, "spheres")
generated_binder_bridges = partial(generated, "binder-bridges")
generated_speckle = partial(generated, "speckle")


def train() -> None:
    """Start training, once the images of the Micrograph panel are ready."""
    widget = _open_widget()
    if widget.train.state.is_active:
        widget.show_panel("Train")
        _notify("Training is already running.")
    elif widget.micrograph.slots.is_empty() and not widget.train.data.can_train:
        widget.show_panel("Micrograph")
        _notify("Expected a micrograph to train on, got none; open one first.")
    else:
        widget.train_when_ready()


def stop() -> None:
    """Stop training after the current step; the run can be resumed."""
    from napari_slicegan._qt.main_widget import open_widget

    widget = open_widget(_viewer())
    if widget is None or not widget.train.state.is_active:
        _notify("No training is running.")
        return
    widget.show_panel("Train")
    widget.train.stop()


def pause() -> None:
    """Pause training after the current step, or resume it."""
    from napari_slicegan._qt.main_widget import open_widget

    widget = open_widget(_viewer())
    if widget is None or not widget.train.state.is_active:
        _notify("No training is running.")
        return
    widget.show_panel("Train")
    widget.train.toggle_pause()


def measure() -> None:
    """Compare the layers that are chosen in the Measure panel."""
    widget = _open_widget()
    widget.show_panel("Measure")
    widget.measure.measure()


def generate() -> None:
    """Generate a volume with the settings of the Volume panel."""
    widget = _open_widget()
    widget.show_panel("Volume")
    widget.volume.generate()


def orthogonal_slices() -> None:
    """Show orthogonal slices of the selected 3-D layer, else of the panel's layer."""
    from napari_slicegan._qt.viewer.layer_picture import is_volume_layer

    widget = _open_widget()
    widget.show_panel("Volume")
    active = _viewer().layers.selection.active
    chosen = active if active is not None and is_volume_layer(active) else None
    widget.volume.orthogonal.show_slices(chosen)


def explore() -> None:
    """Open the Explore panel; loads the sample generator if there is none."""
    widget = _open_widget()
    widget.show_panel("Explore")
    source = widget.explore.source
    if source.value() is None and not source.is_loading:
        source.open_sample()


def mesh_layer() -> None:
    """Open a small form that saves the phases of a Labels layer as a mesh."""
    from qtpy.QtWidgets import QDockWidget

    from napari_slicegan._qt.layer_mesh import DOCK, mesh_of_layer, window_of_form
    from napari_slicegan._qt.main_widget import ask_before_closing
    from napari_slicegan._qt.widgets.basics import parent_of

    window = _viewer().window
    if DOCK not in window.dock_widgets:
        # A tab: below the plugin's dock it would leave that no room.
        form = mesh_of_layer()
        window.add_dock_widget(form, name=DOCK, area="right", tabify=True)
    dock = parent_of(window.dock_widgets[DOCK].native, QDockWidget)
    if dock is not None:
        dock.show()
        dock.raise_()
    main_window = window_of_form()
    if main_window is not None:
        ask_before_closing(main_window)


def _open_widget() -> SliceGANWidget:
    """Return the widget of the current viewer; opens and raises its dock."""
    from qtpy.QtWidgets import QDockWidget

    from napari_slicegan._qt.main_widget import DOCK, SliceGANWidget, open_widget
    from napari_slicegan._qt.widgets.basics import parent_of

    viewer = _viewer()
    widget = open_widget(viewer)
    if widget is None:
        widget = SliceGANWidget(viewer)
        viewer.window.add_dock_widget(widget, name=DOCK, area="right")
    dock = parent_of(widget, QDockWidget)
    if dock is not None:
        dock.show()
        dock.raise_()
    return widget


def _viewer() -> Viewer:
    import napari

    viewer = napari.current_viewer()
    if viewer is None:
        raise ValueError("Expected an open napari window; open one first.")
    return viewer


def _notify(sentence: str) -> None:
    """Show a transient notification in napari."""
    from napari.utils.notifications import show_info

    show_info(sentence)
