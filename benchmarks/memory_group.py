"""Commands in a control group of Linux with a limit of memory.

https://docs.kernel.org/admin-guide/cgroup-v1/memory.html and cgroup-v2.html. A process
that needs more than the limit, after cached files are dropped, is killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
POLL_S = 0.05
# Of versions 1 and 2: limit of a group, its memory that is not of files, its kills.
VERSIONS = {
    1: ("memory.limit_in_bytes", "total_rss", "memory.oom_control"),
    2: ("memory.max", "anon", "memory.events"),
}


@dataclass(frozen=True)
class Ended:
    """How a command in a group ended.

    Attributes
    ----------
    status
        Exit status, negative for a signal.
    peak
        Most bytes that the processes of the group had, without those of files.
    n_killed
        Processes that the kernel killed for lack of memory.
    seconds
        Duration.
    """

    status: int
    peak: int
    n_killed: int
    seconds: float


def why_no_groups() -> str:
    """Why no group can be made here, in one sentence; empty if one can."""
    try:
        with _group(2**30):
            return ""
    except OSError as error:
        return (
            "Expected a control group of Linux whose memory can be limited, got "
            f"'{error}'; run this as root outside of containers."
        )


def _place() -> tuple[Path, int]:
    """Where groups are made, and their version."""
    if (MOUNT / "memory" / "memory.limit_in_bytes").exists():
        return MOUNT / "memory", 1
    if "memory" in (MOUNT / "cgroup.subtree_control").read_text().split():
        return MOUNT, 2
    raise OSError("no controller of memory")


@contextlib.contextmanager
def _group(limit: int) -> Iterator[tuple[Path, int]]:
    """A new group with so many bytes, and its version; removed at the end."""
    place, version = _place()
    folder = place / f"slicegan-{os.getpid()}-{time.monotonic_ns()}"
    folder.mkdir()
    try:
        (folder / VERSIONS[version][0]).write_text(str(limit))
        yield folder, version
    finally:
        for process in (folder / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)
        for _ in range(100):
            # A process that is killed takes a moment to end.
            with contextlib.suppress(OSError):
                folder.rmdir()
                break
            time.sleep(POLL_S)


def run_in_group(command: Sequence[str], limit: int, log: Path, most_s: float) -> Ended:
    """Run a command and its children with so many bytes of memory.

    Parameters
    ----------
    log
        File to which its output is appended.
    most_s
        Seconds after which it is killed.
    """
    with _group(limit) as (folder, version), log.open("a") as file:
        _, own, kills = VERSIONS[version]
        started, peak = time.monotonic(), 0
        child = subprocess.Popen(
            command,
            stdout=file,
            stderr=file,
            preexec_fn=lambda: (folder / "cgroup.procs").write_text(str(os.getpid())),
        )
        while child.poll() is None:
            peak = max(peak, _numbers(folder / "memory.stat")[own])
            if time.monotonic() - started > most_s:
                child.kill()
            time.sleep(POLL_S)
        n_killed = _numbers(folder / kills)["oom_kill"]
        return Ended(child.wait(), peak, n_killed, time.monotonic() - started)


def _numbers(file: Path) -> dict[str, int]:
    """Content of a file of names and numbers."""
    pairs = (line.split() for line in file.read_text().splitlines())
    return {name: int(number) for name, number in pairs}
