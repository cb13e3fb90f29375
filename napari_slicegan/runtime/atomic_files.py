"""Files and folders that are either complete or absent.

Everything is written under a temporary name beside its place, flushed to the disk and
renamed. The temporary name carries the machine and the process that writes it, so that
several programs can use one folder: each removes only what dead processes left
unfinished. Folders of runs have names of their own.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import os
import platform
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import psutil

FOREIGN_AGE_S = 24 * 3600
"""Age at which an unfinished file is removed whose writer cannot be looked up."""
_PARTIAL = re.compile(
    r"\..+\.(?P<machine>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]{8}\.partial"
)


def partial_path(path: Path) -> Path:
    """Temporary name, beside its place, of a file or folder that is being written.

    Each call gives another one.
    """
    writer = f"{_machine()}-{os.getpid()}-{secrets.token_hex(4)}"
    return path.with_name(f".{path.name}.{writer}.partial")


def remove_partial_files(
    folder: Path, name: str = "", *, recursive: bool = False
) -> None:
    """Delete the unfinished files and folders of processes that are dead.

    Those of other machines, and those whose names carry no process, are deleted a day
    after their last change. Errors while deleting are ignored.

    Parameters
    ----------
    name
        Of the file that was being written; by default of any.
    recursive
        Whether to look in the folders inside as well.
    """
    found = folder.rglob("*.partial") if recursive else folder.glob(".*.partial")
    for path in list(found):
        if name and not path.name.startswith(f".{name}."):
            continue
        with contextlib.suppress(OSError):
            if _may_be_in_use(path):
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a temporary file that replaces ``path`` on success.

    The temporary file lies in the same folder, is flushed to the disk and renamed:
    another program, or a power failure, finds the old file or the new one, never a
    part. If anything fails the temporary file is removed and the old one stays. Write
    to the yielded path itself, so that the file has the permissions of the umask.
    """
    temporary = partial_path(path)
    try:
        yield temporary
        flush(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _flush_folder(path.parent)


@contextlib.contextmanager
def creating_folder(path: Path) -> Iterator[Path]:
    """Yield the path of a temporary folder that becomes ``path`` on success.

    As `replacing`; the caller creates the folder and its files.

    Raises
    ------
    OSError
        Also if ``path`` exists by then.
    """
    temporary = partial_path(path)
    try:
        yield temporary
        for inner in [*temporary.rglob("*"), temporary]:
            if inner.is_dir():
                _flush_folder(inner)
            else:
                flush(inner)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    _flush_folder(path.parent)


def make_folder(path: Path) -> None:
    """Create a folder and its parents, safe against a power failure."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    _flush_folder(path.parent)


def timestamp() -> str:
    """Current date and time for the name of a folder."""
    return datetime.now().strftime("%Y%m%d-%H%M%S")


def new_folder(parent: str | Path, name: str) -> Path:
    """Create a folder called after the name and the time, which no other run has.

    Runs that start in the same second get a number.

    Parameters
    ----------
    name
        Of an image, for example: without its ending, and with a dash for whatever is
        neither a letter nor a digit.
    """
    plain = "".join(c if c.isalnum() or c in "-_" else "-" for c in Path(name).stem)
    stem = Path(parent) / f"{plain or 'run'}-{timestamp()}"
    stem.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        path = stem if number == 1 else stem.with_name(f"{stem.name}-{number}")
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            break
    return path


@contextlib.contextmanager
def removed_if_unused(folder: Path) -> Iterator[None]:
    """Leave no empty folder of `new_folder` behind when a run cannot start."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            folder.rmdir()
            folder.parent.rmdir()
        raise


def flush(file: Path) -> None:
    """Wait until the content of a file is on the disk."""
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())


def _flush_folder(folder: Path) -> None:
    """Flush the names of the files in a folder, where the system can do that."""
    # Windows opens no folders, and some network disks refuse to flush them.
    with contextlib.suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


@functools.cache
def _machine() -> str:
    """Identifier of the machine on which this process can look up others.

    Containers may share the machine's name and number their processes anew; machines
    may share a name. So where the system has them, its boot and the name space of the
    process numbers are included.
    """
    facts = [platform.node()]
    with contextlib.suppress(OSError):
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text("ascii"))
        facts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256(" ".join(facts).encode()).hexdigest()[:8]


def _may_be_in_use(path: Path) -> bool:
    """Whether the process that writes an unfinished file may still live."""
    written_s = path.stat().st_mtime
    is_recent = time.time() - written_s < FOREIGN_AGE_S
    parts = _PARTIAL.fullmatch(path.name)
    if parts is None or parts["machine"] != _machine():
        return is_recent
    try:
        writer = psutil.Process(int(parts["pid"]))
        if writer.status() == psutil.STATUS_ZOMBIE:
            return False
        # A process younger than the file reuses the number of a dead one. The clock of
        # a network disk may be late, so recent files are kept.
        return is_recent or bool(writer.create_time() <= written_s)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True
