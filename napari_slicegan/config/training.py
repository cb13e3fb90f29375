"""Settings of the training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from napari_slicegan.config.base import Settings

OptimiserName = Literal["adam", "rmsprop", "sgd"]
Precision = Literal["auto", "float32", "bfloat16"]
VOLUMES = 2


class OptimiserSettings(Settings):
    """The optimisers, their schedule and the averaged weights."""

    generator_optimiser: OptimiserName = Field(
        "adam",
        title="Generator optimiser",
        description="How gradients become steps of the generator's weights.",
    )
    critic_optimiser: OptimiserName = Field(
        "adam",
        title="Critic optimiser",
        description="How gradients become steps of the critics' weights.",
    )
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
    output_rate: float = Field(
        0.3,
        gt=0,
        le=1,
        title="Output layer rate",
        description="Learning rate of the generator's last layer, as a share of the "
        "generator's. All its movements add up in the volume; a small share keeps the "
        "phase fractions steady.",
    )
    lookahead: int = Field(
        5,
        ge=0,
        le=1000,
        title="Lookahead",
        description="Steps after which generator and critics go back half of the way "
        "they came, which damps their circling around each other; 0 for never.",
    )
    betas: tuple[
        Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]
    ] = Field(
        (0.0, 0.99),
        title="Adam betas",
        description="Decay of Adam's first and second moments; RMSprop has the second "
        "only, SGD none.",
    )
    decay_from: float = Field(
        0.25,
        ge=0,
        le=1,
        title="Decay from",
        description="Share of the run after which the learning rates fall linearly "
        "to a twentieth; 1 keeps them constant.",
    )
    averaging: float = Field(
        0.99,
        ge=0,
        lt=1,
        title="Weight averaging",
        description="Decay per step of the running average of the generator's "
        "weights; 0 uses the last weights.",
    )
    match_fractions: bool = Field(
        True,
        title="Match fractions",
        description="Phases: moves the interfaces of the trained generator by a "
        "fraction of a voxel so that its mean phase fractions are those of the images.",
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
    precision: Precision = Field(
        "auto",
        title="Precision",
        description="Number format of convolutions and matrix products; losses, "
        "statistics, optimisers and averaged weights are in float32 throughout. "
        "'auto': bfloat16 on CUDA GPUs that compute with it, float32 elsewhere.",
    )
    steps: int = Field(
        100_000,
        ge=1,
        title="Steps",
        description="Generator steps after which the run ends.",
    )
    epochs: int | None = Field(
        None,
        ge=1,
        title="Epochs",
        description="Systems of images: passes through the set after which the run "
        "ends, if 'Steps' does not end it before; empty for 'Steps' alone.",
    )
    minutes: float | None = Field(
        4.75,
        gt=0,
        title="Minutes",
        description="Minutes within which the run ends, monitoring and saving "
        "included; pauses do not count. Empty for no limit.",
    )
    settle_minutes: float | None = Field(
        None,
        gt=0,
        title="Stop when settled",
        description="Minutes without improvement of the measured quality after "
        "which the run ends; empty to train on.",
    )
    generator_volumes: int | None = Field(
        None,
        ge=1,
        le=1024,
        title="Volumes, generator",
        description="Volumes generated in a generator step. Empty for 2; if both "
        "numbers are empty, a new run on a CUDA GPU takes as many as its free memory "
        "holds, up to 16.",
    )
    critic_volumes: int | None = Field(
        None,
        ge=1,
        le=1024,
        title="Volumes, critic",
        description="Volumes generated in a critic step; empty as for the generator.",
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

    @property
    def volumes(self) -> tuple[int, int]:
        """Volumes generated in a critic step and in a generator step."""
        return self.critic_volumes or VOLUMES, self.generator_volumes or VOLUMES
