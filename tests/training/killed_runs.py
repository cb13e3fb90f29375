"""Trains toy runs and kills them: ``python -m tests.training.killed_runs FOLDER``.

Each run is a child of this process, which has loaded torch once for all of them.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.training.trainer import Trainer
from tests.toys import phases_image, small_config

if TYPE_CHECKING:
    from collections.abc import Callable

# Opening, renaming or removing a file: fourteen of them in each save.
FILE_EVENTS = ("open", "os.rename", "os.remove")
# Every third one of them.
EVENTS = range(2, 15, 3)
N_WRITTEN = 2
# Spread over a step and its save, which take about 0.1 s.
DELAYS_S = (0.0, 0.071)


def kill_at_event(number: int) -> None:
    """Let this process die at the n-th use of a file from now on."""
    counter = itertools.count(1)

    def hook(event: str, arguments: Any) -> None:
        if event in FILE_EVENTS and next(counter) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def run(path: Path, after_two_steps: Callable[[], None], steps: int = 500) -> None:
    """Train with a checkpoint after each step, for longer than it may live."""
    config = small_config().changed(
        steps=steps, checkpoint_minutes=1e-9, monitor_interval=2
    )
    images = TrainingImages.isotropic(phases_image(40, 48))
    for report in Trainer.start(config, images, path).run():
        if report.step == 2:
            after_two_steps()


def killed_at_event(path: Path, number: int) -> None:
    """A run that dies at the n-th use of a file after its second step."""
    child = os.fork()
    if child == 0:
        run(path, lambda: kill_at_event(number))
    os.waitpid(child, 0)


def has_content(folder: Path, name: str) -> bool:
    """Whether a file is there, also under its temporary name, and not empty."""
    # Files come and go while the folder is read.
    with contextlib.suppress(FileNotFoundError):
        files = [entry for entry in os.scandir(folder) if name in entry.name]
        return any(entry.stat().st_size for entry in files)
    return False


def killed_when_written(path: Path) -> None:
    """A run that dies while its third checkpoint is being written."""
    child = os.fork()
    if child == 0:
        run(path, lambda: None)
    while not has_content(path, "checkpoint-0000003.pt"):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def killed_after(path: Path, delay_s: float) -> None:
    """A run that dies some time after its first save."""
    child = os.fork()
    if child == 0:
        run(path, lambda: None)
    while not (path / "generator.safetensors").exists():
        time.sleep(0.001)
    time.sleep(delay_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    # The first step of a process takes seconds; the children inherit what it sets up.
    run(folder / "first", lambda: None, steps=2)
    for event_number in EVENTS:
        killed_at_event(folder / f"event-{event_number}", event_number)
    for number in range(N_WRITTEN):
        killed_when_written(folder / f"written-{number}")
    for delay in DELAYS_S:
        killed_after(folder / f"delay-{delay}", delay)
