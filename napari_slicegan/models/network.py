"""What every generator network offers, whatever it makes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal

from torch import Tensor, nn

from napari_slicegan.models.blocks import PhaseProbabilities, UnitInterval

Output = Literal["phases", "unit", "signed", "linear"]
Prior = Literal["normal", "uniform"]
NOTHING: Mapping[str, Tensor] = MappingProxyType({})


class GeneratorNetwork(nn.Module):
    """A generator: latents in, samples out.

    ``blocks`` are named and serve as hook points, ``prior`` is the law of the latents
    and ``value_range`` that of the output. Of a uniform prior the latents lie between
    -1 and 1.

    Attributes
    ----------
    statistics_batch
        Samples at a time when batch-norm statistics are measured anew.
    starts_dense
        Whether the first block is fully connected, so that its positions differ.
    """

    prior: Prior = "normal"
    value_range: str | tuple[float, float]
    statistics_batch = 32
    starts_dense = False

    def __init__(self, spec: Any, **blocks: nn.Module) -> None:
        super().__init__()
        self.spec = spec
        self.blocks = nn.Sequential(OrderedDict(blocks))

    @property
    def training_latents(self) -> tuple[int, ...]:
        """Shape of the latents of one sample in training."""
        return (int(self.spec.latent_channels),)

    @property
    def latent_width(self) -> int:
        """Channels of the latents that the first block takes."""
        return self.training_latents[0]

    @property
    def training_size(self) -> int:
        """Voxels or pixels per axis of a sample in training."""
        return int(self.spec.size)

    def forward(self, latents: Tensor, *, logits: bool = False) -> Tensor:
        """[B, *training_latents] -> samples [B, C, ...].

        Parameters
        ----------
        latents
            Latents of the prior.
        logits
            Whether to leave out the output layer, with which the last block ends. Of a
            generator of phases these are the logits of the softmax. Their gradient does
            not vanish where a probability is rounded to 0 or 1, so losses are computed
            from them, never from logarithms of probabilities.
        """
        made = self.entering(latents)
        if not logits:
            samples: Tensor = self.blocks(made)
            return samples
        *blocks, last = self.blocks.children()
        for layer in (*blocks, *list(last.children())[:-1]):
            made = layer(made)
        return made

    def stages(
        self, latents: Tensor, offsets: Mapping[str, Tensor] = NOTHING
    ) -> Iterator[tuple[str, Tensor]]:
        """Name and output of each block, first to last; no hook stays behind.

        Parameters
        ----------
        latents
            As for calling the network.
        offsets
            By name of a block, what is added to its output: [C], the same at every
            position, or [C, ...] in the shape of the output.
        """
        made = self.entering(latents)
        for name, block in self.blocks.named_children():
            made = block(made)
            if name in offsets:
                offset = offsets[name]
                missing = made.ndim - 1 - offset.ndim
                made = made + offset.reshape(*offset.shape, *(1,) * missing)
            yield name, made

    def entering(self, latents: Tensor) -> Tensor:
        """The latents as the first block takes them."""
        return latents


def output_layer(output: Output) -> nn.Module:
    """Last step of a generator, which gives its values their range."""
    layers: dict[Output, type[nn.Module]] = {
        "phases": PhaseProbabilities,
        "unit": UnitInterval,
        "signed": nn.Tanh,
        "linear": nn.Identity,
    }
    return layers[output]()


def value_range(output: Output) -> str | tuple[float, float]:
    """Range of the values of an output."""
    ranges: dict[Output, str | tuple[float, float]] = {
        "phases": "simplex",
        "unit": (0.0, 1.0),
        "signed": (-1.0, 1.0),
        "linear": "unbounded",
    }
    return ranges[output]


def output_of(values: str | tuple[float, float]) -> Output:
    """Output whose values have a range, such as that of a transform.

    Raises
    ------
    ValueError
        If no generator makes such values.
    """
    outputs: tuple[Output, ...] = ("phases", "unit", "signed", "linear")
    for output in outputs:
        if value_range(output) == values:
            return output
    raise ValueError(
        f"Generators make values of the ranges 0 to 1 and -1 to 1, got {values}; scale "
        "the images to one of these."
    )
