"""Where the generator that is explored comes from: also a sample, or the latest run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHBoxLayout, QWidget

from napari_slicegan._qt.volume.generator_source import GeneratorSource
from napari_slicegan._qt.widgets.buttons import button
from napari_slicegan.sample_data import path as sample_path

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

SAMPLE = "varied_sandstone"
GENERATOR = "generator.safetensors"


class ExploreSource(GeneratorSource):
    """Holds a generator; takes the latest run by itself when it is first seen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._offered: Path | None = None
        # children
        self.sample_button = button(
            "sample_generator", "Sample: sandstone", "A small generator to try it with."
        )
        self.run_button = button(
            "explore_run", "Latest run", "The run of the second tab, as last saved."
        )
        self.run_button.setEnabled(False)
        # layout
        row = QHBoxLayout()
        row.addWidget(self.sample_button)
        row.addWidget(self.run_button)
        self.add_row(row)
        # signals
        self.sample_button.clicked.connect(lambda checked: self.open_sample())
        self.run_button.clicked.connect(lambda checked: self.open_offered())

    def open_sample(self) -> None:
        """Load the small generator that comes with the program."""
        self.load(sample_path(SAMPLE))

    def offer(self, path: str | Path) -> None:
        """A run that can be explored."""
        self._offered = Path(path)
        self.run_button.setEnabled(True)

    def open_offered(self) -> None:
        """Load the run that was offered, if there is one."""
        if self._offered is not None:
            self.load(self._offered)

    def showEvent(self, event: QShowEvent) -> None:
        """Go on with the run of the other tabs if there is nothing else."""
        super().showEvent(event)
        # A run that has just begun has nothing to load yet; that is no fault.
        saved = self._offered and (self._offered / GENERATOR).is_file()
        if saved and self.value() is None and not self.is_loading:
            self.open_offered()
