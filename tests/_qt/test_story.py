"""The whole story in the real window, with the real engine at toy size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari_slicegan.sample_data import path as sample_path

from napari_slicegan._qt.main_widget import SliceGANWidget
from napari_slicegan._qt.run_state import RunState
from napari_slicegan.volume import Volume
from tests.toys import small_config

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


pytestmark = pytest.mark.qt

SECONDS = 30_000
MakeViewer = Callable[..., Any]


@pytest.fixture
def viewer(make_napari_viewer_proxy: MakeViewer) -> Any:
    # The proxy refuses the viewer to any thread but the main one.
    return make_napari_viewer_proxy()


@pytest.fixture
def widget(viewer: Any, tmp_path: Path) -> SliceGANWidget:
    widget = SliceGANWidget(viewer)
    viewer.window.add_dock_widget(widget, name="SliceGAN", area="right")
    widget.train.set_run_root(tmp_path / "runs")
    widget.train.set_value(small_config().changed(steps=10**6, monitor_every=5))
    return widget


def open_sample(widget: SliceGANWidget, qtbot: QtBot) -> None:
    with qtbot.waitSignal(widget.micrograph.images_changed, timeout=SECONDS):
        widget.micrograph.open_files("z", [sample_path("bentheimer_slice")])


def start(widget: SliceGANWidget, qtbot: QtBot) -> None:
    with qtbot.waitSignal(widget.train.preview_made, timeout=SECONDS):
        widget.train.controls.start.click()


def until(widget: SliceGANWidget, qtbot: QtBot, state: RunState) -> None:
    qtbot.waitUntil(lambda: widget.train.state is state, timeout=SECONDS)


def test_from_micrograph_to_saved_volume(
    widget: SliceGANWidget, viewer: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    open_sample(widget, qtbot)
    images = widget.micrograph.images()
    assert images is not None
    assert images.labels == (0, 255)
    start(widget, qtbot)
    assert "Preview" in viewer.layers
    widget.train.controls.pause.click()
    until(widget, qtbot, RunState.PAUSED)
    widget.train.controls.pause.click()
    until(widget, qtbot, RunState.RUNNING)
    widget.train.controls.stop.click()
    until(widget, qtbot, RunState.FINISHED)
    (run,) = (tmp_path / "runs").iterdir()
    assert list(run.glob("checkpoint-*.pt"))
    with qtbot.waitSignal(widget.volume.volume_made, timeout=SECONDS) as made:
        widget.volume.generate_button.click()
    volume: Volume = made.args[0]
    assert set(np.unique(volume.values)) <= {0, 255}
    planes = [layer for layer in viewer.layers if layer.name.startswith("Plane")]
    assert len(planes) == 3
    widget.volume.orthogonal.views.set_value((3, 4, 5))
    assert planes[0].plane.position[0] == 3
    widget.volume.save(tmp_path / "volume.tif")
    kept = Volume.open(tmp_path / "volume.tif")
    np.testing.assert_array_equal(kept.values, volume.values)
