"""User actions in the Explore panel, for tests with a real viewer and engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan._qt.explore.jobs import FitRequest

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_slicegan._qt.explore.panel import ExplorePanel


LONG = 120_000
TOY_FIT = FitRequest("block1", 2, 40, ("phase_fraction",), 24)
TOY_SIZE = (24, 20, 16)


def rest(panel: ExplorePanel, qtbot: QtBot) -> None:
    """Wait until all work has ended."""
    qtbot.waitUntil(
        lambda: (
            not panel.task.is_busy
            and not panel.live.is_busy
            and not panel.source.is_loading
        ),
        timeout=LONG,
    )


def open_run(panel: ExplorePanel, run: Path, qtbot: QtBot) -> None:
    """Load a generator and wait for its volume."""
    with qtbot.waitSignal(panel.measured, timeout=LONG):
        panel.set_run(run)
    rest(panel, qtbot)


def find(panel: ExplorePanel, request: FitRequest, qtbot: QtBot) -> None:
    """Press "Find directions" and wait for the sliders."""
    panel.fit_form.set_value(request)
    panel.fit_form.button.click()
    rest(panel, qtbot)


def move(panel: ExplorePanel, number: int, strength: float, qtbot: QtBot) -> None:
    """Type the strength of a direction and wait for the measured volume."""
    row = panel.directions.rows[number]
    with qtbot.waitSignal(panel.measured, timeout=LONG):
        row.strength.number.setValue(strength)
    rest(panel, qtbot)
