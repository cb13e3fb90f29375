"""Facts of the images: size, pixel size, kind, phases, warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QPixmap
from qtpy.QtWidgets import QFormLayout, QGridLayout, QLabel, QVBoxLayout, QWidget

from napari_slicegan._qt.micrograph.controls import PixelSizeEditor
from napari_slicegan._qt.viewer.layer_picture import phase_colours
from napari_slicegan._qt.widgets.basics import MessageLine, breakable, button, row
from napari_slicegan.config import MicrographSettings
from napari_slicegan.metrics.image_checks import interval_words

if TYPE_CHECKING:
    from napari_slicegan._qt.micrograph.image_source import PreparedImages
    from napari_slicegan.data.micrograph import Micrograph

# Edge of the colour of a phase, of the height of a line.
SWATCH = 0.8
NM_PER_UM = 1000
KINDS = {
    "phases": "{n} phases",
    "grayscale": "Grayscale, not segmented",
    "colour": "Colour, not segmented",
}


class ImageFacts(QWidget):
    """Table of image facts; the pixel size can be edited."""

    pixel_size_changed = Signal()
    crop_accepted = Signal(object)
    """The crop that leaves out data bars and empty borders: "auto"."""
    rescale_accepted = Signal(float)
    """The advised factor."""

    def __init__(self) -> None:
        super().__init__()
        # children
        self._size = QLabel("-")
        self._size.setObjectName("image_size")
        self._size.setWordWrap(True)
        self._kind = QLabel("-")
        for label in (self._size, self._kind):
            label.setTextFormat(Qt.TextFormat.PlainText)
        self._kind.setObjectName("image_kind")
        self._kind.setWordWrap(True)
        self.pixel_size = PixelSizeEditor()
        self.pixel_size.main.setObjectName("pixel_size_nm")
        size = MicrographSettings.model_fields["pixel_size_nm"]
        self.pixel_size.setToolTip(f"<qt>{size.description}</qt>")
        self._phases = QWidget()
        self._phases.setObjectName("phases")
        self.notes = QLabel()
        self.notes.setObjectName("image_notes")
        self.notes.setWordWrap(True)
        self.notes.setTextFormat(Qt.TextFormat.PlainText)
        self.notes.hide()
        self.warnings = MessageLine("image_warnings")
        self.accept_crop = button(
            "accept_crop",
            "Crop to the material",
            "Use only the rows and columns of the material, without data bar or empty "
            "border.",
        )
        self.apply_rescale = button(
            "apply_rescale", "", "Rescale the image as advised above."
        )
        self._advised = 1.0
        # layout
        rows = QFormLayout()
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addRow("Size", self._size)
        rows.addRow(str(size.title), self.pixel_size)
        rows.addRow("Kind", self._kind)
        self._table = QGridLayout(self._phases)
        self._table.setContentsMargins(0, 0, 0, 0)
        self._table.setVerticalSpacing(2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(rows)
        layout.addWidget(self._phases)
        layout.addWidget(self.notes)
        layout.addWidget(self.warnings)
        layout.addLayout(row(self.accept_crop, self.apply_rescale))
        # signals
        self.accept_crop.clicked.connect(lambda: self.crop_accepted.emit("auto"))
        self.apply_rescale.clicked.connect(
            lambda: self.rescale_accepted.emit(self._advised)
        )
        self.pixel_size.value_changed.connect(self.pixel_size_changed)
        self.show_facts(None)

    def show_facts(
        self,
        prepared: PreparedImages | None,
        colours: Mapping[int, Sequence[float]] = MappingProxyType({}),
    ) -> None:
        """Show the facts of prepared images; None clears them.

        Parameters
        ----------
        colours
            Of the phases, as the canvas shows them.
        """
        self._clear_table()
        self.warnings.clear()
        self.accept_crop.setVisible(prepared is not None and prepared.has_suggestion)
        advised = None if prepared is None else prepared.advised_rescale
        self.apply_rescale.setVisible(advised is not None)
        if advised is not None:
            self._advised = advised
            self.apply_rescale.setText(f"Apply rescale factor {advised:g}")
        notes = "" if prepared is None else _as_list(prepared.notes)
        self.notes.setText(breakable(notes))
        self.notes.setVisible(bool(self.notes.text()))
        if prepared is None:
            self._size.setText("-")
            self._kind.setText("-")
            self.pixel_size.set_found(None)
            return
        images = prepared.images
        rescaled = ""
        if prepared.settings.rescale != 1:
            edge = images.pixel_size_nm
            pixels = "" if edge is None else f", pixels of {edge:.3g} nm"
            rescaled = f" (rescaled{pixels})"
        sizes = dict.fromkeys(f"{_size_of(image)}{rescaled}" for image in images)
        self._size.setText("\n".join(sizes))
        n = len(images.labels) if images.kind == "phases" else 0
        reasons = dict.fromkeys(image.facts.reason for image in images)
        self._kind.setText(
            f"{KINDS[images.kind].format(n=n)} ({', '.join(filter(None, reasons))})"
        )
        if prepared.settings.pixel_size_nm is None:
            size = images.pixel_size_nm
            scale = prepared.settings.rescale
            where = "layer" if images.views["z"][0].facts.size_source == "layer" else ""
            found = None if size is None else size * scale
            self.pixel_size.set_found(found, where or "file")
        if n:
            self._fill_table(prepared, colours)
        if prepared.warnings:
            self.warnings.show_warning(_as_list(prepared.warnings))

    def show_busy(self, text: str) -> None:
        """Show what is being done in place of the facts, until there are new ones."""
        self.show_facts(None)
        self._kind.setText(text)

    def _fill_table(
        self, prepared: PreparedImages, shown: Mapping[int, Sequence[float]]
    ) -> None:
        """A row for each phase: colour, value, fraction in each view."""
        views = prepared.fractions
        heads = [f"Seen along {axis}" for axis in views] if len(views) > 1 else []
        for column, text in enumerate(["", "Value", *(heads or ["Fraction"])]):
            self._table.addWidget(QLabel(text), 0, column)
        colours = phase_colours(prepared.images.labels, prepared.images.colours)
        self._kind.ensurePolished()
        edge = round(SWATCH * self._kind.fontMetrics().height())
        for line, (label, known) in enumerate(colours.items(), start=1):
            colour = shown.get(label, known)
            swatch = QLabel()
            pixmap = QPixmap(edge, edge)
            pixmap.fill(QColor.fromRgbF(*colour))
            swatch.setPixmap(pixmap)
            self._table.addWidget(swatch, line, 0)
            self._table.addWidget(QLabel(str(label)), line, 1)
            for column, of_axis in enumerate(views.values(), start=2):
                value, half = of_axis[label]
                cell = QLabel(f"{value:.3f} {interval_words(value, half)}")
                cell.setObjectName(f"fraction_{label}_{column - 2}")
                cell.setToolTip(
                    "<qt>Area fraction, with the 95 % confidence interval of the "
                    "material's volume fraction for an image of this size.</qt>"
                )
                self._table.addWidget(cell, line, column)
        self._table.setColumnStretch(self._table.columnCount(), 1)
        self._table.setAlignment(Qt.AlignmentFlag.AlignLeft)

    def _clear_table(self) -> None:
        while self._table.count():
            item = self._table.takeAt(0)
            widget = None if item is None else item.widget()
            if widget is not None:
                widget.setParent(None)
                widget.deleteLater()


def _as_list(sentences: Sequence[str]) -> str:
    """Sentences that can be told apart: with bullets if there are several."""
    bullet = "\N{BULLET} " if len(sentences) > 1 else ""
    return "\n".join(f"{bullet}{sentence}" for sentence in sentences)


def _size_of(image: Micrograph) -> str:
    """Size in pixels, and in physical units if known."""
    shape = image.values.shape[: 3 if image.is_volume else 2]
    text = " x ".join(map(str, shape)) + " pixels"
    if image.pixel_size_nm is None:
        return text
    steps = (image.z_step, 1.0, 1.0)[-len(shape) :]
    edges = [
        n * step * image.pixel_size_nm for n, step in zip(shape, steps, strict=True)
    ]
    scale, unit = (NM_PER_UM, "µm") if max(edges) >= NM_PER_UM else (1, "nm")
    return f"{text}, {' x '.join(f'{edge / scale:.4g}' for edge in edges)} {unit}"
