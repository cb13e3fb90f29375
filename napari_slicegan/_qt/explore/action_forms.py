"""Forms of the actions of the Explore panel: find directions, sweep, grade.

Each form is a magicgui container with one widget per field of its request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from magicgui.widgets import CheckBox, ComboBox, Container, FloatSpinBox, SpinBox
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_slicegan._qt.explore.direction_list import MAX_STRENGTH
from napari_slicegan._qt.explore.jobs import FitRequest, GradeRequest, SweepRequest
from napari_slicegan._qt.widgets.basics import button, row
from napari_slicegan._qt.widgets.small_plot import MEASURED, TARGET, SmallPlot
from napari_slicegan.config import AXES

if TYPE_CHECKING:
    from napari_slicegan.directions import Graded

DEFAULT_GUIDED = ("phase_fraction", "mean_gray")
PLOT_SIZE = (300, 120)

Request = TypeVar("Request")


class ActionForm(QWidget, Generic[Request]):
    """Edits a request: a dataclass with one widget per field.

    Parameters
    ----------
    request
        Initial value.
    widgets
        Widgets by the names of the fields.
    """

    submitted = Signal()

    def __init__(
        self,
        request: Request,
        widgets: Sequence[Any],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._type = type(request)
        # children
        self.fields: Container[Any] = Container()
        # One by one: then magicgui aligns the labels.
        self.fields.extend(widgets)
        # layout
        self.fields.margins = (0, 0, 0, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.fields.native)
        self.set_value(request)

    def value(self) -> Request:
        """The request as entered."""
        return self._type(**self.fields.asdict())

    def set_value(self, request: Request) -> None:
        """Set all fields; a choice that is not offered is ignored."""
        for name, value in asdict(request).items():  # type: ignore[call-overload]
            field: Any = self.fields[name]
            if not isinstance(field, ComboBox) or value in field.choices:
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

    def __init__(self, parent: QWidget | None = None) -> None:
        self.guided: Container[CheckBox] = Container(label="Guided by", labels=False)
        self.guided.margins = (0, 0, 0, 0)
        super().__init__(
            FitRequest(),
            [
                SpinBox(name="n_components", label="Components", min=1, max=80),
                ComboBox(
                    name="block",
                    label="of the block",
                    tooltip="Generator block whose features are decomposed.",
                ),
                SpinBox(
                    name="n_samples",
                    label="from samples",
                    min=2,
                    max=1_000_000,
                    tooltip="Random latents that the components are computed from.",
                ),
                self.guided,
                SpinBox(
                    name="n_guided",
                    label="from volumes",
                    min=2,
                    max=100_000,
                    tooltip="Volumes that are measured for the guided directions.",
                ),
            ],
            parent,
        )
        self.setObjectName("fit_form")
        # children
        self.fit_button = button(
            "fit", "Find directions", "Fit directions and measure their effects."
        )
        # layout
        self.layout().addWidget(self.fit_button)  # type: ignore[union-attr]
        # signals
        self.fit_button.clicked.connect(lambda checked: self.submitted.emit())

    def value(self) -> FitRequest:
        """The request as entered."""
        fields: dict[str, Any] = {
            **self.fields.asdict(),
            "guided": tuple(box.name for box in self.guided if box.value),
        }
        return FitRequest(**fields)

    def set_value(self, request: FitRequest) -> None:
        """Set all fields; a choice that is not offered is ignored."""
        block: Any = self.fields["block"]
        if request.block in block.choices:
            block.value = request.block
        for name in ("n_components", "n_samples", "n_guided"):
            field: Any = self.fields[name]
            field.value = getattr(request, name)
        for box in self.guided:
            box.value = box.name in request.guided

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

    save_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        self.direction = ComboBox(name="name", label="Direction")
        ends: dict[str, Any] = {"min": -MAX_STRENGTH, "max": MAX_STRENGTH, "step": 0.5}
        super().__init__(
            SweepRequest(""),
            [
                self.direction,
                FloatSpinBox(name="first", label="Strength from", **ends),
                FloatSpinBox(name="last", label="to", **ends),
                SpinBox(name="n", label="Volumes", min=3, max=61),
            ],
            parent,
        )
        self.setObjectName("sweep_form")
        # children
        self.sweep_button = button(
            "sweep", "Sweep", "Adds a layer with a slider for the strength."
        )
        self.save_button = button(
            "save_sweep",
            "Save sweep...",
            "Volumes as TIFF, properties as CSV or plot, or an animation.",
        )
        # layout
        buttons = row(self.sweep_button, self.save_button)
        self.layout().addLayout(buttons)  # type: ignore[union-attr]
        # signals
        self.sweep_button.clicked.connect(lambda checked: self.submitted.emit())
        self.save_button.clicked.connect(lambda checked: self.save_requested.emit())

    def set_names(self, names: Sequence[str]) -> None:
        """Offer directions; the position of the choice is kept."""
        set_choices(self.direction, names)


class GradeForm(ActionForm[GradeRequest]):
    """Edits a `GradeRequest`; plots the target beside the measured property."""

    def __init__(self, parent: QWidget | None = None) -> None:
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
            parent,
        )
        self.setObjectName("grade_form")
        # children
        self.grade_button = button(
            "grade",
            "Generate graded volume",
            "Varies the strength of the direction along the axis until the property "
            "follows the target.",
        )
        self.plot = SmallPlot(PLOT_SIZE, with_axes=True)
        self.words = QLabel()
        self.words.setWordWrap(True)
        # layout
        for part in (self.grade_button, self.plot, self.words):
            self.layout().addWidget(part)  # type: ignore[union-attr]
        self.show_graded(None)
        # signals
        self.grade_button.clicked.connect(lambda checked: self.submitted.emit())

    def set_names(self, names: Sequence[str]) -> None:
        """Offer directions; the position of the choice is kept."""
        set_choices(self.direction, names)

    def set_properties(self, titles: Mapping[str, str]) -> None:
        """Offer properties: key -> title."""
        set_choices(self.measured, [(title, key) for key, title in titles.items()])

    def show_graded(self, graded: Graded | None) -> None:
        """Plot the result; None hides the plot."""
        self.plot.clear_points()
        for widget in (self.plot, self.words):
            widget.setVisible(graded is not None)
        if graded is None:
            return
        self.plot.add_points(graded.positions, graded.asked, TARGET, dots=False)
        self.plot.add_points(graded.positions, graded.measured, MEASURED)
        self.words.setText(
            f"<span style='color: {TARGET}'>target</span>, "
            f"<span style='color: {MEASURED}'>measured</span> in each slab; "
            f"largest difference {graded.error:.2g}."
        )
