"""Meets the other processes of the program, if there are any."""

from __future__ import annotations

import functools

from napari_slicegan.parallel.launcher import is_launched
from napari_slicegan.parallel.processes import ALONE, Processes


@functools.cache
def processes_of_program() -> Processes:
    """The processes that this program trains in; the first call waits for all of them.

    Raises
    ------
    ValueError
        If the others cannot be reached.
    """
    if not is_launched():
        return ALONE
    # Loaded here, so that a program that trains alone does without it.
    from napari_slicegan.parallel.joined_processes import JoinedProcesses

    return JoinedProcesses.join()
