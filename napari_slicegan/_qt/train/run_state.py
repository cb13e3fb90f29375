"""State machine of a training run; no Qt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum


class RunState(Enum):
    """State of a run; the value is the displayed text."""

    IDLE = "Ready"
    PREPARING = "Preparing..."
    RUNNING = "Training"
    PAUSED = "Paused"
    STOPPING = "Stopping..."
    FINISHED = "Finished"
    FAILED = "Failed"

    @property
    def is_active(self) -> bool:
        """Whether a worker is running or paused."""
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
"""Allowed next states of each state."""


class RunMachine:
    """Holds the state of a run and refuses transitions that are not in the table.

    Parameters
    ----------
    changed
        Called with the new state after each change.
    """

    def __init__(self, changed: Callable[[RunState], None] | None = None) -> None:
        self.state = RunState.IDLE
        self._changed = changed

    def allows(self, state: RunState) -> bool:
        """Whether a state may follow the current one."""
        return state in TRANSITIONS[self.state]

    def go(self, state: RunState) -> None:
        """Change the state.

        Raises
        ------
        RuntimeError
            If the transition is not allowed: a programming error.
        """
        if not self.allows(state):
            raise RuntimeError(f"A run cannot go from {self.state} to {state}.")
        self.state = state
        if self._changed is not None:
            self._changed(state)

    def go_if_allowed(self, state: RunState) -> bool:
        """Change the state if the transition is allowed; return whether it was.

        For signals of the worker: one that arrives after Stop was pressed must not
        return the run to an earlier state.
        """
        if not self.allows(state):
            return False
        self.go(state)
        return True
