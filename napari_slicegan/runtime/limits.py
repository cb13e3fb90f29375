"""Memory and processors that this process may use, and bounds of its repeats.

Batch systems and containers limit memory and processors by control groups of Linux:
https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1. A limit of any parent
counts as well.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import psutil

from napari_slicegan.runtime.memory import return_freed_memory
from napari_slicegan.runtime.quantities import bytes_in_words

if TYPE_CHECKING:
    import numpy as np

PROCESS = Path("/proc/self")
ROOT = Path("/")
WAITING: Mapping[str, str] = MappingProxyType(
    {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "10000"}
)
"""Variables of OpenMP: idle threads spin for some microseconds, then sleep.

Spinning on, they would take the core that another program or the window needs; going to
sleep at once takes longer than the short operations of a training step."""


def let_idle_threads_sleep() -> None:
    """Set `WAITING`, except for what the user has set.

    Must be called before torch is loaded, and only by a program: it decides for the
    whole process.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        for name, value in WAITING.items():
            os.environ.setdefault(name, value)


SHARE = "SLICEGAN_MEMORY_BYTES"
"""Environment variable: the most bytes of memory that a process of this program takes.

`slicegan batch` gives each of several simultaneous rows its share."""
SWAP_SHARE = "SLICEGAN_SWAP_BYTES"
"""As `SHARE`, of the swap space."""
_CACHES_1 = ("total_inactive_file", "total_active_file", "total_mapped_file")
_CACHES_2 = ("inactive_file", "active_file", "file_mapped", "slab_reclaimable")
# Files of a group: its limit and its use; fields of memory.stat, see `_reclaimable`.
GROUP_FILES = (
    ("memory.limit_in_bytes", "memory.usage_in_bytes", _CACHES_1),
    ("memory.max", "memory.current", _CACHES_2),
    # Beyond it the kernel makes processes wait.
    ("memory.high", "memory.current", _CACHES_2),
)
UNLIMITED = 2**62
"""Version 1 has larger numbers where there is no limit."""
PROGRAM_BYTES = 330 * 10**6
"""The program with its libraries, as estimates of memory count it; measured."""


def own_memory() -> int:
    """Bytes of memory that this process has, with the files that it has mapped."""
    return int(psutil.Process().memory_info().rss)


def available_memory(process: Path = PROCESS, root: Path = ROOT) -> int:
    """Bytes that this process can still take: of the machine, its groups, its limits.

    Parameters
    ----------
    process
        Folder of the process in ``/proc``.
    root
        Below it lie the mount points of the groups.
    """
    free = [int(psutil.virtual_memory().available)]
    for folder in _groups("memory", process, root):
        for limit, used, caches in GROUP_FILES:
            most, taken = _number(folder / limit), _number(folder / used)
            if most is not None:
                free.append(most - max(0, (taken or 0) - _reclaimable(folder, caches)))
    share = os.environ.get(SHARE, "")
    if share.isdigit():
        # Without libraries, which simultaneous processes have together.
        memory = psutil.Process().memory_info()
        free.append(int(share) - memory.rss + getattr(memory, "shared", 0))
    with contextlib.suppress(ImportError):
        import resource

        most_mapped = resource.getrlimit(resource.RLIMIT_AS)[0]
        if most_mapped != resource.RLIM_INFINITY:
            free.append(most_mapped - int(psutil.Process().memory_info().vms))
    return max(0, min(free))


def available_swap(process: Path = PROCESS, root: Path = ROOT) -> int:
    """Bytes beyond `available_memory` that the system can move to a disk.

    macOS makes its swap files when they are needed: all free space counts there.
    """
    if sys.platform == "darwin":
        return _within_share(int(psutil.disk_usage("/").free))
    free = [int(psutil.swap_memory().free)]
    for folder in _groups("memory", process, root):
        most = _number(folder / "memory.swap.max")
        if most is not None:
            free.append(most - (_number(folder / "memory.swap.current") or 0))
        # Version 1 limits memory and swap together.
        both = _number(folder / "memory.memsw.limit_in_bytes")
        memory = _number(folder / "memory.limit_in_bytes")
        if both is not None and memory is not None and both < UNLIMITED:
            free.append(both - memory - _statistic(folder, "total_swap"))
    return _within_share(min(free))


def _within_share(free: int) -> int:
    """Of the free swap space what this process may take; see `SWAP_SHARE`."""
    share = os.environ.get(SWAP_SHARE, "")
    if share.isdigit():
        # Only Linux knows what it has there.
        own = getattr(psutil.Process().memory_full_info(), "swap", 0)
        free = min(free, int(share) - own)
    return max(0, free)


def _reclaimable(folder: Path, names: Sequence[str]) -> int:
    """Bytes of a group that the kernel takes back when memory is needed.

    Cached files and, in version 2, caches of the kernel; not the files that programs
    have mapped, such as libraries, which they would read again and again.
    """
    inactive, active, mapped, *slab = (_statistic(folder, name) for name in names)
    return max(inactive, inactive + active - mapped) + sum(slab)


