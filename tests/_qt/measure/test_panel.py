"""The Measure panel in the real viewer."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_slicegan._qt.measure import panel as measure_panel
from napari_slicegan._qt.measure.panel import MeasurePanel
from napari_slicegan._qt.viewer import layer_inputs
from napari_slicegan._qt.viewer.canvas_view import MADE_HERE
from napari_slicegan._qt.viewer.layer_choice import MADE_BY
from napari_slicegan._qt.viewer.layers import EXPLORED, PHASES, key_of
from napari_slicegan._qt.widgets.floor_chart import shown_floors
from napari_slicegan.config import AXES
from napari_slicegan.data.image_files import SourceImage
from napari_slicegan.report.text import in_floors, times
from tests._qt.whole_window import LONG
from tests.reports import gray, phases

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_slicegan.runtime.progress import Progress

pytestmark = pytest.mark.qt


@pytest.fixture
def panel(viewer: Any) -> MeasurePanel:
    made = MeasurePanel(viewer)
    viewer.window.add_dock_widget(made)
    return made


def add_material(viewer: Any) -> None:
    viewer.add_labels(phases(80, 80, seed=1), name="slice")
    viewer.add_labels(phases(40, 40, 40, seed=2), name="made")


def measure(panel: MeasurePanel, qtbot: QtBot) -> Any:
    with qtbot.waitSignal(panel.measured, timeout=LONG) as measured:
        panel.measure()
    qtbot.waitUntil(lambda: not panel.task.is_busy, timeout=LONG)
    return measured.args[0]


def test_layers_can_be_chosen(panel: MeasurePanel, viewer: Any) -> None:
    assert panel.value() == ("", "")
    assert not panel.measure_button.isEnabled()
    assert not panel.hint.isHidden()
    add_material(viewer)
    assert "which agree" in panel.hint.text()
    assert panel.value() == ("slice", "made")
    assert panel.measure_button.isEnabled()
    # The real material may be a volume; what is measured must be one.
    # In the order of the viewer's list, the newest above.
    assert [panel.real.itemText(i) for i in range(panel.real.count())] == [
        "made",
        "slice",
    ]
    assert panel.generated.count() == 1
    panel.set_value(("made", "made"))
    assert panel.value() == ("made", "made")
    assert not panel.measure_button.isEnabled()
    viewer.layers["made"].name = "renamed"
    assert panel.value() == ("renamed", "renamed")
    viewer.layers.remove("renamed")
    assert panel.value() == ("slice", "")


def test_phases_of_the_micrograph_are_compared_with_a_volume_of_phases(
    panel: MeasurePanel, viewer: Any
) -> None:
    """Until another layer is chosen; a volume of gray values is compared with gray."""
    viewer.add_image(gray(60, 60, seed=1), name="gray")
    volume = viewer.add_image(gray(24, 24, 24, seed=3), name="gray volume")
    phase_map = viewer.add_labels(phases(60, 60, seed=1), name="Phases of gray")
    phase_map.metadata[PHASES] = "gray"
    viewer.layers.move(2, 1)
    assert panel.value() == ("gray", "gray volume")
    viewer.layers.remove(volume)
    viewer.add_labels(phases(24, 24, 24, seed=2), name="made")
    assert panel.value() == ("Phases of gray", "made")
    panel.real.setCurrentText("gray")
    panel.real.activated.emit(panel.real.currentIndex())
    viewer.add_labels(phases(24, 24, 24, seed=4), name="made again")
    assert panel.value() == ("gray", "made again")


def test_a_generated_layer_is_not_the_real_material(
    panel: MeasurePanel, viewer: Any
) -> None:
    volume = phases(24, 24, 24, seed=2)
    viewer.add_labels(volume, name="Explored", metadata={EXPLORED: {}})
    viewer.add_labels(volume, name="made", metadata={MADE_BY: {"seed": 0}})
    viewer.add_labels(phases(60, 60, seed=1), name="slice")
    assert panel.value() == ("slice", "made")


def test_the_image_of_the_micrograph_tab_is_the_real_material(
    panel: MeasurePanel, viewer: Any
) -> None:
    """And not an earlier one, whose layer is still there."""
    viewer.add_labels(phases(60, 60, seed=1), name="earlier")
    image = viewer.add_image(gray(60, 60, seed=2), name="used")
    panel.set_views({"z": [layer_inputs.source_of(image)]})
    viewer.add_image(gray(24, 24, 24, seed=3), name="gray volume")
    assert panel.value() == ("used", "gray volume")
    # Its phases, for a volume of phases.
    key = key_of(layer_inputs.source_of(image), image)
    viewer.add_labels(phases(60, 60, seed=2), name="its phases", metadata={PHASES: key})
    viewer.add_labels(phases(24, 24, 24, seed=4), name="made")
    assert panel.value() == ("its phases", "made")


def test_results_of_other_layers_are_marked(
    panel: MeasurePanel, viewer: Any, qtbot: QtBot
) -> None:
    add_material(viewer)
    measure(panel, qtbot)
    assert panel.outdated.isHidden()
    viewer.add_labels(phases(40, 40, 40, seed=3), name="made later")
    assert panel.value() == ("slice", "made later")
    assert "Measured below: made, compared with slice." in panel.outdated.text()
    panel.set_value(("slice", "made"))
    assert panel.outdated.isHidden()


def test_results_of_layers_that_have_changed_since_are_marked(
    panel: MeasurePanel, viewer: Any, qtbot: QtBot
) -> None:
    """Their names are the same: other values, a stroke, a pixel size, another layer."""
    add_material(viewer)
    real, made = viewer.layers["slice"], viewer.layers["made"]

    def put(other: Any) -> None:
        viewer.layers.remove(other)
        viewer.add_labels(phases(40, 40, 40, seed=4), name="made")

    def replace(layer: Any) -> None:
        layer.data = layer.data.copy()

    def paint(layer: Any) -> None:
        layer.paint((2, 2), 1)

    def calibrate(layer: Any) -> None:
        layer.scale = (2.0,) * layer.ndim

    for layer, change in (
        (made, replace),
        (real, paint),
        (real, calibrate),
        (made, put),
    ):
        measure(panel, qtbot)
        assert panel.outdated.isHidden()
        change(layer)
        note = panel.outdated.text()
        assert note.startswith(f"{layer.name} has changed since it was measured below.")
        assert panel.value() == ("slice", "made")
    # Also of one that changes while it is measured.
    panel.measure()
    viewer.layers["made"].data = phases(40, 40, 40, seed=5)
    qtbot.waitUntil(lambda: not panel.task.is_busy, timeout=LONG)
    assert panel.outdated.text().startswith("made has changed")


def test_an_anisotropic_material_is_compared_with_all_its_views(
    panel: MeasurePanel, viewer: Any, qtbot: QtBot
) -> None:
    """Stripes along x: flat seen along z, and without them seen along x."""
    stripes = np.zeros((48, 48, 48), np.uint8)
    stripes[:, ::2] = 1
    views = {
        "z": stripes[0],
        "y": np.uint8(phases(48, 48, seed=1) > 0),
        "x": stripes[:, :, 0],
    }
    sources: dict[Any, list[SourceImage]] = {}
    for axis, values in views.items():
        layer = viewer.add_labels(values, name=f"view {axis}")
        sources[axis] = [layer_inputs.source_of(layer)]
    viewer.add_labels(stripes, name="made")
    panel.set_views(sources)
    assert not panel.views_note.isHidden()
    rows = measure(panel, qtbot).comparison.rows
    found = {x.axis: x.real for x in rows if x.metric == "interface_density"}
    # Along y by the stripes of two views, along z by the grains of one.
    assert found["y"] == 1.0
    grains = np.mean(np.diff(views["y"], axis=0) != 0)
    assert found["z"] == pytest.approx(grains / 2)
    assert panel.outdated.isHidden()
    # What is no longer in the viewer is named.
    viewer.layers.remove("view y")
    assert panel.views_note.text() == (
        "alone: view y, of another view, is no longer in the viewer"
    )
    assert "Measured below" in panel.outdated.text()
    more = viewer.add_labels(views["y"], name="more of y")
    sources["y"].append(layer_inputs.source_of(more))
    panel.set_views(sources)
    assert panel.views_note.text() == (
        "and the other views of the Micrograph tab, each in its direction, but for "
        "view y, no longer in the viewer"
    )
    # A layer that is none of the views is isotropic.
    viewer.add_labels(stripes[0], name="another")
    panel.set_value(("another", "made"))
    assert panel.views_note.isHidden()
    panel.set_views({"z": sources["z"]})
    panel.set_value(("view z", "made"))
    assert panel.views_note.isHidden()


def export(panel: MeasurePanel, path: Path, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not panel.task.is_busy, timeout=LONG)
    panel.export(path)
    qtbot.waitUntil(lambda: not panel.task.is_busy, timeout=LONG)


def test_verdicts_curves_and_files(
    panel: MeasurePanel, viewer: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    add_material(viewer)
    proof = measure(panel, qtbot)
    assert proof.verdict.headline in panel.table.headline.text()
    # The next step leads to the Train tab.
    assert "train longer" in panel.table.next.text()
    with qtbot.waitSignal(panel.training_requested):
        panel.table.next.linkActivated.emit("train")
    shown = panel.table.table
    assert shown.rowCount() == len(proof.metrics)

    def are_all_seen() -> bool:
        height = shown.viewport().height()
        is_whole = shown.verticalScrollBar().maximum() == 0
        return is_whole and height >= shown.verticalHeader().length()

    # All rows are seen, also when their titles take more lines.
    for width in (600, 440):
        shown.setFixedWidth(width)
        qtbot.waitUntil(are_all_seen, timeout=LONG)
    first = shown.item(0, 0)
    assert first is not None
    assert first.text() == "Phase fraction"
    without = shown.item(0, 5)
    assert without is not None
    floors = proof.baseline_metrics["phase_fraction"].floors
    assert floors is not None
    assert without.text() == shown_floors(floors)
    # The chart has what is judged, the largest distance first.
    bars = panel.table.chart.value()
    judged = [one for one in proof.metrics if one.grade != "unknown"]
    assert bars == sorted(((x.title, x.floors) for x in judged), key=lambda x: -x[1])
    assert panel.table.words.text().startswith(bars[0][0])
    curved = [x for x in judged if x.generated == "curve"]
    largest = max(curved, key=lambda x: x.floors)
    assert panel.table.curve.currentText() == f"{largest.title}, {largest.where}"
    line = panel.table.chart.sizeHint().height() // (len(bars) + 1)
    place = QPoint(20, 2 * line + line // 2)
    QTest.mouseClick(panel.table.chart, Qt.MouseButton.LeftButton, pos=place)
    assert panel.table.words.text().startswith(bars[1][0])
    shown.setCurrentCell(2, 0)
    assert proof.metrics[2].words in panel.table.words.text()
    # A number has no curve: the plot stays.
    plot = panel.table.plot.getPlotItem()
    number = [one.generated for one in proof.metrics].index("curve")
    shown.setCurrentCell(number, 0)
    assert plot.listDataItems()
    named = panel.table.curve.currentText()
    shown.setCurrentCell(0, 0)
    assert plot.listDataItems()
    assert panel.table.curve.currentText() == named
    # A click on a curve plots it.
    number, one = [x for x in enumerate(proof.metrics) if x[1].generated == "curve"][-1]
    shown.setCurrentCell(number, 0)
    assert panel.table.curve.currentText() == f"{one.title}, {one.where}"
    n_curves = panel.table.curve.count()
    assert n_curves == sum(
        isinstance(row.generated, tuple) for row in proof.comparison.rows
    )
    panel.table.curve.setCurrentIndex(1)
    curves = panel.table.plot.getPlotItem().listDataItems()
    row = [r for r in proof.comparison.rows if isinstance(r.generated, tuple)][1]
    np.testing.assert_allclose(curves[-1].getData()[1], row.generated)
    export(panel, tmp_path / "found.html", qtbot)
    written = f"Saved {tmp_path / 'found.html'} and found.json"
    assert panel.message.text() == written
    assert proof.verdict.headline in panel.table.headline.text()
    text = (tmp_path / "found.html").read_text("utf-8")
    assert "made and slice" in text
    export(panel, tmp_path / "found.csv", qtbot)
    with (tmp_path / "found.csv").open() as file:
        assert len(list(csv.reader(file))) > len(proof.comparison.rows)
    export(panel, tmp_path / "found.pdf", qtbot)
    assert ".html" in panel.message.text()


def test_layers_of_different_kinds_give_an_error(
    panel: MeasurePanel, viewer: Any, qtbot: QtBot
) -> None:
    viewer.add_image(gray(60, 60, seed=1), name="gray")
    viewer.add_labels(phases(40, 40, 40, seed=2), name="made")
    panel.set_value(("gray", "made"))
    with qtbot.waitSignal(panel.failed, timeout=LONG) as failed:
        panel.measure()
    assert "must be of one kind" in failed.args[0]
    assert "Unexpected error" not in failed.args[0]
    assert panel.message.text() == failed.args[0]
    qtbot.waitUntil(lambda: not panel.task.is_busy, timeout=LONG)
    panel.set_value(("made", "made"))
    panel.measure()
    assert "Choose two different layers" in panel.message.text()


def test_results_are_exported_with_the_names_of_their_layers(
    panel: MeasurePanel,
    viewer: Any,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also when a later measurement of another layer has failed."""
    add_material(viewer)
    measure(panel, qtbot)
    viewer.add_image(gray(24, 24, 24, seed=3), name="other kind")
    panel.set_value(("slice", "other kind"))
    with qtbot.waitSignal(panel.failed, timeout=LONG):
        panel.measure()
    named: list[str] = []

    def note(*given: Any, progress: Progress) -> list[Path]:
        named.append(given[2])
        return [given[3]]

    monkeypatch.setattr(measure_panel, "export", note)
    export(panel, tmp_path / "report.html", qtbot)
    assert named == ["made"]


