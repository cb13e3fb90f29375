"""A 3-D material: voxel values, what they mean, and the voxel size."""

from __future__ import annotations

import math
import textwrap
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args
from xml.etree import ElementTree

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_slicegan.config import AXES, Axis, Kind, parse_json
from napari_slicegan.config.base import LARGEST_EDGE_NM, SMALLEST_EDGE_NM
from napari_slicegan.data.image_files import DAMAGE, read_image
from napari_slicegan.data.pixel_sizes import MOST_STRETCHED, SIZE_TOLERANCE, Edges
from napari_slicegan.data.pixel_values import (
    MAX_PHASES,
    distinct_values,
    kind_of,
    label_dtype,
    nearest,
    stored_colours,
)
from napari_slicegan.runtime.limits import check_memory
from napari_slicegan.runtime.memory import memory_explained, too_large
from napari_slicegan.runtime.progress import Progress, subrange
from napari_slicegan.volumes.files import NAMESPACE, Planes, write_volume


@dataclass(frozen=True, eq=False)
class Volume:
    """A volume with its meaning.

    Attributes
    ----------
    values
        ``[Z, Y, X]``, of colour ``[Z, Y, X, 3]``. Labels of phases are held in the
        smallest integer type that fits all `labels`.
    kind
        Meaning of the values: labels of phases, gray values or colours.
    voxel_size_nm
        Edge of a voxel in nanometres, None if unknown.
    labels
        Sorted label values of the phases, including phases that this volume does not
        contain; found in the values if left out. Empty for the other kinds.
    colours
        Colours of the phases, if those of the micrograph have some.

    Raises
    ------
    ValueError
        If values, kind, voxel size and labels do not fit together.
    """

    values: NDArray[Any]
    kind: Kind
    voxel_size_nm: float | None = None
    labels: tuple[int, ...] = ()
    colours: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_shape(self.values, self.kind)
        size = self.voxel_size_nm
        if size is not None and not SMALLEST_EDGE_NM <= size <= LARGEST_EDGE_NM:
            raise ValueError(
                "The voxel size must be a positive number of nanometres, at least "
                f"{SMALLEST_EDGE_NM:g} and at most {LARGEST_EDGE_NM:g}; got {size}. "
                "Correct it or leave it out."
            )
        if self.kind == "phases":
            labels = _labels(self.values, self.labels)
            values = self.values.astype(label_dtype(labels), copy=False)
            object.__setattr__(self, "labels", labels)
            object.__setattr__(self, "values", values)
        elif self.labels:
            raise ValueError(
                f"Only a volume of phases has labels; got {self.labels} for the kind "
                f"'{self.kind}'. Leave them out or choose the kind 'phases'."
            )

    @classmethod
    def from_array(
        cls,
        values: NDArray[Any],
        kind: Literal["auto", "phases", "grayscale", "colour"] = "auto",
        voxel_size_nm: float | None = None,
    ) -> Volume:
        """Infer the meaning of the values.

        ``"auto"``: three values per voxel are colours; bools, and integers with at
        most 16 distinct values, are phases; anything else is grayscale.

        Parameters
        ----------
        values
            ``[Z, Y, X]``, of colour ``[Z, Y, X, 3]``.
        kind
            What the values mean.
        voxel_size_nm
            Edge of a voxel in nanometres, None if unknown.

        Raises
        ------
        ValueError
            If the array is not a volume of that kind.
        """
        _check_shape(values, "colour" if values.ndim == 4 else "grayscale")
        # A volume that is three voxels wide is not an image with three channels.
        flat = values if values.ndim == 4 else values.reshape(len(values), -1)
        return cls(values, kind_of(flat) if kind == "auto" else kind, voxel_size_nm)

    def rescaled(self, factor: float) -> Volume:
        """Other number of voxels per axis, each with the value at its centre.

        Parameters
        ----------
        factor
            On the number of voxels; the voxel size is divided by it.
        """
        if factor == 1:
            return self
        shape = tuple(max(1, round(n * factor)) for n in self.values.shape[:3])
        values = nearest(self.values, shape + self.values.shape[3:])
        size = self.voxel_size_nm
        size = size and size / factor
        return Volume(values, self.kind, size, self.labels, self.colours)

    @classmethod
    def open(
        cls,
        path: str | Path,
        pixel_size_nm: float | None = None,
        z_step_nm: float | None = None,
    ) -> Volume:
        """Read a file written by `save`, or any TIFF stack or NPY array.

        The kind of other files is inferred as in `from_array`.

        Parameters
        ----------
        pixel_size_nm, z_step_nm
            Edge of a pixel and distance of the planes, taken where the file holds
            none; the planes are as far apart as the pixels if only the edge is given.

        Raises
        ------
        ValueError
            If the file cannot be read or does not hold a volume.
        """
        return cls.open_sized(path, pixel_size_nm, z_step_nm)[0]

    @classmethod
    def open_sized(
        cls,
        path: str | Path,
        pixel_size_nm: float | None = None,
        z_step_nm: float | None = None,
    ) -> tuple[Volume, bool]:
        """As `open`, and whether the file holds a voxel size of its own."""
        path = Path(path)
        facts = _stored_facts(path)
        if facts is not None:
            volume = _read_stored(path, facts)
            has_own = volume.voxel_size_nm is not None
            if not has_own and pixel_size_nm is not None:
                step = z_step_nm or pixel_size_nm
                volume = replace(volume, voxel_size_nm=pixel_size_nm)
                volume = volume.cubic((pixel_size_nm, pixel_size_nm, step))
            elif not has_own and z_step_nm is not None:
                raise without_size(path, z_step_nm)
            return volume, has_own
        image = read_image(path, is_volume=True)
        if image.is_colour and not image.is_volume:
            raise ValueError(
                f"{path.name}: expected a volume; got a 2-D colour image. Open it as a "
                "micrograph or choose another file."
            )
        edges, has_own = image.edges_nm, image.edges_nm is not None
        if edges is None and pixel_size_nm is not None:
            edges = (pixel_size_nm, pixel_size_nm)
        if edges is not None and len(edges) == 2 and z_step_nm is not None:
            edges = (*edges, z_step_nm)
        if edges is None and z_step_nm is not None:
            raise without_size(path, z_step_nm)
        size = None if edges is None else min(edges[:2])
        try:
            volume = cls.from_array(image.values, voxel_size_nm=size)
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from error
        return (volume if edges is None else volume.cubic(edges)), has_own

    def cubic(self, edges_nm: Edges) -> Volume:
        """Resampled to cubes of the shortest edge, each with the value at its centre.

        Parameters
        ----------
        edges_nm
            Along X, Y and, where known, Z.
        """
        x, y, z = (*edges_nm, edges_nm[0])[:3]
        edge = min(x, y, z)
        if all(math.isclose(e, edge, rel_tol=SIZE_TOLERANCE) for e in (x, y, z)):
            return self
        if max(x, y, z) > MOST_STRETCHED * edge:
            raise ValueError(
                f"Expected voxel edges that differ by a factor of at most "
                f"{MOST_STRETCHED}, got {x:.4g} x {y:.4g} x {z:.4g} nm (X x Y x Z); "
                "correct the header of the file."
            )
        warnings.warn(
            f"Voxels of {x:.4g} x {y:.4g} x {z:.4g} nm (X x Y x Z) are resampled to "
            f"cubes of {edge:.4g} nm.",
            stacklevel=3,
        )
        shape = tuple(
            max(1, round(n * e / edge))
            for n, e in zip(self.values.shape[:3], (z, y, x), strict=True)
        )
        values = nearest(self.values, shape + self.values.shape[3:])
        return Volume(values, self.kind, edge, self.labels, self.colours)

    def save(self, path: str | Path, progress: Progress | None = None) -> None:
        """Write the format of the ending.

        OME-TIFF (``.tif``), NPY, VTK ImageData (``.vti``), NRRD, MRC, or MetaImage
        (``.mha``; ``.mhd`` with the values in ``.raw``). A TIFF also holds voxel size,
        kind, labels and colours, and `open` gives the same volume back. The file
        appears complete or not at all.

        Parameters
        ----------
        progress
            Called with the finished fraction before each plane.

        Raises
        ------
        ValueError
            If the ending is another one, or the format cannot hold the values.
        """
        planes = Planes(
            _reporting(self.values, subrange(progress)),
            self.values.shape,
            self.values.dtype,
            self.kind,
            self.voxel_size_nm,
            self.labels,
            self.colours,
        )
        write_volume(Path(path), planes)

    def planes(self, axis: Axis) -> NDArray[Any]:
        """All planes seen along an axis, as a view: ``[N, rows, columns(, 3)]``.

        Rows and columns are Y and X seen along z, Z and X along y, Z and Y along x.
        """
        return np.moveaxis(self.values, AXES.index(axis), 0)


