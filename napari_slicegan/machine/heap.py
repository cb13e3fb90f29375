"""Freed memory that stays with the process while it computes.

The C library of Linux asks the system for each large block anew and gives it back when
it is freed. Every page of it is then cleared by the system before its first use: moving
voxels into new memory takes three times as long as moving them into memory that was
used before. Training and generating make the same large blocks over and over.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

# Numbers of mallopt(3).
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4
KEPT_BYTES = 2**30
"""Free memory at the end of the heap that is kept."""
STEP_BYTES = 64 * 2**20
"""By how much the heap grows at a time."""
USUAL = {MMAP_MAX: 65_536, TRIM_THRESHOLD: 128 * 2**10, TOP_PAD: 128 * 2**10}
KEEPING = {MMAP_MAX: 0, TRIM_THRESHOLD: KEPT_BYTES, TOP_PAD: STEP_BYTES}


def keep_freed_memory() -> bool:
    """Keep freed memory from now on; whether the C library can (glibc on Linux)."""
    return _set(KEEPING)


def give_back_freed_memory() -> bool:
    """The opposite, at once; whether the C library can."""
    return _set(USUAL) and bool(_function("malloc_trim")(0))


def _set(values: dict[int, int]) -> bool:
    mallopt = _function("mallopt")
    return all(mallopt(number, value) for number, value in values.items())


def _function(name: str) -> Callable[..., Any]:
    """Function of the C library; one that says 0 where there is none."""
    if not sys.platform.startswith("linux"):
        return _nothing
    return getattr(ctypes.CDLL(None), name, _nothing)


def _nothing(*numbers: int) -> int:
    return 0
