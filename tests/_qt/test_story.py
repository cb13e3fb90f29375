"""The whole story in the real window, with the real engine at toy size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari_slicegan._qt.train.run_view import RunState
from napari_slicegan.volumes.volume import Volume
from tests._qt.whole_window import LONG, dock, open_sample, start, until

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt


def test_from_micrograph_to_saved_volume(
    make_napari_viewer_proxy: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    # The proxy refuses the viewer to any thread but the main one.
    viewer = make_napari_viewer_proxy()
    widget = dock(viewer, tmp_path / "runs")
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
    # The third tab goes on with the run by itself.
    qtbot.waitUntil(widget.volume.generate_button.isEnabled, timeout=LONG)
    with qtbot.waitSignal(widget.volume.volume_made, timeout=LONG) as made:
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
