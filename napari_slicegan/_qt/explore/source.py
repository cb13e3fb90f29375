"""Generator of the Explore panel: a run, a file or the sample."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHBoxLayout

from napari_slicegan._qt.volume.generator_source import GeneratorSource
from napari_slicegan._qt.widgets.basics import button
from napari_slicegan.sample_data import path as sample_path

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

SAMPLE = "varied_sandstone"
GENERATOR = "generator.safetensors"


class ExploreSource(GeneratorSource):
    """Holds a generator; loads the latest run when it is first shown."""

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
        row = QHBoxLayout()
        row.addWidget(self.sample_button)
        row.addWidget(self.run_button)
        self.add_row(row)
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
