"""Pixel size and segmentation controls."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_slicegan._qt.widgets.basics import MessageLine
from napari_slicegan._qt.widgets.config_form import (
    FieldEditor,
    FieldRows,
    PlainDoubleSpinBox,
)
from napari_slicegan.config import MicrographSettings, RunConfig

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


Crop = tuple[int, int, int, int]

# Settings that matter only for some values of another one.
SHOWN_FOR = {
    "n_phases": ("segmentation", {"multi-otsu"}),
    "thresholds": ("segmentation", {"thresholds"}),
    "local_window": ("segmentation", {"local"}),
    "denoise_radius": ("denoise", {"median", "gaussian"}),
}
# These have inputs of their own in the panel.
ELSEWHERE = {"crop", "pixel_size_nm"}


class SegmentationControls(QWidget):
    """Edits all settings of a micrograph but its pixel size."""

    value_changed = Signal()
    preview_toggled = Signal(bool)
    crop_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._crop: Crop | None = None
        # children
        fields = MicrographSettings.model_fields
        self.rows = FieldRows({n: f for n, f in fields.items() if n not in ELSEWHERE})
        self._crop_text = QLabel()
        self._crop_text.setObjectName("crop_text")
        self._crop_text.setWordWrap(True)
        self._crop_text.setToolTip(f"<qt>{fields['crop'].description}</qt>")
        self.crop_button = QPushButton("Draw crop")
        self.crop_button.setObjectName("draw_crop")
        self.crop_button.setToolTip(
            "Draw a rectangle over the image; only what is inside is used."
        )
        self.uncrop_button = QPushButton("Whole image")
        self.uncrop_button.setObjectName("whole_image")
        self.preview = QCheckBox("Show phases over the image")
        self.preview.setObjectName("show_phases")
        self.preview.setChecked(True)
        self.message = MessageLine("segmentation_message")
        # layout
        crop = QHBoxLayout()
        crop.addWidget(self.crop_button)
        crop.addWidget(self.uncrop_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.rows)
        layout.addWidget(self._crop_text)
        layout.addLayout(crop)
        layout.addWidget(self.preview)
        layout.addWidget(self.message)
        self.set_value(MicrographSettings())
        # signals
        self.rows.value_changed.connect(self._changed)
        self.preview.toggled.connect(self.preview_toggled)
        self.crop_button.clicked.connect(lambda: self.crop_wanted.emit())
        self.uncrop_button.clicked.connect(lambda: self.set_crop(None))

    def value(self) -> MicrographSettings:
        """The settings as entered, without a pixel size.

        Raises
        ------
        ValueError
            If an input is not allowed; names the setting by its title.
        """
        entered: dict[str, Any] = {**self.rows.values(), "crop": self._crop}
        return RunConfig().changed(**entered).micrograph

    def set_value(self, settings: MicrographSettings) -> None:
        """Show settings."""
        self.rows.set_values(dict(settings))
        self._crop = settings.crop
        self._show()

    def crop(self) -> Crop | None:
        """The part of the image that is used, None for all of it."""
        return self._crop

    def set_crop(self, crop: Crop | None) -> None:
        """Use a part of the image: first row, row after the last, then columns."""
        if crop != self._crop:
            self._crop = crop
            self._changed()

    def _changed(self) -> None:
        self._show()
        try:
            self.value()
        except ValueError as error:
            self.message.show_error(str(error))
            return
        self.value_changed.emit()

    def _show(self) -> None:
        """Hide what does not matter."""
        self.message.clear()
        entered = self.rows.values()
        for name, (other, values) in SHOWN_FOR.items():
            self.rows.set_row_visible(name, entered[other] in values)
        self.uncrop_button.setEnabled(self._crop is not None)
        if self._crop is None:
            self._crop_text.setText("The whole image is used.")
        else:
            top, bottom, left, right = self._crop
            self._crop_text.setText(
                f"Used: rows {top} to {bottom}, columns {left} to {right}"
            )
