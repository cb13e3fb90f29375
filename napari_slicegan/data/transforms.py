"""Micrograph values to network values and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_slicegan.config.registry import Table
from napari_slicegan.data.pixel_values import label_dtype
from napari_slicegan.runtime.devices import to_host

if TYPE_CHECKING:
    from napari_slicegan.config import Kind
    from napari_slicegan.data.training_images import TrainingImages


def most_probable(values: Tensor, axis: int, weights: Sequence[float] = ()) -> Tensor:
    """Index of the largest value along an axis, the first one of equals.

    For a handful of channels, comparing them one by one is several times faster than
    ``argmax`` along an axis that is not the last.

    Parameters
    ----------
    values
        One channel for each phase.
    axis
        Axis of the channels.
    weights
        Factor of each channel; empty for equal weights.

    Returns
    -------
    Tensor
        Without the axis, on the same device; uint8, of more than 256 channels int16.
    """
    dtype = torch.uint8 if values.shape[axis] <= 256 else torch.int16
    channels = iter(values.unbind(axis))
    if weights:
        precise = values.to(torch.promote_types(values.dtype, torch.float32))
        channels = map(torch.mul, precise.unbind(axis), weights)
    best = next(channels)
    index = torch.zeros(best.shape, dtype=dtype, device=values.device)
    for number, channel in enumerate(channels, start=1):
        index.masked_fill_(channel > best, number)
        best = torch.maximum(best, channel)
    return index


def channel_axis_of(values: Tensor, channel_axis: int | None) -> int:
    """Second axis of a batch of volumes, else the first, unless given."""
    if channel_axis is not None:
        return channel_axis
    return 1 if values.ndim == 5 else 0


ValueRange = Literal["simplex", "unbounded"] | tuple[float, float]


class Transform(Protocol):
    """Protocol of transforms; `OneHotPhases` describes the arrays."""

    @property
    def kind(self) -> Kind:
        """Kind of the micrograph values."""

    @property
    def channels(self) -> int:
        """Channels of the network values."""

    @property
    def range(self) -> ValueRange:
        """``"simplex"`` (channels sum to 1) or lowest and highest network value."""

    def forward(self, values: NDArray[Any]) -> Tensor:
        """Micrograph values to network values."""

    def inverse(self, values: Tensor, channel_axis: int | None = None) -> NDArray[Any]:
        """Network values to micrograph values."""

    def state(self) -> dict[str, Any]:
        """Name and parameters, fit for JSON; read by `transform_from_state`."""


class OneHotPhases:
    """One channel per phase.

    Parameters
    ----------
    labels
        Label values of the phases; channel i is the i-th smallest.
    weights
        A phase is chosen where its probability times its weight is the greatest; a
        weight for each channel; empty for equal weights.
    """

    name = "one-hot-phases"
    kind: Kind = "phases"
    range: ValueRange = "simplex"

    def __init__(self, labels: Sequence[int], weights: Sequence[float] = ()) -> None:
        self.labels = tuple(sorted({int(label) for label in labels}))
        if len(self.labels) < 2:
            raise ValueError(
                f"One-hot phases need at least two labels, got {list(labels)}; "
                "check the segmentation."
            )
        self._values = np.array(self.labels, dtype=label_dtype(self.labels))
        self.weights = tuple(map(float, weights))
        if self.weights and len(self.weights) != len(self.labels):
            raise ValueError(
                f"Expected a weight for each of the {len(self.labels)} phases, got "
                f"{len(self.weights)}."
            )

    @classmethod
    def fit(cls, images: TrainingImages) -> OneHotPhases:
        """One channel for each phase found in any of the images."""
        return cls(images.labels)

    @property
    def channels(self) -> int:
        """Number of phases."""
        return len(self.labels)

    def forward(self, values: NDArray[Any]) -> Tensor:
        """Labels ``[..., Y, X]`` to float32 ``[..., C, Y, X]`` of zeros and ones.

        Raises
        ------
        ValueError
            If a label is not among those the transform was fitted on.
        """
        layers = np.stack([values == label for label in self.labels], axis=-3)
        if not layers.any(axis=-3).all():
            strangers = sorted(set(np.unique(values).tolist()) - set(self.labels))
            raise ValueError(
                f"Expected the phases {list(self.labels)}, got also {strangers}; "
                "train on images that show all phases."
            )
        return torch.from_numpy(layers).float()

    def inverse(self, values: Tensor, channel_axis: int | None = None) -> NDArray[Any]:
        """Most probable phase of each voxel, as the micrograph's own label.

        Parameters
        ----------
        values
            ``[C, ...]``, or ``[B, C, Z, Y, X]``.
        channel_axis
            Axis of C if it is another one, such as 1 in ``[B, C, Y, X]``.

        Returns
        -------
        The same shape without the channel axis, in the smallest integer type that
        holds the labels.
        """
        axis = channel_axis_of(values, channel_axis)
        return self.labels_of(most_probable(values.detach(), axis, self.weights))

    def labels_of(self, index: Tensor) -> NDArray[Any]:
        """The micrograph's labels of channels, any shape."""
        found, byte = to_host(index), np.dtype(np.uint8)
        if found.dtype == self._values.dtype == byte:
            # By a table of all bytes: five times as fast as by indexing.
            table = self._values.tobytes().ljust(256, b"\0")
            flat = bytearray(found.reshape(-1)).translate(table)
            return np.frombuffer(flat, byte).reshape(found.shape)
        labels: NDArray[Any] = self._values[found]
        return labels

    def state(self) -> dict[str, Any]:
        """Name, labels, and weights if any."""
        state: dict[str, Any] = {"name": self.name, "labels": list(self.labels)}
        return {**state, "weights": list(self.weights)} if self.weights else state


