"""Volumes of any size on disk; an interrupted write can be resumed."""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_slicegan.config import AXES
from napari_slicegan.data.volume_files import own_attributes
from napari_slicegan.generation.cluster import made_on_cluster
from napari_slicegan.generation.fixed import FixedInputs
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.generation.memory import STREAM_BYTES, with_fitting_tiles
from napari_slicegan.models.generator_file import load_generator
from napari_slicegan.runtime.atomic_files import (
    check_ending,
    fitting_name,
    lock,
    partial_path,
)
from napari_slicegan.runtime.devices import choose_device
from napari_slicegan.runtime.memory import disk_explained
from napari_slicegan.runtime.progress import Progress, subrange
from napari_slicegan.volumes.block_tree import (
    BlockTree,
    halved_phases,
    halved_values,
    levels_for,
)
from napari_slicegan.volumes.files import ENDINGS, Planes, check_type, write_volume
from napari_slicegan.volumes.ome_zarr import (
    BlockedImage,
    ImageFacts,
    create_image,
    damage_explained,
    set_own_attributes,
)

if TYPE_CHECKING:
    from napari_slicegan.models.generator_file import TrainedGenerator
    from napari_slicegan.volumes.block_tree import Block

FORMAT = 1
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def tree_of(plan: VolumePlan, levels: int | None) -> BlockTree:
    """Blocks of a plan: its tiles and the coarser levels; None: down to one block."""
    z, y, x = (
        min(edge, n + n % 2) for edge, n in zip(plan.tile_edges, plan.size, strict=True)
    )
    edges = (z, y, x)
    return BlockTree(plan.size, edges, levels or levels_for(plan.size, edges))


def image_facts(plan: VolumePlan, name: str) -> ImageFacts:
    """Kind, type and voxel size of a plan's volume."""
    trained = plan.trained
    dtype = value_type(trained)
    size = trained.voxel_size_nm
    return ImageFacts(name, trained.transform.kind, dtype, size, trained.colours)


def value_type(trained: TrainedGenerator) -> np.dtype[Any]:
    """Data type of a generator's volumes."""
    transform = trained.transform
    one = transform.inverse(torch.zeros(transform.channels, 1, 1, 1), 0)
    return np.asarray(one).dtype


def settings_of(plan: VolumePlan, levels: int) -> dict[str, Any]:
    """Settings that determine the voxels and their blocks."""
    if plan.edits:
        raise ValueError(
            "Expected a plan without edits to stream a volume, got one with edits; "
            "leave them out or generate the volume in memory."
        )
    trained, transform = plan.trained, plan.trained.transform
    # As JSON gives them back; only where there are some, as in earlier releases.
    colours = {str(label): colour for label, colour in trained.colours.items()}
    return {
        **({"colours": colours} if colours else {}),
        **({"fixed": plan.fixed.digest()} if plan.fixed else {}),
        "format": FORMAT,
        "generator": trained.fingerprint(),
        "name": trained.name,
        "size": list(plan.size),
        "seed": plan.seed,
        "periodic": "".join(axis for axis in AXES if axis in plan.periodic),
        "precision": str(plan.precision).removeprefix("torch."),
        "truncation": plan.truncation,
        "tile_latents": plan.tile_latents,
        "levels": levels,
        "kind": transform.kind,
        "labels": list(trained.labels),
        "voxel_size_nm": trained.voxel_size_nm,
    }


def plan_of(
    trained: TrainedGenerator,
    settings: Mapping[str, Any],
    fixed: FixedInputs | None = None,
) -> VolumePlan:
    """The plan of stored settings, see `settings_of`, with its fixed inputs."""
    z, y, x = settings["size"]
    return VolumePlan(
        trained,
        (z, y, x),
        settings["seed"],
        settings["periodic"],
        settings["tile_latents"],
        PRECISIONS[settings["precision"]],
        truncation=settings["truncation"],
        fixed=fixed,
    )


# Folder of the generator while the volume is unfinished, for workers elsewhere.
MAKING = ".making"
FIXED = "fixed.safetensors"
BUFFER_BYTES = 2**26


