"""The Explore panel with a toy generator: buttons, errors, and its generator."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtWidgets import QScrollArea

from napari_slicegan._qt.closing import join
from napari_slicegan._qt.explore import jobs
from napari_slicegan._qt.explore import panel as explore_panel
from napari_slicegan._qt.explore.exploration import Exploration
from napari_slicegan._qt.explore.jobs import FitRequest, GradeRequest, SweepRequest
from napari_slicegan._qt.explore.panel import ExplorePanel
from napari_slicegan._qt.viewer.canvas_view import DIRECTION
from napari_slicegan._qt.widgets.generator_source import ExploreSource
from napari_slicegan.directions import load_directions, reproduce
from napari_slicegan.generation.generate import generate
from napari_slicegan.generation.regions import Box, ramp
from napari_slicegan.generation.samples import (
    generate_images,
    generate_samples,
    sheet_of,
)
from napari_slicegan.models.generator_file import load_any_generator, load_generator
from napari_slicegan.training.trainer import Trainer
from tests._qt.exploring import LONG, TOY_FIT, TOY_SIZE, find, move, open_run, rest
from tests.image_toys import small_image_config, toy_set
from tests.toys import train

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    from napari_slicegan._qt.explore.jobs import Found
    from napari_slicegan.config import RunConfig
    from napari_slicegan.data.training_images import TrainingImages
    from napari_slicegan.runtime.progress import Progress

pytestmark = pytest.mark.qt


@pytest.fixture
def panel(viewer: Any, toy_run: Path, qtbot: QtBot) -> Iterator[ExplorePanel]:
    made = ExplorePanel(viewer)
    viewer.window.add_dock_widget(made)
    made.set_value(Exploration(size=TOY_SIZE))
    open_run(made, toy_run, qtbot)
    yield made
    assert join(made.end_work(), 60)


@pytest.fixture(scope="module")
def directions(toy_run: Path) -> Found:
    return jobs.fit(load_generator(toy_run), TOY_FIT, lambda fraction: None)


@pytest.fixture
def found(panel: ExplorePanel, directions: Found, qtbot: QtBot) -> ExplorePanel:
    """The panel with the directions that its button finds."""
    panel.set_found(directions)
    rest(panel, qtbot)
    return panel


def shown(viewer: Any) -> NDArray[Any]:
    return np.asarray(viewer.layers["Explored"].data).copy()


def test_the_volume_equals_the_engines_for_all_settings(
    found: ExplorePanel, viewer: Any, toy_run: Path, qtbot: QtBot
) -> None:
    trained = load_generator(toy_run)
    np.testing.assert_array_equal(shown(viewer), generate(trained, TOY_SIZE).values)
    # Seen from the corner, also as the first layer of an empty viewer.
    seen = np.array(viewer.scene.camera.view_direction)
    corner = np.array(DIRECTION) / np.linalg.norm(DIRECTION)
    np.testing.assert_allclose(seen, corner, atol=1e-6)
    region = ramp("z", 24, 0.0, 1.0)
    wanted = Exploration(5, TOY_SIZE, 0.8, "latent", "block1", region, (2.0, 0.0, -1.5))
    with qtbot.waitSignal(found.measured, timeout=LONG):
        found.set_value(wanted)
    assert found.value() == wanted
    assert found.found is not None
    first, _, third = found.found.directions
    edits = [
        direction.edit(strength, "latent", "block1", region)
        for direction, strength in ((first, 2.0), (third, -1.5))
    ]
    expected = generate(trained, TOY_SIZE, 5, edits=edits, truncation=0.8)
    np.testing.assert_array_equal(shown(viewer), expected.values)


def test_steps_are_undone_redone_and_reset(
    found: ExplorePanel, viewer: Any, qtbot: QtBot
) -> None:
    box = found.directions
    before = shown(viewer)
    assert not box.undo_button.isEnabled()
    move(found, 0, 6.0, qtbot)
    after = shown(viewer)
    assert (before != after).any()
    box.undo_button.click()
    rest(found, qtbot)
    np.testing.assert_array_equal(shown(viewer), before)
    assert found.value().strengths == (0, 0, 0)
    box.redo_button.click()
    rest(found, qtbot)
    np.testing.assert_array_equal(shown(viewer), after)
    found.form.truncation.setValue(0.5)
    box.reset_button.click()
    rest(found, qtbot)
    np.testing.assert_array_equal(shown(viewer), before)
    box.undo_button.click()
    assert found.value().strengths == (6, 0, 0)
    assert found.value().truncation == 0.5


def test_steps_back_and_properties_do_not_scroll_away(panel: ExplorePanel) -> None:
    """They are in sight beside any slider."""
    box = panel.directions
    (area,) = (x for x in panel.findChildren(QScrollArea) if x.isAncestorOf(box))
    for each in (box.undo_button, box.redo_button, box.reset_button, box.measurements):
        assert panel.isAncestorOf(each)
        assert not area.isAncestorOf(each)


def test_a_dragged_slider_shows_a_corner_until_it_is_released(
    found: ExplorePanel, viewer: Any, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "napari_slicegan._qt.explore.live_volume.preview_size",
        lambda size, speed: (16, 8, 8),
    )
    slider = found.directions.rows[0].strength.slider
    slider.setSliderDown(True)
    with qtbot.waitSignal(found.explored, timeout=LONG) as corner:
        slider.setValue(30)
    assert corner.args[1] is False
    assert shown(viewer).shape == (16, 8, 8)
    rest(found, qtbot)
    with qtbot.waitSignal(found.measured, timeout=LONG):
        slider.setSliderDown(False)
        slider.sliderReleased.emit()
    assert shown(viewer).shape == TOY_SIZE
    np.testing.assert_array_equal(shown(viewer)[:16, :8, :8], corner.args[0].values)
    # One drag is one step of the history.
    found.undo()
    assert found.value().strengths == (0, 0, 0)


def test_a_box_is_drawn_in_the_viewer(
    found: ExplorePanel, viewer: Any, qtbot: QtBot
) -> None:
    before = shown(viewer)
    region = found.form.region
    region.kind.setCurrentText("Box")
    region.box.draw_button.click()
    layer = viewer.layers["Slider region"]
    assert viewer.dims.ndisplay == 2
    corners = [[5, -4, 8], [5, -4, 30], [5, 9.6, 30], [5, 9.6, 8]]
    layer.add_rectangles(np.array(corners))
    # A rectangle in a z plane does not limit z.
    assert found.value().region == Box((0, 0, 8), (24, 10, 16))
    layer.add_rectangles(np.array([[0, 2, 3], [0, 2, 6], [11, 2, 6], [11, 2, 3]]))
    assert found.value().region == Box((0, 0, 3), (11, 10, 6))
    move(found, 0, 6.0, qtbot)
    # Far from the box nothing changes.
    np.testing.assert_array_equal(shown(viewer)[20:], before[20:])
    # Drawing again begins with an empty layer, the same one.
    region.box.draw_button.click()
    assert sum("Slider region" in other.name for other in viewer.layers) == 1
    assert len(layer.data) == 0
    region.box.high["z"].setValue(0)
    assert "end lies behind its start" in found.message.text()
    region.box.high["z"].setValue(24)
    assert found.message.text() == ""


def test_directions_are_renamed_saved_with_examples_and_loaded(
    found: ExplorePanel, viewer: Any, toy_run: Path, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "named.safetensors"
    move(found, 1, 2.5, qtbot)
    rows = found.directions.rows
    rows[1].name.setText("softer")
    rows[1].name.editingFinished.emit()
    assert found.sweep_form.direction.box.itemData(1) == "softer"
    rows[0].name.setText("softer")
    rows[0].name.editingFinished.emit()
    assert "no other direction has" in found.message.text()
    assert rows[0].name.text() == "phase fraction"
    found.save(path)
    rest(found, qtbot)
    assert str(path) in found.message.text()
    kept = load_directions(path).named("softer")
    assert kept.example is not None
    assert (kept.example.strength, kept.example.size) == (2.5, TOY_SIZE)
    again = reproduce(load_generator(toy_run), kept)
    assert again.values.shape == TOY_SIZE
    words = [row.words.text() for row in rows]
    found.load(path)
    rest(found, qtbot)
    names = [row.name.text() for row in found.directions.rows]
    assert names[1] == "softer"
    assert [row.words.text() for row in found.directions.rows] == words
    assert found.value().strengths == (0, 0, 0)
    example = found.directions.rows[1].example_button
    with qtbot.waitSignal(found.measured, timeout=LONG):
        found.form.seed.set_value(9)
        example.click()
    rest(found, qtbot)
    assert found.value().strengths == (0, 2.5, 0)
    np.testing.assert_array_equal(shown(viewer), again.values)


def test_directions_of_another_generator_are_asked_about_or_refused(
    found: ExplorePanel,
    monkeypatch: pytest.MonkeyPatch,
    toy_config: RunConfig,
    toy_images: TrainingImages,
    qtbot: QtBot,
    tmp_path: Path,
) -> None:
    path = tmp_path / "toy.safetensors"
    found.save(path)
    rest(found, qtbot)
    asked: list[str] = []

    def answer(panel: ExplorePanel, title: str, text: str, yes: str) -> bool:
        asked.append(text)
        return len(asked) > 1

    monkeypatch.setattr(explore_panel, "ask", answer)
    same_networks = toy_config.changed(steps=1, seed=7)
    train(Trainer.start(same_networks, toy_images, tmp_path / "same"))
    open_run(found, tmp_path / "same", qtbot)
    for is_loaded in (False, True):
        found.load(path)
        rest(found, qtbot)
        assert (found.found is not None) == is_loaded
    assert ["may do the opposite" in text for text in asked] == [True, True]
    other = toy_config.changed(generator_widths=(8, 6), steps=1)
    train(Trainer.start(other, toy_images, tmp_path / "other"))
    open_run(found, tmp_path / "other", qtbot)
    assert found.directions.rows == []
    with qtbot.waitSignal(found.failed, timeout=LONG):
        found.load(path)
    assert "directions are of a generator with other widths" in found.message.text()
    rest(found, qtbot)
    assert found.found is None


def test_a_sweep_is_a_layer_and_files(
    found: ExplorePanel, viewer: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    found.sweep_form.set_value(SweepRequest("phase fraction", -2.0, 2.0, 3))
    found.sweep_form.button.click()
    rest(found, qtbot)
    layer = next(x for x in viewer.layers if x.name.startswith("Sweep of "))
    assert layer.data.shape == (3, *TOY_SIZE)
    assert (layer.scale[0], layer.translate[0]) == (2.0, -2.0)
    assert [str(unit) for unit in layer.units] == ["pixel", *["nanometer"] * 3]
    np.testing.assert_array_equal(layer.data[1], shown(viewer))
    # It begins with the sample as it was.
    assert viewer.dims.point[0] == 0
    assert not viewer.layers["Explored"].visible
    for name in ("sweep.tif", "sweep.csv", "sweep.png", "sweep.gif"):
        found.save_sweep(tmp_path / name)
        rest(found, qtbot)
        assert (tmp_path / name).stat().st_size > 0
    with qtbot.waitSignal(found.failed, timeout=LONG):
        found.save_sweep(tmp_path / "sweep.doc")
    assert "ending in .tif" in found.message.text()
    rest(found, qtbot)
    move(found, 0, 1.0, qtbot)
    assert viewer.layers["Explored"].visible
    assert not layer.visible


def test_faults_are_sentences_and_cancelling_leaves_a_usable_panel(
    panel: ExplorePanel, directions: Found, qtbot: QtBot, tmp_path: Path
) -> None:
    panel.sweep()
    assert "Expected directions" in panel.message.text()
    panel.save_sweep(tmp_path / "sweep.tif")
    assert "Expected a sweep to save" in panel.message.text()
    panel.fit_form.set_value(replace(TOY_FIT, n_samples=1_000_000))
    panel.fit_form.button.click()
    assert not panel.fit_form.button.isEnabled()
    qtbot.waitUntil(lambda: panel.task.progress.value() > 0, timeout=LONG)
    panel.fit()
    assert "Another task is running" in panel.message.text()
    panel.task.cancel_button.click()
    rest(panel, qtbot)
    assert panel.message.text() == "Cancelled."
    assert panel.task.isHidden()
    panel.set_found(directions)
    panel.grade_form.set_value(
        GradeRequest("phase fraction", "phase_fraction", "z", 0.001, 0.999, 3)
    )
    with qtbot.waitSignal(panel.failed, timeout=LONG):
        panel.grade_form.button.click()
    assert "which this direction can reach" in panel.message.text()
    rest(panel, qtbot)


def test_the_form_of_graded_material_proposes_what_a_direction_reaches(
    found: ExplorePanel,
) -> None:
    """A fraction of 0.2 to 0.3 means nothing for gray values."""
    assert found.found is not None
    box = found.grade_form.direction.box
    for number, row in enumerate(found.found.rows):
        box.setCurrentIndex(number)
        box.activated.emit(number)
        request = found.grade_form.value()
        assert (request.direction, request.measured) == (row.name, row.measured)
        targets = np.interp((-1.5, 1.5), row.strengths, row.values)
        assert (request.first, request.last) == pytest.approx(targets, rel=0.01)


def test_a_generator_loaded_during_a_task_is_used_after_it(
    panel: ExplorePanel,
    directions: Found,
    toy_run: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Directions of the earlier generator are not shown for the new one."""
    late = threading.Event()

    def slow(*args: Any, progress: Progress) -> Any:
        progress(0.0)
        assert late.wait(60)
        return directions

    monkeypatch.setattr(jobs, "fit", slow)
    panel.fit()
    panel.source.load(toy_run)
    qtbot.waitUntil(lambda: not panel.source.is_loading, timeout=LONG)
    late.set()
    rest(panel, qtbot)
    assert panel.trained is panel.source.value()
    assert panel.found is None
    assert panel.message.text() == ""


