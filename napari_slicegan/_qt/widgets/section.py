"""A heading that shows and hides what is under it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from qtpy.QtWidgets import QLayout


class Section(QWidget):
    """Collapsible group; closed at first.

    Parameters
    ----------
    title
        Text of the heading.
    content
        Layout of what is under it.
    """

    def __init__(
        self, title: str, content: QLayout, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        # children
        self.heading = QToolButton()
        self.heading.setText(title)
        self.heading.setObjectName(f"section_{title.lower().replace(' ', '_')}")
        self.heading.setCheckable(True)
        self.heading.setAutoRaise(True)
        self.heading.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.heading.setSizePolicy(
            QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed
        )
        self._body = QWidget()
        self._body.setLayout(content)
        # layout
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.heading)
        layout.addWidget(self._body)
        self.set_open(False)
        # signals
        self.heading.toggled.connect(self.set_open)

    def is_open(self) -> bool:
        """Whether the content is shown."""
        return self.heading.isChecked()

    def set_open(self, is_open: bool) -> None:
        """Show or hide the content."""
        self.heading.setChecked(is_open)
        arrow = Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow
        self.heading.setArrowType(arrow)
        self._body.setVisible(is_open)
