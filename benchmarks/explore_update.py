"""How soon the volume follows a slider of the Explore panel.

    python benchmarks/explore_update.py

opens napari with the plugin and the sample generator, moves a slider again and again,
and measures the time until the layer holds the new volume, and until it is drawn: for
the whole volume of 64^3 voxels, and for what is shown while the slider is dragged
through one of 128^3. Needs a display, such as that of xvfb-run.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QEventLoop
from qtpy.QtWidgets import QApplication

from napari_slicegan._qt.application import WindowStart, open_window
from napari_slicegan._qt.explore.jobs import measured
from napari_slicegan.directions import fit_directions

if TYPE_CHECKING:
    from qtpy.QtCore import SignalInstance

    from napari_slicegan._qt.explore.panel import ExplorePanel

LIMIT_S = 0.3
WARM_UPS = 3
Row = tuple[str, list[float], list[float]]


def main() -> int:
    """Measure, print a table, and fail if the whole volume takes too long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moves", type=int, default=20)
    options = parser.parse_args()
    viewer, widget = open_window(WindowStart())
    widget.show_panel("Explore")
    panel = widget.explore
    until(panel.measured, panel.source.open_sample)
    trained = panel.trained
    if trained is None:
        raise RuntimeError("The sample generator was not loaded.")
    found = fit_directions(trained, n_components=1, n_samples=100)
    panel.set_found(measured(trained, found, lambda share: None, anew=False))
    rows = [row(panel, "64^3, let go", 64, options.moves, dragged=False)]
    rows.append(row(panel, "128^3, dragged", 128, options.moves, dragged=True))
    sys.stdout.write(f"{'volume':16}{'in the layer':>14}{'drawn':>10}   (median)\n")
    for name, made, drawn in rows:
        sys.stdout.write(f"{name:16}{np.median(made):12.3f} s{np.median(drawn):8.3f} s")
        sys.stdout.write(f"   worst {max(made):.3f} s\n")
    viewer.close()
    slow = float(np.median(rows[0][1])) > LIMIT_S
    sys.stdout.write(f"limit of 64^3 in the layer: {LIMIT_S} s\n")
    return int(slow)


def row(panel: ExplorePanel, name: str, edge: int, moves: int, *, dragged: bool) -> Row:
    """Seconds until the layer has the volume and until it is drawn, of each move."""
    until(
        panel.measured,
        lambda: panel.set_value(replace(panel.value(), size=(edge,) * 3, seed=edge)),
    )
    slider = panel.directions.rows[0].strength.slider
    slider.setSliderDown(dragged)
    made, drawn = [], []
    for number in range(moves + WARM_UPS):
        start = time.perf_counter()
        until(panel.explored, lambda n=number: slider.setValue(10 + n % 20))
        made.append(time.perf_counter() - start)
        QApplication.processEvents()
        drawn.append(time.perf_counter() - start)
        # Properties are measured afterwards; they are not waited for by a user.
        while panel.live.is_busy:
            QApplication.processEvents()
    slider.setSliderDown(False)
    return name, made[WARM_UPS:], drawn[WARM_UPS:]


def until(signal: SignalInstance, act: Callable[[], object]) -> None:
    """Do something and let the window live until it is answered."""
    loop = QEventLoop()
    signal.connect(loop.quit)
    act()
    loop.exec()
    signal.disconnect(loop.quit)


if __name__ == "__main__":
    sys.exit(main())
