"""The endless volume as a layer: tiles in view are generated in a worker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt, Signal

from napari_slicegan._qt.viewer.canvas_view import camera_of
from napari_slicegan._qt.viewer.layer_picture import (
    WHOLE_VOLUME,
    label_options,
    phase_colours,
)
from napari_slicegan._qt.viewer.layers import (
    NOTHING,
    about_phases,
    grid_of,
    hide_own,
    show_alone,
    show_scale_bar,
    unwrapped,
)
from napari_slicegan._qt.worker import GenerationWorker

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.utils.events import Event
    from napari.viewer import Viewer

    from napari_slicegan.generation.lazy import EndlessVolume, Spans
    from napari_slicegan.runtime.progress import Progress

PIXELS = 2
"""Canvas pixels per voxel."""
IN_3D = (
    "In 3-D an endless volume shows only the parts already viewed in 2-D; generate a "
    "volume of fixed size to see a whole block."
)


def add_endless(
    viewer: Viewer,
    volume: EndlessVolume,
    name: str,
    metadata: Mapping[str, Any] = NOTHING,
) -> Layer:
    """Add an endless volume and zoom in on a tile near its middle.

    The canvas never waits: missing tiles are generated in a worker and appear one by
    one. Zoomed out, and in 3-D, it shows only tiles that were already generated.
    """
    # Loads torch.
    from napari_slicegan.generation.lazy import DeferredCut, viewer_levels

    viewer = unwrapped(viewer)
    hide_own(viewer)
    # Before the layer is sliced.
    viewer.dims.ndisplay = 2
    trained = volume.plan.trained
    edge = trained.voxel_size_nm
    if edge is not None:
        show_scale_bar(viewer)
    tiles = EndlessTiles(volume)
    levels = viewer_levels(volume, tiles.request)
    is_large = len(levels) > 1
    data = levels if is_large else levels[0]
    about = {**about_phases(trained), WHOLE_VOLUME: DeferredCut(volume), **metadata}
    options = {
        "name": name,
        "multiscale": is_large,
        "metadata": about,
        **grid_of(edge, 3),
    }
    if trained.transform.kind == "phases":
        colours = phase_colours(trained.labels, trained.colours)
        layer = viewer.add_labels(data, **options, **label_options(colours))
    else:
        is_colour = trained.transform.kind == "colour"
        layer = viewer.add_image(
            data, rgb=is_colour, contrast_limits=_limits(volume), **options
        )
    layer.editable = False
    _serve(viewer, layer, tiles, is_large)
    show_alone(viewer, layer, 2)
    _zoom_in(viewer, volume.shape[:3], edge or 1.0)
    return layer


class EndlessTiles(QObject):
    """Generates the tiles in view of an endless volume, one after another.

    Only tiles of the newest view are generated, its middle first.
    """

    made = Signal()
    """New tiles are ready; emitted on the main thread."""
    failed = Signal(str)
    """One sentence."""
    _requested = Signal()

    def __init__(self, volume: EndlessVolume) -> None:
        super().__init__()
        self._volume = volume
        self._queue: list[Spans] = []
        self._lock = threading.Lock()
        self._worker: GenerationWorker | None = None
        self._is_closed = self._has_failed = False
        # Emitted while napari slices, possibly in another thread.
        self._requested.connect(self._start, Qt.ConnectionType.QueuedConnection)

    @property
    def is_busy(self) -> bool:
        """Whether tiles are being generated."""
        return self._worker is not None

    def request(self, pieces: Sequence[Spans]) -> None:
        """Generate these tiles in place of earlier requests."""
        with self._lock:
            self._queue = [*reversed(pieces)]
        if pieces and not self._is_closed:
            self._requested.emit()

    def close(self) -> None:
        """Stop after the current tile."""
        self._is_closed = True
        self.request(())
        if self._worker is not None:
            self._worker.quit()

    def _start(self) -> None:
        if self._is_closed or self._worker is not None:
            return
        self._has_failed = False
        # Not registered with napari, so closing needs no confirmation; napari still
        # ends the worker when the program ends.
        worker = GenerationWorker(make_pieces, self._volume, self._next)
        worker.yielded.connect(self._report)
        worker.errored.connect(self._fail)
        worker.finished.connect(self._finish)
        self._worker = worker
        worker.start()

    def _next(self) -> Spans | None:
        with self._lock:
            return self._queue.pop() if self._queue else None

    def _report(self, share: float = 1.0) -> None:
        if not self._is_closed:
            self.made.emit()

    def _fail(self, fault: Exception) -> None:
        self._has_failed = True
        self.request(())
        if not self._is_closed:
            self.failed.emit(str(fault))

    def _finish(self) -> None:
        self._worker = None
        # Report the last tiles; the view may have moved since. A failed tile is tried
        # again only when the view moves.
        if not self._has_failed:
            self._report()


def make_pieces(
    volume: EndlessVolume, next_piece: Callable[[], Spans | None], progress: Progress
) -> None:
    """Generate tiles in a worker thread until the queue is empty."""
    while (piece := next_piece()) is not None:
        volume.make(piece)
        progress(1.0)


def _serve(viewer: Viewer, layer: Layer, tiles: EndlessTiles, is_large: bool) -> None:
    """Refresh the layer when tiles are ready, until it is removed."""
    from napari.utils.notifications import show_error, show_info

    def refresh() -> None:
        layer.refresh(extent=False)

    def explain(event: Event) -> None:
        if is_large and layer.visible and viewer.dims.ndisplay == 3:
            show_info(IN_3D)

    def end(event: Event) -> None:
        if event.value is layer:
            viewer.layers.events.removed.disconnect(end)
            viewer.dims.events.ndisplay.disconnect(explain)
            tiles.made.disconnect(refresh)
            tiles.close()

    tiles.made.connect(refresh)
    tiles.failed.connect(show_error)
    viewer.dims.events.ndisplay.connect(explain)
    viewer.layers.events.removed.connect(end)


def _zoom_in(viewer: Viewer, shape: tuple[int, ...], edge: float) -> None:
    """Zoom in on the middle of a tile: at a corner each view would need four."""
    from napari_slicegan.generation.lazy import SLICE

    pieces = [(n, min(SLICE, n)) for n in shape]
    middle = [edge * (n // 2 // piece * piece + piece // 2) for n, piece in pieces]
    viewer.dims.set_point(range(3), middle)
    camera = camera_of(viewer)
    camera.center, camera.zoom = tuple(middle), PIXELS / edge


def _limits(volume: EndlessVolume) -> tuple[float, float]:
    """Full range of the values; measuring it would generate them."""
    transform = volume.plan.trained.transform
    low, high = getattr(transform, "low", 0.0), getattr(transform, "high", 1.0)
    return (float(low), float(high))