def free_for_program() -> int:
    """Bytes that this process may have, with what the program itself takes.

    To be compared with estimates, which count `PROGRAM_BYTES`: a larger process, such
    as the window, needs as much more. Libraries that are cached for another group, too,
    are free for this one.
    """
    return available_memory() + min(own_memory(), PROGRAM_BYTES)


def check_need(needed: int, what: str, advice: str) -> None:
    """Refuse work for which the memory does not suffice, before it begins.

    What earlier work has left in the heap counts as free.

    Parameters
    ----------
    needed
        Estimate in bytes, with the program.
    what, advice
        Of the sentence: the work, and what to do.

    Raises
    ------
    ValueError
        If it needs more than the free memory and swap space.
    """
    free = free_for_program()
    if needed > free:
        return_freed_memory()
        free = free_for_program()
    if needed > free + available_swap():
        raise ValueError(
            f"Expected {what} that fits in the free memory of {bytes_in_words(free)}, "
            f"got one that needs about {bytes_in_words(needed)}; {advice}."
        )


def check_memory(
    shape: Sequence[int],
    dtype: np.dtype[Any],
    name: str,
    advice: str = "save a part or a reduced copy of it",
) -> None:
    """Refuse values that do not fit in memory, before they are read or made.

    Parameters
    ----------
    advice
        What to do, the end of the sentence.

    Raises
    ------
    ValueError
        If they take more than `available_memory`.
    """
    size, free = math.prod(shape) * dtype.itemsize, available_memory()
    if size > free:
        raise ValueError(
            f"{name}: expected values that fit in the available memory of "
            f"{bytes_in_words(free)}, got {' x '.join(map(str, shape))} values of the "
            f"type {dtype.name} ({bytes_in_words(size)}); {advice}."
        )


MOST_REPEATS = 1000
"""Most volumes, seeds or iterations of a command; the work of more would not end."""


def check_repeats(what: str, n: int, least: int, most: int = MOST_REPEATS) -> None:
    """Refuse a number of repeats that is too small, or whose work would not end.

    Raises
    ------
    ValueError
        Names the bounds.
    """
    if not least <= n <= most:
        raise ValueError(
            f"Expected {least:,} to {most:,} {what}, got {n:,}; choose a number in "
            "this range."
        )


def available_cpus(process: Path = PROCESS, root: Path = ROOT) -> int:
    """Processor cores that this process may use, at least 1; parameters as above."""
    if hasattr(os, "sched_getaffinity"):
        cores = [len(os.sched_getaffinity(0))]
    else:
        cores = [os.cpu_count() or 1]
    for folder in _groups("cpu", process, root):
        quota, period = (*_words(folder / "cpu.max"), "", "")[:2]
        if not quota:
            quota = (*_words(folder / "cpu.cfs_quota_us"), "")[0]
            period = (*_words(folder / "cpu.cfs_period_us"), "")[0]
        if quota.isdigit() and period.isdigit() and int(period):
            cores.append(math.ceil(int(quota) / int(period)))
    return max(1, min(cores))


def _groups(controller: str, process: Path, root: Path) -> Iterator[Path]:
    """Folders of the process's control group and of its parents, of both versions."""
    own: dict[str, str] = {}
    for line in _lines(process / "cgroup"):
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            own[name] = path  # of version 2 without a name
    for line in _lines(process / "mountinfo"):
        fields, _, kind = line.partition(" - ")
        file_system, _, options = (*kind.split(), "", "", "")[:3]
        if file_system not in ("cgroup", "cgroup2"):
            continue
        name = controller if file_system == "cgroup" else ""
        if name not in own or (name and name not in options.split(",")):
            continue
        source, mounted = (_unescaped(word) for word in fields.split()[3:5])
        top = root / mounted.lstrip("/")
        # A container may see a part of the tree, of which this is the top.
        path, start = own[name], source.rstrip("/")
        inside = path.startswith(f"{start}/")
        folder = top / (path[len(start) :].strip("/") if inside else "")
        while True:
            yield folder
            if folder == top:
                break
            folder = folder.parent


def _lines(file: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return file.read_text("utf-8", "surrogateescape").splitlines()
    return []


def _words(file: Path) -> list[str]:
    return " ".join(_lines(file)).split()


def _number(file: Path) -> int | None:
    """Content of a file; None if it is missing or says ``max``."""
    words = _words(file)
    return int(words[0]) if words and words[0].isdigit() else None


def _statistic(group: Path, name: str) -> int:
    """Value of a line of ``memory.stat``; 0 if there is none."""
    lines = _lines(group / "memory.stat")
    found = [line.split()[1] for line in lines if line.startswith(f"{name} ")]
    return int(found[0]) if found else 0


def _unescaped(word: str) -> str:
    """Spaces and others are octal in the list of mounts."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), word)
