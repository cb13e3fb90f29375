"""The endless volume as a layer: generated where the canvas looks, in a worker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Qt, Signal

from napari_slicegan._qt.viewer.canvas_view import camera_of
from napari_slicegan._qt.viewer.layer_picture import LABELS, WHOLE_VOLUME
from napari_slicegan._qt.viewer.layers import grid_of, hide_volumes, label_colours
from napari_slicegan._qt.worker import GenerationWorker

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.utils.events import Event
    from napari.viewer import Viewer

    from napari_slicegan.generation.lazy import EndlessVolume, Spans
    from napari_slicegan.runtime.progress import Progress

PIXELS = 2
"""Of the canvas for a voxel."""
IN_3D = (
    "In 3-D an endless volume shows only what was looked at in 2-D; generate a volume "
    "of a fixed size to see a whole block."
)


def add_endless(viewer: Viewer, volume: EndlessVolume, name: str) -> Layer:
    """Add an endless volume and look at a piece near the middle of it, closely.

    The canvas shows what there is and never waits: what is missing is generated in a
    worker and appears piece by piece. Farther away, and in 3-D, it shows only what was
    looked at before.
    """
    # Loads torch.
    from napari_slicegan.generation.lazy import DeferredCut, viewer_levels

    viewer = getattr(viewer, "__wrapped__", viewer)
    hide_volumes(viewer)
    viewer.dims.ndisplay = 2
    trained = volume.plan.trained
    edge = trained.voxel_size_nm
    tiles = EndlessTiles(volume)
    levels = viewer_levels(volume, tiles.ask)
    is_large = len(levels) > 1
    data = levels if is_large else levels[0]
    options = {"name": name, "multiscale": is_large, **grid_of(edge, 3)}
    if trained.transform.kind == "phases":
        layer = viewer.add_labels(
            data, colormap=label_colours(trained.labels), opacity=1, **options
        )
    else:
        is_colour = trained.transform.kind == "colour"
        layer = viewer.add_image(
            data, rgb=is_colour, contrast_limits=_limits(volume), **options
        )
    layer.metadata[LABELS] = trained.labels
    layer.metadata[WHOLE_VOLUME] = DeferredCut(volume)
    layer.editable = False
    _serve(viewer, layer, tiles, is_large)
    _look_closely(viewer, volume.shape[:3], edge or 1.0)
    return layer


class EndlessTiles(QObject):
    """Makes the pieces of an endless volume that are looked at, one after another.

    Only those of the last view are made, the middle of it first.
    """

    made = Signal()
    """Some pieces are there; on the main thread."""
    failed = Signal(str)
    """One sentence."""
    _asked = Signal()

    def __init__(self, volume: EndlessVolume) -> None:
        super().__init__()
        self._volume = volume
        self._wanted: list[Spans] = []
        self._lock = threading.Lock()
        self._worker: GenerationWorker | None = None
        self._is_closed = self._has_failed = False
        # Asked for while napari cuts a slice, perhaps in a thread of its own.
        self._asked.connect(self._start, Qt.ConnectionType.QueuedConnection)

    @property
    def is_busy(self) -> bool:
        """Whether pieces are being made."""
        return self._worker is not None

    def ask(self, pieces: Sequence[Spans]) -> None:
        """Make these pieces instead of those that were asked for before."""
        with self._lock:
            self._wanted = [*reversed(pieces)]
        if pieces and not self._is_closed:
            self._asked.emit()

    def close(self) -> None:
        """End after the piece that is being made; no piece is made afterwards."""
        self._is_closed = True
        self.ask(())
        if self._worker is not None:
            self._worker.quit()

    def _start(self) -> None:
        if self._is_closed or self._worker is not None:
            return
        self._has_failed = False
        # Unknown to napari's list of tasks: a view is nothing to keep a window open
        # for. napari ends it all the same when the program ends.
        worker = GenerationWorker(make_pieces, self._volume, self._next)
        worker.yielded.connect(self._tell)
        worker.errored.connect(self._fail)
        worker.finished.connect(self._finish)
        self._worker = worker
        worker.start()

    def _next(self) -> Spans | None:
        with self._lock:
            return self._wanted.pop() if self._wanted else None

    def _tell(self, share: float = 1.0) -> None:
        if not self._is_closed:
            self.made.emit()

    def _fail(self, fault: Exception) -> None:
        self._has_failed = True
        self.ask(())
        if not self._is_closed:
            self.failed.emit(str(fault))

    def _finish(self) -> None:
        self._worker = None
        # The last pieces may not have been told of, and the view may have moved since.
        # What failed is tried again when the view moves, not without end.
        if not self._has_failed:
            self._tell()


def make_pieces(
    volume: EndlessVolume, next_piece: Callable[[], Spans | None], progress: Progress
) -> None:
    """Generate pieces in a worker's thread until none is wanted."""
    while (piece := next_piece()) is not None:
        volume.make(piece)
        progress(1.0)


def _serve(viewer: Viewer, layer: Layer, tiles: EndlessTiles, is_large: bool) -> None:
    """Show pieces when they are made, as long as the layer is there."""
    from napari.utils.notifications import show_error, show_info

    def renew() -> None:
        layer.refresh(extent=False)

    def explain(event: Event) -> None:
        if is_large and layer.visible and viewer.dims.ndisplay == 3:
            show_info(IN_3D)

    def end(event: Event) -> None:
        if event.value is layer:
            viewer.layers.events.removed.disconnect(end)
            viewer.dims.events.ndisplay.disconnect(explain)
            tiles.made.disconnect(renew)
            tiles.close()

    tiles.made.connect(renew)
    tiles.failed.connect(show_error)
    viewer.dims.events.ndisplay.connect(explain)
    viewer.layers.events.removed.connect(end)


def _look_closely(viewer: Viewer, shape: tuple[int, ...], edge: float) -> None:
    """Look at the middle of a piece: where four meet, each step costs four of them."""
    from napari_slicegan.generation.lazy import SLICE

    pieces = [(n, min(SLICE, n)) for n in shape]
    middle = [edge * (n // 2 // piece * piece + piece // 2) for n, piece in pieces]
    viewer.dims.set_point(range(3), middle)
    camera = camera_of(viewer)
    camera.center, camera.zoom = tuple(middle), PIXELS / edge


def _limits(volume: EndlessVolume) -> tuple[float, float]:
    """Whole range of the values; finding it out would generate them."""
    transform = volume.plan.trained.transform
    low, high = getattr(transform, "low", 0.0), getattr(transform, "high", 1.0)
    return (float(low), float(high))
