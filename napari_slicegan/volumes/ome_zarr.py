"""OME-Zarr images with a pyramid, written block by block."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.data.pixel_values import rgb_of, stored_colours
from napari_slicegan.data.volume_files import OWN, own_attributes, zarr_package
from napari_slicegan.runtime.atomic_files import (
    creating_folder,
    make_folder,
    remove_partial_files,
    replacing,
)
from napari_slicegan.runtime.memory import lacks_memory
from napari_slicegan.runtime.optional_packages import optional_package
from napari_slicegan.volumes.block_tree import Block, BlockTree, Box, inner_edge

if TYPE_CHECKING:
    from napari_slicegan.config import Kind

logger = logging.getLogger(__name__)

ENDING = ".zarr"
VERSION = "0.5"
CHUNK_EDGE = 64
# Labels compress to a twentieth with their bits sorted by significance.
COMPRESSION = {"cname": "zstd", "clevel": 5, "shuffle": "bitshuffle"}
# What zarr raises for wrong checksums and for chunks that cannot be decompressed.
DAMAGED = (ValueError, RuntimeError)
# What zarr raises for metadata that are damaged.
DAMAGED_METADATA = (
    ArithmeticError,
    AttributeError,
    FileNotFoundError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
METHODS = {
    "phases": ("mode", "The commonest label of 2 x 2 x 2 voxels, else the first."),
    "grayscale": ("mean", "The mean of 2 x 2 x 2 voxels."),
    "colour": ("mean", "The mean of 2 x 2 x 2 voxels."),
}


@dataclass(frozen=True)
class ImageFacts:
    """What the values of an image are; as of a `Volume`."""

    name: str
    kind: Kind
    dtype: np.dtype[Any]
    voxel_size_nm: float | None
    colours: Mapping[int, str] = field(default_factory=dict)

    @property
    def channels(self) -> tuple[int, ...]:
        """Channel axis of the stored arrays: (3,) of colour, else ()."""
        return (3,) if self.kind == "colour" else ()


@contextlib.contextmanager
def damage_explained(path: Path) -> Iterator[None]:
    """Report metadata that zarr or this program cannot read in one sentence.

    Raises
    ------
    ValueError
        Instead of the errors of zarr, which are of many kinds.
    """
    try:
        yield
    except DAMAGED_METADATA as error:
        reason = textwrap.shorten(str(error), 120) or type(error).__name__
        raise ValueError(
            f"{path.name}: expected a volume of this program, got one whose metadata "
            f"are damaged ({reason}); copy it again or generate it anew."
        ) from error


class BlockedImage:
    """An OME-Zarr image on disk.

    Parameters
    ----------
    path
        Its folder.
    tree
        Its blocks.

    Attributes
    ----------
    channels
        See `ImageFacts`.

    Raises
    ------
    ValueError
        If there is no image, its metadata are damaged, or zarr is not installed.
    """

    def __init__(self, path: Path, tree: BlockTree) -> None:
        self.path, self.tree = path, tree
        zarr = zarr_package()
        with damage_explained(path):
            group = zarr.open_group(str(path), mode="r")
            self._levels = [group[str(level)] for level in range(tree.levels)]
            self._encoders = [_Encoder(level) for level in self._levels]
            self.channels: tuple[int, ...] = self._levels[0].shape[:-3]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        dtype: np.dtype[Any] = self._levels[0].dtype
        return dtype

    def file(self, block: Block) -> Path:
        """File of a block."""
        place = (0,) * len(self.channels) + block.place
        return self.path.joinpath(str(block.level), "c", *map(str, place))

    def has(self, block: Block) -> bool:
        """Whether there is a file of a block; see also `has_whole`."""
        try:
            return self.file(block).stat().st_size > 0
        except FileNotFoundError:
            return False

    def has_whole(self, block: Block) -> bool:
        """Whether a block is on the disk and undamaged; a damaged one is deleted.

        Reads the block: its checksums detect files cut off or overwritten by a power
        failure or an incomplete copy.
        """
        if not self.has(block):
            return False
        try:
            self.read(block.level, self.tree.target(block))
        except DAMAGED as error:
            if lacks_memory(error):
                raise
            file = self.file(block)
            logger.warning("%s is damaged (%s); it is generated again.", file, error)
            file.unlink(missing_ok=True)
            return False
        return True

    def write(self, block: Block, values: NDArray[Any]) -> None:
        """Write all voxels of a block, [Z, Y, X] or [Z, Y, X, 3].

        The file appears complete and flushed to the disk, or not at all.

        Raises
        ------
        OSError
            If the disk is full; the block is not there then.
        """
        if self.channels:
            values = np.moveaxis(values, -1, 0)
        box = (..., *self.tree.target(block))
        content = self._encoders[block.level].encoded(box, values)
        file = self.file(block)
        make_folder(file.parent)
        with replacing(file) as temporary:
            temporary.write_bytes(content)

    def read(self, level: int, box: Box) -> NDArray[Any]:
        """Voxels of a box, [Z, Y, X] or [Z, Y, X, 3]; zero where there is no block."""
        values = np.asarray(self._levels[level][(..., *box)])
        return np.moveaxis(values, 0, -1) if self.channels else values

    def planes(self, buffer_bytes: int) -> Iterator[NDArray[Any]]:
        """Planes along z, [Y, X] or [Y, X, 3], read a few at a time."""
        depth, height, width = self.tree.size
        voxel_bytes = self.dtype.itemsize * math.prod(self.channels)
        # Whole chunks where the buffer holds them: each is decompressed once.
        fitting = buffer_bytes // (height * width * voxel_bytes)
        n = max(1, min(fitting, self.tree.edges[0]))
        chunk = self._levels[0].chunks[-3]
        n = n // chunk * chunk or n
        for start in range(0, depth, n):
            stop = min(start + n, depth)
            yield from self.read(0, (slice(start, stop), slice(None), slice(None)))

    def remove_partial_files(self) -> None:
        """Delete unfinished files of dead processes."""
        remove_partial_files(self.path, recursive=True)


class _Encoder:
    """Encodes the blocks of a level in memory; zarr's own files are not flushed."""

    def __init__(self, level: Any) -> None:
        zarr = zarr_package()
        self._files: dict[str, Any] = {}
        self._array = zarr.create_array(
            store=zarr.storage.MemoryStore(self._files),
            shape=level.shape,
            chunks=level.chunks,
            shards=level.shards,
            dtype=level.dtype,
            compressors=level.compressors,
            fill_value=level.fill_value,
            # By default a block of nothing but zeros would not become a file.
            config={"write_empty_chunks": True},
        )
        self._files.clear()

    def encoded(self, box: Any, values: NDArray[Any]) -> bytes:
        """Content of the file of the block whose voxels are given."""
        self._array[box] = values
        _, content = self._files.popitem()
        return bytes(content.to_bytes())


