"""Small widgets and constructors of inputs, shared by the panels."""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import random
import re
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from qtpy.QtCore import QEvent, QLocale, QObject, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QAction,
    QClipboard,
    QColor,
    QIcon,
    QImage,
    QKeySequence,
    QPainter,
    QPalette,
    QPen,
    QPixmap,
    QTextCharFormat,
    QTextCursor,
    QValidator,
)
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMainWindow,
    QMessageBox,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QToolButton,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from napari_slicegan.config import AXES, Axis

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qtpy.QtCore import QMimeData
    from qtpy.QtGui import (
        QDragEnterEvent,
        QDropEvent,
        QPaintEvent,
        QTextDocument,
    )
    from qtpy.QtWidgets import QLayout


AnyWidget = TypeVar("AnyWidget", bound=QWidget)

logger = logging.getLogger(__name__)

MAX_SEED = 2**31 - 1
# A smaller limit stands for zero, which itself is not allowed.
SMALLEST = 1e-6
DECIMALS = 9
ICON, ICON_COLOUR = 20, "#8d99a8"
# Readable on the backgrounds of both of napari's themes: dark, then light.
ERROR = ("#ff7b72", "#b3261e")
WARNING = ("#f0b429", "#8a5a00")
FOREGROUND = ("#d0d2d6", "#3b3a39")
LINK = ("#7db8f5", "#0b5cad")
LOOKS = (QEvent.Type.StyleChange, QEvent.Type.PaletteChange, QEvent.Type.FontChange)
# Ring around the input with the keyboard focus; visible on both themes.
FOCUS = "#3a82d2"
STYLE = f"""
QTabBar {{ border: none; padding: 0; background: transparent; }}
QTabBar::tab {{ padding: 5px 9px; }}
QTabBar::tab:focus:selected {{ border: 1px solid {FOCUS}; border-bottom: 0; }}
QPushButton:enabled {{ border: 1px solid transparent; padding: 3px; }}
QComboBox:enabled {{ border: 1px solid transparent; padding: 2px 9px 2px 7px; }}
QLineEdit:enabled {{ border: 1px solid transparent; padding: 1px; }}
QAbstractSpinBox {{ border: 1px solid transparent; padding: 0 9px; }}
QAbstractSpinBox QLineEdit {{ border: none; }}
QPushButton:focus, QComboBox:focus, QLineEdit:focus, QAbstractSpinBox:focus,
QCheckBox::indicator:focus, QRadioButton::indicator:focus,
QSlider::handle:horizontal:focus {{ border: 1px solid {FOCUS}; }}
QAbstractSpinBox QLineEdit:focus {{ border: none; }}
"""
"""Additions to napari's style: tabs that are not cut off, a ring around the focus."""
TYPED = "QLineEdit, QTableWidget, QHeaderView"
"""Widgets to which napari gives no font."""
HEADING = f"""
QPushButton {{ text-align: left; font-weight: bold; background: transparent;
    border: 1px solid transparent; padding: 3px; }}
QPushButton:focus {{ border: 1px solid {FOCUS}; }}
"""
# Part of the screen's width that a panel takes at most by itself.
WIDEST = 0.5
# Where a word that is longer than this may be broken: after a mark, or anywhere in what
# is as long without one.
LONG_WORD = re.compile(r"[^\s/\\]{33,}")
JOINT, NO_SPACE = re.compile(r"[^\W_]{32}|[\W_]+"), "\N{ZERO WIDTH SPACE}"
# Of the entries of a list, at each side.
LIST_MARGIN = 12
SWATCH = "\N{BLACK SQUARE}"
MARKS = {
    Qt.PenStyle.SolidLine: "\N{BOX DRAWINGS HEAVY HORIZONTAL}" * 2,
    Qt.PenStyle.DashLine: "\N{BOX DRAWINGS HEAVY DOUBLE DASH HORIZONTAL}" * 2,
    Qt.PenStyle.DotLine: "\N{BULLET}" * 3,
    Qt.PenStyle.DashDotLine: "\N{BOX DRAWINGS HEAVY HORIZONTAL}\N{BULLET}",
}
OPEN = "\N{BLACK DOWN-POINTING SMALL TRIANGLE}"
CLOSED = "\N{BLACK RIGHT-POINTING SMALL TRIANGLE}"


