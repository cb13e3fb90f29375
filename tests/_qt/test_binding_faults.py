"""The program outlives any number of signals and calls."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

pytestmark = pytest.mark.qt

# More signals than there are references of True in a new process, and more calls that
# return nothing than there are of None.
CODE = """
from qtpy.QtCore import QCoreApplication, QObject, Signal
from napari_slicegan._qt.binding_faults import spare_references
class Sender(QObject):
    told = Signal(object)
app = QCoreApplication([])
spare_references()
sender = Sender()
for number in range(200_000):
    sender.told.emit(number)
    sender.setParent(None)
print("alive")
"""


def test_signals_never_end_the_program() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=False
    )
    assert ended.stdout.strip() == "alive", ended.stderr
