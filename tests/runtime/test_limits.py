"""Limits of containers and batch systems, by made-up trees of control groups."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from napari_slicegan.runtime import limits
from napari_slicegan.runtime.devices import prepare
from napari_slicegan.runtime.limits import (
    PROGRAM_BYTES,
    SHARE,
    SWAP_SHARE,
    available_cpus,
    available_memory,
    available_swap,
    check_need,
    free_for_program,
    own_memory,
)

GB = 10**9
MOUNT_1 = "9 1 0:9 {root} {at} rw - cgroup cgroup rw,{name}"
MOUNT_2 = "9 1 0:9 {root} {at} rw,nosuid shared:4 - cgroup2 cgroup2 rw"


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 64 GB free and 16 cores."""

    class Memory:
        available = 64 * GB

    class Swap:
        free = 2 * GB

    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    monkeypatch.setattr(psutil, "swap_memory", Swap)
    cores = set(range(16))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores, raising=False)


def tree(
    folder: Path, cgroup: str, mounts: list[str], files: dict[str, Any]
) -> tuple[Path, Path]:
    """The folder of a process, and the root of its mounts."""
    process, root = folder / "self", folder / "root"
    process.mkdir()
    (process / "cgroup").write_text(cgroup)
    other = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
    (process / "mountinfo").write_text(other + "\n".join(mounts) + "\n")
    for name, content in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{content}\n")
    return process, root


V2 = MOUNT_2.format(root="/", at="/sys/fs/cgroup")
MEMORY_1 = MOUNT_1.format(root="/", at="/sys/fs/cgroup/memory", name="memory")
CPU_1 = MOUNT_1.format(root="/", at="/sys/fs/cgroup/cpu", name="cpu,cpuacct")
TREES: dict[str, tuple[str, list[str], dict[str, Any], int, int]] = {
    "no groups": ("", [], {}, 64 * GB, 16),
    "version 2, own": (
        "0::/job\n",
        [V2],
        {
            "sys/fs/cgroup/job/memory.max": 8 * GB,
            "sys/fs/cgroup/job/memory.current": 3 * GB,
            "sys/fs/cgroup/job/memory.stat": f"anon 5\ninactive_file {GB}",
            "sys/fs/cgroup/job/cpu.max": "250000 100000",
        },
        6 * GB,
        3,
    ),
    "version 2, a parent's": (
        "0::/user/job\n",
        [V2],
        {
            "sys/fs/cgroup/user/job/memory.max": "max",
            "sys/fs/cgroup/user/job/cpu.max": "max 100000",
            "sys/fs/cgroup/user/memory.max": 4 * GB,
            "sys/fs/cgroup/user/memory.current": GB,
            "sys/fs/cgroup/user/cpu.max": "50000 100000",
        },
        3 * GB,
        1,
    ),
    "version 1": (
        "4:memory:/job\n1:cpu,cpuacct:/job\n",
        [MEMORY_1, CPU_1],
        {
            "sys/fs/cgroup/memory/job/memory.limit_in_bytes": 2 * GB,
            "sys/fs/cgroup/memory/job/memory.usage_in_bytes": GB,
            "sys/fs/cgroup/memory/job/memory.stat": f"total_inactive_file {GB // 2}",
            "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": 200_000,
            "sys/fs/cgroup/cpu/job/cpu.cfs_period_us": 100_000,
        },
        3 * GB // 2,
        2,
    ),
    "version 1, no limit": (
        "4:memory:/\n1:cpu,cpuacct:/\n",
        [MEMORY_1, CPU_1],
        {
            "sys/fs/cgroup/memory/memory.limit_in_bytes": 9223372036854771712,
            "sys/fs/cgroup/memory/memory.usage_in_bytes": GB,
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": -1,
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": 100_000,
        },
        64 * GB,
        16,
    ),
    "part of the tree, as in a container": (
        "0::/docker/a b\n",
        [MOUNT_2.format(root="/docker/a\\040b", at="/mnt/c\\040g")],
        {
            "mnt/c g/memory.max": GB,
            "mnt/c g/memory.current": GB // 4,
            "mnt/c g/cpu.max": "400000 100000",
        },
        3 * GB // 4,
        4,
    ),
    "throttled before it is full; files that programs have mapped are not free": (
        "0::/job\n",
        [V2],
        {
            "sys/fs/cgroup/job/memory.max": 8 * GB,
            "sys/fs/cgroup/job/memory.high": 6 * GB,
            "sys/fs/cgroup/job/memory.current": 5 * GB,
            "sys/fs/cgroup/job/memory.stat": "\n".join(
                (
                    f"file_mapped {GB}",
                    f"inactive_file {GB}",
                    f"active_file {2 * GB}",
                    f"slab_reclaimable {GB}",
                )
            ),
        },
        4 * GB,
        16,
    ),
    "version 1 beside a version 2 without controllers, in a container": (
        "4:memory:/docker/a\n0::/docker/a\n",
        [
            MOUNT_1.format(root="/docker/a", at="/sys/fs/cgroup/memory", name="memory"),
            MOUNT_2.format(root="/docker/a", at="/sys/fs/cgroup/unified"),
        ],
        {
            "sys/fs/cgroup/memory/memory.limit_in_bytes": 2 * GB,
            "sys/fs/cgroup/memory/memory.usage_in_bytes": GB,
            "sys/fs/cgroup/memory/memory.stat": f"total_active_file {GB // 2}",
            "sys/fs/cgroup/unified/cgroup.procs": "1",
        },
        3 * GB // 2,
        16,
    ),
    "full": (
        "0::/\n",
        [V2],
        {
            "sys/fs/cgroup/memory.max": GB,
            "sys/fs/cgroup/memory.current": 2 * GB,
            "sys/fs/cgroup/cpu.max": "broken",
        },
        0,
        16,
    ),
}


