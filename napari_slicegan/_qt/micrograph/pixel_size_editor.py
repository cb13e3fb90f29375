"""Pixel size with its unit: found in a file, or typed."""

from __future__ import annotations

from qtpy.QtWidgets import QComboBox, QLabel

from napari_slicegan._qt.widgets.field_editors import FieldEditor, PlainDoubleSpinBox

NM_PER_UNIT = {"nm": 1.0, "µm": 1e3, "mm": 1e6}
LARGEST = 1e9


class PixelSizeEditor(FieldEditor):
    """Edge of a pixel; None as long as nothing is typed.

    What a file says is shown, but is no value of this input: the file is asked again.
    """

    def __init__(self) -> None:
        self._typed = False
        self._found: float | None = None
        # children
        self.box = PlainDoubleSpinBox()
        self.box.setRange(0, LARGEST)
        self.box.setSpecialValueText("unknown")
        self.box.setKeyboardTracking(False)
        self.unit = QComboBox()
        self.unit.setObjectName("pixel_size_unit")
        self.unit.addItems(list(NM_PER_UNIT))
        self.origin = QLabel()
        # layout
        super().__init__(self.box, self.unit, self.origin)
        self.unit.setMaximumWidth(64)
        self.main = self.box
        self._show()
        # signals
        self.box.valueChanged.connect(self._type)
        self.unit.currentTextChanged.connect(self._change_unit)

    def value(self) -> float | None:
        """Nanometres if typed, else None."""
        if not self._typed or not self.box.value():
            return None
        return self.box.value() * NM_PER_UNIT[self.unit.currentText()]

    def set_value(self, value: float | None) -> None:
        """Show a typed size in nanometres, or what was found."""
        self._typed = value is not None
        self._show(value)

    def set_found(self, size_nm: float | None) -> None:
        """Show what the file says unless something is typed."""
        self._found = size_nm
        if not self._typed:
            self._show()

    def _show(self, size_nm: float | None = None) -> None:
        """Show a size in the unit that makes it easy to read."""
        size_nm = self._found if size_nm is None else size_nm
        blocked = self.box.blockSignals(True), self.unit.blockSignals(True)
        if size_nm is not None:
            units = [unit for unit, nm in NM_PER_UNIT.items() if size_nm >= nm]
            self.unit.setCurrentText(units[-1] if units else "nm")
        self.box.setValue((size_nm or 0) / NM_PER_UNIT[self.unit.currentText()])
        self.box.blockSignals(blocked[0])
        self.unit.blockSignals(blocked[1])
        self._tell_origin()

    def _type(self) -> None:
        self._typed = self.box.value() > 0
        if self._typed:
            self._tell_origin()
        else:
            self._show()
        self.value_changed.emit()

    def _change_unit(self) -> None:
        """Typed numbers stay, found sizes are converted."""
        if self._typed:
            self.value_changed.emit()
        elif self._found is not None:
            blocked = self.box.blockSignals(True)
            self.box.setValue(self._found / NM_PER_UNIT[self.unit.currentText()])
            self.box.blockSignals(blocked)

    def _tell_origin(self) -> None:
        found = "from the file" if self._found is not None else ""
        self.origin.setText("typed" if self._typed else found)
