"""Loading a generator in a worker thread."""

from __future__ import annotations

import math
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_slicegan._qt.closing import join
from napari_slicegan._qt.explore.panel import ExplorePanel
from napari_slicegan._qt.volume.panel import VolumePanel
from napari_slicegan._qt.widgets.basics import LINK
from napari_slicegan._qt.widgets.generator_source import (
    ADD,
    NO_GENERATOR,
    CardDialog,
    GeneratorSource,
)
from napari_slicegan.models import generator_file as trained_generator
from napari_slicegan.report.ready_models import ready_models
from napari_slicegan.training.run_folder import RunFolder

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_slicegan.models.generator_file import TrainedNetwork

pytestmark = pytest.mark.qt
LONG = 60_000


@pytest.fixture
def source(qtbot: QtBot) -> Iterator[GeneratorSource]:
    source = GeneratorSource()
    qtbot.addWidget(source)
    yield source
    assert join(source.end_work(), 60)


class SlowDisk:
    """Mock of `load_any_generator` that blocks the first caller."""

    def __init__(self) -> None:
        self.release, self.reached = threading.Event(), threading.Event()
        self.threads: list[threading.Thread] = []
        self._load = trained_generator.load_any_generator

    def load(self, path: Path) -> TrainedNetwork:
        self.threads.append(threading.current_thread())
        if len(self.threads) == 1:
            self.reached.set()
            assert self.release.wait(60)
        return self._load(path)


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowDisk]:
    disk = SlowDisk()
    monkeypatch.setattr(trained_generator, "load_any_generator", disk.load)
    yield disk
    disk.release.set()


def loaded(source: GeneratorSource, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not source.is_loading, timeout=LONG)


def test_shows_loading_then_the_generator(
    source: GeneratorSource, slow_disk: SlowDisk, qtbot: QtBot, toy_run: Path
) -> None:
    assert source.facts.text() == NO_GENERATOR
    source.load(toy_run)
    # Loading does not block the window.
    qtbot.waitUntil(slow_disk.reached.is_set, timeout=LONG)
    assert source.facts.text() == f"Loading {toy_run.name} ..."
    assert source.is_loading
    assert source.value() is None
    slow_disk.release.set()
    loaded(source, qtbot)
    step = RunFolder(toy_run).saved_steps()[0]
    assert source.facts.text() == (
        f"Trained on toy: phases, voxel size 5 nm.\nRun {toy_run.name}, step {step}."
    )
    assert source.loaded is not None
    assert source.loaded.step == step
    assert source.value() is not None
    assert threading.main_thread() not in slow_disk.threads


def test_ready_models_are_offered_with_their_cards(
    source: GeneratorSource, qtbot: QtBot
) -> None:
    menu = source.offer_models()
    *titles, _, add = (action.text() for action in menu.actions())
    assert titles == [model.title for model in ready_models()]
    assert add == ADD
    menu.actions()[0].trigger()
    menu.close()
    loaded(source, qtbot)
    assert source.loaded is not None
    assert source.loaded.path == ready_models()[0].file
    assert not source.card_button.isHidden()
    dialog = source.show_card()
    assert isinstance(dialog, CardDialog)
    text = dialog.page.toPlainText()
    assert dialog.page.textCursor().position() == 0
    assert "Trained on" in text
    assert "verdict:" not in text  # the head for programs
    dialog.close()


def test_links_of_a_card_follow_the_theme(qtbot: QtBot, tmp_path: Path) -> None:
    """Qt's own dark blue cannot be read on a dark one."""
    card = tmp_path / "card.md"
    card.write_text("# A card\n\nBy [somebody](https://example.org).\n", "utf-8")
    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = CardDialog(card, parent)
    for number, (behind, text) in enumerate((("#20242b", "#fff"), ("#eee", "#222"))):
        palette = dialog.palette()
        palette.setColor(QPalette.ColorRole.Window, QColor(behind))
        palette.setColor(QPalette.ColorRole.WindowText, QColor(text))
        dialog.setPalette(palette)
        cursor = dialog.page.document().find("somebody")
        assert cursor.charFormat().isAnchor()
        assert cursor.charFormat().foreground().color().name() == LINK[number]
        cursor = dialog.page.document().find("By")
        assert cursor.charFormat().foreground().color().name() not in LINK


def test_a_folder_of_generators_is_added(
    source: GeneratorSource,
    qtbot: QtBot,
    toy_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLICEGAN_HOME", str(tmp_path / "home"))
    (tmp_path / "mine").mkdir()
    monkeypatch.setattr(
        QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "mine")
    )
    with qtbot.waitSignal(source.failed, timeout=LONG) as failed:
        source.offer_models().actions()[-1].trigger()
    assert "Expected a folder with .safetensors files" in failed.args[0]
    shutil.copy(toy_run / "generator.safetensors", tmp_path / "mine" / "my.safetensors")
    source.offer_models().actions()[-1].trigger()
    assert [model.name for model in ready_models()][-1] == "my"
    source.load(ready_models()[-1].file)
    loaded(source, qtbot)
    assert source.card_button.isHidden()