def create_image(
    path: Path, tree: BlockTree, image: ImageFacts, own: Mapping[str, Any]
) -> None:
    """Create an image without blocks; the folder is whole or not there.

    Parameters
    ----------
    own
        Attributes of this program.

    Raises
    ------
    ValueError
        If zarr is not installed.
    OSError
        If it cannot be written, or ``path`` is there already.
    """
    zarr = zarr_package()
    path.parent.mkdir(parents=True, exist_ok=True)
    with creating_folder(path) as temporary:
        attributes = {"ome": ome_attributes(tree, image), OWN: dict(own)}
        group = zarr.create_group(str(temporary), attributes=attributes)
        inner = tuple(inner_edge(edge, CHUNK_EDGE) for edge in tree.edges)
        for level in range(tree.levels):
            group.create_array(
                str(level),
                shape=(*image.channels, *tree.shape(level)),
                chunks=(*image.channels, *inner),
                shards=(*image.channels, *tree.edges),
                dtype=image.dtype.newbyteorder("="),
                compressors=[
                    zarr.codecs.BloscCodec(**COMPRESSION),
                    zarr.codecs.Crc32cCodec(),
                ],
                fill_value=0,
                dimension_names=[axis["name"] for axis in axes_of(image)],
            )


def set_own_attributes(path: Path, own: Mapping[str, Any]) -> None:
    """Replace this program's attributes of an image."""
    about = json.loads((path / "zarr.json").read_text("utf-8"))
    about["attributes"][OWN] = dict(own)
    with replacing(path / "zarr.json") as temporary:
        temporary.write_text(json.dumps(about, indent=2), encoding="utf-8")


