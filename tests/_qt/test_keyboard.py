"""Keys and help: the way of the Tab key, the guide in the browser."""

from __future__ import annotations

from email.message import Message
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari.settings import get_settings
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QWidget

from napari_slicegan._qt.main_widget import TABS
from napari_slicegan._qt.widgets import help_button
from napari_slicegan._qt.widgets.basics import PanelArea
from tests._qt.whole_window import dock

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_slicegan._qt.main_widget import SliceGANWidget

pytestmark = pytest.mark.qt

AXES_OF_SIZE = [
    f"{name}_{a}" for a in "zyx" for name in ("voxels", "length", "periodic")
]
SOURCE = ["open_run", "open_generator", "ready_models"]
ORDERS = {
    "Micrograph": [
        *("isotropic", "anisotropic", "content_any", "from_layer_any", "browse_any"),
        *("clear_any", "pixel_size_nm", "pixel_size_unit", "accept_crop"),
        *("segmentation", "draw_crop", "whole_image", "show_phases", "to_train"),
    ],
    # Through settings, the folder below them and the buttons that stay in sight.
    "Train": [
        *("preset", "minutes_on", "minutes", "device", "seed", "architecture"),
        *("run_root", "browse_run_root", "start", "continue"),
    ],
    "Volume": [
        *(*SOURCE, *AXES_OF_SIZE, "seed", "dice", "endless", "generate"),
        *("save_volume", "orthogonal_layer", "volume_mode", "show_slices"),
        *("remove_slices", "slice_view_z", "slice_view_y", "slice_view_x"),
        *("plane_z", "plane_y", "plane_x", "to_measure"),
    ],
    "Explore": [
        *(*SOURCE, "sample_generator", "explore_run", "load_directions"),
        *("save_directions", "truncation", "undo", "redo", "reset"),
    ],
    # The content of the chart is that of the table.
    "Measure": [
        *("real_layer", "generated_layer", "diffusivity", "permeability"),
        *("measure", "export_measured"),
        *("measured_curve", "verdicts"),
    ],
}


@pytest.fixture
def widget(viewer: Any, tmp_path: Path) -> SliceGANWidget:
    return dock(viewer, tmp_path / "runs")


def tab_order(panel: QWidget, first: str) -> list[str]:
    """Names of the inputs that the Tab key reaches in a panel, from the first one."""
    each = panel.findChild(QWidget, first)
    names: list[str] = []
    # Beyond the panel lies napari's window, which this must not keep alive.
    while each is not None and panel.isAncestorOf(each):
        names.append(each.objectName())
        each = each.nextInFocusChain()
    return names


def test_the_tab_key_follows_the_layout(widget: SliceGANWidget) -> None:
    for title, wanted in ORDERS.items():
        panel = widget.tabs.widget(TABS.index(title))
        assert panel is not None
        found = [name for name in tab_order(panel, wanted[0]) if name in wanted]
        assert [*dict.fromkeys(found)] == wanted, title


def test_panels_are_as_wide_as_their_content_in_a_large_font(
    widget: SliceGANWidget, qtbot: QtBot
) -> None:
    """And its typed texts have the font of the rest."""
    least = widget.minimumSizeHint().width()
    settings = get_settings()
    usual = settings.appearance.font_size
    try:
        settings.appearance.font_size = 12
        qtbot.waitUntil(lambda: widget.minimumSizeHint().width() > least)
        areas = widget.findChildren(PanelArea)
        assert len(areas) == len(TABS)
        for area in areas:
            content, screen = area.widget(), area.screen()
            assert content is not None
            assert screen is not None
            widest = screen.availableSize().width() // 2
            wanted = min(content.minimumSizeHint().width(), widest)
            assert area.minimumSizeHint().width() >= wanted
        line = widget.train.location.line
        line.ensurePolished()
        assert line.fontInfo().pointSize() == 12
    finally:
        settings.appearance.font_size = usual


def test_the_help_button_opens_the_section_of_the_tab(
    widget: SliceGANWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda url: opened.append(url.toString())
    )
    facts = Message()
    monkeypatch.setattr(help_button, "metadata", lambda name: facts)
    widget.help.click()
    # Until the metadata have the address of the guide.
    assert opened.pop() == "https://pypi.org/project/napari-slicegan/"
    facts["Project-URL"] = "Guide to the window, https://example.org/window.md"
    guide = (Path(__file__).parents[2] / "docs" / "window.md").read_text("utf-8")
    for title in TABS:
        widget.show_panel(title)
        widget.help.click()
        assert opened.pop() == f"https://example.org/window.md#{title.lower()}"
        assert f"\n## {title}\n" in guide
