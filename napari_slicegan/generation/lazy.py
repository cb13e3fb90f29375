"""Lazy volumes: voxels are generated when they are read."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import operator
import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from napari_slicegan.generation.boxes import positions_before, run_box
from napari_slicegan.generation.generate import Size, Span, VolumePlan
from napari_slicegan.generation.streaming import image_facts, settings_of
from napari_slicegan.models.generator_file import TrainedGenerator, load_generator
from napari_slicegan.runtime.devices import choose_device, computing_in
from napari_slicegan.runtime.optional_packages import optional_package

Spans = tuple[Span, Span, Span]
Request = Callable[[list[Spans]], object]

CACHE_BYTES = 2**28
CHUNK = 512
"""Voxels per axis of a dask chunk; only the part that is read is generated."""
# Voxels per axis of a piece: thickness and edge of a slab for slices, edge of a box. A
# slab of eight planes takes hardly longer than one plane.
SLAB, SLICE, SOLID = 8, 512, 128
LARGEST_LEVEL = 256
"""Edge of the coarsest level in voxels; it is shown as a whole, also in 3-D."""
MOST_VOXELS = 2**28
"""Voxels of an overview that can be read at once."""


@torch.no_grad()
def box_values(plan: VolumePlan, box: Spans) -> NDArray[Any]:
    """Micrograph values of a box, [Z, Y, X] or [Z, Y, X, 3].

    Parameters
    ----------
    plan
        Plan of the volume, without edits.
    box
        First voxel and voxel after the last along z, y, x.
    """
    coarse = plan.network_box(box)
    needed = positions_before(plan.network, 0, coarse)
    latents = plan.latents(*needed)[None]
    (z, _), (y, _), (x, _) = needed
    noise = plan.noise(latents, (z, y, x))
    with computing_in(plan.precision, latents.device):
        made = run_box(plan.network, latents, noise, coarse, plan.with_offsets)
    inside = [
        (first % factor, first % factor + last - first)
        for (first, last), factor in zip(box, plan.stretch, strict=True)
    ]
    return plan.stretched(made, (inside[0], inside[1], inside[2]))


class EndlessVolume:
    """Array-like volume of any size whose pieces are generated when they are read.

    A least-recently-used cache keeps the pieces. Slices along any axis are generated as
    thin slabs. Thread-safe.

    Parameters
    ----------
    plan
        Plan of the volume; without edits.
    cache_bytes
        Size of the cache.

    Attributes
    ----------
    shape
        [Z, Y, X], of colour [Z, Y, X, 3].
    dtype, ndim, size
        As in numpy.
    kept_bytes
        Bytes of the voxels in the cache, at most `cache_bytes`.

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
        self.kept_bytes = 0
        # The first protects the cache and is held briefly; the second the network.
        self._lock = threading.Lock()
        self._network_lock = threading.Lock()

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Voxels selected by integers and slices, as of an array."""
        ranges = spatial_ranges(key, self.shape)
        shape = tuple(map(len, ranges))
        if 0 in shape:
            voxels = np.empty((*shape, *self.shape[3:]), self.dtype)
        else:
            steps = [
                slice(None, None, r.step) if len(r) > 1 else slice(None) for r in ranges
            ]
            voxels = self._box(bounding_box(ranges))[tuple(steps)]
        return _without_axes(voxels, key)

    def kept(self) -> list[tuple[Spans, NDArray[Any]]]:
        """Pieces in the cache, each with its box.

        Does not wait for a piece that is being generated.
        """
        with self._lock:
            return list(self._pieces.items())

    def missing(self, key: Any) -> list[Spans]:
        """Pieces to generate before a part can be read from the cache, centre first.

        No more than the cache holds together with the other pieces of that part.
        """
        ranges = spatial_ranges(key, self.shape)
        if not all(map(len, ranges)):
            return []
        box = bounding_box(ranges)
        middle = [(first + last) / 2 for first, last in box]

        def distance(piece: Spans) -> float:
            places = zip(piece, middle, strict=True)
            return math.hypot(*((a + b) / 2 - m for (a, b), m in places))

        found: list[Spans] = []
        n_bytes = 0
        voxel_bytes = self.dtype.itemsize * math.prod(self.shape[3:])
        for piece in sorted(pieces_of(box, self.plan.size), key=distance):
            n_bytes += voxel_bytes * math.prod(last - first for first, last in piece)
            if n_bytes > self.cache_bytes:
                break
            if self._kept_piece(piece) is None:
                found.append(piece)
        return found

    def _box(self, box: Spans) -> NDArray[Any]:
        """Voxels of a non-empty box, assembled from pieces."""
        whole = np.empty((*(b - a for a, b in box), *self.shape[3:]), self.dtype)
        for piece in pieces_of(box, self.plan.size):
            to, of = [], []
            for (a, b), (c, d) in zip(box, piece, strict=True):
                first, last = max(a, c), min(b, d)
                to.append(slice(first - a, last - a))
                of.append(slice(first - c, last - c))
            whole[tuple(to)] = self.make(piece)[tuple(of)]
        return whole

    def make(self, piece: Spans) -> NDArray[Any]:
        """Piece of the volume from the cache; generated and kept if it is missing."""
        found = self._kept_piece(piece)
        if found is not None:
            return found
        # One at a time: the network itself uses all cores.
        with self._network_lock:
            found = self._kept_piece(piece)
            if found is None:
                found = box_values(self.plan, piece)
                with self._lock:
                    self._pieces[piece] = found
                    self.kept_bytes += found.nbytes
                    while self.kept_bytes > self.cache_bytes:
                        _, oldest = self._pieces.popitem(last=False)
                        self.kept_bytes -= oldest.nbytes
        return found

    def _kept_piece(self, piece: Spans) -> NDArray[Any] | None:
        with self._lock:
            found = self._pieces.get(piece)
            if found is not None:
                self._pieces.move_to_end(piece)
            return found


def lazy_volume(
    source: str | Path | TrainedGenerator,
    shape: Size,
    seed: int = 0,
    periodic: str = "",
    cache_bytes: int = CACHE_BYTES,
    truncation: float = 1.0,
    device: str = "auto",
) -> Any:
    """Dask array whose voxels are generated when they are computed.

    Nothing is generated in advance, so any shape is returned at once; napari shows it
    slice by slice.

    Parameters
    ----------
    source
        Run folder, ``.safetensors`` file, or a loaded generator, which stays on the
        device it is on.
    shape
        Voxels along z, y, x.
    seed, periodic, truncation
        See `VolumePlan`. The voxels equal those of `generate` with the same settings.
    cache_bytes
        Size of the cache of generated voxels.
    device
        Device of a generator that is loaded from a file.

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
    volume = EndlessVolume(plan, cache_bytes)
    array = optional_package("dask.array", "makes lazy arrays", "scale")
    chunks = tuple(min(CHUNK, n) for n in volume.shape)
    meta = np.empty((0,) * volume.ndim, volume.dtype)
    return array.from_array(volume, chunks, name=volume.name, meta=meta)


