"""The real material that a volume is compared with.

From 2-D images or from a 3-D truth: samples to measure, and disjoint pieces of them
whose differences are the noise floor.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.config import AXES, Axis
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.metrics.stored_volume import (
    IN_3D,
    SEEN_ALONG,
    AnyVolume,
    Orientation,
    disjoint_boxes,
    is_sampled,
    spread,
)
from napari_slicegan.volumes.volume import Volume

Found = TypeVar("Found")
Images: TypeAlias = Sequence[NDArray[Any]]
Material: TypeAlias = (
    Volume | Micrograph | TrainingImages | Images | Mapping[Axis, Images]
)

ISOTROPIC: Orientation = dict.fromkeys(AXES, (0, 1))
MAX_SLICES = 16
MAX_BLOCKS = 8
# Edge of the blocks of the truth on which 3-D metrics are measured.
MAX_EDGE = 256


@dataclass(frozen=True, eq=False)
class Sample:
    """An image or volume, and the array axes that run along each direction."""

    values: NDArray[Any]
    axes: Orientation

    @property
    def size(self) -> int:
        """Number of voxels, times channels of colour."""
        return self.values.size

    def read(self) -> NDArray[Any]:
        """The values; same interface as `Part`."""
        return self.values


Group: TypeAlias = tuple[Sample, ...]


@dataclass(frozen=True, eq=False)
class Reference:
    """Real samples, and the pieces of them that give the noise floor.

    Attributes
    ----------
    samples
        The real material.
    pieces
        Disjoint 2-D parts, in groups of the same orientation.
    blocks
        Disjoint 3-D parts of the truth no larger than the generated volume, for 3-D
        metrics: these depend on the size, and of a rare phase one block may percolate
        and the next one not. Empty without a truth.
    every_direction
        Whether the samples represent all directions of space.
    max_distance
        Curves are compared at r = 0, 1, ... max_distance - 1 voxels.
    description, noise
        Samples and pieces in words.
    """

    samples: Group
    pieces: tuple[Group, ...]
    blocks: Group
    every_direction: bool
    max_distance: int
    description: str
    noise: str
    _found: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)

    def once(self, key: Hashable, measure: Callable[[], Found]) -> Found:
        """Result of `measure`, cached by key."""
        if key not in self._found:
            self._found[key] = measure()
        found: Found = self._found[key]
        return found

    def array_axes(self, axis: Axis | None) -> Hashable:
        """Array axes of all samples along a direction; equal where they are the same.

        In the images of an isotropic material every direction has the same ones.
        """
        groups = (self.samples, *self.pieces, self.blocks)
        samples = itertools.chain(*groups)
        return axis and tuple(sample.axes.get(axis) for sample in samples)


class RealStatistics:
    """Real material with cached statistics, for comparison with many volumes.

    Accepted wherever the material is. The cache holds for volumes of one shape, kind
    and voxel size; another one clears it.

    Parameters
    ----------
    material
        Images or a volume, see `napari_slicegan.metrics.comparison.compare`; their
        values must not change.
    """

    def __init__(self, material: Material) -> None:
        self._material = material
        self._of: Hashable = None
        self._reference: Reference | None = None

    def reference(self, volume: AnyVolume, max_distance: int) -> Reference:
        """As `reference_of`; the same one for volumes of the same form."""
        shape = tuple(volume.values.shape)
        form = (volume.kind, volume.voxel_size_nm, shape, max_distance)
        if self._reference is None or form != self._of:
            self._reference = reference_of(self._material, volume, max_distance)
            self._of = form
        return self._reference


Source: TypeAlias = Material | RealStatistics


def reference_of(source: Source, volume: AnyVolume, max_distance: int) -> Reference:
    """Samples and pieces of any kind of source, see `compare`.

    Raises
    ------
    ValueError
        If the source does not fit the volume: kind, voxel size, shape, directions.
    """
    if isinstance(source, RealStatistics):
        return source.reference(volume, max_distance)
    check_source(source, volume.kind, volume.voxel_size_nm)
    if isinstance(source, Micrograph):
        source = TrainingImages.isotropic(source)
    if isinstance(source, TrainingImages):
        source = _truth_or_views(source)
    if isinstance(source, Volume):
        return _from_truth(source, volume, max_distance)
    if not isinstance(source, Mapping):
        source = {"z": source}
    return _from_views(source, volume, max_distance)


def views_of(samples: Group, n_planes: int) -> dict[Axis | None, list[NDArray[Any]]]:
    """Real images by the axis they are seen along; None for isotropic images.

    A volume is represented by evenly spaced planes along each axis.
    """
    views: dict[Axis | None, list[NDArray[Any]]] = {}
    for sample in samples:
        if sample.axes is IN_3D:
            for number, axis in enumerate(AXES):
                stack = np.moveaxis(sample.values, number, 0)
                views[axis] = some_planes(stack, n_planes)
        elif sample.axes is ISOTROPIC:
            views.setdefault(None, []).append(sample.values)
        else:
            seen = next(axis for axis in AXES if axis not in sample.axes)
            views.setdefault(seen, []).append(sample.values)
    return views


def some_planes(stack: NDArray[Any], count: int) -> list[NDArray[Any]]:
    """At most `count` planes of a stack [N, rows, columns(, 3)], evenly spaced."""
    return [stack[index] for index in spread(len(stack), min(count, len(stack)))]


def has_truth(images: TrainingImages) -> bool:
    """Whether all slices came from one volume."""
    first = next(iter(images))
    return first.is_volume and all(image is first for image in images)


def _truth_or_views(images: TrainingImages) -> Volume | dict[Axis, Images]:
    """The one volume that all slices came from, or 2-D images by direction."""
    first = next(iter(images))
    if has_truth(images):
        return Volume(first.values, first.kind, first.pixel_size_nm)
    return {
        axis: [
            plane
            for image in of_axis
            for plane in some_planes(image.planes(axis), MAX_SLICES)
        ]
        for axis, of_axis in images.views.items()
    }


def check_source(source: Source, kind: str, voxel_nm: float | None) -> None:
    """Refuse a source that does not fit volumes, before they are generated.

    Parameters
    ----------
    kind, voxel_nm
        Kind of the volumes, and edge of their voxels in nanometres.

    Raises
    ------
    ValueError
        If it is of another kind, or has voxels of another size, as far as known.
    """
    if isinstance(source, Volume):
        size_nm = source.voxel_size_nm
    elif isinstance(source, Micrograph | TrainingImages):
        size_nm = source.pixel_size_nm
    else:
        return
    if source.kind != kind:
        raise ValueError(
            f"Reference and volume must be of one kind; got '{source.kind}' and "
            f"'{kind}'. Segment the reference or choose another one."
        )
    if size_nm is None or voxel_nm is None:
        return
    if not math.isclose(size_nm, voxel_nm, rel_tol=0.01):
        raise ValueError(
            f"Reference and volume must have the same voxel size; got {size_nm:g} nm "
            f"and {voxel_nm:g} nm. Rescale one of them."
        )


def _from_views(
    views: Mapping[Axis, Images], volume: AnyVolume, max_distance: int
) -> Reference:
    """Reference from 2-D images by the axis they are seen along."""
    groups = _groups(views, volume)
    samples = tuple(itertools.chain(*groups))
    reach = _reach(max_distance, samples, volume)
    pieces = tuple(
        tuple(part for sample in group for part in _crops(sample, reach))
        for group in groups
    )
    noise = f"disjoint crops: {_sizes(itertools.chain(*pieces))}"
    if max(map(len, pieces)) < 2:
        noise = "none (the image is too small to be cut into crops)"
    return Reference(
        samples=samples,
        pieces=pieces,
        blocks=(),
        every_direction=samples[0].axes is ISOTROPIC,
        max_distance=reach,
        description=f"2-D images: {_sizes(samples)}",
        noise=noise,
    )


def _groups(views: Mapping[Axis, Images], volume: AnyVolume) -> tuple[Group, ...]:
    """Images of each viewing direction, with the directions of their axes."""
    given = [axis for axis in AXES if len(views.get(axis, ()))]
    if given not in (["z"], list(AXES)):
        raise ValueError(
            "The reference must be images seen along z (isotropic) or along each of z, "
            f"y and x; got {given or 'none'}. Add the missing ones."
        )
    groups = []
    for axis in given:
        axes = ISOTROPIC if given == ["z"] else SEEN_ALONG[axis]
        images = [_checked(np.asarray(image), volume) for image in views[axis]]
        groups.append(tuple(Sample(image, axes) for image in images))
    return tuple(groups)


def _from_truth(truth: Volume, volume: AnyVolume, max_distance: int) -> Reference:
    """Reference from a volume of the real material."""
    whole = Sample(truth.values, IN_3D)
    reach = _reach(max_distance, [whole], volume)
    common = tuple(
        map(min, truth.values.shape, volume.values.shape[:3], [MAX_EDGE] * 3)
    )
    blocks = _blocks(truth.values, common)
    if len(blocks) < 2:  # too few to compare: octants instead
        block = truth.values[tuple(map(slice, common))]
        blocks = _blocks(block, tuple(max(1, n // 2) for n in common))
    pieces = tuple(_slices(truth, axis, reach) for axis in AXES)
    large = is_sampled(truth)
    return Reference(
        samples=tuple(itertools.chain(*pieces)) if large else (whole,),
        pieces=pieces,
        blocks=blocks,
        every_direction=True,
        max_distance=reach,
        description=f"3-D truth: {_sizes([whole])} (3-D metrics: {_sizes(blocks)})",
        noise=f"single slices: {_sizes(itertools.chain(*pieces))} (3-D "
        f"metrics: disjoint blocks: {_sizes(blocks)})",
    )


def _checked(values: NDArray[Any], volume: AnyVolume) -> NDArray[Any]:
    """The array, if it has the form of a plane of the volume."""
    planes = volume.values.shape[1:]
    if values.ndim != len(planes) or values.shape[2:] != planes[2:] or not values.size:
        form = "[rows, columns, 3]" if len(planes) == 3 else "[rows, columns]"
        raise ValueError(
            f"A reference image for a volume of the kind '{volume.kind}' must be "
            f"{form}; got the shape {values.shape}. Pass a list of such images."
        )
    return values


def _reach(max_distance: int, samples: Iterable[Sample], volume: AnyVolume) -> int:
    """Number of distances r covered by every sample and the volume."""
    if max_distance < 1:
        raise ValueError(
            f"The largest distance must be at least 1 voxel; got {max_distance}. "
            "32 covers most materials."
        )
    edges: list[int] = [*volume.values.shape[:3]]
    for sample in samples:
        edges += sample.values.shape[: _rank(sample)]
    return min(max_distance, *edges)


def _crops(sample: Sample, reach: int) -> Group:
    """Quarters; halves or the whole where these would be too short for the curves."""
    cuts = []
    for length in sample.values.shape[:2]:
        half = length // 2
        both = [slice(0, half), slice(half, 2 * half)]
        cuts.append(both if half >= reach else [slice(0, length)])
    return tuple(
        Sample(sample.values[cut], sample.axes) for cut in itertools.product(*cuts)
    )


def _slices(truth: Volume, axis: Axis, reach: int) -> Group:
    """Planes seen along an axis, too far apart to resemble each other."""
    planes = truth.planes(axis)
    count = min(MAX_SLICES, max(1, len(planes) // max(1, reach // 2)))
    return tuple(
        Sample(plane, SEEN_ALONG[axis]) for plane in some_planes(planes, count)
    )


def _blocks(values: NDArray[Any], shape: tuple[int, ...]) -> Group:
    """Disjoint blocks of a shape."""
    boxes = disjoint_boxes(values.shape[:3], shape, MAX_BLOCKS)
    return tuple(Sample(values[box], IN_3D) for box in boxes)


def _rank(sample: Sample) -> int:
    """Number of spatial axes."""
    return 3 if sample.axes is IN_3D else 2


def _sizes(samples: Iterable[Sample]) -> str:
    """How many of which size, such as ``4 of 125 x 125``."""
    shapes = [sample.values.shape[: _rank(sample)] for sample in samples]
    return ", ".join(
        f"{shapes.count(shape)} of {' x '.join(map(str, shape))}"
        for shape in sorted(set(shapes))
    )
