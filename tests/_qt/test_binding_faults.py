"""The program outlives any number of signals."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

pytestmark = pytest.mark.qt

# More signals than there are references of True in a new process.
CODE = """
from qtpy.QtCore import QCoreApplication, QObject, Signal
from napari_slicegan._qt.binding_faults import spare_references_of_true
class Sender(QObject):
    told = Signal(object)
app = QCoreApplication([])
spare_references_of_true()
sender = Sender()
for number in range(100_000):
    sender.told.emit(number)
print("alive")
"""


def test_signals_never_end_the_program() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=False
    )
    assert ended.stdout.strip() == "alive", ended.stderr
