"""Stop and pause of a run, asked for from any thread, and what follows from them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from napari_slicegan.parallel.distributed import Decision, DistributedContext
from napari_slicegan.step_report import FinishReason

if TYPE_CHECKING:
    from napari_slicegan.training.run_clock import RunClock

# The others are found by the clock of process 0.
OF_ANY_RANK = (FinishReason.STOPPED, FinishReason.DIVERGED)


class Steered:
    """Something long that looks between its steps at what is asked of it."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._go = threading.Event()
        self._go.set()

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

    def decide(
        self,
        distributed: DistributedContext,
        clock: RunClock,
        step: int,
        reason: FinishReason | None = None,
    ) -> Decision[FinishReason]:
        """Decide between two steps how it goes on; waits as long as it is paused.

        Parameters
        ----------
        distributed
            All its processes decide alike.
        clock
            Knows the limits; stands still in a pause.
        step
            Steps that are done.
        reason
            A reason to end that is known already.
        """
        while True:
            own = reason or clock.reason(step)
            if own is None and self._stop.is_set():
                own = FinishReason.STOPPED
            own_decision = Decision(own, self.is_paused, clock.progress(step))
            decision = distributed.all_reduce_decision(own_decision, OF_ANY_RANK)
            if decision.reason is not None or not decision.is_paused:
                return decision
            clock.count()
            self._go.wait(distributed.poll_s)
            clock.go_on()
