"""Keeps freed memory in the process while it computes (mallopt of glibc).

Training and generating allocate the same large blocks over and over. glibc returns each
of them to the system, which clears every page before its next use. Explained, with what
was measured, under "Interpreter settings" in docs/window.md.
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
    """Keep freed memory from now on; False where the C library cannot (not glibc)."""
    return _set(KEEPING)


def give_back_freed_memory() -> bool:
    """Return freed memory at once and from now on; False where that is impossible."""
    return _set(USUAL) and bool(_function("malloc_trim")(0))


def _set(values: dict[int, int]) -> bool:
    mallopt = _function("mallopt")
    return all(mallopt(number, value) for number, value in values.items())


def _function(name: str) -> Callable[..., Any]:
    """Function of the C library; one that returns 0 where there is none."""
    if not sys.platform.startswith("linux"):
        return _nothing
    return getattr(ctypes.CDLL(None), name, _nothing)


def _nothing(*numbers: int) -> int:
    return 0
