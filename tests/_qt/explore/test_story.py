"""A session in the Explore panel with the sample generator of the package."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari_slicegan._qt.explore.jobs import FitRequest, GradeRequest
from napari_slicegan.directions import PROPERTIES
from napari_slicegan.runtime.quantities import unbroken
from tests._qt.exploring import LONG, find, move, rest
from tests._qt.whole_window import dock

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt

SIZE = (32, 32, 32)


def test_from_the_sample_generator_to_a_graded_sandstone(
    make_napari_viewer_proxy: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    viewer = make_napari_viewer_proxy()
    widget = dock(viewer, tmp_path / "runs")
    widget.show_panel("Explore")
    panel = widget.explore
    measured: list[Mapping[str, float]] = []
    panel.measured.connect(measured.append)
    with qtbot.waitSignal(panel.measured, timeout=LONG):
        panel.source.sample_button.click()
    rest(panel, qtbot)
    assert viewer.layers["Explored"].data.shape == (64, 64, 64)
    panel.set_value(replace(panel.value(), size=SIZE))
    find(panel, FitRequest("block2", 1, 100, ("phase_fraction",), 60), qtbot)
    rows = panel.directions.rows
    found = panel.found
    assert found is not None
    effect = found.directions.directions[1].strongest
    assert effect is not None
    measures = PROPERTIES[effect.measured]
    name = measures.rising if effect.slope > 0 else measures.falling
    names = [row.name.text() for row in rows]
    assert names == ["phase fraction", name.format(255)]
    assert unbroken(f"{effect.slope:+.2g} ± ") in rows[1].words.text()
    assert rows[0].plot_title.text() == "fraction of phase 255"
    before = measured[-1]
    sample = np.asarray(viewer.layers["Explored"].data).copy()
    # The measured property changes with the sign that the label states.
    move(panel, 1, 2.0, qtbot)
    assert (viewer.layers["Explored"].data != sample).any()
    change = measured[-1][effect.measured] - before[effect.measured]
    assert change * effect.slope > 0
    panel.directions.undo_button.click()
    rest(panel, qtbot)
    np.testing.assert_array_equal(viewer.layers["Explored"].data, sample)
    move(panel, 0, 3.0, qtbot)
    assert measured[-1]["phase_fraction"] > before["phase_fraction"] + 0.03
    shown = panel.directions.measurements.text()
    assert unbroken("Fraction of phase 255: ") in shown
    # Lines end between the properties.
    assert shown.count(" ") == 2 * shown.count("\N{MIDDLE DOT}")
    fraction = before["phase_fraction"]
    panel.grade_form.set_value(
        GradeRequest(
            "phase fraction",
            "phase_fraction",
            "z",
            fraction - 0.02,
            fraction + 0.02,
            3,
        )
    )
    panel.grade_form.button.click()
    rest(panel, qtbot)
    assert viewer.layers["Graded volume"].data.shape == SIZE
    assert not panel.grade_form.plot.isHidden()
    axes = panel.grade_form.plot.getPlotItem().axes
    titles = {side: axes[side]["item"].labelText for side in ("bottom", "left")}
    assert titles == {
        "bottom": "Position along z (voxels)",
        "left": "Fraction of phase 255",
    }
    error = re.search(r"difference ([\d.e-]+)\.$", panel.grade_form.words.text())
    assert error is not None
    assert float(error[1]) < 0.1
