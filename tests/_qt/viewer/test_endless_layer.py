"""An endless volume in the viewer: the window never waits for the network."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari_slicegan._qt.viewer.endless_layer import add_endless
from napari_slicegan._qt.viewer.layers import scale_bar_of
from napari_slicegan.data.transforms import OneHotPhases
from napari_slicegan.generation import lazy as endless
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.generation.lazy import EndlessVolume
from tests.toys import random_generator

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt

EMPTY, PHASE = 1, 207
TIMEOUT_MS = 60_000


class SlowNetwork:
    """Makes nothing but one phase, and only when it is let."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.threads: list[threading.Thread] = []

    def __call__(self, plan: Any, piece: Any) -> Any:
        self.threads.append(threading.current_thread())
        assert self.go.wait(60)
        return np.full([last - first for first, last in piece], PHASE, np.uint8)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> SlowNetwork:
    made = SlowNetwork()
    monkeypatch.setattr(endless, "box_values", made)
    return made


def endless_volume(*shape: int) -> EndlessVolume:
    z, y, x = shape
    trained = random_generator(OneHotPhases([0, PHASE]))
    return EndlessVolume(VolumePlan(trained, (z, y, x)))


def test_a_slice_is_there_at_once_and_its_voxels_later(
    viewer: Any, network: SlowNetwork, qtbot: QtBot
) -> None:
    layer = add_endless(viewer, endless_volume(64, 64, 64), "endless")
    place = np.array([40, 20, 20])
    viewer.dims.set_point(range(3), place * layer.scale)
    # Nothing is made yet, and the slice has been cut.
    assert layer.get_value(place * layer.scale, world=True) == EMPTY
    qtbot.waitUntil(lambda: bool(network.threads), timeout=TIMEOUT_MS)
    assert threading.main_thread() not in network.threads
    network.go.set()
    qtbot.waitUntil(
        lambda: layer.get_value(place * layer.scale, world=True) == PHASE,
        timeout=TIMEOUT_MS,
    )
    # Only what the last view shows.
    assert len(network.threads) <= 2
    assert scale_bar_of(viewer).visible


def test_a_block_appears_in_3d(viewer: Any, network: SlowNetwork, qtbot: QtBot) -> None:
    volume = endless_volume(64, 64, 64)
    layer = add_endless(viewer, volume, "endless")
    viewer.dims.ndisplay = 3
    assert volume.kept_bytes == 0
    network.go.set()
    qtbot.waitUntil(lambda: volume.kept_bytes >= 64**3, timeout=TIMEOUT_MS)
    assert threading.main_thread() not in network.threads
    assert layer.visible


def test_in_3d_a_large_one_says_what_it_shows(
    viewer: Any, network: SlowNetwork, qtbot: QtBot
) -> None:
    from napari.utils.notifications import notification_manager

    volume = endless_volume(4096, 4096, 4096)
    layer = add_endless(viewer, volume, "endless")
    notification_manager.records.clear()
    network.threads.clear()
    viewer.dims.ndisplay = 3
    assert "only the parts already viewed" in notification_manager.records[0].message
    assert layer.data_level == len(layer.data) - 1
    qtbot.wait(50)
    assert not network.threads


def test_it_can_be_closed_while_a_piece_is_made(
    viewer: Any, network: SlowNetwork, qtbot: QtBot
) -> None:
    volume = endless_volume(64, 2048, 2048)
    layer = add_endless(viewer, volume, "endless")
    pieces = layer.data[0]
    np.asarray(pieces[5])
    qtbot.waitUntil(lambda: bool(network.threads), timeout=TIMEOUT_MS)
    viewer.layers.clear()
    assert threading.main_thread() not in network.threads
    network.go.set()
    qtbot.waitUntil(lambda: volume.kept_bytes > 0, timeout=TIMEOUT_MS)
    qtbot.wait(100)
    # The others of the view are not made any more.
    assert len(network.threads) == 1


def test_a_network_that_fails_is_not_tried_without_end(
    viewer: Any, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    tries = []

    def fail(plan: Any, piece: Any) -> Any:
        tries.append(piece)
        raise ValueError("The memory does not suffice.")

    monkeypatch.setattr(endless, "box_values", fail)
    shown: list[str] = []
    monkeypatch.setattr("napari.utils.notifications.show_error", shown.append)
    layer = add_endless(viewer, endless_volume(64, 64, 64), "endless")
    qtbot.waitUntil(lambda: bool(shown), timeout=TIMEOUT_MS)
    before = len(tries)
    qtbot.wait(300)
    assert len(tries) == before
    # Another view is another try.
    viewer.dims.set_point(0, 3 * layer.scale[0])
    qtbot.waitUntil(lambda: len(tries) > before, timeout=TIMEOUT_MS)
    assert set(shown) == {"The memory does not suffice."}


def test_what_others_read_is_the_volume_itself(
    viewer: Any, network: SlowNetwork
) -> None:
    """Measuring, slices and training must not take empty voxels for material."""
    from napari_slicegan._qt.viewer.layer_inputs import source_of
    from napari_slicegan._qt.viewer.layer_picture import Reading, read

    layer = add_endless(viewer, endless_volume(32, 32, 32), "endless")
    network.go.set()
    assert (np.asarray(source_of(layer).values) == PHASE).all()
    reading = Reading.of(layer)
    assert reading.is_long
    assert read(reading).labels == (0, PHASE)
