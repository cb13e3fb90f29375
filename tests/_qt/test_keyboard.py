"""Keys and help: the way of the Tab key, the guide in the browser."""

from __future__ import annotations

import threading
from email.message import Message
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari.settings import get_settings
from qtpy.QtCore import Qt
from qtpy.QtGui import QDesktopServices
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QVBoxLayout, QWidget

from napari_slicegan._qt.main_widget import TABS
from napari_slicegan._qt.train.run_view import RunState
from napari_slicegan._qt.widgets import help_button
from napari_slicegan._qt.widgets.basics import (
    PanelArea,
    Section,
    button,
    choice_box,
)
from napari_slicegan._qt.widgets.progress import TaskPanel
from tests._qt.whole_window import LONG, dock, open_sample, until

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_slicegan._qt.main_widget import SliceGANWidget
    from napari_slicegan.runtime.progress import Progress

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


def focused() -> str:
    """Name of the input with the keyboard focus; empty if there is none."""
    found = QApplication.focusWidget()
    return "" if found is None else str(found.objectName())


def press() -> None:
    """Press the button with the focus."""
    each = QApplication.focusWidget()
    assert each is not None
    QTest.keyClick(each, Qt.Key.Key_Space)


def test_the_focus_follows_the_buttons_of_a_run(
    make_napari_viewer_proxy: Any, tmp_path: Path, qtbot: QtBot
) -> None:
    """Qt would pass it on to any input that follows the one that is hidden."""
    viewer = make_napari_viewer_proxy(show=True)
    widget = dock(viewer, tmp_path / "runs")
    open_sample(widget, qtbot)
    widget.show_panel("Train")
    qtbot.waitUntil(widget.train.controls.start.isEnabled, timeout=LONG)
    widget.window().activateWindow()
    widget.train.controls.start.setFocus()
    qtbot.waitUntil(lambda: focused() == "start", timeout=LONG)
    press()
    assert focused() == "stop"
    until(widget, qtbot, RunState.RUNNING)
    assert focused() == "pause"
    press()
    # A second press by mistake must not stop the run.
    assert focused() == ""
    until(widget, qtbot, RunState.PAUSED)
    assert focused() == "pause"
    press()
    until(widget, qtbot, RunState.RUNNING)
    assert focused() == "pause"
    widget.train.controls.stop.setFocus()
    press()
    until(widget, qtbot, RunState.FINISHED)
    assert focused() == "continue_this"
    # Where a user has put it meanwhile it stays.
    press()
    widget.tabs.tabBar().setFocus()
    bar = QApplication.focusWidget()
    until(widget, qtbot, RunState.RUNNING)
    assert QApplication.focusWidget() is bar
    widget.train.stop()
    until(widget, qtbot, RunState.FINISHED)
    assert QApplication.focusWidget() is bar


def test_the_focus_returns_from_cancel_to_the_button_of_a_task(
    qtbot: QtBot,
) -> None:
    panel, resume = TaskPanel("toy"), threading.Event()
    begin = button("begin", "Begin")
    other = button("other", "Other")
    content = QVBoxLayout()
    content.addWidget(begin)
    section = Section("Section", content)
    section.heading.setObjectName("heading")
    for each in (section, other):
        panel.content.addWidget(each)
    section.set_open(True)

    def work(progress: Progress) -> None:
        while not resume.is_set():
            progress(0.5)

    begin.clicked.connect(lambda: panel.task.run("Work", lambda made: None, work))
    panel.task.state_changed.connect(lambda: begin.setEnabled(not panel.task.is_busy))
    qtbot.addWidget(panel)
    panel.show()
    panel.activateWindow()
    for is_cancelled in (True, False):
        begin.setFocus()
        qtbot.waitUntil(lambda: focused() == "begin", timeout=LONG)
        resume.clear()
        press()
        assert focused() == "cancel_task"
        if is_cancelled:
            press()
        else:
            resume.set()
        qtbot.waitUntil(lambda: not panel.task.is_busy, timeout=LONG)
        assert focused() == "begin"
    # The result closes the section of the button.
    resume.clear()
    press()
    section.set_open(False)
    resume.set()
    qtbot.waitUntil(lambda: not panel.task.is_busy, timeout=LONG)
    assert focused() == "heading"


def test_names_that_are_too_long_end_in_an_ellipsis(qtbot: QtBot) -> None:
    """They differ at their end, which is kept; the list shows all of them."""
    box = choice_box("layers", ["a slice", f"{'Bentheimer sandstone ' * 5}seed 7"])
    qtbot.addWidget(box)
    box.resize(150, 24)
    box.show()
    assert box.shown_text() == "a slice"
    box.setCurrentIndex(1)
    shown = box.shown_text()
    assert shown.startswith("Benth")
    assert "\N{HORIZONTAL ELLIPSIS}" in shown
    assert shown.endswith("seed 7")
    assert box.fontMetrics().horizontalAdvance(shown) < 150
    box.showPopup()
    assert box.view().width() > 150
    box.hidePopup()
