"""Progress of a run: why it ends, what a step reports, and its clock."""

from __future__ import annotations

import math
import statistics
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_slicegan.config import TrainingSettings

SPEED_WINDOW = 20
# Assumed duration of a save, in steps, until one has been measured. Saving includes the
# recalibration of batch norm on new volumes.
SAVE_IN_STEPS = 5.0
# If the assumed save exceeds this fraction of the run, the first save is made early to
# measure it.
ASSUMED_SAVE_FRACTION = 0.05
# Training time before the first save of a process: a kill loses no more than this, a
# step and a save.
FIRST_SAVE_S = 5.0
FREE_MONITORING_S = 60.0
"""Training time in which all measurements are made: the user waits for the first."""
MONITORING_SHARE = 0.01
"""Largest part of the later time for measurements, from their median duration."""
MONITORED_TIMES = 5
SHORT_EPOCHS_MINUTES = 0.5
"""Time between measurements where an epoch is a single step."""
SAVED_ATTRIBUTES = ("elapsed_s", "best_distance", "best_at_s")


class FinishReason(Enum):
    """Reason for the end of a run; the value is the message shown to the user."""

    STEPS = "All steps are done."
    MINUTES = "Time limit reached."
    SETTLED = "The quality stopped improving."
    STOPPED = "Stopped on request; the run can be resumed."
    DIVERGED = (
        "The losses are no longer finite and this step is not saved; lower the "
        "learning rates or raise 'Penalty weight', then start again."
    )

    def after(self, steps: int, elapsed_s: float) -> str:
        """The message, with the number of steps and the elapsed time."""
        if steps == 0:
            return "Stopped before the first step; start the run again in a new folder."
        unit = "step" if steps == 1 else "steps"
        return f"{self.value} {steps} {unit} in {elapsed_s:.0f} s."


@dataclass(frozen=True)
class StepReport:
    """State of a run after a training step.

    Attributes
    ----------
    step
        Generator steps done.
    critic_loss, generator_loss, penalty
        Losses of this step; `penalty` is the weighted gradient penalty of the critic.
    elapsed_s, remaining_s
        Training time without pauses, and the estimated remaining time.
    progress
        Completed fraction of the run, 0 to 1.
    steps_per_s
        Mean over the most recent steps, excluding monitoring and saving.
    images_seen
        Number of real images shown to the critics.
    memory_bytes
        Memory of the process, or of the GPU where it trains.
    quality, preview
        Measured every ``monitor_interval`` steps, otherwise None: a Quality and a
        Volume, an ImageQuality and a Sheet, or a PointQuality and a Scatter. None if
        monitoring failed.
    warning
        One sentence for each new monitoring failure (training continues); else empty.
    """

    step: int
    critic_loss: float
    generator_loss: float
    penalty: float
    elapsed_s: float
    remaining_s: float
    progress: float
    steps_per_s: float
    images_seen: int
    memory_bytes: int
    quality: Any = None
    preview: Any = field(default=None, repr=False)
    warning: str = ""


