"""Settings of a run, each declared once.

The form in the window, the flags of the command line, ``config.json`` in the run
folder and the validation all derive from the fields below: title, description,
bounds and default stand nowhere else.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Kind = Literal["phases", "grayscale", "colour"]
Axis = Literal["z", "y", "x"]
AXES: tuple[Axis, ...] = ("z", "y", "x")

Widths = Annotated[
    tuple[Annotated[int, Field(ge=1, le=4096)], ...], Field(min_length=1)
]
KernelSet = tuple[
    Annotated[int, Field(ge=1, le=16)],
    Annotated[int, Field(ge=1, le=8)],
    Annotated[int, Field(ge=0, le=16)],
]


class Settings(BaseModel):
    """Base of every group: immutable, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class MicrographSettings(Settings):
    """How image values are read from the files."""

    kind: Literal["auto", "phases", "grayscale", "colour"] = Field(
        "auto",
        title="Kind of image",
        description="What the pixel values mean: labels of phases, a gray value, "
        "or a colour. 'auto' decides from the data.",
    )
    segmentation: Literal["none", "otsu", "multi-otsu", "thresholds", "local"] = Field(
        "none",
        title="Segmentation",
        description="How gray values become phases before training.",
    )
    n_phases: int = Field(
        3,
        ge=2,
        le=16,
        title="Phases",
        description="Number of phases that multi-Otsu separates.",
    )
    thresholds: tuple[float, ...] = Field(
        (),
        title="Thresholds",
        description="Gray values between neighbouring phases, in rising order.",
    )
    local_window: int = Field(
        51,
        ge=3,
        le=1001,
        title="Local window",
        description="Edge of the window of the local threshold, in pixels (odd).",
    )
    denoise: Literal["none", "median", "gaussian"] = Field(
        "none",
        title="Denoising",
        description="Filter applied to gray values before they are segmented.",
    )
    denoise_radius: float = Field(
        1.0,
        gt=0,
        le=20,
        title="Denoising radius",
        description="Radius of the median, or sigma of the Gaussian, in pixels.",
    )
    crop: tuple[int, int, int, int] | None = Field(
        None,
        title="Crop",
        description="Part of the image to use: first row, row after the last, "
        "first column, column after the last.",
    )
    rescale: float = Field(
        1.0,
        ge=0.05,
        le=8,
        title="Rescale factor",
        description="Factor on the number of pixels per axis; below 1 a patch sees "
        "more of the material.",
    )
    pixel_size_nm: float | None = Field(
        None,
        gt=0,
        title="Pixel size (nm)",
        description="Edge of a pixel in nanometres; read from the file if not given.",
    )


class ArchitectureSettings(Settings):
    """The networks."""

    architecture: Literal["slicegan", "slicegan-rc"] = Field(
        "slicegan",
        title="Architecture",
        description="'slicegan': transposed convolutions; 'slicegan-rc': the last "
        "one replaced by trilinear upsampling and a convolution.",
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
    normalisation: Literal["batch", "pixel", "none"] = Field(
        "batch",
        title="Normalisation",
        description="Normalisation of the generator's hidden layers.",
    )


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
        8,
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
    generator_planes: int | None = Field(
        8,
        ge=1,
        title="Generator planes",
        description="Random planes per axis and volume in a generator step; empty "
        "for all of them.",
    )


class ObjectiveSettings(Settings):
    """The game between generator and critic."""

    objective: Literal["wgan-gp", "r3gan"] = Field(
        "r3gan",
        title="Objective",
        description="'wgan-gp': Wasserstein distance with gradient penalty. 'r3gan': "
        "relativistic pairing with penalties on real and generated images.",
    )
    penalty_weight: float = Field(
        16.0,
        ge=0,
        le=1000,
        title="Penalty weight",
        description="Weight of the gradient penalty.",
    )
    penalty_every: int = Field(
        4,
        ge=1,
        le=100,
        title="Penalty interval",
        description="Critic steps from one gradient penalty to the next.",
    )
    mean_weight: float = Field(
        100.0,
        ge=0,
        le=1e6,
        title="Mean weight",
        description="Weight, in the generator's loss, of the squared difference "
        "between the phase fractions (gray values: the means) of generated volumes "
        "and images; keeps them from swinging.",
    )
    critic_steps: int = Field(
        1,
        ge=1,
        le=100,
        title="Critic steps",
        description="Critic steps for each generator step.",
    )


class OptimiserSettings(Settings):
    """Adam, its schedule and the averaged weights."""

    generator_rate: float = Field(
        4e-3,
        gt=0,
        le=1,
        title="Generator learning rate",
        description="Learning rate of the generator.",
    )
    critic_rate: float = Field(
        8e-4,
        gt=0,
        le=1,
        title="Critic learning rate",
        description="Learning rate of the critics.",
    )
    betas: tuple[
        Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]
    ] = Field(
        (0.0, 0.99),
        title="Adam betas",
        description="Decay of Adam's first and second moments.",
    )
    decay_from: float = Field(
        0.5,
        ge=0,
        le=1,
        title="Decay from",
        description="Share of the run after which the learning rates fall linearly "
        "to a twentieth; 1 keeps them constant.",
    )
    averaging: float = Field(
        0.995,
        ge=0,
        lt=1,
        title="Weight averaging",
        description="Decay per step of the running average of the generator's "
        "weights; 0 uses the last weights.",
    )


