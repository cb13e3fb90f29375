"""Jobs of the training workers: generators that call the engine; error messages.

torch is imported inside the worker's thread, not when the window opens.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_slicegan.runtime.memory import OUT_OF_MEMORY, lacks_memory

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig
    from napari_slicegan.training.clock import FinishReason, StepReport
    from napari_slicegan.training.estimates import Estimate
    from napari_slicegan.training.tasks import Given
    from napari_slicegan.training.trainer import Trainer

# Idle OpenMP threads sleep instead of spinning: a spinning thread would occupy the core
# that the window needs. Must be set before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


class WorkFailed(Exception):
    """Error of a worker; its text is the message for the user."""


@dataclass(frozen=True)
class NewRun:
    """A run in a new folder."""

    config: RunConfig
    given: Given
    path: Path

    def trainer(self) -> Trainer:
        """Read the images, write the folder and build the networks."""
        from napari_slicegan.training.tasks import training_data
        from napari_slicegan.training.trainer import Trainer

        data = training_data(self.config, self.given)
        return Trainer.start(self.config, data, self.path)


@dataclass(frozen=True)
class EarlierRun:
    """An earlier run that is resumed.

    Attributes
    ----------
    minutes
        Additional minutes, for a run that reached its time limit.
    device
        Where to train; "auto" keeps the run's own setting.
    """

    path: Path
    minutes: float | None = None
    device: str = "auto"

    def trainer(self) -> Trainer:
        """Load the last checkpoint; limits that were reached are raised."""
        from napari_slicegan.training.run_folder import RunFolder
        from napari_slicegan.training.trainer import Trainer

        folder = RunFolder.open(self.path)
        training = folder.config().training
        state = folder.load_checkpoint()
        changes: dict[str, Any] = {}
        if self.device != "auto":
            changes["device"] = self.device
        # The history does not include the time of the final save.
        minutes, step = state["elapsed_s"] / 60, state["step"]
        if training.minutes is not None and minutes >= training.minutes:
            changes["minutes"] = minutes + (self.minutes or training.minutes)
        if step >= training.steps:
            changes["steps"] = step + training.steps
        trainer = Trainer.resume(self.path, **changes)
        if training.epochs is not None and trainer.progress == 1:
            trainer = Trainer.resume(self.path, epochs=2 * training.epochs)
        return trainer


TrainingJob = NewRun | EarlierRun


@dataclass(frozen=True)
class PreparedRun:
    """A run before its first step, with its history if it is resumed."""

    trainer: Trainer
    history: Sequence[Mapping[str, str]] = field(repr=False)


def train(job: TrainingJob) -> Generator[PreparedRun | StepReport, None, FinishReason]:
    """Prepare a run and train: yields the prepared run, then one report per step."""
    trainer = job.trainer()
    folder = trainer.folder
    yield PreparedRun(trainer, folder.history() if folder is not None else ())
    return (yield from trainer.run())


@dataclass(frozen=True)
class Machine:
    """Hardware and torch build of this machine.

    Attributes
    ----------
    devices
        Value of the setting -> readable name, fastest first.
    torch_build
        Version and GPU platform of torch.
    """

    devices: Mapping[str, str]
    torch_build: str


def look_ahead(
    config: RunConfig, given: Given
) -> Generator[Machine | Estimate, None, None]:
    """Yield facts about the machine, then an estimate of the run if it has data."""
    import torch

    from napari_slicegan.runtime.devices import available_devices
    from napari_slicegan.training.estimates import forecast
    from napari_slicegan.training.tasks import training_data

    cuda, hip = torch.version.cuda, torch.version.hip
    built = f"CUDA {cuda}" if cuda else f"ROCm {hip}" if hip else "no CUDA"
    version = torch.__version__.partition("+")[0]
    yield Machine(available_devices(), f"torch {version}, {built}")
    if given is not None or config.architecture.dimensions == 1:
        yield forecast(config, training_data(config, given))


def sentence_of(error: Exception) -> str:
    """Return an error message of one sentence."""
    text = " ".join(str(error).split())
    if isinstance(error, ValueError):
        return text
    if lacks_memory(error):
        return OUT_OF_MEMORY
    if isinstance(error, OSError):
        place = f" ({error.filename})" if error.filename else ""
        return f"Reading or writing failed: {error.strerror or text}{place}."
    return (
        f"Unexpected error ({type(error).__name__}: {text[:200]}); see the log for "
        "details."
    )