def pieces_of(box: Spans, size: Sequence[int]) -> list[Spans]:
    """The pieces of a fixed grid that a box touches.

    The grid depends on how the box is shaped: thin along the axes it is thin along.
    """
    is_slab = any(last - first <= SLAB for first, last in box)
    axes: list[list[Span]] = []
    for (first, last), n in zip(box, size, strict=True):
        edge = SLAB if last - first <= SLAB else SLICE if is_slab else SOLID
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


def spatial_ranges(key: Any, shape: Sequence[int]) -> list[range]:
    """Positions along z, y, x that a key selects of an array of this shape."""
    keys = completed_key(key, len(shape))[:3]
    return [positions(k, n) for k, n in zip(keys, shape[:3], strict=True)]


def bounding_box(ranges: Sequence[range]) -> Spans:
    """Smallest box that holds all positions of non-empty ranges."""
    z, y, x = ((min(r[0], r[-1]), max(r[0], r[-1]) + 1) for r in ranges)
    return (z, y, x)


def _without_axes(voxels: NDArray[Any], key: Any) -> NDArray[Any]:
    """Drop the spatial axes for which the key has an integer; index the channels."""
    keys = completed_key(key, voxels.ndim)
    chosen = [slice(None) if isinstance(k, slice) else 0 for k in keys[:3]]
    return voxels[(*chosen, *keys[3:])]


class Readable(Protocol):
    """Array to index by integers and slices."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Values."""


