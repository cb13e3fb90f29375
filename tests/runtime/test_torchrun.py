"""The command line under ``torchrun``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from napari_slicegan.training.run_folder import RunFolder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes meet in another way")
TIMEOUT_S = 240


def torchrun(*words: str) -> list[str]:
    """Command that starts two processes on this machine."""
    launcher = "-m torch.distributed.run --standalone --nproc-per-node 2".split()
    return [sys.executable, *launcher, "-m", "napari_slicegan", *words]


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        torchrun(*words), cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S
    )


@pytest.fixture
def project(
    tmp_path: Path, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder to start in, from which this package is imported."""
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))
    return tmp_path


def test_faults_are_reported_once(project: Path) -> None:
    done = run(project, "train", "missing.tif")
    assert done.returncode != 0
    printed = [
        line for line in done.stderr.splitlines() if line.startswith("slicegan:")
    ]
    assert len(printed) == 1
    assert "missing.tif" in printed[0]
    assert list(project.iterdir()) == []


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_run_stops_by_a_signal_and_is_resumed(
    project: Path, image: Path, settings: Path, number: signal.Signals
) -> None:
    """The launcher passes signals on and waits; one process prints, none is left."""
    words = ["train", str(image), "--config", str(settings), "--out", "run"]
    command = torchrun(*words, "--steps", "1000000")
    log = project / "log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            command, cwd=project, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while "step " not in log.read_text():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        printed, _ = process.communicate(timeout=100)
    finally:
        process.kill()
    assert "Stopped on request" in printed
    assert printed.count(" GB free)") == 1  # the estimate
    assert log.read_text().count("Stopping after this step, then saving") == 1
    stopped_at = RunFolder.open(project / "run").load_checkpoint()["step"]
    assert stopped_at >= 1
    steps = stopped_at + 2
    done = run(project, "resume", "run", "--steps", str(steps))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"All steps are done. {steps:,} steps") == 1
    assert done.stdout.count("Generate with:") == 1
    assert len(RunFolder.open(project / "run").history()) == steps
