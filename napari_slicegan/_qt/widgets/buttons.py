"""Buttons as the panels have them."""

from __future__ import annotations

from qtpy.QtWidgets import QPushButton


def button(name: str, text: str, tip: str = "") -> QPushButton:
    """Button with a name to find it by, and a tooltip."""
    made = QPushButton(text)
    made.setObjectName(name)
    made.setToolTip(tip)
    return made