def test_properties_of_an_earlier_generator_do_not_stay(
    panel: ExplorePanel,
    toy_run: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*args: Any, progress: Progress) -> None:
        raise ValueError("Expected volumes, got points.")

    assert not panel.directions.measurements.isHidden()
    monkeypatch.setattr(jobs, "study", refuse)
    panel.set_run(toy_run)
    rest(panel, qtbot)
    assert panel.message.text() == "Expected volumes, got points."
    assert panel.directions.measurements.isHidden()


@pytest.fixture
def source(qtbot: QtBot) -> Iterator[ExploreSource]:
    source = ExploreSource()
    qtbot.addWidget(source)
    yield source
    assert join(source.end_work(), 60)


def test_the_latest_run_is_loaded_when_the_panel_is_shown(
    source: ExploreSource, toy_run: Path, qtbot: QtBot
) -> None:
    assert not source.run_button.isEnabled()
    source.offer(toy_run)
    assert source.run_button.isEnabled()
    assert not source.is_loading
    with qtbot.waitSignal(source.changed, timeout=LONG):
        source.show()
    # The facts follow the generator.
    qtbot.waitUntil(lambda: not source.is_loading, timeout=LONG)
    assert source.value() is not None
    assert source.facts.toolTip() == str(toy_run)


def test_a_run_without_a_generator_is_an_error_only_when_requested(
    source: ExploreSource, tmp_path: Path, qtbot: QtBot
) -> None:
    source.offer(tmp_path)
    failures: list[str] = []
    source.failed.connect(failures.append)
    source.show()
    assert not source.is_loading
    with qtbot.waitSignal(source.failed, timeout=LONG):
        source.run_button.click()
    (sentence,) = failures
    assert "Expected a run folder" in sentence


