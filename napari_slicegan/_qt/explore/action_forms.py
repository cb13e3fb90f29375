"""Forms of the actions of the Explore panel: find directions, sweep, grade.

Each form has one magicgui widget per field of its request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from magicgui.widgets import CheckBox, ComboBox, Container, FloatSpinBox, SpinBox
from qtpy.QtWidgets import QFormLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_slicegan._qt.explore.direction_list import MAX_STRENGTH
from napari_slicegan._qt.explore.jobs import FitRequest, GradeRequest, SweepRequest
from napari_slicegan._qt.widgets.basics import button, row
from napari_slicegan._qt.widgets.small_plot import MEASURED, TARGET, SmallPlot
from napari_slicegan.config import AXES

if TYPE_CHECKING:
    from napari_slicegan.config import Axis
    from napari_slicegan.directions import Graded

DEFAULT_GUIDED = ("phase_fraction", "mean_gray")
PLOT_SIZE = (300, 180)

Request = TypeVar("Request")


class ActionForm(QWidget, Generic[Request]):
    """Edits a request: a dataclass with one widget per field.

    A container of check boxes edits a tuple of their names.

    Parameters
    ----------
    request
        Initial value.
    widgets
        Widgets by the names of the fields.
    buttons
        Buttons below; the first starts the action.
    """

    def __init__(
        self, request: Request, widgets: Sequence[Any], *buttons: QPushButton
    ) -> None:
        super().__init__()
        self.button = buttons[0]
        self.setObjectName(f"{self.button.objectName()}_form")
        self._type = type(request)
        # children
        self.fields: dict[str, Any] = {field.name: field for field in widgets}
        # layout
        # A form of Qt: the columns of a magicgui container are not aligned.
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for field in widgets:
            label = QLabel(field.label)
            for widget in (label, field.native):
                widget.setToolTip(field.tooltip or "")
            form.addRow(label, field.native)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addLayout(form)
        self._column.addLayout(row(*buttons))
        self.set_value(request)

    def value(self) -> Request:
        """The request as entered."""
        return self._type(
            **{
                field.name: tuple(box.name for box in field if box.value)
                if isinstance(field, Container)
                else field.value
                for field in self.fields.values()
            }
        )

    def set_value(self, request: Request) -> None:
        """Set all fields; a choice that is not offered is ignored."""
        for name, value in asdict(request).items():  # type: ignore[call-overload]
            field: Any = self.fields[name]
            if isinstance(field, Container):
                for box in field:
                    box.value = box.name in value
            elif not isinstance(field, ComboBox) or value in field.choices:
                field.value = value


def set_choices(box: ComboBox, choices: Sequence[Any]) -> None:
    """Offer new choices; the position of the chosen one is kept where possible."""
    chosen = box.choices.index(box.value) if box.value in box.choices else 0
    # magicgui would keep equal choices first and append the others.
    box.choices = ()
    box.choices = [*choices]
    if choices:
        box.value = box.choices[min(chosen, len(choices) - 1)]


class FitForm(ActionForm[FitRequest]):
    """Edits a `FitRequest`."""

    def __init__(self) -> None:
        self.guided: Container[CheckBox] = Container(
            name="guided", label="Target properties", labels=False
        )
        self.guided.margins = (0, 0, 0, 0)
        super().__init__(
            FitRequest(),
            [
                SpinBox(
                    name="n_components", label="Number of components", min=1, max=80
                ),
                ComboBox(
                    name="block",
                    label="Block",
                    tooltip="Generator block whose features are decomposed.",
                ),
                SpinBox(
                    name="n_samples",
                    label="Random samples",
                    min=2,
                    max=1_000_000,
                    tooltip="Random latents that the components are computed from.",
                ),
                self.guided,
                SpinBox(
                    name="n_guided",
                    label="Volumes to measure",
                    min=2,
                    max=100_000,
                    tooltip="Volumes that are measured for the guided directions.",
                ),
            ],
            button(
                "fit",
                "Find directions",
                "Fit directions and measure what each one changes.",
            ),
        )

    def set_choices(self, blocks: Sequence[str], titles: Mapping[str, str]) -> None:
        """Offer the blocks and properties of a new generator."""
        block: Any = self.fields["block"]
        set_choices(block, blocks)
        # As in the engine: components of the first block blur the structure.
        block.value = blocks[min(2, len(blocks) - 1)]
        self.guided.clear()
        for key, title in titles.items():
            self.guided.append(
                CheckBox(name=key, text=title, value=key in DEFAULT_GUIDED)
            )


class SweepForm(ActionForm[SweepRequest]):
    """Edits a `SweepRequest`."""

    def __init__(self) -> None:
        self.direction = ComboBox(name="name", label="Direction")
        self.save_button = button(
            "save_sweep",
            "Save sweep...",
            "Volumes as TIFF, properties as CSV or plot, or an animation.",
        )
        ends: dict[str, Any] = {"min": -MAX_STRENGTH, "max": MAX_STRENGTH, "step": 0.5}
        super().__init__(
            SweepRequest(""),
            [
                self.direction,
                FloatSpinBox(name="first", label="Strength from", **ends),
                FloatSpinBox(name="last", label="Strength to", **ends),
                SpinBox(name="n", label="Volumes", min=3, max=61),
            ],
            button("sweep", "Sweep", "Adds a layer with a slider for the strength."),
            self.save_button,
        )


class GradeForm(ActionForm[GradeRequest]):
    """Edits a `GradeRequest`; plots the target beside the measured property."""

    def __init__(self) -> None:
        self.direction = ComboBox(name="direction", label="By direction")
        self.measured = ComboBox(name="measured", label="Property")
        ends: dict[str, Any] = {"min": 0.0, "max": 1e4, "step": 0.001}
        super().__init__(
            GradeRequest("", ""),
            [
                self.measured,
                FloatSpinBox(name="first", label="From", **ends),
                FloatSpinBox(name="last", label="To", **ends),
                ComboBox(name="axis", label="Along", choices=AXES),
                SpinBox(
                    name="n_slabs",
                    label="Slabs",
                    min=2,
                    max=64,
                    tooltip="Slabs along the axis in which the property is measured.",
                ),
                self.direction,
            ],
            button(
                "grade",
                "Generate graded volume",
                "Varies the strength of the direction along the axis until the "
                "property follows the target.",
            ),
        )
        # children
        self.plot = SmallPlot(PLOT_SIZE, with_axes=True)
        self.words = QLabel()
        self.words.setWordWrap(True)
        # layout
        self._column.addWidget(self.plot)
        self._column.addWidget(self.words)
        self.show_graded(None)

    def set_properties(self, titles: Mapping[str, str]) -> None:
        """Offer properties: key -> title."""
        set_choices(self.measured, [(title, key) for key, title in titles.items()])

    def show_graded(
        self, graded: Graded | None, title: str = "", axis: Axis = "z"
    ) -> None:
        """Plot the result; None hides the plot.

        Parameters
        ----------
        title
            Of the property that varies along the axis.
        """
        self.plot.clear_points()
        for widget in (self.plot, self.words):
            widget.setVisible(graded is not None)
        if graded is None:
            return
        self.plot.set_titles(f"Position along {axis} (voxels)", title)
        self.plot.add_points(graded.positions, graded.asked, TARGET, dots=False)
        self.plot.add_points(graded.positions, graded.measured, MEASURED)
        self.words.setText(
            f"<span style='color: {TARGET}'>target</span>, "
            f"<span style='color: {MEASURED}'>measured</span> in each slab; "
            f"largest difference {graded.error:.2g}."
        )