def button(name: str, text: str, tip: str = "") -> QPushButton:
    """Return a push button with an object name and a tooltip.

    A press takes what is being typed: buttons of macOS leave the focus in the input.
    """
    made = QPushButton(text)
    made.pressed.connect(finish_typing)
    made.setObjectName(name)
    made.setToolTip(f"<qt>{tip}</qt>" if tip else "")
    return made


def finish_typing() -> None:
    """Commit text that is being typed, as when the input loses the focus."""
    typed = QApplication.focusWidget()
    if isinstance(typed, QAbstractSpinBox):
        typed.interpretText()
    if isinstance(typed, QAbstractSpinBox | QLineEdit):
        typed.clearFocus()


class Limits:
    """Mixin of number boxes: a typed number beyond a limit becomes that, and says so.

    No digit is lost on the way; list it before the Qt base class.
    """

    def limit_for(self, text: str) -> float | None:
        """The limit that a typed number exceeds; None if it is allowed."""
        number = _number_in(self, text)  # type: ignore[arg-type]
        low, high = self.minimum(), self.maximum()  # type: ignore[attr-defined]
        if number is None or low <= number <= high:
            return None
        return low if number < low else high  # type: ignore[no-any-return]

    def validate(self, text: str, position: int) -> Any:
        """Let any number be typed."""
        if self.limit_for(text) is not None:
            return QValidator.State.Intermediate, text, position
        return super().validate(text, position)  # type: ignore[misc]

    def fixup(self, text: str) -> Any:
        """Replace a number beyond a limit, when editing ends."""
        limit = self.limit_for(text)
        if limit is not None:
            show_limit(self, limit)
        if limit is None or 0 < limit < SMALLEST:
            # The number before is taken again.
            return super().fixup(text)  # type: ignore[misc]
        return self.textFromValue(limit)  # type: ignore[attr-defined]


def show_limit(box: Any, limit: float) -> None:
    """Show the limit that was exceeded, below a number box."""
    words = f"at most {limit:,.10g}"
    if limit == box.minimum():
        words = "more than 0" if 0 < limit < SMALLEST else f"at least {limit:,.10g}"
    place = box.mapToGlobal(box.rect().bottomLeft())
    QToolTip.showText(place, f"Expected {words}.", box)


def _number_in(box: QSpinBox | QDoubleSpinBox, text: str) -> float | None:
    """Number that is typed in a box."""
    typed = text.removeprefix(box.prefix()).removesuffix(box.suffix()).strip()
    number, is_number = box.locale().toDouble(typed)
    return number if is_number else None


class NumberBox(Limits, QSpinBox):
    """Whole numbers."""


class DecimalBox(Limits, QDoubleSpinBox):
    """Decimal numbers as typed: no trailing zeros, with a point in every locale."""

    def __init__(self) -> None:
        super().__init__()
        self.setLocale(QLocale.c())
        self.setDecimals(DECIMALS)

    def textFromValue(self, value: float) -> str:
        """Format without trailing zeros."""
        return np.format_float_positional(value, precision=DECIMALS, trim="-")

    def sizeHint(self) -> QSize:
        """Room for some decimals, which the limits lack."""
        room = self.fontMetrics().horizontalAdvance(".00")
        return super().sizeHint() + QSize(room, 0)


def number_box(name: str, low: int, high: int, tip: str = "") -> QSpinBox:
    """Return an input for a whole number; emits when editing ends."""
    box = NumberBox()
    box.setObjectName(name)
    box.setRange(low, high)
    box.setValue(low)
    box.setKeyboardTracking(False)
    box.setToolTip(tip)
    return box


