"""napari with the plugin docked: what ``slicegan gui`` opens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import napari

from napari_slicegan._qt.main_widget import DOCK, SliceGANWidget
from napari_slicegan._qt.viewer import layers
from napari_slicegan._qt.volume.forms import GenerationRequest
from napari_slicegan._qt.worker import task_worker
from napari_slicegan.config import MicrographSettings
from napari_slicegan.data.image_files import read_image
from napari_slicegan.data.micrograph import open_all
from napari_slicegan.training.clock import FinishReason
from napari_slicegan.volumes.volume import Volume

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_slicegan.config import Axis, RunConfig
    from napari_slicegan.generation.generate import Size

TITLE = "SliceGAN"
LARGE_BYTES = 2**25
UNFINISHED = (FinishReason.STOPPED, FinishReason.DIVERGED)

Measure = Callable[[Volume], str]


@dataclass(frozen=True)
class WindowStart:
    """Initial state of the window.

    Attributes
    ----------
    images
        Files by viewing direction; z alone is an isotropic material.
    run
        Run folder or generator for the Volume panel.
    folder
        Folder of images to train an image generator on.
    volume
        Volume file to display.
    config
        Settings of the next run; None for the defaults of the panels.
    inherited
        Those of them that were made for other images, and need not fit these.
    run_root
        Folder for new runs; None for the default of the panel.
    train
        Whether training starts as soon as the images are ready.
    generate
        Size in voxels and seed of a volume to generate after that training; skipped if
        the training is stopped.
    """

    images: Mapping[Axis, Sequence[Path]] = field(default_factory=dict)
    run: Path | None = None
    folder: Path | None = None
    volume: Path | None = None
    config: RunConfig | None = None
    inherited: frozenset[str] = frozenset()
    run_root: Path | None = None
    train: bool = False
    generate: tuple[Size, int] | None = None


def run_window(start: WindowStart, measure: Measure | None = None) -> None:
    """Open the window and block until it is closed.

    Parameters
    ----------
    measure
        Called with the first generated volume in a background thread; the window shows
        the returned text.

    Raises
    ------
    ValueError
        If a file cannot be read.
    """
    _, widget = open_window(start)
    if measure is not None:
        _measure_first(widget, measure)
    napari.run()


def open_window(
    start: WindowStart = WindowStart(),
) -> tuple[Viewer, SliceGANWidget]:
    """Open napari with the plugin docked.

    Raises
    ------
    ValueError
        If a file cannot be read.
    """
    # Raise before the window opens; the panels would only show a message.
    _check_files(start)
    viewer = napari.Viewer(title=TITLE)
    widget = SliceGANWidget(viewer)
    viewer.window.add_dock_widget(widget, name=DOCK, area="right")
    fill(viewer, widget, start)
    return viewer, widget


def fill(viewer: Viewer, widget: SliceGANWidget, start: WindowStart) -> None:
    """Apply a start state; training starts when the images are ready."""
    if start.config is not None:
        widget.train.set_value(start.config)
        must_fit = not start.inherited
        widget.micrograph.set_value(start.config.micrograph, must_fit=must_fit)
    if start.run_root is not None:
        widget.train.location.set_value(start.run_root)
    widget.train.data.folder.set_value(start.folder)
    if len(start.images) > 1:
        widget.micrograph.anisotropic.setChecked(True)
    for axis, paths in start.images.items():
        if paths:
            widget.micrograph.open_files(axis, paths)
    if start.volume is not None:
        layers.add_volume(viewer, Volume.open(start.volume))
    if start.run is not None:
        widget.volume.set_run(start.run)
        widget.show_panel("Volume")
    if start.generate is not None:
        size, seed = start.generate
        _generate_when_trained(widget, GenerationRequest(size, seed=seed))
    if start.train:
        widget.train_when_ready()


def _check_files(start: WindowStart) -> None:
    paths = [path for of_axis in start.images.values() for path in of_axis]
    settings = MicrographSettings() if start.config is None else start.config.micrograph
    if not all(map(_is_quick, paths)):
        # The window opens first, and its panel reads them in a thread.
        paths = [path for path in paths if not path.exists()]
    open_all(paths, settings, read_image, optional=start.inherited)
    if start.run is not None:
        from napari_slicegan.models.generator_file import load_any_generator

        load_any_generator(start.run)
    if start.volume is not None:
        Volume.open(start.volume)


def _is_quick(path: Path) -> bool:
    """Whether a file is read, or found missing, at once; not so a folder of slices."""
    return not path.exists() or (path.is_file() and path.stat().st_size < LARGE_BYTES)


def _generate_when_trained(widget: SliceGANWidget, request: GenerationRequest) -> None:
    """Generate after the first run only."""
    source = widget.volume.source

    def trained(reason: FinishReason, path: Path) -> None:
        widget.train.run_finished.disconnect(trained)
        if reason not in UNFINISHED:
            widget.show_panel("Volume")
            source.changed.connect(loaded)

    def loaded() -> None:
        if source.value() is not None and not source.is_loading:
            source.changed.disconnect(loaded)
            widget.volume.set_value(request)
            widget.volume.generate()

    widget.train.run_finished.connect(trained)


def _measure_first(widget: SliceGANWidget, measure: Measure) -> None:
    """Measure the first volume and show the result; closing does not wait."""
    message = widget.volume.message

    def begin(volume: Volume) -> None:
        widget.volume.volume_made.disconnect(begin)
        message.show_text("Measuring the volume against the material ...")
        worker = task_worker(lambda progress: measure(volume))
        worker.returned.connect(message.show_text)
        worker.errored.connect(lambda fault: message.show_error(str(fault)))
        widget.closed.connect(worker.abandon)
        worker.start()

    widget.volume.volume_made.connect(begin)
