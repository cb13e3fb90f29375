"""The states of a training run in the window, and how one follows another.

Nothing of Qt is in here: the panel asks what is allowed and shows the state it is in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum


class RunState(Enum):
    """Where a run is; the value is the word that is shown."""

    IDLE = "Ready"
    PREPARING = "Preparing..."
    RUNNING = "Training"
    PAUSED = "Paused"
    STOPPING = "Stopping..."
    FINISHED = "Finished"
    FAILED = "Failed"

    @property
    def is_active(self) -> bool:
        """Whether a worker is at work, or waits to go on."""
        return self in ACTIVE


ACTIVE = frozenset(
    {RunState.PREPARING, RunState.RUNNING, RunState.PAUSED, RunState.STOPPING}
)

TRANSITIONS: Mapping[RunState, frozenset[RunState]] = {
    RunState.IDLE: frozenset({RunState.PREPARING}),
    RunState.PREPARING: frozenset(
        {RunState.RUNNING, RunState.STOPPING, RunState.FINISHED, RunState.FAILED}
    ),
    RunState.RUNNING: frozenset(
        {RunState.PAUSED, RunState.STOPPING, RunState.FINISHED, RunState.FAILED}
    ),
    RunState.PAUSED: frozenset(
        {RunState.RUNNING, RunState.STOPPING, RunState.FINISHED, RunState.FAILED}
    ),
    RunState.STOPPING: frozenset({RunState.FINISHED, RunState.FAILED}),
    RunState.FINISHED: frozenset({RunState.PREPARING}),
    RunState.FAILED: frozenset({RunState.PREPARING}),
}
"""Every state -> those that may follow it."""


class RunMachine:
    """Holds the state of a run and refuses steps that the table does not have.

    Parameters
    ----------
    changed
        Called with the new state after each change.
    """

    def __init__(self, changed: Callable[[RunState], None] | None = None) -> None:
        self.state = RunState.IDLE
        self._changed = changed

    def allows(self, state: RunState) -> bool:
        """Whether a state may follow the present one."""
        return state in TRANSITIONS[self.state]

    def go(self, state: RunState) -> None:
        """Change the state.

        Raises
        ------
        RuntimeError
            If the table does not have this change: a fault in the program.
        """
        if not self.allows(state):
            raise RuntimeError(f"A run cannot go from {self.state} to {state}.")
        self.state = state
        if self._changed is not None:
            self._changed(state)

    def go_if_allowed(self, state: RunState) -> bool:
        """Change the state unless the run has moved on; whether it did.

        For reports that come from the worker: a step that ended when Stop was already
        pressed must not bring the run back to life.
        """
        if not self.allows(state):
            return False
        self.go(state)
        return True
