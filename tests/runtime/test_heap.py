"""Freed memory is kept where the C library can, and given back."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Page faults of making and freeing the same large array, ten times each way.
PROGRAM = """
import json, resource
import numpy as np
from napari_slicegan.runtime.memory import give_back_freed_memory, keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        np.empty(2**26, np.uint8).fill(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1])

faults()
usual = faults()
kept = keep_freed_memory()
faults()
keeping, large = faults(), resident()
given = give_back_freed_memory()
small = resident()
print(json.dumps([kept, given, keeping < usual / 5, small < large - 2**26 // 8192]))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can")
def test_large_blocks_are_used_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[true, true, true, true]"