def _reporting(values: NDArray[Any], report: Progress) -> Iterator[NDArray[Any]]:
    """Planes along z; reports the fraction of those that have been taken."""
    for number, plane in enumerate(values):
        report(number / len(values))
        yield plane


def _check_shape(values: NDArray[Any], kind: Kind) -> None:
    """Refuse arrays that are not a volume of that kind."""
    if kind not in get_args(Kind):
        raise ValueError(
            f"The kind of a volume is one of {', '.join(get_args(Kind))}; got '{kind}'."
        )
    shape = " x ".join(map(str, values.shape)) or "a single number"
    wanted = "[Z, Y, X, 3]" if kind == "colour" else "[Z, Y, X]"
    channels = values.shape[3:] if kind == "colour" else (3,)
    if values.ndim != (4 if kind == "colour" else 3) or channels != (3,):
        raise ValueError(
            f"A volume of the kind '{kind}' must be {wanted}; got {shape}. Choose "
            "another kind or give a 3-D array."
        )
    if values.size == 0 or values.dtype.kind not in "buif":
        raise ValueError(
            f"A volume must hold at least one voxel, of real numbers; got {shape} of "
            f"{values.dtype}. Check where the array comes from."
        )


def _labels(values: NDArray[Any], labels: tuple[int, ...]) -> tuple[int, ...]:
    """Sorted labels: those given if they cover the values, else those found."""
    limit = MAX_PHASES if values.dtype.kind in "bui" else 0
    found = distinct_values(values, limit)
    if found is None:
        raise ValueError(
            f"A volume of phases must hold at most {MAX_PHASES} integer labels; got "
            f"more distinct values, of {values.dtype}. Choose the kind 'grayscale'."
        )
    strange = sorted(set(found) - set(labels)) if labels else []
    if strange:
        raise ValueError(
            f"The values must be among the labels {labels}; got {strange} too. "
            "Give the labels of all phases or leave them out."
        )
    return tuple(sorted({int(label) for label in labels or found}))


