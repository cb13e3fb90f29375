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

from napari_slicegan.config import check_changes
from napari_slicegan.devices import choose_device, memory_in_use
from napari_slicegan.game import Game, StepLosses
from napari_slicegan.memory import memory_explained
from napari_slicegan.run_clock import RunClock
from napari_slicegan.run_folder import RunFolder
from napari_slicegan.step_report import FinishReason, StepReport
from napari_slicegan.subjects import build_subject
from napari_slicegan.trained_generator import trained_network

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig
    from napari_slicegan.run_data import Data

logger = logging.getLogger(__name__)


class Trainer:
    """Trains a generator on images; steer it from any thread with stop and pause.

    Parameters
    ----------
    config
        All settings.
    images
        The micrographs, which say whether the material is isotropic; or a set of
        images for a generator of images.
    folder
        Where the run is kept; None keeps nothing.

    Raises
    ------
    ValueError
        If settings and images do not fit together; before anything is written.
    """

    def __init__(
        self, config: RunConfig, images: Data, folder: RunFolder | None = None
    ) -> None:
        self.config = config
        # Of the kind that the subject takes: it refuses others.
        self.images: Any = images
        self.folder = folder
        self.device = choose_device(config.training.device)
        self.subject = subject = build_subject(config, images)
        self.transform, self.samplers = subject.transform, subject.samplers
        self.monitor = subject.monitor
        with memory_explained():
            self.game = Game(config, subject.spec, subject.isotropic, self.device)
        self.step = 0
        self.clock = RunClock(subject.training, subject.epoch_steps)
        self.images_seen = 0
        self._rows: list[dict[str, Any]] = []
        self._stop = threading.Event()
        self._go = threading.Event()
        self._go.set()

    @classmethod
    def start(cls, config: RunConfig, images: Data, path: str | Path) -> Trainer:
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
        trainer = cls(config, folder.data(), folder)
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
        self._begin()
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

    def _begin(self) -> None:
        """Start the clock; runs with epochs show what the first weights make."""
        if self.config.training.threads:
            torch.set_num_threads(self.config.training.threads)
        self.clock.start()
        if self.step == 0 and self.clock.ends_epoch(0):
            with memory_explained():
                self._observe()

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

    def trained_generator(self, n_volumes: int = 32) -> Any:
        """The averaged generator as it is now, ready to use.

        Parameters
        ----------
        n_volumes
            Volumes that its statistics are measured on.
        """
        self.game.recalibrate(n_volumes)
        return trained_network(
            self.game.averaged.network,
            self.game.matched(self.transform, self.images, n_volumes),
            self.images.pixel_size_nm,
            self.images.name,
        )

    def preview(self) -> Any:
        """What the generator makes now, always of the same latents.

        Returns
        -------
        Volume, Sheet or Scatter
            A volume of the training size or a little more; a sheet of images; points.
        """
        return self.subject.preview(self.trained_generator(8))

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
        seen = None
        with memory_explained():
            losses = self.game.step(self._real, self.progress)
            self.step += 1
            self.clock.count_step()
            if self.clock.is_monitored(self.step):
                seen = self._observe()
        self._record(losses, seen and seen[0])
        return self._report(losses, *(seen or (None, None)))

    def _observe(self) -> tuple[Any, Any]:
        """Measure the quality of a preview; returns both."""
        preview = self.preview()
        quality = self.monitor.measure(preview)
        if self.folder is not None:
            picture = self.subject.picture(preview)
            self.folder.write_preview(picture)
            if self.clock.epoch_steps and self.clock.ends_epoch(self.step):
                self.folder.write_sheet(self.step // self.clock.epoch_steps, picture)
        self.clock.count_monitoring(quality.headline)
        return quality, preview

    def _real(self, critic: int, n: int, rng: torch.Generator) -> torch.Tensor:
        self.images_seen += n
        return self.samplers[critic].sample(n, rng)

    def _report(self, losses: StepLosses, quality: Any, preview: Any) -> StepReport:
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

    def _record(self, losses: StepLosses, quality: Any) -> None:
        row: dict[str, Any] = {
            "step": self.step,
            "elapsed_s": round(self.elapsed_s, 3),
            **{f"{name}_loss": value for name, value in asdict(losses).items()},
        }
        for name in self.monitor.columns:
            row[name] = "" if quality is None else getattr(quality, name)
        self._rows.append(row)

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
