"""Button that opens the guide at the section of a tab."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, metadata
from typing import TYPE_CHECKING

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QPushButton

if TYPE_CHECKING:
    from qtpy.QtWidgets import QTabWidget

PROJECT = "napari-slicegan"
# Label of the address of docs/window.md in the metadata of the package.
GUIDE = "Guide to the window"
WIDTH_LINES = 2


class HelpButton(QPushButton):
    """Opens the section of the selected tab in the web browser.

    Parameters
    ----------
    tabs
        The button stands in their corner.
    """

    def __init__(self, tabs: QTabWidget) -> None:
        super().__init__()
        self.setObjectName("help")
        self.setText("?")
        self.setToolTip("Open the guide to this tab in the web browser.")
        # Square: Qt would make it as wide as other buttons.
        self.setMaximumWidth(WIDTH_LINES * self.fontMetrics().height())
        self._tabs = tabs
        tabs.setCornerWidget(self)
        self.clicked.connect(lambda checked: self._open())

    def _open(self) -> None:
        panel = self._tabs.currentWidget()
        section = "" if panel is None else panel.accessibleName().lower()
        QDesktopServices.openUrl(QUrl(address(section)))


def address(section: str) -> str:
    """Address of a section of the guide; without one, of the project's page."""
    try:
        given = metadata(PROJECT).get_all("Project-URL") or []
    except PackageNotFoundError:
        given = []
    named = dict(each.split(", ", 1) for each in given)
    page = f"https://pypi.org/project/{PROJECT}/"
    return f"{named[GUIDE]}#{section}" if GUIDE in named else page
