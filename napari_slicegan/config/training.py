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
        description="Optimiser of the generator.",
    )
    critic_optimiser: OptimiserName = Field(
        "adam",
        title="Critic optimiser",
        description="Optimiser of the critics.",
    )
    generator_lr: float = Field(
        1e-4,
        gt=0,
        le=1,
        title="Generator learning rate",
        description="Learning rate of the generator.",
    )
    critic_lr: float = Field(
        1e-4,
        gt=0,
        le=1,
        title="Critic learning rate",
        description="Learning rate of the critics.",
    )
    output_lr_scale: float = Field(
        1.0,
        gt=0,
        le=1,
        title="Output layer rate scale",
        description="Learning rate of the generator's last layer relative to its "
        "other layers. All updates of this layer add up in the volume; a small value "
        "keeps the phase fractions steady.",
    )
    lookahead: int = Field(
        0,
        ge=0,
        le=1000,
        title="Lookahead steps",
        description="Lookahead optimiser: every so many steps generator and critics "
        "move back half-way to their earlier weights, which damps their oscillation "
        "around each other; 0 for never.",
    )
    betas: tuple[
        Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]
    ] = Field(
        (0.0, 0.9),
        title="Adam betas",
        description="Decay rates of Adam's first and second moments; RMSprop uses the "
        "second only, SGD none.",
    )
    lr_decay_start: float = Field(
        1.0,
        ge=0,
        le=1,
        title="Learning rate decay start",
        description="Fraction of the run after which the learning rates decay "
        "linearly to a twentieth; 1 keeps them constant.",
    )
    ema_decay: float = Field(
        0.0,
        ge=0,
        lt=1,
        title="EMA decay",
        description="Decay per step of the exponential moving average (EMA) of the "
        "generator's weights; 0 uses the last weights.",
    )
    match_phase_fractions: bool = Field(
        False,
        title="Match phase fractions",
        description="Phases: shifts the interfaces of the trained generator by a "
        "fraction of a voxel so that its mean phase fractions equal those of the "
        "images.",
    )


class TrainingSettings(Settings):
    """Length, batch sizes and bookkeeping of the run."""

    seed: int = Field(
        0,
        ge=0,
        lt=2**63,
        title="Seed",
        description="Seed of all random numbers of the run.",
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        title="Device",
        description="auto, cpu, cuda, cuda:N or mps.",
    )
    precision: Precision = Field(
        "float32",
        title="Precision",
        description="Number format of convolutions and matrix products; losses, "
        "statistics, optimisers and averaged weights are in float32 throughout. "
        "'auto': bfloat16 on CUDA GPUs that compute with it, float32 elsewhere.",
    )
    steps: int = Field(
        100_000,
        ge=1,
        title="Steps",
        description="Training steps after which the run ends.",
    )
    epochs: int | None = Field(
        None,
        ge=1,
        title="Epochs",
        description="Systems of images: passes through the set after which the run "
        "ends, unless 'Steps' ends it earlier; empty for 'Steps' alone.",
    )
    minutes: float | None = Field(
        None,
        gt=0,
        title="Minutes",
        description="Training time after which the run ends, in minutes; includes "
        "monitoring and saving, but not pauses. Empty for no limit.",
    )
    patience_minutes: float | None = Field(
        None,
        gt=0,
        title="Early stopping patience",
        description="Early stopping: minutes without improvement of the measured "
        "quality after which the run ends; empty to train on.",
    )
    generator_batch_size: int | None = Field(
        16,
        ge=1,
        le=1024,
        title="Generator batch size",
        description="Volumes generated in a generator step. Empty for 2; if both "
        "batch sizes are empty, a new run on a CUDA GPU takes as many as its free "
        "memory holds, up to 16.",
    )
    critic_batch_size: int | None = Field(
        8,
        ge=1,
        le=1024,
        title="Critic batch size",
        description="Volumes generated in a critic step; empty for the generator's "
        "batch size.",
    )
    share_batch: bool = Field(
        False,
        title="Share batch",
        description="The generator step reuses the volumes of the last critic step; "
        "needs equal batch sizes.",
    )
    real_batch_size: int | None = Field(
        None,
        ge=1,
        title="Real batch size",
        description="Real crops per axis in a critic step; empty for one per "
        "generated slice.",
    )
    threads: int | None = Field(
        None,
        ge=1,
        le=1024,
        title="Threads",
        description="CPU threads for the computation; empty for all cores.",
    )
    monitor_interval: int = Field(
        50,
        ge=1,
        title="Monitor interval",
        description="Steps between two quality measurements and previews.",
    )
    checkpoint_minutes: float = Field(
        1.0,
        gt=0,
        title="Checkpoint interval",
        description="Minutes between two checkpoints.",
    )
    keep_checkpoints: int = Field(
        2,
        ge=1,
        le=1000,
        title="Checkpoints kept",
        description="Number of newest checkpoints kept in the run folder.",
    )

    @property
    def volumes(self) -> tuple[int, int]:
        """Volumes generated in a critic step and in a generator step."""
        return self.critic_batch_size or VOLUMES, self.generator_batch_size or VOLUMES
