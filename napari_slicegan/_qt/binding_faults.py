"""What must be done around a fault of the Qt binding."""

from __future__ import annotations

import ctypes
import functools
import sys

import qtpy

SPARE = 2**40
"""More references than calls are made in a life."""


@functools.cache
def spare_references() -> bool:
    """Keep a fault of PySide6 6.12 from ending the program; whether it was needed.

    It gives a reference of ``True`` away at each ``emit``, and one of ``None`` at each
    call that returns nothing. Python before 3.12 counts these and ends the program
    ("bool_dealloc", "none_dealloc") when none is left: in napari after some 25,000
    signals, a quarter of an hour of training, or 80,000 calls. Later Pythons never
    free them.
    """
    version = getattr(qtpy, "PYSIDE_VERSION", None) or ""
    if sys.version_info >= (3, 12) or not version.startswith("6.12."):
        return False
    for constant in (True, None):
        # The count is the first field of an object; nothing but its size is changed.
        ctypes.c_ssize_t.from_address(id(constant)).value += SPARE
    return True
