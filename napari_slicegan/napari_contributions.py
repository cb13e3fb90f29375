"""What napari.yaml points to: readers, a writer, samples and commands.

Each is a few calls of the engine or of the window; nothing heavy is imported before
it is needed, because napari starts with this file's manifest.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_slicegan._qt.main_widget import SliceGANWidget

PLUGIN, WIDGET = "napari-slicegan", "SliceGAN"
LayerData = tuple[Any, dict[str, Any], str]
NO_LAYER = [(None,)]


def get_run_reader(
    path: str | Sequence[str] | None = None,
) -> Callable[[Any], list[tuple[None]]] | None:
    """Reader for a run folder or a generator; it opens the Volume panel with it.

    Without a path, as from the command palette: only opens the panel.
    """
    if path is None:
        _open_widget().show_panel("Volume")
        return None
    first = Path(path if isinstance(path, str) else path[0])
    is_run = (first / "config.json").is_file()
    return open_run if is_run or first.suffix == ".safetensors" else None


def open_run(path: str | Sequence[str]) -> list[tuple[None]]:
    """Load a run into the Volume panel; makes no layer."""
    widget = _open_widget()
    widget.show_panel("Volume")
    widget.volume.set_run(path if isinstance(path, str) else path[0])
    return NO_LAYER


def write_volume(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a 3-D layer as VTK ImageData.

    Raises
    ------
    ValueError
        If the layer is no volume.
    """
    import numpy as np

    from napari_slicegan.pixel_sizes import NM_PER_UNIT
    from napari_slicegan.volume import Volume

    factor = NM_PER_UNIT.get(str((meta.get("units") or ("pixel",))[-1]))
    size = None if factor is None else float(meta["scale"][-1]) * factor
    values = np.asarray(data[0] if meta.get("multiscale") else data)
    kind = "colour" if meta.get("rgb") else "grayscale"
    shown = values[..., :3] if meta.get("rgb") else values
    Volume(shown, kind, size).save(path)  # type: ignore[arg-type]
    return [path]


def sample(name: str) -> list[LayerData]:
    """Layer of a sample."""
    from napari.utils import DirectLabelColormap

    from napari_slicegan._qt.colours import phase_colours
    from napari_slicegan.image_files import read_image
    from napari_slicegan.sample_data import SAMPLES, path

    chosen = SAMPLES[name]
    image = read_image(path(name))
    options: dict[str, Any] = {"name": chosen.title}
    if image.pixel_size_nm is not None:
        options["scale"] = (image.pixel_size_nm,) * image.values.ndim
        options["units"] = ("nm",) * image.values.ndim
    if chosen.kind != "phases":
        return [(image.values, options, "image")]
    colours: dict[int | None, Any] = {None: "transparent"}
    colours |= dict(phase_colours((0, 255)).items())
    options["colormap"] = DirectLabelColormap(color_dict=colours)
    options |= {"opacity": 1, "rendering": "iso_categorical"}
    return [(image.values, options, "labels")]


sample_nanoporous_gold = partial(sample, "nanoporous_gold")
sample_bentheimer_slice = partial(sample, "bentheimer_slice")
sample_bentheimer_truth = partial(sample, "bentheimer_truth")
sample_bentheimer_truth_128 = partial(sample, "bentheimer_truth_128")
sample_aluminium = partial(sample, "aluminium")
sample_fibres_z = partial(sample, "fibres_z")
sample_fibres_y = partial(sample, "fibres_y")
sample_fibres_x = partial(sample, "fibres_x")
sample_fibres_truth = partial(sample, "fibres_truth")


def train() -> None:
    """Start training on the images of the Micrograph panel."""
    widget = _open_widget()
    widget.show_panel("Train")
    widget.train.start()


def stop() -> None:
    """Stop training after the step it is in; the run can be resumed."""
    _open_widget().train.stop()


def generate() -> None:
    """Generate a volume with the settings of the Volume panel."""
    widget = _open_widget()
    widget.show_panel("Volume")
    widget.volume.generate()


def orthogonal_slices() -> None:
    """Show the orthogonal slices of a 3-D layer."""
    widget = _open_widget()
    widget.show_panel("Volume")
    widget.volume.show_slices()


def _open_widget() -> SliceGANWidget:
    """The widget of the current viewer; opened if it is not."""
    import napari

    from napari_slicegan._qt.main_widget import open_widget

    viewer = napari.current_viewer()
    if viewer is None:
        raise ValueError("Expected an open napari window; open one first.")
    widget = open_widget(viewer)
    if widget is None:
        viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
        widget = open_widget(viewer)
    if widget is None:
        raise RuntimeError("napari did not make the widget of its own manifest.")
    return widget
