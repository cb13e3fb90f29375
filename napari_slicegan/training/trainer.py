"""The training loop of every system."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import threading
import traceback
from collections.abc import Callable, Generator
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from napari_slicegan.config import check_changes, parse_config
from napari_slicegan.models.generator_file import trained_network
from napari_slicegan.models.pretrained import uses_pretrained
from napari_slicegan.runtime.devices import (
    choose_precision,
    memory_in_use,
    prepare,
)
from napari_slicegan.runtime.distributed import Decision, distributed_context
from napari_slicegan.runtime.memory import (
    BATCH_SETTINGS,
    LackOfMemoryError,
    memory_explained,
    reason_of,
)
from napari_slicegan.training.adversarial_step import AdversarialStep
from napari_slicegan.training.clock import FinishReason, RunClock, StepReport
from napari_slicegan.training.estimates import check_training_memory, complete
from napari_slicegan.training.history import LossHistory
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.sources import move_to_device, shard_source
from napari_slicegan.training.tasks import TASKS

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig
    from napari_slicegan.training.tasks import Task, TrainingData

logger = logging.getLogger(__name__)

ANY_RANK_REASONS = (FinishReason.STOPPED, FinishReason.DIVERGED)
"""Reasons that any process may give; the others come from the clock of process 0."""

SAVE_FAULTS = (OSError, LackOfMemoryError)

FEW_VOLUMES, MANY_VOLUMES = 8, 32
"""Volumes for the statistics of the generator: of previews and checkpoints during the
run, which would take seconds else; of checkpoints that the user sees or keeps."""

COLLAPSED_AFTER = 3
"""Successive previews of one value after which a generator has collapsed."""


class Trainer:
    """Trains a generator; owns pause, stop and the clock of the run.

    `pause`, `unpause` and `stop` may be called from any thread. A trainer runs once;
    use `resume` to continue a run that has ended.

    Under ``torchrun`` all processes train together: each makes the same calls, and
    process 0 owns the run folder, the clock and the previews.

    Parameters
    ----------
    config
        All settings.
    images
        Training data: micrographs, or an image set for a generator of images.
    folder
        Run folder of process 0; None writes no files.
    task
        Task of these settings and images, if already built.

    Attributes
    ----------
    gan
        Networks and optimisers.
    on_pause
        Called in the thread of the run: with True when a pause has begun and the run is
        saved, with False when training continues.

    Raises
    ------
    ValueError
        If settings and images do not fit together; before anything is written.
    """

    def __init__(
        self,
        config: RunConfig,
        images: TrainingData,
        folder: RunFolder | None = None,
        task: Task[Any, Any] | None = None,
    ) -> None:
        self.config = config
        # The task has checked the type.
        self.images: Any = images
        self.distributed = distributed = distributed_context()
        self.folder = folder if distributed.is_main else None
        self.device = distributed.device(config.training.device)
        if task is None:
            task = TASKS[config.architecture.task](config, images)
        self.task = task
        self.transform = task.transform
        self.monitor = task.monitor
        with memory_explained():
            self.gan = AdversarialStep(
                config, task.spec, task.isotropic, self.device, distributed
            )
        self.samplers = [
            shard_source(
                move_to_device(source, self.device),
                distributed,
                self.gan.axes_in_a_batch,
            )
            for source in task.samplers
        ]
        self.losses = LossHistory(self.device)
        # Of the run: of its first weights, its seed and its data.
        self.lineage: tuple[str, ...] = (self._identity(),)
        self.step = 0
        self.clock = RunClock(task.training, task.epoch_steps, distributed.world_size)
        self.images_seen = 0
        self.on_pause: Callable[[bool], None] | None = None
        self._stop = threading.Event()
        # Cleared while a pause is requested.
        self._go = threading.Event()
        self._go.set()
        self._saved_step = -1
        self._has_run = False
        self._monitor_faults: set[tuple[str, type[Exception]]] = set()
        self._warnings: list[str] = []
        self._is_save_failing = False
        self._unsaved_rows: list[dict[str, Any]] = []
        # Successive previews of one value; the last step measured before them, and the
        # step of the checkpoint from before that is kept.
        self._n_collapsed, self._sound_step = 0, 0
        self._before_collapse: int | None = None
        # Checkpoints that were there when this trainer was made.
        self._known_steps: list[int] = []

    @classmethod
    def start(
        cls,
        config: RunConfig,
        images: TrainingData,
        path: str | Path,
        prepare: Callable[[Trainer], None] | None = None,
    ) -> Trainer:
        """Start a run in a new folder, which is created last, after all checks.

        Parameters
        ----------
        config, images
            As in the class; what is left open is filled in, see `complete`.
        path
            New or empty folder.
        prepare
            Called with the trainer before anything is written, such as to load weights,
            which are then saved as a checkpoint of step 0.

        Raises
        ------
        ValueError
            If settings and images do not fit together, the memory does not suffice, or
            the folder holds another run or cannot be written.
        """
        distributed = distributed_context()
        kind = TASKS[config.architecture.task]
        task = distributed.raise_on_all_ranks(lambda: kind(config, images))
        chosen = distributed.raise_on_all_ranks(
            lambda: complete(config, task) if distributed.is_main else config
        )
        chosen = parse_config(distributed.broadcast(chosen.model_dump()))

        def check() -> None:
            if distributed.is_main:
                check_training_memory(chosen, task)

        distributed.raise_on_all_ranks(check)

        def prepared() -> Trainer:
            # Epochs depend on the batch size: a changed one needs another task.
            is_same = chosen.training == config.training
            trainer = cls(chosen, images, task=task if is_same else None)
            if prepare is not None:
                prepare(trainer)
            return trainer

        trainer = distributed.raise_on_all_ranks(prepared)
        trainer.folder = distributed.raise_on_all_ranks(
            lambda: (
                RunFolder.create(path, chosen, images) if distributed.is_main else None
            )
        )
        if prepare is not None:
            distributed.raise_on_all_ranks(trainer.save)
        return trainer

    @classmethod
    def resume(cls, path: str | Path, **changes: Any) -> Trainer:
        """Continue an earlier run from its last checkpoint, or start it without one.

        Parameters
        ----------
        path
            The run folder.
        changes
            Settings of the group ``training`` to change, such as ``minutes``.

        Raises
        ------
        ValueError
            If the folder holds no run that can be resumed, another process trains it, a
            fixed setting changes, or the memory does not suffice.
        """

        def resumed() -> Trainer:
            folder = RunFolder.open(path)
            before = folder.config()
            config = before.changed(**changes)
            check_changes(before, config)
            trainer = cls(config, folder.data(), folder)
            if trainer.distributed.is_main:
                check_training_memory(config, trainer.task, BATCH_SETTINGS)
                with folder.lock():
                    # A run that was killed before its first save begins anew.
                    if folder.checkpoints():
                        trainer._load_checkpoint(folder)
                    if {"epochs", "steps"} & set(changes) and "minutes" not in changes:
                        config = trainer._without_spent_minutes()
                    trainer._known_steps = folder.saved_steps()
                    folder.truncate_history(trainer.step)
                    if changes:
                        folder.write_config(config)
            return trainer

        return distributed_context().raise_on_all_ranks(resumed)

    def _without_spent_minutes(self) -> RunConfig:
        """Settings without a time limit that is reached, so that more steps are made.

        It is not dropped while time is left.
        """
        if self.elapsed_s >= self.clock.limit_s:
            self.config = self.config.changed(minutes=None)
            self.clock.limit_s = math.inf
            logger.warning(
                "'Minutes' of the run are spent; it is resumed without a time limit."
            )
        return self.config

    def run(self) -> Generator[StepReport, None, FinishReason]:
        """Train until a limit is reached or :meth:`stop` is called; once per trainer.

        Yields a report after each step and returns the reason for the end. Pauses and
        the caller's work between two reports do not count as training time. The last
        completed step is saved whenever the run ends between two steps, including when
        this generator is closed; after an error within a step the previous checkpoint
        remains the last one.

        Raises
        ------
        RuntimeError
            If this trainer has run before.
        ValueError
            If memory runs out; names the settings to lower. If another process trains
            this run, or has done so since it was loaded.
        """
        if self._has_run:
            raise RuntimeError(
                "Expected a trainer that has not run yet, got one whose run has begun "
                "or ended; make another with Trainer.resume, or a new Trainer."
            )
        self._has_run = True
        return self._locked_steps()

    def pause(self) -> None:
        """Pause after the current step, save the run and wait for :meth:`unpause`.

        Call it from another thread: the thread of the run blocks while paused.
        """
        self._go.clear()

    def unpause(self) -> None:
        """Continue training after :meth:`pause`."""
        self._go.set()

    proceed = unpause
    """Name of `unpause` in version 0.1."""

    def stop(self) -> None:
        """Stop and save the run after the current step, also while paused."""
        self._stop.set()
        self._go.set()

    @property
    def is_paused(self) -> bool:
        """Whether a pause is requested in this process."""
        return not self._go.is_set()

    def _locked_steps(self) -> Generator[StepReport, None, FinishReason]:
        with self.distributed.raise_on_all_ranks(self._lock):
            return (yield from self._steps())

    def _lock(self) -> contextlib.AbstractContextManager[object]:
        """Keep others from training this run; refuse one that they trained further."""
        if self.folder is None:
            return contextlib.nullcontext()
        with self.folder.lock() as lock:
            newer = {*self.folder.saved_steps()} - {*self._known_steps, self.step}
            if newer:
                raise ValueError(
                    f"The run {self.folder.path} was trained to step {max(newer)} by "
                    "another process since it was loaded here; resume it again."
                )
            return lock.pop_all()

    def _steps(self) -> Generator[StepReport, None, FinishReason]:
        self.distributed.broadcast_state(self._state, self._load_state)
        prepare(self.device, self.config.training.threads)
        self.clock.start()
        if self.step == 0:
            for critic in self.gan.critics:
                if warning := self.gan.objective.warning(critic):
                    self._warn(warning)
                    break
        # Runs with epochs also show the untrained generator.
        if self.distributed.is_main and self.step == 0 and self.clock.ends_epoch(0):
            self._observe()
        between_steps, is_sound = True, False
        try:
            while (decision := self._decide()).reason is None:
                between_steps = False
                report, save_now = self._train_one_step(decision.progress)
                if not self.losses.are_finite:
                    decision = self._decide()
                    break
                if save_now:
                    self._try_to_save(FEW_VOLUMES)
                    self.clock.count_save()
                between_steps = True
                yield report
                # The caller's work is not training time.
                self.clock.skip()
            if decision.reason is FinishReason.MINUTES:
                self.clock.finish()
                self._saved_step = -1
            is_sound = self._is_sound()
            reason = (is_sound and decision.reason) or FinishReason.DIVERGED
        finally:
            if between_steps and self._saved_step != self.step and self.step > 0:
                self._save_at_end(is_sound=is_sound)
        self.distributed.barrier()  # until process 0 has saved
        return reason

    def _decide(self) -> Decision[FinishReason]:
        """Agree with all processes on how to continue; blocks while paused."""
        in_pause = False
        while True:
            reason = self.clock.reason(self.step)
            if not self.losses.are_finite:
                reason = FinishReason.DIVERGED
            elif reason is None and self._stop.is_set():
                reason = FinishReason.STOPPED
            decision = self.distributed.all_reduce_decision(
                Decision(reason, self.is_paused, self.progress), ANY_RANK_REASONS
            )
            if decision.reason is not None or not decision.is_paused:
                break
            if not in_pause:
                in_pause = True
                self.clock.count()
                if self.step > 0 and self._saved_step != self.step:
                    self._try_to_save()
                    self.clock.count_save(is_charged=False)
                if not self.losses.are_finite:
                    continue
                if self.on_pause is not None:
                    self.on_pause(True)
            self._go.wait(self.distributed.poll_s)
        if in_pause:
            self.clock.skip()
            if decision.reason is None and self.on_pause is not None:
                self.on_pause(False)
        return decision

    def save(self) -> None:
        """Write checkpoint, history and generator to the run folder.

        Writes nothing if losses, weights or the state of the optimisers are not finite.
        """
        if self.folder is not None and self._is_sound():
            self._write(self.folder)

    def _write(self, folder: RunFolder, n_volumes: int = MANY_VOLUMES) -> None:
        """`save` what has been checked."""
        # Rows that could not be written remain until the next save.
        self._unsaved_rows += self.losses.take_rows()
        keep = self.config.training.keep_checkpoints
        with memory_explained():
            trained = self.trained_generator(n_volumes)
            folder.append_history(self._unsaved_rows)
            self._unsaved_rows = []
            folder.save(self.step, self._state(), trained, keep, self._before_collapse)
        # One of few volumes is saved again in a pause or at the end.
        self._saved_step = self.step if n_volumes == MANY_VOLUMES else -1

    def _try_to_save(self, n_volumes: int = MANY_VOLUMES) -> None:
        """`save` during training: a fault of the disk does not end the run.

        Nor does a lack of memory. Earlier checkpoints remain; the next save is tried
        when it is due.

        Parameters
        ----------
        n_volumes
            See `trained_generator`.
        """
        try:
            if self.folder is not None and self._is_sound():
                self._write(self.folder, n_volumes)
        except SAVE_FAULTS as error:
            if not self._is_save_failing:
                warning = (
                    f"Step {self.step}: the run could not be saved "
                    f"({reason_of(error)}); training continues, and saving is tried "
                    "again."
                )
                self._warn(warning)
            self._is_save_failing = True
        else:
            self._is_save_failing = False

    def _save_at_end(self, *, is_sound: bool) -> None:
        """`save`, with a sentence about the remaining files if it fails.

        Parameters
        ----------
        is_sound
            Whether `_is_sound` has found so.
        """
        try:
            if is_sound and self.folder is not None:
                self._write(self.folder)
            else:
                self.save()
        except SAVE_FAULTS as error:
            left = "the run folder cannot be read"
            # A network drive may be gone.
            with contextlib.suppress(OSError):
                kept = [] if self.folder is None else self.folder.checkpoints()
                left = f"{kept[0].name} is kept" if kept else "no checkpoint was saved"
            raise ValueError(
                f"Expected to save step {self.step} of the run, got "
                f"'{reason_of(error)}' ({left}); free space or restore the drive, then "
                "resume the run."
            ) from error

    def trained_generator(
        self, n_volumes: int = MANY_VOLUMES, *, is_precise: bool = True
    ) -> Any:
        """The averaged generator in its current state, ready to use.

        Parameters
        ----------
        n_volumes
            Number of volumes for its batch-norm statistics and phase fractions.
        is_precise
            Whether the phase fractions are those of more volumes if they are small.
        """
        self.gan.recalibrate(n_volumes)
        return trained_network(
            self.gan.averaged.network,
            self.gan.matched_transform(
                self.transform, self.images, n_volumes, is_precise=is_precise
            ),
            self.images.pixel_size_nm,
            self.images.name,
            self.images.colours,
            self.lineage,
        )

    def _identity(self) -> str:
        """SHA-256 of the generator's first weights and of some real samples.

        And of the seed where weights are pretrained, which are the same in other runs.
        """
        digest = hashlib.sha256()
        if uses_pretrained(self.config.architecture):
            digest.update(str(self.config.training.seed).encode())
        for tensor in self.gan.generator.state_dict().values():
            if not tensor.is_meta:  # which has no values
                digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        for source in self.task.samplers:
            drawn = source.sample(1, torch.Generator().manual_seed(0))
            digest.update(drawn.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def preview(self) -> Any:
        """Current output of the generator for fixed latents.

        Returns
        -------
        Volume, Sheet or Scatter
            A volume of about the training size; a sheet of images; points.
        """
        trained = self.trained_generator(FEW_VOLUMES, is_precise=False)
        return self.task.preview(trained)

    @property
    def progress(self) -> float:
        """Completed fraction of the run, 0 to 1."""
        return self.clock.progress(self.step)

    @property
    def elapsed_s(self) -> float:
        """Training time up to the last step, without pauses."""
        return self.clock.elapsed_s

    @property
    def unsaved_s(self) -> float:
        """Training time since the last checkpoint."""
        return self.clock.unsaved_s

    @property
    def next_step_s(self) -> float:
        """Expected duration of the next step with monitoring and a save.

        Uses the longest of the most recent steps; 0 before the first one.
        """
        return self.clock.next_step_s(self.step)

    def _read_losses(self) -> bool:
        """Read the losses from the device; return whether all are finite."""
        self.losses.read(self.gan.is_finite)
        return self.losses.are_finite

    def _is_sound(self) -> bool:
        """`_read_losses`, and whether all that a checkpoint would hold is finite."""
        if self._read_losses() and self.folder is not None:
            # Squares of huge gradients may not be: the weights would move no more.
            with memory_explained():
                self.losses.are_finite = _is_finite(self.gan.state_dict())
        return self.losses.are_finite

    def _train_one_step(self, progress: float) -> tuple[StepReport, bool]:
        """Train; return the report of the step and whether a checkpoint is due."""
        is_main = self.distributed.is_main
        quality = preview = None
        with memory_explained():
            self.losses.add(self.gan.step(self._real, progress))
            self.step += 1
            is_monitored = self.clock.is_monitored(self.step)
            if self.losses.is_due or is_monitored:
                self._read_losses()
            self.clock.count_step()
            if is_monitored and is_main:
                quality, preview = self._observe()
        if is_main:
            self.losses.add_row(
                self.step, self.elapsed_s, self.monitor.columns, quality
            )
        save_now = is_main and self.clock.checkpoint_is_due(self.step)
        if save_now:
            self._read_losses()
        return self._report(quality, preview), save_now

    def _observe(self) -> tuple[Any, Any]:
        """Make a preview, measure its quality and write its picture.

        A failure does not end the run: it is reported once, and the result is None.
        """
        quality = None
        preview = self._monitored("making the preview", self.preview)
        if preview is not None:
            measure, write = self.monitor.measure, self._write_preview
            quality = self._monitored("measuring the preview", measure, preview)
            self._monitored("writing the preview", write, preview)
            self._monitored("checking the preview", self._note_collapse, preview)
        self.clock.count_monitoring(math.nan if quality is None else quality.headline)
        return quality, preview

    def _note_collapse(self, preview: Any) -> None:
        """Warn of a generator that has collapsed; keep the checkpoint of before."""
        if not self.monitor.is_collapsed(preview):
            self._n_collapsed, self._sound_step = 0, self.step
            self._before_collapse = None
            return
        self._n_collapsed += 1
        steps = [] if self.folder is None else self.folder.saved_steps()
        if self._n_collapsed == 1:
            sound = [step for step in steps if step <= self._sound_step]
            self._before_collapse = max(sound, default=None)
        if self._n_collapsed != COLLAPSED_AFTER:
            return
        remedy = "start again with lower learning rates or another 'Seed'"
        if self._before_collapse is not None:
            remedy = (
                f"the checkpoint of step {self._before_collapse} is kept: delete the "
                "newer ones and resume with lower learning rates, or start again"
            )
        self._warn(
            f"Step {self.step}: the last {COLLAPSED_AFTER} previews consist of one "
            f"value, so the generator has collapsed; {remedy}."
        )

    def _warn(self, warning: str) -> None:
        logger.warning(warning)
        self._warnings.append(warning)

    def _write_preview(self, preview: Any) -> None:
        if self.folder is not None:
            steps = self.clock.epoch_steps
            is_sheet = steps and (self.clock.by_time or self.step % steps == 0)
            epoch = self.step // steps if steps and is_sheet else None
            self.folder.write_preview(self.task.picture(preview), epoch)

    def _monitored(self, what: str, work: Callable[..., Any], *args: Any) -> Any:
        """Result of a part of the monitoring; None and a warning if it fails."""
        try:
            with memory_explained():
                return work(*args)
        except Exception as error:  # noqa: BLE001 monitoring must not end a run
            kind = type(error)
            if (what, kind) in self._monitor_faults:
                return None
            self._monitor_faults.add((what, kind))
            plain = isinstance(error, (ValueError, OSError))
            text = str(error) if plain else f"{kind.__name__}: {error}"
            warning = f"Step {self.step}: {what} failed ({text}); training continues."
            self._warn(warning)
            # As text: a log record with the traceback would keep the networks alive.
            logger.debug("%s", traceback.format_exc())
            return None

    def _real(self, critic: int, n: int, rng: torch.Generator) -> torch.Tensor:
        source = self.samplers[critic]

        def draw() -> torch.Tensor:
            self.images_seen += n * self.distributed.world_size
            return source.packed(source.draw(n, rng))

        return source.unpacked(self.gan.feed(draw, self.device))

    def _report(self, quality: Any, preview: Any) -> StepReport:
        progress, losses = self.progress, self.losses.last
        warning, self._warnings = " ".join(self._warnings), []
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
            warning=warning,
        )

    def _state(self) -> dict[str, Any]:
        return {
            "game": self.gan.state_dict(),
            "step": self.step,
            "images_seen": self.images_seen,
            "lineage": list(self.lineage),
            "precision": str(self.gan.precision).removeprefix("torch."),
            **self.clock.state_dict(),
        }

    def _load_checkpoint(self, folder: RunFolder) -> None:
        try:
            self._load_state(folder.load_checkpoint())
        except (AttributeError, LookupError, OverflowError, TypeError) as error:
            name = folder.checkpoints()[0].name
            raise ValueError(
                f"{name}: expected the state of a run, got something else; delete the "
                "file and resume the run."
            ) from error

    def _load_state(self, state: dict[str, Any]) -> None:
        self.gan.load_state_dict(state["game"])
        # Runs of earlier releases do not state it.
        self.gan.precision = choose_precision(
            self.config.training.precision, self.device, state.get("precision", "")
        )
        self.step, self.images_seen = map(index, (state["step"], state["images_seen"]))
        # Runs of earlier releases do not state it.
        self.lineage = tuple(map(str, state.get("lineage", self.lineage)))
        self.clock.load_state_dict(state)


def _is_finite(state: Any) -> bool:
    """Whether all numbers of a nested state are finite."""
    if isinstance(state, torch.Tensor):
        return not state.is_floating_point() or bool(state.isfinite().all())
    if isinstance(state, dict):
        state = state.values()
    elif not isinstance(state, (list, tuple)):
        return True
    return all(map(_is_finite, state))
