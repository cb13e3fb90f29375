"""A run that is killed at any moment, also during a save, can be resumed."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import torch

from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.trainer import Trainer
from tests.toys import train
from tests.training.killed_runs import DELAYS_S, EVENTS, N_WRITTEN

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="kills forked processes, which needs Unix"
)
NAMES = [f"event-{number}" for number in EVENTS]
NAMES += [f"written-{number}" for number in range(N_WRITTEN)]
NAMES += [f"delay-{delay}" for delay in DELAYS_S]


@pytest.fixture(scope="module")
def killed(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Path:
    """Folder of the killed runs."""
    path = tmp_path_factory.mktemp("killed")
    subprocess.run(
        [sys.executable, "-m", "tests.training.killed_runs", str(path)],
        cwd=pytestconfig.rootpath,
        check=True,
        timeout=240,
    )
    return path


def test_the_kills_hit_different_moments(killed: Path) -> None:
    """Before and after each file of a save: the folders differ in what they hold."""
    contents = Counter(
        tuple(sorted(p.name.split(".pt.")[0] for p in (killed / name).iterdir()))
        for name in NAMES
    )
    assert len(contents) >= 4
    # Some died while a file was being written.
    assert any(list((killed / name).glob(".*.partial")) for name in NAMES)


@pytest.mark.parametrize("name", NAMES[::2])
def test_killed_runs_go_on(killed: Path, name: str) -> None:
    """From the last checkpoint, with each step once in the history."""
    folder = RunFolder.open(killed / name)
    # Usable even before the resume.
    for parameter in folder.generator().network.parameters():
        assert torch.isfinite(parameter).all()
    for path in folder.checkpoints():
        assert zipfile.ZipFile(path).testzip() is None
    checkpoint = folder.load_checkpoint()["step"]
    assert checkpoint >= (1 if name.startswith("delay") else 2)
    trainer = Trainer.resume(folder.path, steps=checkpoint + 1)
    assert trainer.step == checkpoint
    (report,) = train(trainer)
    assert report.step == checkpoint + 1
    steps = [int(row["step"]) for row in folder.history()]
    assert steps == list(range(1, checkpoint + 2))
    # What the killed process left half-written is gone.
    assert list(folder.path.glob(".*")) == []
