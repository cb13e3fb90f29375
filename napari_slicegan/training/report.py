"""What a training run tells about itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class FinishReason(Enum):
    """Why a run ended; the value is the sentence that is shown."""

    STEPS = "All steps are done."
    MINUTES = "The time is up."
    SETTLED = "The quality stopped improving."
    STOPPED = "Stopped on request; the run can be resumed."
    DIVERGED = (
        "The losses are no longer finite and this step is not saved; lower the "
        "learning rates or raise 'Penalty weight', then start again."
    )

    def after(self, steps: int, elapsed_s: float) -> str:
        """The reason, and how far the run has come."""
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
        Losses of this step; the penalty is the critic's weighted gradient penalty.
    elapsed_s, remaining_s
        Seconds of the run by the clock, pauses left out; the rest is estimated from
        its limits.
    progress
        Share of the run that is over, 0 to 1.
    steps_per_s
        Speed over the last steps, without monitoring and saving.
    images_seen
        Real crops shown to the critics.
    memory_bytes
        Memory of the process, or of the GPU where it trains.
    quality, preview
        Measured every ``monitor_interval`` steps, otherwise None: a Quality and a
        Volume,
        an ImageQuality and a Sheet, or a PointQuality and a Scatter. Also None where
        they could not be made.
    warning
        One sentence for each new fault of the monitoring, which does not end a run;
        empty if there is none.
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
