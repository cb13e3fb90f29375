"""What workers do: generators that call the engine, and sentences for its faults.

torch is loaded here, inside the worker's thread, never with the window.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_slicegan.runtime.memory import OUT_OF_MEMORY, lacks_memory

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig, TrainingSettings
    from napari_slicegan.training.estimates import Estimate
    from napari_slicegan.training.report import FinishReason, StepReport
    from napari_slicegan.training.tasks import Given
    from napari_slicegan.training.trainer import Trainer

# Threads of torch that wait for each other sleep: a thread that spins takes the core
# that the window needs, and training waits for it in turn. Read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


class WorkFailed(Exception):
    """What a worker ends with; its text is the sentence to show."""


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
        Minutes more, for a run whose time was up.
    device
        Where to train; "auto" keeps the run's own setting.
    """

    path: Path
    minutes: float | None = None
    device: str = "auto"

    def trainer(self) -> Trainer:
        """Load the last checkpoint."""
        from napari_slicegan.training.run_folder import RunFolder
        from napari_slicegan.training.trainer import Trainer

        folder = RunFolder.open(self.path)
        training = folder.config().training
        changes = self._changes(training, folder.load_checkpoint())
        trainer = Trainer.resume(self.path, **changes)
        if training.epochs is not None and trainer.progress == 1:
            trainer = Trainer.resume(self.path, epochs=2 * training.epochs)
        return trainer

    def _changes(
        self, training: TrainingSettings, state: Mapping[str, Any]
    ) -> dict[str, Any]:
        """New limits where the old ones are reached, and the device."""
        changes: dict[str, Any] = {}
        if self.device != "auto":
            changes["device"] = self.device
        # The history does not tell how long the save at the end took.
        minutes, step = state["elapsed_s"] / 60, state["step"]
        if training.minutes is not None and minutes >= training.minutes:
            changes["minutes"] = minutes + (self.minutes or training.minutes)
        if step >= training.steps:
            changes["steps"] = step + training.steps
        return changes


TrainingJob = NewRun | EarlierRun


@dataclass(frozen=True)
class PreparedRun:
    """A run before its first step, with the history of an earlier one."""

    trainer: Trainer
    history: Sequence[Mapping[str, str]] = field(repr=False)


def train(job: TrainingJob) -> Generator[PreparedRun | StepReport, None, FinishReason]:
    """Prepare a run, then train: yields the prepared run, then a report each step."""
    trainer = job.trainer()
    folder = trainer.folder
    yield PreparedRun(trainer, folder.history() if folder is not None else ())
    return (yield from trainer.run())


@dataclass(frozen=True)
class Machine:
    """What this machine computes on.

    Attributes
    ----------
    devices
        Setting -> readable name, the best one first.
    torch_build
        Version of torch and what it was built for.
    """

    devices: Mapping[str, str]
    torch_build: str


def look_ahead(
    config: RunConfig, given: Given
) -> Generator[Machine | Estimate, None, None]:
    """Find out about the machine, then about the run if there is data for one."""
    import torch

    from napari_slicegan.runtime.devices import available_devices
    from napari_slicegan.training.estimates import estimate
    from napari_slicegan.training.tasks import training_data

    cuda, hip = torch.version.cuda, torch.version.hip
    built = f"CUDA {cuda}" if cuda else f"ROCm {hip}" if hip else "no CUDA"
    version = torch.__version__.partition("+")[0]
    yield Machine(available_devices(), f"torch {version}, {built}")
    if given is not None or config.architecture.dimensions == 1:
        yield estimate(config, training_data(config, given))


def sentence_of(error: Exception) -> str:
    """One sentence for what went wrong, with what to do."""
    text = " ".join(str(error).split())
    if isinstance(error, ValueError):
        return text
    if lacks_memory(error):
        return OUT_OF_MEMORY
    if isinstance(error, OSError):
        place = f" ({error.filename})" if error.filename else ""
        return f"Reading or writing failed: {error.strerror or text}{place}."
    return (
        f"This should not have happened ({type(error).__name__}: {text[:200]}); the "
        "log has the details."
    )
