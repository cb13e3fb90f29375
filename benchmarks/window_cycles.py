"""Whether the window leaks: the same work again and again, in one process.

    xvfb-run -s "-screen 0 1280x800x24" python -m benchmarks.window_cycles --cycles 100

opens the dock in one viewer, opens a micrograph, trains three steps, stops, generates a
volume and closes the dock, N times. Every tenth cycle prints threads and memory after a
garbage collection. Fails if a thread of a cycle is left, or if the memory has grown by
more than 1 % since the 20th cycle, by which caches and pools have filled. With
``--plain`` napari shows and removes the layers of a cycle without the plugin, that many
times before and after, in the same process: what that leaves is napari's own.
"""

from __future__ import annotations

import argparse
import gc
import logging
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from napari_slicegan.sample_data import path as sample_path
from qtpy.QtCore import QEvent, QThreadPool
from qtpy.QtWidgets import QApplication

from docs.screenshots import HEIGHT, WIDTH, wait_for
from napari_slicegan._qt.main_widget import DOCK, SliceGANWidget
from napari_slicegan._qt.volume.forms import GenerationRequest
from napari_slicegan.config.presets import preset
from napari_slicegan.runtime.memory import give_back_freed_memory

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig

SAMPLE = "bentheimer_slice"
STEPS, EDGE = 3, 32
PLAIN_SHAPES = (400, 400), (EDGE,) * 3
# Rounds of the event loop by which a change is drawn.
DRAWN = 5
# By then caches and pools have filled.
SETTLED = 20
PRINTED_EVERY = 10
LARGEST_GROWTH = 0.01


@dataclass(frozen=True)
class Reading:
    """The process after a cycle.

    Attributes
    ----------
    threads
        Threads of Python that are alive.
    all_threads
        Those of libraries as well, such as idle ones of their pools.
    memory_bytes
        In RAM.
    objects
        Python objects that the garbage collector knows.
    """

    cycle: int
    threads: int
    all_threads: int
    memory_bytes: int
    objects: int = 0

    def __str__(self) -> str:
        """One line of the table."""
        return (
            f"{self.cycle:6d} {self.threads:8d} {self.all_threads:12d} "
            f"{self.memory_bytes / 1e6:10.1f} MB {self.objects:9d}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cycles, print a table, and fail if something is left behind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--plain", type=int, default=0, metavar="N")
    options = parser.parse_args(arguments)
    import napari

    logging.getLogger("napari_slicegan").setLevel(logging.ERROR)
    viewer = napari.Viewer(title="Cycles")
    viewer.window.resize(WIDTH, HEIGHT)
    with tempfile.TemporaryDirectory() as runs:
        parts = {
            "napari alone": cycles(viewer, options.plain, Path(runs), plain_cycle),
            "with the plugin": cycles(viewer, options.cycles, Path(runs)),
            "napari alone, again": cycles(
                viewer, options.plain, Path(runs), plain_cycle
            ),
        }
    viewer.close()
    for name, readings in parts.items():
        if options.plain and len(readings) > 2:
            sys.stdout.write(f"{name}: {growth(readings)}\n")
    fault = verdict(parts["with the plugin"])
    sys.stdout.write(f"{fault or 'Nothing is left behind.'}\n")
    return int(bool(fault))


def cycles(
    viewer: Any,
    count: int,
    runs: Path,
    cycle: Callable[[Any, Path], None] | None = None,
) -> list[Reading]:
    """Readings after each cycle; every tenth is printed, and the first and last."""
    if count:
        titles = ("cycle", 6), ("threads", 8), ("with pools", 12), ("memory", 13)
        line = " ".join(f"{title:>{width}}" for title, width in titles)
        sys.stdout.write(f"{line} {'objects':>9}\n")
    readings = []
    for number in range(1, count + 1):
        (cycle or one_cycle)(viewer, runs / str(number))
        reading = read(number)
        readings.append(reading)
        if number % PRINTED_EVERY == 0 or number in (1, count):
            sys.stdout.write(f"{reading}\n")
            sys.stdout.flush()
    return readings


def one_cycle(viewer: Any, runs: Path) -> None:
    """From the opened dock to the closed one."""
    widget = SliceGANWidget(viewer)
    viewer.window.add_dock_widget(widget, name=DOCK, area="right")
    widget.train.location.set_value(runs)
    widget.train.set_value(settings())
    widget.micrograph.open_files("z", [sample_path(SAMPLE)])
    wait_for(lambda: widget.micrograph.images() is not None)
    train(widget)
    wait_for(widget.volume.generate_button.isEnabled)
    made: list[object] = []
    widget.volume.volume_made.connect(made.append)
    widget.volume.failed.connect(made.append)
    widget.show_panel("Volume")
    widget.volume.set_value(GenerationRequest((EDGE,) * 3))
    widget.volume.generate_button.click()
    wait_for(lambda: bool(made) and not widget.volume.task.is_busy)
    if isinstance(made[0], str):
        raise RuntimeError(made[0])
    viewer.window.remove_dock_widget(widget)
    widget.deleteLater()
    viewer.layers.clear()


def plain_cycle(viewer: Any, runs: Path) -> None:
    """Layers like those of `one_cycle`, shown and removed by napari alone."""
    noise = np.random.default_rng(0)
    flat, solid = (noise.integers(0, 2, shape, np.uint8) for shape in PLAIN_SHAPES)
    shown = {"scale": (2.5,) * 3, "units": ("nm",) * 3, "axis_labels": ("z", "y", "x")}
    viewer.add_labels(flat, **{key: value[1:] for key, value in shown.items()})
    _draw()
    viewer.layers[0].visible = False
    viewer.dims.ndisplay = 3
    preview = viewer.add_image(solid, **shown)
    _draw()
    preview.data = solid.copy()
    _draw()
    preview.visible = False
    volume = viewer.add_labels(solid, **shown)
    _draw()
    for normal in np.eye(3):
        plane = {"position": (EDGE / 2,) * 3, "normal": normal, "thickness": 1}
        made = viewer.add_image(solid, depiction="plane", plane=plane, **shown)
    made.bounding_box.visible = True
    volume.visible = False
    _draw()
    viewer.dims.ndisplay = 2
    viewer.layers.clear()


def _draw() -> None:
    for _ in range(DRAWN):
        QApplication.processEvents()


def train(widget: SliceGANWidget) -> None:
    """Train some steps and stop."""
    widget.show_panel("Train")
    steps: list[int] = []
    faults: list[str] = []
    widget.train.reported.connect(lambda report: steps.append(report.step))
    widget.train.failed.connect(faults.append)
    widget.train.controls.start.click()
    wait_for(lambda: bool(faults) or bool(steps and steps[-1] >= STEPS))
    widget.train.controls.stop.click()
    wait_for(lambda: widget.train.worker is None)
    if faults:
        raise RuntimeError(faults[0])


def settings() -> RunConfig:
    """Networks that train a step in milliseconds, for a run that is stopped."""
    return preset("slicegan-fast").changed(
        patch_size=32,
        latent_channels=4,
        generator_widths=(8, 8, 8),
        critic_widths=(8, 8, 8),
        critic_slices=4,
        generator_slices=4,
        steps=10**6,
        minutes=None,
        monitor_interval=STEPS,
        device="cpu",
        threads=1,
    )


def read(cycle: int) -> Reading:
    """Count threads and memory, after all that is free has been released."""
    QApplication.processEvents()
    _dismiss_notices()
    pool = QThreadPool.globalInstance()
    if pool is not None:
        pool.waitForDone(10_000)
        pool.clear()
    # Deleted widgets first, then what only they held.
    for _ in range(3):
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        QApplication.processEvents()
        gc.collect()
    give_back_freed_memory()
    process = psutil.Process()
    alive = [
        thread
        for thread in threading.enumerate()
        # Threads of Qt, which Python once saw, are listed for ever.
        if not isinstance(thread, threading._DummyThread)  # noqa: SLF001 no other way
    ]
    return Reading(
        cycle,
        len(alive),
        process.num_threads(),
        process.memory_info().rss,
        len(gc.get_objects()),
    )


def _dismiss_notices() -> None:
    """As a user does: napari keeps them while its window is not the active one.

    Without a window manager, as under Xvfb, it never is.
    """
    from napari._qt.dialogs.qt_notification import NapariQtNotification
    from napari.utils.notifications import notification_manager

    for widget in QApplication.allWidgets():
        if isinstance(widget, NapariQtNotification):
            widget.close()
    notification_manager.records.clear()


def growth(readings: Sequence[Reading]) -> str:
    """What each cycle of the second half has left, in words."""
    first, last = readings[len(readings) // 2 - 1], readings[-1]
    n = last.cycle - first.cycle
    memory = (last.memory_bytes - first.memory_bytes) / n / 1e6
    objects = (last.objects - first.objects) / n
    return (
        f"{memory:+.3f} MB and {objects:+.1f} objects per cycle, "
        f"from cycle {first.cycle} to {last.cycle}"
    )


def verdict(readings: Sequence[Reading]) -> str:
    """What was left behind, in a sentence; empty if nothing was."""
    first, last = readings[0], readings[-1]
    if last.threads > first.threads:
        return f"{last.threads - first.threads} threads are left after the cycles."
    settled = next((one for one in readings if one.cycle == SETTLED), last)
    growth = last.memory_bytes / settled.memory_bytes - 1
    if growth > LARGEST_GROWTH:
        return (
            f"The memory has grown by {100 * growth:.1f} % since cycle {SETTLED} "
            f"(limit {100 * LARGEST_GROWTH:g} %)."
        )
    return ""


if __name__ == "__main__":
    sys.exit(main())
