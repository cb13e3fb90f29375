"""The images a run is trained on, by viewing direction."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import tifffile

from napari_slicegan.config import AXES, Axis, Kind
from napari_slicegan.micrograph import Micrograph

SIZE_TOLERANCE = 0.01  # pixel sizes further apart than 1 % differ
INDEX = "images.json"


@dataclass(frozen=True, eq=False)
class TrainingImages:
    """One or more images for each viewing direction.

    Make one with `isotropic`, `anisotropic` or `from_volume`.

    Attributes
    ----------
    views
        Images by the axis along which they are seen. An isotropic material has the
        key ``"z"`` only, and its images serve for all axes.

    Raises
    ------
    ValueError
        If a direction has no image, or the images differ in kind, phases, pixel size
        or number of values per pixel.
    """

    views: Mapping[Axis, tuple[Micrograph, ...]]

    def __post_init__(self) -> None:
        views = {axis: tuple(self.views[axis]) for axis in AXES if axis in self.views}
        object.__setattr__(self, "views", MappingProxyType(views))
        if tuple(views) not in (("z",), AXES) or not all(views.values()):
            given = [axis for axis in views if views[axis]]
            raise ValueError(
                "Expected images seen along z (isotropic) or along each of z, y and x "
                f"(anisotropic), got {given or 'none'}; add the missing ones."
            )
        self._check_agreement()

    @classmethod
    def isotropic(cls, *micrographs: Micrograph) -> TrainingImages:
        """Images of a material that looks the same along all axes."""
        return cls({"z": micrographs})

    @classmethod
    def anisotropic(
        cls,
        z: Micrograph | Sequence[Micrograph],
        y: Micrograph | Sequence[Micrograph],
        x: Micrograph | Sequence[Micrograph],
    ) -> TrainingImages:
        """Images for each viewing direction, one or several.

        Rows and columns are Y and X seen along z, Z and X along y, Z and Y along x.
        """
        given: dict[Axis, Micrograph | Sequence[Micrograph]] = {"z": z, "y": y, "x": x}
        return cls({axis: _as_tuple(images) for axis, images in given.items()})

    @classmethod
    def from_volume(cls, micrograph: Micrograph) -> TrainingImages:
        """Anisotropic material given by a volume, cut along each axis.

        Raises
        ------
        ValueError
            If the micrograph is not a volume.
        """
        if not micrograph.is_volume:
            raise ValueError(
                f"{micrograph.name}: expected a volume to cut along z, y and x, got a "
                "2-D image; give one image per viewing direction instead."
            )
        return cls.anisotropic(micrograph, micrograph, micrograph)

    @property
    def kind(self) -> Kind:
        """Kind of all the images."""
        return self._first.kind

    @property
    def labels(self) -> tuple[int, ...]:
        """Sorted labels of the phases found in any of the images."""
        return tuple(sorted({label for image in self for label in image.labels}))

    @property
    def pixel_size_nm(self) -> float | None:
        """Pixel size of the images, None if none of them has one."""
        sizes = (image.pixel_size_nm for image in self)
        return next((size for size in sizes if size is not None), None)

    @property
    def material(self) -> Literal["isotropic", "anisotropic"]:
        """Isotropic if one set of images serves for all axes."""
        return "isotropic" if len(self.views) == 1 else "anisotropic"

    def __iter__(self) -> Iterator[Micrograph]:
        for images in self.views.values():
            yield from images

    def check_patch(self, patch_size: int) -> None:
        """Refuse images that are smaller than the patch.

        Raises
        ------
        ValueError
            Names the image and the direction.
        """
        for axis, images in self.views.items():
            for image in images:
                image.check_patch(patch_size, axis)

    @property
    def _first(self) -> Micrograph:
        return self.views["z"][0]

    def _check_agreement(self) -> None:
        """Same kind, phases and pixel size everywhere."""
        first = self._first
        for axis, images in self.views.items():
            for image in images:
                if image.kind != first.kind:
                    raise ValueError(
                        f"All images must be of one kind, got {first.kind} "
                        f"({first.name}) and {image.kind} ({image.name}, seen along "
                        f"{axis}); choose the same kind for all."
                    )
                self._check_pixel_size(image, axis)
        if self.kind == "phases":
            self._check_phases()

    def _check_pixel_size(self, image: Micrograph, axis: Axis) -> None:
        """Within 1 % of that of the other images, or unknown."""
        wanted, size = self.pixel_size_nm, image.pixel_size_nm
        if wanted is None or size is None:
            return
        if not math.isclose(wanted, size, rel_tol=SIZE_TOLERANCE):
            raise ValueError(
                f"All images must have the same pixel size, got {wanted:g} nm and "
                f"{size:g} nm ({image.name}, seen along {axis}); rescale one of them."
            )

    def _check_phases(self) -> None:
        """Every viewing direction shows the same phases."""
        shown = {
            axis: sorted({label for image in images for label in image.labels})
            for axis, images in self.views.items()
        }
        for axis, labels in shown.items():
            if labels != shown["z"]:
                raise ValueError(
                    "All viewing directions must show the same phases, got "
                    f"{shown['z']} along z and {labels} along {axis}; use the same "
                    "labels in all images."
                )

    def save(self, folder: str | Path) -> None:
        """Write the images, lossless, and an index into a folder.

        An image that serves several directions is written once.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        files: dict[int, str] = {}
        index: list[dict[str, object]] = []
        for axis, images in self.views.items():
            for number, image in enumerate(images):
                name = files.setdefault(id(image), f"{axis}-{number}.tif")
                if name == f"{axis}-{number}.tif":
                    _write(folder / name, image)
                index.append({"axis": axis, "file": name, **_facts(image)})
        (folder / INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> TrainingImages:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            If the folder holds no images, or damaged ones.
        """
        path = Path(folder) / INDEX
        try:
            index = json.loads(path.read_text(encoding="utf-8"))
            return cls._from_index(path.parent, index)
        except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(
                f"{path}: expected the images of a run, got {error}; choose another "
                "run folder or train again."
            ) from error

    @classmethod
    def _from_index(cls, folder: Path, index: list[dict[str, str]]) -> TrainingImages:
        """Images named in an index, each file read once."""
        read: dict[str, Micrograph] = {}
        views: dict[Axis, tuple[Micrograph, ...]] = {}
        for entry in index:
            facts = dict(entry)
            axis, file = facts.pop("axis"), facts.pop("file")
            if file not in read:
                values = tifffile.imread(folder / Path(file).name)
                read[file] = Micrograph.from_array(values, **facts)  # type: ignore[arg-type]
            views[axis] = (*views.get(axis, ()), read[file])  # type: ignore[index]
        return cls(views)


def _as_tuple(images: Micrograph | Sequence[Micrograph]) -> tuple[Micrograph, ...]:
    return (images,) if isinstance(images, Micrograph) else tuple(images)


def _facts(image: Micrograph) -> dict[str, object]:
    """What a TIFF does not hold."""
    return {
        "kind": image.kind,
        "pixel_size_nm": image.pixel_size_nm,
        "name": image.name,
    }


def _write(path: Path, image: Micrograph) -> None:
    """Lossless TIFF of the values."""
    photometric = "rgb" if image.kind == "colour" else "minisblack"
    tifffile.imwrite(path, image.values, photometric=photometric, compression="zlib")
