"""Forms of the actions of the Explore panel: find directions, sweep, grade."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_slicegan._qt.explore.direction_list import MAX_STRENGTH
from napari_slicegan._qt.explore.jobs import FitRequest, GradeRequest, Row, SweepRequest
from napari_slicegan._qt.widgets.basics import (
    button,
    decimal_box,
    number_box,
    row,
    set_row_visible,
)
from napari_slicegan._qt.widgets.config_form import (
    ChoiceEditor,
    FieldEditor,
    InputEditor,
)
from napari_slicegan._qt.widgets.small_plot import MEASURED, TARGET, SmallPlot
from napari_slicegan.config import AXES

if TYPE_CHECKING:
    from napari_slicegan.config import Axis
    from napari_slicegan.directions import Graded

DEFAULT_GUIDED = ("phase_fraction", "mean_gray")
PLOT_SIZE = (300, 180)
# Strengths at which a direction surely has an effect, and the volume is still typical.
PROPOSED = {"first": -1.5, "last": 1.5}

Request = TypeVar("Request")


class ActionForm(QWidget, Generic[Request]):
    """Edits a request: a dataclass with one input per field.

    Parameters
    ----------
    request
        Initial value.
    fields
        Label and input by the names of the fields, in order.
    buttons
        Buttons below; the first starts the action.
    """

    def __init__(
        self,
        request: Request,
        fields: Mapping[str, tuple[str, FieldEditor]],
        *buttons: QPushButton,
    ) -> None:
        super().__init__()
        self.button = buttons[0]
        self.setObjectName(f"{self.button.objectName()}_form")
        self._type = type(request)
        # children
        self.fields = {name: editor for name, (_, editor) in fields.items()}
        # layout
        self.rows = form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for title, editor in fields.values():
            label = QLabel(title)
            label.setToolTip(editor.toolTip())
            form.addRow(label, editor)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addLayout(form)
        self._column.addLayout(row(*buttons))
        self.set_value(request)

    def value(self) -> Request:
        """The request as entered."""
        return self._type(**{name: one.value() for name, one in self.fields.items()})

    def set_value(self, request: Request) -> None:
        """Set all fields; a choice that is not offered is ignored."""
        for name, value in asdict(request).items():  # type: ignore[call-overload]
            editor = self.fields[name]
            if not isinstance(editor, ChoiceEditor) or editor.box.findData(value) >= 0:
                editor.set_value(value)


class TicksEditor(FieldEditor):
    """Some of several names, each with a check box."""

    def __init__(self) -> None:
        # children
        self.boxes: dict[str, QCheckBox] = {}
        self._list = QWidget()
        # layout
        self._column = QVBoxLayout(self._list)
        self._column.setContentsMargins(0, 0, 0, 0)
        super().__init__(self._list)

    def set_choices(self, titles: Mapping[str, str], ticked: Collection[str]) -> None:
        """Offer other names: name -> text."""
        for box in self.boxes.values():
            self._column.removeWidget(box)
            box.deleteLater()
        self.boxes = {name: QCheckBox(text) for name, text in titles.items()}
        for name, box in self.boxes.items():
            box.setChecked(name in ticked)
            self._column.addWidget(box)

    def value(self) -> tuple[str, ...]:
        """The names that are ticked."""
        return tuple(name for name, box in self.boxes.items() if box.isChecked())

    def set_value(self, value: Collection[str]) -> None:
        """Tick these alone."""
        for name, box in self.boxes.items():
            box.setChecked(name in value)


def set_choices(editor: ChoiceEditor, choices: Mapping[str, str]) -> None:
    """Offer new choices, value -> text; the chosen position is kept where possible."""
    chosen = max(0, editor.box.currentIndex())
    editor.box.clear()
    for value, text in choices.items():
        editor.box.addItem(text, value)
    editor.box.setCurrentIndex(min(chosen, len(choices) - 1))


def _number(box: QSpinBox | QDoubleSpinBox) -> FieldEditor:
    return InputEditor(box, box.valueChanged, box.value, box.setValue)


def _whole(name: str, low: int, high: int, tip: str = "") -> FieldEditor:
    return _number(number_box(name, low, high, tip))


def _decimal(name: str, low: float, high: float, step: float) -> FieldEditor:
    return _number(decimal_box(name, low, high, low, step=step))


class FitForm(ActionForm[FitRequest]):
    """Edits a `FitRequest`."""

    def __init__(self) -> None:
        self.block = ChoiceEditor({})
        self.block.setToolTip("Generator block whose features are decomposed.")
        self.guided = TicksEditor()
        super().__init__(
            FitRequest(),
            {
                "n_components": ("Number of components", _whole("n_components", 1, 80)),
                "block": ("Block", self.block),
                "n_samples": (
                    "Random samples",
                    _whole(
                        "n_samples",
                        2,
                        1_000_000,
                        "Random latents that the components are computed from.",
                    ),
                ),
                "guided": ("Target properties", self.guided),
                "n_guided": (
                    "Samples to measure",
                    _whole(
                        "n_guided",
                        2,
                        100_000,
                        "Samples that are measured for the target properties.",
                    ),
                ),
            },
            button(
                "fit",
                "Find directions",
                "Fit directions and measure what each one changes.",
            ),
        )
        self._show_rows((), ())

    def set_choices(self, blocks: Sequence[str], titles: Mapping[str, str]) -> None:
        """Offer the blocks and properties of a new generator."""
        set_choices(self.block, {name: name for name in blocks})
        # As in the engine: components of the first block blur the structure.
        self.block.set_value(blocks[min(2, len(blocks) - 1)])
        self.guided.set_choices(titles, DEFAULT_GUIDED)
        self._show_rows(blocks, titles)

    def _show_rows(self, blocks: Collection[str], titles: Collection[str]) -> None:
        """Hide rows without a choice, as before a generator is loaded."""
        for name, choices in (("block", blocks), ("guided", titles)):
            set_row_visible(self.rows, self.fields[name], bool(choices))
        set_row_visible(self.rows, self.fields["n_guided"], bool(titles))


class SweepForm(ActionForm[SweepRequest]):
    """Edits a `SweepRequest`."""

    def __init__(self) -> None:
        self.direction = ChoiceEditor({})
        self.save_button = button(
            "save_sweep",
            "Save sweep...",
            "Volumes as TIFF, properties as CSV or plot, or an animation.",
        )
        ends = -MAX_STRENGTH, MAX_STRENGTH, 0.5
        super().__init__(
            SweepRequest(""),
            {
                "name": ("Direction", self.direction),
                "first": ("Strength from", _decimal("sweep_first", *ends)),
                "last": ("Strength to", _decimal("sweep_last", *ends)),
                "n": ("Steps", _whole("sweep_steps", 3, 61)),
            },
            button("sweep", "Sweep", "Adds a layer with a slider for the strength."),
            self.save_button,
        )


class GradeForm(ActionForm[GradeRequest]):
    """Edits a `GradeRequest`; plots the target beside the measured property."""

    def __init__(self) -> None:
        self.direction, self.measured = ChoiceEditor({}), ChoiceEditor({})
        self._rows: Sequence[Row] = ()
        ends = 0.0, 1e4, 0.001
        super().__init__(
            GradeRequest("", ""),
            {
                "direction": ("Direction", self.direction),
                "measured": ("Property", self.measured),
                "first": ("From", _decimal("grade_first", *ends)),
                "last": ("To", _decimal("grade_last", *ends)),
                "axis": ("Along", ChoiceEditor({axis: axis for axis in AXES})),
                "n_slabs": (
                    "Slabs",
                    _whole(
                        "n_slabs",
                        2,
                        64,
                        "Slabs along the axis in which the property is measured.",
                    ),
                ),
            },
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
        # signals
        self.direction.box.activated.connect(self._propose)
        self.show_graded(None)

    def propose(self, rows: Sequence[Row]) -> None:
        """Propose the property that a direction changes most, and reachable targets."""
        self._rows = rows
        self._propose(max(0, self.direction.box.currentIndex()))

    def _propose(self, number: int) -> None:
        if number >= len(self._rows):
            return
        row = self._rows[number]
        self.fields["measured"].set_value(row.measured)
        for name, strength in PROPOSED.items():
            value = np.interp(strength, row.strengths, row.values)
            # A chord of a phase that has vanished is none.
            if np.isfinite(value):
                self.fields[name].set_value(float(f"{value:.3g}"))

    def set_properties(self, titles: Mapping[str, str]) -> None:
        """Offer properties: key -> title."""
        set_choices(self.measured, titles)

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
