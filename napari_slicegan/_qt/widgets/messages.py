"""A line of text in a panel: a fault, a warning, or a plain word."""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections.abc import Iterator

from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtGui import QPalette
from qtpy.QtWidgets import QLabel, QWidget

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
