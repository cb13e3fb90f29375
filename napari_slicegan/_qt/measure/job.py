"""What the Measure panel does beside the window. Free of Qt."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slicegan._qt.jobs import WorkFailed, sentence_of
from napari_slicegan.config import MicrographSettings
from napari_slicegan.volume import Volume

if TYPE_CHECKING:
    from napari_slicegan._qt.micrograph.image_source import ImageSource
    from napari_slicegan.reporting.proof import Proof


@dataclass(frozen=True, eq=False)
class MeasureRequest:
    """Two layers that are compared.

    Attributes
    ----------
    real
        An image, or a volume, of the real material.
    generated
        A volume.
    """

    real: ImageSource = field(repr=False)
    generated: ImageSource = field(repr=False)


def measure(request: MeasureRequest) -> Generator[float, None, Proof]:
    """Compare two layers: yields the finished share, returns what was found.

    Raises
    ------
    WorkFailed
        With one sentence.
    """
    try:
        return (yield from _examined(request))
    except (ValueError, MemoryError) as error:
        raise WorkFailed(sentence_of(error)) from error


def export(proof: Proof, request: MeasureRequest, path: Path) -> None:
    """Write what was found, as a page (``.html``) or as numbers (``.csv``).

    Raises
    ------
    ValueError
        If the ending is another one.
    """
    from napari_slicegan.reporting.csv_table import write_csv
    from napari_slicegan.reporting.page import write_report
    from napari_slicegan.reporting.provenance import provenance_of_layers

    if path.suffix.lower() == ".csv":
        write_csv(proof.comparison, path)
        return
    names = (request.real.name, request.generated.name)
    write_report(proof, provenance_of_layers(*names, proof.volume), path)


def _examined(request: MeasureRequest) -> Generator[float, None, Proof]:
    from napari_slicegan.reporting.proof import ProofSettings, examine
    from napari_slicegan.training_images import TrainingImages

    settings = MicrographSettings()
    real = TrainingImages.isotropic(request.real.micrograph(settings))
    source = request.generated
    values: Any = np.asarray(source.values)
    volume = Volume.from_array(values, "auto", source.known_size())
    return (yield from examine(real, volume, ProofSettings(transport=False)))
