"""Settings of the networks and of what the critic sees."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from napari_slicegan.config.base import AXES, Choices, KernelSet, Settings, Widths
from napari_slicegan.config.registry import add_part

LARGEST_STRETCH = 8

_TASKS: dict[str, str] = {
    "auto": "volumes",
    "slicegan": "volumes",
    "slicegan-rc": "volumes",
    "slicegan-aa": "volumes",
}
_TASK_DIMENSIONS: dict[str, int] = {"volumes": 3}

TASKS: Mapping[str, str] = MappingProxyType(_TASKS)
"""What an architecture makes, which is the name of its task: "volumes" and others."""


def add_architecture(name: str, place: str, task: str) -> None:
    """Add an architecture to the settings.

    Parameters
    ----------
    place
        Of its `napari_slicegan.models.table.Architecture`, as for `add_part`.
    task
        Name of what it makes; see `add_task`.
    """
    add_part("architecture", name, place)
    _TASKS[name] = task


def add_task(name: str, place: str, dimensions: int) -> None:
    """Add a task: what generators make other than volumes.

    Parameters
    ----------
    name
        Plural of what is made, such as "images".
    place
        Of its `napari_slicegan.training.tasks.Task`, as for `add_part`.
    dimensions
        Of one sample: 2 for images, 1 for points.
    """
    add_part("task", name, place)
    _TASK_DIMENSIONS[name] = dimensions


def dimensions_of(architecture: str) -> int:
    """Dimensions of the samples of an architecture, 3 for volumes."""
    return _TASK_DIMENSIONS[TASKS[architecture]]


class ArchitectureSettings(Settings):
    """The networks."""

    architecture: Annotated[str, AfterValidator(Choices(lambda: tuple(TASKS)))] = Field(
        "slicegan",
        title="Architecture",
        description="For volumes: 'slicegan', transposed convolutions; 'slicegan-rc', "
        "the last one replaced by trilinear upsampling and a convolution; 'auto', "
        "'slicegan' for phases and 'slicegan-rc' for gray values and colours; "
        "'slicegan-aa', a filter after each hidden layer and a symmetric kernel in the "
        "last one, so that volumes do not repeat the grid of the layers. For images "
        "of 28 to 256 pixels: 'dcgan-28' and so on; of 4 times a power of two: "
        "'dcgan-relu' and 'specgan'. For points: 'mlp-toy'.",
    )
    patch_size: int = Field(
        64,
        ge=8,
        le=1024,
        title="Patch size",
        description="Edge length of the training volumes and of the real crops, in "
        "pixels.",
    )
    latent_size: int = Field(
        4,
        ge=2,
        le=64,
        title="Latent size",
        description="Latent positions per axis of a training volume.",
    )
    latent_channels: int = Field(
        64,
        ge=1,
        le=1024,
        title="Latent channels",
        description="Latent channels: random numbers at each latent position.",
    )
    generator_widths: Widths = Field(
        (512, 256, 128, 64),
        title="Generator widths",
        description="Channels of the generator's hidden layers, first to last.",
    )
    generator_kernels: tuple[KernelSet, ...] | None = Field(
        None,
        title="Generator kernels",
        description="Kernel size, stride and padding of each generator layer; by "
        "default 4,2,2, and 4,2,3 for the last.",
    )
    generator_negative_slope: float = Field(
        0.0,
        ge=0,
        le=1,
        title="Generator negative slope",
        description="For volumes: negative slope of the generator's LeakyReLU; 0 is a "
        "plain ReLU, behind which features can die and phases hang on rounding.",
    )
    critic_widths: Widths = Field(
        (64, 128, 256, 512),
        title="Critic widths",
        description="Channels of the critic's hidden layers, first to last.",
    )
    critic_negative_slope: float = Field(
        0.0,
        ge=0,
        le=1,
        title="Critic negative slope",
        description="Negative slope of the critic's LeakyReLU; 0 is a plain ReLU.",
    )
    critic_heads: bool = Field(
        False,
        title="Critic heads",
        description="Isotropic materials: one output layer of the critic for each "
        "axis, so that all axes become equally good. Anisotropic materials always "
        "have one critic per axis.",
    )
    feature_resampling: bool = Field(
        False,
        title="Feature resampling",
        description="The critic predicts mean and standard deviation of each score "
        "and samples the score from them (feature resampling of RealnessGAN).",
    )
    critic_normalisation: Literal["none", "batch"] = Field(
        "none",
        title="Critic normalisation",
        description="Normalisation of the critic's hidden layers except the first, "
        "for 'specgan'.",
    )
    image_kernel: int = Field(
        5,
        ge=3,
        le=15,
        title="Image kernel size",
        description="Kernel size of 'specgan', an odd number of pixels.",
    )
    image_padding: Literal["tensorflow", "torch"] = Field(
        "tensorflow",
        title="Image padding",
        description="Padding of 'specgan': the extra pixel at the right and bottom, "
        "as in TensorFlow, or on all sides, as is usual in PyTorch.",
    )
    initialisation: Literal["glorot", "dcgan"] = Field(
        "glorot",
        title="Initialisation",
        description="First weights of 'specgan': 'glorot', uniform as in the original, "
        "or 'dcgan', normal with a standard deviation of 0.02 as in ports to PyTorch.",
    )
    initial_weights: Literal["random", "auto", "pretrained"] = Field(
        "random",
        title="Initial weights",
        description="For volumes. 'pretrained': those of networks that have learned "
        "nanoporous gold, so that fewer steps are needed; they come with the program "
        "and suit the networks of 'slicegan-fast' and 'slicegan-fine', others begin at "
        "random. 'auto': a new run states which of both it begins with.",
    )
    latent_distribution: Literal["uniform", "normal"] = Field(
        "uniform",
        title="Latent distribution",
        description="Random numbers from which 'specgan' makes images: uniform from "
        "-1 to 1 as in the original, or standard normal.",
    )
    condition: Literal["none", "phase_fraction"] = Field(
        "none",
        title="Condition",
        description="For volumes. 'phase_fraction': a conditional GAN whose generator "
        "and critic receive the fraction of the last phase in each micrograph, so "
        "that it can be chosen when volumes are generated. Needs several micrographs "
        "of an isotropic material with different fractions.",
    )
    noise: bool = Field(
        False,
        title="Noise inputs",
        description="For volumes: the generator adds noise at every resolution, with a "
        "learned gain for each channel, for structure that is random from voxel to "
        "voxel. Use it with a normalisation.",
    )
    voxel_noise: Literal["auto", "on", "off"] = Field(
        "off",
        title="Noise in each voxel",
        description="With noise inputs: adds noise to the last layer too, which varies "
        "from voxel to voxel. 'auto': for gray values and colours, and for phases that "
        "are random from pixel to pixel. Generation takes longer.",
    )
    fields_per_phase: int = Field(
        1,
        ge=1,
        le=16,
        title="Fields per phase",
        description="For volumes of phases: the generator makes so many fields for "
        "each phase, and a voxel belongs to the phase of the largest one. A phase is "
        "then a union of regions, with sharper edges and narrower throats than those "
        "of one smooth field.",
    )
    voxel_stretch: tuple[int, ...] = Field(
        (1, 1, 1),
        title="Voxel stretch",
        description="For volumes: voxels along z, y and x that each voxel of the "
        "network becomes, for structures that are long along an axis (fibres, layers). "
        "Empty: derived from the images of an anisotropic material.",
    )
    normalisation: Literal["batch", "pixel", "none"] = Field(
        "batch",
        title="Normalisation",
        description="Normalisation of the generator's hidden layers.",
    )

    @field_validator("latent_size", mode="before")
    @classmethod
    def _overlaps(cls, value: Any) -> Any:
        if value in (1, "1"):
            raise ValueError(
                "expected at least 2: kernels overlap only between neighbouring latent "
                "positions, so with one position the density of information is not "
                "uniform and larger volumes differ from those of training (see the "
                "row 'Latent size' in docs/paper-and-code.md)"
            )
        return value

    @field_validator("voxel_stretch")
    @classmethod
    def _three_factors(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        allowed = range(1, LARGEST_STRETCH + 1)
        if value and (len(value) != len(AXES) or any(n not in allowed for n in value)):
            raise ValueError(
                f"Expected three numbers (z, y, x) from 1 to {LARGEST_STRETCH}."
            )
        return value

    @property
    def dimensions(self) -> int:
        """Dimensions of a sample: 3 for volumes, 2 for images, 1 for points."""
        return dimensions_of(self.architecture)

    @property
    def task(self) -> str:
        """Name of what the architecture makes: "volumes", "images" and others."""
        return TASKS[self.architecture]


class SliceSettings(Settings):
    """What the critic sees."""

    augmentation: Literal["auto", "none", "flips", "rotations"] = Field(
        "none",
        title="Augmentation",
        description="Data augmentation of the real crops: 'flips' mirrors them, "
        "'rotations' adds quarter turns. 'auto': rotations for isotropic materials; "
        "for others, flips if the images of each view look the same in a mirror.",
    )
    critic_slices: int | None = Field(
        None,
        ge=1,
        title="Critic slices",
        description="Random slices per axis and volume in a critic step; empty for "
        "all of them.",
    )
    pair_distance: int | None = Field(
        None,
        ge=1,
        title="Pair distance",
        description="For volumes: the critic sees pairs of parallel planes so many "
        "pixels apart (of the images as they are trained on, after 'Rescale'). The "
        "images are then pairs of aligned sections, two by two in their order. Empty "
        "for single planes.",
    )
    pair_axis: Literal["all", "z", "y", "x"] = Field(
        "all",
        title="Pair axis",
        description="Anisotropic materials with a pair distance: the viewing direction "
        "whose images are pairs, or 'all'.",
    )
    straight_through: bool = Field(
        False,
        title="Straight-through phases",
        description="The critic sees one-hot phases (argmax), as in the finished "
        "volume, instead of probabilities; gradients pass straight through.",
    )
    sliced_wasserstein: bool = Field(
        False,
        title="Sliced Wasserstein",
        description="Also measure the sliced Wasserstein distance (SWD) between "
        "slices of the preview and real crops; monitoring then takes longer.",
    )
    generator_slices: int | None = Field(
        None,
        ge=1,
        title="Generator slices",
        description="Random slices per axis and volume in a generator step; empty for "
        "all of them.",
    )
