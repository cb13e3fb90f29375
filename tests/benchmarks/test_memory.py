"""Estimates of memory beside peaks, and commands without enough, in a short form."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.memory_group import MOUNT, why_no_groups

pytest.importorskip("zarr", reason="needs the extra scale")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures by /proc")


def benchmark(module: str, words: str, folder: Path, root: Path) -> str:
    """What the benchmark prints."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", *words.split()],
        cwd=folder,
        check=True,
        timeout=200,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)},
    )
    return done.stdout


@pytest.mark.slow
def test_estimates_are_near_the_peaks(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Of toy networks, beside which the program itself takes most."""
    words = "--only quick-training quick-volume"
    table = benchmark("memory", words, tmp_path, pytestconfig.rootpath)
    ratios = re.findall(r"^\| quick\S+ \| \d+ \| \d+ \| (\S+) \|", table, re.MULTILINE)
    assert len(ratios) == 2
    assert all(0.75 < float(ratio) < 1.5 for ratio in ratios)


def test_a_lack_of_memory_loses_nothing(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """One sentence, and the next command ends with the result of an undisturbed one."""
    words = "--trials 4 --minutes 0.2 --tasks info"
    printed = benchmark("memory_limits", words, tmp_path, pytestconfig.rootpath)
    counts = re.findall(r"(\d+) without enough memory, (\d+) faults", printed)
    assert len(counts) == 1
    assert sum(int(lacks) for lacks, _ in counts) >= 1
    assert {faults for _, faults in counts} == {"0"}


def test_a_control_group_without_enough_memory_loses_nothing(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """One sentence before the work, or the kernel kills it and the next one ends."""
    if why := why_no_groups():
        pytest.skip(why)
    groups = {*MOUNT.glob("**/slicegan-*")}
    words = "--groups --tasks directions --shares 0.8"
    printed = benchmark("memory_limits", words, tmp_path, pytestconfig.rootpath)
    assert re.findall(r"^\| directions \| \d+ \| (\w+) \|$", printed, re.MULTILINE) == [
        "refused"
    ]
    assert {*MOUNT.glob("**/slicegan-*")} <= groups
