"""The endless volume: voxels that are generated when they are looked at."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import operator
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.generation import VolumePlan
from napari_slicegan.large_volumes.boxes import Span, Spans, box_values
from napari_slicegan.large_volumes.stream_settings import image_facts, settings_of
from napari_slicegan.machine.devices import choose_device
from napari_slicegan.machine.optional_packages import optional_package
from napari_slicegan.trained_generator import TrainedGenerator, load_generator

if TYPE_CHECKING:
    from collections.abc import Sequence

Size = tuple[int, int, int]

CACHE_BYTES = 2**28
CHUNK = 512
"""Voxels per axis of a dask chunk: what is looked at of it is generated, not more."""
# Voxels per axis of what is generated at once: of slices, and of solid boxes. A slab of
# eight planes takes hardly longer than one, so that seven of eight slices are there.
SLAB, SLICE, SOLID = 8, 512, 128


class EndlessVolume:
    """A volume of any size that behaves like an array and is generated piece by piece.

    Pieces that were made are kept, the last ones used as far as the cache holds them.
    A slice is made of thin slabs, whichever axis it is cut along. May be read from
    several threads.

    Parameters
    ----------
    plan
        How it is made; without edits.
    cache_bytes
        Bytes of voxels that are kept.

    Attributes
    ----------
    shape
        [Z, Y, X], of colour [Z, Y, X, 3].
    dtype, ndim, size
        As of an array.

    Raises
    ------
    ValueError
        If the plan has edits.
    """

    def __init__(self, plan: VolumePlan, cache_bytes: int = CACHE_BYTES) -> None:
        settings = json.dumps(settings_of(plan, 0), sort_keys=True)
        self.name = f"slicegan-{hashlib.sha256(settings.encode()).hexdigest()}"
        self.plan, self.cache_bytes = plan, cache_bytes
        facts = image_facts(plan, self.name)
        self.dtype = facts.dtype
        self.shape: tuple[int, ...] = (*plan.size, *facts.channels)
        self.ndim, self.size = len(self.shape), math.prod(self.shape)
        self._pieces: OrderedDict[Spans, NDArray[Any]] = OrderedDict()
        self._kept_bytes = 0
        # Of the pieces that are kept, held for a moment only; and of the network.
        self._lock = threading.Lock()
        self._network_lock = threading.Lock()

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Voxels of whole numbers and slices, as of an array."""
        keys = completed_key(key, self.ndim)
        spatial, rest = keys[:3], keys[3:]
        ranges = [positions(k, n) for k, n in zip(spatial, self.plan.size, strict=True)]
        shape = tuple(map(len, ranges))
        if 0 in shape:
            voxels = np.empty((*shape, *self.shape[3:]), self.dtype)
        else:
            spans = [(min(r[0], r[-1]), max(r[0], r[-1]) + 1) for r in ranges]
            box = self._box((spans[0], spans[1], spans[2]))
            steps = [
                slice(None, None, r.step) if len(r) > 1 else slice(None) for r in ranges
            ]
            voxels = box[tuple(steps)]
        chosen = [slice(None) if isinstance(k, slice) else 0 for k in spatial]
        return voxels[(*chosen, *rest)]

    def kept(self) -> list[tuple[Spans, NDArray[Any]]]:
        """The pieces that are kept, each with its place.

        Never waits for a piece that is being made.
        """
        with self._lock:
            return list(self._pieces.items())

    def missing(self, key: Any) -> list[Spans]:
        """Pieces to be made before a part can be read at once, its middle first.

        Never more than the cache holds together with the others of that part.
        """
        spatial = completed_key(key, self.ndim)[:3]
        ranges = [positions(k, n) for k, n in zip(spatial, self.plan.size, strict=True)]
        if not all(map(len, ranges)):
            return []
        spans = [(min(r[0], r[-1]), max(r[0], r[-1]) + 1) for r in ranges]
        middle = [(first + last) / 2 for first, last in spans]

        def distance(piece: Spans) -> float:
            places = zip(piece, middle, strict=True)
            return math.hypot(*((a + b) / 2 - m for (a, b), m in places))

        found: list[Spans] = []
        n_bytes = 0
        voxel_bytes = self.dtype.itemsize * math.prod(self.shape[3:])
        pieces = pieces_of((spans[0], spans[1], spans[2]), self.plan.size)
        for piece in sorted(pieces, key=distance):
            n_bytes += voxel_bytes * math.prod(last - first for first, last in piece)
            if n_bytes > self.cache_bytes:
                break
            if self._kept_piece(piece) is None:
                found.append(piece)
        return found

    def make(self, piece: Spans) -> None:
        """Generate a piece, one of `missing`, and keep it; takes its time."""
        self._piece(piece)

    def _box(self, box: Spans) -> NDArray[Any]:
        """Voxels of a box that is not empty, put together from pieces."""
        whole = np.empty((*(b - a for a, b in box), *self.shape[3:]), self.dtype)
        for piece in pieces_of(box, self.plan.size):
            common = [
                (max(a, c), min(b, d))
                for (a, b), (c, d) in zip(box, piece, strict=True)
            ]
            to = (
                slice(c - a, d - a) for (a, _), (c, d) in zip(box, common, strict=True)
            )
            of = (
                slice(c - a, d - a)
                for (a, _), (c, d) in zip(piece, common, strict=True)
            )
            whole[tuple(to)] = self._piece(piece)[tuple(of)]
        return whole

    def _piece(self, piece: Spans) -> NDArray[Any]:
        found = self._kept_piece(piece)
        if found is not None:
            return found
        # One at a time: the network itself uses all cores.
        with self._network_lock:
            found = self._kept_piece(piece)
            if found is None:
                found = box_values(self.plan, piece)
                self._keep(piece, found)
        return found

    def _kept_piece(self, piece: Spans) -> NDArray[Any] | None:
        with self._lock:
            found = self._pieces.get(piece)
            if found is not None:
                self._pieces.move_to_end(piece)
            return found

    def _keep(self, piece: Spans, values: NDArray[Any]) -> None:
        with self._lock:
            self._pieces[piece] = values
            self._kept_bytes += values.nbytes
            while self._kept_bytes > self.cache_bytes:
                _, oldest = self._pieces.popitem(last=False)
                self._kept_bytes -= oldest.nbytes


