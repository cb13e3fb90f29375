"""Measure panel: compares a generated volume with real material."""

from __future__ import annotations

import html
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QFormLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_slicegan._qt.jobs import sentence_of
from napari_slicegan._qt.viewer import layer_inputs
from napari_slicegan._qt.viewer.layer_choice import LayerChoice
from napari_slicegan._qt.viewer.layer_picture import LABELS, is_volume_layer
from napari_slicegan._qt.viewer.layers import (
    OWN,
    PHASES,
    key_of,
    siblings_of,
    unwrapped,
)
from napari_slicegan._qt.widgets.basics import (
    LinkLabel,
    MessageLine,
    breakable,
    button,
    choice_box,
    row,
    swatch,
)
from napari_slicegan._qt.widgets.floor_chart import FloorChart, shown_floors
from napari_slicegan._qt.widgets.progress import TaskPanel
from napari_slicegan._qt.widgets.small_plot import (
    LINES,
    MARKER,
    MEASURED,
    TARGET,
    SmallPlot,
)
from napari_slicegan.config import AXES, MicrographSettings
from napari_slicegan.data.image_files import SourceImage
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.pixel_sizes import SIZE_TOLERANCE
from napari_slicegan.volumes.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from napari.layers import Layer
    from napari.utils.events import Event
    from napari.viewer import Viewer

    from napari_slicegan._qt.worker import SteeredWorker
    from napari_slicegan.config import Axis
    from napari_slicegan.metrics.comparison import Row
    from napari_slicegan.metrics.judgement import Grade
    from napari_slicegan.report.physics import Physics
    from napari_slicegan.report.proof import Proof
    from napari_slicegan.report.text import MetricVerdict
    from napari_slicegan.runtime.progress import Progress

    Views = Mapping[Axis, Sequence[SourceImage]]

SMALLEST_FACTOR = 0.05


def measure(
    real: SourceImage | Views,
    generated: SourceImage,
    diffusivity: bool = False,
    permeability: tuple[int, ...] = (),
    others: Sequence[SourceImage] = (),
    *,
    progress: Progress,
) -> Proof:
    """Compare an image or volume of the real material with a generated volume.

    A real image with smaller pixels is rescaled, as it was for the training.

    Parameters
    ----------
    real
        An image or a volume; of an anisotropic material its images by viewing
        direction.
    diffusivity, permeability
        Transport properties to solve for, too; see `PhysicsSettings`.
    others
        Further volumes of the generator, for the transport properties.

    Raises
    ------
    ValueError
        If they cannot be compared.
    """
    from napari_slicegan.data.training_images import TrainingImages
    from napari_slicegan.report.proof import ProofSettings, examine

    volume = _volume(generated)
    if isinstance(real, SourceImage):
        images = TrainingImages.isotropic(_micrograph(real, volume))
    else:
        of_axis = {
            axis: [_micrograph(one, volume) for one in real[axis]] for axis in AXES
        }
        images = TrainingImages.anisotropic(of_axis["z"], of_axis["y"], of_axis["x"])
    wanted = ProofSettings(transport=diffusivity, permeability=permeability)
    further = [] if wanted.physics(volume.kind).is_empty else map(_volume, others)
    return examine(images, volume, wanted, progress, [*further])


def _micrograph(source: SourceImage, volume: Volume) -> Micrograph:
    """An image, rescaled to the voxels of a volume if its pixels are smaller."""
    source = source.with_header()
    settings = MicrographSettings()
    if source.pixel_size_nm and volume.voxel_size_nm:
        factor = source.pixel_size_nm / volume.voxel_size_nm
        if SMALLEST_FACTOR <= factor < 1 - SIZE_TOLERANCE:
            settings = MicrographSettings(rescale=factor)
    return Micrograph.of(source, settings)


def _volume(source: SourceImage) -> Volume:
    """The volume of a layer, with cubic voxels."""
    source = source.with_header()
    values: Any = np.asarray(source.values)
    volume = Volume.from_array(values, "auto", source.pixel_size_nm)
    return volume if source.edges_nm is None else volume.cubic(source.edges_nm)


def export(
    proof: Proof, real: str, generated: str, path: Path, progress: Progress
) -> list[Path]:
    """Save results as a page (``.html``) or as numbers (``.csv``); the files.

    Parameters
    ----------
    real, generated
        Names of the measured layers.

    Raises
    ------
    ValueError
        If the suffix is another one.
    """
    from napari_slicegan.report.page import write_report
    from napari_slicegan.report.provenance import provenance_of_layers
    from napari_slicegan.report.text import write_csv

    progress(0.0)
    if path.suffix.lower() == ".csv":
        write_csv(proof.comparison, path)
    else:
        write_report(proof, provenance_of_layers(real, generated, proof.volume), path)
    return exported_files(path)


