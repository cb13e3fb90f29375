"""The training loop of every system."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_slicegan.config import check_changes, parse_config
from napari_slicegan.estimates.runs import with_volumes
from napari_slicegan.game import Game
from napari_slicegan.machine.devices import memory_in_use, prepare
from napari_slicegan.machine.memory import memory_explained
from napari_slicegan.parallel.distributed import distributed_context
from napari_slicegan.run_folder import RunFolder
from napari_slicegan.step_report import FinishReason, StepReport
from napari_slicegan.subjects import build_subject
from napari_slicegan.trained_generator import trained_network
from napari_slicegan.training.device_sources import on_device
from napari_slicegan.training.run_clock import RunClock, shared_epochs
from napari_slicegan.training.shared_source import shared
from napari_slicegan.training.steering import Steered
from napari_slicegan.training.step_losses import LossHistory

if TYPE_CHECKING:
    import torch

    from napari_slicegan.config import RunConfig
    from napari_slicegan.run_data import Data


class Trainer(Steered):
    """Trains a generator on images; steer it from any thread with stop and pause.

    In a program that ``torchrun`` started, all its processes train together: each
    makes the same calls, and process 0 keeps the run folder, the clock and previews.

    Parameters
    ----------
    config
        All settings.
    images
        The micrographs, which say whether the material is isotropic; or a set of
        images for a generator of images.
    folder
        Where process 0 keeps the run; None keeps nothing.

    Raises
    ------
    ValueError
        If settings and images do not fit together; before anything is written.
    """

    def __init__(
        self, config: RunConfig, images: Data, folder: RunFolder | None = None
    ) -> None:
        super().__init__()
        self.config = config
        # Of the kind that the subject takes: it refuses others.
        self.images: Any = images
        self.distributed = distributed = distributed_context()
        self.folder = folder if distributed.is_main else None
        self.device = distributed.device(config.training.device)
        self.subject = subject = build_subject(config, images)
        self.transform = subject.transform
        self.monitor = subject.monitor
        with memory_explained():
            self.game = Game(
                config, subject.spec, subject.isotropic, self.device, distributed
            )
        self.samplers = [
            shared(on_device(one, self.device), distributed, self.game.axes_in_a_batch)
            for one in subject.samplers
        ]
        self.losses = LossHistory(self.device)
        self.step = 0
        self.clock = RunClock(
            *shared_epochs(
                subject.training, subject.epoch_steps, distributed.world_size
            )
        )
        self.images_seen = 0

    @classmethod
    def start(cls, config: RunConfig, images: Data, path: str | Path) -> Trainer:
        """Start a run in a new folder; the folder is made only if all is well."""
        distributed = distributed_context()
        chosen = distributed.raise_on_all_ranks(
            lambda: with_volumes(config, images) if distributed.is_main else config
        )
        same = parse_config(distributed.broadcast(chosen.model_dump()))
        trainer = distributed.raise_on_all_ranks(lambda: cls(same, images))
        distributed.raise_on_all_ranks(lambda: trainer.keep_in(path))
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
        return distributed_context().raise_on_all_ranks(
            lambda: cls._resumed(path, changes)
        )

    @classmethod
    def _resumed(cls, path: str | Path, changes: Mapping[str, Any]) -> Trainer:
        folder = RunFolder.open(path)
        before = folder.config()
        config = before.changed(**changes)
        check_changes(before, config)
        trainer = cls(config, folder.data(), folder)
        if trainer.distributed.is_main:
            trainer._load_state(folder.load_checkpoint())
            folder.truncate_history(trainer.step)
            if changes:
                folder.write_config(config)
        return trainer

    def keep_in(self, path: str | Path) -> None:
        """Keep the run in a new folder; refuses as `RunFolder.create` does."""
        if self.distributed.is_main:
            self.folder = RunFolder.create(path, self.config, self.images)

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
        reason = yield from self._steps()
        self.distributed.barrier()  # until process 0 has saved
        return reason

    def _steps(self) -> Generator[StepReport, None, FinishReason]:
        saved_step, between_steps = -1, True
        asked = self.distributed, self.clock
        try:
            while (decision := self.decide(*asked, self.step)).reason is None:
                between_steps = False
                report, save_now = self._train_one_step(decision.progress)
                if not self.losses.are_finite:
                    decision = self.decide(*asked, self.step, FinishReason.DIVERGED)
                    break
                if save_now:
                    self.save()
                    self.clock.count_save()
                    saved_step = self.step
                between_steps = True
                yield report
                self.clock.count()
            if decision.reason is FinishReason.MINUTES:
                self.clock.finish()
                saved_step = -1
            return (self._read_losses() and decision.reason) or FinishReason.DIVERGED
        finally:
            if between_steps and saved_step != self.step and self.step > 0:
                self.save()

    def _begin(self) -> None:
        """Start the clock; runs with epochs show what the first weights make."""
        self.distributed.broadcast_state(self._state, self._load_state)
        prepare(self.device, self.config.training.threads)
        self.clock.start()
        if self.distributed.is_main and self.step == 0 and self.clock.ends_epoch(0):
            with memory_explained():
                self._observe()

    def save(self) -> None:
        """Write checkpoint, history and generator to the run folder.

        Nothing is written of weights or losses that are not finite.
        """
        if self.folder is None or not self._read_losses():
            return
        with memory_explained():
            trained = self.trained_generator()
        self.folder.append_history(self.losses.take_rows())
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

    def _read_losses(self) -> bool:
        """Wait for the device; whether neither losses nor weights have diverged."""
        self.losses.read(self.game.is_finite)
        return self.losses.are_finite

    def _train_one_step(self, progress: float) -> tuple[StepReport, bool]:
        """Report of the step, and whether a checkpoint is due."""
        is_main = self.distributed.is_main
        quality = preview = None
        with memory_explained():
            self.losses.add(self.game.step(self._real, progress))
            self.step += 1
            is_monitored = self.clock.is_monitored(self.step)
            if self.losses.is_due or is_monitored:
                self._read_losses()
            self.clock.count_step()
            if is_monitored and is_main:
                quality, preview = self._observe()
        if is_main:
            self.losses.note(self.step, self.elapsed_s, self.monitor.columns, quality)
        save_now = is_main and self.clock.checkpoint_is_due(self.step)
        if save_now:
            self._read_losses()
        return self._report(quality, preview), save_now

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
        self.images_seen += n * self.distributed.world_size
        return self.samplers[critic].sample(n, rng)

    def _report(self, quality: Any, preview: Any) -> StepReport:
        progress, losses = self.progress, self.losses.last
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

    def _state(self) -> dict[str, Any]:
        return {
            "game": self.game.state_dict(),
            "step": self.step,
            "images_seen": self.images_seen,
            **self.clock.state_dict(),
        }

    def _load_state(self, state: dict[str, Any]) -> None:
        self.game.load_state_dict(state["game"])
        self.step, self.images_seen = state["step"], state["images_seen"]
        self.clock.load_state_dict(state)
