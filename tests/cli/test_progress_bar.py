"""What training tells a terminal, and what a log."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING

from napari_slicegan.cli import progress as progress_bar
from napari_slicegan.cli.progress import train_with_progress
from napari_slicegan.training.clock import FinishReason
from napari_slicegan.training.trainer import Trainer

if TYPE_CHECKING:
    import pytest

StartToy = Callable[..., Trainer]


class Terminal(io.StringIO):
    """Stands for a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_log_gets_lines_now_and_then(
    start_toy: StartToy,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Steps of 10 s: at once, every 30 s, and the last one; no control characters."""
    trainer = start_toy(steps=9)
    clock = SimpleNamespace(monotonic=lambda: 10.0 * trainer.step)
    monkeypatch.setattr(progress_bar, "time", clock)
    assert train_with_progress(trainer) is FinishReason.STEPS
    lines = capsys.readouterr().err.splitlines(keepends=True)
    steps = [re.search(r"step (\d+),", line) for line in lines]
    assert [step and step[1] for step in steps] == ["1", "4", "7", "9"]
    assert all(line.startswith("Training ") for line in lines)
    assert all(line.endswith("\n") and "\r" not in line for line in lines)
    assert lines[-1].startswith("Training 100%, 0 s left")


def test_a_log_of_other_work_gets_lines_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hundred parts of a second each: the first line, 30 s apart, the last one."""
    now = [0.0]
    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr(progress_bar, "time", clock)
    with progress_bar.progress_bar("Effects") as progress:
        for part in range(1, 101):
            now[0] += 1
            progress(part / 100)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"Effects {n:3d}%" for n in (1, 31, 61, 91, 100)]


def test_a_terminal_gets_a_bar(
    start_toy: StartToy, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert train_with_progress(start_toy(steps=3)) is FinishReason.STEPS
    shown = [text for text in terminal.getvalue().split("\r") if "step " in text]
    assert "step 1," in shown[0]
    assert "step 3," in shown[-1]
    assert "100% |####" in shown[-1] or "100% |████" in shown[-1]