def test_a_second_load_replaces_the_first(
    source: GeneratorSource,
    slow_disk: SlowDisk,
    qtbot: QtBot,
    toy_run: Path,
    tmp_path: Path,
) -> None:
    faults: list[str] = []
    source.failed.connect(faults.append)
    # The first one would fail, if it counted.
    source.load(tmp_path)
    qtbot.waitUntil(slow_disk.reached.is_set, timeout=LONG)
    source.load(toy_run)
    loaded(source, qtbot)
    held = source.value()
    assert held is not None
    slow_disk.release.set()
    assert join(source.end_work(), 60)
    assert source.value() is held
    assert source.facts.text().startswith("Trained on toy")
    assert faults == []


def test_a_fault_is_one_sentence_and_the_old_generator_stays(
    source: GeneratorSource, qtbot: QtBot, toy_run: Path, tmp_path: Path
) -> None:
    source.load(toy_run)
    loaded(source, qtbot)
    held = source.value()
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    with qtbot.waitSignal(source.failed, timeout=LONG) as failed:
        source.load(tmp_path / "broken.safetensors")
    assert "broken.safetensors: expected a safetensors file, got" in failed.args[0]
    loaded(source, qtbot)
    assert source.value() is held
    assert source.facts.text().startswith("Trained on toy")


def test_an_error_goes_when_another_generator_is_loaded(
    viewer: Any, qtbot: QtBot, toy_run: Path, tmp_path: Path
) -> None:
    """Also when the source's own buttons load it."""
    panels = VolumePanel(viewer), ExplorePanel(viewer)
    for panel in panels:
        qtbot.addWidget(panel)
        with qtbot.waitSignal(panel.source.failed, timeout=LONG):
            panel.source.load(tmp_path)
        assert panel.message.text()
        panel.source.load(toy_run)
        assert not panel.message.text()
        loaded(panel.source, qtbot)
        assert join(panel.end_work(), 60)


def test_closing_cancels_a_load(
    source: GeneratorSource, slow_disk: SlowDisk, qtbot: QtBot, toy_run: Path
) -> None:
    source.load(toy_run)
    qtbot.waitUntil(slow_disk.reached.is_set, timeout=LONG)
    assert not join(source.end_work(), 0.1)
    slow_disk.release.set()
    assert join(source.end_work(), 60)
    assert source.value() is None


def test_closing_at_once_cancels_a_load(source: GeneratorSource, toy_run: Path) -> None:
    source.load(toy_run)
    # Its thread has not begun yet.
    assert join(source.end_work(), 60)
    assert source.value() is None


def measured_run(toy_run: Path, folder: Path, **changed: float | str) -> Path:
    """Copy of a run of 4 steps; its history has rows of steps 2 and 900."""
    run = folder / "run"
    shutil.copytree(toy_run, run)
    row: dict[str, float | str] = {
        **dict.fromkeys(("elapsed_s", "critic_loss", "generator_loss"), 1.0),
        "correlation_distance": 0.02,
        "correlation_floor": 0.01,
        "fraction_distance": 0.01,
        "fraction_floor": 0.02,
        "interface_density_error": 0.1,
        "interface_density_floor": 0.1,
        **changed,
    }
    (run / "history.csv").unlink()
    RunFolder(run).append_history([{"step": n, **row} for n in (2, 900)])
    return run


def test_a_run_says_how_good_it_was(
    source: GeneratorSource, qtbot: QtBot, toy_run: Path, tmp_path: Path
) -> None:
    """When it was last measured, and not later than the generator was saved."""
    run = measured_run(toy_run, tmp_path)
    source.load(run)
    loaded(source, qtbot)
    sentence = (
        "At step 2: phase fractions and interfaces agree; correlations are 2.0 noise "
        "floors off."
    )
    assert source.facts.text().endswith(f"\nRun run, step 4. {sentence}")
    assert source.loaded is not None
    assert source.loaded.metadata == {
        "generator": str(run),
        "name": "run",
        "step": 4,
        "quality": sentence,
        "words": f"Run run, step 4. {sentence}",
    }


@pytest.mark.parametrize(
    ("cell", "quality"),
    [
        (
            math.nan,
            "At step 2: phase fractions and interfaces agree with the real material.",
        ),
        ("?", ""),
    ],
    ids=["not a number", "unreadable"],
)
def test_a_run_with_gaps_in_its_history_is_loaded(
    source: GeneratorSource,
    qtbot: QtBot,
    toy_run: Path,
    tmp_path: Path,
    cell: float | str,
    quality: str,
) -> None:
    source.load(measured_run(toy_run, tmp_path, correlation_distance=cell))
    loaded(source, qtbot)
    assert source.loaded is not None
    assert source.loaded.quality == quality