def test_the_newest_volume_is_measured_unless_another_was_chosen(
    panel: MeasurePanel, viewer: Any
) -> None:
    volume = phases(40, 40, 40, seed=2)
    viewer.add_labels(phases(80, 80, seed=1), name="slice")
    viewer.add_image(volume, name="Preview")
    viewer.add_labels(volume, name="made")
    assert panel.value() == ("slice", "made")
    panel.set_value(("slice", "Preview"))
    viewer.add_labels(volume, name="made again")
    assert panel.value() == ("slice", "Preview")


def test_rounding_does_not_contradict_a_verdict(
    subtests: pytest.Subtests,
) -> None:
    cases: list[tuple[float, str]] = [
        (0.96, "<= 1"),
        (1.04, "> 1"),
        (3.04, "> 3"),
        (1.21, "1.2"),
    ]
    for floors, text in cases:
        with subtests.test(str(floors)):
            assert in_floors(floors) == text
            assert times(floors) == f"{text} x"


def test_a_real_image_of_smaller_pixels_is_rescaled() -> None:
    """As it was for the training, with 'Rescale factor'."""
    real = SourceImage(gray(160, 160, seed=1), "real", (5.0, 5.0))
    made = SourceImage(gray(40, 40, 40, seed=2), "made", (10.0,) * 3)
    proof = measure_panel.measure(real, made, progress=lambda done: None)
    assert proof.comparison.rows


