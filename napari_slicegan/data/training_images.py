"""The images a run is trained on, by viewing direction."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Literal

import tifffile
from pydantic import Field, TypeAdapter, ValidationError

from napari_slicegan.config import AXES, Axis, Kind, Settings
from napari_slicegan.data.image_files import read_image
from napari_slicegan.data.interpretation import (
    are_same_phases,
    match_colours,
    match_labels,
)
from napari_slicegan.data.micrograph import ImageFacts, Micrograph
from napari_slicegan.data.pixel_sizes import SIZE_TOLERANCE
from napari_slicegan.data.pixel_values import PhaseColours  # noqa: TC001 for pydantic
from napari_slicegan.runtime.atomic_files import replacing

INDEX = "images.json"


@dataclass(frozen=True, eq=False)
class TrainingImages:
    """One or more images for each viewing direction.

    Make one with `isotropic`, `anisotropic` or `from_volume`.

    Attributes
    ----------
    views
        Images by the axis along which they are seen. An isotropic material has the
        key ``"z"`` only; its images are used for all axes.

    Raises
    ------
    ValueError
        If a direction has no image, or the images differ in kind, phases, pixel size
        or number of values per pixel.
    """

    views: Mapping[Axis, tuple[Micrograph, ...]]

    what: ClassVar[str] = "micrographs"

    def __post_init__(self) -> None:
        views = {axis: tuple(self.views[axis]) for axis in AXES if axis in self.views}
        views = _with_matched_labels(views)
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
        return cls(
            {
                axis: (images,) if isinstance(images, Micrograph) else tuple(images)
                for axis, images in given.items()
            }
        )

    @classmethod
    def from_volume(cls, micrograph: Micrograph) -> TrainingImages:
        """Anisotropic material given by a volume, cut along each axis.

        Planes that are further apart than pixels are resampled to cubic voxels.

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
        cubic = micrograph.cubic()
        return cls.anisotropic(cubic, cubic, cubic)

    def reduced(self, factors: Sequence[int]) -> TrainingImages:
        """Images with fewer pixels along some axes.

        Parameters
        ----------
        factors
            Along z, y, x: as many pixels become one.
        """
        if max(factors) == 1:
            return self
        by_axis = dict(zip(AXES, factors, strict=True))
        return TrainingImages(
            {
                axis: tuple(image.reduced(by_axis, axis) for image in images)
                for axis, images in self.views.items()
            }
        )

    @property
    def kind(self) -> Kind:
        """Kind of all the images."""
        return self.views["z"][0].kind

    @property
    def labels(self) -> tuple[int, ...]:
        """Sorted labels of the phases found in any of the images."""
        return tuple(sorted({label for image in self for label in image.labels}))

    @cached_property
    def phase_fractions(self) -> tuple[float, ...]:
        """Share of each label among the pixels of all the images."""
        values = [image.values for image in self]
        pixels = sum(array.size for array in values)
        return tuple(
            sum(int((array == label).sum()) for array in values) / pixels
            for label in self.labels
        )

    @cached_property
    def extremes(self) -> tuple[float, float]:
        """Lowest and highest value of all the images."""
        values = [image.values for image in self]
        low = min(float(array.min()) for array in values)
        return low, max(float(array.max()) for array in values)

    @property
    def pixel_size_nm(self) -> float | None:
        """Pixel size of the images, None if none of them has one."""
        sizes = (image.pixel_size_nm for image in self)
        return next((size for size in sizes if size is not None), None)

    @property
    def colours(self) -> PhaseColours:
        """Colours of the phases, of the first image that has one for a phase."""
        if self.kind != "phases":
            return {}
        found: PhaseColours = {}
        for image in self:
            found = {**image.facts.colours, **found}
        return {label: found[label] for label in self.labels if label in found}

    @property
    def name(self) -> str:
        """Name of the first image, for messages and files."""
        return self.views["z"][0].name

    @property
    def material(self) -> Literal["isotropic", "anisotropic"]:
        """Isotropic if one set of images is used for all axes."""
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

    def _check_agreement(self) -> None:
        """Raise a ValueError if kinds, pixel sizes or phases differ."""
        first, wanted = self.views["z"][0], self.pixel_size_nm
        for axis, images in self.views.items():
            for image in images:
                if image.kind != first.kind:
                    raise ValueError(
                        f"All images must be of one kind, got {first.kind} "
                        f"({first.name}) and {image.kind} ({image.name}, seen along "
                        f"{axis}); choose the same kind for all."
                    )
                size = image.pixel_size_nm
                if wanted is None or size is None:
                    continue
                if not math.isclose(wanted, size, rel_tol=SIZE_TOLERANCE):
                    raise ValueError(
                        f"All images must have the same pixel size, got {wanted:g} nm "
                        f"and {size:g} nm ({image.name}, seen along {axis}); rescale "
                        "one of them."
                    )
        if self.kind != "phases":
            return
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

        An image used for several directions is written once.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        files: dict[int, str] = {}
        entries = []
        for axis, images in self.views.items():
            for number, image in enumerate(images):
                if id(image) not in files:
                    files[id(image)] = f"{axis}-{number}.tif"
                    photometric = "rgb" if image.kind == "colour" else "minisblack"
                    with replacing(folder / files[id(image)]) as temporary:
                        tifffile.imwrite(
                            temporary,
                            image.values,
                            photometric=photometric,
                            compression="zlib",
                        )
                entry = _Entry(
                    axis=axis,
                    file=files[id(image)],
                    kind=image.kind,
                    pixel_size_nm=image.pixel_size_nm,
                    name=image.name,
                    colours=dict(image.facts.colours),
                )
                entries.append(entry)
        with replacing(folder / INDEX) as temporary:
            temporary.write_bytes(ENTRIES.dump_json(entries, indent=1))

    @classmethod
    def load(cls, folder: str | Path) -> TrainingImages:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            If the images are missing or damaged.
        """
        folder = Path(folder)
        entries = _read_index(folder)
        read: dict[str, Micrograph] = {}
        views: dict[Axis, tuple[Micrograph, ...]] = {}
        for entry in entries:
            if entry.file not in read:
                file = read_image(folder / entry.file)
                image = Micrograph.from_array(
                    file.values,
                    entry.kind,
                    entry.pixel_size_nm,
                    entry.name,
                    axes=file.axes,
                )
                facts = ImageFacts("as stored in the run", "", entry.colours)
                read[entry.file] = replace(image, facts=facts)
            views[entry.axis] = (*views.get(entry.axis, ()), read[entry.file])
        return cls(views)

    @staticmethod
    def names_in(folder: Path) -> list[str]:
        """Names of the images in a folder that `save` wrote, each once."""
        return list(dict.fromkeys(entry.name for entry in _read_index(folder)))


class _Entry(Settings):
    """One image in the index."""

    axis: Axis
    file: str = Field(pattern=r"^[zyx]-\d+\.tif$")
    kind: Kind
    pixel_size_nm: float | None
    name: str
    colours: PhaseColours = Field(default_factory=dict)


ENTRIES = TypeAdapter(list[_Entry])


def _read_index(folder: Path) -> list[_Entry]:
    try:
        return ENTRIES.validate_json((folder / INDEX).read_bytes())
    except (OSError, ValidationError) as error:
        reason = getattr(error, "strerror", None) or "a damaged file"
        raise ValueError(
            f"{folder / INDEX}: expected the list of a run's images, got '{reason}'; "
            "check its permissions, choose another run folder or train again."
        ) from error


def _with_matched_labels(
    views: dict[Axis, tuple[Micrograph, ...]],
) -> dict[Axis, tuple[Micrograph, ...]]:
    """Images of one material with the labels of the first, matched by rank.

    Programs number the same phases 0, 1 or, to show them black and white, 0, 255. Other
    labels that only some of the images have are other phases.
    """
    images = [image for of_axis in views.values() for image in of_axis]
    if not images or any(image.kind != "phases" for image in images):
        return views
    first = max(images, key=lambda image: len(image.labels))
    wanted = first.labels
    known: dict[int, Micrograph] = {}

    def matched(image: Micrograph) -> Micrograph:
        if id(image) not in known:
            known[id(image)] = _with_labels(image, wanted, first.name)
        return known[id(image)]

    return {axis: tuple(map(matched, of_axis)) for axis, of_axis in views.items()}


def _with_labels(image: Micrograph, wanted: tuple[int, ...], of: str) -> Micrograph:
    """Labels of the same rank, unless they are among those wanted."""
    labels = image.labels
    if not are_same_phases(labels, wanted):
        return image
    pairs = ", ".join(f"{a} -> {b}" for a, b in zip(labels, wanted, strict=True))
    values = match_labels(image.values, labels, wanted)
    colours = match_colours(image.facts.colours, labels, wanted)
    facts = replace(image.facts, colours=colours)
    return replace(image, values=values, facts=facts).noting(
        f"Labels are matched to those of {of} by rank: {pairs}."
    )
