"""How the program was started: alone, or as one of several processes. Loads no torch.

``torchrun`` and other launchers tell each process of the others by variables of its
environment.
"""

from __future__ import annotations

import os

VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


class KnownFault(ValueError):
    """A fault that all processes of a run know of, so that one of them may tell it."""


def is_launched() -> bool:
    """Whether this is one of several processes that a launcher has started."""
    told = all(name in os.environ for name in VARIABLES)
    return told and int(os.environ["WORLD_SIZE"]) > 1


def is_main() -> bool:
    """Whether this process is the one that writes and prints."""
    return not is_launched() or int(os.environ["RANK"]) == 0
