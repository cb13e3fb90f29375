"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Iterator
from pathlib import Path


def partial_path(path: Path) -> Path:
    """What a file or folder is called beside its place until it is whole."""
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


def remove_partial_files(folder: Path, name: str = "") -> None:
    """Delete what killed processes had begun to write in a folder.

    Parameters
    ----------
    name
        Of the file they were to write; by default of any.
    """
    of_name = f"{glob.escape(name)}." if name else ""
    for left in folder.glob(f".{of_name}*.partial"):
        if left.is_file():
            left.unlink()


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file that takes the place of ``path`` when all went well.

    The temporary file lies in the same folder, is flushed to the disk and renamed:
    another program sees the old file or the new one, never a part. If anything
    fails the temporary file is removed and the old one stays.
    """
    temporary = partial_path(path)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