def axis_boxes(name: str, low: int, high: int, tip: str = "") -> dict[Axis, QSpinBox]:
    """Return an input for each axis; ``{}`` in the tooltip becomes its name."""
    return {
        axis: number_box(f"{name}_{axis}", low, high, tip.format(axis)) for axis in AXES
    }


def values_of(
    boxes: Mapping[Axis, QSpinBox] | Mapping[Axis, QSlider],
) -> tuple[int, int, int]:
    """Return the numbers along z, y and x."""
    return boxes["z"].value(), boxes["y"].value(), boxes["x"].value()


def decimal_box(
    name: str,
    low: float,
    high: float,
    value: float,
    *,
    step: float = 0.1,
    tip: str = "",
) -> QDoubleSpinBox:
    """Return an input for a decimal number; emits when editing ends."""
    box = DecimalBox()
    box.setObjectName(name)
    box.setRange(low, high)
    box.setSingleStep(step)
    box.setValue(value)
    box.setKeyboardTracking(False)
    box.setToolTip(tip)
    return box


class ChoiceBox(QComboBox):
    """Drop-down list that does not widen the dock.

    Entries that are wider than the box are cut in the middle, with an ellipsis: names
    of volumes differ at their end. The list itself is as wide as its entries.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.setMinimumContentsLength(8)

    def shown_text(self) -> str:
        """The current entry as far as the box has room for it."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        return self._fit(option)

    def _fit(self, option: QStyleOptionComboBox) -> str:
        field = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox,
            option,
            QStyle.SubControl.SC_ComboBoxEditField,
            self,
        )
        return self.fontMetrics().elidedText(
            self.currentText(), Qt.TextElideMode.ElideMiddle, field.width()
        )

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the entry with an ellipsis, where Qt would cut it off."""
        painter = QStylePainter(self)
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        option.currentText = self._fit(option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()

    def showPopup(self) -> None:
        """Open the list, as wide as the longest entry, within the window."""
        view = self.view()
        widest = parent_of(self, QMainWindow) or self
        wanted = view.sizeHintForColumn(0) + 2 * LIST_MARGIN
        view.setMinimumWidth(max(self.width(), min(wanted, widest.width() // 2)))
        view.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        super().showPopup()


def choice_box(name: str, choices: Sequence[str] = (), tip: str = "") -> ChoiceBox:
    """Return a drop-down list."""
    box = ChoiceBox()
    box.setObjectName(name)
    box.addItems([*choices])
    box.setToolTip(tip)
    return box


def existing_folder(path: Path | None) -> str:
    """Where a dialog begins: a folder, or the nearest one above that exists.

    Qt begins elsewhere if a folder does not exist, such as before the first run.
    """
    if path is None:
        return ""
    near = (each for each in (path, *path.parents) if each.is_dir())
    return str(next(near, ""))


def ask(
    parent: QWidget | None, title: str, text: str, yes: str, name: str = "ask"
) -> bool:
    """Ask a question in plain text; whether the user agrees. Cancel is the default.

    Parameters
    ----------
    yes
        Text of the button that agrees.
    name
        Object name of the dialog.
    """
    question = QMessageBox(parent)
    question.setObjectName(name)
    question.setIcon(QMessageBox.Icon.Question)
    question.setWindowTitle(title)
    question.setTextFormat(Qt.TextFormat.PlainText)
    question.setText(text)
    agree = question.addButton(yes, QMessageBox.ButtonRole.AcceptRole)
    stay = question.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
    question.setDefaultButton(stay)
    question.exec()
    agrees = question.clickedButton() is agree
    question.deleteLater()
    return agrees


def row(*parts: QWidget | str) -> QHBoxLayout:
    """Return a row of inputs of equal width; text becomes a label."""
    layout = QHBoxLayout()
    for part in parts:
        if isinstance(part, str):
            layout.addWidget(QLabel(part))
        else:
            layout.addWidget(part, 1)
    return layout


def set_row_visible(form: QFormLayout, field: QWidget, visible: bool) -> None:
    """Show or hide a row of a form; Qt's own function of that name is not in Qt 5."""
    for widget in (field, form.labelForField(field)):
        if widget is not None:
            widget.setVisible(visible)


