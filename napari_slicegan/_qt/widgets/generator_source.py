"""Choice of the generator, which is loaded in a worker thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QTextCursor, QTextDocument
from qtpy.QtWidgets import (
    QDialog,
    QFileDialog,
    QGroupBox,
    QLabel,
    QTextBrowser,
    QVBoxLayout,
)

from napari_slicegan._qt.run_series import RunSeries, verdict_of
from napari_slicegan._qt.widgets.basics import (
    LOOKS,
    breakable,
    button,
    colour_links,
    existing_folder,
    link_colour,
    row,
)
from napari_slicegan._qt.widgets.run_menu import offer, offer_runs
from napari_slicegan._qt.worker import SteeredWorker
from napari_slicegan.config import dimensions_of
from napari_slicegan.report.card_facts import card_path, split_card
from napari_slicegan.report.ready_models import add_place, ready_models
from napari_slicegan.runtime.quantities import within_sentence
from napari_slicegan.sample_data import path as sample_path

if TYPE_CHECKING:
    from qtpy.QtCore import QEvent
    from qtpy.QtGui import QShowEvent
    from qtpy.QtWidgets import QMenu, QWidget

    from napari_slicegan.models.generator_file import TrainedNetwork
    from napari_slicegan.training.run_folder import RunFolder

WAYS = "train one, open a run or take a ready model."
NO_GENERATOR = f"No generator loaded: {WAYS}"
MISSING = f"Expected a generator, got none; {WAYS}"
"""Error of an action that needs one."""
OUTPUTS = {2: "images", 1: "points"}
SAMPLE = "varied_sandstone"
GENERATOR = "generator.safetensors"
ADD = "Add a folder..."
CARD_SIZE = 760, 560


@dataclass(frozen=True)
class Loaded:
    """A generator and where it comes from.

    Attributes
    ----------
    step
        Last saved step of its run; None for a file.
    quality
        Which measures agreed with the real material when the run measured them last;
        empty for a file, and before they are measured.
    """

    trained: TrainedNetwork
    path: Path
    step: int | None
    quality: str = ""

    @property
    def origin(self) -> str:
        """Name of the run or file."""
        if self.step is None:
            return f"File {self.path.name}"
        return f"Run {self.path.name}, step {self.step:,}"

    @property
    def name(self) -> str:
        """Name of the run, or of the file without its ending."""
        is_file = self.path.suffix == Path(GENERATOR).suffix
        return self.path.stem if is_file else self.path.name

    @property
    def metadata(self) -> dict[str, object]:
        """What made a volume, for the metadata of its layer."""
        return {
            "generator": str(self.path),
            "name": self.name,
            "step": self.step,
            "quality": self.quality,
            "words": " ".join(filter(None, (f"{self.origin}.", self.quality))),
        }


def load(path: str | Path) -> Generator[None, None, Loaded]:
    """Load a generator; importing torch for it takes seconds."""
    from napari_slicegan.models.generator_file import load_any_generator
    from napari_slicegan.training.run_folder import RunFolder

    # A cancelled load ends here.
    yield
    trained, path = load_any_generator(path), Path(path)
    if not path.is_dir():
        return Loaded(trained, path, None)
    run = RunFolder(path)
    step = max(run.saved_steps(), default=None)
    return Loaded(trained, path, step, _quality(run, trained, step))


def _quality(run: RunFolder, trained: TrainedNetwork, last: int | None) -> str:
    """What was measured last, up to a step, in a sentence.

    Empty where the history cannot be read: the generator does not need it.
    """
    from napari_slicegan.training.monitors import BY_KIND, CONNECTIVITY

    series = RunSeries()
    try:
        rows = [
            row for row in run.history() if last is None or int(row["step"]) <= last
        ]
        series.add_history(rows)
    except (ValueError, KeyError, IndexError, TypeError, OSError):
        return ""
    curves = (*BY_KIND[trained.transform.kind], *CONNECTIVITY)
    sentence = verdict_of(series, curves, with_advice=False)
    if not sentence:
        return ""
    step = int(max(x for curve in curves for x in series.in_floors(curve).x))
    return f"At step {step:,}: {within_sentence(sentence)}"


class CardDialog(QDialog):
    """A model card; nothing in it is loaded or followed."""

    def __init__(self, card: Path, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Model card: {card.stem}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(*CARD_SIZE)
        # children
        self.page = QTextBrowser()
        self.page.setOpenLinks(False)
        text = split_card(card.read_text(encoding="utf-8", errors="replace"))[2]
        without_html = QTextDocument.MarkdownFeature.MarkdownNoHTML
        dialect = QTextDocument.MarkdownFeature.MarkdownDialectGitHub
        self.page.document().setMarkdown(text, dialect | without_html)
        # Its cursor is at the end, to which the page would scroll.
        self.page.moveCursor(QTextCursor.MoveOperation.Start)
        # layout
        QVBoxLayout(self).addWidget(self.page)
        self._colour_links()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() in LOOKS and hasattr(self, "page"):
            self._colour_links()

    def _colour_links(self) -> None:
        colour_links(self.page.document(), link_colour(self))


class GeneratorSource(QGroupBox):
    """Holds a generator; it stays until another one is loaded."""

    changed = Signal()
    """Another generator was loaded, or loading began or ended."""
    failed = Signal(str)
    """One sentence."""
    requested = Signal()
    """A generator is to be loaded: earlier messages are outdated."""

    def __init__(self) -> None:
        super().__init__("Generator")
        self.setObjectName("generator_source")
        self._loaded: Loaded | None = None
        self._run_root: Path | None = None
        self._request = 0
        self._workers: dict[int, SteeredWorker] = {}
        # children
        self.facts = QLabel(NO_GENERATOR)
        self.facts.setObjectName("generator_facts")
        self.facts.setWordWrap(True)
        self.facts.setTextFormat(Qt.TextFormat.PlainText)
        self.open_run = button(
            "open_run", "Open run...", "One of the last runs, or a folder."
        )
        self.open_file = button(
            "open_generator", "Open generator...", "A generator.safetensors file."
        )
        self.models_button = button(
            "ready_models", "Ready models", "Trained generators of several materials."
        )
        self.card_button = button(
            "model_card", "Model card", "What this generator makes, and how well."
        )
        self.card_button.hide()
        # layout
        self.column = QVBoxLayout(self)
        self.column.addWidget(self.facts)
        self.column.addLayout(row(self.open_run, self.open_file, self.models_button))
        self.column.addWidget(self.card_button)
        # signals
        self.open_run.clicked.connect(lambda checked: self._choose_run())
        self.open_file.clicked.connect(lambda checked: self._browse_file())
        self.models_button.clicked.connect(lambda checked: self.offer_models())
        self.card_button.clicked.connect(lambda checked: self.show_card())

    def value(self) -> TrainedNetwork | None:
        """The generator; None before one is loaded."""
        return None if self._loaded is None else self._loaded.trained

    @property
    def loaded(self) -> Loaded | None:
        """The generator and where it comes from; None before one is loaded."""
        return self._loaded

    @property
    def is_loading(self) -> bool:
        """Whether the generator requested last is still being loaded."""
        return self._request in self._workers

    def load(self, path: str | Path) -> None:
        """Load a run folder or generator file in a thread; the last request counts."""
        self._cancel()
        self.requested.emit()
        number = self._request
        # Not registered with napari, so closing needs no confirmation.
        worker = SteeredWorker(load, path)
        worker.returned.connect(lambda loaded: self._take(number, loaded))
        worker.errored.connect(lambda fault: self._fail(number, str(fault)))
        worker.finished.connect(lambda: self._end(number))
        self._workers[number] = worker
        self.facts.setText(breakable(f"Loading {Path(path).name} ..."))
        self.changed.emit()
        worker.start()

    def end_work(self) -> list[SteeredWorker]:
        """Cancel loading; return the workers that are still running."""
        self._cancel()
        return [*self._workers.values()]

    def _cancel(self) -> None:
        self._request += 1
        for worker in self._workers.values():
            worker.quit()

    def _take(self, number: int, loaded: Loaded) -> None:
        if number == self._request:
            self._loaded = loaded

    def _fail(self, number: int, sentence: str) -> None:
        if number == self._request:
            self.failed.emit(sentence)

    def _end(self, number: int) -> None:
        del self._workers[number]
        if number == self._request:
            self._show()

    def _show(self) -> None:
        loaded = self._loaded
        if loaded is None:
            self.facts.setText(NO_GENERATOR)
        else:
            state = " ".join(filter(None, (f"{loaded.origin}.", loaded.quality)))
            self.facts.setText(breakable(f"{_facts(loaded.trained)}\n{state}"))
            self.facts.setToolTip(str(loaded.path))
        self.card_button.setVisible(self._card is not None)
        self.changed.emit()

    def set_run_root(self, root: Path) -> None:
        """Set the folder whose newest runs are offered."""
        self._run_root = root

    def offer_models(self) -> QMenu:
        """Open the menu of the ready models, and of a folder to add."""
        try:
            found = ready_models()
        except ValueError as fault:
            self.failed.emit(str(fault))
            found = []
        titles = Counter(model.title for model in found)
        choices = {
            model.title
            if titles[model.title] == 1
            else f"{model.title} ({model.file})": model.file
            for model in found
        }
        menu = offer(self.models_button, choices, self.load)
        menu.addSeparator()
        menu.addAction(ADD).triggered.connect(lambda checked: self._add_folder())
        return menu

    @property
    def _card(self) -> Path | None:
        """The model card beside the loaded file."""
        if self._loaded is None or self._loaded.path.is_dir():
            return None
        card = card_path(self._loaded.path)
        return card if card.is_file() else None

    def show_card(self) -> QDialog | None:
        """Show the model card of the loaded file, if it has one."""
        card = self._card
        if card is None:
            return None
        dialog = CardDialog(card, self)
        dialog.show()
        return dialog

    def _add_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Add a folder of generators")
        if not folder:
            return
        try:
            add_place(folder)
        except (ValueError, OSError) as fault:
            self.failed.emit(str(fault))
        else:
            self.offer_models()

    def _choose_run(self) -> None:
        offer_runs(self.open_run, self._run_root, self.load, self._browse_run)

    def _browse_run(self) -> None:
        begin = existing_folder(self._run_root)
        path = QFileDialog.getExistingDirectory(self, "Open a run folder", begin)
        if path:
            self.load(path)

    def _browse_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Open a generator", filter="Generator (*.safetensors)"
        )
        if path:
            self.load(path)


class ExploreSource(GeneratorSource):
    """Offers a sample and the latest run, which is loaded when it is first shown."""

    def __init__(self) -> None:
        super().__init__()
        self._offered: Path | None = None
        # children
        self.sample_button = button(
            "sample_generator",
            "Sample: sandstone",
            "Load a small generator to try the panel.",
        )
        self.run_button = button(
            "explore_run",
            "Latest run",
            "Load the last saved generator of the Train tab.",
        )
        self.run_button.setEnabled(False)
        # layout
        self.column.addLayout(row(self.sample_button, self.run_button))
        # signals
        self.sample_button.clicked.connect(lambda checked: self.open_sample())
        self.run_button.clicked.connect(lambda checked: self.open_offered())

    def open_sample(self) -> None:
        """Load the small generator of the package."""
        self.load(sample_path(SAMPLE))

    def offer(self, path: str | Path) -> None:
        """Offer a run for exploration."""
        self._offered = Path(path)
        self.run_button.setEnabled(True)

    def open_offered(self) -> None:
        """Load the offered run, if there is one."""
        if self._offered is not None:
            self.load(self._offered)

    def showEvent(self, event: QShowEvent) -> None:
        """Load the offered run if nothing else is loaded."""
        super().showEvent(event)
        # A run that has just started has saved nothing yet; that is no error.
        saved = self._offered and (self._offered / GENERATOR).is_file()
        if saved and self.value() is None and not self.is_loading:
            self.open_offered()


def _facts(trained: TrainedNetwork) -> str:
    architecture = trained.network.spec.architecture
    if dimensions_of(architecture) < 3:
        output = OUTPUTS[dimensions_of(architecture)]
        return (
            f"Trained on {trained.name}: generates {output}, architecture "
            f"{architecture}."
        )
    size = trained.voxel_size_nm
    known = "not known" if size is None else f"{size:g} nm"
    return f"Trained on {trained.name}: {trained.transform.kind}, voxel size {known}."