class TrainingSettings(Settings):
    """Length, batch sizes and bookkeeping of the run."""

    seed: int = Field(
        0,
        ge=0,
        lt=2**63,
        title="Seed",
        description="Fixes every random number of the run.",
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        title="Device",
        description="auto, cpu, cuda, cuda:N or mps.",
    )
    steps: int = Field(
        100_000,
        ge=1,
        title="Steps",
        description="Generator steps after which the run ends.",
    )
    minutes: float | None = Field(
        4.75,
        gt=0,
        title="Minutes",
        description="Minutes of training after which the run ends; empty for no limit.",
    )
    settle_minutes: float | None = Field(
        None,
        gt=0,
        title="Stop when settled",
        description="Minutes without improvement of the measured quality after "
        "which the run ends; empty to train on.",
    )
    generator_volumes: int = Field(
        2,
        ge=1,
        le=1024,
        title="Volumes, generator",
        description="Volumes generated in a generator step.",
    )
    critic_volumes: int = Field(
        2,
        ge=1,
        le=1024,
        title="Volumes, critic",
        description="Volumes generated in a critic step.",
    )
    share_volumes: bool = Field(
        True,
        title="Share volumes",
        description="The generator step reuses the volumes of the last critic step; "
        "needs equal numbers of volumes.",
    )
    real_images: int | None = Field(
        None,
        ge=1,
        title="Real crops",
        description="Real crops per axis in a critic step; empty for one for each "
        "generated plane.",
    )
    threads: int | None = Field(
        None,
        ge=1,
        le=1024,
        title="Threads",
        description="Processor threads for the computation; empty for all cores.",
    )
    monitor_every: int = Field(
        50,
        ge=1,
        title="Monitor interval",
        description="Steps from one quality measurement and preview to the next.",
    )
    checkpoint_minutes: float = Field(
        1.0,
        gt=0,
        title="Checkpoint interval",
        description="Minutes from one checkpoint to the next.",
    )
    keep_checkpoints: int = Field(
        2,
        ge=1,
        le=1000,
        title="Checkpoints kept",
        description="Newest checkpoints kept in the run folder.",
    )


class RunConfig(Settings):
    """Everything that is decided before a run starts."""

    preset: str = Field(
        "slicegan-fast",
        title="Preset",
        description="Name of the bundle of settings the run started from.",
    )
    micrograph: MicrographSettings = MicrographSettings()
    architecture: ArchitectureSettings = ArchitectureSettings()
    slices: SliceSettings = SliceSettings()
    objective: ObjectiveSettings = ObjectiveSettings()
    optimiser: OptimiserSettings = OptimiserSettings()
    training: TrainingSettings = TrainingSettings()

    def changed(self, **values: Any) -> RunConfig:
        """Copy with some fields replaced, named without their group.

        Raises
        ------
        ValueError
            If a name is unknown or a value is outside its bounds; one sentence.
        """
        data = self.model_dump()
        homes = group_of_field()
        for name, value in values.items():
            if name not in homes:
                raise ValueError(
                    f"No setting is called '{name}'. Settings: "
                    f"{', '.join(sorted(homes))}."
                )
            data[homes[name]][name] = value
        return parse_config(data)


def group_of_field() -> dict[str, str]:
    """Group of every setting; field names are unique over the groups."""
    homes: dict[str, str] = {}
    for group, info in RunConfig.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, Settings):
            homes.update(dict.fromkeys(info.annotation.model_fields, group))
    return homes


def parse_config(data: dict[str, Any]) -> RunConfig:
    """Validate nested settings, with one readable sentence per fault.

    Raises
    ------
    ValueError
        Names the setting by its title, what came, and what is allowed.
    """
    try:
        return RunConfig.model_validate(data)
    except ValidationError as error:
        raise ValueError(" ".join(map(_sentence, error.errors()))) from error


def _sentence(fault: Any) -> str:
    """One sentence for one pydantic fault."""
    path = [str(part) for part in fault["loc"]]
    name = ".".join(path) or "The settings"
    group = RunConfig.model_fields.get(path[0]) if path else None
    if group is not None and len(path) > 1 and isinstance(group.annotation, type):
        field = group.annotation.model_fields.get(path[1])
        if field is not None:
            name = f"'{field.title}' ({path[1]})"
    message = fault["msg"][0].lower() + fault["msg"][1:]
    return f"{name}: {message}; got {fault['input']!r}."
