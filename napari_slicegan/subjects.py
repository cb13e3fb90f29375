"""What a run is about: volumes from micrographs, images from a set, or points.

The trainer asks its subject for whatever depends on this: where real samples come
from, how long an epoch is, what is previewed and how it is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from napari_slicegan.image_sets.subject import Images
from napari_slicegan.points.subject import Points
from napari_slicegan.volume_subject import Volumes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_slicegan.config import RunConfig, TrainingSettings
    from napari_slicegan.dataset import Source
    from napari_slicegan.run_data import Data
    from napari_slicegan.transforms import Transform


class Subject(Protocol):
    """What the trainer asks for."""

    transform: Transform
    spec: Any
    samplers: Sequence[Source]
    isotropic: bool
    training: TrainingSettings
    """Settings with the limits that the data imply."""
    command: str
    """Of the command line, with which the trained generator is used."""
    epoch_steps: int | None
    """Steps in which as many images are seen as there are; None for micrographs."""

    @property
    def monitor(self) -> Any:
        """Measures what `preview` gives; its ``columns`` go into the history.

        The answer has a ``headline`` that is to fall, and its ``curves`` are drawn.
        """

    @property
    def real_preview(self) -> Any:
        """Real samples as `preview` gives generated ones; None for volumes."""

    def preview(self, trained: Any) -> Any:
        """What the generator makes, always of the same latents."""

    def picture(self, preview: Any) -> NDArray[np.uint8]:
        """A preview as one small picture."""


SUBJECTS: Mapping[int, Callable[[RunConfig, Data], Subject]] = {
    3: Volumes,
    2: Images,
    1: Points,
}
"""By the dimensions of what the architecture makes."""


def build_subject(config: RunConfig, data: Data) -> Subject:
    """Subject of the settings and the data.

    Raises
    ------
    ValueError
        If they do not fit together.
    """
    return SUBJECTS[config.architecture.dimensions](config, data)
