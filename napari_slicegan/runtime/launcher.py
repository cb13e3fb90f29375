"""What a launcher of several processes, such as ``torchrun``, says; needs no torch."""

from __future__ import annotations

import os

VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Set by ``torchrun`` and other launchers in the environment of each process."""


class AllRanksError(ValueError):
    """An error raised in all processes of a run, so that one of them may report it."""


def is_launched() -> bool:
    """Whether a launcher started this process as one of several."""
    is_set = all(name in os.environ for name in VARIABLES)
    return is_set and int(os.environ["WORLD_SIZE"]) > 1


def is_main_process() -> bool:
    """Whether this process is the one that writes and prints."""
    return not is_launched() or int(os.environ["RANK"]) == 0