class DeferredCut:
    """Lazy view of an array: indexing gives a smaller view and reads nothing.

    ``numpy.asarray`` reads the values.

    Parameters
    ----------
    source
        The array.
    places
        Positions along each axis of the array; an integer drops the axis. None selects
        the whole array.
    """

    def __init__(
        self, source: Readable, places: Sequence[range | int] | None = None
    ) -> None:
        self.source = source
        self._places = list(map(range, source.shape)) if places is None else [*places]
        self.dtype = source.dtype
        ranges = [place for place in self._places if isinstance(place, range)]
        self.shape = tuple(map(len, ranges))
        self.ndim, self.size = len(self.shape), math.prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> DeferredCut:
        """View of a part, by integers and slices."""
        keys = iter(completed_key(key, self.ndim))
        places: list[range | int] = []
        for place in self._places:
            if isinstance(place, range):
                one = next(keys)
                chosen = positions(one, len(place))
                place = place[one if isinstance(one, slice) else chosen[0]]
            places.append(place)
        return DeferredCut(self.source, places)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The values, read anew."""
        key = tuple(p if isinstance(p, int) else slice_of(p) for p in self._places)
        return np.asarray(self.source[key], dtype)


def slice_of(places: range) -> slice:
    """Slice of an array that takes these positions."""
    stop = places.stop if places.stop >= 0 else None
    return slice(places.start, stop, places.step)


class Overview:
    """Every n-th voxel of the cached pieces of an endless volume; empty elsewhere.

    Reading generates nothing, so it is as fast as reading an array in memory.

    Parameters
    ----------
    volume
        The endless volume.
    factor
        Voxels per voxel of the overview, along each axis.
    request
        Called with the missing pieces of each part that is read, possibly none. The
        part has to be read again once they are generated. Only for the factor 1.

    Attributes
    ----------
    empty
        Value of voxels that are not generated: not a phase label, or 0.
    """

    def __init__(
        self, volume: EndlessVolume, factor: int, request: Request | None = None
    ) -> None:
        self._volume, self._factor, self._request = volume, factor, request
        self.dtype, self.ndim = volume.dtype, volume.ndim
        z, y, x = (-(-n // factor) for n in volume.plan.size)
        self.shape: tuple[int, ...] = (z, y, x, *volume.shape[3:])
        self.size = math.prod(self.shape)
        self.empty = empty_value(volume)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Voxels selected by integers and slices, as of an array."""
        ranges = spatial_ranges(key, self.shape)
        if math.prod(map(len, ranges)) > MOST_VOXELS:
            parts = " x ".join(str(len(each)) for each in ranges)
            raise ValueError(
                f"Expected at most {MOST_VOXELS:,} voxels of an endless volume to be "
                f"shown at once, got {parts}; show it in 2-D, or unlock its level."
            )
        # First, so that a piece generated meanwhile is included.
        missing = [] if self._request is None else self._volume.missing(key)
        factor = self._factor
        axes = [
            range(r.start * factor, r.stop * factor, r.step * factor) for r in ranges
        ]
        shape = (*map(len, axes), *self.shape[3:])
        voxels = np.full(shape, self.empty, self.dtype)
        for piece, values in self._volume.kept():
            to, of = [], []
            for places, span in zip(axes, piece, strict=True):
                to.append(slice(*_within(places, span)))
                r = places[to[-1]]
                start = span[0]
                of.append(slice_of(range(r.start - start, r.stop - start, r.step)))
            if all(part.start < part.stop for part in to):
                voxels[tuple(to)] = values[tuple(of)]
        if self._request is not None:
            self._request(missing)
        return _without_axes(voxels, key)


def _within(places: range, span: Span) -> Span:
    """First and last (exclusive) of the places that lie in a span of voxels."""
    if places.step < 0:
        first, last = _within(places[::-1], span)
        return len(places) - last, len(places) - first
    return bisect_left(places, span[0]), bisect_left(places, span[1])


def viewer_levels(
    volume: EndlessVolume, request: Request | None = None
) -> list[DeferredCut]:
    """The volume and its overviews, each half as large, for a multiscale viewer.

    Parameters
    ----------
    request
        See `Overview`; without it the finest level generates what is read.
    """
    levels: list[EndlessVolume | Overview] = [
        volume if request is None else Overview(volume, 1, request)
    ]
    factor = 2
    while max(levels[-1].shape[:3]) > LARGEST_LEVEL:
        levels.append(Overview(volume, factor))
        factor *= 2
    return [DeferredCut(level) for level in levels]


def empty_value(volume: EndlessVolume) -> int:
    """Smallest value that is not a phase label; 0 for values that are not integers."""
    labels = volume.plan.trained.labels
    if volume.dtype.kind not in "iu":
        return 0
    return next(n for n in range(np.iinfo(volume.dtype).max) if n not in labels)