def test_transport_properties_are_chosen(
    panel: MeasurePanel, viewer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(panel.task, "run", lambda *args: asked.append(args[-3:]))
    add_material(viewer)
    panel.measure()
    panel.permeability.setText("10, 0")
    panel.diffusivity.setChecked(True)
    panel.measure()
    assert asked == [(False, (), []), (True, (10, 0), [])]
    panel.permeability.setText("10, pores")
    panel.measure()
    assert "got '10, pores'" in panel.message.text()
    assert len(asked) == 2


def test_other_seeds_of_the_generator_are_measured_with_the_volume(
    panel: MeasurePanel, viewer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not another size, generator or view, nor a seed twice; of files other files."""
    asked: list[list[str]] = []
    monkeypatch.setattr(
        panel.task,
        "run",
        lambda *args: asked.append([source.name for source in args[-1]]),
    )
    viewer.add_labels(phases(80, 80, seed=1), name="slice")

    def add(name: str, edge: int, **about: Any) -> None:
        values = phases(edge, edge, edge, seed=2)
        viewer.add_labels(values, name=name, metadata=about)

    add("file", 20)
    add("other file", 20)
    add("shown", 20, **{MADE_HERE: True})
    for number, (edge, generator, seed) in enumerate(
        [(20, "a", 1), (20, "a", 2), (24, "a", 3), (20, "b", 4), (20, "a", 1)]
    ):
        made_by = {"generator": generator, "step": 9, "seed": seed}
        add(f"made {number}", edge, **{MADE_BY: made_by})
    for chosen in ("made 0", "file", "made 3"):
        panel.set_value(("slice", chosen))
        panel.siblings.setChecked(not panel.siblings.isHidden())
        panel.measure()
    assert asked == [["made 1"], ["other file"], []]
    panel.set_value(("slice", "made 0"))
    assert panel.siblings.text() == "Also of 1 other volume of this size"
    panel.siblings.setChecked(False)
    panel.measure()
    assert asked[-1] == []


def test_transport_properties_are_measured_on_request(qtbot: QtBot) -> None:
    real = SourceImage(phases(60, 60, seed=1), "real")
    made = SourceImage(phases(20, 20, 20, seed=2), "made")
    table = measure_panel.MeasureTable()
    qtbot.addWidget(table)
    done: list[float] = []
    other = SourceImage(phases(20, 20, 20, seed=3), "made")
    proof = measure_panel.measure(
        real, made, True, (10,), [other], progress=done.append
    )
    table.set_proof(proof)
    names = {"effective_diffusivity", "permeability"}
    assert names <= {one.metric for one in proof.metrics}
    assert proof.physics is not None
    for axis in AXES:
        found = proof.physics.row("permeability", 10, axis)
        assert found.between_volumes is not None
        line = (
            f"Permeability (voxel^2), phase 10, along {axis}: {found.generated.text}, "
            f"between volumes {found.between_volumes:.2g}"
        )
        assert line in table.checks.text()
    # It takes longer than all else.
    assert done == sorted(done)
    assert done[-1] == 1
    assert np.mean(np.less(0.3, done)) > 0.8


def test_labels_matched_by_rank_are_reported(qtbot: QtBot) -> None:
    """A picture of 0, 255 beside a volume of the same phases 0, 10."""
    real = SourceImage((phases(80, 80, seed=1) > 0) * np.uint8(255), "real")
    made = SourceImage(phases(40, 40, 40, seed=2), "made")
    table = measure_panel.MeasureTable()
    qtbot.addWidget(table)
    table.set_proof(measure_panel.measure(real, made, progress=lambda done: None))
    assert "matched to the real ones by rank: 0 -> 0, 10 -> 255." in table.checks.text()


def test_long_names_do_not_widen_the_panel(panel: MeasurePanel, viewer: Any) -> None:
    width = panel.content.minimumSize().width()
    viewer.add_labels(phases(80, 80, seed=1), name="a long name of a layer " * 5)
    assert panel.content.minimumSize().width() == width
    # The box cuts them; its tooltip and those of its list do not.
    shown = viewer.layers[-1].name
    assert shown in panel.real.toolTip()
    assert shown in panel.real.itemData(0, Qt.ItemDataRole.ToolTipRole)
