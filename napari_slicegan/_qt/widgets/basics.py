"""Small widgets that several panels use."""

from __future__ import annotations

import contextlib
import logging
import random
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPainter, QPalette, QPen, QPixmap
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from qtpy.QtCore import QMimeData
    from qtpy.QtGui import QDragEnterEvent, QDropEvent
    from qtpy.QtWidgets import QLayout


def button(name: str, text: str, tip: str = "") -> QPushButton:
    """Button with a name to find it by, and a tooltip."""
    made = QPushButton(text)
    made.setObjectName(name)
    made.setToolTip(tip)
    return made


logger = logging.getLogger(__name__)

# Readable on the backgrounds of both of napari's themes: dark, then light.
ERROR = ("#ff7b72", "#b3261e")
WARNING = ("#f0b429", "#8a5a00")


class MessageLine(QLabel):
    """Hidden while there is nothing to say; never a dialog that blocks."""

    def __init__(self, name: str = "message", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._colours: tuple[str, str] | None = None
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.clear()

    def show_error(self, text: str) -> None:
        """Say what went wrong."""
        self._show(text, ERROR)

    def show_warning(self, text: str) -> None:
        """Say what to look at."""
        self._show(text, WARNING)

    def show_text(self, text: str) -> None:
        """Say something, in the colour of the other text."""
        self._show(text, None)

    def clear(self) -> None:
        """Say nothing and take no room."""
        super().clear()
        self.setVisible(False)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange):
            self._paint()

    def _show(self, text: str, colours: tuple[str, str] | None) -> None:
        self._colours = colours
        self.setText(text)
        self.setVisible(bool(text))
        self._paint()

    def _paint(self) -> None:
        colours = self._colours
        sheet = (
            "" if colours is None else f"color: {colours[0 if is_dark(self) else 1]}"
        )
        # Setting a sheet is a change of style itself.
        if sheet != self.styleSheet():
            self.setStyleSheet(sheet)


class FaultGuard(QObject):
    """Keeps a plot or picture that fails from stopping its panel.

    ``with guard("The preview"): ...`` continues after the block whatever happens in it.
    Each kind of fault is logged and reported once, until `reset`.
    """

    failed = Signal(str)
    """One sentence."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._known: set[tuple[str, type[Exception]]] = set()

    @contextlib.contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """Guard a block that shows something, which is named in the report."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 a picture must not end the work
            kind = type(error)
            if (what, kind) in self._known:
                return
            self._known.add((what, kind))
            # As text: a record with the traceback would keep the arrays alive.
            logger.error("%s cannot be shown:\n%s", what, traceback.format_exc())
            self.failed.emit(
                f"{what} cannot be shown ({kind.__name__}: {str(error)[:200]}); the "
                "log has the details."
            )

    def reset(self) -> None:
        """Report known faults again."""
        self._known.clear()


def is_dark(widget: QWidget) -> bool:
    """Whether the theme is dark: text brighter than what is behind it."""
    # Of the window: a widget of its own colour says nothing.
    palette = widget.window().palette()
    text = palette.color(QPalette.ColorRole.WindowText).lightness()
    return text > palette.color(QPalette.ColorRole.Window).lightness()


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


MAX_SEED = 2**31 - 1
ICON, ICON_COLOUR = 20, "#8d99a8"


class SeedEditor(QWidget):
    """Edits a seed.

    Parameters
    ----------
    what
        What the seed picks, for the help text.
    """

    value_changed = Signal()

    def __init__(self, what: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # children
        self.box = QSpinBox()
        self.box.setObjectName("seed")
        self.box.setRange(0, MAX_SEED)
        self.box.setToolTip(f"Picks the sample: the same seed gives the same {what}.")
        self.dice = QToolButton()
        self.dice.setObjectName("dice")
        self.dice.setToolTip("Roll the dice for another seed.")
        self.dice.setIcon(_dice_icon())
        # layout
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.box, 1)
        layout.addWidget(self.dice)
        # signals
        self.box.valueChanged.connect(lambda value: self.value_changed.emit())
        self.dice.clicked.connect(lambda checked: self.roll())

    def value(self) -> int:
        """The seed."""
        return self.box.value()

    def set_value(self, seed: int) -> None:
        """Show a seed."""
        self.box.setValue(seed)

    def roll(self) -> None:
        """Another seed."""
        # Which sample comes is the user's luck; it is noted with the result.
        self.box.setValue(random.randrange(MAX_SEED))


def _dice_icon() -> QIcon:
    """Five dots, in a gray that is seen on both themes."""
    picture = QPixmap(ICON, ICON)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    colour = QColor(ICON_COLOUR)
    painter.setPen(QPen(colour, 1.5))
    painter.drawRoundedRect(QRectF(1.5, 1.5, ICON - 3, ICON - 3), 4, 4)
    painter.setBrush(colour)
    for x, y in ((6, 6), (14, 6), (10, 10), (6, 14), (14, 14)):
        painter.drawEllipse(QRectF(x - 1, y - 1, 2, 2))
    painter.end()
    return QIcon(picture)


class DropTarget:
    """Takes local files; stands before the Qt class that it is mixed into.

    The widget says what becomes of them, and ``setAcceptDrops(True)``.
    """

    def take_files(self, paths: list[Path]) -> None:
        """What was dropped: one path or several."""
        raise NotImplementedError

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Accept files."""
        if event is not None and _local_files(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Take what was dropped."""
        if event is None:
            return
        paths = _local_files(event.mimeData())
        if paths:
            event.acceptProposedAction()
            self.take_files(paths)


def _local_files(data: QMimeData | None) -> list[Path]:
    """Local files of something that is dragged."""
    if data is None:
        return []
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