class WheelGuard(QObject):
    """Leaves the wheel to the scroll area unless the input has the focus.

    Scrolling through a form must not change the values under the pointer.
    """

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Ignore the wheel."""
        if (
            event is not None
            and event.type() == QEvent.Type.Wheel
            and isinstance(watched, QWidget)
            and not watched.hasFocus()
        ):
            event.ignore()
            return True
        return False


def guard_wheel(form: QWidget) -> None:
    """Guard all inputs of a form that react to the wheel."""
    guard = WheelGuard(form)
    for each in form.findChildren(QWidget):
        if isinstance(each, QAbstractSpinBox | QComboBox | QSlider):
            each.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            each.installEventFilter(guard)


def inputs_of(widget: QWidget) -> Iterator[QWidget]:
    """Yield what takes the keyboard focus, in the order of the layouts."""
    takes_focus = widget.focusPolicy() & Qt.FocusPolicy.TabFocus
    if takes_focus and widget.focusProxy() is None:
        yield widget
    layout = widget.layout()
    content = widget.widget() if isinstance(widget, QScrollArea) else None
    if content is not None:
        yield from inputs_of(content)
    elif layout is not None:
        yield from _inputs_in(layout)


def _inputs_in(layout: QLayout) -> Iterator[QWidget]:
    places: list[tuple[int, int, int]] = []
    for number in range(layout.count()):
        line, column = number, 0
        if isinstance(layout, QGridLayout):
            line, column, *_ = layout.getItemPosition(number)  # type: ignore[misc]
        elif isinstance(layout, QFormLayout):
            line = layout.getItemPosition(number)[0]  # type: ignore[index]
        places.append((line, column, number))
    for *_, number in sorted(places):
        item = layout.itemAt(number)
        within = None if item is None else item.widget()
        below = None if item is None else item.layout()
        if within is not None:
            yield from inputs_of(within)
        elif below is not None:
            yield from _inputs_in(below)


def chain_inputs(widget: QWidget) -> None:
    """Let the Tab key follow the layouts, not the order in which inputs were made."""
    for before, after in itertools.pairwise(inputs_of(widget)):
        QWidget.setTabOrder(before, after)


class FocusKeeper:
    """Keeps the keyboard focus on buttons that take each other's place.

    When the button that has the focus is hidden or disabled, Qt passes the focus on to
    any input that happens to follow. Here its successor gets it.

    Parameters
    ----------
    group
        The buttons, the one that is to have the focus first.
    """

    def __init__(self, *group: QWidget) -> None:
        self._group = group
        self._is_waiting = False
        # Has the focus until one before it is enabled.
        self._stand_in: QWidget | None = None
        # Where Qt has put the focus while no button can take it.
        self._elsewhere: QWidget | None = None

    @contextlib.contextmanager
    def changing(self, *, wait: bool = False) -> Iterator[None]:
        """Give the focus to a successor if the buttons change.

        Parameters
        ----------
        wait
            Whether no other button takes the focus before the next change, as when the
            one that has it is disabled for a moment.
        """
        before = QApplication.focusWidget()
        is_own = any(before is each for each in self._group)
        is_own |= self._is_waiting and before is self._elsewhere
        yield
        if not is_own:
            self._stand_in, self._is_waiting = None, False
            return
        able = [each for each in self._group if each.isVisible() and each.isEnabled()]
        if any(before is each for each in able) and before is not self._stand_in:
            return
        after = QApplication.focusWidget()
        self._is_waiting = wait or not able
        if not self._is_waiting:
            self._stand_in = None if able[0] is self._group[0] else able[0]
            able[0].setFocus(Qt.FocusReason.OtherFocusReason)
        elif wait and after is not None:
            after.clearFocus()
        self._elsewhere = QApplication.focusWidget() if self._is_waiting else None


class PanelArea(QScrollArea):
    """Scrolls a panel's content, and is as wide as that needs, within the screen.

    Large fonts need more; a scroll bar reaches what is beyond `WIDEST` of the screen.
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        # It scrolls to the input that the Tab key reaches.
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        content.installEventFilter(self)

    def minimumSizeHint(self) -> QSize:
        """Width of the content and its scroll bar."""
        least, content, screen = super().minimumSizeHint(), self.widget(), self.screen()
        bar = self.verticalScrollBar()
        if content is None or screen is None or bar is None:
            return least
        wanted = content.minimumSizeHint().width() + bar.sizeHint().width()
        widest = round(WIDEST * screen.availableSize().width())
        least.setWidth(max(least.width(), min(wanted, widest)))
        return least

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Follow the content: other inputs, or another font."""
        if event is None:
            return False
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)  # type: ignore[arg-type]


def content_above(panel: QWidget, *pinned: QWidget) -> QVBoxLayout:
    """Return the layout of a panel's content, which scrolls.

    Parameters
    ----------
    pinned
        Widgets below it that stay in sight, such as messages.
    """
    content = QWidget()
    area = PanelArea(content)
    whole = QVBoxLayout(panel)
    whole.setContentsMargins(0, 0, 0, 0)
    whole.addWidget(area, 1)
    below = QVBoxLayout()
    below.setContentsMargins(11, 0, 11, 4)
    for each in pinned:
        below.addWidget(each)
    whole.addLayout(below)
    return QVBoxLayout(content)


def parent_of(widget: QWidget, kind: type[AnyWidget]) -> AnyWidget | None:
    """Return the nearest parent of a kind."""
    parent = widget.parentWidget()
    while parent is not None and not isinstance(parent, kind):
        parent = parent.parentWidget()
    return parent


def rgb_image(rgb: NDArray[np.uint8]) -> QImage:
    """Return a Qt image of RGB values, uint8 ``[rows, columns, 3]``."""
    rows, columns = rgb.shape[:2]
    data = np.ascontiguousarray(rgb)
    image = QImage(data.data, columns, rows, 3 * columns, QImage.Format.Format_RGB888)
    # The copy owns its pixels; the array does not outlive this call.
    return image.copy()


def breakable(text: str) -> str:
    """Text for a label, whose long words can be broken between lines.

    A label is at least as wide as its longest word, and so would be the dock: names of
    files and runs hold underscores in place of spaces.
    """
    return LONG_WORD.sub(lambda word: JOINT.sub(rf"\g<0>{NO_SPACE}", word[0]), text)


class MessageLine(QLabel):
    """Line for errors, warnings and notes; hidden while empty.

    What is copied, such as a path, is free of the places where lines may be broken.
    """

    def __init__(self, name: str = "message") -> None:
        super().__init__()
        self.setObjectName(name)
        self._colours: tuple[str, str] | None = None
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        # In place of Qt's own menu.
        self.copy_action = QAction("Copy", self)
        # Not a lambda, which would keep the line after its panel has closed.
        self.copy_action.triggered.connect(self._copy_text)
        self.addAction(self.copy_action)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.clear()

    def show_error(self, text: str) -> None:
        """Show an error."""
        self._show(text, ERROR)

    def show_warning(self, text: str) -> None:
        """Show a warning."""
        self._show(text, WARNING)

    def show_text(self, text: str) -> None:
        """Show a note in the colour of normal text."""
        self._show(text, None)

    def clear(self) -> None:
        """Remove the text and hide the line."""
        super().clear()
        self.setVisible(False)

    def text(self) -> str:
        """The text as it was given."""
        return super().text().replace(NO_SPACE, "")

    def selectedText(self) -> str:
        """The selected part of the text as it was given."""
        return super().selectedText().replace(NO_SPACE, "")

    def keyPressEvent(self, event: Any) -> None:
        """Copy the selected text."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self._copy()
        else:
            super().keyPressEvent(event)

    def mouseReleaseEvent(self, event: Any) -> None:
        """Where selecting copies, as on Linux, copy the text as it was given."""
        super().mouseReleaseEvent(event)
        clipboard = QApplication.clipboard()
        if clipboard is not None and clipboard.supportsSelection():
            if self.hasSelectedText():
                self._copy(QClipboard.Mode.Selection)

    def _copy_text(self) -> None:
        """Copy to the clipboard that is pasted by keys."""
        self._copy()

    def _copy(self, mode: QClipboard.Mode = QClipboard.Mode.Clipboard) -> None:
        """Copy the selected text, else all of it."""
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.selectedText() or self.text(), mode)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange):
            self._paint()

    def _show(self, text: str, colours: tuple[str, str] | None) -> None:
        self._colours = colours
        self.setText(breakable(text))
        self.setVisible(bool(text))
        self._paint()

    def _paint(self) -> None:
        sheet = ""
        if self._colours is not None:
            colour = self._colours[0 if is_dark(self) else 1]
            # A bar at the side, for those who do not see the colour.
            line = "solid" if self._colours is ERROR else "dotted"
            bar = f"3px {line} {colour}"
            sheet = f"color: {colour}; border-left: {bar}; padding-left: 4px"
        # Setting a sheet is a change of style itself.
        if sheet != self.styleSheet():
            self.setStyleSheet(sheet)


