"""Make the pictures of the window: training in progress, and a volume with its slices.

    xvfb-run -s "-screen 0 1280x1024x24" python docs/screenshots.py

trains on the sandstone slice until the curves have something to show, pauses, takes the
picture, ends the run, generates a volume and takes the second one.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan.sample_data import path as sample_path
from qtpy.QtCore import QEventLoop, QTimer

from napari_slicegan._qt.application import WindowStart, open_window
from napari_slicegan.presets import preset

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_slicegan._qt.main_widget import SliceGANWidget

IMAGES = Path(__file__).parent / "images"
WIDTH, HEIGHT = 1280, 800
SETTLE_MS = 1500
POLL_MS = 50


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=4.75, help="of training")
    parser.add_argument("--out", type=Path, default=IMAGES)
    parser.add_argument("--theme", default="dark")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    config = preset("slicegan-fast").changed(minutes=options.minutes, monitor_every=25)
    with tempfile.TemporaryDirectory() as runs:
        viewer, widget = open_window(
            WindowStart(
                images={"z": [sample_path("bentheimer_slice")]},
                config=config,
                run_root=Path(runs),
            )
        )
        viewer.theme = options.theme
        viewer.window.resize(WIDTH, HEIGHT)
        take_pictures(viewer, widget, options.out)
        viewer.close()


def take_pictures(viewer: Viewer, widget: SliceGANWidget, out: Path) -> None:
    """Go through the panels as a user does."""
    wait_for(lambda: widget.micrograph.images() is not None)
    picture(viewer, out / "window-micrograph.png")
    widget.show_panel("Train")
    progress = [0.0]
    widget.train.reported.connect(
        lambda report: progress.__setitem__(0, report.progress)
    )
    widget.train.start()
    wait_for(lambda: progress[0] > 0.75)
    picture(viewer, out / "window-training.png")
    wait_for(lambda: not widget.train.state.is_active)
    made: list[object] = []
    widget.volume.volume_made.connect(made.append)
    widget.show_panel("Volume")
    wait_for(widget.volume.generate_button.isEnabled)
    widget.volume.generate()
    wait_for(lambda: bool(made))
    picture(viewer, out / "window-volume.png")


def picture(viewer: Viewer, path: Path) -> None:
    """Photograph the window when it has come to rest."""
    loop = QEventLoop()
    QTimer.singleShot(SETTLE_MS, loop.quit)
    loop.exec()
    viewer.screenshot(str(path), canvas_only=False, flash=False)


def wait_for(condition: Callable[[], bool]) -> None:
    """Let the window live until something is the case."""
    loop = QEventLoop()
    timer = QTimer()
    timer.timeout.connect(lambda: loop.quit() if condition() else None)
    timer.start(POLL_MS)
    loop.exec()


if __name__ == "__main__":
    main()
