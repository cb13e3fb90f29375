"""What a disk has left, and what to say when it is full."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

# No space on the device, or none left to this user.
FULL = {errno.ENOSPC, errno.EDQUOT}


def free_disk_bytes(path: Path) -> int:
    """Bytes that are free where a file or folder will be."""
    folder = path.absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


@contextlib.contextmanager
def disk_explained(path: Path) -> Iterator[None]:
    """Answer a full disk with what is kept and what to do.

    Parameters
    ----------
    path
        Holds what was made so far, whole.

    Raises
    ------
    ValueError
        Instead of the system's error.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise ValueError(
            f"Expected more space on the disk, got a full one; what is made is kept in "
            f"{path}, so free some space and give the same command again to go on."
        ) from error