class LinkLabel(QLabel):
    """Plain text, or text with links, which the Tab key reaches."""

    def __init__(self) -> None:
        super().__init__()
        self._links = ""
        self.setWordWrap(True)

    def set_plain(self, text: str) -> None:
        """Show plain text."""
        self._links = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        self.setText(breakable(text))

    def set_links(self, html: str) -> None:
        """Show HTML with links, ``<a href='...'>``; `linkActivated` has the href."""
        self._links = html
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.LinksAccessibleByMouse
            | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )
        self._paint()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange):
            self._paint()

    def _paint(self) -> None:
        if self._links:
            colour = link_colour(self)
            self.setText(self._links.replace("<a ", f"<a style='color: {colour}' "))


def swatch(text: str, colour: str, line: Qt.PenStyle | None = None) -> str:
    """HTML of a name in a legend: coloured text itself is hard to read when light.

    Parameters
    ----------
    line
        Of a curve, which is shown in place of a square.
    """
    mark = SWATCH if line is None else MARKS[line]
    return f'<span style="color:{colour}">{mark}</span> {text}'


def link_colour(widget: QWidget) -> str:
    """Colour of links on a theme; Qt takes the application's, which no theme sets."""
    return LINK[0 if is_dark(widget) else 1]


def colour_links(document: QTextDocument, colour: str) -> None:
    """Set the colour of all links."""
    style = QTextCharFormat()
    style.setForeground(QColor(colour))
    cursor = QTextCursor(document)
    while not cursor.atEnd():
        # Character by character: a link has no other end that a cursor finds.
        cursor.movePosition(
            QTextCursor.MoveOperation.NextCharacter, QTextCursor.MoveMode.KeepAnchor
        )
        if cursor.charFormat().isAnchor():
            cursor.mergeCharFormat(style)
        cursor.clearSelection()


