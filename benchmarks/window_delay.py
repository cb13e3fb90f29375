"""How much training disturbs the window, and the window training.

    python benchmarks/window_delay.py

opens napari with the plugin, trains `slicegan-fast` on a sandstone slice in it, and
measures for a minute by how much a timer of 10 ms comes late: that is how long a click
waits. Before and after, it trains half as long without a window and compares the steps
per second. Needs a display, such as that of xvfb-run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from napari_slicegan.sample_data import path as sample_path
from numpy.typing import NDArray

from napari_slicegan.config.presets import preset
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages

SAMPLE = "bentheimer_slice"
INTERVAL_MS = 10
WARM_UP_S = 10.0
LIMITS = {
    "median delay": (20.0, "ms"),
    "p99 delay": (50.0, "ms"),
    "longest delay": (250.0, "ms"),
    "slow-down": (1.15, "x"),
}


def main() -> int:
    """Measure, print a table, and fail if a limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--headless", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.headless:
        sys.stdout.write(f"{headless_pace(options.seconds)}\n")
        return 0
    # Before and after: the speed of a machine that is shared drifts.
    before = in_new_process(options.seconds / 2)
    delays, pace = with_window(options.seconds)
    alone = (before + in_new_process(options.seconds / 2)) / 2
    median, p99 = np.percentile(delays, [50, 99])
    numbers = (median, p99, delays.max(), alone / pace)
    measured = dict(zip(LIMITS, numbers, strict=True))
    sys.stdout.write(f"{len(delays)} ticks\n")
    sys.stdout.write(f"{alone:.2f} steps/s without a window, {pace:.2f} with it\n")
    for name, value in measured.items():
        limit, unit = LIMITS[name]
        sys.stdout.write(f"{name:14} {value:8.2f} {unit:3} (limit {limit:g})\n")
    return int(any(value > LIMITS[name][0] for name, value in measured.items()))


def in_new_process(seconds: float) -> float:
    """`headless_pace` of a process without Qt."""
    command = [sys.executable, __file__, "--headless", "--seconds", str(seconds)]
    # As the command line does: threads that wait sleep.
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment
    )
    return float(done.stdout.split()[-1])


def headless_pace(seconds: float) -> float:
    """Steps per second of the command line, measured after a warm-up."""
    from napari_slicegan.training.trainer import Trainer

    images = TrainingImages.isotropic(Micrograph.open(sample_path(SAMPLE)))
    trainer = Trainer(preset("slicegan-fast"), images)
    ends, first = time.monotonic() + WARM_UP_S + seconds, None
    for report in trainer.run():
        now = time.monotonic()
        if first is None and now > ends - seconds:
            first = (report.step, now)
        if first is not None and now > ends:
            return (report.step - first[0]) / (now - first[1])
    raise RuntimeError("The run ended before it was measured.")


def with_window(seconds: float) -> tuple[NDArray[np.float64], float]:
    """Delays of the timer in milliseconds, and the steps per second."""
    from qtpy.QtCore import QEventLoop, Qt, QTimer

    from napari_slicegan._qt.application import WindowStart, open_window

    with tempfile.TemporaryDirectory() as runs:
        start = WindowStart(
            {"z": [sample_path(SAMPLE)]}, run_root=Path(runs), train=True
        )
        viewer, widget = open_window(start)
        viewer.window.resize(1280, 800)
        ticks: list[float] = []
        steps: list[tuple[float, int]] = []
        loop = QEventLoop()
        timer = QTimer()
        timer.setTimerType(Qt.TimerType.PreciseTimer)
        timer.setInterval(INTERVAL_MS)
        timer.timeout.connect(lambda: ticks.append(time.monotonic()))

        def begin() -> None:
            timer.start()
            QTimer.singleShot(round(1000 * seconds), loop.quit)

        widget.train.reported.connect(
            lambda report: steps.append((time.monotonic(), report.step))
        )
        widget.train.run_started.connect(
            lambda trainer: QTimer.singleShot(round(1000 * WARM_UP_S), begin)
        )
        loop.exec()
        timer.stop()
        viewer.close()
    inside = [(when, step) for when, step in steps if when >= ticks[0]]
    (since, first), (until, last) = inside[0], inside[-1]
    delays = np.maximum(0, 1000 * np.diff(ticks) - INTERVAL_MS)
    return delays, (last - first) / (until - since)


if __name__ == "__main__":
    sys.exit(main())