def lazy_volume(
    source: str | Path | TrainedGenerator,
    shape: Size,
    seed: int = 0,
    periodic: str = "",
    cache_bytes: int = CACHE_BYTES,
    truncation: float = 1.0,
    device: str = "auto",
) -> Any:
    """A dask array whose voxels are generated when they are looked at.

    Nothing is generated at first, so any shape is there at once; napari shows it slice
    by slice.

    Parameters
    ----------
    source
        Run folder, ``.safetensors`` file, or a loaded generator, which stays on the
        device it is on.
    shape
        Voxels along z, y, x.
    seed, periodic, truncation
        See `VolumePlan`. The voxels are those of `generate` with the same ones.
    cache_bytes
        Bytes of voxels that are kept.
    device
        Where a generator that is loaded here computes.

    Returns
    -------
    dask.array.Array
        [Z, Y, X], of colour [Z, Y, X, 3].

    Raises
    ------
    ValueError
        If there is no such generator, or a setting is not allowed.
    """
    if not isinstance(source, TrainedGenerator):
        source = load_generator(source)
        source.network.to(choose_device(device))
    plan = VolumePlan(source, shape, seed, periodic, truncation=truncation)
    return as_dask(EndlessVolume(plan, cache_bytes))


def as_dask(volume: EndlessVolume) -> Any:
    """The same as a dask array."""
    array = optional_package("dask.array", "makes arrays that are not there", "scale")
    chunks = tuple(min(CHUNK, n) for n in volume.shape)
    meta = np.empty((0,) * volume.ndim, volume.dtype)
    return array.from_array(volume, chunks, name=volume.name, meta=meta)


def pieces_of(box: Spans, size: Sequence[int]) -> list[Spans]:
    """The pieces of a fixed grid that a box touches.

    The grid depends on how the box is shaped: thin along the axes it is thin along.
    """
    thin = [last - first <= SLAB for first, last in box]
    long_edge = SLICE if any(thin) else SOLID
    axes: list[list[Span]] = []
    for (first, last), is_thin, n in zip(box, thin, size, strict=True):
        edge = SLAB if is_thin else long_edge
        starts = range(first // edge * edge, last, edge)
        axes.append([(start, min(start + edge, n)) for start in starts])
    return [(z, y, x) for z, y, x in itertools.product(*axes)]


def completed_key(key: Any, ndim: int) -> tuple[Any, ...]:
    """A key with an entry for each axis."""
    keys = key if isinstance(key, tuple) else (key,)
    if Ellipsis in keys:
        at = keys.index(Ellipsis)
        missing = ndim - len(keys) + 1
        keys = (*keys[:at], *(slice(None),) * missing, *keys[at + 1 :])
    if len(keys) > ndim:
        raise IndexError(f"Expected at most {ndim} indices, got {len(keys)}.")
    return (*keys, *(slice(None),) * (ndim - len(keys)))


def positions(key: Any, n: int) -> range:
    """Positions along an axis."""
    if isinstance(key, slice):
        return range(*key.indices(n))
    place = operator.index(key)
    if not -n <= place < n:
        raise IndexError(f"Expected an index below {n}, got {place}.")
    return range(place % n, place % n + 1)
