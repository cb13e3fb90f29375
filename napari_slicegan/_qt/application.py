"""napari with the plugin docked: what ``slicegan gui`` opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import napari

from napari_slicegan._qt import layers
from napari_slicegan._qt.main_widget import SliceGANWidget
from napari_slicegan.volume import Volume

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_slicegan.config import Axis, RunConfig

TITLE = "SliceGAN"


@dataclass(frozen=True)
class WindowStart:
    """What the window shows when it opens.

    Attributes
    ----------
    images
        Files by viewing direction; z alone is an isotropic material.
    run
        Run folder or generator for the Volume panel.
    volume
        File of a volume to look at.
    config
        Settings of the next run; the panels' own defaults for None.
    run_root
        Folder in which runs are kept; the panel's own default for None.
    train
        Whether training starts as soon as the images are ready.
    """

    images: Mapping[Axis, Sequence[Path]] = field(default_factory=dict)
    run: Path | None = None
    volume: Path | None = None
    config: RunConfig | None = None
    run_root: Path | None = None
    train: bool = False


def run_window(start: WindowStart) -> None:
    """Open the window and stay until it is closed."""
    open_window(start)
    napari.run()


def open_window(
    start: WindowStart = WindowStart(), *, show: bool = True
) -> tuple[Viewer, SliceGANWidget]:
    """Open napari with the plugin docked.

    Raises
    ------
    ValueError
        If a file cannot be read.
    """
    viewer = napari.Viewer(title=TITLE, show=show)
    widget = SliceGANWidget(viewer)
    viewer.window.add_dock_widget(widget, name=TITLE, area="right")
    fill(viewer, widget, start)
    return viewer, widget


def fill(viewer: Viewer, widget: SliceGANWidget, start: WindowStart) -> None:
    """Show what is wanted; training starts when the images are ready."""
    if start.config is not None:
        widget.train.set_value(start.config)
        widget.micrograph.set_value(start.config.micrograph)
    if start.run_root is not None:
        widget.train.set_run_root(start.run_root)
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
    if start.train:
        _train_when_ready(widget)


def _train_when_ready(widget: SliceGANWidget) -> None:
    """Start once; images that come later are the user's affair."""

    def begin(images: object, settings: object) -> None:
        if images is not None:
            widget.micrograph.images_changed.disconnect(begin)
            widget.show_panel("Train")
            widget.train.start()

    widget.micrograph.images_changed.connect(begin)
