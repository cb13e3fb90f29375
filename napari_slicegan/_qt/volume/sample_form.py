"""Which images to draw from a generator of images: how many, which, how shown."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtWidgets import QCheckBox, QFormLayout, QSpinBox, QWidget

from napari_slicegan._qt.widgets.seed_editor import SeedEditor

MAX_COUNT = 100_000


@dataclass(frozen=True)
class SampleRequest:
    """Images that are wanted, as `generate_images` takes it.

    Attributes
    ----------
    as_sheet
        Shown side by side; otherwise as a stack with a slider.
    """

    count: int = 64
    seed: int = 0
    as_sheet: bool = False


class SampleForm(QWidget):
    """Edits a `SampleRequest`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sample_form")
        # children
        self.count = QSpinBox()
        self.count.setObjectName("sample_count")
        self.count.setRange(1, MAX_COUNT)
        self.count.setToolTip("Number of images to draw.")
        self.seed = SeedEditor("images")
        self.as_sheet = QCheckBox("Side by side, as one picture")
        self.as_sheet.setObjectName("as_sheet")
        self.as_sheet.setToolTip("Otherwise a stack, with a slider below the canvas.")
        # layout
        rows = QFormLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addRow("Images", self.count)
        rows.addRow("Seed", self.seed)
        rows.addRow(self.as_sheet)
        self.set_value(SampleRequest())

    def value(self) -> SampleRequest:
        """What is asked for."""
        return SampleRequest(
            self.count.value(), self.seed.value(), self.as_sheet.isChecked()
        )

    def set_value(self, request: SampleRequest) -> None:
        """Show a request."""
        self.count.setValue(request.count)
        self.seed.set_value(request.seed)
        self.as_sheet.setChecked(request.as_sheet)