class StreamedVolume:
    """A volume written to disk as OME-Zarr; see `begin` and `at`.

    Parameters
    ----------
    path
        Its folder.
    plan
        Plan of its tiles.
    own
        Settings stored in the folder when the volume was started.
    """

    def __init__(self, path: Path, plan: VolumePlan, own: dict[str, Any]) -> None:
        self.path, self.plan, self._own = path, plan, own
        self.tree = tree_of(plan, own["levels"])
        self.image = BlockedImage(path, self.tree)
        is_phases = own["kind"] == "phases"
        self._halved = halved_phases if is_phases else halved_values

    @classmethod
    def begin(
        cls, plan: VolumePlan, path: str | Path, pyramid: bool = True
    ) -> StreamedVolume:
        """Start a volume, or resume one that was started with the same settings.

        Parameters
        ----------
        path
            A new folder, or that of the volume to resume.
        pyramid
            Whether to add levels of half the size, down to a single block.

        Raises
        ------
        ValueError
            If the folder holds something else or was started with other settings, the
            plan has edits, or zarr is not installed.
        """
        path = Path(path)
        own = own_attributes(path)
        plan = copy.copy(with_fitting_tiles(plan, STREAM_BYTES))
        if any(edge % 2 for edge in plan.tile_edges):
            # A level halves each block of the finer one.
            plan.tile_latents += 1
        if own is not None and own.get("generator") == plan.trained.fingerprint():
            # The voxels do not depend on it; earlier releases made smaller tiles.
            latents = own.get("tile_latents")
            if (
                isinstance(latents, int)
                and latents > plan.trained.network.size_rule.overlap
            ):
                plan.tile_latents = latents
        tree = tree_of(plan, None if pyramid else 1)
        settings = settings_of(plan, tree.levels)
        if own is None:
            if path.exists():
                raise ValueError(
                    f"Expected a new folder or a volume to resume, got {path}, "
                    "which holds something else; choose another name."
                )
            own = {**settings, "complete": False}
            facts = image_facts(plan, path.name.partition(".")[0])
            try:
                create_image(path, tree, facts, own)
            except OSError:
                # Another process may have begun the same volume in the meantime.
                own = own_attributes(path)
                if own is None:
                    raise
        for name in (*settings, "fixed"):
            if own.get(name) != settings.get(name):
                raise ValueError(
                    f"Expected the settings that {path.name} was started with "
                    f"({name.replace('_', ' ')}: {own.get(name)}), got others "
                    f"({settings.get(name)}); choose another name or delete the folder."
                )
        volume = cls(path, plan, own)
        if not volume.is_complete:
            volume.image.remove_partial_files()
            (path / MAKING).mkdir(exist_ok=True)
            plan.trained.save(path / MAKING / "generator.safetensors")
            if plan.fixed:
                plan.fixed.save(path / MAKING / FIXED)
        return volume

    @classmethod
    def at(cls, path: str | Path) -> StreamedVolume:
        """Open an unfinished volume by its folder, to write blocks of it.

        Raises
        ------
        ValueError
            If there is no unfinished volume.
        """
        path = Path(path)
        own = own_attributes(path)
        file = path / MAKING / "generator.safetensors"
        if own is None or not file.is_file():
            raise ValueError(
                f"Expected an unfinished volume, got no such folder {path}; put it "
                "on a disk that all machines share under the same name."
            )
        trained = load_generator(file)
        trained.network.to(choose_device("auto"))
        fixed = FixedInputs.load(path / MAKING / FIXED) if "fixed" in own else None
        with damage_explained(path):
            return cls(path, plan_of(trained, own, fixed), own)

    @property
    def is_complete(self) -> bool:
        """Whether every block is written."""
        return bool(self._own["complete"])

    @property
    def stamp(self) -> str:
        """Hash of the settings that the volume was started with."""
        facts = json.dumps({**self._own, "complete": None}, sort_keys=True)
        return hashlib.sha256(facts.encode()).hexdigest()

    def missing_fraction(self) -> float:
        """Fraction of the tiles that are not written yet."""
        if self.is_complete:
            return 0.0
        missing = total = 0
        for block in self.tree.in_order():
            if block.level == 0:
                total += 1
                missing += not self.image.has(block)
        return missing / total

    def make(self, block: Block) -> bool:
        """Write one block unless it exists undamaged; whether it was written.

        The blocks of the finer level that it is computed from must exist.
        """
        if self.image.has_whole(block):
            return False
        if block.level == 0:
            tile = self.plan.tile(block.place)
            values = self.plan.values(tile).astype(self.image.dtype, copy=False)
        else:
            shape = [span.stop - span.start for span in self.tree.target(block)]
            values = np.empty((*shape, *self.image.channels), self.image.dtype)
            for child in self.tree.children(block):
                finer = self.image.read(child.level, self.tree.target(child))
                values[self.tree.part_of_parent(child)] = self._halved(finer)
        self.image.write(block, values)
        return True

    def write(
        self, cluster: str | None = None, progress: Progress | None = None
    ) -> None:
        """Write the missing blocks; may be interrupted or killed at any time.

        Parameters
        ----------
        cluster
            Address of a dask.distributed scheduler whose workers compute the blocks;
            None computes them in this process.
        progress
            Called with the finished fraction after each block.

        Raises
        ------
        ValueError
            If the disk is full (written blocks are kept), or the cluster cannot be
            used.
        """
        if self.is_complete:
            # Left by a process that was killed at its end.
            shutil.rmtree(self.path / MAKING, ignore_errors=True)
            return
        report = subrange(progress)
        made: Iterator[object]
        with contextlib.ExitStack() as stack:
            stack.enter_context(disk_explained(self.path))
            if cluster is None:
                made = map(self.make, self.tree.in_order())
            else:
                path = str(self.path.absolute())
                make = functools.partial(make_block, path, self.stamp)
                has = self.image.has_whole
                made = stack.enter_context(
                    contextlib.closing(made_on_cluster(cluster, self.tree, has, make))
                )
            for number, _ in enumerate(made, start=1):
                report(number / self.tree.count)
        self._own["complete"] = True
        set_own_attributes(self.path, self._own)
        shutil.rmtree(self.path / MAKING, ignore_errors=True)

    def planes(self) -> Planes:
        """The finished volume, plane by plane."""
        return Planes(
            self.image.planes(BUFFER_BYTES),
            (*self.tree.size, *self.image.channels),
            self.image.dtype,
            self._own["kind"],
            self._own["voxel_size_nm"],
            tuple(self._own["labels"]),
            self.plan.trained.colours,
        )


