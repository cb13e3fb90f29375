"""Jobs of the training workers: generators that call the engine; error messages.

torch is imported inside the worker's thread, not when the window opens.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from napari_slicegan.runtime.atomic_files import (
    check_can_write_into,
    new_folder,
    removed_if_unused,
)
from napari_slicegan.runtime.limits import let_idle_threads_sleep
from napari_slicegan.runtime.memory import OUT_OF_MEMORY, lacks_memory

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig
    from napari_slicegan.data.training_images import TrainingImages
    from napari_slicegan.runtime.progress import Progress
    from napari_slicegan.training.clock import FinishReason, StepReport
    from napari_slicegan.training.estimates import Estimate
    from napari_slicegan.training.tasks import Given
    from napari_slicegan.training.trainer import Trainer
    from napari_slicegan.volumes.volume import Volume

GAUSSIAN_EDGE = 128
USED_BY_PREVIEWS = "scipy.spatial.transform"
"""napari imports it at the first view in 3-D, which would hold up the window."""
# The window needs a core, too. Before torch is imported.
let_idle_threads_sleep()


class WorkFailed(Exception):
    """Error of a worker; its text is the message for the user."""


def start_run(parent: Path, name: str, config: RunConfig, given: Given) -> Trainer:
    """Read the images, write a new run folder and build the networks.

    Parameters
    ----------
    parent, name
        Where the run folder is made, and what it is called after.
    """
    from napari_slicegan.training.tasks import training_data
    from napari_slicegan.training.trainer import Trainer

    check_can_write_into(parent)
    is_new = not parent.exists()
    path = new_folder(parent, name)
    with removed_if_unused(path, with_parent=is_new):
        return Trainer.start(config, training_data(config, given), path)


def resume_run(
    path: Path,
    minutes: float | None = None,
    device: str = "auto",
    changed: Mapping[str, float] = MappingProxyType({}),
) -> Trainer:
    """Load the last checkpoint of a run; limits that were reached are raised.

    Parameters
    ----------
    path
        Run folder.
    minutes
        Additional minutes, for a run that reached its time limit.
    device
        Where to train; "auto" keeps the run's own setting.
    changed
        Other values of settings out of `RESUMABLE`.
    """
    from napari_slicegan.training.run_folder import RunFolder
    from napari_slicegan.training.trainer import Trainer

    folder = RunFolder.open(path)
    training, state = folder.config().training, {"elapsed_s": 0.0, "step": 0}
    if folder.checkpoints():
        state = folder.load_checkpoint()
    changes: dict[str, Any] = {**changed}
    if device != "auto":
        changes["device"] = device
    # The history does not include the time of the final save.
    elapsed = state["elapsed_s"] / 60
    if training.minutes is not None and elapsed >= training.minutes:
        changes["minutes"] = elapsed + (minutes or training.minutes)
    if state["step"] >= training.steps:
        changes["steps"] = state["step"] + training.steps
    trainer = Trainer.resume(path, **changes)
    if training.epochs is not None and trainer.progress == 1:
        trainer = Trainer.resume(path, epochs=2 * training.epochs)
    return trainer


@dataclass(frozen=True)
class PreparedRun:
    """A run before its first step, with its history if it is resumed."""

    trainer: Trainer
    history: Sequence[Mapping[str, str]] = field(repr=False)


def train(
    prepare: Callable[..., Trainer], *args: Any
) -> Generator[PreparedRun | StepReport, None, FinishReason]:
    """Prepare a run and train: yields the prepared run, then one report per step.

    Parameters
    ----------
    prepare, args
        `start_run` or `resume_run`, and its arguments.
    """
    importlib.import_module(USED_BY_PREVIEWS)
    trainer = prepare(*args)
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
    from napari_slicegan.training.estimates import forecast, patch_sizes
    from napari_slicegan.training.tasks import training_data

    cuda, hip = torch.version.cuda, torch.version.hip
    built = f"CUDA {cuda}" if cuda else f"ROCm {hip}" if hip else "no CUDA"
    version = torch.__version__.partition("+")[0]
    # What this imports is imported here, not in the window's thread.
    patch_sizes(config)
    yield Machine(available_devices(), f"PyTorch {version}, {built}")
    if given is not None or config.architecture.dimensions == 1:
        yield forecast(config, training_data(config, given))


def gaussian_field(images: TrainingImages, progress: Progress) -> Volume:
    """Volume with the phase fractions and the two-point correlation of images."""
    from napari_slicegan.generation.gaussian_field import gaussian_volume

    progress(0.0)
    return gaussian_volume(images, (GAUSSIAN_EDGE,) * 3)


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
