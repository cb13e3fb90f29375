"""What napari.yaml points to: readers, a writer, samples and commands.

Each is a few calls of the engine or of the window; nothing heavy is imported before
it is needed, because napari starts with this file's manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_slicegan._qt.main_widget import SliceGANWidget

PLUGIN, WIDGET = "napari-slicegan", "SliceGAN"
LayerData = tuple[Any, dict[str, Any], str]
VoxelValues = tuple[Any, str]
NO_LAYER = [(None,)]
HOW_TO_SAVE = (
    "Select a 3-D layer, choose File > Save Selected Layers... and a name that ends "
    "in .vti."
)


def get_run_reader(
    path: str | Sequence[str] | None = None,
) -> Callable[[Any], Any] | None:
    """Reader for a run folder or a generator; it opens the Volume panel with it.

    And for the program's own OME-Zarr volumes, which become a layer. Without a path, as
    from the command palette: only opens the panel.
    """
    if path is None:
        _open_widget().show_panel("Volume")
        return None
    first = Path(path if isinstance(path, str) else path[0])
    if first.suffix == ".zarr":
        from napari_slicegan._qt.viewer.file_layers import read_pyramid
        from napari_slicegan.volumes.ome_zarr import is_pyramid

        return read_pyramid if is_pyramid(first) else None
    is_run = (first / "config.json").is_file()
    return open_run if is_run or first.suffix == ".safetensors" else None


def open_run(path: str | Sequence[str]) -> list[tuple[None]]:
    """Load a run into the Volume panel; makes no layer."""
    widget = _open_widget()
    widget.show_panel("Volume")
    widget.volume.set_run(path if isinstance(path, str) else path[0])
    return NO_LAYER


def write_image(
    path: str = "", data: Any = None, meta: dict[str, Any] | None = None
) -> list[str]:
    """Write a 3-D Image layer as VTK ImageData.

    Without a path, as from the command palette: only says how.

    Raises
    ------
    RuntimeError
        If the layer is no volume of cubic voxels. napari would not show a ValueError.
    """
    if not path:
        _tell(HOW_TO_SAVE)
        return []
    return _write(path, data, meta or {}, _image_volume)


def write_labels(
    path: str = "", data: Any = None, meta: dict[str, Any] | None = None
) -> list[str]:
    """Write a 3-D Labels layer as VTK ImageData; as `write_image`."""
    if not path:
        _tell(HOW_TO_SAVE)
        return []
    return _write(path, data, meta or {}, _label_volume)


def _write(
    path: str,
    data: Any,
    meta: dict[str, Any],
    make: Callable[[NDArray[Any], dict[str, Any]], VoxelValues],
) -> list[str]:
    import numpy as np

    from napari_slicegan._qt.viewer.layer_picture import WHOLE_VOLUME
    from napari_slicegan.runtime.atomic_files import replacing
    from napari_slicegan.volumes.vtk_image import write_vtk_image

    if WHOLE_VOLUME in meta.get("metadata", {}):
        raise RuntimeError(
            "Expected a volume that is there as a whole, got an endless one; generate "
            "it in a fixed size and save that, or write it with `slicegan generate`."
        )
    # A name typed in napari's dialog has no ending.
    file = Path(path) if Path(path).suffix else Path(f"{path}.vti")
    try:
        values, name = make(
            np.asarray(data[0] if meta.get("multiscale") else data), meta
        )
        edge = _edge_nm(meta, file.name)
        with replacing(file) as partial_file:
            write_vtk_image(partial_file, values, edge, name)
    except ValueError as error:
        raise RuntimeError(str(error)) from error
    return [str(file)]


def _image_volume(values: NDArray[Any], meta: dict[str, Any]) -> VoxelValues:
    """Values and their name in ParaView: what they are found to mean."""
    from napari_slicegan.volumes.volume import Volume

    volume = Volume.from_array(values[..., :3] if meta.get("rgb") else values)
    return volume.values, volume.kind


def _label_volume(values: NDArray[Any], meta: dict[str, Any]) -> VoxelValues:
    """Few labels are phases, many are those of objects."""
    from napari_slicegan.data.pixel_values import MAX_PHASES, distinct_values
    from napari_slicegan.volumes.volume import Volume

    few = distinct_values(values, MAX_PHASES) is not None
    volume = Volume(values, "phases" if few else "grayscale")
    return volume.values, "phases" if few else "labels"


def _edge_nm(meta: dict[str, Any], name: str) -> float | None:
    """Edge of a voxel, None if its unit is none of length; ValueError for no cube."""
    from napari_slicegan.data.pixel_sizes import NM_PER_UNIT, common_edge_nm

    edges = [float(edge) for edge in meta.get("scale", (1, 1, 1))]
    units = [str(unit) for unit in meta.get("units") or ("pixel",) * len(edges)]
    factors = [NM_PER_UNIT.get(unit) for unit in units]
    known = [factor for factor in factors if factor is not None]
    scaled = (
        [e * f for e, f in zip(edges, known, strict=True)] if all(factors) else edges
    )
    edge = common_edge_nm(tuple(reversed(scaled)), name)
    return edge if known else None


def sample(name: str) -> list[LayerData]:
    """Layer of a sample."""
    from napari_slicegan._qt.viewer.file_layers import sample_layer

    return [sample_layer(name)]


def generated(name: str) -> list[LayerData]:
    """Layer of a volume from a generator that ships, made in a few seconds."""
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
generated_bentheimer = partial(generated, "bentheimer")
generated_fibres = partial(generated, "fibres")
generated_spheres = partial(generated, "spheres")


def train() -> None:
    """Start training on the images of the Micrograph panel, once they are ready."""
    widget = _open_widget()
    if widget.micrograph.slots.is_empty() and not widget.train.state.is_active:
        widget.show_panel("Micrograph")
        _tell("There is no micrograph to train on yet; open one first.")
        return
    widget.show_panel("Train")
    if widget.train.state.is_active:
        _tell("Training is under way already.")
    elif widget.micrograph.images() is not None:
        widget.train.start()
    else:
        _start_when_ready(widget)


def stop() -> None:
    """Stop training after the step it is in; the run can be resumed."""
    from napari_slicegan._qt.main_widget import open_widget

    widget = open_widget(_viewer())
    if widget is None or not widget.train.state.is_active:
        _tell("There is no training to stop.")
        return
    widget.show_panel("Train")
    widget.train.stop()


def generate() -> None:
    """Generate a volume with the settings of the Volume panel."""
    widget = _open_widget()
    widget.show_panel("Volume")
    widget.volume.generate()


def orthogonal_slices() -> None:
    """Show the orthogonal slices of the selected 3-D layer, else of the chosen one."""
    from napari_slicegan._qt.viewer.layer_picture import is_volume_layer

    widget = _open_widget()
    widget.show_panel("Volume")
    active = _viewer().layers.selection.active
    chosen = active if active is not None and is_volume_layer(active) else None
    widget.volume.orthogonal.show_slices(chosen)


def explore() -> None:
    """Open the Explore panel; with the sample generator if there is no other."""
    widget = _open_widget()
    widget.show_panel("Explore")
    source = widget.explore.source
    if source.value() is None and not source.is_loading:
        source.open_sample()


def _start_when_ready(widget: SliceGANWidget) -> None:
    """Start with the images that are being prepared; if they fail, say nothing more."""

    def begin(images: object, settings: object) -> None:
        widget.micrograph.images_changed.disconnect(begin)
        if images is None:
            widget.show_panel("Micrograph")
        else:
            widget.train.start()

    widget.micrograph.images_changed.connect(begin)


def _open_widget() -> SliceGANWidget:
    """The widget of the current viewer, in sight; opened if it is not."""
    from qtpy.QtWidgets import QDockWidget

    from napari_slicegan._qt.main_widget import open_widget

    viewer = _viewer()
    widget = open_widget(viewer)
    if widget is None:
        viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
        widget = open_widget(viewer)
    if widget is None:
        raise RuntimeError("napari did not make the widget of its own manifest.")
    dock = widget.parentWidget()
    while dock is not None and not isinstance(dock, QDockWidget):
        dock = dock.parentWidget()
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


def _tell(sentence: str) -> None:
    """A notification of napari's, which goes by itself."""
    from napari.utils.notifications import show_info

    show_info(sentence)
