"""Make the pictures of the window, in the dark and in the light theme.

    xvfb-run -s "-screen 0 1280x800x24" python docs/screenshots.py

opens the sandstone slice, trains on it, generates a volume with the run that has ended
and measures it, as a user does; then it finds directions in the sample generator and
moves along one of them. On the way it photographs the five panels. With ``--run`` it
continues a run of the slice instead, for a few previews; ``--runs`` keeps the run that
is trained. Without the picture of training, the volume is that of a ready model. With
``--tour`` the way becomes an animation.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan.sample_data import model_path
from napari_slicegan.sample_data import path as sample_path
from PIL import Image
from qtpy.QtCore import QEventLoop, QTimer
from qtpy.QtWidgets import QApplication

from napari_slicegan._qt.application import WindowStart, open_window
from napari_slicegan.config.presets import preset

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_slicegan._qt.main_widget import SliceGANWidget

IMAGES = Path(__file__).parent / "images"
PANELS = ("micrograph", "training", "volume", "measure", "explore")
TOUR = IMAGES / "window-tour.webp"
# Endings of the file names; pictures of the usual theme have none.
THEMES = {"dark": "", "light": "-light"}
WIDTH, HEIGHT = 1280, 800
# Shares of the training that the tour shows; at the last one the curves have something
# to show.
SHOWN_AT = (0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6)
# Of a run that is continued.
N_PREVIEWS = 3
STRENGTHS = (-2.5, 0.0, 2.5)
SETTLE_MS = 1500
POLL_MS = 50
# Of a frame of the tour: time that it is seen, width in pixels and quality of 100.
QUICK_MS, LONG_MS = 700, 2500
TOUR_WIDTH, TOUR_QUALITY = 1120, 70


class Camera:
    """Photographs the window.

    Parameters
    ----------
    out
        Folder of the pictures.
    wanted
        Panels to take pictures of.
    tour
        File of the animation; None for none.
    """

    def __init__(
        self, viewer: Viewer, out: Path, wanted: Sequence[str], tour: Path | None
    ) -> None:
        self.wanted = {*wanted}
        self._viewer, self._out, self._tour = viewer, out, tour
        self._frames: list[Image.Image] = []
        self._durations: list[int] = []

    def picture(self, panel: str) -> None:
        """Photograph a panel in each theme when the window has come to rest."""
        self.frame(LONG_MS)
        if panel not in self.wanted:
            return
        for theme, ending in THEMES.items():
            self._viewer.theme = theme
            pause()
            # A palette: a third of the size, and no difference to be seen.
            flat = self._seen().quantize(256, dither=Image.Dither.NONE)
            flat.save(self._out / f"window-{panel}{ending}.png", optimize=True)
        self._viewer.theme = next(iter(THEMES))

    def frame(self, duration_ms: int) -> None:
        """Add what is seen to the tour, when the window has come to rest."""
        if self._tour is None:
            return
        pause()
        seen = self._seen()
        size = (TOUR_WIDTH, round(seen.height * TOUR_WIDTH / seen.width))
        self._frames.append(seen.resize(size, Image.Resampling.LANCZOS))
        self._durations.append(duration_ms)

    def save_tour(self) -> None:
        """Write the animation."""
        if self._tour is not None:
            first, *others = self._frames
            first.save(
                self._tour,
                save_all=True,
                append_images=others,
                duration=self._durations,
                loop=0,
                quality=TOUR_QUALITY,
                method=6,
            )

    def _seen(self) -> Image.Image:
        # Notices stay until the mouse has been over the window.
        for each in QApplication.allWidgets():
            if "Notification" in each.metaObject().className():
                each.close()
        seen = self._viewer.screenshot(canvas_only=False, flash=False)
        return Image.fromarray(seen).convert("RGB")


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=6, help="of training")
    parser.add_argument("--run", type=Path, help="folder of a run to continue")
    parser.add_argument("--runs", type=Path, help="folder to keep the new run in")
    parser.add_argument("--only", nargs="+", choices=PANELS, default=PANELS)
    parser.add_argument("--tour", action="store_true", help=f"also make {TOUR.name}")
    parser.add_argument(
        "--size", type=int, nargs=2, default=(WIDTH, HEIGHT), help="of the window"
    )
    parser.add_argument("--out", type=Path, default=IMAGES)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    config = preset("slicegan-fast").changed(
        minutes=options.minutes, monitor_interval=25
    )
    with tempfile.TemporaryDirectory() as folder:
        viewer, widget = open_window(
            WindowStart(config=config, run_root=options.runs or Path(folder))
        )
        viewer.window.resize(*options.size)
        tour = options.out / TOUR.name if options.tour else None
        camera = Camera(viewer, options.out, options.only, tour)
        take_pictures(viewer, widget, camera, options.run)
        camera.save_tour()
        viewer.close()


def take_pictures(
    viewer: Viewer, widget: SliceGANWidget, camera: Camera, run: Path | None
) -> None:
    """Go through the panels as a user does, no further than is wanted."""
    camera.frame(LONG_MS)
    widget.micrograph.open_files("z", [sample_path("bentheimer_slice")])
    wait_for(lambda: widget.micrograph.images() is not None)
    camera.picture("micrograph")
    if "training" in camera.wanted:
        train(widget, camera, run)
    if {"volume", "measure"} & camera.wanted:
        generate_and_measure(widget, camera)
    if "explore" in camera.wanted:
        explore(widget, camera)


def train(widget: SliceGANWidget, camera: Camera, run: Path | None) -> None:
    """Train, or continue a run for a few previews."""
    widget.show_panel("Train")
    camera.frame(LONG_MS)
    progress = [0.0]
    widget.train.reported.connect(
        lambda report: progress.__setitem__(0, report.progress)
    )
    widget.train.failed.connect(sys.exit)
    previews: list[object] = []
    widget.train.preview_made.connect(previews.append)
    if run is None:
        widget.train.start()
    else:
        widget.train.continue_run(run)

    def has_reached(share: float) -> bool:
        is_over = not widget.train.state.is_active
        return is_over or (bool(previews) and progress[0] > share)

    for share in SHOWN_AT if run is None else (0.0,) * N_PREVIEWS:
        previews.clear()
        wait_for(partial(has_reached, share))
        camera.frame(QUICK_MS)
    camera.picture("training")
    if run is not None or not {"volume", "measure"} & camera.wanted:
        widget.train.stop()
    wait_for(lambda: not widget.train.state.is_active)
    camera.frame(LONG_MS)


def generate_and_measure(widget: SliceGANWidget, camera: Camera) -> None:
    """Generate a volume with what was trained, or a ready model, and measure it."""
    widget.show_panel("Volume")
    source = widget.volume.source
    if source.value() is None and not source.is_loading:
        source.load(model_path("bentheimer"))
    made: list[object] = []
    widget.volume.volume_made.connect(made.append)
    wait_for(widget.volume.generate_button.isEnabled)
    camera.frame(QUICK_MS)
    widget.volume.generate()
    wait_for(lambda: bool(made))
    camera.picture("volume")
    if "measure" in camera.wanted:
        widget.measure.failed.connect(sys.exit)
        widget.show_panel("Measure")
        results: list[object] = []
        widget.measure.measured.connect(results.append)
        widget.measure.measure()
        wait_for(lambda: bool(results))
        camera.picture("measure")


def explore(widget: SliceGANWidget, camera: Camera) -> None:
    """Find directions in the sample generator and move along the first."""
    panel = widget.explore
    panel.failed.connect(sys.exit)
    widget.show_panel("Explore")
    panel.source.open_sample()
    wait_for(lambda: panel.fit_form.button.isEnabled())
    panel.fit()
    wait_for(lambda: panel.found is not None)
    for strength in STRENGTHS:
        panel.directions.rows[0].strength.set_value(strength)
        wait_for(lambda: not panel.live.is_busy)
        camera.frame(QUICK_MS)
    camera.picture("explore")


def pause() -> None:
    """Let the window come to rest."""
    loop = QEventLoop()
    QTimer.singleShot(SETTLE_MS, loop.quit)
    loop.exec()


def wait_for(condition: Callable[[], bool]) -> None:
    """Let the window live until something is the case."""
    loop = QEventLoop()
    timer = QTimer()
    timer.timeout.connect(lambda: loop.quit() if condition() else None)
    timer.start(POLL_MS)
    loop.exec()


if __name__ == "__main__":
    main()