DRAWING_SHARE, LONGEST_WAIT_S = 0.05, 10.0
"""Largest part of the time for drawing; the wait after a drawing, however long."""


class Pace:
    """Leaves time between drawings, the longer the last one took."""

    def __init__(self) -> None:
        self._due_at = -math.inf

    @property
    def is_due(self) -> bool:
        """Whether the next drawing keeps to `DRAWING_SHARE` of the time."""
        return time.monotonic() >= self._due_at

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        """Measure a block that draws."""
        began = time.monotonic()
        try:
            yield
        finally:
            ended = time.monotonic()
            wait_s = (ended - began) / DRAWING_SHARE
            self._due_at = ended + min(wait_s, LONGEST_WAIT_S)


class FaultGuard(QObject):
    """Keeps a plot or image that cannot be drawn from stopping its panel.

    ``with guard("The preview"): ...`` swallows any exception of the block. Each kind of
    exception is logged and reported once, until `reset`.
    """

    failed = Signal(str)
    """One sentence."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._known: set[tuple[str, type[Exception]]] = set()

    @contextlib.contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """Guard a block that draws something; the report names it."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 a plot must not stop the panel
            kind = type(error)
            if (what, kind) in self._known:
                return
            self._known.add((what, kind))
            # As text: a log record with the traceback would keep the arrays alive.
            logger.error("%s cannot be shown:\n%s", what, traceback.format_exc())
            self.failed.emit(
                f"{what} cannot be shown ({kind.__name__}: {str(error)[:200]}); the "
                "log has the details."
            )

    def reset(self) -> None:
        """Report known exceptions again."""
        self._known.clear()


