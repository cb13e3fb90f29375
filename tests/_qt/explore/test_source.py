"""Where the generator that is explored comes from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari_slicegan._qt.closing import join
from napari_slicegan._qt.explore.source import ExploreSource

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt
LONG = 60_000


@pytest.fixture
def source(qtbot: QtBot) -> Iterator[ExploreSource]:
    source = ExploreSource()
    qtbot.addWidget(source)
    yield source
    assert join(source.end_work(), 60)


def test_the_run_of_the_other_tabs_is_loaded_when_it_is_seen(
    source: ExploreSource, toy_run: Path, qtbot: QtBot
) -> None:
    assert not source.run_button.isEnabled()
    source.offer(toy_run)
    assert source.run_button.isEnabled()
    assert not source.is_loading
    with qtbot.waitSignal(source.changed, timeout=LONG):
        source.show()
    qtbot.waitUntil(lambda: source.value() is not None, timeout=LONG)
    assert source.facts.toolTip() == str(toy_run)


def test_a_run_that_has_saved_nothing_is_a_fault_only_when_asked_for(
    source: ExploreSource, tmp_path: Path, qtbot: QtBot
) -> None:
    source.offer(tmp_path)
    faults: list[str] = []
    source.failed.connect(faults.append)
    source.show()
    assert not source.is_loading
    with qtbot.waitSignal(source.failed, timeout=LONG):
        source.run_button.click()
    (fault,) = faults
    assert "Expected a run folder" in fault
