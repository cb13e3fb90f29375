"""A small form of its own: the phases of any Labels layer as a mesh.

napari lists the layers and makes the inputs by magicgui.
"""

from __future__ import annotations

import contextlib
import pathlib
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from magicgui import magic_factory
from napari.utils import notifications
from napari.viewer import current_viewer
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QLabel, QMainWindow

from napari_slicegan._qt.viewer.layer_inputs import source_of
from napari_slicegan._qt.widgets.basics import LOOKS, parent_of
from napari_slicegan._qt.widgets.progress import confirm_replacing
from napari_slicegan._qt.worker import other_work, task_worker
from napari_slicegan.runtime.atomic_files import check_can_write
from napari_slicegan.volumes.mesh_files import (
    LABELLED,
    check_mesh_file,
    files_of,
    write_mesh,
)
from napari_slicegan.volumes.meshes import SMOOTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari.layers

    from napari_slicegan.data.image_files import SourceImage
    from napari_slicegan.runtime.progress import Progress

Cells = Literal["surface", "hexahedra", "tetrahedra"]
DOCK = "Mesh of a layer"
SAVE, SAVING = "Save mesh", "Saving a mesh"
FILES = "Meshes (*.stl *.obj *.ply *.vtu *.msh *.inp)"


class EqualLabels(QObject):
    """Gives all labels of a form the width of the widest, in each theme and font.

    magicgui measures them before the style is known, and aligns no longer ones.
    """

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Measure them."""
        if event is not None and event.type() in (QEvent.Type.Show, *LOOKS):
            labels = [] if watched is None else watched.findChildren(QLabel)
            widest = max((each.sizeHint().width() for each in labels), default=0)
            for each in labels:
                each.setMinimumWidth(widest)
        return False


def _prepare(form: Any) -> None:
    """Align the inputs, and choose a file that can hold the cells."""
    form.native.installEventFilter(EqualLabels(form.native))

    def follow(cells: str) -> None:
        path = form.path.value
        is_labelled = path.suffix.lower() in LABELLED
        if cells != "surface" and path.name and not is_labelled:
            form.path.value = path.with_suffix(LABELLED[0])

    form.cells.changed.connect(follow)


@magic_factory(
    call_button=SAVE,
    layer={"label": "Layer", "tooltip": "A volume of phases."},
    phases={
        "label": "Phases",
        "tooltip": "Labels separated by commas; empty for all except 0.",
    },
    cells={
        "label": "Cells",
        "choices": ["surface", "hexahedra", "tetrahedra"],
        "tooltip": "Triangles between the phases, or cells that fill them.",
    },
    coarsen={
        "label": "Coarsen",
        "tooltip": "Edge of the blocks of voxels that are merged into one first, with "
        "the fraction of each phase kept, for fewer cells. 1: none are merged.",
        "min": 1,
        "max": 100,
    },
    smoothing={
        "label": "Smoothing",
        "tooltip": "Passes that smooth surfaces and tetrahedra; the volumes of the "
        "phases are kept. 0: faces of voxels.",
        "min": 0,
        "max": 100,
    },
    path={
        "label": "File",
        "mode": "w",
        "filter": FILES,
        "tooltip": "STL, OBJ or PLY for surfaces; VTU, MSH or INP for all cells.",
    },
    widget_init=_prepare,
)
def mesh_of_layer(
    layer: napari.layers.Labels,
    phases: str = "",
    cells: str = "surface",
    coarsen: int = 1,
    smoothing: int = SMOOTHING,
    path: pathlib.Path = Path("mesh.stl"),
) -> None:
    """Save the phases of a Labels layer as a mesh, in a background thread."""
    form, window = _form(), window_of_form()
    if SAVING in other_work(window):
        notifications.show_info("A mesh is still being saved.")
        return
    try:
        labels = _numbers(phases)
        path = _file(path, cells)
    except ValueError as fault:
        notifications.show_error(str(fault))
        return
    if not confirm_replacing(window, _files(labels, path)):
        return
    source = source_of(layer)
    worker = task_worker(save_mesh, source, labels, cells, coarsen, smoothing, path)
    worker.name_outside_docks = SAVING
    worker.window = None if window is None else weakref.ref(window)
    worker.returned.connect(
        lambda files: notifications.show_info(f"Saved {', '.join(map(str, files))}")
    )
    worker.errored.connect(lambda fault: notifications.show_error(str(fault)))
    if form is not None:
        form.call_button.text = f"{SAVING} ..."
        worker.finished.connect(lambda: _restore(form))
    worker.start()


def _form() -> Any:
    """The form in the current viewer; None if it is not open."""
    viewer = current_viewer()
    return None if viewer is None else viewer.window.dock_widgets.get(DOCK)


def _restore(form: Any) -> None:
    # The window may have been closed.
    with contextlib.suppress(RuntimeError):
        form.call_button.text = SAVE


def window_of_form() -> QMainWindow | None:
    """Window of the current viewer, if the form is in it."""
    form = _form()
    return None if form is None else parent_of(form.native, QMainWindow)


def _file(path: Path, cells: str) -> Path:
    """Whole path of a file that can be written; ValueError for others."""
    if not path.name:
        raise ValueError("Expected a file to write, got none; choose one.")
    # As the notice names it.
    path = path.expanduser().absolute()
    check_mesh_file(path, has_volume=cells != "surface")
    check_can_write(path)
    return path


def _files(labels: Sequence[int], path: Path) -> list[Path]:
    """Files that may be replaced; those of all phases if none is chosen."""
    if labels or path.suffix.lower() in LABELLED:
        return [*files_of(labels, path)]
    beside = sorted(path.parent.iterdir()) if path.parent.is_dir() else []
    begin = f"{path.stem}-phase_"
    of_phases = [x for x in beside if x.stem.startswith(begin)]
    return [path, *(x for x in of_phases if x.suffix == path.suffix)]


def save_mesh(
    source: SourceImage,
    phases: Sequence[int],
    cells: Cells,
    coarsen: int,
    smoothing: int,
    path: Path,
    progress: Progress,
) -> list[Path]:
    """Write the mesh of a volume; returns the files.

    Parameters
    ----------
    source
        Labels ``[Z, Y, X]``; cubic voxels are made of others.
    phases
        Labels; empty for all except 0.
    coarsen
        See `coarsened`.

    Raises
    ------
    ValueError
        If it is no volume of phases, a phase is missing, or the format cannot hold it.
    """
    from napari_slicegan.volumes.meshes import coarsened, surface_mesh, voxel_mesh
    from napari_slicegan.volumes.volume import Volume

    values = np.asarray(source.values)
    if values.ndim != 3:
        raise ValueError(
            f"Expected a layer with three axes, got {values.ndim}; choose a volume."
        )
    volume = Volume.from_array(values, "phases", source.pixel_size_nm)
    if source.edges_nm is not None:
        volume = volume.cubic(source.edges_nm)
    if coarsen != 1:
        volume = coarsened(volume, coarsen)
    chosen = phases or [label for label in volume.labels if label]
    progress(0.1)
    if cells == "surface":
        mesh = surface_mesh(volume, chosen, smoothing)
    else:
        passes = smoothing if cells == "tetrahedra" else 0
        mesh = voxel_mesh(volume, chosen, cells, passes)
    progress(0.7)
    return write_mesh(mesh, path)


def _numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in text.replace(",", " ").split()]
    except ValueError as error:
        raise ValueError(
            f"Expected labels as whole numbers separated by commas, got '{text}'."
        ) from error
