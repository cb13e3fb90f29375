"""Every call of a run that writes fails once, or from then on: nothing is lost."""

from __future__ import annotations

import errno
import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from napari_slicegan.training.run_folder import RunFolder
from tests.training.killed_runs import FILE_EVENTS

if TYPE_CHECKING:
    from napari_slicegan.training.trainer import Trainer

ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS, errno.ESTALE)
EVENTS = (*FILE_EVENTS, "os.mkdir", "os.truncate")


class FaultyDisk:
    """Lets the n-th use of a file in a folder fail, or all from the n-th on."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = str(folder)
        self.is_lasting = False
        self.number, self.used, self.failed = 0, 0, 0
        fsync = os.fsync

        def flushed(descriptor: int) -> None:
            self._use()
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", flushed)
        # Hooks stay for good.
        sys.addaudithook(self._hook)

    def arm(self, number: int) -> None:
        """Fail at this use from now on; 0 for never."""
        self.number, self.used, self.failed = number, 0, 0

    def _hook(self, event: str, arguments: Any) -> None:
        is_here = event in EVENTS and str(arguments[0]).startswith(self.folder)
        if self.number and is_here:
            self._use()

    def _use(self) -> None:
        if not self.number:
            return
        self.used += 1
        is_late = self.is_lasting and self.used > self.number
        if self.used == self.number or is_late:
            self.failed += 1
            number = ERRORS[self.number % len(ERRORS)]
            raise OSError(number, os.strerror(number))


@pytest.mark.parametrize("is_lasting", [False, True])
def test_faults_at_every_use_of_a_file(
    start_toy: Callable[..., Trainer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_lasting: bool,
) -> None:
    """In every other step; each is reported once, and the next save succeeds.

    Faults of even numbers last to the end of the step.
    """
    disk = FaultyDisk(tmp_path, monkeypatch)
    disk.is_lasting = is_lasting
    trainer = start_toy(steps=200, checkpoint_minutes=1e-9, monitor_interval=2)
    folder = RunFolder(tmp_path / "run")
    numbers = itertools.count(2 if is_lasting else 1, 2)
    steps = trainer.run()
    next(steps)
    for number in numbers:
        disk.arm(number)
        next(steps)
        disk.number = 0
        # What was whole is whole, whether the step is saved or not.
        is_saved = folder.load_checkpoint()["step"] == trainer.step
        assert is_saved or folder.load_checkpoint()["step"] == trainer.step - 1
        assert folder.generator() is not None
        report = next(steps)
        # A fault after the checkpoint keeps only the generator from being written.
        assert "could not be saved" in report.warning or is_saved
        assert folder.saved_steps()[0] == trainer.step
        assert report.warning.count("training continues") <= 1
        assert list(folder.path.glob(".*.partial")) == []
        if not disk.failed:  # all uses have had their turn
            break
    assert disk.used > 20
    steps.close()
    written = [int(row["step"]) for row in folder.history()]
    assert written == list(range(1, trainer.step + 1))


def test_a_folder_that_is_gone_for_a_while(
    start_toy: Callable[..., Trainer], tmp_path: Path
) -> None:
    """As on a drive that was unplugged; nothing is written in its place."""
    trainer = start_toy(steps=6, checkpoint_minutes=1e-9, monitor_interval=1)
    path, away = tmp_path / "run", tmp_path / "away"
    warnings = []
    for report in trainer.run():
        warnings.append("could not be saved (No such file" in report.warning)
        if report.step == 2:
            path.rename(away)
        if report.step == 4:
            assert not path.exists()
            away.rename(path)
    assert warnings == [False, False, False, True, False, False]
    folder = RunFolder.open(path)
    assert folder.saved_steps() == [6, 5]
    assert [row["step"] for row in folder.history()] == list("123456")
