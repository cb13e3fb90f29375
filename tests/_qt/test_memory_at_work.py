"""While workers run, garbage of all threads is collected in the main thread."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari_slicegan._qt.worker import GenerationWorker

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_slicegan.runtime.progress import Progress

pytestmark = pytest.mark.qt
LONG = 60_000
# Far more than Python lets accumulate before it collects.
N_CYCLES = 200_000


class Cycle:
    """Only a collection frees it."""

    def __init__(self) -> None:
        self.myself = self


def litter(freed_in: set[threading.Thread], progress: Progress) -> int:
    """Leave cycles of which some note in which thread they were freed."""
    for number in range(N_CYCLES):
        cycle = Cycle()
        if number % 1000 == 0:
            weakref.finalize(cycle, lambda: freed_in.add(threading.current_thread()))
            progress(number / N_CYCLES)
    return N_CYCLES


def test_garbage_of_a_worker_is_freed_in_the_main_thread(qtbot: QtBot) -> None:
    freed_in: set[threading.Thread] = set()
    worker = GenerationWorker(litter, freed_in)
    with qtbot.waitSignal(worker.returned, timeout=LONG) as ended:
        worker.start()
        assert not gc.isenabled()
    assert ended.args == [N_CYCLES]
    qtbot.waitUntil(gc.isenabled, timeout=LONG)
    assert freed_in == {threading.main_thread()}


def test_a_disabled_collector_stays_disabled(qtbot: QtBot) -> None:
    worker = GenerationWorker(litter, set())
    gc.disable()
    try:
        with qtbot.waitSignal(worker.finished, timeout=LONG):
            worker.start()
        qtbot.wait(500)
        assert not gc.isenabled()
    finally:
        gc.enable()
