"""Three-dimensional materials from a single micrograph.

The way of the data::

    file -> Micrograph -> TrainingImages -> PatchSampler ----+
                                                             v
    LatentField -> generator -> slices -> critics -> loss -> Trainer -> RunFolder
                       |
                       v
                   generate() -> Volume -> METRICS -> report

``Micrograph`` reads and checks one image; ``TrainingImages`` holds those of a run, one
set per viewing direction. ``RunConfig`` holds all settings, ``PRESETS`` named bundles
of them. ``Trainer`` trains and writes the ``RunFolder``. ``generate`` makes a
``Volume`` of any size, and ``compare`` measures it against the micrograph.

Importing this package is fast: a public name loads its module when it is first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from napari_slicegan.systems import register

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig
    from napari_slicegan.config.presets import PRESETS, preset
    from napari_slicegan.data.micrograph import Micrograph
    from napari_slicegan.data.training_images import TrainingImages
    from napari_slicegan.generation.generate import generate
    from napari_slicegan.generation.lazy import lazy_volume
    from napari_slicegan.metrics.comparison import compare
    from napari_slicegan.models.generator_file import load_generator
    from napari_slicegan.training.run_folder import RunFolder
    from napari_slicegan.training.trainer import Trainer
    from napari_slicegan.volumes.volume import Volume

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
    "Micrograph": "data.micrograph",
    "TrainingImages": "data.training_images",
    "RunConfig": "config",
    "PRESETS": "config.presets",
    "Trainer": "training.trainer",
    "RunFolder": "training.run_folder",
    "preset": "config.presets",
    "load_generator": "models.generator_file",
    "generate": "generation.generate",
    "lazy_volume": "generation.lazy",
    "Volume": "volumes.volume",
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


class _MovedModule(ModuleType):
    """A module of release 0.1.0 that stands elsewhere now; loaded when used."""

    def __init__(self, name: str, place: str) -> None:
        super().__init__(f"{__name__}.{name}", f"Moved to {__name__}.{place}.")
        self.__dict__["_place"] = f"{__name__}.{place}"

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self._place), name)


register()
regions = _MovedModule("regions", "generation.regions")
sys.modules[regions.__name__] = regions