def is_dark(widget: QWidget) -> bool:
    """Whether the theme is dark: text brighter than its background."""
    # The palette of the window: a widget may have a colour of its own.
    palette = widget.window().palette()
    text = palette.color(QPalette.ColorRole.WindowText).lightness()
    return text > palette.color(QPalette.ColorRole.Window).lightness()


class Section(QWidget):
    """Collapsible group under a heading; closed at first.

    Closed content is hidden, so the Tab key skips it. superqt's `QCollapsible` only
    makes it 0 pixels high, fixes the height of open content, and keeps the colour of
    its icon when the theme changes.

    Parameters
    ----------
    title
        Text of the heading.
    content
        Layout of the inputs below it.
    """

    def __init__(self, title: str, content: QLayout) -> None:
        super().__init__()
        self._title = title
        # children
        self.heading = QPushButton()
        self.heading.setCheckable(True)
        self.heading.setStyleSheet(HEADING)
        self._content = QWidget()
        self._content.setLayout(content)
        # layout
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.heading)
        layout.addWidget(self._content)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.set_open(False)
        # signals
        self.heading.toggled.connect(self.set_open)

    @property
    def is_open(self) -> bool:
        """Whether the content is shown."""
        return self.heading.isChecked()

    def set_open(self, is_open: bool) -> None:
        """Show or hide the content."""
        self.heading.setChecked(is_open)
        # The arrow is part of the text: an icon would not follow the theme.
        self.heading.setText(f"{OPEN if is_open else CLOSED} {self._title}")
        self._content.setVisible(is_open)


class SeedEditor(QWidget):
    """Edits a random seed.

    Parameters
    ----------
    what
        What the seed determines, for the tooltip.
    """

    value_changed = Signal()

    def __init__(self, what: str) -> None:
        super().__init__()
        # children
        tip = f"Random seed: the same seed gives the same {what}."
        self.box = number_box("seed", 0, MAX_SEED, tip=tip)
        self.dice = QToolButton()
        self.dice.setObjectName("dice")
        self.dice.setToolTip("Draw a new random seed.")
        self.dice.setIcon(_dice_icon())
        # layout
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.box, 1)
        layout.addWidget(self.dice)
        # signals
        self.box.valueChanged.connect(self.value_changed)
        self.dice.clicked.connect(lambda checked: self.roll())

    def value(self) -> int:
        """The seed."""
        return self.box.value()

    def set_value(self, seed: int) -> None:
        """Set the seed."""
        self.box.setValue(seed)

    def roll(self) -> None:
        """Draw a new seed."""
        self.box.setValue(random.randrange(MAX_SEED))


def _dice_icon() -> QIcon:
    """Draw a die with five dots, in a gray that is visible on both themes."""
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
    """Mixin: accepts dropped local files; list it before the Qt base class.

    The widget implements `take_files` and calls ``setAcceptDrops(True)``.
    """

    def take_files(self, paths: list[Path]) -> None:
        """Handle the dropped paths."""
        raise NotImplementedError

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Accept files."""
        if event is not None and _local_files(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Pass dropped files to `take_files`."""
        if event is None:
            return
        paths = _local_files(event.mimeData())
        if paths:
            event.acceptProposedAction()
            self.take_files(paths)


def _local_files(data: QMimeData | None) -> list[Path]:
    """Return the local files of dragged data."""
    if data is None:
        return []
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