def test_images_follow_their_sliders(viewer: Any, tmp_path: Path, qtbot: QtBot) -> None:
    """A sheet in place of a volume; what only volumes have is off."""
    train(Trainer.start(small_image_config(), toy_set(), tmp_path / "run"))
    panel = ExplorePanel(viewer)
    viewer.window.add_dock_widget(panel)
    open_run(panel, tmp_path / "run", qtbot)
    assert panel.form.region.kind.isHidden()
    assert panel.sections[-1].isHidden()
    titles = [box.text() for box in panel.fit_form.guided.boxes.values()]
    assert "Correlation length (pixels)" in titles
    assert panel.fit_form.block.value() == "block1"
    trained = load_any_generator(tmp_path / "run")
    np.testing.assert_array_equal(
        shown(viewer), generate_images(trained, 16, 0).picture()
    )
    request = FitRequest("block1", 2, 40, ("mean_gray",), 24)
    find(panel, request, qtbot)
    assert panel.found is not None
    assert panel.found.rows[0].plotted == "mean gray value"
    move(panel, 0, 3.0, qtbot)
    edit = panel.found.directions.directions[0].edit(3.0)
    edited = generate_samples(trained, 16, 0, [edit])
    expected = sheet_of(edited, trained.transform).picture()
    np.testing.assert_array_equal(shown(viewer), expected)
    name = panel.found.rows[0].name
    panel.sweep_form.set_value(SweepRequest(name, -1, 1, 3))
    panel.sweep()
    rest(panel, qtbot)
    (sweep,) = (layer for layer in viewer.layers if layer.name.startswith("Sweep"))
    assert sweep.data.shape == (3, *expected.shape)
    panel.save(tmp_path / "found.safetensors")
    rest(panel, qtbot)
    assert load_directions(tmp_path / "found.safetensors").named(name).example is None
    assert join(panel.end_work(), 60)
