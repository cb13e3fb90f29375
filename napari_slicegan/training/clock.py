"""Clock of a run: elapsed time, time of a step, when it ends; pause and stop."""

from __future__ import annotations

import math
import statistics
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING

from napari_slicegan.training.report import FinishReason

if TYPE_CHECKING:
    from napari_slicegan.config import TrainingSettings

SPEED_WINDOW = 20
# A save measures batch norm on new volumes; in steps, before one was measured.
SAVE_IN_STEPS = 5.0
# Where that is a larger share of the run, the first save is made early, and measured.
GUESSED_SHARE = 0.05
KEPT = ("elapsed_s", "best_distance", "best_at_s")


def shared_epochs(
    training: TrainingSettings, epoch_steps: int | None, n_processes: int
) -> tuple[TrainingSettings, int | None]:
    """Limits and steps of an epoch where several processes share its images.

    Parameters
    ----------
    training, epoch_steps
        Those of one process that trains alone.
    """
    if epoch_steps is None or n_processes == 1:
        return training, epoch_steps
    fewer = max(1, epoch_steps // n_processes)
    if training.epochs is not None:
        steps = min(training.steps, training.epochs * fewer)
        training = training.model_copy(update={"steps": steps})
    return training, fewer


class RunClock:
    """Counts the seconds of a run: steps, monitoring and saves.

    Pauses are left out, and what the caller of the run does between two reports.

    Parameters
    ----------
    training
        The limits.
    epoch_steps
        Steps of an epoch, at whose end the quality is measured too; None for none.

    Attributes
    ----------
    elapsed_s
        Seconds so far, those of the parts before a resume included.
    best_distance, best_at_s
        Smallest distance measured so far, and when.
    """

    def __init__(
        self, training: TrainingSettings, epoch_steps: int | None = None
    ) -> None:
        minutes = training.minutes
        self.training = training
        self.epoch_steps = epoch_steps
        self.limit_s = math.inf if minutes is None else 60 * minutes
        self.elapsed_s = 0.0
        self.best_distance = math.inf
        self.best_at_s = 0.0
        self._steps: deque[float] = deque(maxlen=SPEED_WINDOW)
        self._monitor_s = 0.0
        self._save_s: float | None = None
        self._saved_at_s = 0.0
        self._seen_s = 0.0

    def start(self) -> None:
        """Begin to count."""
        self._saved_at_s = self.elapsed_s
        self.skip()

    def skip(self) -> float:
        """Leave out what has passed since the last count; returns it, in seconds."""
        now = time.perf_counter()
        passed = now - self._seen_s
        self._seen_s = now
        return passed

    def count(self) -> float:
        """Count what has passed since the last count; returns it, in seconds."""
        passed = self.skip()
        self.elapsed_s += passed
        return passed

    def count_step(self) -> None:
        """Count a training step."""
        self._steps.append(self.count())

    def count_monitoring(self, distance: float) -> None:
        """Count a measurement of the quality, and remember the best one."""
        self._monitor_s = self.count()
        if distance < self.best_distance:
            self.best_distance, self.best_at_s = distance, self.elapsed_s

    def count_save(self, *, is_charged: bool = True) -> None:
        """Measure the writing of a checkpoint; that of a pause is not charged."""
        self._save_s = self.count() if is_charged else self.skip()
        self._saved_at_s = self.elapsed_s

    def finish(self) -> None:
        """Set the clock to its limit: what is left of it goes to the last save."""
        self.elapsed_s = max(self.elapsed_s, self.limit_s)

    def state_dict(self) -> dict[str, float]:
        """What a resumed run goes on with."""
        return {name: getattr(self, name) for name in KEPT}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Take over what :meth:`state_dict` gave."""
        for name in KEPT:
            setattr(self, name, state[name])

    @property
    def unsaved_s(self) -> float:
        """Seconds counted since the last save, or since the start."""
        return self.elapsed_s - self._saved_at_s

    @property
    def steps_per_s(self) -> float:
        """Speed over the last steps, without monitoring and saving."""
        return len(self._steps) / max(sum(self._steps), 1e-9)

    def progress(self, step: int) -> float:
        """Share of the run that is over, 0 to 1."""
        return min(1.0, max(step / self.training.steps, self.elapsed_s / self.limit_s))

    def is_monitored(self, step: int) -> bool:
        """Whether the quality is measured after this step."""
        return step % self.training.monitor_interval == 0 or self.ends_epoch(step)

    def ends_epoch(self, step: int) -> bool:
        """Whether this step is the last one of an epoch; step 0 begins the first."""
        return self.epoch_steps is not None and step % self.epoch_steps == 0

    def checkpoint_is_due(self, step: int) -> bool:
        """Whether to save after this step; not if the end, which saves, comes next.

        A run of few, long steps saves once before its time is nearly up, so that it
        does not end early for a save that is only guessed to take long.
        """
        matters = self._save_s is None and self._guess_s > GUESSED_SHARE * self.limit_s
        if matters and self.reason(step, self._guess_s) is FinishReason.MINUTES:
            return True
        since_s = self.elapsed_s - self._saved_at_s
        if since_s <= 60 * self.training.checkpoint_minutes:
            return False
        return self.reason(step, self._save_s or 0.0) is None

    def reason(self, step: int, spent_s: float = 0.0) -> FinishReason | None:
        """Limit that is reached after this step, if any.

        The time is up when another step and the save after it would not end in time;
        one step is always made.

        Parameters
        ----------
        spent_s
            Seconds that are to pass before.
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
        """Expected seconds of another step and a save; 0 before the first step.

        The longest of the last steps counts.
        """
        if not self._steps:
            return 0.0
        save_s = self._guess_s if self._save_s is None else self._save_s
        monitor_s = self._monitor_s if self.is_monitored(step + 1) else 0.0
        return max(self._steps) + monitor_s + save_s

    @property
    def _guess_s(self) -> float:
        """Seconds of a save, before one was measured and after the first step."""
        return SAVE_IN_STEPS * statistics.median(self._steps)
