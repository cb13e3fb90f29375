"""Defaults from the plugin's page in napari's Preferences."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari import settings
from napari.components import ViewerModel
from npe2 import PluginManifest

from napari_slicegan._qt.main_widget import SliceGANWidget
from napari_slicegan._qt.preferences import Preferences, checked
from napari_slicegan._qt.train.data import default_root

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt

USUAL = {
    "device": "auto",
    "preset": "slicegan-fast",
    "preview_interval": 50,
    "run_folder": "",
}


@pytest.fixture
def page(plugin_settings: Any, npe2pm: Any) -> Any:
    if not hasattr(settings, "get_plugin_settings"):
        pytest.skip("napari before 0.9 has no pages of plugins")
    npe2pm.register(PluginManifest.from_distribution("napari-slicegan"))
    return settings.get_plugin_settings("napari-slicegan").defaults


def opened(qtbot: QtBot) -> SliceGANWidget:
    widget = SliceGANWidget(ViewerModel())
    qtbot.addWidget(widget, before_close_func=lambda widget: widget.shut_down())
    return widget


def test_the_panel_opens_with_the_preferences(
    page: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    page.device = "cpu"
    page.preset = "slicegan-paper"
    page.preview_interval = 123
    page.run_folder = str(tmp_path / "runs")
    widget = opened(qtbot)
    config = widget.train.value()
    assert config.preset == "slicegan-paper"
    assert config.architecture.latent_channels == 64
    assert config.training.device == "cpu"
    assert config.training.monitor_interval == 123
    assert widget.train.location.value() == tmp_path / "runs"
    assert widget.message.text() == ""
    # Another preset is another network, not another machine or another taste.
    box = widget.train.settings.preset.box
    box.setCurrentIndex(box.findData("slicegan-fast"))
    changed = widget.train.value().training
    assert (changed.device, changed.monitor_interval) == ("cpu", 123)


def test_without_a_page_the_defaults_are_used(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(settings, "get_plugin_settings", raising=False)
    widget = opened(qtbot)
    assert widget.train.value().training.monitor_interval == 50
    assert widget.train.location.value() == default_root()
    assert widget.message.text() == ""


def test_an_invalid_value_is_reported_others_are_used(page: Any, qtbot: QtBot) -> None:
    page.device = "gpu7"
    page.preview_interval = 77
    widget = opened(qtbot)
    training = widget.train.value().training
    assert (training.device, training.monitor_interval) == ("auto", 77)
    assert "gpu7" in widget.message.text()
    assert "Preferences" in widget.message.text()


def test_invalid_values_are_named(
    subtests: pytest.Subtests,
) -> None:
    cases: list[tuple[str, Any]] = [
        ("preset", "slicegan-2031"),
        ("preview_interval", None),
        ("run_folder", "runs"),
    ]
    for name, value in cases:
        with subtests.test(name):
            taken, fault = checked(USUAL | {name: value})
            assert taken == Preferences()
            assert name in fault
            assert fault.endswith(").")


def test_valid_values_give_no_warning(tmp_path: Path) -> None:
    assert checked(USUAL) == (Preferences(), "")
    taken, fault = checked(USUAL | {"run_folder": str(tmp_path)})
    assert taken == Preferences(run_folder=tmp_path)
    assert fault == ""
