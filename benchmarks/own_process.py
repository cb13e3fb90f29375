"""Measurements in a fresh process, whose memory is that of what is measured alone."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch


def in_own_process(module: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Run a benchmark with ``--alone`` and as many threads; what it prints as JSON.

    Parameters
    ----------
    module
        Of the benchmark.
    arguments
        What it is to measure.
    """
    threads = ["--threads", str(torch.get_num_threads())]
    command = [sys.executable, "-m", module, "--alone", *arguments, *threads]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def peak_memory() -> int:
    """Most bytes that this process has had so far."""
    status = Path("/proc/self/status")
    if status.exists():
        # A process that was started by a larger one counts from that one's memory on
        # in the numbers below.
        return 1024 * int(re.findall(r"VmHWM:\s+(\d+)", status.read_text())[0])
    # Kilobytes, except on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
