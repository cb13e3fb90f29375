"""Pixel size and segmentation controls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_slicegan._qt.widgets.basics import DecimalBox, button, choice_box
from napari_slicegan._qt.widgets.config_form import (
    ChoiceEditor,
    FieldEditor,
    FieldRows,
    InputEditor,
    OptionalEditor,
)
from napari_slicegan.config import MicrographSettings, RunConfig
from napari_slicegan.config.images import METHODS_OF, OF_ONE_FILE, non_default

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_slicegan._qt.micrograph.image_source import Sources
    from napari_slicegan.config import Kind
    from napari_slicegan.data.data_bars import Crop
    from napari_slicegan.data.pixel_sizes import Edges

NM_PER_UNIT = {"nm": 1.0, "µm": 1e3, "mm": 1e6}
LARGEST = 1e9
# Settings with their own inputs in the panel.
ELSEWHERE = {"crop", "pixel_size_nm"}
# Settings of phases, whatever made them.
OF_PHASES = ("smallest_object", "smallest_hole")
WITHOUT_PHASES = ("grayscale", "colour")
SHOW_PHASES = "Show the phases that are trained on as a layer over the image."
NO_PHASES = "This image is learned without phases; choose a 'Segmentation' for them."
CHANNELS = ("auto", "luminance", "red", "green", "blue")


class SizeBox(DecimalBox):
    """A length; none when the text is deleted."""

    def __init__(self) -> None:
        super().__init__()
        self.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
        self.setRange(0, LARGEST)
        self.setSpecialValueText("not known")
        self.setKeyboardTracking(False)

    def fixup(self, text: str) -> str:
        """Take an empty text as zero, when editing ends."""
        number = text.removesuffix(self.suffix()).strip()
        return str(super().fixup(text)) if number else "0"


class PixelSizeEditor(FieldEditor):
    """Edits the pixel size; None until one is typed.

    A size found in the file is only displayed: the engine reads it from the file.
    """

    def __init__(self) -> None:
        self._typed = False
        self._found: float | None = None
        self._where = "file"
        # children
        self.box = SizeBox()
        self.unit = choice_box("pixel_size_unit", list(NM_PER_UNIT))
        self.origin = QLabel()
        # layout
        super().__init__(self.box, self.unit, self.origin)
        self.unit.setMinimumContentsLength(3)
        self.unit.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
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
        """Show a typed size in nanometres; None shows the size of the file."""
        self._typed = value is not None
        self._show(value)

    def set_found(self, size_nm: float | None, where: str = "file") -> None:
        """Show the size of the file, or of the layer, unless one is typed."""
        self._found, self._where = size_nm, where
        if not self._typed:
            self._show()

    def _show(self, size_nm: float | None = None) -> None:
        """Show a size in a readable unit."""
        size_nm = self._found if size_nm is None else size_nm
        blocked = self.box.blockSignals(True), self.unit.blockSignals(True)
        if size_nm is not None:
            units = [unit for unit, nm in NM_PER_UNIT.items() if size_nm >= nm]
            self.unit.setCurrentText(units[-1] if units else "nm")
        self.box.setValue((size_nm or 0) / NM_PER_UNIT[self.unit.currentText()])
        self.box.blockSignals(blocked[0])
        self.unit.blockSignals(blocked[1])
        self._show_origin()

    def _type(self) -> None:
        self._typed = self.box.value() > 0
        if self._typed:
            self._show_origin()
        else:
            self._show()
        self.value_changed.emit()

    def _change_unit(self) -> None:
        """Keep a typed number; convert a size from the file."""
        if self._typed:
            self.value_changed.emit()
        elif self._found is not None:
            blocked = self.box.blockSignals(True)
            self.box.setValue(self._found / NM_PER_UNIT[self.unit.currentText()])
            self.box.blockSignals(blocked)

    def _show_origin(self) -> None:
        found = f"from the {self._where}" if self._found is not None else ""
        self.origin.setText("typed" if self._typed else found)


class PlaneDistanceEditor(OptionalEditor):
    """Edits the distance of planes; unticked, it shows that of the file."""

    def __init__(self) -> None:
        self._box = box = SizeBox()
        box.setSuffix(" nm")
        super().__init__(InputEditor(box, box.valueChanged, box.value, box.setValue))

    def show_found(self, edges_nm: Edges | None) -> None:
        """Show what the file states; planes are a pixel apart where it states none."""
        if not self.tick.isChecked():
            with signals_blocked(self._box):
                self._box.setValue(
                    0 if edges_nm is None else (*edges_nm, edges_nm[0])[2]
                )


class SegmentationControls(QWidget):
    """Edits the micrograph settings except the pixel size."""

    value_changed = Signal()
    """An input has changed, also to one that is not allowed."""
    reading_changed = Signal()
    """Another channel or dataset of a file is chosen."""
    preview_toggled = Signal(bool)
    crop_requested = Signal()
    strokes_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._crop: Crop | Literal["auto"] | None = None
        # Kind of the images without a segmentation, as found in them.
        self._found: Kind | None = None
        # children
        fields = MicrographSettings.model_fields
        self.channel = ChoiceEditor({name: name for name in CHANNELS})
        self.dataset = ChoiceEditor(
            {"": "largest"}, lambda name: str(name) or "largest"
        )
        self.plane_distance = PlaneDistanceEditor()
        self.rows = FieldRows(
            {n: f for n, f in fields.items() if n not in ELSEWHERE},
            {
                "channel": self.channel,
                "dataset": self.dataset,
                "z_step_nm": self.plane_distance,
            },
        )
        self._offered = dict.fromkeys(OF_ONE_FILE, False)
        self._crop_text = QLabel()
        self._crop_text.setObjectName("crop_text")
        self._crop_text.setWordWrap(True)
        self._crop_text.setToolTip(f"<qt>{fields['crop'].description}</qt>")
        self.crop_button = button(
            "draw_crop", "Draw crop", "Draw a rectangle; only its pixels are used."
        )
        self.uncrop_button = button("whole_image", "Whole image")
        self.strokes_button = button(
            "paint_strokes",
            "Paint strokes",
            "Paint a few strokes in each phase, each phase with its own label; a "
            "classifier learns from them and segments the whole image.",
        )
        self.preview = QCheckBox("Show phases over the image")
        self.preview.setObjectName("show_phases")
        self.preview.setChecked(True)
        # layout
        crop = QHBoxLayout()
        crop.addWidget(self.crop_button)
        crop.addWidget(self.uncrop_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.rows)
        layout.addWidget(self.strokes_button)
        layout.addWidget(self._crop_text)
        layout.addLayout(crop)
        layout.addWidget(self.preview)
        self.set_value(MicrographSettings())
        # signals
        self.rows.value_changed.connect(self._changed)
        self.rows.typed.connect(self._check_again)
        for editor in (self.channel, self.dataset):
            editor.value_changed.connect(self.reading_changed)
        self.preview.toggled.connect(self.preview_toggled)
        self.crop_button.clicked.connect(lambda: self.crop_requested.emit())
        self.strokes_button.clicked.connect(lambda: self.strokes_requested.emit())
        self.uncrop_button.clicked.connect(lambda: self.set_crop(None))

    def value(self) -> MicrographSettings:
        """The settings as entered, without a pixel size.

        Raises
        ------
        ValueError
            If an input is not allowed; names the setting by its title.
        """
        entered: dict[str, Any] = {**self.rows.values(), "crop": self._crop}
        default = MicrographSettings()
        named = {
            name: value
            for name, value in entered.items()
            if value != getattr(default, name) and self._applies(name, entered)
        }
        return RunConfig().changed(**named).micrograph

    def _applies(self, name: str, entered: Mapping[str, Any]) -> bool:
        """Whether a setting belongs to the chosen method; the inputs keep others."""
        if name in OF_PHASES:
            return self._makes_phases(entered)
        switch, methods = METHODS_OF.get(name, ("", ()))
        return not switch or entered[switch] in methods

    def _makes_phases(self, entered: Mapping[str, Any]) -> bool:
        """Whether the images hold phases, as far as that is known."""
        kind = self._found if entered["kind"] == "auto" else entered["kind"]
        return entered["segmentation"] != "none" or kind not in WITHOUT_PHASES

    def set_found(self, kind: Kind) -> None:
        """Set what the images were found to be, without a segmentation."""
        if kind == self._found:
            return
        before = self._makes_phases(self.rows.values())
        self._found = kind
        self._show()
        entered = self.rows.values()
        if before != self._makes_phases(entered) and any(map(entered.get, OF_PHASES)):
            # The images are to be prepared with these settings, or without them.
            self.value_changed.emit()

    def set_value(self, settings: MicrographSettings) -> None:
        """Show settings; those that apply only to some files apply to the next one."""
        self.rows.set_values(dict(settings))
        self._crop = settings.crop
        self._offered |= dict.fromkeys(non_default(settings) & set(OF_ONE_FILE), True)
        self._show()

    def set_has_image(self, has_image: bool) -> None:
        """Whether there is an image to draw on."""
        self.crop_button.setEnabled(has_image)
        self.strokes_button.setEnabled(has_image)

    def offer(self, sources: Sources) -> None:
        """Show the settings that apply to these images; reset the others."""
        given = [source for of_axis in sources.values() for source in of_axis]
        channels = [n for source in given for n in source.channels]
        datasets = [n for source in given for n in source.datasets]
        is_colour = any(source.is_colour for source in given)
        is_raw = any(source.is_raw for source in given)
        for editor, names in ((self.channel, channels), (self.dataset, datasets)):
            with signals_blocked(editor):
                for name in names:
                    if editor.box.findData(name) < 0:
                        editor.box.addItem(name, name)
        volumes = [source for source in given if source.is_volume]
        if volumes:
            self.plane_distance.show_found(volumes[0].edges_nm)
        self._offer(
            channel=bool(channels) or is_colour,
            dataset=bool(datasets),
            z_step_nm=bool(volumes),
            raw_shape=is_raw,
            raw_type=is_raw,
        )

    def offer_raw(self) -> None:
        """Show the settings of files without a header."""
        self._offer(raw_shape=True, raw_type=True)

    def show_read(self, settings: MicrographSettings) -> None:
        """Show the settings that files were read with."""
        for name in OF_ONE_FILE:
            with signals_blocked(self.rows.editors[name]):
                self.rows.editors[name].set_value(getattr(settings, name))
        is_raw = bool(settings.raw_shape)
        self._offer(raw_shape=is_raw, raw_type=is_raw)

    def _offer(self, **offered: bool) -> None:
        """Show settings, or hide and reset them: a hidden one must not count."""
        default = MicrographSettings()
        for name, is_offered in offered.items():
            if not is_offered:
                with signals_blocked(self.rows.editors[name]):
                    self.rows.editors[name].set_value(getattr(default, name))
        self._offered |= offered
        self._show()

    def set_classifier(self, path: str) -> None:
        """Use a classifier of pixels."""
        self.rows.editors["classifier"].set_value(path)
        self._changed()

    def set_rescale(self, factor: float) -> None:
        """Rescale the images."""
        self.rows.editors["rescale"].set_value(factor)

    def crop(self) -> Crop | Literal["auto"] | None:
        """The crop; None for the whole image."""
        return self._crop

    def set_crop(self, crop: Crop | Literal["auto"] | None) -> None:
        """Set the crop: first row, row after the last, then columns."""
        if crop != self._crop:
            self._crop = crop
            self._changed()

    def _changed(self) -> None:
        self._show()
        self.value_changed.emit()

    def _check_again(self) -> None:
        """While something is typed, a fault is gone as soon as it is corrected."""
        if self.rows.message.text():
            self._changed()

    def _show(self) -> None:
        """Hide settings that do not apply, and report one that is not allowed."""
        self.rows.show_fault("")
        try:
            self.value()
        except ValueError as error:
            self.rows.show_fault(str(error))
        entered = self.rows.values()
        for name in {*METHODS_OF, *OF_PHASES} & self.rows.editors.keys():
            self.rows.set_row_visible(name, self._applies(name, entered))
        for name, is_offered in self._offered.items():
            self.rows.set_row_visible(name, is_offered)
        self.strokes_button.setVisible(entered["segmentation"] == "classifier")
        makes_phases = self._makes_phases(entered)
        self.preview.setEnabled(makes_phases)
        self.preview.setToolTip(
            f"<qt>{SHOW_PHASES if makes_phases else NO_PHASES}</qt>"
        )
        self.uncrop_button.setEnabled(self._crop is not None)
        # Without a crop it would take a line of a panel that fills a small screen.
        self._crop_text.setVisible(self._crop is not None)
        if self._crop == "auto":
            self._crop_text.setText("Data bars and empty borders are left out.")
        elif self._crop is not None:
            top, bottom, left, right = self._crop
            self._crop_text.setText(
                f"Used: rows {top} to {bottom}, columns {left} to {right}"
            )