def test_the_smallest_limit_counts(tmp_path: Path) -> None:
    for number, (title, facts) in enumerate(TREES.items()):
        cgroup, mounts, files, memory, cpus = facts
        (tmp_path / str(number)).mkdir()
        process, root = tree(tmp_path / str(number), cgroup, mounts, files)
        assert available_memory(process, root) == memory, title
        assert available_cpus(process, root) == cpus, title


def test_swap_is_that_of_the_group(tmp_path: Path) -> None:
    """None, where the group may not use that of the machine."""
    job = "sys/fs/cgroup/job/memory.swap"
    first = "sys/fs/cgroup/memory/memory"
    trees: tuple[tuple[str, list[str], dict[str, Any], int], ...] = (
        ("", [], {}, 2 * GB),
        ("0::/job\n", [V2], {f"{job}.max": "0", f"{job}.current": "0"}, 0),
        ("0::/job\n", [V2], {f"{job}.max": GB, f"{job}.current": GB // 4}, 3 * GB // 4),
        (
            "4:memory:/\n",
            [MEMORY_1],
            {f"{first}.limit_in_bytes": GB, f"{first}.memsw.limit_in_bytes": GB},
            0,
        ),
        (
            "4:memory:/\n",
            [MEMORY_1],
            {
                f"{first}.limit_in_bytes": 9223372036854771712,
                f"{first}.memsw.limit_in_bytes": 9223372036854771712,
            },
            2 * GB,
        ),
    )
    for number, (cgroup, mounts, files, swap) in enumerate(trees):
        (tmp_path / str(number)).mkdir()
        process, root = tree(tmp_path / str(number), cgroup, mounts, files)
        assert available_swap(process, root) == swap, number


def test_swap_files_that_are_made_when_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("psutil.swap_memory", lambda: SimpleNamespace(free=0))
    usage = SimpleNamespace(free=5 * GB)
    monkeypatch.setattr("psutil.disk_usage", lambda _: usage)
    assert available_swap() == 5 * GB


def test_simultaneous_programs_of_a_batch_have_their_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = own_memory()
    memory = psutil.Process().memory_info()
    libraries = getattr(memory, "shared", 0)
    monkeypatch.setenv(SHARE, str(own + GB))
    found = available_memory(tmp_path, tmp_path)
    assert found == pytest.approx(GB + libraries, abs=GB // 20)
    # An estimate counts the program, which is here already.
    with_program = free_for_program()
    loaded = min(own, PROGRAM_BYTES)
    assert with_program == pytest.approx(GB + libraries + loaded, abs=GB // 20)
    monkeypatch.setenv(SHARE, "1")
    assert available_memory(tmp_path, tmp_path) == 0
    # This one has swapped out a part of its share.
    monkeypatch.setattr("psutil.swap_memory", lambda: SimpleNamespace(free=5 * GB))
    swapped = SimpleNamespace(memory_full_info=lambda: SimpleNamespace(swap=GB))
    monkeypatch.setattr("psutil.Process", lambda: swapped)
    for share, swap in (("3", 2), ("9", 5), ("0", 0), ("", 5)):
        monkeypatch.setenv(SWAP_SHARE, share and str(int(share) * GB))
        assert available_swap(tmp_path, tmp_path) == swap * GB


def test_work_is_refused_beyond_memory_and_swap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "available_swap", lambda: 2 * GB)
    monkeypatch.setattr(limits, "free_for_program", lambda: 4 * GB)
    check_need(5 * GB, "a volume", "lower its size")
    with pytest.raises(ValueError, match=r"free memory of 4 GB.*about 7 GB.*its size"):
        check_need(7 * GB, "a volume", "lower its size")


def test_the_limit_of_the_address_space_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As set by ``ulimit -v``."""
    resource = pytest.importorskip("resource", reason="not on Windows")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100 * GB, 200 * GB))
    mapped = psutil.Process().memory_info().vms
    found = available_memory(tmp_path, tmp_path)
    assert found == pytest.approx(min(64 * GB, 100 * GB - mapped), abs=GB)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (mapped + GB, 200 * GB))
    assert available_memory(tmp_path, tmp_path) == pytest.approx(GB, abs=GB // 4)


def test_no_more_threads_than_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads beyond the share of a container only wait for each other."""
    import torch

    wanted: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", wanted.append)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 16)
    for cpus in (2, 32):
        devices = "napari_slicegan.runtime.devices"
        monkeypatch.setattr(f"{devices}.available_cpus", lambda cpus=cpus: cpus)
        prepare(torch.device("cpu"), None)
        prepare(torch.device("cpu"), 5)
    assert wanted == [2, 5, 16, 5]
