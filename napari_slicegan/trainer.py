"""The training loop of every system."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from napari_slicegan.architectures import check_training_size, generator_spec
from napari_slicegan.config import check_changes
from napari_slicegan.dataset import patch_samplers
from napari_slicegan.devices import choose_device, memory_in_use
from napari_slicegan.game import Game, StepLosses
from napari_slicegan.generation import generate
from napari_slicegan.memory import memory_explained
from napari_slicegan.monitors import Quality, QualityMonitor
from napari_slicegan.preview_image import preview_image
from napari_slicegan.run_clock import RunClock
from napari_slicegan.run_folder import RunFolder
from napari_slicegan.step_report import FinishReason, StepReport
from napari_slicegan.trained_generator import TrainedGenerator
from napari_slicegan.transforms import fit_transform

if TYPE_CHECKING:
    from napari_slicegan.architectures import Output
    from napari_slicegan.config import RunConfig
    from napari_slicegan.training_images import TrainingImages
    from napari_slicegan.volume import Volume

logger = logging.getLogger(__name__)

PREVIEW_SEED = 0


class Trainer:
    """Trains a generator on images; steer it from any thread with stop and pause.

    Parameters
    ----------
    config
        All settings.
    images
        The micrographs; they say whether the material is isotropic.
    folder
        Where the run is kept; None keeps nothing.

    Raises
    ------
    ValueError
        If settings and images do not fit together; before anything is written.
    """

    def __init__(
        self, config: RunConfig, images: TrainingImages, folder: RunFolder | None = None
    ) -> None:
        images.check_patch(config.architecture.patch_size)
        self.config = config
        self.images = images
        self.folder = folder
        self.transform = fit_transform(images)
        self.device = choose_device(config.training.device)
        output: Output = "phases" if self.transform.range == "simplex" else "unit"
        isotropic = images.material == "isotropic"
        spec = generator_spec(config, self.transform.channels, output)
        check_training_size(spec, config.architecture.patch_size)
        self.samplers = patch_samplers(
            images,
            self.transform,
            config.architecture.patch_size,
            config.slices.symmetries,
        )
        with memory_explained():
            self.game = Game(config, spec, isotropic, self.device)
        self.monitor = QualityMonitor(images)
        self.step = 0
        self.clock = RunClock(config.training)
        self.images_seen = 0
        self._rows: list[dict[str, Any]] = []
        self._stop = threading.Event()
        self._go = threading.Event()
        self._go.set()

    @classmethod
    def start(
        cls, config: RunConfig, images: TrainingImages, path: str | Path
    ) -> Trainer:
        """Start a run in a new folder; the folder is made only if all is well."""
        trainer = cls(config, images)
        trainer.folder = RunFolder.create(path, config, images)
        return trainer

    @classmethod
    def resume(cls, path: str | Path, **changes: Any) -> Trainer:
        """Go on with an earlier run from its last checkpoint.

        Parameters
        ----------
        path
            The run folder.
        changes
            Settings of the group ``training`` to change, such as ``minutes``.

        Raises
        ------
        ValueError
            If the folder holds no run that can go on, or another setting is changed.
        """
        folder = RunFolder.open(path)
        before = folder.config()
        config = before.changed(**changes)
        check_changes(before, config)
        trainer = cls(config, folder.images(), folder)
        trainer._load_state(folder.load_checkpoint())
        folder.truncate_history(trainer.step)
        if changes:
            folder.write_config(config)
        return trainer

    def stop(self) -> None:
        """Ask the run to end after the current step; it saves before it does."""
        self._stop.set()
        self._go.set()

    def pause(self) -> None:
        """Let the run wait after the current step."""
        self._go.clear()

    def proceed(self) -> None:
        """Go on after :meth:`pause`."""
        self._go.set()

    @property
    def is_paused(self) -> bool:
        """Whether a pause is asked for."""
        return not self._go.is_set()

    def run(self) -> Generator[StepReport, None, FinishReason]:
        """Train until a limit is reached or :meth:`stop` is called.

        Yields a report after each step and returns the reason of the end. Whatever
        ends it between two steps, also the closing of this generator, the last step is
        saved; after a fault within a step the checkpoint before stays the last one.

        Raises
        ------
        ValueError
            If the memory does not suffice; names the settings to lower.
        """
        if self.config.training.threads:
            torch.set_num_threads(self.config.training.threads)
        self.clock.start()
        saved_step, between_steps = -1, True
        reason = self.clock.reason(self.step)
        try:
            while reason is None:
                self._wait_while_paused()
                if self._stop.is_set():
                    return FinishReason.STOPPED
                between_steps = False
                report = self._train_one_step()
                if not self._is_finite(report):
                    return FinishReason.DIVERGED
                if self.clock.checkpoint_is_due(self.step):
                    self.save()
                    self.clock.count_save()
                    saved_step = self.step
                between_steps = True
                yield report
                self.clock.count()
                reason = self.clock.reason(self.step)
            if reason is FinishReason.MINUTES:
                self.clock.finish()
                saved_step = -1
            return reason
        finally:
            if between_steps and saved_step != self.step and self.step > 0:
                self.save()

    def save(self) -> None:
        """Write checkpoint, history and generator to the run folder."""
        if self.folder is None:
            return
        with memory_explained():
            trained = self.trained_generator()
        self.folder.append_history(self._rows)
        self._rows = []
        keep = self.config.training.keep_checkpoints
        self.folder.save(self.step, self._state(), trained, keep)

    def trained_generator(self, n_volumes: int = 32) -> TrainedGenerator:
        """The averaged generator as it is now, ready to use.

        Parameters
        ----------
        n_volumes
            Volumes that its statistics are measured on.
        """
        self.game.recalibrate(n_volumes)
        return TrainedGenerator(
            self.game.averaged.network,
            self.game.matched(self.transform, self.images, n_volumes),
            self.images.pixel_size_nm,
            next(iter(self.images)).name,
        )

    def preview(self) -> Volume:
        """Volume of the training size or a little more, always of the same latents."""
        edge = self.game.generator.size_rule.scale * (
            self.config.architecture.latent_size - 1
        )
        return generate(self.trained_generator(8), (edge,) * 3, PREVIEW_SEED)

    @property
    def progress(self) -> float:
        """Share of the run that is over."""
        return self.clock.progress(self.step)

    @property
    def elapsed_s(self) -> float:
        """Seconds that the run took up to its last step, pauses left out."""
        return self.clock.elapsed_s

    def _wait_while_paused(self) -> None:
        if self.is_paused:
            self.clock.count()
            self._go.wait()
            self.clock.go_on()

    def _is_finite(self, report: StepReport) -> bool:
        """Whether neither losses nor weights have diverged."""
        losses = report.critic_loss + report.generator_loss
        return math.isfinite(losses) and self.game.is_finite()

    def _train_one_step(self) -> StepReport:
        quality, preview = None, None
        with memory_explained():
            losses = self.game.step(self._real, self.progress)
            self.step += 1
            self.clock.count_step()
            if self.clock.is_monitored(self.step):
                preview = self.preview()
                quality = self.monitor.measure(preview)
                if self.folder is not None:
                    self.folder.write_preview(preview_image(self.images, preview))
                self.clock.count_monitoring(quality.correlation_distance)
        self._record(losses, quality)
        return self._report(losses, quality, preview)

    def _real(self, critic: int, n: int, rng: torch.Generator) -> torch.Tensor:
        self.images_seen += n
        return self.samplers[critic].sample(n, rng)

    def _report(
        self, losses: StepLosses, quality: Quality | None, preview: Volume | None
    ) -> StepReport:
        progress = self.progress
        return StepReport(
            step=self.step,
            critic_loss=losses.critic,
            generator_loss=losses.generator,
            penalty=losses.penalty,
            elapsed_s=self.elapsed_s,
            remaining_s=self.elapsed_s * (1 - progress) / progress,
            progress=progress,
            steps_per_s=self.clock.steps_per_s,
            images_seen=self.images_seen,
            memory_bytes=memory_in_use(self.device),
            quality=quality,
            preview=preview,
        )

    def _record(self, losses: StepLosses, quality: Quality | None) -> None:
        row: dict[str, Any] = {
            "step": self.step,
            "elapsed_s": round(self.elapsed_s, 3),
            **{f"{name}_loss": value for name, value in asdict(losses).items()},
        }
        self._rows.append({**row, **Quality.columns(quality)})

    def _state(self) -> dict[str, Any]:
        return {
            "game": self.game.state_dict(),
            "step": self.step,
            "images_seen": self.images_seen,
            "elapsed_s": self.clock.elapsed_s,
            "best_distance": self.clock.best_distance,
            "best_at_s": self.clock.best_at_s,
        }

    def _load_state(self, state: dict[str, Any]) -> None:
        self.game.load_state_dict(state["game"])
        self.step, self.images_seen = state["step"], state["images_seen"]
        for name in ("elapsed_s", "best_distance", "best_at_s"):
            setattr(self.clock, name, state[name])
