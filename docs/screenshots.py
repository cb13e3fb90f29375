"""Make the pictures of the window, in the dark and in the light theme.

    xvfb-run -s "-screen 0 1280x800x24" python docs/screenshots.py

opens the sandstone slice, trains on it, generates a volume with the run that has ended
and measures it, as a user does; then it finds directions in the sample generator and
moves along one of them. On the way it photographs the five panels. With ``--run`` it
continues a run of the slice instead, until its next preview.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan.sample_data import path as sample_path
from PIL import Image
from qtpy.QtCore import QEventLoop, QTimer

from napari_slicegan._qt.application import WindowStart, open_window
from napari_slicegan.config.presets import preset

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_slicegan._qt.main_widget import SliceGANWidget

IMAGES = Path(__file__).parent / "images"
PANELS = ("micrograph", "training", "volume", "measure", "explore")
# Endings of the file names; pictures of the usual theme have none.
THEMES = {"dark": "", "light": "-light"}
WIDTH, HEIGHT = 1280, 800
# Share of the training after which the curves have something to show.
SHOWN_AT = 0.6
STRENGTH = 2.5
SETTLE_MS = 1500
POLL_MS = 50


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=4.75, help="of training")
    parser.add_argument("--run", type=Path, help="folder of a run to continue")
    parser.add_argument("--only", nargs="+", choices=PANELS, default=PANELS)
    parser.add_argument("--out", type=Path, default=IMAGES)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    config = preset("slicegan-fast").changed(
        minutes=options.minutes, monitor_interval=25
    )
    with tempfile.TemporaryDirectory() as runs:
        viewer, widget = open_window(
            WindowStart(
                images={"z": [sample_path("bentheimer_slice")]},
                config=config,
                run_root=Path(runs),
            )
        )
        viewer.window.resize(WIDTH, HEIGHT)
        take_pictures(viewer, widget, options.out, options.only, options.run)
        viewer.close()


def take_pictures(
    viewer: Viewer,
    widget: SliceGANWidget,
    out: Path,
    wanted: Sequence[str],
    run: Path | None,
) -> None:
    """Go through the panels as a user does, no further than is wanted."""
    wait_for(lambda: widget.micrograph.images() is not None)
    if "micrograph" in wanted:
        picture(viewer, out / "window-micrograph.png")
    if {"training", "volume", "measure"} & {*wanted}:
        train_and_generate(viewer, widget, out, wanted, run)
    if "explore" in wanted:
        explore(viewer, widget)
        picture(viewer, out / "window-explore.png")


def train_and_generate(
    viewer: Viewer,
    widget: SliceGANWidget,
    out: Path,
    wanted: Sequence[str],
    run: Path | None,
) -> None:
    """Train, make a volume with the run, and measure it."""
    widget.show_panel("Train")
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
    wait_for(
        lambda: (
            (progress[0] > SHOWN_AT and bool(previews))
            or not widget.train.state.is_active
        )
    )
    if "training" in wanted:
        picture(viewer, out / "window-training.png")
    has_volume = bool({"volume", "measure"} & {*wanted})
    if run is not None or not has_volume:
        widget.train.stop()
    wait_for(lambda: not widget.train.state.is_active)
    if has_volume:
        made: list[object] = []
        widget.volume.volume_made.connect(made.append)
        widget.show_panel("Volume")
        wait_for(widget.volume.generate_button.isEnabled)
        widget.volume.generate()
        wait_for(lambda: bool(made))
    if "volume" in wanted:
        picture(viewer, out / "window-volume.png")
    if "measure" in wanted:
        widget.measure.failed.connect(sys.exit)
        widget.show_panel("Measure")
        results: list[object] = []
        widget.measure.measured.connect(results.append)
        widget.measure.measure()
        wait_for(lambda: bool(results))
        picture(viewer, out / "window-measure.png")


def explore(viewer: Viewer, widget: SliceGANWidget) -> None:
    """Find directions in the sample generator and move along the first."""
    panel = widget.explore
    panel.failed.connect(sys.exit)
    widget.show_panel("Explore")
    panel.source.open_sample()
    wait_for(lambda: panel.fit_form.button.isEnabled())
    panel.fit()
    wait_for(lambda: panel.found is not None)
    panel.directions.rows[0].strength.set_value(STRENGTH)
    wait_for(lambda: not panel.live.is_busy)


def picture(viewer: Viewer, path: Path) -> None:
    """Photograph the window in each theme when it has come to rest."""
    for theme, ending in THEMES.items():
        viewer.theme = theme
        loop = QEventLoop()
        QTimer.singleShot(SETTLE_MS, loop.quit)
        loop.exec()
        name = f"{path.stem}{ending}{path.suffix}"
        seen = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False))
        # A palette: a third of the size, and no difference to be seen.
        flat = seen.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        flat.save(path.with_name(name), optimize=True)
    viewer.theme = next(iter(THEMES))


def wait_for(condition: Callable[[], bool]) -> None:
    """Let the window live until something is the case."""
    loop = QEventLoop()
    timer = QTimer()
    timer.timeout.connect(lambda: loop.quit() if condition() else None)
    timer.start(POLL_MS)
    loop.exec()


if __name__ == "__main__":
    main()
