"""Forms for the volume or the images to generate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QLabel,
    QWidget,
)

from napari_slicegan._qt.widgets.basics import (
    MessageLine,
    SeedEditor,
    axis_boxes,
    decimal_box,
    number_box,
    values_of,
)
from napari_slicegan.config import AXES, Axis
from napari_slicegan.runtime.limits import available_memory
from napari_slicegan.runtime.quantities import voxels_in_words

MAX_VOXELS = 16_384
MAX_COUNT = 100_000
NM_UM = 10_000.0


@dataclass(frozen=True)
class GenerationRequest:
    """Arguments of `VolumePlan` for the volume to generate.

    Attributes
    ----------
    endless
        Whether it is generated on demand, where it is viewed.
    """

    size: tuple[int, int, int] = (128, 128, 128)
    periodic: str = ""
    seed: int = 0
    endless: bool = False

    @property
    def shape(self) -> str:
        """Size as text."""
        return " x ".join(map(str, self.size))

    @property
    def name(self) -> str:
        """Name of the layer."""
        kind = "Endless" if self.endless else "Volume"
        return f"{kind} {self.shape}, seed {self.seed}"


class GenerationForm(QWidget):
    """Edits a `GenerationRequest`; voxels and lengths are kept in step."""

    value_changed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("generation_form")
        self._voxel_size_nm: float | None = None
        self._scale = self._voxel_bytes = 1
        # children
        self.voxels = axis_boxes(
            "voxels", 1, MAX_VOXELS, "Size of the volume along {}, in voxels."
        )
        for box in self.voxels.values():
            box.setKeyboardTracking(True)
        self.lengths = {axis: self._length_box(axis) for axis in AXES}
        self.periodic = {axis: self._periodic_box(axis) for axis in AXES}
        self.seed = SeedEditor("volume")
        self.endless = QCheckBox("Endless (generated on demand)")
        self.endless.setObjectName("endless")
        self.endless.setToolTip(
            "Shows a volume of any size at once and generates the viewed slices; "
            "only the most recent ones are kept."
        )
        self.amount = MessageLine("amount")
        # layout
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        for column, title in enumerate(("Voxels", "Length", "Periodic"), start=1):
            grid.addWidget(QLabel(title), 0, column)
        for row, axis in enumerate(AXES, start=1):
            grid.addWidget(QLabel(axis), row, 0)
            grid.addWidget(self.voxels[axis], row, 1)
            grid.addWidget(self.lengths[axis], row, 2)
            grid.addWidget(self.periodic[axis], row, 3)
        grid.addWidget(QLabel("Seed"), 4, 0)
        grid.addWidget(self.seed, 4, 1)
        grid.addWidget(self.amount, 4, 2, 1, 2)
        grid.addWidget(self.endless, 5, 0, 1, 4)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)
        # signals
        for axis in AXES:
            self.voxels[axis].valueChanged.connect(self._changed)
            self.lengths[axis].editingFinished.connect(
                lambda axis=axis: self._take_length(axis)
            )
            self.periodic[axis].toggled.connect(
                lambda checked, axis=axis: self._round(axis)
            )
        self.seed.value_changed.connect(self._changed)
        self.endless.toggled.connect(self._changed)
        self.set_value(GenerationRequest())

    def value(self) -> GenerationRequest:
        """The request."""
        periodic = "".join(a for a in AXES if self.periodic[a].isChecked())
        return GenerationRequest(
            values_of(self.voxels),
            periodic,
            self.seed.value(),
            self.endless.isChecked(),
        )

    def set_value(self, request: GenerationRequest) -> None:
        """Show a request."""
        for axis, n in zip(AXES, request.size, strict=True):
            self.periodic[axis].setChecked(axis in request.periodic)
            self.voxels[axis].setValue(n)
        self.seed.set_value(request.seed)
        self.endless.setChecked(request.endless)

    def set_generator(
        self, voxel_size_nm: float | None, scale: int, voxel_bytes: int = 1
    ) -> None:
        """Set the voxel size, the voxels per latent step and the bytes of a voxel."""
        self._voxel_size_nm, self._scale = voxel_size_nm, scale
        self._voxel_bytes = voxel_bytes
        for axis in AXES:
            self._round(axis)

    def _unit(self) -> tuple[float, str]:
        """Unit of the lengths in nanometres, and its symbol."""
        size = self._voxel_size_nm or 1.0
        if size * max(self.value().size) < NM_UM:
            return 1.0, "nm"
        return 1000.0, "\N{MICRO SIGN}m"

    def _changed(self) -> None:
        size, (factor, unit) = self._voxel_size_nm, self._unit()
        for axis in AXES:
            box = self.lengths[axis]
            box.setEnabled(size is not None)
            box.setSuffix(f" {unit}" if size is not None else "")
            length = self.voxels[axis].value() * size / factor if size else 0
            # Zero is displayed as "not known".
            box.setValue(float(f"{length:.6g}"))
        self._show_amount(self.value())
        self.value_changed.emit(self.value())

    def _show_amount(self, request: GenerationRequest) -> None:
        """Show the number of voxels, and before Generate that there are too many."""
        n_voxels = math.prod(request.size)
        words = voxels_in_words(n_voxels)
        n_bytes = n_voxels * self._voxel_bytes
        if n_bytes > available_memory() and not request.endless:
            self.amount.show_warning(f"{words}, more than the free memory")
        else:
            self.amount.show_text(words)

    def _take_length(self, axis: Axis) -> None:
        if self._voxel_size_nm is None:
            return
        length = self.lengths[axis].value() * self._unit()[0]
        self.voxels[axis].setValue(max(1, round(length / self._voxel_size_nm)))
        self._round(axis)

    def _round(self, axis: Axis) -> None:
        """Round a periodic axis to a whole number of latent steps."""
        box = self.voxels[axis]
        if self.periodic[axis].isChecked():
            box.setSingleStep(self._scale)
            box.setValue(max(1, round(box.value() / self._scale)) * self._scale)
        else:
            box.setSingleStep(1)
        self._changed()

    def _length_box(self, axis: Axis) -> QDoubleSpinBox:
        tip = f"Size of the volume along {axis}, rounded to whole voxels."
        box = decimal_box(f"length_{axis}", 0, 1e12, 0, step=1, tip=tip)
        box.setSpecialValueText("not known")
        return box

    def _periodic_box(self, axis: Axis) -> QCheckBox:
        box = QCheckBox()
        box.setObjectName(f"periodic_{axis}")
        box.setToolTip(f"Makes opposite faces along {axis} match seamlessly.")
        return box


@dataclass(frozen=True)
class SampleRequest:
    """Arguments of `generate_images` for the images to generate.

    Attributes
    ----------
    as_sheet
        Whether they are shown side by side instead of as a stack.
    """

    count: int = 64
    seed: int = 0
    as_sheet: bool = False

    @property
    def name(self) -> str:
        """Name of the layer."""
        return f"Samples, seed {self.seed}"


class SampleForm(QWidget):
    """Edits a `SampleRequest`."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("sample_form")
        # children
        self.count = number_box(
            "sample_count", 1, MAX_COUNT, "Number of images to draw."
        )
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
        """The request."""
        return SampleRequest(
            self.count.value(), self.seed.value(), self.as_sheet.isChecked()
        )

    def set_value(self, request: SampleRequest) -> None:
        """Show a request."""
        self.count.setValue(request.count)
        self.seed.set_value(request.seed)
        self.as_sheet.setChecked(request.as_sheet)