class RunClock:
    """Measures the time spent on training steps, monitoring and saving.

    Pauses and the caller's work between two reports are excluded.

    Parameters
    ----------
    training
        Limits of the run.
    epoch_steps
        Steps per epoch of a single process; quality is also measured at the end of each
        epoch, or by time. None if the run has no epochs.
    n_processes
        Processes that share each epoch.

    Attributes
    ----------
    elapsed_s
        Training time so far, including the time before the run was resumed.
    best_distance, best_at_s
        Smallest distance measured so far, and its time.
    """

    def __init__(
        self,
        training: TrainingSettings,
        epoch_steps: int | None = None,
        n_processes: int = 1,
    ) -> None:
        if epoch_steps is not None and n_processes > 1:
            epoch_steps = max(1, epoch_steps // n_processes)
            if training.epochs is not None:
                steps = min(training.steps, training.epochs * epoch_steps)
                training = training.model_copy(update={"steps": steps})
        minutes = training.minutes
        self.training = training
        self.epoch_steps = epoch_steps
        self.limit_s = math.inf if minutes is None else 60 * minutes
        self.elapsed_s = 0.0
        self.best_distance = math.inf
        self.best_at_s = 0.0
        self._steps: deque[float] = deque(maxlen=SPEED_WINDOW)
        pause = training.monitor_minutes
        if pause is None and epoch_steps == 1:
            pause = SHORT_EPOCHS_MINUTES
        self._monitor_every_s = None if pause is None else 60 * pause
        self._monitored_at_s = 0.0
        # Durations of the most recent measurements.
        self._monitor_times: deque[float] = deque(maxlen=MONITORED_TIMES)
        self._save_s: float | None = None
        self._saved_at_s = 0.0
        self._seen_s = 0.0

    def start(self) -> None:
        """Start the clock."""
        self._saved_at_s = self._monitored_at_s = self.elapsed_s
        self.skip()

    def skip(self) -> float:
        """Discard the time since the last reading; return it in seconds."""
        now = time.perf_counter()
        passed = now - self._seen_s
        self._seen_s = now
        return passed

    def count(self) -> float:
        """Add the time since the last reading; return it in seconds."""
        passed = self.skip()
        self.elapsed_s += passed
        return passed

    def count_step(self) -> None:
        """Count a training step."""
        self._steps.append(self.count())

    def count_monitoring(self, distance: float) -> None:
        """Count a quality measurement and record the best one."""
        self._monitor_times.append(self.count())
        self._monitored_at_s = self.elapsed_s
        if distance < self.best_distance:
            self.best_distance, self.best_at_s = distance, self.elapsed_s

    def count_save(self, *, is_charged: bool = True) -> None:
        """Measure a save; one made for a pause is not charged to the run."""
        self._save_s = self.count() if is_charged else self.skip()
        self._saved_at_s = self.elapsed_s

    def finish(self) -> None:
        """Set the clock to its limit; the remaining time is used for the last save."""
        self.elapsed_s = max(self.elapsed_s, self.limit_s)

    def state_dict(self) -> dict[str, float]:
        """State needed to resume the run."""
        return {name: getattr(self, name) for name in SAVED_ATTRIBUTES}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore the state returned by :meth:`state_dict`."""
        for name in SAVED_ATTRIBUTES:
            setattr(self, name, float(state[name]))

    @property
    def unsaved_s(self) -> float:
        """Training time since the last save, or since the start."""
        return self.elapsed_s - self._saved_at_s

    @property
    def steps_per_s(self) -> float:
        """Mean speed over the most recent steps, excluding monitoring and saving."""
        return len(self._steps) / max(sum(self._steps), 1e-9)

    def progress(self, step: int) -> float:
        """Completed fraction of the run, 0 to 1."""
        return min(1.0, max(step / self.training.steps, self.elapsed_s / self.limit_s))

    def is_monitored(self, step: int) -> bool:
        """Whether the quality is measured after this step, which is being made."""
        return self._is_monitored(step, self.elapsed_s + self._uncounted_s)

    def _is_monitored(self, step: int, ends_at_s: float) -> bool:
        """Whether it is measured after this step, which ends at a time of the run."""
        waited_s = ends_at_s - self._monitored_at_s
        if step % self.training.monitor_interval == 0:
            is_free = ends_at_s <= FREE_MONITORING_S
            return is_free or waited_s * MONITORING_SHARE >= self._monitor_s
        if self._monitor_every_s is None:
            return self.ends_epoch(step)
        return waited_s >= self._monitor_every_s

    @property
    def by_time(self) -> bool:
        """Whether the quality is measured by time in place of each epoch."""
        return self._monitor_every_s is not None

    def ends_epoch(self, step: int) -> bool:
        """Whether an epoch ends with this step; also True for step 0."""
        return self.epoch_steps is not None and step % self.epoch_steps == 0

    def checkpoint_is_due(self, step: int) -> bool:
        """Whether to save after this step; False if the final save follows anyway.

        The first save is made after seconds. A run of few, long steps saves once before
        its time limit to measure the duration of a save, so that it does not end early
        because of a poor guess.
        """
        interval_s = 60 * self.training.checkpoint_minutes
        if self._save_s is None:
            interval_s = min(interval_s, FIRST_SAVE_S)
            assumed_s = self._assumed_save_s
            matters = assumed_s > ASSUMED_SAVE_FRACTION * self.limit_s
            if matters and self.reason(step, assumed_s) is FinishReason.MINUTES:
                return True
        if self.unsaved_s <= interval_s:
            return False
        return self.reason(step, self._save_s or 0.0) is None

    def reason(self, step: int, spent_s: float = 0.0) -> FinishReason | None:
        """Limit reached after this step, if any.

        The time limit is reached when another step and the final save would exceed it;
        at least one step is made.

        Parameters
        ----------
        spent_s
            Time that will be spent before the decision, in seconds.
        """
        elapsed_s = self.elapsed_s + spent_s
        if step >= self.training.steps:
            return FinishReason.STEPS
        is_late = elapsed_s >= self.limit_s
        if step and (is_late or elapsed_s + self.next_step_s(step) > self.limit_s):
            return FinishReason.MINUTES
        settle = self.training.patience_minutes
        measured = self.best_distance < math.inf
        if settle is not None and measured and elapsed_s - self.best_at_s > 60 * settle:
            return FinishReason.SETTLED
        return None

    def next_step_s(self, step: int) -> float:
        """Expected duration of another step and a save; 0 before the first step.

        Uses the longest of the most recent steps.
        """
        if not self._steps:
            return 0.0
        save_s = self._assumed_save_s if self._save_s is None else self._save_s
        step_s, monitor_s = max(self._steps), 0.0
        if self._is_monitored(step + 1, self.elapsed_s + step_s):
            monitor_s = self._monitor_s
        return step_s + monitor_s + save_s

    @property
    def _monitor_s(self) -> float:
        """Expected duration of a measurement; 0 before the first one.

        The median of the last ones: some of them take longer, see `Connectivity`.
        """
        return statistics.median(self._monitor_times) if self._monitor_times else 0.0

    @property
    def _uncounted_s(self) -> float:
        """Seconds since the last reading."""
        return time.perf_counter() - self._seen_s

    @property
    def _assumed_save_s(self) -> float:
        """Assumed duration of a save until one is measured."""
        return SAVE_IN_STEPS * statistics.median(self._steps)
