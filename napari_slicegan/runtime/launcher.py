"""The process that started this one, such as ``torchrun``; needs no torch."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time

import psutil

VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Set by ``torchrun`` and other launchers in the environment of each process."""

PARENT = "SLICEGAN_PARENT"
"""Set for a program that must not outlive the process of this number."""
TORCHRUN = "TORCHELASTIC_RUN_ID"
LOOK_EVERY_S = 0.5


class AllRanksError(ValueError):
    """An error raised in all processes of a run, so that one of them may report it."""


def is_launched() -> bool:
    """Whether a launcher started this process as one of several."""
    is_set = all(name in os.environ for name in VARIABLES)
    return is_set and int(os.environ["WORLD_SIZE"]) > 1


def is_main_process() -> bool:
    """Whether this process is the one that writes and prints."""
    return not is_launched() or int(os.environ["RANK"]) == 0


def local_processes() -> int:
    """Number of processes of this run on this machine; 1 where it is not known."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if is_launched() else 1


def end_with_parent() -> None:
    """End this program when the process that answers for it has gone.

    Programs of a batch and of torchrun are stopped by it, but not if it is killed: they
    would train on for hours, where nobody waits for them. They get SIGTERM, so that a
    run is saved.
    """
    parent = os.environ.pop(PARENT, "")
    if not parent and TORCHRUN in os.environ:
        parent = str(os.getppid())
    if parent:
        threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()


def _end_with(parent: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(parent)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(LOOK_EVERY_S)
    if os.name == "nt":  # where `os.kill` ends the process at once
        signal.raise_signal(signal.SIGTERM)
    else:  # interrupts also a call of the system that waits
        os.kill(os.getpid(), signal.SIGTERM)