def make_block(path: str, stamp: str, block: Block) -> bool:
    """Write one block of a volume, in any process with access to its folder.

    Parameters
    ----------
    path, stamp
        Folder and stamp of the volume.

    Returns
    -------
    Whether it was written; False if it existed.
    """
    return _volume_at(path, stamp).make(block)


def stream_to_file(
    plan: VolumePlan,
    path: Path,
    cluster: str | None = None,
    progress: Progress | None = None,
) -> None:
    """Write a volume of any size as one file; see `write_volume`.

    The tiles are kept beside the file until it is written, so that an interrupted
    write can be resumed.

    Parameters
    ----------
    cluster, progress
        See `StreamedVolume.write`.

    Raises
    ------
    ValueError
        As `StreamedVolume.begin`; if the format cannot hold the values; if the disk is
        full; if another process writes the file.
    """
    check_ending(path, *ENDINGS)
    check_type(path.suffix.lower(), value_type(plan.trained))
    tiles = tiles_folder(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Tiles that another process removes would be read as zeros.
    locked = path.with_name(fitting_name(f".{path.name}", ".lock"))
    with lock(locked, f"{path} is being written"):
        volume = StreamedVolume.begin(plan, tiles, pyramid=False)
        volume.write(cluster, progress)
        with disk_explained(tiles):
            write_volume(path, volume.planes())
        # At once: a part of the tiles could not be resumed.
        removed = tiles.rename(partial_path(tiles))
        shutil.rmtree(removed, ignore_errors=True)


def tiles_folder(path: Path) -> Path:
    """Temporary folder of the tiles of a file."""
    return path.with_name(fitting_name(f".{path.name}", ".tiles.zarr"))


@functools.lru_cache(maxsize=1)
def _volume_at(path: str, stamp: str) -> StreamedVolume:
    """Opened once per process and volume."""
    volume = StreamedVolume.at(path)
    if volume.stamp != stamp:
        raise ValueError(
            f"Expected the volume that is being written to {path}, got another one; "
            "give each volume its own folder."
        )
    return volume
