"""Settings of the networks and of what the critic sees."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from napari_slicegan.config.base import KernelSet, Settings, Widths

DIMENSIONS: Mapping[str, int] = MappingProxyType(
    {
        "auto": 3,
        "slicegan": 3,
        "slicegan-rc": 3,
        "dcgan-28": 2,
        "dcgan-64": 2,
        "dcgan-128": 2,
        "dcgan-256": 2,
        "dcgan-relu": 2,
        "specgan": 2,
        "mlp-toy": 1,
    }
)
"""What an architecture makes: 3 for volumes, 2 for images, 1 for points."""


class ArchitectureSettings(Settings):
    """The networks."""

    architecture: Literal[
        "auto",
        "slicegan",
        "slicegan-rc",
        "dcgan-28",
        "dcgan-64",
        "dcgan-128",
        "dcgan-256",
        "dcgan-relu",
        "specgan",
        "mlp-toy",
    ] = Field(
        "auto",
        title="Architecture",
        description="Of volumes: 'slicegan', transposed convolutions; 'slicegan-rc', "
        "the last one replaced by trilinear upsampling and a convolution; 'auto', the "
        "first for phases, the second for gray values and colours, in which the first "
        "leaves a checkerboard of single voxels. Of images "
        "of 28 to 256 pixels: 'dcgan-28' and so on; of 4 times a power of two: "
        "'dcgan-relu' and 'specgan'. Of points: 'mlp-toy'.",
    )
    patch_size: int = Field(
        64,
        ge=8,
        le=1024,
        title="Patch size",
        description="Edge of the training volumes and of the real crops, in pixels.",
    )
    latent_size: int = Field(
        4,
        ge=2,
        le=64,
        title="Latent size",
        description="Latent positions per axis of a training volume.",
    )
    latent_channels: int = Field(
        16,
        ge=1,
        le=1024,
        title="Latent channels",
        description="Random numbers at each latent position.",
    )
    generator_widths: Widths = Field(
        (192, 96, 48, 24),
        title="Generator widths",
        description="Channels of the generator's hidden layers, first to last.",
    )
    generator_layers: tuple[KernelSet, ...] | None = Field(
        None,
        title="Generator kernels",
        description="Kernel, stride and padding of each generator layer; by default "
        "4,2,2 throughout and 4,2,3 last.",
    )
    critic_widths: Widths = Field(
        (32, 64, 128, 256),
        title="Critic widths",
        description="Channels of the critic's hidden layers, first to last.",
    )
    critic_slope: float = Field(
        0.2,
        ge=0,
        le=1,
        title="Critic slope",
        description="Slope of the critic's rectifiers below zero; 0 is a plain ReLU.",
    )
    critic_heads: bool = Field(
        True,
        title="Critic heads",
        description="Isotropic materials: the critic scores each axis with a last "
        "layer of its own, so that all axes become equally good. Anisotropic ones "
        "have a critic for each axis in any case.",
    )
    resampled_head: bool = Field(
        False,
        title="Resampled head",
        description="The critic predicts mean and spread of each score and draws the "
        "score from them (feature resampling of RealnessGAN).",
    )
    critic_normalisation: Literal["none", "batch"] = Field(
        "none",
        title="Critic normalisation",
        description="Normalisation of the hidden layers of the critic of 'specgan', "
        "the first one left out.",
    )
    image_kernel: int = Field(
        5,
        ge=3,
        le=15,
        title="Image kernel",
        description="Edge of the kernels of 'specgan', an odd number of pixels.",
    )
    image_padding: Literal["tensorflow", "torch"] = Field(
        "tensorflow",
        title="Image padding",
        description="Where 'specgan' pads its images by one pixel more: to the right "
        "and below, as TensorFlow, or on all sides, as usual with torch.",
    )
    condition: Literal["none", "phase_fraction"] = Field(
        "none",
        title="Condition",
        description="For volumes. 'phase_fraction': generator and critic are told the "
        "fraction of the last phase in each micrograph, so that it can be chosen "
        "afterwards. Needs several micrographs of an isotropic material whose "
        "fractions differ.",
    )
    normalisation: Literal["batch", "pixel", "none"] = Field(
        "batch",
        title="Normalisation",
        description="Normalisation of the generator's hidden layers.",
    )

    @property
    def dimensions(self) -> int:
        """Of what the architecture makes; see `DIMENSIONS`."""
        return DIMENSIONS[self.architecture]


class SliceSettings(Settings):
    """What the critic sees."""

    symmetries: Literal["auto", "none", "flips", "rotations"] = Field(
        "auto",
        title="Image symmetries",
        description="Symmetries applied to the real crops: 'flips' mirrors them, "
        "'rotations' adds quarter turns. 'auto': rotations for isotropic "
        "materials, none otherwise.",
    )
    critic_planes: int | None = Field(
        4,
        ge=1,
        title="Critic planes",
        description="Random planes per axis and volume in a critic step; empty for "
        "all of them.",
    )
    hard_phases: bool = Field(
        True,
        title="Hard phases",
        description="The critic sees the most probable phase of each voxel, as in the "
        "finished volume, instead of probabilities.",
    )
    slice_distance: bool = Field(
        False,
        title="Slice distance",
        description="Also measure the sliced Wasserstein distance of the preview's "
        "slices from real crops; each measurement then takes longer.",
    )
    generator_planes: int | None = Field(
        4,
        ge=1,
        title="Generator planes",
        description="Random planes per axis and volume in a generator step; empty "
        "for all of them.",
    )
