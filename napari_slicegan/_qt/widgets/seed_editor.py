"""A seed, and dice to roll for another one."""

from __future__ import annotations

import random

from qtpy.QtCore import QRectF, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QSpinBox, QToolButton, QWidget

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
