"""Three-dimensional materials from a single micrograph.

The way the data flows, one noun per file::

    file or array -> Micrograph -> Transform -> PatchSampler ----+
                                                                 v
    LatentField -> generator network -> View (slices) -> critic -> Objective
                         |                                       |
                         |                      Trainer.run() yields StepReport
                         v                                       |
                     generate() -> Volume -> metrics         RunFolder
                                                (settings, history, weights)

``Micrograph`` reads and checks one image, ``TrainingImages`` holds those of a run, one
set per viewing direction. ``RunConfig`` holds every setting and ``PRESETS`` named
bundles of them. ``Trainer`` trains, ``RunFolder`` keeps what a run is, ``generate``
makes a ``Volume`` of any size, and ``compare`` measures it against the micrograph.

Importing this package is fast: a public name loads its module when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig
    from napari_slicegan.generation import generate
    from napari_slicegan.large_volumes.endless import lazy_volume
    from napari_slicegan.metrics.comparison import compare
    from napari_slicegan.micrograph import Micrograph
    from napari_slicegan.presets import PRESETS, preset
    from napari_slicegan.run_folder import RunFolder
    from napari_slicegan.trained_generator import load_generator
    from napari_slicegan.trainer import Trainer
    from napari_slicegan.training_images import TrainingImages
    from napari_slicegan.volume import Volume

__version__ = "0.1.0"

__all__ = [
    "PRESETS",
    "Micrograph",
    "RunConfig",
    "RunFolder",
    "Trainer",
    "TrainingImages",
    "Volume",
    "__version__",
    "compare",
    "generate",
    "lazy_volume",
    "load_generator",
    "preset",
]

# Public name -> the module that defines it.
_MODULES = {
    "Micrograph": "micrograph",
    "TrainingImages": "training_images",
    "RunConfig": "config",
    "PRESETS": "presets",
    "Trainer": "trainer",
    "RunFolder": "run_folder",
    "preset": "presets",
    "load_generator": "trained_generator",
    "generate": "generation",
    "lazy_volume": "large_volumes.endless",
    "Volume": "volume",
    "compare": "metrics.comparison",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *__all__})