def exported_files(path: Path) -> list[Path]:
    """Files that `export` writes: a page has its numbers beside it."""
    return (
        [path] if path.suffix.lower() == ".csv" else [path, path.with_suffix(".json")]
    )


COLUMNS = (
    "Metric",
    "Verdict",
    "Real",
    "Generated",
    # Of two lines: there is room for a narrow column each.
    "\N{MULTIPLICATION SIGN} noise\nfloor",
    "Gaussian\nfield",
)
HEADER_TIPS = {
    COLUMNS[-2]: "Distance in multiples of the noise floor.",
    COLUMNS[-1]: "Distance of a random field with the same phase fractions and "
    "two-point correlation, which needs no training.",
}
PLOT_SIZE = (320, 180)
LONGER = "Next: <a href='train'>train longer</a>, then generate and measure again"
NEXT_STEPS: Mapping[Grade, str] = {
    "close": f"{LONGER}.",
    "differs": f"{LONGER}. Check also that both layers are of the same material and "
    "have the right pixel size.",
    "unknown": "Next: compare with a larger real image.",
}
"""What to do after a verdict."""


class MeasureTable(QWidget):
    """Shows a `Proof`: verdict per metric, with an explanation of the selected one."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("measure_table")
        self._proof: Proof | None = None
        self._curves: list[Row] = []
        self._fitting = QTimer(self)
        self._fitting.setSingleShot(True)
        self._fitting.setInterval(0)
        # children
        self.headline = QLabel()
        self.headline.setObjectName("verdict")
        self.headline.setWordWrap(True)
        self.next = LinkLabel()
        self.next.setObjectName("next_step")
        self.chart = FloorChart(
            "<qt>Click a bar to explain it and to see its curve. Green "
            "agrees, up to one noise floor; blue is close, up to three; orange "
            "differs.</qt>"
        )
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setObjectName("verdicts")
        self.table.setHorizontalHeaderLabels(COLUMNS)
        for column, tip in HEADER_TIPS.items():
            head = self.table.horizontalHeaderItem(COLUMNS.index(column))
            if head is not None:
                head.setToolTip(f"<qt>{tip}</qt>")
        self.table.verticalHeader().hide()
        self.table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        rows = self.table.verticalHeader()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.words = QLabel()
        self.words.setObjectName("verdict_words")
        self.words.setWordWrap(True)
        self.curve = choice_box(
            "measured_curve", tip="Plotted curve; the band is one noise floor."
        )
        self.plot = SmallPlot(PLOT_SIZE, "r (voxels)", with_axes=True)
        self.legend = QLabel(
            f"{swatch('real, its noise floor as a band', MARKER, LINES[False])}; "
            f"{swatch('generated (dashed)', TARGET, LINES[True])}"
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
        for above in (self.headline, self.next, self.chart, self.words):
            layout.addWidget(above)
        # Above the long table, in sight of the chart.
        layout.addLayout(row("Curve", self.curve))
        for below in (self.plot, self.legend, self.table, self.checks):
            layout.addWidget(below)
        # signals
        # Not at once: meanwhile the header has its former length.
        rows.sectionResized.connect(lambda *_: self._fitting.start())
        self._fitting.timeout.connect(self._fit_height)
        self.chart.clicked.connect(lambda number: self.table.setCurrentCell(number, 0))
        self.table.currentCellChanged.connect(lambda row, *_: self._explain(row))
        self.curve.currentIndexChanged.connect(self._draw)
        self.set_proof(None)

    def set_proof(self, proof: Proof | None) -> None:
        """Show results; None hides the table."""
        self._proof = proof
        self.setVisible(proof is not None)
        if proof is None:
            return
        judged = proof.verdict
        self.headline.setText(f"{judged.headline}: {judged.bound}.")
        step = NEXT_STEPS.get(judged.grade, "")
        self.next.set_links(step)
        self.next.setVisible(bool(step))
        checks = [f"{one.title} {one.verdict}" for one in proof.checks]
        notes = proof.comparison.note, proof.baseline_sentence
        transport = "" if proof.physics is None else transport_words(proof.physics)
        self.checks.setText("\n\n".join(filter(None, [*notes, *checks, transport])))
        self._curves = [
            row for row in proof.comparison.rows if isinstance(row.generated, tuple)
        ]
        self.curve.clear()
        self.curve.addItems([_name(row) for row in self._curves])
        for part in (self.curve, self.plot, self.legend):
            part.setVisible(bool(self._curves))
        self._fill(proof)

    def _fill(self, proof: Proof) -> None:
        metrics, baseline = proof.metrics, proof.baseline_metrics
        self.table.setColumnHidden(len(COLUMNS) - 1, not baseline)
        self.chart.set_metrics(metrics)
        self.table.setRowCount(len(metrics))
        for number, one in enumerate(metrics):
            floors = "-" if one.floors is None else shown_floors(one.floors)
            verdict = "not judged" if one.grade == "unknown" else one.grade
            other = baseline.get(one.metric)
            without = "-"
            if other is not None and other.floors is not None:
                without = shown_floors(other.floors)
            texts = (one.title, verdict, one.real, one.generated, floors, without)
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setToolTip(f"{one.words} ({one.where})")
                self.table.setItem(number, column, item)
        self._fit_height()
        first = self.chart.largest() or 0
        curved = [one for one in metrics if one.generated == "curve"]
        if curved:
            # At first what differs most.
            self._show_curve(max(curved, key=lambda one: one.floors or 0.0))
        self.table.setCurrentCell(first, 0)
        self._explain(first)

    def _fit_height(self) -> None:
        """Show all rows, whose titles take one line or more."""
        rows = self.table.verticalHeader().length()
        head = self.table.horizontalHeader().sizeHint().height()
        self.table.setFixedHeight(rows + head + 2 * self.table.frameWidth())

    def _explain(self, number: int) -> None:
        """Explain the verdict of a metric and plot it if it is a curve."""
        if self._proof is not None and 0 <= number < len(self._proof.metrics):
            one = self._proof.metrics[number]
            self.words.setText(f"{one.title}: {one.words} ({one.where})")
            self._show_curve(one)

    def _show_curve(self, one: MetricVerdict) -> None:
        """Plot the curve of a metric; of a number there is none, and the plot stays."""
        curve = self.curve.findText(f"{one.title}, {one.where}")
        if curve >= 0:
            self.curve.setCurrentIndex(curve)

    def _draw(self, number: int) -> None:
        self.plot.clear_points()
        if not 0 <= number < len(self._curves):
            return
        real, generated = self._curves[number].real, self._curves[number].generated
        if isinstance(real, tuple):
            self.plot.add_band(real, self._curves[number].noise_floor or 0.0, MEASURED)
            self.plot.add_points(range(len(real)), real, MARKER, dots=False)
        if isinstance(generated, tuple):
            self.plot.add_points(
                range(len(generated)), generated, TARGET, dots=False, dashed=True
            )


def transport_words(physics: Physics) -> str:
    """Means of the generated and the real blocks, a line each; what they are."""
    from napari_slicegan.report.text import phase_name

    lines = []
    for one in physics.rows:
        phase = "composite" if one.phase is None else phase_name(one.phase)
        real = "" if one.real is None else f" (real: {one.real.text})"
        place = f"{one.title}, {phase}, along {one.axis}"
        between = ""
        if one.between_volumes is not None:
            between = f", between volumes {one.between_volumes:.2g}"
        lines.append(f"{place}: {one.generated.text}{between}{real}")
    return "\n".join([*lines, physics.caption])


def labels_in(text: str) -> tuple[int, ...]:
    """Labels of phases in a text, separated by commas or spaces.

    Raises
    ------
    ValueError
        If one is no whole number.
    """
    words = text.replace(",", " ").split()
    try:
        return tuple(map(int, words))
    except ValueError:
        raise ValueError(
            f"Expected labels of phases for the permeability, such as 0, got '{text}'; "
            "enter whole numbers, or nothing."
        ) from None


def _name(row: Row) -> str:
    """Title, phase and axis, as the verdicts have them."""
    from napari_slicegan.report.text import phase_name

    axis = f", along {row.axis}" if row.axis else ""
    return f"{row.title}, {phase_name(row.phase)}{axis}"


HINT = (
    "Choose the real material, an image or a volume, and the volume to compare with "
    "it; generate one in the Volume tab, or open a file in napari."
)
READY = (
    "'Measure' compares statistics of both, such as phase fractions, correlations and "
    "interfaces, and shows which agree within the noise floor of the real material."
)
OUTDATED = (
    "Measured below: {1}, compared with {0}. 'Measure' compares the layers above."
)
CHANGED = (
    "{} has changed since it was measured below. 'Measure' compares it as it is now."
)
VIEWS_NOTE = "and the other views of the Micrograph tab, each in its direction"
LEFT_OUT = "{}, but for {}, no longer in the viewer"
ALONE = "alone: {}, of another view, is no longer in the viewer"
FILES = "Page with verdicts, HTML (*.html *.htm);;Numbers, CSV (*.csv)"


@dataclass
class AllViews:
    """Layers of the views of an anisotropic material, in the viewer or missing.

    Attributes
    ----------
    layers
        By viewing direction.
    missing
        Names of images that are no longer in the viewer, or whose phases are not.
    """

    layers: dict[Axis, list[Layer]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def add(self, axis: Axis, source: SourceImage, layer: Layer | None) -> None:
        """Add the layer of an image, if there is one."""
        if layer is None:
            self.missing.append(source.name)
        else:
            self.layers.setdefault(axis, []).append(layer)

    def all(self) -> list[Layer]:
        """Layers of all directions."""
        return [layer for of_axis in self.layers.values() for layer in of_axis]

    @property
    def are_complete(self) -> bool:
        """Whether there is an image of each direction."""
        return all(self.layers.get(axis) for axis in AXES)

    @property
    def note(self) -> str:
        """What is measured besides the chosen image, and what is not."""
        missing = ", ".join(dict.fromkeys(self.missing))
        if self.are_complete:
            return LEFT_OUT.format(VIEWS_NOTE, missing) if missing else VIEWS_NOTE
        return ALONE.format(missing) if self.layers else ""


class Measured:
    """The layers of a measurement, followed until they are released.

    Parameters
    ----------
    layers
        Real ones, then the generated one.
    changed
        Called when values or pixel sizes of one change for the first time.

    Attributes
    ----------
    names
        Names of the real layers and of the generated one, as they were.
    changed_name
        Name of the first layer that has changed since; empty if none has.
    """

    def __init__(self, layers: Sequence[Layer], changed: Callable[[], Any]) -> None:
        self.keys = [layer.unique_id for layer in layers]
        self.names = names_of(layers)
        self.changed_name = ""
        self._changed = changed
        # Weak: a removed layer is not kept.
        self._followed: list[tuple[weakref.ref[Layer], str]] = []
        for layer in layers:
            for name in OF_VALUES:
                if hasattr(layer.events, name):
                    getattr(layer.events, name).connect(self._take)
                    self._followed.append((weakref.ref(layer), name))

    def _take(self, event: Event) -> None:
        if not self.changed_name:
            self.changed_name = event.source.name
            self._changed()

    def release(self) -> None:
        """Follow the layers no more."""
        for found, name in self._followed:
            layer = found()
            if layer is not None:
                getattr(layer.events, name).disconnect(self._take)
        self._followed = []


def names_of(layers: Sequence[Layer]) -> tuple[str, str]:
    """What real layers and the generated one, the last, are called in results."""
    real = dict.fromkeys(layer.name for layer in layers[:-1])
    return ", ".join(real), layers[-1].name if layers else ""


OF_VALUES = ("data", "paint", "labels_update", "scale", "units")
"""Events of a layer that a measurement depends on."""


class MeasurePanel(TaskPanel):
    """Chooses two layers, compares them, shows and exports the verdicts."""

    measured = Signal(object)
    """The `Proof`."""
    training_requested = Signal()
    """The user follows the advice to train longer."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__("measure")
        self._viewer = viewer = unwrapped(viewer)
        self._proof: Proof | None = None
        self._views: Views = {}
        # The layers of the proof, and those that are being measured.
        self._measured: Measured | None = None
        self._begun: Measured | None = None
        # children
        self.generated = LayerChoice(
            viewer,
            "generated_layer",
            "Generated volume (3-D layer).",
            is_volume_layer,
            prefers_newest=True,
        )
        self.real = LayerChoice(
            viewer,
            "real_layer",
            "Image, labels or volume of the real material.",
            layer_inputs.is_image,
            prefers=self._rank,
        )
        self.diffusivity = QCheckBox("Effective diffusivity")
        self.diffusivity.setObjectName("diffusivity")
        self.diffusivity.setToolTip(
            "<qt>Also solve for effective diffusivity and tortuosity factor of each "
            "phase, which takes minutes.</qt>"
        )
        self.permeability = QLineEdit()
        self.permeability.setObjectName("permeability")
        self.permeability.setPlaceholderText("none")
        self.permeability.setToolTip(
            "<qt>Labels of the phases through which a fluid flows, such as 0: also "
            "solve for their permeability, which takes minutes.</qt>"
        )
        self.siblings = QCheckBox()
        self.siblings.setObjectName("siblings")
        self.measure_button = button(
            "measure", "Measure", "Compare the layers in the background."
        )
        self.export_button = button(
            "export_measured",
            "Export...",
            "Save as a page with verdicts (HTML) or as numbers (CSV).",
        )
        self.outdated = MessageLine("outdated_measurement")
        self.views_note = QLabel()
        self.views_note.setObjectName("views_note")
        self.views_note.setWordWrap(True)
        self.hint = QLabel(HINT)
        self.hint.setWordWrap(True)
        self.table = MeasureTable()
        # layout
        form = QFormLayout()
        form.addRow("Real", self.real)
        form.addRow("", self.views_note)
        form.addRow("Generated", self.generated)
        form.addRow("Transport", self.diffusivity)
        form.addRow("Permeability of", self.permeability)
        form.addRow("", self.siblings)
        layout = self.content
        layout.addLayout(form)
        layout.addLayout(row(self.measure_button, self.export_button))
        layout.addWidget(self.hint)
        layout.addWidget(self.outdated)
        layout.addWidget(self.table)
        layout.addStretch(1)
        # signals
        self.measure_button.clicked.connect(lambda checked: self.measure())
        self.export_button.clicked.connect(lambda checked: self._browse_export())
        self.table.next.linkActivated.connect(
            lambda link: self.training_requested.emit()
        )
        self.task.state_changed.connect(self._show_state)
        for choice in (self.real, self.generated):
            choice.currentIndexChanged.connect(self._show_state)
        self.generated.currentIndexChanged.connect(lambda _: self.real.list_layers())
        self._show_state()

    def value(self) -> tuple[str, str]:
        """Names of the real and the generated layer; empty if none."""
        return self.real.currentText(), self.generated.currentText()

    def set_value(self, names: tuple[str, str]) -> None:
        """Choose the layers."""
        for choice, name in zip((self.real, self.generated), names, strict=True):
            choice.choose(name)

    def measure(self) -> None:
        """Compare the chosen layers in the background."""
        self.message.clear()
        real, generated = self.real.value(), self.generated.value()
        if real is None or generated is None or real is generated:
            self.fail(
                "Choose two different layers: the real material and a 3-D volume to "
                "compare with it."
            )
            return
        try:
            phases = labels_in(self.permeability.text())
        except ValueError as error:
            self.fail(sentence_of(error))
            return
        siblings = self._siblings() if self.siblings.isChecked() else []
        views = self._views_of(real)
        given: SourceImage | Views = self._source(real)
        if views.are_complete:
            given = {axis: [*map(self._source, views.layers[axis])] for axis in AXES}
        begun = Measured(self._chosen(), self._show_state)
        self._follow(begun)
        self.task.run(
            "Measuring",
            lambda proof: self._take(begun, proof),
            measure,
            given,
            self._source(generated),
            self.diffusivity.isChecked(),
            phases,
            [*map(self._source, siblings)],
        )

    def set_views(self, views: Views) -> None:
        """Set the images of the Micrograph tab, by viewing direction."""
        self._views = dict(views)
        # Lists them anew, and shows the state.
        self.real.list_layers()

    def _source(self, layer: Layer) -> SourceImage:
        shown = layer_inputs.shown_source(self._viewer, layer)
        return layer_inputs.coloured(self._viewer, shown)

    def _views_of(self, real: Layer | None) -> AllViews:
        """Layers of all views of an anisotropic material, if a layer is one of them.

        Images, or their phases. None for another layer.
        """
        if real is None or not all(self._views.get(axis) for axis in AXES):
            return AllViews()
        images, phases = AllViews(), AllViews()
        given = [(a, source) for a in AXES for source in self._views[a]]
        for (axis, source), used in zip(given, self._used(), strict=True):
            for views, layer in zip((images, phases), used, strict=True):
                views.add(axis, source, layer)
        for views in (images, phases):
            if any(x is real for x in views.all()):
                return views
        return AllViews()

    def _chosen(self) -> list[Layer]:
        """The layers that 'Measure' compares: real ones, then the generated one."""
        real, generated = self.real.value(), self.generated.value()
        views = self._views_of(real)
        reals = views.all() if views.are_complete else [real]
        return [layer for layer in (*reals, generated) if layer is not None]

    def export(self, path: Path) -> None:
        """Save the results as ``.html`` or ``.csv``, in a thread."""
        self.message.clear()
        if self._proof is not None and self._measured is not None:
            given = (self._proof, *self._measured.names, path)
            self.task.run("Saving", self._show_saved, export, *given)

    def _show_saved(self, files: Sequence[Path]) -> None:
        names = " and ".join([str(files[0]), *(file.name for file in files[1:])])
        self.message.show_text(f"Saved {names}")

    def end_work(self) -> list[SteeredWorker]:
        """Cancel the work, release the viewer; returns the workers that still run."""
        for choice in (self.real, self.generated):
            choice.release()
        for followed in filter(None, (self._measured, self._begun)):
            followed.release()
        return self.task.end_work()

    def _follow(self, begun: Measured | None) -> None:
        """Follow the layers of what begins, in place of a measurement that failed."""
        if self._begun is not None:
            self._begun.release()
        self._begun = begun

    def _siblings(self) -> list[Layer]:
        """Volumes of other seeds, or of files, of the size of the generated one."""
        real, generated = self.real.value(), self.generated.value()
        if generated is None:
            return []
        found = siblings_of(self._viewer, generated)
        return [layer for layer in found if layer is not real]

    def _rank(self, layer: Layer) -> int:
        """How likely a layer is the real material: a generated one is not.

        Images of the Micrograph tab come first. Beside a volume of phases, the phases
        of an image come before it.
        """
        if not OWN.isdisjoint(layer.metadata):
            return 0
        volume, rank = self.generated.value(), 1
        if any(layer is used or layer is phases for used, phases in self._used()):
            rank += 2
        if volume is None or PHASES not in layer.metadata:
            return rank
        are_phases = layer_inputs.is_labels(volume) or volume.metadata.get(LABELS)
        return rank + 1 if are_phases else rank

    def _used(self) -> Iterator[tuple[Layer | None, Layer | None]]:
        """Layers of the images of the Micrograph tab, each with that of its phases."""
        made = {x.metadata.get(PHASES): x for x in self._viewer.layers}
        # Those of the sources may be behind napari's proxy.
        by_id = {x.unique_id: x for x in self._viewer.layers}
        for axis in AXES:
            for source in self._views.get(axis, ()):
                image = layer_inputs.layer_of(self._viewer, source)
                own = None if image is None else by_id.get(image.unique_id)
                yield own, made.get(key_of(source, image))

    def _take(self, measured: Measured, proof: Proof) -> None:
        if self._measured is not None:
            self._measured.release()
        # Set together: the export names the layers that were measured.
        self._measured, self._proof, self._begun = measured, proof, None
        self.table.set_proof(proof)
        self._show_state()
        self.measured.emit(proof)

    def _browse_export(self) -> None:
        path = self.ask_file("Export", FILES, "measurement", exported_files)
        if path is not None:
            self.export(path)

    def _show_state(self) -> None:
        real, generated = self.real.value(), self.generated.value()
        are_two = real is not None and generated is not None and real is not generated
        self.measure_button.setEnabled(are_two and not self.task.is_busy)
        self.hint.setText(READY if are_two else HINT)
        self.hint.setVisible(not are_two or self._proof is None)
        self.views_note.setText(breakable(self._views_of(real).note))
        self.views_note.setVisible(bool(self.views_note.text()))
        self.outdated.show_warning(self._outdated_note())
        siblings = self._siblings()
        self.siblings.setVisible(bool(siblings))
        count = "1 other volume" if len(siblings) == 1 else f"{len(siblings)} others"
        self.siblings.setText(f"Also of {count} of this size")
        names = html.escape("; ".join(layer.name for layer in siblings))
        self.siblings.setToolTip(
            "<qt>Transport properties are the means of all these volumes, with the "
            f"standard deviation between them: {names}</qt>"
        )
        can_export = self._proof is not None and not self.task.is_busy
        self.export_button.setEnabled(can_export)

    def _outdated_note(self) -> str:
        """That the results are not those of the chosen layers; empty if they are."""
        measured, chosen = self._measured, self._chosen()
        if measured is None:
            return ""
        if [layer.unique_id for layer in chosen] == measured.keys:
            name = measured.changed_name
            return CHANGED.format(name) if name else ""
        if names_of(chosen) != measured.names:
            return OUTDATED.format(*measured.names)
        # Other layers of the same names.
        new = [layer.name for layer in chosen if layer.unique_id not in measured.keys]
        return CHANGED.format((new or [chosen[0].name])[0])
