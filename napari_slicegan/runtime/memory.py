"""Memory and disk: free space, errors when it runs out, heap settings."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

MEMORY_SETTINGS = (
    "'Generator batch size', 'Critic batch size', 'Generator widths' or 'Patch size'"
)
BATCH_SETTINGS = "'Generator batch size' or 'Critic batch size'"
"""Of those, the ones that a run can change when it is resumed."""
OUT_OF_MEMORY = (
    f"The memory does not suffice: lower {MEMORY_SETTINGS}, or choose another device."
)
# In errors of torch on GPUs, on Linux and macOS, and on Windows; of C++; of threads,
# whose stacks need memory; of libraries that are loaded; of oneDNN, which reports other
# faults by descriptors.
_WORDS = re.compile(
    "out of memory|allocate memory|not enough memory|bad_alloc|can't start new thread|"
    "failed to map segment|could not (create|execute) a primitive(?! desc)",
    re.IGNORECASE,
)


class LackOfMemoryError(ValueError):
    """A lack of memory, in one sentence that names what to lower."""


def lacks_memory(error: BaseException) -> bool:
    """Whether an exception, or what caused it, reports a lack of memory.

    False for a `LackOfMemoryError` and what it causes: it is explained.
    """
    if isinstance(error, LackOfMemoryError):
        return False
    number = getattr(error, "errno", None)
    if isinstance(error, MemoryError) or number == errno.ENOMEM:
        return True
    # Libraries have exceptions of their own; others may name files and values.
    if not isinstance(error, ValueError) and number is None:
        if _WORDS.search(str(error)):
            return True
    return error.__cause__ is not None and lacks_memory(error.__cause__)


@contextlib.contextmanager
def memory_explained(sentence: str = OUT_OF_MEMORY) -> Iterator[None]:
    """Turn a lack of memory into one sentence that names the settings to lower.

    Parameters
    ----------
    sentence
        Expected, got, what to do.

    Raises
    ------
    LackOfMemoryError
        Instead of the errors of torch, Python and other libraries.
    """
    try:
        yield
    except Exception as error:
        if not lacks_memory(error):
            raise
        raise LackOfMemoryError(sentence) from error


def too_large(name: str) -> str:
    """The sentence about a file or a layer that does not fit in the memory."""
    return (
        f"{name}: expected values that fit in the memory with what is measured on "
        "them, got more, or a damaged file; close other programs, or save a part or a "
        "reduced copy of it."
    )


# No space on the device, or the quota of the user is used up.
FULL = {errno.ENOSPC, errno.EDQUOT}


DISK_FULL = (
    "Expected more space on the disk, got a full one; free some, or choose another "
    "folder, and repeat the command."
)


def is_full(error: OSError) -> bool:
    """Whether a disk is full; numpy reports that without a number."""
    if error.errno is not None:
        return error.errno in FULL
    return bool(re.search(r"requested and \d+ written", str(error)))


def reason_of(error: Exception) -> str:
    """Message of an error, without the number and the file of the system's."""
    return str(getattr(error, "strerror", "") or error).rstrip(".")


def in_words(error: Exception) -> str:
    """One sentence about an error, also one of the system: expected, got, do."""
    if not isinstance(error, OSError):
        return str(error)
    if is_full(error):
        return DISK_FULL
    # Of a renaming, the second is the place; the first may be a temporary name.
    name = error.filename2 or error.filename
    if not name or not error.strerror:
        return str(error)
    return (
        f"Expected a file or folder that this program can use, got {name} "
        f"({error.strerror}); check its name, kind and permissions, or choose another."
    )


def free_disk_bytes(path: Path) -> int:
    """Free bytes where a file or folder will be written."""
    folder = path.absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


@contextlib.contextmanager
def disk_explained(path: Path) -> Iterator[None]:
    """Report a full disk in one sentence that names the finished part.

    Parameters
    ----------
    path
        Where the finished part is kept.

    Raises
    ------
    ValueError
        Instead of the system's error.
    """
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise ValueError(
            f"Expected more space on the disk, got a full one; what is made is kept in "
            f"{path}: free some space and repeat the command to continue."
        ) from error


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


def return_freed_memory() -> None:
    """Return freed memory once, where the C library can; `keep_freed_memory` holds."""
    _function("malloc_trim")(0)


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
