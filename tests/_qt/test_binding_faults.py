"""The Qt binding outlives any number of signals and calls, or is reported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

import qtpy

from benchmarks.supply import SIGNALS
from napari_slicegan._qt.main_widget import SliceGANWidget, binding_fault

pytestmark = pytest.mark.qt

CODE = f'{SIGNALS}print("alive")'


def test_a_binding_that_ends_the_program_is_reported(
    make_napari_viewer: Callable[..., Any],
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=False
    )
    message = SliceGANWidget(make_napari_viewer()).message
    if ended.stdout.strip() == "alive":
        assert message.text() == ""
    else:
        assert "deallocating" in ended.stderr
        assert "pip install 'PySide6!=6.12.*'" in message.text()


def test_the_guard_knows_the_faulty_pair(
    monkeypatch: pytest.MonkeyPatch,
    subtests: pytest.Subtests,
) -> None:
    cases: list[tuple[tuple[int, int], str | None, bool]] = [
        ((3, 11), "6.11.3", False),
        ((3, 11), "6.12.0", True),
        ((3, 12), "6.12.0", False),
        ((3, 11), None, False),
    ]
    for python, binding, is_faulty in cases:
        with subtests.test(str(python)):
            with monkeypatch.context() as changed:
                changed.setattr(qtpy, "PYSIDE_VERSION", binding)
                changed.setattr(sys, "version_info", python)
                fault = binding_fault()
            assert (fault is not None) is is_faulty
