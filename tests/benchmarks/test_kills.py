"""The campaign of killed commands, in a short form."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("zarr", reason="needs the extra scale")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
def test_killed_commands_go_on_to_the_same_result(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Training and OME-Zarr, killed or with a failing disk."""
    out = tmp_path / "kills.csv"
    words = "--kills 4 --minutes 0.1 --seed 1 --out"
    tasks = ["--tasks", "train", "ome-zarr"]
    subprocess.run(
        [sys.executable, "-m", "benchmarks.kills", *words.split(), str(out), *tasks],
        cwd=pytestconfig.rootpath,
        check=True,
        timeout=400,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert sum(int(row["disturbed"]) for row in rows) >= 1
    assert {row["faults"] for row in rows} == {"0"}
