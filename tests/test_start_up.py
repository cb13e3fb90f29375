"""What starts fast must not load packages that it does not use.

`benchmarks/start_up.py` measures the seconds; the dock itself is opened by a test of
`tests/_qt/test_application.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = [
    "h5py",
    "matplotlib",
    "scipy.interpolate",
    "scipy.ndimage",
    "scipy.optimize",
    "scipy.signal",
    "scipy.sparse",
    "scipy.stats",
    "skimage.feature",
    "skimage.filters",
    "skimage.morphology",
    "skimage.transform",
    "sklearn",
    "torch._dynamo",
    "torch._inductor",
    "zarr",
]
"""Packages that cost from 0.05 s to more than a second each, warm."""


@pytest.mark.parametrize(
    ("program", "unused"),
    [
        ("main(['--help'])", ["numpy", "torch", *HEAVY]),
        ("main(['train', '--help'])", ["numpy", "torch", *HEAVY]),
        ("main(['presets'])", ["numpy", "torch", *HEAVY]),
        ("main(['generate', 'sample:bentheimer', '--size', '32'])", HEAVY),
        ("import napari_slicegan._qt.contributions", ["numpy", "torch", *HEAVY]),
        (
            "from napari_slicegan._qt.viewer.file_layers import sample_layer\n"
            "sample_layer('bentheimer_slice')",
            ["torch", *HEAVY],
        ),
    ],
    ids=["help", "help of a command", "presets", "generate", "napari", "sample image"],
)
def test_what_starts_fast_loads_nothing_heavy(
    program: str, unused: list[str], tmp_path: Path
) -> None:
    if "_qt" in program:
        pytest.importorskip("qtpy.QtWidgets", reason="needs a Qt binding")
    whole = (
        "import contextlib, json, sys\n"
        "from napari_slicegan.cli import main\n"
        "with contextlib.suppress(SystemExit):\n"
        + "".join(f"    {line}\n" for line in program.splitlines())
        + f"print(json.dumps([name for name in {unused} if name in sys.modules]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", whole],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []
