"""Volumes made in the window, by real widgets and the real engine."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari.utils import progress
from qtpy.QtCore import Qt, QThreadPool

from napari_slicegan._qt.closing import join
from napari_slicegan._qt.viewer.layer_choice import MADE_BY
from napari_slicegan._qt.volume.forms import GenerationRequest
from napari_slicegan._qt.volume.panel import VolumePanel
from napari_slicegan.generation.generate import VolumePlan, generate
from napari_slicegan.models.generator_file import load_generator
from napari_slicegan.volumes.volume import Volume
from tests.toys import PIXEL_SIZE_NM, TOY_LABELS

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt

LONG = 60_000


def layer_of_volume(viewer: Any) -> Any:
    return next(x for x in viewer.layers if "Volume 20 x 24 x 28" in x.name)


REQUEST = GenerationRequest((20, 24, 28), "", 5)
LARGE = GenerationRequest((400, 400, 400))


@pytest.fixture
def panel(viewer: Any) -> Iterator[VolumePanel]:
    made = VolumePanel(viewer)
    viewer.window.add_dock_widget(made)
    yield made
    assert join(made.end_work(), 60)


def load(panel: VolumePanel, run: Path, qtbot: QtBot) -> None:
    panel.set_run(run)
    qtbot.waitUntil(panel.generate_button.isEnabled, timeout=LONG)


def save(panel: VolumePanel, path: Path, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not panel.task.is_busy, timeout=LONG)
    panel.save(path)
    qtbot.waitUntil(lambda: not panel.task.is_busy, timeout=LONG)


def test_generated_volume_is_that_of_the_engine(
    panel: VolumePanel, viewer: Any, toy_run: Path, qtbot: QtBot, tmp_path: Path
) -> None:
    load(panel, toy_run, qtbot)
    panel.set_value(REQUEST)
    with qtbot.waitSignal(panel.volume_made, timeout=LONG) as made:
        panel.generate_button.click()
    qtbot.waitUntil(panel.generate_button.isEnabled, timeout=LONG)
    expected = generate(load_generator(toy_run), REQUEST.size, REQUEST.seed)
    np.testing.assert_array_equal(made.args[0].values, expected.values)
    layer = layer_of_volume(viewer)
    assert layer.name == f"{toy_run.name}: Volume 20 x 24 x 28, seed 5, step 4"
    assert tuple(layer.scale) == (PIXEL_SIZE_NM,) * 3
    assert layer.colormap.color_dict.keys() >= set(TOY_LABELS)
    assert layer.metadata[MADE_BY]["generator"] == str(toy_run)
    assert layer.metadata[MADE_BY]["seed"] == REQUEST.seed
    choice = panel.orthogonal.layer_choice
    tip = choice.itemData(choice.currentIndex(), Qt.ItemDataRole.ToolTipRole)
    words = layer.metadata[MADE_BY]["words"]
    assert words == f"Run {toy_run.name}, step 4."
    assert tip == f"<qt>{layer.name}<br>{words}</qt>"
    for name in ("volume.tif", "volume.npy", "volume.vti"):
        save(panel, tmp_path / name, qtbot)
        assert (tmp_path / name).is_file()
        assert panel.message.text() == f"Saved {tmp_path / name}"
    assert Volume.open(tmp_path / "volume.tif").labels == TOY_LABELS
    save(panel, tmp_path / "surface.stl", qtbot)
    files = sorted(tmp_path.glob("surface*.stl"))
    assert len(files) == len(np.unique(expected.values))
    assert all(file.name in panel.message.text() for file in files)


def test_a_volume_passes_through_a_layer(
    panel: VolumePanel, viewer: Any, toy_run: Path, qtbot: QtBot
) -> None:
    load(panel, toy_run, qtbot)
    panel.set_value(REQUEST)
    panel.through.active.setChecked(True)
    panel.generate_button.click()
    assert panel.message.text().startswith("Expected a 2-D Image or Labels layer")
    labels = generate(load_generator(toy_run), REQUEST.size, 9).values[:, 7]
    viewer.add_labels(labels)
    panel.through.axis.setCurrentText("y")
    panel.through.position.setValue(7)
    with qtbot.waitSignal(panel.volume_made, timeout=LONG) as made:
        panel.generate_button.click()
    qtbot.waitUntil(panel.generate_button.isEnabled, timeout=LONG)
    assert np.mean(made.args[0].values[:, 7] == labels) > 0.9


def test_cancel_leaves_a_usable_panel(
    panel: VolumePanel, viewer: Any, toy_run: Path, qtbot: QtBot
) -> None:
    load(panel, toy_run, qtbot)
    panel.set_value(LARGE)
    panel.generate_button.click()
    assert not panel.generate_button.isEnabled()
    qtbot.waitUntil(lambda: panel.task.progress.value() > 0, timeout=LONG)
    panel.task.cancel_button.click()
    qtbot.waitUntil(panel.generate_button.isEnabled, timeout=LONG)
    assert panel.message.text() == "Cancelled."
    assert panel.task.isHidden()
    assert len(viewer.layers) == 0
    panel.set_value(REQUEST)
    with qtbot.waitSignal(panel.volume_made, timeout=LONG):
        panel.generate_button.click()


def test_faults_are_sentences(panel: VolumePanel, tmp_path: Path, qtbot: QtBot) -> None:
    panel.generate()
    assert panel.message.text().startswith("Expected a generator")
    with qtbot.waitSignal(panel.failed, timeout=LONG) as failed:
        panel.set_run(tmp_path)
    assert "Expected a run folder" in failed.args[0]
    assert panel.message.text() == failed.args[0]
    panel.save(tmp_path / "volume.tif")
    assert panel.message.text().startswith("Expected a result to save")


def test_the_activity_dock_follows_and_lets_go(
    panel: VolumePanel, toy_run: Path, qtbot: QtBot
) -> None:
    load(panel, toy_run, qtbot)
    panel.set_value(LARGE)
    panel.generate_button.click()
    qtbot.waitUntil(lambda: shown() != [], timeout=LONG)
    ((share, words),) = shown()
    assert 0 <= share < 1
    assert "SliceGAN: generating" in words
    panel.task.cancel()
    qtbot.waitUntil(panel.generate_button.isEnabled, timeout=LONG)
    assert shown() == []


def shown() -> list[tuple[float, str]]:
    """Share and words of each bar in the activity dock."""
    bars = [each for each in progress._all_instances if not each.disable]  # noqa: SLF001
    return [(each.n / each.total, str(each.desc)) for each in bars]


@pytest.mark.parametrize(
    "fault",
    [
        MemoryError("Unable to allocate 9.31 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_out_of_memory_is_one_sentence(
    panel: VolumePanel,
    toy_run: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
) -> None:
    def values(self: VolumePlan, tile: object) -> None:
        raise fault

    load(panel, toy_run, qtbot)
    panel.set_value(REQUEST)
    with monkeypatch.context() as patch:
        patch.setattr(VolumePlan, "values", values)
        with qtbot.waitSignal(panel.failed, timeout=LONG):
            panel.generate_button.click()
    assert panel.message.text() == (
        "The memory does not suffice for 20 x 24 x 28 voxels; lower the size of the "
        "volume or close other programs."
    )
    qtbot.waitUntil(panel.generate_button.isEnabled, timeout=LONG)
    with qtbot.waitSignal(panel.volume_made, timeout=LONG):
        panel.generate_button.click()


def test_closing_ends_a_generation_that_has_just_begun(
    panel: VolumePanel, viewer: Any, toy_run: Path, qtbot: QtBot
) -> None:
    load(panel, toy_run, qtbot)
    panel.set_value(LARGE)
    panel.generate_button.click()
    assert join(panel.end_work(), 60)
    assert panel.generate_button.isEnabled()
    pool = QThreadPool.globalInstance()
    assert pool.waitForDone(10_000)
    assert pool.activeThreadCount() == 0
    assert len(viewer.layers) == 0


def test_the_volume_is_not_kept_by_its_worker(
    panel: VolumePanel, viewer: Any, toy_run: Path, qtbot: QtBot
) -> None:
    load(panel, toy_run, qtbot)
    panel.set_value(REQUEST)
    with qtbot.waitSignal(panel.volume_made, timeout=LONG):
        panel.generate_button.click()
    held = panel.source.value()
    assert held is not None
    network = weakref.ref(held.network)
    del held
    with qtbot.waitSignal(panel.failed, timeout=LONG):
        panel.set_run("nowhere")
    # A generator that cannot be loaded leaves the old one.
    assert network() is not None
    load(panel, toy_run, qtbot)
    gc.collect()
    assert network() is None
