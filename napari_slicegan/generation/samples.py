"""Images from a generator of images, and sheets of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
import torch
from numpy.typing import NDArray
from PIL import Image

from napari_slicegan.data.pixel_values import display_gray
from napari_slicegan.generation.edits import Edit, run_images
from napari_slicegan.generation.generate import checked_truncation
from napari_slicegan.models.latent import LatentField
from napari_slicegan.runtime.atomic_files import replacing
from napari_slicegan.runtime.progress import Progress, subrange

if TYPE_CHECKING:
    from napari_slicegan.data.transforms import Transform
    from napari_slicegan.models.generator_file import TrainedNetwork

GAP = 2
WHITE = 255
SMALLEST_EDGE = 64
ENDINGS = (".tif", ".tiff", ".npy")


@dataclass(frozen=True, eq=False)
class Sheet:
    """Images of one generator.

    Attributes
    ----------
    values
        ``[N, Y, X]``, or ``[N, Y, X, 3]`` in colour, in the units of the images that
        were trained on.
    low, high
        Values that are drawn black and white.
    """

    values: NDArray[Any]
    low: float
    high: float

    def picture(self, columns: int = 4, rows: int = 4) -> NDArray[np.uint8]:
        """The first images as one, with white lines between; small ones enlarged.

        Returns
        -------
        ``[rows, columns]``, or ``[rows, columns, 3]`` in colour.
        """
        shades = display_gray(self.values[: columns * rows], self.low, self.high)
        factor = math.ceil(SMALLEST_EDGE / shades.shape[1])
        shades = shades.repeat(factor, axis=1).repeat(factor, axis=2)
        margins = [(0, 0), (GAP, 0), (GAP, 0), (0, 0)][: shades.ndim]
        panels = np.pad(shades, margins, constant_values=WHITE)
        lines = [panels[i : i + columns] for i in range(0, len(panels), columns)]
        missing = columns - len(lines[-1])
        if missing and len(lines) > 1:
            blank = np.full((missing, *panels.shape[1:]), WHITE, np.uint8)
            lines[-1] = np.concatenate([lines[-1], blank])
        return np.concatenate([np.concatenate(list(line), axis=1) for line in lines])

    def thumbnail(self) -> NDArray[np.uint8]:
        """The first four images."""
        return self.picture(2, 2)

    def save(self, path: str | Path) -> None:
        """Write all images as one stack.

        Raises
        ------
        ValueError
            If the ending of the name is not one of a stack.
        """
        path = Path(path)
        check_stack_ending(path)
        with replacing(path) as temporary:
            if path.suffix.lower() == ".npy":
                with temporary.open("wb") as file:
                    np.save(file, self.values, allow_pickle=False)
            else:
                photometric = "rgb" if self.values.ndim > 3 else "minisblack"
                tifffile.imwrite(temporary, self.values, photometric=photometric)

    def save_picture(self, path: str | Path) -> None:
        """Write the first sixteen images as one, whatever the ending: as PNG."""
        with replacing(Path(path)) as temporary:
            Image.fromarray(self.picture()).save(temporary, format="PNG")


def check_stack_ending(path: Path) -> None:
    """Refuse names of files that a stack cannot be written to.

    Raises
    ------
    ValueError
        Lists the endings that can be.
    """
    if path.suffix.lower() not in ENDINGS:
        raise ValueError(
            f"Images are written as {', '.join(ENDINGS)}, got '{path.name}'; choose a "
            "name with one of these endings."
        )


AT_ONCE = 64
POINTS_AT_ONCE = 10_000


def generate_samples(
    trained: TrainedNetwork,
    n: int,
    seed: int = 0,
    edits: Sequence[Edit] = (),
    truncation: float = 1.0,
) -> NDArray[Any]:
    """Samples in the units of the data: images [n, Y, X(, 3)], or points [n, D].

    Sample i depends on the seed and on i only, however many there are.

    Parameters
    ----------
    edits, truncation
        As of `napari_slicegan.generation.generate.VolumePlan`.

    Raises
    ------
    ValueError
        If the generator makes volumes, or numbers or edits are not allowed.
    """
    _check(trained, n, seed)
    factor = checked_truncation(truncation)
    at_once = POINTS_AT_ONCE if _makes_points(trained) else AT_ONCE
    parts = [(first, min(first + at_once, n)) for first in range(0, n, at_once)]
    made = [_samples(trained, *part, seed, edits, factor) for part in parts]
    return np.concatenate(made)


def generate_images(
    trained: TrainedNetwork,
    n: int,
    seed: int = 0,
    progress: Progress | None = None,
) -> Sheet:
    """As `generate_samples`, with the values that are drawn black and white.

    Parameters
    ----------
    progress
        Called with the finished fraction after each batch.

    Raises
    ------
    ValueError
        As `generate_samples`, and if the generator makes points.
    """
    _check(trained, n, seed)
    if _makes_points(trained):
        raise ValueError(
            "Expected a generator of images, got one of points; look at its points "
            "with 'slicegan evaluate mixture'."
        )
    low, high = display_range(trained.transform)
    report = subrange(progress)
    made = []
    for first in range(0, n, AT_ONCE):
        end = min(first + AT_ONCE, n)
        made.append(_samples(trained, first, end, seed))
        report(end / n)
    return Sheet(np.concatenate(made), low, high)


def display_range(transform: Transform) -> tuple[float, float]:
    """Values of the data that are drawn black and white."""
    values = transform.state()
    labels = values.get("labels", (values.get("low"), values.get("high")))
    return float(labels[0]), float(labels[-1])


def _makes_points(trained: TrainedNetwork) -> bool:
    return trained.transform.range == "unbounded"


def _check(trained: TrainedNetwork, n: int, seed: int) -> None:
    """Refuse volumes, and numbers that are not allowed."""
    if len(trained.network.training_latents) != 1:
        raise ValueError(
            "Expected a generator of images, got one of volumes; use 'generate'."
        )
    if n < 1 or seed < 0:
        raise ValueError(
            "Expected at least one sample and a seed of at least 0, got "
            f"{n} and {seed}; correct them."
        )


@torch.no_grad()
def _samples(
    trained: TrainedNetwork,
    first: int,
    end: int,
    seed: int,
    edits: Sequence[Edit] = (),
    factor: float = 1.0,
) -> NDArray[Any]:
    """Samples of the numbers from the first to the one before the end."""
    network = trained.network
    device = next(network.parameters()).device
    field = LatentField(seed, network.training_latents[0], network.prior)
    # [C, 1, 1, n] -> [n, C]
    numbers = field.region((0, 1), (0, 1), (first, end))
    latents = torch.from_numpy(numbers[:, 0, 0].T.copy()).to(device)
    if factor != 1:
        latents = latents * factor
    made = run_images(network, latents, edits) if edits else network(latents)
    return trained.transform.inverse(made, 1)
