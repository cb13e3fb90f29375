"""Sets of 2-D images of one size. Loads no torch."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import skimage
from numpy.typing import NDArray

from napari_slicegan.config import AXES, ImageSettings, parse_json
from napari_slicegan.data.image_files import read_image
from napari_slicegan.runtime.atomic_files import replacing
from napari_slicegan.systems.spectrograms import BINS, read_spectrograms

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig
    from napari_slicegan.data.training_images import TrainingImages


def read_matrices(path: Path, size: int) -> NDArray[np.float32]:
    """Images of a CSV file: one of ``size`` rows, or one in each row.

    Numbers of measurements are not resized, so the shape must be right.

    Returns
    -------
    ``[N, size, size]``.

    Raises
    ------
    ValueError
        If there is text, a hole, or another shape; names the file.
    """
    try:
        with warnings.catch_warnings():
            # An empty file is refused below.
            warnings.simplefilter("ignore", UserWarning)
            table = np.loadtxt(path, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path.name}: expected rows of numbers with commas between, got something "
            f"else ({str(error).rstrip('.')}); correct or remove the file."
        ) from error
    if table.shape == (size, size):
        images = table[np.newaxis]
    elif table.size and table.shape[1] == size**2:
        images = table.reshape(-1, size, size)
    else:
        raise ValueError(
            f"{path.name}: expected {size} x {size} numbers, or {size**2} in each row, "
            f"got {table.shape[0]} x {table.shape[1]}; correct or remove the file."
        )
    if not np.isfinite(images).all():
        raise ValueError(
            f"{path.name}: expected finite numbers, got some that are not; replace "
            "them."
        )
    return np.asarray(images, np.float32)


VALUES, FACTS = "values.npy", "facts.json"
TABLE, SOUND = ".csv", ".wav"
ENDINGS = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".npy", TABLE, SOUND)
COLOUR_DIMENSIONS = 4


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of equal size, in the order of their names.

    Make one with `open`, which reads, cuts and resizes.

    Attributes
    ----------
    values
        ``[N, Y, X]``, or ``[N, Y, X, 3]`` in colour, in the type of the files.
    name
        Where the images come from, for messages.
    is_sound
        Whether all images are spectrograms of sounds.

    Raises
    ------
    ValueError
        If the values have another shape, are not finite or all equal.
    """

    values: NDArray[Any]
    name: str = "images"
    is_sound: bool = False

    what: ClassVar[str] = "a set of images"
    colours: ClassVar[Mapping[int, str]] = MappingProxyType({})

    def __post_init__(self) -> None:
        if self.values.ndim not in (3, COLOUR_DIMENSIONS) or not self.values.size:
            raise ValueError(
                f"{self.name}: expected images of rows and columns, got an array of "
                f"the shape {self.values.shape}; give a folder of images or a volume."
            )
        if not np.isfinite(self.values).all():
            raise ValueError(
                f"{self.name}: expected finite values, got some that are not; replace "
                "them."
            )
        if self.values.min() == self.values.max():
            raise ValueError(
                f"{self.name}: expected images that show something, got "
                f"{self.values.min()} in every pixel; choose other files."
            )

    @classmethod
    def open(cls, path: str | Path, size: int, settings: ImageSettings) -> ImageSet:
        """Read a folder of images, or a volume that is cut into planes.

        Parameters
        ----------
        path
            Folder, searched with all folders in it; or the file of a volume.
        size
            Edge in pixels to which every image is resized.

        Raises
        ------
        ValueError
            If a file cannot be read; names it.
        """
        path = Path(path)
        found = _files(path) if path.is_dir() else [path]
        if path.is_dir():
            found = [found[i] for i in _spread(len(found), settings.max_images)]
            images = (image for file in found for image in _images(file, size))
        elif path.suffix.lower() in (TABLE, SOUND):
            images = (image for image in _images(path, size))
        else:
            planes = _planes(path, settings)
            chosen = _spread(len(planes), settings.max_images)
            images = (_resized(planes[i], size) for i in chosen)
        is_sound = all(file.suffix.lower() == SOUND for file in found)
        return cls(_stacked(images, found), path.name, is_sound)

    @classmethod
    def of_micrographs(
        cls, micrographs: TrainingImages, size: int, settings: ImageSettings
    ) -> ImageSet:
        """Whole planes of micrographs: those of volumes along the axis to cut.

        Raises
        ------
        ValueError
            If there is no axis to cut along.
        """
        if settings.cut_axis == "none":
            raise ValueError(
                "Micrographs become a set of images when they are cut, got 'Cut along' "
                "none; choose an axis."
            )
        planes = [p for each in micrographs for p in each.planes(settings.cut_axis)]
        chosen = _spread(len(planes), settings.max_images)
        images = (_resized(planes[i], size) for i in chosen)
        return cls(_stacked(images, []), micrographs.name)

    @property
    def kind(self) -> str:
        """Colour, or gray values."""
        return "colour" if self.values.ndim == COLOUR_DIMENSIONS else "grayscale"

    @property
    def pixel_size_nm(self) -> float | None:
        """Unknown: images are resized."""
        return None

    def __len__(self) -> int:
        return len(self.values)

    def save(self, folder: str | Path) -> None:
        """Write the images into a new folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / VALUES) as temporary, temporary.open("wb") as file:
            np.save(file, self.values, allow_pickle=False)
        with replacing(folder / FACTS) as temporary:
            facts: dict[str, Any] = {"name": self.name}
            if self.is_sound:
                facts["is_sound"] = True
            temporary.write_text(json.dumps(facts), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> ImageSet:
        """Read what `save` wrote. Executes no code.

        Raises
        ------
        ValueError
            If the files are missing or damaged.
        """
        folder = Path(folder)
        try:
            values = np.load(folder / VALUES, allow_pickle=False)
            facts = parse_json((folder / FACTS).read_text(encoding="utf-8"))
            return cls(values, str(facts["name"]), bool(facts.get("is_sound", False)))
        except (OSError, EOFError, LookupError, TypeError, ValueError) as error:
            raise ValueError(
                f"{folder}: expected the images of a run, got none or damaged ones; "
                "choose another run folder or train again."
            ) from error


def holds_images(path: Path, config: RunConfig) -> bool:
    """Whether a file is a sound, or a table of whole images.

    Other tables are micrographs, of which crops are drawn.
    """
    ending = path.suffix.lower()
    if ending != TABLE or not path.is_file():
        return ending == SOUND
    if config.images.scaling != "min-max":
        return True  # crops have no rows of their own
    with path.open(encoding="utf-8", errors="replace") as file:
        columns = file.readline().count(",") + 1
    return columns == config.architecture.patch_size**2


def _files(folder: Path) -> list[Path]:
    """Image files of a folder and its subfolders, by name."""
    found = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in ENDINGS]
    if not found:
        raise ValueError(
            f"{folder}: expected a folder of images ({', '.join(ENDINGS)}), got none "
            "of these; choose another folder."
        )
    return found


def _spread(count: int, largest: int | None) -> NDArray[np.int64]:
    """At most `largest` numbers below `count`, evenly spread."""
    kept = count if largest is None else min(count, largest)
    return np.arange(kept, dtype=np.int64) * count // max(kept, 1)


def _images(path: Path, size: int) -> Iterable[NDArray[Any]]:
    """Images of a file: those of a table or of a sound, or a single one."""
    if path.suffix.lower() == TABLE:
        return read_matrices(path, size)
    if path.suffix.lower() != SOUND:
        return [_image(path, size)]
    if size != BINS:
        raise ValueError(
            f"{path.name}: spectrograms have {BINS} x {BINS} pixels, got a patch size "
            f"of {size}; set 'Patch size' to {BINS}."
        )
    return read_spectrograms(path)


def _image(path: Path, size: int) -> NDArray[Any]:
    """One image file, resized; volumes are refused."""
    values = read_image(path).values
    if values.ndim == COLOUR_DIMENSIONS or _is_stack(values):
        raise ValueError(
            f"{path.name}: expected a 2-D image, got a volume of the shape "
            f"{values.shape}; give it alone and say with 'Cut along' how to cut it."
        )
    return _resized(values, size)


def _is_stack(values: NDArray[Any]) -> bool:
    return values.ndim == len(AXES) and values.shape[-1] != len("rgb")


def _planes(path: Path, settings: ImageSettings) -> NDArray[Any]:
    """Planes of a volume along the axis of the settings, [N, rows, columns(, 3)]."""
    values = read_image(path).values
    if settings.cut_axis == "none":
        raise ValueError(
            f"{path.name}: expected a folder of images, got a file; say with 'Cut "
            "along' along which axis to cut it, or give a folder."
        )
    if not (_is_stack(values) or values.ndim == COLOUR_DIMENSIONS):
        raise ValueError(
            f"{path.name}: expected a volume to cut along {settings.cut_axis}, got the "
            f"shape {values.shape}; give a volume, or set 'Cut along' to none."
        )
    planes: NDArray[Any] = np.moveaxis(values, AXES.index(settings.cut_axis), 0)
    return planes


def _resized(values: NDArray[Any], size: int) -> NDArray[Any]:
    """The image with another number of pixels, averaged when it shrinks."""
    if values.dtype.kind == "b":
        values = values.astype(np.uint8)
    shape = (size, size, *values.shape[2:])
    if values.shape == shape:
        return values
    smaller = min(values.shape[:2]) > size
    made = skimage.transform.resize(  # type: ignore[no-untyped-call]
        values.astype(np.float64), shape, order=1, anti_aliasing=smaller, mode="edge"
    )
    if values.dtype.kind in "iu":
        made = np.rint(made)
    return np.asarray(made, values.dtype)


def _stacked(images: Iterable[NDArray[Any]], files: list[Path]) -> NDArray[Any]:
    """All images in one array; they must be all grayscale or all in colour."""
    found: list[NDArray[Any]] = []
    for number, image in enumerate(images):
        if found and image.ndim != found[0].ndim:
            name = files[min(number, len(files) - 1)].name if files else "The images"
            raise ValueError(
                f"{name}: expected images that are all grayscale or all in colour, got "
                "both kinds; convert them to one."
            )
        found.append(image)
    return np.stack(found)