class ScaleMinMax:
    """Gray values or colours, scaled linearly by the extremes of the whole data set.

    Parameters
    ----------
    low, high
        Micrograph values that become the ends of `output`.
    channels
        1 for gray values, 3 for colours (which share the same scale).
    dtype
        Numpy type of the micrograph values, given back by `inverse`.
    output
        Lowest and highest network value.
    """

    name = "scale-min-max"

    def __init__(
        self,
        low: float,
        high: float,
        channels: int,
        dtype: str,
        output: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        if not low < high:
            raise ValueError(
                f"Expected a lowest value below the highest, got {low} and {high}; "
                "use images that are not constant."
            )
        self.low, self.high = float(low), float(high)
        self.channels = int(channels)
        self.dtype = np.dtype(dtype)
        self.range: ValueRange = (float(output[0]), float(output[1]))
        self._output_low, self._output_high = self.range

    @classmethod
    def fit(
        cls, images: TrainingImages, output: tuple[float, float] = (0.0, 1.0)
    ) -> ScaleMinMax:
        """Extremes over all images; 8-bit colour always spans 0 to 255."""
        arrays = [image.values for view in images.views.values() for image in view]
        dtype = np.result_type(*arrays)
        channels = 3 if images.kind == "colour" else 1
        if channels == 3 and dtype == np.uint8:
            return cls(0, 255, channels, dtype.name, output)
        return cls(*images.extremes, channels, dtype.name, output)

    @property
    def kind(self) -> Kind:
        """Colour for three channels, else grayscale."""
        return "colour" if self.channels == 3 else "grayscale"

    def forward(self, values: NDArray[Any]) -> Tensor:
        """``[..., Y, X]`` or ``[..., Y, X, 3]`` to float32 ``[..., C, Y, X]``."""
        if self.channels == 1:
            layers = values[..., np.newaxis, :, :]
        else:
            layers = np.moveaxis(values, -1, -3)
        # float64 first: a 32-bit integer does not fit into a float32.
        fraction = (layers.astype(np.float64) - self.low) / (self.high - self.low)
        scaled = self._output_low + fraction * (self._output_high - self._output_low)
        return torch.from_numpy(np.ascontiguousarray(scaled, dtype=np.float32))

    def inverse(self, values: Tensor, channel_axis: int | None = None) -> NDArray[Any]:
        """Network values to micrograph values, clipped to the fitted range.

        Parameters
        ----------
        values
            ``[C, ...]``, or ``[B, C, Z, Y, X]``.
        channel_axis
            Axis of C if it is another one, such as 1 in ``[B, C, Y, X]``.

        Returns
        -------
        Gray values without the channel axis, colours with the channels last, in the
        micrograph's type.
        """
        axis = channel_axis_of(values, channel_axis)
        if self.channels == 1:
            layers = values.detach().select(axis, 0)
        else:
            layers = values.detach().movedim(axis, -1)
        # Converted before the copy from a GPU if that saves bytes: only to integers,
        # for which this is exact, and only in double precision, which MPS lacks.
        is_narrower = self.dtype.itemsize < layers.element_size()
        if self.dtype.kind in "iu" and is_narrower and layers.device.type != "mps":
            dtype = torch.from_numpy(np.empty(0, self.dtype)).dtype
            return to_host(self._gray_values(layers).to(dtype))
        gray = self._gray_values(torch.from_numpy(to_host(layers)))
        return gray.numpy().astype(self.dtype)

    def _gray_values(self, layers: Tensor) -> Tensor:
        """Micrograph values in double precision, on the same device."""
        gray = layers.to(torch.float64, copy=True).sub_(self._output_low)
        # A tensor: by a number, a GPU would multiply with the rounded reciprocal.
        gray /= gray.new_tensor(self._output_high - self._output_low)
        gray.clamp_(0, 1).mul_(self.high - self.low).add_(self.low)
        return gray.round_() if self.dtype.kind in "iu" else gray

    def state(self) -> dict[str, Any]:
        """Name, extremes, channels and types."""
        return {
            "name": self.name,
            "low": self.low,
            "high": self.high,
            "channels": self.channels,
            "dtype": self.dtype.name,
            "output": [self._output_low, self._output_high],
        }


TRANSFORMS: Mapping[str, Callable[..., Transform]] = Table(
    "transform", {OneHotPhases.name: OneHotPhases, ScaleMinMax.name: ScaleMinMax}
)


def fit_transform(
    images: TrainingImages, output: tuple[float, float] = (0.0, 1.0)
) -> OneHotPhases | ScaleMinMax:
    """Transform that suits the kind of the images, fitted on them.

    Parameters
    ----------
    output
        Network values of the darkest and the brightest pixel; not used for phases.
    """
    if images.kind == "phases":
        return OneHotPhases.fit(images)
    return ScaleMinMax.fit(images, output)


def transform_from_state(state: dict[str, Any]) -> Transform:
    """Transform from the state that `state` returned.

    Raises
    ------
    ValueError
        If the state names no known transform.
    """
    parameters = dict(state)
    name = parameters.pop("name", None)
    try:
        return TRANSFORMS[name](**parameters)
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"Expected one of the transforms {', '.join(TRANSFORMS)} with its "
            f"parameters, got {state}; the file is damaged or of another version, use "
            "a copy or train again."
        ) from error
