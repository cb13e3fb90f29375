"""The campaign of mutated files of runs, in a short form."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("dask", reason="needs the extra scale")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="opens files in forked processes")
def test_changed_files_of_runs_are_read_or_refused(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Settings, history, checkpoints, generators, directions, volumes."""
    out = tmp_path / "fuzz.csv"
    words = ["--minutes", "0.04", "--seed", "3", "--out", str(out)]
    subprocess.run(
        [sys.executable, "-m", "benchmarks.fuzz_runs", *words],
        cwd=pytestconfig.rootpath,
        check=True,
        timeout=200,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    table = out.read_text(encoding="utf-8")
    assert "run/config.json,sentence" in table
    assert "crash" not in table
