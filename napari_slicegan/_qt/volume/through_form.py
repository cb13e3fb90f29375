"""Form for a real image that a volume contains as one of its planes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QWidget

from napari_slicegan._qt.viewer.layer_choice import LayerChoice
from napari_slicegan._qt.viewer.layer_inputs import is_flat_image, shown_source
from napari_slicegan._qt.viewer.layers import unwrapped
from napari_slicegan._qt.widgets.basics import choice_box, number_box, row
from napari_slicegan.config import AXES, Axis

if TYPE_CHECKING:
    from napari_slicegan.data.image_files import SourceImage

MIDDLE = 64
"""Of a volume of the default size."""
LAST = 16_383


@dataclass(frozen=True, eq=False)
class GivenSection:
    """An image, and the plane of a volume that it is.

    Attributes
    ----------
    axis, position
        As of `napari_slicegan.generation.through.Section`.
    """

    source: SourceImage
    axis: Axis
    position: int


class ThroughForm(QWidget):
    """Chooses an image and its plane; `value` is None if volumes pass through none."""

    value_changed = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.setObjectName("through_form")
        self._viewer = unwrapped(viewer)
        # children
        self.active = QCheckBox("Pass through an image")
        self.active.setObjectName("through")
        self.active.setToolTip(
            "Generates a volume of which one plane is a real image of phases."
        )
        self.layer_choice = LayerChoice(
            self._viewer,
            "through_layer",
            "A 2-D Image or Labels layer of phases; it is centred in its plane.",
            is_flat_image,
        )
        self.axis = choice_box(
            "through_axis", AXES, "Axis across which the plane lies."
        )
        self.position = number_box(
            "through_position", 0, LAST, "Position of the plane along this axis."
        )
        # layout
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addRow(self.active)
        self._fields = QWidget()
        fields = QFormLayout(self._fields)
        fields.setContentsMargins(0, 0, 0, 0)
        fields.addRow("Image", self.layer_choice)
        fields.addRow("Plane", row(self.axis, self.position))
        layout.addRow(self._fields)
        # signals
        self.active.toggled.connect(self._fields.setVisible)
        self.position.setValue(MIDDLE)
        self._fields.setVisible(False)
        for changed in (
            self.active.toggled,
            self.layer_choice.currentIndexChanged,
            self.axis.currentIndexChanged,
            self.position.valueChanged,
        ):
            changed.connect(lambda value: self.value_changed.emit())

    def value(self) -> GivenSection | None:
        """The image and its plane.

        Raises
        ------
        ValueError
            If there is no image.
        """
        if not self.active.isChecked():
            return None
        layer = self.layer_choice.value()
        if layer is None:
            raise ValueError(
                "Expected a 2-D Image or Labels layer to pass through, got none; open "
                "an image."
            )
        source = shown_source(self._viewer, layer)
        axis = cast("Axis", self.axis.currentText())
        return GivenSection(source, axis, self.position.value())
