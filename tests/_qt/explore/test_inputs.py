"""The forms of the Explore panel: build, set, compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QVBoxLayout, QWidget

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari_slicegan._qt.explore.action_forms import (
    FitForm,
    GradeForm,
    SweepForm,
    set_choices,
)
from napari_slicegan._qt.explore.direction_list import StrengthEditor
from napari_slicegan._qt.explore.exploration import Exploration
from napari_slicegan._qt.explore.forms import (
    BOX,
    RAMP,
    ExplorationForm,
    RegionForm,
)
from napari_slicegan._qt.explore.jobs import (
    SIGMA,
    FitRequest,
    GradeRequest,
    SweepRequest,
    words_of,
)
from napari_slicegan._qt.widgets.floor_chart import FloorChart
from napari_slicegan._qt.widgets.small_plot import SmallPlot, told_apart
from napari_slicegan.directions import Effect
from napari_slicegan.generation.regions import Box, Profile, ramp
from napari_slicegan.runtime.quantities import unbroken

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt

BLOCKS = ("latent", "block1", "block2")
TITLES = {"phase_fraction": "Phase fraction", "chord_length": "Mean chord length"}
WANTED = Exploration(
    7, (48, 40, 32), 0.7, "block1", "block2", Box((1, 2, 3), (9, 8, 7), 2.0)
)


def test_setting_a_sample_emits_one_change(qtbot: QtBot) -> None:
    form = ExplorationForm()
    qtbot.addWidget(form)
    form.set_blocks(BLOCKS)
    assert form.value() == Exploration()
    changes: list[bool] = []
    form.value_changed.connect(lambda: changes.append(True))
    form.set_value(WANTED)
    assert form.value() == WANTED
    assert len(changes) == 1
    form.seed.set_value(8)
    assert len(changes) == 2
    form.seed.dice.click()
    assert form.value().seed != 8


def test_the_last_block_is_not_before_the_first(qtbot: QtBot) -> None:
    form = ExplorationForm()
    qtbot.addWidget(form)
    form.set_blocks(BLOCKS)
    assert (form.value().first, form.value().last) == (None, None)
    assert not form.last.isEnabled()
    assert form.last.currentText() == ""
    form.first.setCurrentText("block2")
    assert (form.value().first, form.value().last) == ("block2", "block2")
    form.last.setCurrentText("latent")
    assert (form.value().first, form.value().last) == ("latent", "latent")


def test_regions_survive_the_form(qtbot: QtBot) -> None:
    form = RegionForm()
    qtbot.addWidget(form)
    form.set_size((48, 40, 32))
    for region in (Box((0, 1, 2), (3, 4, 5), 1.0), ramp("y", 40, -1.0, 2.5), None):
        form.set_value(region)
        assert form.value() == region


def test_a_ramp_spans_the_whole_volume(qtbot: QtBot) -> None:
    form = RegionForm()
    qtbot.addWidget(form)
    form.set_size((48, 40, 32))
    form.kind.setCurrentText(RAMP)
    form.axis.setCurrentText("x")
    assert form.value() == Profile("x", (0.0, 31.0), (0.0, 1.0))


def test_the_default_box_is_centred_and_may_not_be_empty(qtbot: QtBot) -> None:
    form = RegionForm()
    qtbot.addWidget(form)
    form.set_size((48, 40, 32))
    form.kind.setCurrentText(BOX)
    assert form.value() == Box((12, 10, 8), (36, 30, 24))
    form.box.high["z"].setValue(12)
    with pytest.raises(ValueError, match="end lies behind its start"):
        form.value()


def test_requests_survive_the_forms(qtbot: QtBot) -> None:
    fit, sweep, grade = FitForm(), SweepForm(), GradeForm()
    for each in (fit, sweep, grade):
        qtbot.addWidget(each)
    # No generator yet, or one of images without properties: no empty row.
    assert fit.guided.isHidden()
    fit.set_choices(BLOCKS, TITLES)
    assert not fit.guided.isHidden()
    assert fit.value() == FitRequest(guided=("phase_fraction",))
    chosen = FitRequest("block1", 3, 50, ("chord_length",), 80)
    fit.set_value(chosen)
    assert fit.value() == chosen
    for form in (sweep, grade):
        set_choices(form.direction, {"pores": "pores", "component 1": "component 1"})
    grade.set_properties(TITLES)
    request = SweepRequest("component 1", -2.0, 4.0, 5)
    sweep.set_value(request)
    assert sweep.value() == request
    assert request.strengths == (-2.0, -0.5, 1.0, 2.5, 4.0)
    wanted = GradeRequest("component 1", "chord_length", "y", 5.0, 9.5, 4)
    grade.set_value(wanted)
    assert grade.value() == wanted
    # Another name for the chosen direction leaves it chosen.
    set_choices(sweep.direction, {"pores": "pores", "grains": "grains"})
    assert sweep.value().name == "grains"
    # All digits that are typed count.
    for form, name, typed in ((sweep, "first", "-1.125"), (grade, "last", "0.12345")):
        box = form.fields[name].main
        box.selectAll()  # type: ignore[attr-defined]
        QTest.keyClicks(box, typed)
        QTest.keyClick(box, Qt.Key.Key_Return)
        assert getattr(form.value(), name) == float(typed)


def test_a_strength_beyond_what_is_measured_is_marked_at_the_edge(
    qtbot: QtBot,
) -> None:
    plot = SmallPlot((124, 58), "strength")
    qtbot.addWidget(plot)
    line = plot._marker  # noqa: SLF001 no other way
    plot.mark(2, (-3, 3))
    assert (line.value(), line.pen.style()) == (2, Qt.PenStyle.SolidLine)
    plot.mark(4.1, (-3, 3))
    assert (line.value(), line.pen.style()) == (3, Qt.PenStyle.DotLine)


def test_the_slider_has_the_range_of_the_plot(qtbot: QtBot) -> None:
    """The number box reaches further."""
    editor = StrengthEditor((-3.0, 3.0))
    qtbot.addWidget(editor)
    editor.slider.setValue(editor.slider.maximum())
    assert (editor.value(), editor.number.value()) == (3, 3)
    editor.number.setValue(4.5)
    assert (editor.value(), editor.slider.value()) == (4.5, editor.slider.maximum())
    editor.slider.setValue(-12)
    assert editor.value() == -1.2


def test_small_plots_follow_the_font_size_of_labels(qtbot: QtBot) -> None:
    """As napari sets it, also in a panel that is already shown."""
    panel = QWidget()
    qtbot.addWidget(panel)
    plot, chart = SmallPlot((300, 180), "r (voxels)", with_axes=True), FloorChart()
    layout = QVBoxLayout(panel)
    layout.addWidget(plot)
    layout.addWidget(chart)
    panel.show()
    heights = []
    for points in (9, 18):
        panel.setStyleSheet(f"QLabel {{ font-size: {points + 1}pt; }}")
        for side in ("left", "bottom"):
            axis = plot.getPlotItem().getAxis(side)
            assert axis.style["tickFont"].pointSize() == points
        assert axis.label.font().pointSize() == points
        heights.append((plot.height(), chart.sizeHint().height()))
    usual, large = np.array(heights)
    assert usual[0] == 180
    assert (large > 1.5 * usual).all()


@pytest.mark.parametrize(
    ("numbers", "texts"),
    [
        ([0.23, 0.44], ["0.23", "0.44"]),
        ([0.3192, 0.3205], ["0.3192", "0.3205"]),
        # No powers of ten.
        ([94.4, 102.3], ["94.4", "102"]),
        ([51.0, 1234.0], ["50", "1200"]),
        ([0.000483, 0.731], ["0", "0.73"]),
        ([-0.0004, 0.73], ["0", "0.73"]),
    ],
)
def test_ends_of_an_axis_are_told_apart(numbers: list[float], texts: list[str]) -> None:
    assert told_apart(numbers) == texts


@pytest.mark.parametrize(
    ("slope", "error", "is_strongest", "text"),
    [
        (-0.04, 0.006, True, f"porosity -0.04 ± 0.006 per {SIGMA}"),
        (
            -0.04,
            0.006,
            False,
            f"weak effect: porosity -0.04 ± 0.006 per {SIGMA}",
        ),
        # As large as its error where both are shown with one digit.
        (
            0.39,
            0.41,
            True,
            f"no measurable effect on the porosity (+0.39 ± 0.4 per {SIGMA})",
        ),
        # No powers of ten, and no digits far below the error.
        (
            -3.14e-5,
            2e-4,
            True,
            f"no measurable effect on the porosity (-0.00003 ± 0.0002 per {SIGMA})",
        ),
    ],
)
def test_an_effect_within_its_error_is_none(
    slope: float, error: float, is_strongest: bool, text: str
) -> None:
    effect = Effect("phase_fraction", slope, error, -1, 6 * slope, 0.01)
    words = words_of(effect, "porosity", is_strongest=is_strongest)
    assert words.replace("\N{NO-BREAK SPACE}", " ") == text
    # No line ends between a number, its error and its unit.
    assert unbroken(f" per {SIGMA}") in words
