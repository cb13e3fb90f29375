"""Verdicts of a comparison as a table, and one of its curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyqtgraph
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_slicegan._qt.widgets.small_plot import ASKED, MARKER, MEASURED, SmallPlot

if TYPE_CHECKING:
    from napari_slicegan.metrics.comparison import Comparison, Row
    from napari_slicegan.reporting.proof import Proof

COLUMNS = ("Metric", "Verdict", "Real", "Generated", "Floors")
PLOT_SIZE = (320, 180)
BAND_OPACITY = 60


class MeasureTable(QWidget):
    """Shows a `Proof`: what each metric says, in words when it is clicked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("measure_table")
        self._proof: Proof | None = None
        self._curves: list[Row] = []
        self._band: pyqtgraph.FillBetweenItem | None = None
        # children
        self.table = _verdict_table()
        self.words = QLabel()
        self.words.setObjectName("verdict_words")
        self.words.setWordWrap(True)
        self.curve = QComboBox()
        self.curve.setObjectName("measured_curve")
        self.curve.setToolTip("Curve that is drawn, with one noise floor as a band.")
        self.plot = SmallPlot(PLOT_SIZE, with_axes=True)
        self.legend = QLabel(
            f'<span style="color:{MARKER}">real</span>, its noise floor; '
            f'<span style="color:{ASKED}">generated</span>; r in voxels'
        )
        self.checks = QLabel()
        self.checks.setObjectName("check_words")
        self.checks.setWordWrap(True)
        self.checks.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
        )
        # layout
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.table, self.words, self.curve, self.plot, self.legend):
            layout.addWidget(part)
        layout.addWidget(self.checks)
        # signals
        self.table.currentCellChanged.connect(lambda row, *_: self._tell(row))
        self.curve.currentIndexChanged.connect(self._draw)
        self.set_proof(None)

    def set_proof(self, proof: Proof | None) -> None:
        """Show what was found; None takes it away."""
        self._proof = proof
        self.setVisible(proof is not None)
        if proof is None:
            return
        self._fill(proof)
        self.checks.setText(
            "\n\n".join(f"{one.title} {one.verdict}" for one in proof.checks)
        )
        self._curves = curves_of(proof.comparison)
        self.curve.clear()
        self.curve.addItems([_name(row) for row in self._curves])
        for part in (self.curve, self.plot, self.legend):
            part.setVisible(bool(self._curves))

    def _fill(self, proof: Proof) -> None:
        metrics = proof.metrics
        self.table.setRowCount(len(metrics))
        for number, one in enumerate(metrics):
            floors = "-" if one.floors is None else f"{one.floors:.1f}"
            verdict = "not judged" if one.grade == "unknown" else one.grade
            texts = (one.title, verdict, one.real, one.generated, floors)
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setToolTip(f"{one.words} ({one.where})")
                self.table.setItem(number, column, item)
        rows = self.table.verticalHeader().length()
        self.table.setFixedHeight(rows + self.table.horizontalHeader().height() + 4)
        self.table.setCurrentCell(0, 0)
        self._tell(0)

    def _tell(self, number: int) -> None:
        """Verdict of a metric in words."""
        if self._proof is not None and 0 <= number < len(self._proof.metrics):
            one = self._proof.metrics[number]
            self.words.setText(f"{one.title}: {one.words} ({one.where})")

    def _draw(self, number: int) -> None:
        self.plot.clear_points()
        if self._band is not None:
            self.plot.getPlotItem().removeItem(self._band)
            self._band = None
        if not 0 <= number < len(self._curves):
            return
        row = self._curves[number]
        if isinstance(row.real, tuple):
            self._draw_band(row.real, row.noise_floor or 0.0)
            self.plot.add_points(range(len(row.real)), row.real, MARKER, dots=False)
        if isinstance(row.generated, tuple):
            curve = row.generated
            self.plot.add_points(range(len(curve)), curve, ASKED, dots=False)

    def _draw_band(self, curve: tuple[float, ...], floor: float) -> None:
        edges = [
            pyqtgraph.PlotDataItem(range(len(curve)), [v + shift for v in curve])
            for shift in (-floor, floor)
        ]
        colour = pyqtgraph.mkColor(MEASURED)
        colour.setAlpha(BAND_OPACITY)
        self._band = pyqtgraph.FillBetweenItem(*edges, brush=colour)
        self.plot.getPlotItem().addItem(self._band)


def _verdict_table() -> QTableWidget:
    """Empty table whose first column takes the room that is left."""
    table = QTableWidget(0, len(COLUMNS))
    table.setObjectName("verdicts")
    table.setHorizontalHeaderLabels(COLUMNS)
    table.verticalHeader().hide()
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    header = table.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    return table


def curves_of(comparison: Comparison) -> list[Row]:
    """Rows that are curves."""
    return [row for row in comparison.rows if isinstance(row.generated, tuple)]


def _name(row: Row) -> str:
    axis = f", along {row.axis}" if row.axis else ""
    phase = f"phase {row.phase}" if isinstance(row.phase, int) else row.phase
    return f"{row.title}, {phase}{axis}"
