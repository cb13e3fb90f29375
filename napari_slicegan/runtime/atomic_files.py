"""Files and folders that are either complete or absent.

Everything is written under a temporary name beside its place, flushed to the disk and
renamed. The temporary name carries the machine and the process that writes it, so that
several programs can use one folder: each removes only what dead processes left
unfinished. Folders of runs have names of their own.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import itertools
import logging
import os
import platform
import re
import secrets
import shutil
import stat
import sys
import time
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePath, PureWindowsPath

import psutil

logger = logging.getLogger(__name__)

IS_WINDOWS = os.name == "nt"
FOREIGN_AGE_S = 24 * 3600
"""Age at which an unfinished file is removed whose writer cannot be looked up."""
_PARTIAL = re.compile(
    r"\..+\.(?P<machine>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]{8}\.partial"
)

_WRITTEN_HERE: set[str] = set()
"""Temporary names that this process is writing to."""

LONGEST_NAME = 255
"""Bytes of the longest name that file systems store (ext4, XFS, APFS, NFS)."""
WRITER_BYTES = 40
"""A temporary name has at most as many more than the name of the file."""


def fitting_name(name: str, ending: str = "", reserve: int = 0) -> str:
    """A name with an ending, cut before it if file systems could not store the whole.

    Characters stay whole. A digest of the name follows what is left of it, so that
    different names stay different.

    Parameters
    ----------
    reserve
        Bytes that the caller adds.
    """
    room = LONGEST_NAME - _n_bytes(ending) - reserve
    if _n_bytes(name) <= room:
        return f"{name}{ending}"
    digest = f"-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"
    while _n_bytes(name) > room - len(digest):
        name = name[:-1]
    return f"{name}{digest}{ending}"


def _n_bytes(name: str) -> int:
    return len(os.fsencode(name))


def partial_path(path: Path) -> Path:
    """Temporary name, beside its place, of a file or folder that is being written.

    Each call gives another one.
    """
    writer = f"{_machine()}-{os.getpid()}-{secrets.token_hex(4)}"
    return path.with_name(f"{_partial_start(path.name)}{writer}.partial")


def _partial_start(name: str) -> str:
    """What all temporary names of a file begin with."""
    return f"{fitting_name(f'.{name}', reserve=WRITER_BYTES)}."


def remove_partial_files(
    folder: Path, name: str = "", *, recursive: bool = False
) -> None:
    """Delete the unfinished files and folders of processes that are dead.

    Also those that this process could not delete after a fault of the disk.

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
        if name and not path.name.startswith(_partial_start(name)):
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
    part. If anything fails the temporary file is removed and the old one stays; those
    that dead processes left of the same file go, too. Write to the yielded path itself,
    so that the file has the permissions of the umask.
    """
    temporary = partial_path(path)
    _WRITTEN_HERE.add(temporary.name)
    try:
        yield temporary
        flush(temporary)
        temporary.replace(path)
    finally:
        _WRITTEN_HERE.discard(temporary.name)
        # A drive that is gone keeps it until the next `remove_partial_files`.
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    _flush_folder(path.parent)
    remove_partial_files(path.parent, path.name)


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
    _WRITTEN_HERE.add(temporary.name)
    try:
        yield temporary
        for inner in [*temporary.rglob("*"), temporary]:
            if inner.is_dir():
                _flush_folder(inner)
            else:
                flush(inner)
        temporary.rename(path)
    finally:
        _WRITTEN_HERE.discard(temporary.name)
        shutil.rmtree(temporary, ignore_errors=True)
    _flush_folder(path.parent)
    remove_partial_files(path.parent, path.name)


def lock(path: Path, what: str) -> contextlib.ExitStack:
    """Hold a file that only one user at a time can hold, also within a process.

    The system releases it when the process ends, however it ends, so that a file that
    was left behind locks nothing. Disks without locks, as some of clusters, are not
    locked.

    Parameters
    ----------
    what
        Words of the refusal: what is being done.

    Returns
    -------
    contextlib.ExitStack
        Removes the file and releases it at its end.

    Raises
    ------
    ValueError
        If another one holds it; names its process and machine.
    OSError
        If the file cannot be written.
    """
    while True:
        with contextlib.ExitStack() as stack:
            if IS_WINDOWS:  # which removes no open files
                stack.callback(_remove, path)
            file = stack.enter_context(path.open("a+b", buffering=0))
            try:
                _lock(file.fileno())
            except (BlockingIOError, PermissionError) as error:
                stack.pop_all()
                file.seek(0)
                with file:
                    holder = file.read(200).decode(errors="replace")
                raise ValueError(
                    f"{what} by {holder or 'another process'}; wait until it ends, or "
                    "stop it."
                ) from error
            except OSError as error:
                logger.debug("%s cannot be locked: %s", path, error)
            else:
                stack.callback(_unlock, file.fileno())
            # The one before may have removed it in the meantime. Windows removes no
            # open file, and some of its disks identify none.
            with contextlib.suppress(FileNotFoundError):
                if IS_WINDOWS or os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    with contextlib.suppress(OSError):  # of a full disk
                        file.truncate(0)
                        file.write(_holder())
                    if not IS_WINDOWS:
                        stack.callback(_remove, path)
                    return stack.pop_all()


def _holder() -> bytes:
    return f"process {os.getpid()} on {platform.node()}".encode()


_LOCKED_BYTE = 2**30
"""Of a file on Windows: behind its end, since locked bytes cannot be read."""


def _lock(descriptor: int) -> None:
    """Lock an open file for others; an `OSError` if it is locked already."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _unlock(descriptor: int) -> None:
    """Unlock a file that will be closed, which Windows alone does some time later."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        with contextlib.suppress(OSError):
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def check_can_write(path: Path, *endings: str) -> None:
    """Refuse a file that could not be written, before the work that makes it.

    Parameters
    ----------
    endings
        That its name may have, in lower case; any if there are none.

    Raises
    ------
    ValueError
        If the ending is another one, a folder is there, or the place is not writable.
    """
    if endings:
        check_ending(path, *endings)
    _check_name(path)
    _try(path, path.parent)
    _check_owner(path)
    if path.is_dir():
        raise ValueError(
            f"Expected a file to write, got the folder {path}; give another name."
        )


def check_ending(path: Path, *endings: str) -> None:
    """Refuse a name that ends in none of these, which are in lower case.

    Raises
    ------
    ValueError
        Names the endings.
    """
    if not (path.name.lower().endswith(endings) and path.suffix):
        raise ValueError(
            f"Expected a file to write that ends in {' or '.join(endings)}, got "
            f"{path}; change its ending."
        )


def check_can_write_into(folder: Path) -> None:
    """Refuse a folder in which nothing could be written; it need not exist.

    Raises
    ------
    ValueError
        If a file is there, or the place is not writable.
    """
    _check_name(folder)
    _try(folder, folder)


def _try(path: Path, folder: Path) -> None:
    """Write and remove an empty file or folder where `path` will be."""
    # The present folder is its own parent, and has no name.
    is_inside = path.parent == folder and path.name
    trial = partial_path(path if is_inside else folder / "trial")
    try:
        there = folder
        while not there.exists():
            # The name that will be made next may be impossible there.
            trial, there = partial_path(there), there.parent
        if there == folder:
            trial.touch(exist_ok=False)
            trial.unlink()
        else:
            trial.mkdir()
            trial.rmdir()
    except OSError as error:
        raise ValueError(
            f"Expected a place that can be written, got {path} ({error.strerror}); "
            "choose another folder or name."
        ) from error


def _check_owner(path: Path) -> None:
    """Refuse a file of another user in a sticky folder, such as ``/tmp``.

    New files can be written there, but they cannot replace it.
    """
    if IS_WINDOWS or not path.exists():
        return
    folder, file, user = path.parent.stat(), path.lstat(), os.geteuid()
    if folder.st_mode & stat.S_ISVTX and user not in (0, file.st_uid, folder.st_uid):
        raise ValueError(
            f"Expected a place that can be written, got {path}, a file of another "
            "user; choose another folder or name."
        )


def _check_name(path: Path) -> None:
    """Refuse names that are too long, or that Windows takes for devices or changes."""
    if not IS_WINDOWS:
        for part in path.parts:
            try:
                n_bytes = _n_bytes(part)
            except UnicodeEncodeError as error:
                raise ValueError(
                    f"Expected a name that can be stored, got {part!a}, which is no "
                    "text; choose another one."
                ) from error
            if n_bytes > LONGEST_NAME:
                raise ValueError(
                    f"Expected names of at most {LONGEST_NAME} bytes, got {part}, "
                    f"which has {n_bytes}; choose a shorter one."
                )
        return
    fault = windows_fault(path)
    length = _utf16_units(str(partial_path(path).absolute()))
    if length > LONGEST_PATH and not _has_long_paths():
        fault = f"there are too many characters ({length} of {LONGEST_PATH})"
    if fault:
        raise ValueError(
            f"Expected a name that Windows can store, got {path}, in which {fault}; "
            "choose another name."
        )


def _has_long_paths() -> bool:
    """Whether this Windows takes paths of any length (LongPathsEnabled)."""
    libraries = getattr(ctypes, "windll", None)
    if libraries is None or not hasattr(libraries.ntdll, "RtlAreLongPathsEnabled"):
        return False
    return bool(libraries.ntdll.RtlAreLongPathsEnabled() & 1)


# https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file
_DEVICES = {"con", "prn", "aux", "nul", "conin$", "conout$"} | {
    f"{port}{number}" for port in ("com", "lpt") for number in "123456789¹²³"
}
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
LONGEST_PATH = 259
"""Longest path of Windows where long paths are not turned on, in UTF-16 units."""


def windows_fault(path: PurePath) -> str:
    """Which part of a path no file of Windows can have; empty if there is none."""
    whole = PureWindowsPath(str(path))
    for part in whole.parts:
        if part == whole.anchor or part in (".", ".."):
            continue
        if part.split(".")[0].rstrip(" ").lower() in _DEVICES:
            return f"'{part}' is the name of a device"
        if part != part.rstrip(". "):
            return f"'{part}' ends in a dot or a space"
        if found := _FORBIDDEN.search(part):
            return f"'{part}' contains {found.group()!r}"
    return ""


MOST_BYTES = 80
"""Longest name made of text: dates, endings and temporary names are added to it."""


def safe_name(text: str) -> str:
    """A name for a file or folder of any system, made of a title or another name.

    Letters of all scripts, digits, ``-``, ``_`` and ``.`` stay, a hyphen replaces
    what is between them; names of devices get an underscore, long ones are cut.
    """
    name = re.sub(r"[^\w.-]+", "-", unicodedata.normalize("NFC", text))
    while len(name.encode()) > MOST_BYTES:
        name = name[:-1]
    name = name.strip(".-") or "unnamed"
    return f"_{name}" if windows_fault(PureWindowsPath(name)) else name


def _utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le", errors="surrogatepass")) // 2


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
        Name of an image, for example; its ending is cut off, see `safe_name`.
    """
    stem = Path(parent) / f"{safe_name(Path(name).stem)}-{timestamp()}"
    stem.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        path = stem if number == 1 else stem.with_name(f"{stem.name}-{number}")
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            break
    return path


@contextlib.contextmanager
def removed_if_unused(folder: Path, *, with_parent: bool) -> Iterator[None]:
    """Leave no empty folder of `new_folder` behind when a run cannot start.

    Parameters
    ----------
    with_parent
        Whether its parent was made for it, too; one that was there before stays.
    """
    try:
        yield
    except BaseException:  # also Ctrl+C, which is raised again
        with contextlib.suppress(OSError):
            folder.rmdir()
            if with_parent:
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
    if int(parts["pid"]) == os.getpid():
        return path.name in _WRITTEN_HERE
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