def ome_attributes(tree: BlockTree, image: ImageFacts) -> dict[str, Any]:
    """The attribute "ome" of an image: axes, and scale and origin of each level.

    Coordinates are those of the voxels' centres, so that a voxel of a coarser level
    lies in the middle of those that it covers.
    """
    edge = image.voxel_size_nm or 1.0
    channels = [1.0] * len(image.channels)
    datasets = []
    for level in range(tree.levels):
        step = edge * 2**level
        first = (step - edge) / 2
        moves: list[dict[str, Any]] = [
            {"type": "scale", "scale": [*channels, step, step, step]},
            {
                "type": "translation",
                "translation": [*(0.0 for _ in channels), first, first, first],
            },
        ]
        datasets.append({"path": str(level), "coordinateTransformations": moves})
    method, description = METHODS[image.kind]
    multiscale = {
        "name": image.name,
        "axes": axes_of(image),
        "datasets": datasets,
        "type": method,
        "metadata": {
            "method": "napari_slicegan.volumes.block_tree",
            "description": description,
        },
    }
    attributes: dict[str, Any] = {"version": VERSION, "multiscales": [multiscale]}
    if image.colours:
        colours = [
            {"label-value": label, "rgba": [*rgb_of(name), 255]}
            for label, name in image.colours.items()
        ]
        attributes["image-label"] = {"version": VERSION, "colors": colours}
    return attributes


def axes_of(image: ImageFacts) -> list[dict[str, str]]:
    """Axes of the stored arrays; lengths have a unit if the voxel size is known."""
    unit = {} if image.voxel_size_nm is None else {"unit": "nanometer"}
    space = [{"name": axis, "type": "space", **unit} for axis in "zyx"]
    return [{"name": "c", "type": "channel"} for _ in image.channels] + space


def is_pyramid(path: Path) -> bool:
    """Whether a folder is a volume written by this program. Loads nothing."""
    try:
        return own_attributes(path) is not None
    except ValueError:
        return True  # a damaged one; those who open it say so


def open_levels(path: Path) -> tuple[list[Any], dict[str, Any]]:
    """Levels, finest first, read lazily, and the metadata that this program wrote.

    Returns
    -------
    list of dask.array.Array
        [Z, Y, X], of colour [Z, Y, X, 3]; 0 where blocks are missing.
    dict
        ``kind``, ``labels``, ``colours``, ``voxel_size_nm``, ``complete`` and others.

    Raises
    ------
    ValueError
        If it is no volume written by this program, its metadata are damaged, or zarr
        is not installed.
    """
    own = own_attributes(path)
    if own is None:
        raise ValueError(
            f"Expected a volume written by 'slicegan generate', got {path}; choose "
            "another folder."
        )
    zarr = zarr_package()
    array = optional_package("dask.array", "reads volumes tile by tile", "scale")
    with damage_explained(path):
        stored = zarr.open_group(str(path), mode="r")
        for level in (stored[str(n)] for n in range(own["levels"])):
            if 0 in (level.shards or level.chunks):
                raise ValueError("its chunks have no voxels")
        own["colours"] = stored_colours(own.get("colours", {}))
        levels = [array.from_zarr(str(path / str(n))) for n in range(own["levels"])]
        is_colour = own["kind"] == "colour"
    if is_colour:
        # [C, Z, Y, X] -> [Z, Y, X, C]
        levels = [array.moveaxis(level, 0, -1) for level in levels]
    return levels, own