def without_size(path: Path, z_step_nm: float) -> ValueError:
    """Why the distance of planes alone gives no voxel size."""
    return ValueError(
        f"{path.name}: expected a pixel size for 'Plane distance' {z_step_nm:g} nm, "
        "got none in the file; give 'Pixel size' too."
    )


def _stored_facts(path: Path) -> dict[str, str] | None:
    """Metadata written by `Volume.save` in a TIFF; None for any other file."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        return None
    try:
        with tifffile.TiffFile(path) as tiff:
            root = ElementTree.fromstring(tiff.ome_metadata or "<OME/>")
    except DAMAGE:
        return None  # not ours; the general reader reports the fault
    for element in root.iter():
        if element.get("Namespace") == NAMESPACE:
            items = (item for item in element.iter() if "K" in item.attrib)
            return {item.attrib["K"]: item.text or "" for item in items}
    return None


def _read_stored(path: Path, facts: dict[str, str]) -> Volume:
    """Volume from a file that `Volume.save` wrote."""
    try:
        kind: Kind = facts["kind"]  # type: ignore[assignment]
        shape = parse_json(facts["shape"])
        labels = tuple(parse_json(facts["labels"]))
        # TIFF readers drop axes of length one; the stored shape restores them.
        with tifffile.TiffFile(path) as tiff:
            stored = tiff.series[0]
            check_memory(stored.shape, np.dtype(stored.dtype), path.name)
            with memory_explained(too_large(path.name)):
                values = np.asarray(stored.asarray()).reshape(shape)
        voxel_size_nm = parse_json(facts["voxel_size_nm"])
        colours = stored_colours(parse_json(facts.get("colours", "{}")))
        return Volume(values, kind, voxel_size_nm, labels, colours)
    except DAMAGE as error:
        if str(error).startswith(f"{path.name}: "):
            raise
        raise ValueError(
            f"{path.name}: expected a complete volume; got a damaged file "
            f"({textwrap.shorten(str(error), 120)}). "
            "Generate it again or use a copy."
        ) from error
